"""The engine that claims runs and executes them.

Claiming. A run without a worker has a wake time; the engine claims what is due whenever something may have become due:
it was started here, a timer for the next wake time fires, another process changed the store, a run left and freed a
slot. One claim is in flight at a time.

Which worker it is, and what becomes of the runs of dead ones, is the matter of `membership`.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from flowgraph.dsl import Workflow, WorkflowTable, portable
from flowgraph.errors import InvalidOption, StoreError, WorkflowNotFound
from flowgraph.model import CURRENT, Checkpoint, PauseReason, RunStatus
from flowgraph.model.store import (
    Bind,
    Claim,
    Claimed,
    ClaimedRun,
    History,
    Inbox,
    Owned,
    Reopen,
)
from flowgraph.runtime import codec
from flowgraph.runtime.clock import Clock
from flowgraph.runtime.execution import Execution
from flowgraph.runtime.halt import Breaking, Cancelling, Completing, Losing, Releasing, Suspending, TimingOut
from flowgraph.runtime.membership import Membership
from flowgraph.runtime.remote import call_remotely, guarded
from flowgraph.runtime.tasks import install_task_factory
from flowgraph.runtime.threads import Threads

if TYPE_CHECKING:
    from flowgraph.runtime.graphs import BoundGraph, Graphs
    from flowgraph.runtime.scope import StepScope
    from flowgraph.stores import Journal

logger = logging.getLogger("flowgraph")

_CLAIM_AGAIN_S = 1.0
_UNWIND_S = 5.0
"""Tasks that are still there so long after their run was told to stop are cancelled, again and again."""
_LEAVE_TIMEOUT_S = 30.0

AnyWorkflow = Workflow[..., Any]
Left = Callable[[Execution, Any], None]


class Engine:
    """Claims and executes runs on one loop, over one journal."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        table: WorkflowTable,
        graphs: Graphs,
        *,
        concurrency: int,
        executors: Mapping[str, Executor],
        strict: bool,
        lease_us: int,
        max_recoveries: int,
        on_left: Left,
    ) -> None:
        self.journal = journal
        self.clock = clock
        self.loop = asyncio.get_running_loop()
        self.context = copy_context()
        self.context.run(CURRENT.set, None)
        self.threads = Threads(max(concurrency, 32))
        self.graphs = graphs
        self.strict = strict
        self.observers: list[Callable[[str, Checkpoint | tuple[str, int]], None]] = []
        self.resident: dict[int, Execution] = {}
        self.resident_ids: set[str] = set()
        self.arriving: set[tuple[int, int]] = set()
        """Runs that were claimed and wait for their graph, by number and epoch."""
        self.awaited: set[str] = set()
        """The ids of runs for whose end a run waits that is, or was, executed here."""
        self._table = table
        self._concurrency = concurrency
        self._executors = dict(executors)
        self._membership = Membership(self, lease_us=lease_us, max_recoveries=max_recoveries)
        self._on_left = on_left
        self._thread_id = threading.get_ident()
        self._reserved = 0
        self._asked = 0
        self._claiming = False
        self._claim_again = False
        self._hungry = False
        self._looking = False
        self._look_again = False
        self._closing = False
        self._wake: Any = None
        self._wake_us: int | None = None
        self._overdue: Any = None
        self._overdue_us: int | None = None
        self._unwinding: dict[Execution, float] = {}
        self._unwinding_timer: Any = None
        self._left: asyncio.Event = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        """Tasks that nobody awaits; a loop alone does not keep them alive."""

    # Opening and closing ----------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Register, take over what dead workers left, and begin to claim."""
        self._uninstall = install_task_factory(self.loop)
        if not hasattr(self.loop, "_scheduled"):
            logger.warning(
                "%s does not show its timers: a run suspends although asyncio.timeout or wait_for runs around a wait. "
                "Use the timeout= of steps.",
                type(self.loop).__name__,
            )
        self._unwatch = self.clock.watch(self.is_busy)
        await self._membership.begin()
        await self.journal.commit(Reopen(tuple(self._table), PauseReason.INCOMPATIBLE, self.clock.now_us()))
        self._membership.watch()
        self.kick()

    async def close(self) -> None:
        """Stop executing, give unfinished runs back, and strike the worker off."""
        self._closing = True
        self._membership.stop_watching()
        for timer in (self._wake, self._overdue):
            if timer is not None:
                timer.cancel()
        for run in list(self.resident.values()):
            run.stop(Releasing())
        try:
            await self._all_left()
        finally:  # Also if whoever closes is cancelled.
            if self._unwinding_timer is not None:
                self._unwinding_timer.cancel()
            self._uninstall()
            self._unwatch()
            self.threads.shutdown(wait=False)
        if not self.resident:
            await self._membership.end()

    async def _all_left(self) -> None:
        """Wait for the bodies that are still at work; after a while leave their runs to whoever finds this one dead."""
        try:
            async with asyncio.timeout(_LEAVE_TIMEOUT_S):
                while self.resident or self._reserved or self._claiming:
                    self._left.clear()
                    await self._left.wait()
        except TimeoutError:
            names = ", ".join(repr(run.id) for run in list(self.resident.values())[:5])
            logger.error(
                "bodies of steps are still at work in %d runs, which stay claimed: %s", len(self.resident), names
            )

    @property
    def worker(self) -> int:
        """The number of the worker in the store."""
        return self._membership.worker

    def is_busy(self) -> bool:
        """Tell whether anything goes on that no timer of the clock ends: a virtual clock must not jump over it."""
        return bool(
            self._claiming or self._looking or self._membership.recovering or self.journal.pending or self._reserved
            or any(run.waiting.is_busy() for run in self.resident.values())
        )  # fmt: skip

    # What executions ask for ------------------------------------------------------------------------------------------

    def on_loop(self) -> bool:
        """Tell whether the caller is in the loop's thread."""
        return threading.get_ident() == self._thread_id

    def call_on_loop(self, callback: Callable[[], None]) -> None:
        """Call something soon on the loop, from any thread; a loop that is closed needs no more calls."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(callback)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin a task that belongs to no run and that nobody awaits."""
        task = self.loop.create_task(work, context=self.context.copy())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def executor(self, executor: Any) -> Executor | None:
        """The executor that a step names, or brought."""
        if executor is None or isinstance(executor, Executor):
            return executor
        if isinstance(executor, str):
            found = self._executors.get(executor)
            if found is None:
                known = ", ".join(sorted(map(repr, self._executors))) or "none"
                raise InvalidOption("executor", executor, f"the Runtime was given no such executor (it has {known})")
            return found
        raise InvalidOption("executor", executor, "it is an Executor, or the name of one given to the Runtime")

    def submit(
        self, executor: Executor, scope: StepScope, handler: Callable[..., Any], args: tuple[Any, ...]
    ) -> Future[Any]:
        """Run a handler in an executor: threads see the scope itself, other processes a copy of what it knows."""
        if isinstance(executor, ThreadPoolExecutor):
            return executor.submit(copy_context().run, guarded, handler, *args)
        return executor.submit(call_remotely, scope.info(), portable(handler), args)

    def named(self, workflow: Any) -> tuple[str, Callable[..., Any] | None]:
        """A workflow's name, and its function where this process has it."""
        if isinstance(workflow, Workflow):
            self._table.add(workflow)
            return workflow.name, workflow.fn
        try:
            return workflow, self._table[workflow].fn
        except (KeyError, WorkflowNotFound):
            return workflow, None

    def result_annotation(self, workflow: str) -> Any:
        """The annotation of a workflow's result; Any where this process does not have the workflow."""
        fn = self.named(workflow)[1]
        return Any if fn is None else codec.return_annotation(fn)

    def observe(self, run_id: str, row: Checkpoint) -> None:
        """Tell those who watch of a committed row."""
        self._tell_observers(run_id, row)

    def observe_start(self, run_id: str, path: str, attempt: int) -> None:
        """Tell those who watch that an attempt begins."""
        self._tell_observers(run_id, (path, attempt))

    def _tell_observers(self, run_id: str, what: Checkpoint | tuple[str, int]) -> None:
        for observer in self.observers:
            try:
                observer(run_id, what)
            except Exception:
                logger.exception("an observer of run %r failed", run_id)

    # Claiming ---------------------------------------------------------------------------------------------------------

    def _free(self) -> int:
        return self._concurrency - len(self.resident) - self._reserved - self._asked

    def slot(self) -> int | None:
        """Reserve a slot for a run that is started now, and give this worker's number; None where there is none."""
        if self._closing:
            return None
        if self._hungry or self._free() < 1:
            self._hungry = True  # The run is started as pending, and claimed when a slot is free.
            return None
        self._reserved += 1
        return self.worker

    def fill_slot(self, claimed: ClaimedRun | None) -> None:
        """Use a reserved slot for a run that was started as claimed; None gives the slot back."""
        self._reserved -= 1
        self._left.set()
        if claimed is not None:
            self._execute(claimed, [], None)

    def kick(self) -> None:
        """Claim what is due."""
        if self._closing:
            return
        if self._claiming:
            self._claim_again = True
        elif self._free() > 0:
            self._claiming = True
            self._claim_again = False
            self._asked = self._free() if self._hungry else -(-self._free() // 2)  # Starts may take the rest.
            now_us, fingerprints = self.clock.now_us(), self.graphs.fingerprints
            claim = Claim(self.worker, tuple(self._table), self._asked, now_us, fingerprints)
            self.journal.submit(claim, self._claimed)
        else:
            self._hungry = True

    def _claimed(self, answer: Claimed | StoreError) -> None:
        self._claiming = False
        asked, self._asked = self._asked, 0
        self._left.set()
        if isinstance(answer, Exception):
            logger.error("runs could not be claimed: %s", answer)
            self.loop.call_later(_CLAIM_AGAIN_S, self.kick)
            return
        self._hungry = len(answer.runs) == asked
        for claimed in answer.runs:
            if claimed.epoch > 1 or claimed.signals:
                self._reserved += 1
                self.spawn(self._take(claimed))
            else:
                self._execute(claimed, [], None)
        if answer.next_wake_us is not None:
            self._wake_at(answer.next_wake_us)
        if self._claim_again:
            self.kick()

    async def _take(self, claimed: ClaimedRun) -> None:
        """Read what a run did before, and what was sent to it, and go on with it."""
        try:
            rows = await self.journal.ask(History(claimed.no))
            mail = await self.journal.ask(Inbox(claimed.no))
        except StoreError as error:
            logger.error("run %r could not be read: %s", claimed.id, error)
            return
        finally:
            self._reserved -= 1
            self._left.set()
        self._execute(claimed, rows, mail)

    def _wake_at(self, wake_us: int) -> None:
        if self._wake is not None:
            if self._wake_us is not None and self._wake_us <= wake_us:
                return
            self._wake.cancel()
        self._wake_us = wake_us
        self._wake = self.clock.call_at(wake_us, self._woken)

    def _woken(self) -> None:
        self._wake = self._wake_us = None
        self.kick()

    # Executing --------------------------------------------------------------------------------------------------------

    def _execute(self, claimed: ClaimedRun, rows: list[Checkpoint], mail: Any) -> None:
        """Execute a run by its graph; the first one of a workflow waits until that is there."""
        try:
            workflow = self._table[claimed.workflow]
            bound = self.graphs.ready(workflow)
        except Exception:
            logger.exception("run %r could not be executed", claimed.id)
            return
        if bound is not None:
            self._begin(claimed, workflow, bound, rows, mail)
        else:
            self._reserved += 1
            self.arriving.add((claimed.no, claimed.epoch))
            self.spawn(self._begin_later(claimed, workflow, rows, mail))

    async def _begin_later(self, claimed: ClaimedRun, workflow: AnyWorkflow, rows: list[Checkpoint], mail: Any) -> None:
        try:
            bound = await self.graphs.get(workflow)
        finally:
            self.arriving.discard((claimed.no, claimed.epoch))
            self._reserved -= 1
            self._left.set()
        self._begin(claimed, workflow, bound, rows, mail)
        self.look()  # A signal that came meanwhile found the run nowhere.

    def _begin(
        self, claimed: ClaimedRun, workflow: AnyWorkflow, bound: BoundGraph, rows: list[Checkpoint], mail: Any
    ) -> None:
        if claimed.fingerprint != bound.fingerprint:
            self.journal.submit(Bind(claimed.no, claimed.epoch, bound.fingerprint), _bound)
        try:
            run = Execution(self, claimed, workflow, bound, rows, mail)
        except Exception:
            logger.exception("run %r could not be executed", claimed.id)
            return
        self.resident[run.no] = run
        self.resident_ids.add(run.id)
        if claimed.cancel_requested:
            run.stop(Cancelling())
        if self._closing:
            run.stop(Releasing())
        if run.halt is None:
            run.begin(self.context.copy())
            self.watch_time(run)

    def watch_time(self, run: Execution) -> None:
        """One timer serves the timeouts of all runs: it is set for the earliest."""
        due_us = self.clock.now_us() + max(0, round(run.workflow.timeout * 1e6) - run.stopwatch.us())
        if self._overdue_us is None or due_us < self._overdue_us:
            if self._overdue is not None:
                self._overdue.cancel()
            self._overdue_us = due_us
            self._overdue = self.clock.call_at(due_us, self._stop_overdue)

    def _stop_overdue(self) -> None:
        self._overdue = self._overdue_us = None
        for run in list(self.resident.values()):
            if run.halt is not None or run.stopwatch.rests:
                continue  # An idle one is watched again when its wait is over.
            if run.stopwatch.us() >= round(run.workflow.timeout * 1e6):
                run.stop(TimingOut(run.workflow.timeout))
            else:
                self.watch_time(run)

    def left(self, run: Execution, answer: Any) -> None:
        """A run is no longer executed here; `answer` is what the store said to its last command."""
        self.resident.pop(run.no, None)
        self.resident_ids.discard(run.id)
        self._unwinding.pop(run, None)
        if isinstance(answer, Exception):
            run.halt = Breaking(answer)
        elif answer is False:
            run.halt = Losing()
        self._on_left(run, answer)
        self._left.set()
        if not self._closing:
            self._after(run)
        run.waiting.forget()

    def _after(self, run: Execution) -> None:
        """Claim what may have become due because a run left."""
        match run.halt:
            case Completing():
                due = run.parent_id is not None or run.id in self.awaited
                if due:
                    self.look()
            case Suspending():
                status, wake_us = run.waiting.standing()
                if wake_us is not None:
                    self._wake_at(wake_us)
                due = status is not RunStatus.SLEEPING  # A signal may have come in the meantime.
            case _:
                self.look()
                due = True
        if due or self._hungry:
            self.kick()

    def unwinding(self, run: Execution) -> None:
        """Look after a run that was told to stop, in case its tasks do not end."""
        self._unwinding[run] = self.loop.time() + _UNWIND_S
        if self._unwinding_timer is None:
            self._unwinding_timer = self.loop.call_later(_UNWIND_S, self._unwind)

    def _unwind(self) -> None:
        now_s = self.loop.time()
        for run, due_s in list(self._unwinding.items()):
            if due_s <= now_s:
                run.unwind_again()
                self._unwinding[run] = now_s + _UNWIND_S
        self._unwinding_timer = self.loop.call_later(_UNWIND_S, self._unwind) if self._unwinding else None

    # Signals ----------------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Find out which of the runs that are executed here were signalled."""
        if self._looking:
            self._look_again = True
        elif self.resident and not self._closing:
            self._looking = True
            self.spawn(self._look())

    async def _look(self) -> None:
        try:
            while True:
                self._look_again = False
                for no, epoch, signals in await self.journal.ask(Owned(self.worker)):
                    run = self.resident.get(no)
                    if run is not None and run.epoch == epoch and signals > run.waiting.signals:
                        run.waiting.receive(await self.journal.ask(Inbox(no)))
                if not self._look_again:
                    break
        except StoreError as error:
            if not self._closing:
                logger.warning("signals could not be read: %s", error)
        finally:
            self._looking = False

    def store_changed(self) -> None:
        """Another process has committed something."""
        self.look()
        self.kick()


def _bound(answer: Any) -> None:
    if isinstance(answer, Exception):
        logger.warning("the graph of a run could not be noted: %s", answer)
