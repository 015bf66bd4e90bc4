"""Handing results to those who wait for them, in the order of their rows, one each time that the run is quiet."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from flowgraph.model.checkpoint import MAX_SEQUENCE
from flowgraph.runtime.tasks import Join, is_quiet

if TYPE_CHECKING:
    from flowgraph.runtime.execution import Execution

_MOST_SPINS = 1_000
"""So often the loop is let run before a result is delivered to a run that never becomes quiet."""


class Deliveries:
    """The results of one run that are on their way."""

    def __init__(self, run: Execution) -> None:
        self._run = run
        self._queue: list[tuple[int, int, Join]] = []
        self._spins = 0
        self._count = 0
        self.under_way = False
        """Whether any is on its way."""

    def add(self, sequence: int, join: Join) -> None:
        """Deliver a result when its turn has come; `sequence` is the number of its row."""
        self._count += 1
        heapq.heappush(self._queue, (sequence, self._count, join))
        if not self.under_way:
            self.under_way = True
            self._pump_soon()

    @property
    def has_results(self) -> bool:
        """Whether a result is on its way, and not only turns of scopes that close (`Execution.settled`)."""
        return bool(self._queue) and self._queue[0][0] <= MAX_SEQUENCE

    def refuse(self) -> None:
        """The run has been told to stop: nothing is delivered any more."""
        halt = self._run.halt
        assert halt is not None
        for _, _, join in self._queue:
            if not join.done():
                join.refuse(halt.signal())
        self._queue.clear()

    def _pump_soon(self) -> None:
        self._run.loop.call_soon(self._pump, context=self._run.engine.context)

    def _pump(self) -> None:
        run = self._run
        if run.halt is not None:
            self.under_way = False
            self.refuse()
            return
        if self._spins < _MOST_SPINS and not is_quiet(run):
            self._spins += 1
            self._pump_soon()
            return
        self._spins = 0
        self._deliver_one()
        self.under_way = bool(self._queue)
        if self.under_way:
            self._pump_soon()
        else:
            run.waiting.changed()

    def _deliver_one(self) -> None:
        while self._queue:
            _, _, join = heapq.heappop(self._queue)
            if not join.done():
                join.set_result(None)
                return
