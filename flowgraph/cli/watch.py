"""Following a run that a Runtime of this process executes, or waits for: the board is kept up to date.

Rows come in as they are committed here. What others wrote, before this process or while another worker has the run, is
read from the store. What is observed while the store is read is held back, and taken in after it; since the store may
have it too, of that only the rows before the first observed one count.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from flowgraph.cli import inside
from flowgraph.cli.board import Board, Node
from flowgraph.cli.course import Course
from flowgraph.cli.view import Glance, waits
from flowgraph.cli.wording import clock_time, one_line
from flowgraph.model import Checkpoint, RunStatus
from flowgraph.model.graph import Graph
from flowgraph.model.store import RunRow
from flowgraph.runtime import Runtime

MAX_ID = 1 << 63
POLL_S = 0.5
"""So often it is looked how the run stands; nothing tells a process of that."""
_READING_SHARE = 20
"""The history of a run that another worker executes is read so seldom that reading takes one part in so many."""

Told = Callable[[Sequence[Node], Checkpoint, "tuple[int, int] | None"], None]


class Watch:
    """Follows one run.

    `told` is called with each row that is committed here: with the nodes that it belongs to, and with how many steps of
    how many have ended, where the row ends one of the run's own.
    """

    def __init__(self, runtime: Runtime, told: Told) -> None:
        self.board = Board("")
        self.course: Course | None = None
        self.row: RunRow | None = None
        self.is_here = False
        self._runtime = runtime
        self._told = told
        self._held: list[tuple[str, Checkpoint | tuple[str, int]]] | None = []
        self._read_ids: set[str] = set()
        self._read_again_s = 0.0
        runtime.observe(self._see)

    async def follow(self, run_id: str, graph: Graph | None = None) -> None:
        """Begin to follow a run, by its graph; the Runtime is open."""
        self.board = Board(run_id)
        self.course = None if graph is None else Course(graph)
        await self._read()

    async def keep_following(self) -> None:
        """Look again and again how the run stands, until cancelled."""
        while True:
            await asyncio.sleep(POLL_S)
            await self.look()

    async def look(self) -> None:
        """Look how the run stands now."""
        self.row = await inside.run_row(self._runtime, self.board.run_id)
        await self._look_at_graph(self.row)
        was_here, self.is_here = self.is_here, inside.is_executed_here(self._runtime, self.board.run_id)
        is_elsewhere = self.row.status is RunStatus.RUNNING and not self.is_here
        if is_elsewhere and not was_here and time.monotonic() >= self._read_again_s:
            self._read_ids.clear()
        if not self._read_ids.issuperset(self.board.run_ids):
            await self._read()

    async def _look_at_graph(self, row: RunRow) -> None:
        """Where another worker executes the run, it may do so by another graph."""
        known = None if self.course is None else self.course.fingerprint
        if row.fingerprint is not None and row.fingerprint != known:
            graph = await self._runtime.graph(row.id)
            if graph is not None:
                self.course = Course(graph)
                for one in await inside.history(self._runtime, row):
                    self.course.take(one)

    def glance(self) -> Glance:
        """How the run stands, for the view."""
        now_us = time.time_ns() // 1_000
        row, course = self.row, self.course
        steps = None if course is None else course.counts()
        if row is None:
            return Glance(now_us, steps=steps, to_come=self.to_come())
        since_us = row.started_us or row.created_us
        note = self._note(row, now_us)
        return Glance(now_us, row.status, None, note, since_us, row.finished_us, steps=steps, to_come=self.to_come())

    def to_come(self) -> tuple[str, ...]:
        """The names of the steps that may still come."""
        return () if self.course is None else tuple(node.name for node in self.course.to_come())

    def _note(self, row: RunRow, now_us: int) -> str:
        if row.status is RunStatus.PAUSED:
            return f"{one_line(row.reason or '')}"
        if row.status is RunStatus.PENDING:
            return "for a worker"
        if row.status is RunStatus.RUNNING and not self.is_here:
            return "by another worker"
        if row.status.suspended:
            dues = [node.due_us for node in waits(self.board) if node.due_us is not None]
            return f"until {clock_time(min(dues), now_us)}" if dues else ""
        return ""

    # Rows -------------------------------------------------------------------------------------------------------------

    def _see(self, run_id: str, what: Checkpoint | tuple[str, int]) -> None:
        if self._held is None:
            self._take(run_id, what)
        else:
            self._held.append((run_id, what))

    def _take(self, run_id: str, what: Checkpoint | tuple[str, int]) -> None:
        if isinstance(what, Checkpoint):
            trail = self.board.add(run_id, what)
            if trail:
                self._told(trail, what, self._taken(run_id, what))
        else:
            self.board.begin(run_id, *what, time.time_ns() // 1_000)
            if self.course is not None and run_id == self.board.run_id:
                self.course.begin(what[0])

    def _taken(self, run_id: str, row: Checkpoint) -> tuple[int, int] | None:
        """Let the course know of a row; returns how many steps of how many have ended, where one has."""
        if self.course is None or run_id != self.board.run_id:
            return None
        before = self.course.counts()
        self.course.take(row)
        after = self.course.counts()
        return after if after[0] > before[0] else None

    async def _read(self) -> None:
        """Read the histories that were not read yet: of the run, and of the child runs that it waits for."""
        began_s = time.monotonic()
        self._held = [] if self._held is None else self._held
        while new := [run_id for run_id in self.board.run_ids if run_id not in self._read_ids]:
            for run_id in new:
                self._read_ids.add(run_id)
                await self._read_one(run_id)
        held, self._held = self._held, None
        for run_id, what in held:
            self._take(run_id, what)
        now_s = time.monotonic()
        self._read_again_s = now_s + max(POLL_S, _READING_SHARE * (now_s - began_s))

    async def _read_one(self, run_id: str) -> None:
        row = await inside.find_row(self._runtime, run_id)
        rows = [] if row is None else await inside.history(self._runtime, row)
        if run_id == self.board.run_id:
            self.row, self.is_here = row, inside.is_executed_here(self._runtime, run_id)
        held = [what.id for of, what in self._held or () if of == run_id and isinstance(what, Checkpoint)]
        first = min(held, default=MAX_ID)
        known = [row for row in rows if row.id < first]
        self.board.restore(run_id, known)
        if self.course is not None and run_id == self.board.run_id:
            for one in known:
                self.course.take(one)
