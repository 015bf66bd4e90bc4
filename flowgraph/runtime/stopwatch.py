"""Executing time: what a workflow's timeout bounds."""

from __future__ import annotations

from flowgraph.runtime.clock import Clock


class Stopwatch:
    """Counts the time that a run is executing, here and before; while the run only waits, it rests."""

    def __init__(self, clock: Clock, spent_us: int) -> None:
        self._clock = clock
        self._since_us = clock.elapsed_us() - spent_us
        self._resting_since_us: int | None = None

    def us(self) -> int:
        """Microseconds so far."""
        until_us = self._clock.elapsed_us() if self._resting_since_us is None else self._resting_since_us
        return until_us - self._since_us

    @property
    def rests(self) -> bool:
        """Whether the time stands still."""
        return self._resting_since_us is not None

    def rest(self) -> None:
        """Let the time stand still."""
        if self._resting_since_us is None:
            self._resting_since_us = self._clock.elapsed_us()

    def go_on(self) -> bool:
        """Count again; tells whether the time stood still."""
        if self._resting_since_us is None:
            return False
        self._since_us += self._clock.elapsed_us() - self._resting_since_us
        self._resting_since_us = None
        return True
