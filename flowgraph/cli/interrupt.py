"""Ctrl-C and SIGTERM: the first one lets the run be given back in order, the second one leaves at once.

Either way the run stays resumable: what is committed is committed, and a worker that is gone is noticed by its lock.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, Self

PATIENCE_S = 0.7
"""So long after an interruption it is said what is still waited for."""


class Interruption:
    """While it is entered, a signal cancels the task that `covers` named.

    Attributes:
        signum: the signal that came; None as long as none has.
    """

    def __init__(self, say_waiting: Callable[[], None], last_words: Callable[[], str]) -> None:
        self.signum: int | None = None
        self._say_waiting = say_waiting
        self._last_words = last_words
        self._interrupt: Callable[[], object] | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        with suppress(ValueError):  # Only the main thread may; elsewhere signals are not ours.
            for signum in (signal.SIGINT, signal.SIGTERM):
                self._previous[signum] = signal.signal(signum, self._arrived)
        return self

    def __exit__(self, *_: object) -> None:
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)

    @property
    def code(self) -> int:
        """The exit code that says which signal ended the command, as shells have it."""
        return 128 + (self.signum or signal.SIGINT)

    def covers(self, task: asyncio.Task[Any]) -> None:
        """Cancel this task, which is the running one, when a signal comes."""
        loop = asyncio.get_running_loop()

        def cancel() -> None:
            task.cancel()
            loop.call_later(PATIENCE_S, self._say_waiting)

        self._interrupt = lambda: loop.call_soon_threadsafe(cancel)

    def _arrived(self, signum: int, _frame: FrameType | None) -> None:
        if self.signum is not None:
            os.write(2, f"\r\n{self._last_words()}\n".encode())
            os._exit(128 + signum)
        self.signum = signum
        if self._interrupt is None:
            raise KeyboardInterrupt  # The target is being loaded: nothing has begun.
        with suppress(RuntimeError):  # The loop is closed: all is done.
            self._interrupt()
