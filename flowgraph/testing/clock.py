"""A clock for tests: time stands still, and jumps to the next timer when nothing else is left to do."""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Callable
from datetime import UTC, datetime

from flowgraph.model import Duration, microseconds, moment, moment_us

_LOOK_EVERY_S = 0.001
_QUIET_LOOKS = 2


class VirtualClock:
    """Give it to a Runtime, and a workflow that sleeps for a year ends at once.

    Time stands still while anything is at work. When every run only waits, the clock jumps to the next timer. It counts
    only what the runtime waits for: I/O inside a step is work.

    Args:
        start: the time at which it begins, an aware datetime.
        autojump: jump by itself; otherwise only `advance` moves it.
        seed: of the numbers that spread retries, so that a test sees the same each time.

    >>> from flowgraph import Runtime, step, workflow
    >>> @workflow
    ... async def yearly() -> str:
    ...     await step.sleep("wait a year", "365d")
    ...     return "done"
    >>> async def main():
    ...     clock = VirtualClock()
    ...     async with Runtime("sqlite:///:memory:", clock=clock) as runtime:
    ...         return await runtime.run(yearly), clock.now().date().isoformat()
    >>> asyncio.run(main())
    ('done', '2031-01-01')
    """

    def __init__(self, start: datetime | None = None, *, autojump: bool = True, seed: int = 0) -> None:
        self._now_us = moment_us(start or datetime(2030, 1, 1, tzinfo=UTC))
        self._start_us = self._now_us
        self._autojump = autojump
        self._random = random.Random(seed)  # noqa: S311 (it makes tests repeatable)
        self._timers: list[tuple[int, int, _VirtualTimer]] = []
        self._count = 0
        self._busy: list[Callable[[], bool]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._looking: asyncio.TimerHandle | None = None
        self._quiet = 0

    def now(self) -> datetime:
        """The clock's time."""
        return moment(self._now_us)

    def advance(self, duration: Duration) -> None:
        """Let time pass; timers that are due are called in their order, each at its own time."""
        until_us = self._now_us + microseconds(duration)
        while self._timers and self._timers[0][0] <= until_us:
            self._jump()
        self._now_us = until_us

    def now_us(self) -> int:
        """Microseconds since the epoch, UTC."""
        return self._now_us

    def elapsed_us(self) -> int:
        """Microseconds since the clock was made."""
        return self._now_us - self._start_us

    def draw(self) -> float:
        """The next of the seeded numbers from 0 up to 1."""
        return self._random.random()

    def call_at(self, due_us: int, callback: Callable[[], None]) -> _VirtualTimer:
        """Call `callback` when the clock comes to `due_us`."""
        if self._loop is not None and self._loop.is_closed():
            self._timers.clear()  # They were of a loop that has ended.
        self._count += 1
        timer = _VirtualTimer(callback)
        heapq.heappush(self._timers, (due_us, self._count, timer))
        if self._autojump or due_us <= self._now_us:
            self._look_soon()
        return timer

    def watch(self, is_busy: Callable[[], bool]) -> Callable[[], None]:
        """Learn who may be working, so that the clock does not jump over it; returns what ends it."""
        self._busy.append(is_busy)
        return lambda: self._busy.remove(is_busy)

    def _look_soon(self) -> None:
        loop = asyncio.get_running_loop()
        if self._looking is None or self._loop is not loop:
            self._loop = loop
            self._looking = loop.call_later(_LOOK_EVERY_S, self._look)

    def _look(self) -> None:
        self._looking = None
        while self._timers and (self._timers[0][2].cancelled or self._timers[0][0] <= self._now_us):
            self._jump()
        if not self._timers or not self._autojump:
            return
        self._quiet = 0 if any(is_busy() for is_busy in self._busy) else self._quiet + 1
        if self._quiet >= _QUIET_LOOKS:
            self._quiet = 0
            self._jump()
        self._look_soon()

    def _jump(self) -> None:
        due_us, _, timer = heapq.heappop(self._timers)
        if not timer.cancelled:
            self._now_us = max(self._now_us, due_us)
            timer.fire()


class _VirtualTimer:
    """A callback at a virtual time."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True

    def fire(self) -> None:
        if not self.cancelled:
            self._callback()
