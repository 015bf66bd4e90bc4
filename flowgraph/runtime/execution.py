"""One claimed run in this process: its history, its tasks, and how it stops.

Theory of operation.

*Replay.* The workflow's body runs from the top. A step call whose path has a finished entry in the history gets that
entry's result; any other is executed, and its final row is committed before the caller goes on.

*Order.* Results reach their callers in the order of their rows, one at a time, each when nothing of the run is ready to
go on (`tasks.is_quiet`). That holds for results from the history and for new ones alike, so that code that looks at
which of several steps was first (``asyncio.wait``, ``as_completed``) sees the same on every replay. Where only one
caller waits, order is plain and the result is handed over at once.

*Suspending.* Durable waits (`Wait`) are rows in the store. When everything that the run does is wait (`WaitGraph`), it
suspends: each waiting call raises `RunHalted`, the tasks unwind, and the run's row says when it is to be woken. If
something else goes on, the waits elapse in this process.

*Stopping.* `stop` sets the one `Halt`, the first wins; from then on each step call raises. When the own tasks have
ended, `_conclude` turns the halt into the last command. A crash at any point leaves a row that says "running" and
a worker that is dead: the next claim replays.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
from collections.abc import Callable, Coroutine
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any

from flowgraph.errors import DuplicateStep, LeaseLost, UnplannedStep, WriteRefused
from flowgraph.model import (
    CURRENT,
    Checkpoint,
    PauseReason,
    RetryPolicy,
    checkpoint_id,
)
from flowgraph.model.checkpoint import MAX_SEQUENCE, STEP
from flowgraph.model.plan import UNPLANNED
from flowgraph.model.store import (
    ClaimedRun,
    Mail,
    Outcome,
    Save,
)
from flowgraph.runtime import codec, failures
from flowgraph.runtime.attempts import Attempting
from flowgraph.runtime.calls import Call
from flowgraph.runtime.conclusion import last_command
from flowgraph.runtime.deliveries import Deliveries
from flowgraph.runtime.halt import (
    Breaking,
    Completing,
    Failing,
    Halt,
    Losing,
    Pausing,
    Releasing,
    RunHalted,
    Suspending,
)
from flowgraph.runtime.history import UNSET, Entry, History
from flowgraph.runtime.limits import check_size
from flowgraph.runtime.stopwatch import Stopwatch
from flowgraph.runtime.tasks import Join, MainTask, Task
from flowgraph.runtime.waiting import NOTHING, Waiting

if TYPE_CHECKING:
    from flowgraph.dsl import Workflow
    from flowgraph.runtime.engine import Engine
    from flowgraph.runtime.graphs import BoundGraph

logger = logging.getLogger("flowgraph")

_DEFAULT_POLICY = RetryPolicy()

_BURST = 256
"""So many saved results are handed over in a row before other tasks of the loop get their turn."""

Then = Callable[[Entry], None]
FutureOfThread = concurrent.futures.Future[Any]


class Execution:
    """A run that this worker owns, from its claim until it ends, suspends or is given back.

    What most runs never need is a frozenset that is replaced, and that all runs share while it is empty: a thousand
    runs at once are many objects for the garbage collector. More than 30 attributes, and Python would give each run a
    dictionary with keys of its own: a tenth fewer runs a second.
    """

    def __init__(
        self,
        engine: Engine,
        claimed: ClaimedRun,
        workflow: Workflow[..., Any],
        bound: BoundGraph,
        rows: list[Checkpoint],
        mail: Mail | None,
    ) -> None:
        self.engine = engine
        self.loop = engine.loop
        self.clock = engine.clock
        self.workflow = workflow
        self.no = claimed.no
        self.id = claimed.id
        self.epoch = claimed.epoch
        self.input = claimed.input
        self.parent_id = claimed.parent_id
        self.plan = bound.plan
        """The nodes of its graph; None where that is unknown."""
        policy = workflow.step_retry or _DEFAULT_POLICY
        self.attempting = Attempting(policy, policy.max_attempts)
        """The options of steps that give none."""
        self.history = History(rows)
        self.sequence = self.history.sequence
        self.calls: dict[str, Call] = {}
        self.tasks: set[Task] = set()
        """All live tasks that were made inside the run."""
        self.own: set[Task] = set()
        """Those that count: the workflow, the bodies of steps, and tasks that called a step."""
        self.bodies: dict[str, Task] = {}
        """The tasks in which attempts are being made, by the paths of the steps."""
        self.threads: frozenset[FutureOfThread] = NOTHING
        """Bodies at work in executors."""
        self.strays: frozenset[FutureOfThread] = NOTHING
        """Those of them that were given up, since they timed out."""
        self.deadlines: dict[str, int] = {}
        """When the attempts that are being made time out, by the paths of their steps."""
        self.once: frozenset[str] = NOTHING
        """The at-most-once steps whose attempts are being made."""
        self.halt: Halt | None = None
        self.concluded = False
        self.stopwatch = Stopwatch(self.clock, max(claimed.executed_us, self.history.executed_us))
        self.deliveries = Deliveries(self)
        self.waiting = Waiting(self, claimed.signals)
        self._joined = 0
        self._delivered = 0
        self._warned: frozenset[str] = NOTHING
        self._reported: dict[str, int] = {}
        if mail is not None:
            self.waiting.receive(mail)

    # Beginning --------------------------------------------------------------------------------------------------------

    def begin(self, context: Context) -> None:
        """Start the workflow's body."""
        from flowgraph.runtime.scope import StepScope

        root = StepScope(self, "", 1, None)
        context.run(CURRENT.set, root)
        main = MainTask(self._main(root), loop=self.loop, context=context, name=f"flowgraph:{self.id}")
        self.know(main)
        self.own.add(main)

    async def _main(self, root: Any) -> None:
        try:
            args, kwargs = codec.load_arguments(self.workflow.fn, self.input)
        except codec.Unfit as error:
            self.stop(
                Pausing(PauseReason.INCOMPATIBLE, f"its input does not fit {self.workflow.name!r}: {error.reason}")
            )
            return
        try:
            value = await self.workflow.fn(*args, **kwargs)
            await root.drain()
            output, _ = codec.dump(value, codec.return_annotation(self.workflow.fn))
            check_size(f"the result of {self.workflow.name}", output)
        except codec.Unsaveable as error:
            self.stop(Failing(failures.unsaveable_result(self.workflow.name, error)))
        except (KeyboardInterrupt, SystemExit):
            raise  # The process is to end; the run is unfinished.
        except BaseException as error:  # noqa: BLE001 (whatever leaves the workflow fails the run)
            if self.halt is None:
                self.stop(self._left_by(error))
        else:
            self.stop(Completing(output))

    @staticmethod
    def _left_by(error: BaseException) -> Halt:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and isinstance(task, MainTask) and task.cancelled_outside:
            return Releasing()
        return Failing(failures.run_failure(error))

    # Tasks ------------------------------------------------------------------------------------------------------------

    def know(self, task: Task) -> None:
        """Count a task that was made inside the run."""
        self.tasks.add(task)
        task.add_done_callback(self._task_done)

    def adopt(self, task: Task) -> None:
        """Let a task that calls a step count for parking and stopping."""
        if task not in self.tasks:
            self.know(task)
        self.own.add(task)

    def _task_done(self, task: Task) -> None:
        self.tasks.discard(task)
        self.own.discard(task)
        if not task.cancelled() and (self.halt is not None or isinstance(task._exception, RunHalted)):
            task.exception()  # Seen: asyncio need not report it.
        if self.halt is not None:
            self._conclude()
        else:
            self.waiting.changed()

    def body(self, path: str, kind: str, work: Coroutine[Any, Any, None]) -> Call:
        """Run a step's body in a task of its own."""
        call = self.calls[path] = Call(path, kind)
        task = call.task = asyncio.Task(work, loop=self.loop, name=path)
        if kind == STEP:  # A fan-out makes no attempt of its own; its items do.
            self.bodies[path] = task
        self.tasks.add(task)
        self.own.add(task)
        task.add_done_callback(partial(self._body_done, call))
        return call

    def _body_done(self, call: Call, task: Task) -> None:
        if self.bodies.get(call.path) is task:
            del self.bodies[call.path]
        if not call.saving and self.calls.get(call.path) is call:
            self._body_gave_up(call)
        if self.halt is not None:
            call.task = None
        self._task_done(task)

    def body_ends(self, call: Call) -> None:
        """The body of a call has come to its final row, and its task has nothing more to do but to end."""
        call.saving = True
        if call.task is not None:
            self.tasks.discard(call.task)
            self.own.discard(call.task)

    def _body_gave_up(self, call: Call) -> None:
        """A body that ended without a final row was cancelled, refused, or stopped with the run; nothing is saved."""
        del self.calls[call.path]
        assert call.task is not None
        error = None if call.task.cancelled() else call.task.exception()
        if self.halt is not None:
            error = self.halt.signal()
        for join in call.waiters:
            if not join.done():
                if error is None:
                    join.cancel()
                else:
                    join.refuse(error)

    # Callers ----------------------------------------------------------------------------------------------------------

    async def join(self, call: Call, *, counts: bool = True) -> Entry:
        """Wait until a call has its final row; a call for which nobody waits any more who `counts` is cancelled."""
        self.check()
        join = Join(loop=self.loop)
        join.call = call
        join.counts = counts
        call.waiters.append(join)
        self._joined += 1
        if call.wait is not None:
            self.waiting.nudge()
        try:
            await join
        except asyncio.CancelledError:
            if join in call.waiters:
                call.waiters.remove(join)
            if self.halt is None and not any(waiter.counts for waiter in call.waiters):
                self.abandon(call)
            raise
        finally:
            self._joined -= 1
            join.call = None  # Join and call hold each other, and a traceback would hold the join.
            del join
        return self.history.entries[call.path]

    async def replayed(self, entry: Entry) -> None:
        """Wait for the turn of a result from the history."""
        if not self.deliveries.under_way and len(self.tasks) - self._joined <= 1:
            self._delivered += 1
            if self._delivered % _BURST == 0:
                await asyncio.sleep(0)
            return
        join = Join(loop=self.loop)
        self._joined += 1
        self.deliveries.add(entry.sequence, join)
        try:
            await join
        finally:
            self._joined -= 1
            del join

    async def settled(self) -> None:
        """Wait until nothing of the run is ready to go on, and every result has been delivered."""
        join = Join(loop=self.loop)
        self.deliveries.add(MAX_SEQUENCE + 1, join)
        await join

    @property
    def strict(self) -> bool:
        """Whether duplicate and unplanned steps are refused."""
        strict = self.workflow.strict
        return self.engine.strict if strict is None else strict

    def check_planned(self, path: str, kind: str) -> None:
        """Refuse a step that the graph does not know, where all that the workflow may do is known."""
        plan = self.plan
        if plan is None or not plan.is_complete or plan.node(path, kind) != UNPLANNED:
            return
        if not plan.is_out_of_sight(path):
            raise UnplannedStep(path)

    def duplicate(self, path: str) -> None:
        """Say that a path is called twice; with strict, refuse the call."""
        if self.strict:
            raise DuplicateStep(path)
        if path not in self._warned:
            self._warned |= {path}
            logger.warning("run %r: %s", self.id, DuplicateStep(path))
        self.waiting.doubled = True
        self.waiting.nudge()

    def abandon(self, call: Call) -> None:
        """Give a call up: its body is cancelled, and nothing is saved."""
        if call.saving:
            return
        if call.task is not None:
            call.task.cancel()
        if call.wait is not None:
            self.waiting.give_up(call.wait)

    # Saving -----------------------------------------------------------------------------------------------------------

    def save(
        self,
        path: str,
        kind: str,
        state: str,
        *,
        started_us: int,
        attempt: int = 0,
        payload: str | None = None,
        due_us: int | None = None,
        detail: str | None = None,
        take: int | None = None,
        watch: str | None = None,
        then: Then | None = None,
        told: Callable[[Outcome], None] | None = None,
        copy: object = UNSET,
        at_once: bool = False,
    ) -> None:
        """Append a row.

        When it is committed, `then` gets the path's entry, with the decoded `copy` of the result, and `told` how the
        watched run stands; with `at_once` that may be before this returns.
        """
        if self.sequence >= MAX_SEQUENCE:
            self.stop(Failing(failures.history_full(MAX_SEQUENCE)))
            return
        self.sequence += 1
        row = Checkpoint(
            checkpoint_id(self.no, self.sequence), path, kind, state, attempt, started_us, self.clock.now_us(),
            self.stopwatch.us(), payload, due_us, detail, None if self.plan is None else self.plan.node(path, kind),
        )  # fmt: skip
        saving = Saving(self, row, then, told, copy)
        if saving.settles:
            self.waiting.unsettled += 1
        self.engine.journal.submit(Save(self.no, self.epoch, row, take, watch), saving, at_once=at_once)

    async def saved(self, path: str, kind: str, state: str, **values: Any) -> Entry:
        """Append a row and wait until it is committed."""
        future: asyncio.Future[Entry] = self.loop.create_future()
        self.save(path, kind, state, then=lambda entry: None if future.done() else future.set_result(entry), **values)
        return await future

    def reports_anew(self, path: str, text: str) -> bool:
        """Tell whether a progress report is neither a repetition nor one that an earlier execution made."""
        made = self.history.progress.get(path, [])
        place = self._reported.get(path, 0)
        if place < len(made) and made[place] == text:
            self._reported[path] = place + 1
            return False
        if place and made[place - 1] == text:
            return False
        self._reported[path] = len(made) + 1
        return True

    def refused(self, answer: Any) -> None:
        """A row was not committed: the run is somebody else's, or the store failed."""
        if answer is False:
            logger.warning("%s", LeaseLost(self.id))
            self.stop(Losing())
        elif isinstance(answer, WriteRefused):
            self.stop(Failing(failures.run_failure(answer)))
        else:
            self.stop(Breaking(answer))

    def settle(self, entry: Entry) -> None:
        """A final row is committed: hand the result to those who wait for it."""
        call = self.calls.pop(entry.path, None)
        if call is None:
            return
        for join in call.waiters:
            if join.done():
                continue
            if self._joined == len(self.tasks) == 1 and not self.deliveries.under_way and self.halt is None:
                join.set_result(None)
            else:
                self.deliveries.add(entry.sequence, join)
        call.waiters = []
        call.task = None

    def child_started(self, answer: Any) -> None:
        """Hear what became of the start of a child run."""
        if answer is False or isinstance(answer, Exception):
            self.refused(answer)
        else:
            self.engine.kick()

    def go_on(self) -> None:
        """Count executing time again, after the run only waited."""
        if self.stopwatch.go_on():
            self.engine.watch_time(self)

    # Stopping ---------------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raise what a step call raises once the run has been told to stop."""
        if self.halt is not None:
            raise self.halt.signal()

    async def refuse(self) -> None:
        """Raise what step calls raise from now on, after a turn of the loop: whoever tries again must not block it."""
        await asyncio.sleep(0)
        self.check()

    def stop(self, halt: Halt) -> None:
        """Tell the run to stop; the first word counts."""
        if self.halt is not None:
            return
        self.halt = halt
        self.go_on()
        self.waiting.disarm()
        if isinstance(halt, Suspending):
            self.waiting.refuse()
        else:
            self._cancel_tasks()
        self.deliveries.refuse()
        if self.own:
            self.engine.unwinding(self)
        else:
            self.loop.call_soon(self._conclude, context=self.engine.context)

    def _cancel_tasks(self) -> None:
        current = asyncio.current_task(self.loop)
        for task in list(self.own):
            if task is not current:
                task.cancel()

    def unwind_again(self) -> None:
        """Code that caught the signal and waits for something else is cancelled."""
        if self.own:
            logger.warning(
                "run %r: %d tasks go on after the run was told to stop; cancelling them", self.id, len(self.own)
            )
            self._cancel_tasks()

    def _conclude(self) -> None:
        if self.concluded or self.own or self.halt is None:
            return
        if self.threads and isinstance(self.halt, Suspending | Releasing):
            return  # It is given back when the body in the thread has ended; `thread_ended` comes here again.
        self.concluded = True
        command = last_command(self, self.halt)
        if command is None:
            self.engine.left(self, None)
        else:
            self.engine.journal.submit(command, lambda answer: self.engine.left(self, answer))

    def thread_ended(self, future: FutureOfThread) -> None:
        """A body in an executor has ended."""
        self.threads -= {future}
        self.strays -= {future}
        if self.halt is not None:
            self._conclude()
        else:
            self.waiting.changed()

    def pause_incompatible(self, path: str, reason: str) -> BaseException:
        """Pause the run because the code no longer fits what is saved for `path`; returns what to raise."""
        detail = f"step {path!r}: {reason}"
        self.stop(Pausing(PauseReason.INCOMPATIBLE, detail))
        assert self.halt is not None
        return self.halt.signal()


