"""One worker among the others of a store: it signs on, renews its lease, and takes over the runs of dead ones.

A worker holds a lock that ends with its process, and renews its lease from the journal's thread, so that user code
which blocks the loop does not lose it. One whose lock is free is dead at once; one whose lease ran out is dead where
the lock cannot tell. The runs of a dead worker become due, with a raised epoch, so that nothing that it still writes
counts.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from flowgraph.errors import StoreError
from flowgraph.model.store import Beat, Enlist, Owned, Recover, Release, WorkerRow, Workers

if TYPE_CHECKING:
    import asyncio

    from flowgraph.runtime.engine import Engine

logger = logging.getLogger("flowgraph")

_LOOK_FOR_DEAD_S = 2.0


class Membership:
    """The place of an engine among the workers of its store."""

    def __init__(self, engine: Engine, *, lease_us: int, max_recoveries: int) -> None:
        self.worker = 0
        """The worker's number in the store."""
        self.recovering = False
        """Whether the runs of dead workers are being taken over."""
        self._engine = engine
        self._journal = engine.journal
        self._clock = engine.clock
        self._lease_us = lease_us
        self._max_recoveries = max_recoveries
        self._left = False
        self._timer: asyncio.TimerHandle | None = None
        self._overdue: dict[int, tuple[int, float]] = {}
        self._strays: set[tuple[int, int]] = set()

    async def begin(self) -> None:
        """Sign on, and take over what dead workers left."""
        await self._enlist()
        self._journal.start_beating(self._beat, self._lease_us / 3e6)
        await self._recover_dead()

    def watch(self) -> None:
        """Look for dead workers regularly, from now on."""
        if not self._left:
            self._timer = self._engine.loop.call_later(_LOOK_FOR_DEAD_S, self._look)

    def stop_watching(self) -> None:
        """Look no more, since the worker is about to leave."""
        self._left = True
        if self._timer is not None:
            self._timer.cancel()

    async def end(self) -> None:
        """Strike this worker off; where that fails, others find it dead later."""
        try:
            await self._recover(self.worker, leave=True)
        except StoreError as error:
            logger.warning("the worker could not be struck off; its runs are taken over later: %s", error)

    async def _enlist(self) -> None:
        host, lock = self._journal.store.hold_lock()
        now_us = self._clock.now_us()
        self.worker = await self._journal.commit(Enlist(host, os.getpid(), lock, now_us + self._lease_us, now_us))

    def _beat(self) -> Beat:
        """Called in the journal's thread."""
        runs = list(self._engine.resident.values())
        executed = tuple((run.no, run.epoch, run.stopwatch.us()) for run in runs)
        return Beat(self.worker, self._clock.now_us() + self._lease_us, executed)

    def _look(self) -> None:
        self._engine.kick()  # In case a signal and a suspension crossed.
        if self._journal.store.shared:
            self._engine.spawn(self._recover_regularly())
        else:
            self.watch()

    async def _recover_regularly(self) -> None:
        try:
            await self._recover_dead()
            await self._release_strays()
        except StoreError as error:
            if not self._left:
                logger.warning("dead workers could not be looked for: %s", error)
        self.watch()

    async def _recover_dead(self) -> None:
        self.recovering = True
        try:
            workers = await self._journal.ask(Workers())
            if all(row.no != self.worker for row in workers):
                await self._enlist()  # Others took this worker for dead; what it held was taken away.
            for row in workers:
                if row.no != self.worker and self._is_dead(row):
                    recovered = await self._recover(row.no)
                    logger.info("worker %d is dead; took over %d of its runs", row.no, recovered)
                    self._engine.kick()
        finally:
            self.recovering = False

    async def _recover(self, worker: int, *, leave: bool = False) -> int:
        recover = Recover(worker, self._max_recoveries, self._clock.now_us(), leave=leave)
        return int(await self._journal.commit(recover))

    async def _release_strays(self) -> None:
        """Give back runs that the store says are ours and that are not here: the store failed when they left."""
        resident = self._engine.resident
        owned = {(no, epoch) for no, epoch, _ in await self._journal.ask(Owned(self.worker)) if no not in resident}
        owned -= self._engine.arriving
        for no, epoch in owned & self._strays:  # Seen twice: so it is not one that is on its way here.
            await self._journal.commit(Release(no, epoch, 0, self._clock.now_us()))
            self._engine.kick()
        self._strays = owned - self._strays

    def _is_dead(self, row: WorkerRow) -> bool:
        """Tell whether a worker is dead: its lock is free, or its lease ran out.

        Where its lock is held on this machine, the process lives, and its lease counts only after it was seen to be
        over for a while: the clock may have jumped, or the machine slept, and the worker is about to renew it.
        """
        held = self._journal.store.is_held(row)
        if held is False or row.lease_until_us >= self._clock.now_us():
            self._overdue.pop(row.no, None)
            return held is False
        now_s = self._engine.loop.time()
        lease_us, since_s = self._overdue.get(row.no, (None, 0.0))
        if lease_us != row.lease_until_us:
            since_s = now_s
            self._overdue[row.no] = (row.lease_until_us, since_s)
        return held is None or now_s - since_s >= self._lease_us / 2e6
