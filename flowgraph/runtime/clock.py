"""Time and chance: the only place from which the runtime takes either."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Protocol

_LONGEST_WAIT_S = 3_600.0


class Timer(Protocol):
    """A callback that has not run yet."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """What a runtime needs of time; `flowgraph.testing.VirtualClock` is the other one."""

    def now_us(self) -> int:
        """Microseconds since the epoch, UTC."""
        ...

    def elapsed_us(self) -> int:
        """Microseconds that only ever grow, from any start."""
        ...

    def call_at(self, due_us: int, callback: Callable[[], None]) -> Timer:
        """Call `callback` on the running loop at `due_us` or later, never before."""
        ...

    def draw(self) -> float:
        """A number from 0 up to 1, drawn evenly."""
        ...

    def watch(self, is_busy: Callable[[], bool]) -> Callable[[], None]:
        """Learn who may be working, so that a virtual clock does not jump over it. Returns what ends it."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_us(self) -> int:
        return time.time_ns() // 1_000

    def elapsed_us(self) -> int:
        return time.monotonic_ns() // 1_000

    def call_at(self, due_us: int, callback: Callable[[], None]) -> Timer:
        return _SystemTimer(self, due_us, callback)

    def draw(self) -> float:
        return random.random()  # noqa: S311 (it spreads retries, it keeps no secret)

    def watch(self, is_busy: Callable[[], bool]) -> Callable[[], None]:  # noqa: ARG002
        return lambda: None


class _SystemTimer:
    """A timer by the wall clock, on a loop whose timers go by another: it looks again before it calls."""

    __slots__ = ("_callback", "_clock", "_due_us", "_handle", "_loop")

    def __init__(self, clock: SystemClock, due_us: int, callback: Callable[[], None]) -> None:
        self._clock = clock
        self._due_us = due_us
        self._callback = callback
        self._loop = asyncio.get_running_loop()
        self._arm()

    def _arm(self) -> None:
        wait_s = max(0.0, (self._due_us - self._clock.now_us()) / 1e6)
        self._handle = self._loop.call_later(min(wait_s, _LONGEST_WAIT_S), self._fire)

    def _fire(self) -> None:
        if self._clock.now_us() < self._due_us:
            self._arm()
        else:
            self._callback()

    def cancel(self) -> None:
        self._handle.cancel()