class Saving:
    """A row on its way to the store; called with the answer.

    A class with slots, since a closure is eight objects for the garbage collector, and there is one for each step.
    """

    __slots__ = ("_copy", "_row", "_run", "_then", "_told")

    def __init__(
        self,
        run: Execution,
        row: Checkpoint,
        then: Then | None,
        told: Callable[[Outcome], None] | None,
        copy: object,
    ) -> None:
        self._run = run
        self._row = row
        self._then = then
        self._told = told
        self._copy = copy

    @property
    def settles(self) -> bool:
        """Whether something goes on when the row is committed."""
        return self._then is not None or self._told is not None

    def __call__(self, answer: Any) -> None:
        run = self._run
        if self.settles:
            run.waiting.unsettled -= 1
        if answer is False or isinstance(answer, Exception):
            run.refused(answer)
            return
        try:
            self._committed(answer)
        except Exception as error:  # A mistake in here must not leave the run hanging.
            logger.exception("run %r cannot go on", run.id)
            run.stop(Breaking(error))

    def _committed(self, answer: Any) -> None:
        run = self._run
        entry = run.history.add(self._row)
        if run.engine.observers:
            run.engine.observe(run.id, self._row)
        if self._then is not None:
            entry.copy = self._copy
            self._then(entry)
        if self._told is not None:
            self._told(answer)
        run.waiting.committed()
