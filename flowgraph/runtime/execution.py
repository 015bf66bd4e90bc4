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
import heapq
import logging
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import TYPE_CHECKING, Any

from flowgraph.errors import DuplicateStep, LeaseLost, RunNotFound, StoreError
from flowgraph.model import (
    CURRENT,
    Checkpoint,
    PauseReason,
    RunStatus,
    checkpoint_id,
    failure_of,
    failure_text,
    is_below,
)
from flowgraph.model.checkpoint import CANCELLED, COMPLETED, FAILED, MAX_SEQUENCE
from flowgraph.model.store import (
    ClaimedRun,
    Command,
    Event,
    Finish,
    Inbox,
    Mail,
    Note,
    Outcome,
    Outcomes,
    Pause,
    Release,
    Save,
    Suspend,
)
from flowgraph.runtime import codec, failures
from flowgraph.runtime.calls import BACKOFF, LISTENING, SLEEPING, WAITING, Call, Wait
from flowgraph.runtime.halt import (
    Aborting,
    Breaking,
    Cancelling,
    Completing,
    Failing,
    Halt,
    Losing,
    Pausing,
    Releasing,
    RunHalted,
    Suspending,
    TimingOut,
)
from flowgraph.runtime.history import Entry, History
from flowgraph.runtime.tasks import Join, Task, WaitGraph, is_quiet

if TYPE_CHECKING:
    from flowgraph.dsl import Workflow
    from flowgraph.runtime.engine import Engine

logger = logging.getLogger("flowgraph")

_SHORT_WAIT_US = 1_000_000
"""A wait that ends within this time stays in the process."""
_MOST_SPINS = 1_000
"""So often the loop is let run before a result is delivered to a run that never becomes quiet."""
_BURST = 256
"""So many saved results are handed over in a row before other tasks of the loop get their turn."""
_RECHECK_S = 1.0
"""So long after it was found that a run with waits cannot suspend, it is looked at again."""
_ACTIVE_S = 0.1
"""So long after its last commit a run that waits for something outside its steps counts as busy."""

Then = Callable[[Entry], None]


class Execution:
    """A run that this worker owns, from its claim until it ends, suspends or is given back."""

    def __init__(
        self,
        engine: Engine,
        claimed: ClaimedRun,
        workflow: Workflow[..., Any],
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
        self.history = History(rows)
        self.sequence = self.history.sequence
        self.signals = claimed.signals
        self.events: dict[int, Event] = {}
        self._taken: set[int] = set()
        self.outcomes: dict[str, Outcome] = {}
        self.calls: dict[str, Call] = {}
        self.waits: dict[str, Wait] = {}
        self.tasks: set[Task] = set()
        """All live tasks that were made inside the run."""
        self.own: set[Task] = set()
        """Those that count: the workflow, the bodies of steps, and tasks that called a step."""
        self.bodies: dict[str, Task] = {}
        """The tasks in which attempts are being made, by the paths of the steps."""
        self.threads = 0
        """Bodies at work in executors."""
        self.halt: Halt | None = None
        self.concluded = False
        self._active_s = self.loop.time()
        self._since_us = self.clock.elapsed_us()
        self._idle_since_us: int | None = None
        self._spent_us = max(claimed.executed_us, self.history.executed_us)
        self._joined = 0
        self._deliveries: list[tuple[int, int, Join]] = []
        self._delivered = 0
        self._pumping = False
        self._spins = 0
        self._considering = False
        self._unsettled = 0
        self._timers: dict[str, Any] = {}
        self._recheck: Any = None
        self._doubled = False
        self._noted: str | None = None
        self._warned: set[str] = set()
        self._reported: dict[str, int] = {}
        if mail is not None:
            self._take_in(mail)

    # Beginning --------------------------------------------------------------------------------------------------------

    def begin(self, context: Context) -> None:
        """Start the workflow's body."""
        from flowgraph.runtime.scope import StepScope

        root = StepScope(self, "", 1, None)
        context.run(CURRENT.set, root)
        main = asyncio.Task(self._main(root), loop=self.loop, context=context, name=f"flowgraph:{self.id}")
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
            self.engine.check_size(f"the result of {self.workflow.name}", output)
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
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            return Releasing()  # Somebody outside cancelled the task, as asyncio.run does when it ends.
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
        elif self.waits:
            self.nudge()

    def body(self, path: str, kind: str, work: Coroutine[Any, Any, None]) -> Call:
        """Run a step's body in a task of its own."""
        call = self.calls[path] = Call(path, kind)
        task = call.task = asyncio.Task(work, loop=self.loop, name=path)
        self.know(task)
        self.own.add(task)
        task.add_done_callback(lambda _: self._body_done(call))
        return call

    def _body_done(self, call: Call) -> None:
        """A body that ended without a final row was cancelled, refused, or stopped with the run; nothing is saved."""
        if call.saving or self.calls.get(call.path) is not call:
            return
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

    async def join(self, call: Call) -> Entry:
        """Wait until a call has its final row; a call that nobody waits for any more is cancelled."""
        self.check()
        join = Join(loop=self.loop)
        join.call = call
        call.waiters.append(join)
        self._joined += 1
        if call.wait is not None:
            self.nudge()
        try:
            await join
        except asyncio.CancelledError:
            call.waiters.remove(join)
            if not call.waiters and self.halt is None:
                self.abandon(call)
            raise
        finally:
            self._joined -= 1
        return self.history.entries[call.path]

    async def replayed(self, entry: Entry) -> None:
        """Wait for the turn of a result from the history."""
        if not self._deliveries and len(self.tasks) - self._joined <= 1:
            self._delivered += 1
            if self._delivered % _BURST == 0:
                await asyncio.sleep(0)
            return
        join = Join(loop=self.loop)
        self._joined += 1
        self._deliver(entry.sequence, join)
        try:
            await join
        finally:
            self._joined -= 1

    def duplicate(self, path: str, *, strict: bool) -> None:
        """Say that a path is called twice; with `strict`, refuse the call."""
        if strict:
            raise DuplicateStep(path)
        if path not in self._warned:
            self._warned.add(path)
            logger.warning("run %r: %s", self.id, DuplicateStep(path))
        self._doubled = True
        self.nudge()

    def abandon(self, call: Call) -> None:
        """Give a call up: its body is cancelled, and nothing is saved."""
        if call.saving:
            return
        if call.task is not None:
            call.task.cancel()
        if call.wait is not None and self.waits.get(call.path) is call.wait:
            wait = call.wait
            self._over(wait)
            if self.calls.get(call.path) is call:
                del self.calls[call.path]
                self.save(call.path, call.kind, CANCELLED, started_us=wait.since_us)
            for join in call.waiters:
                join.cancel()

    # Delivering -------------------------------------------------------------------------------------------------------

    def _deliver(self, sequence: int, join: Join) -> None:
        heapq.heappush(self._deliveries, (sequence, id(join), join))
        if not self._pumping:
            self._pumping = True
            self.loop.call_soon(self._pump, context=self.engine.context)

    def _pump(self) -> None:
        if self.halt is not None:
            self._pumping = False
            self._refuse_deliveries()
            return
        if self._spins < _MOST_SPINS and not is_quiet(self):
            self._spins += 1
            self.loop.call_soon(self._pump, context=self.engine.context)
            return
        self._spins = 0
        while self._deliveries:
            _, _, join = heapq.heappop(self._deliveries)
            if not join.done():
                join.set_result(None)
                break
        self._pumping = bool(self._deliveries)
        if self._pumping:
            self.loop.call_soon(self._pump, context=self.engine.context)
        elif self.waits:
            self.nudge()

    def _refuse_deliveries(self) -> None:
        assert self.halt is not None
        for _, _, join in self._deliveries:
            if not join.done():
                join.refuse(self.halt.signal())
        self._deliveries.clear()

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
    ) -> None:
        """Append a row; when it is committed, `then` gets the path's entry and `told` how the watched run stands."""
        if self.sequence >= MAX_SEQUENCE:
            self.stop(Failing(failures.history_full(MAX_SEQUENCE)))
            return
        self.sequence += 1
        row = Checkpoint(
            checkpoint_id(self.no, self.sequence), path, kind, state, attempt, started_us, self.clock.now_us(),
            self.executed_us(), payload, due_us, detail, None,
        )  # fmt: skip
        settles = then is not None or told is not None
        if settles:
            self._unsettled += 1

        def saved(answer: Any) -> None:
            if settles:
                self._unsettled -= 1
            if answer is False or isinstance(answer, Exception):
                self._refused(answer)
                return
            entry = self.history.add(row)
            self._active_s = self.loop.time()
            if self.engine.observers:
                self.engine.observe(self.id, row)
            if then is not None:
                then(entry)
            if told is not None:
                told(answer)
            if self.waits and not self._unsettled:
                self.nudge()

        self.engine.journal.submit(Save(self.no, self.epoch, row, take, watch), saved)

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

    def _refused(self, answer: Any) -> None:
        if answer is False:
            logger.warning("%s", LeaseLost(self.id))
        self.stop(Losing() if answer is False else Breaking(answer))

    def settle(self, entry: Entry) -> None:
        """A final row is committed: hand the result to those who wait for it."""
        call = self.calls.pop(entry.path, None)
        if call is None:
            return
        for join in call.waiters:
            if join.done():
                continue
            if self._joined <= 1 and not self._deliveries and self.halt is None:
                join.set_result(None)
            else:
                self._deliver(entry.sequence, join)

    def executed_us(self) -> int:
        """Microseconds that the run has been executing, here and before; waits that elapse here do not count."""
        until_us = self.clock.elapsed_us() if self._idle_since_us is None else self._idle_since_us
        return self._spent_us + until_us - self._since_us

    @property
    def idle(self) -> bool:
        """Whether the run waits in this process, so that its executing time stands still."""
        return self._idle_since_us is not None

    def _rest(self) -> None:
        if self._idle_since_us is None:
            self._idle_since_us = self.clock.elapsed_us()

    def _wake(self) -> None:
        if self._idle_since_us is not None:
            self._since_us += self.clock.elapsed_us() - self._idle_since_us
            self._idle_since_us = None
            self.engine.watch_time(self)

    # Waiting ----------------------------------------------------------------------------------------------------------

    def wait(self, path: str, kind: str, wait_kind: str, due_us: int | None, **values: Any) -> Call:
        """Register a durable wait; `values` are the fields of `Wait` beside those given here."""
        call = Call(path, kind)
        call.wait = self.waits[path] = Wait(call, wait_kind, self.clock.now_us(), due_us, **values)
        if wait_kind != BACKOFF:  # A backoff is a wait inside the step's own call.
            self.calls[path] = call
        return call

    def nudge(self) -> None:
        """Look, in the next round of the loop, whether the run can suspend."""
        if not self._considering and self.halt is None:
            self._considering = True
            self.loop.call_soon(self._consider, context=self.engine.context)

    def _consider(self) -> None:
        """End the waits that are over; if nothing but waits is left, suspend.

        Waits end only when the run is quiet and nothing of its history is on its way. By then code that had given a
        wait up has done so again, and takes no event that is meant for a later one.
        """
        self._considering = False
        if self.halt is not None or self._pumping:
            return  # The pump comes here again when it is done.
        if not is_quiet(self) and self._spins < _MOST_SPINS:
            self._spins += 1
            self.nudge()
            return
        self._spins = 0
        self._check_waits()
        if self.halt is not None or self._unsettled:
            return  # What is committed comes here again.
        graph = WaitGraph(self)
        parked = graph.is_parked()
        if parked and not graph.durable:
            self._break_circles(graph)
        elif parked and not self._ends_soon():
            self.stop(Suspending())
        elif self.waits or self._doubled:
            if self.waits and self._all_bodies_wait(graph):
                self._rest()
            else:
                self._wake()
            self._stay(None if parked else graph.reason)

    def _all_bodies_wait(self, graph: WaitGraph) -> bool:
        """Tell whether each attempt that is being made waits durably, or for a task of its own that does."""
        return all(
            graph.waits_durably(task) or any(is_below(wait, path) for wait in self.waits)
            for path, task in self.bodies.items()
        )

    def is_busy(self) -> bool:
        """Tell whether the run does anything but wait for the clock, an event or another run.

        A task that waits for another task's Event or Queue, outside any step, counts as busy for a moment only: it may
        be that only a durable wait will wake it.
        """
        if self.halt is not None or self._unsettled or self._pumping or self._considering or self.threads:
            return True
        if not is_quiet(self):
            return True
        graph = WaitGraph(self)
        if graph.is_parked():
            return False
        if not self.waits or not self._all_bodies_wait(graph):
            return True
        return self.loop.time() - self._active_s < _ACTIVE_S

    def _break_circles(self, graph: WaitGraph) -> None:
        for call in list(self.calls.values()):
            for join in call.waiters:
                if not join.done() and graph.waits_for_itself(join):
                    join.refuse(DuplicateStep(call.path, "this call waits for itself, for ever"))

    def _ends_soon(self) -> bool:
        soon_us = self.clock.now_us() + _SHORT_WAIT_US
        return any(wait.due_us is not None and wait.due_us < soon_us for wait in self.waits.values())

    def _stay(self, reason: str | None) -> None:
        """Let the waits elapse in this process; look again after a while, since tasks change what they wait for."""
        if reason is not None and self._recheck is None:
            self._recheck = self.loop.call_later(_RECHECK_S, self._look_again)
        for path, wait in self.waits.items():
            if wait.due_us is not None and path not in self._timers:
                self._timers[path] = self.clock.call_at(wait.due_us, self.nudge)
        if self.waits and reason is not None and reason != self._noted and not self._ends_soon():
            self._noted = reason
            self.engine.journal.submit(Note(self.no, self.epoch, reason), lambda _: None)

    def _look_again(self) -> None:
        self._recheck = None
        self.nudge()

    def _disarm(self, path: str) -> None:
        timer = self._timers.pop(path, None)
        if timer is not None:
            timer.cancel()

    def receive(self, mail: Mail) -> None:
        """Take in what came for the run; waits that it ends are ended in a moment."""
        if self.halt is None:
            self._take_in(mail)
            self.nudge()

    def _take_in(self, mail: Mail) -> None:
        self.signals = max(self.signals, mail.signals)
        self.events.update((event.id, event) for event in mail.events if event.id not in self._taken)
        self.outcomes.update((outcome.run_id, outcome) for outcome in mail.outcomes)
        if mail.cancel_requested:
            self.stop(Cancelling())

    def _check_waits(self) -> None:
        if self.halt is not None:
            return
        now_us = self.clock.now_us()
        for wait in sorted(self.waits.values(), key=lambda wait: wait.due_us or now_us):
            self._check_wait(wait, now_us)

    def _check_wait(self, wait: Wait, now_us: int) -> None:
        if event := self._event_for(wait):
            self._taken.add(event.id)
            del self.events[event.id]
            self._end(wait, COMPLETED, event.payload, take=event.id)
        elif outcome := self._outcome_for(wait):
            if outcome.status == RunStatus.COMPLETED:
                self._end(wait, COMPLETED, outcome.output)
            else:
                error = failure_of(outcome.error) if outcome.error else None
                failure = failures.child_failure(outcome.run_id, str(outcome.status), error)
                self._end(wait, FAILED, failure_text(failure))
        elif wait.due_us is not None and wait.due_us <= now_us:
            self._end_due(wait)

    def _end_due(self, wait: Wait) -> None:
        if wait.kind == BACKOFF:
            self._over(wait)
            for join in wait.call.waiters:
                if not join.done():
                    join.set_result(None)
        elif wait.kind == SLEEPING:
            self._end(wait, COMPLETED, None)
        elif not wait.expiring:
            wait.expiring = True
            self._unsettled += 1
            self.loop.create_task(self._expire(wait), context=self.engine.context.copy())

    async def _expire(self, wait: Wait) -> None:
        """Time out, unless what is waited for came before and is not known here yet."""
        try:
            mail = await self.engine.journal.ask(Inbox(self.no))
        except StoreError as error:
            self.stop(Breaking(error))
            return
        finally:
            self._unsettled -= 1
        self.receive(mail)
        if self.halt is not None or self.waits.get(wait.call.path) is not wait:
            return
        if self._event_for(wait) or self._outcome_for(wait):
            wait.expiring = False
            return
        if wait.kind == LISTENING:
            failure = failures.listen_timeout(wait.event or "", wait.timeout_s)
        else:
            failure = failures.wait_timeout(wait.target or "", wait.timeout_s)
        self._end(wait, FAILED, failure_text(failure))

    def child_started(self, answer: Any) -> None:
        """Hear what became of the start of a child run."""
        if answer is False or isinstance(answer, Exception):
            self._refused(answer)
        else:
            self.engine.kick()

    def _event_for(self, wait: Wait) -> Event | None:
        if wait.kind != LISTENING:
            return None
        return next((event for event in self.events.values() if event.name == wait.event), None)

    def _outcome_for(self, wait: Wait) -> Outcome | None:
        outcome = self.outcomes.get(wait.target or "") if wait.kind == WAITING else None
        return outcome if outcome is not None and outcome.status is not None and outcome.status.finished else None

    def _end(self, wait: Wait, state: str, payload: str | None, take: int | None = None) -> None:
        self._over(wait)
        wait.call.saving = True
        self.calls[wait.call.path] = wait.call
        detail = wait.event or wait.target
        self.save(wait.call.path, wait.call.kind, state, started_us=wait.since_us, payload=payload, detail=detail,
                  take=take, then=self.settle)  # fmt: skip

    def _over(self, wait: Wait) -> None:
        self._wake()
        del self.waits[wait.call.path]
        wait.call.wait = None
        self._disarm(wait.call.path)

    def watched(self, outcome: Outcome) -> None:
        """Learn how a run that is waited for stands."""
        if outcome.status is None:
            self._refuse_unknown(outcome.run_id)
        else:
            self.outcomes[outcome.run_id] = outcome
        self.nudge()

    def inquire(self, run_id: str) -> None:
        """Ask how a run stands whose end was waited for before: it may have ended before it could be watched."""
        self._unsettled += 1
        self.loop.create_task(self._inquire(run_id), context=self.engine.context.copy())

    async def _inquire(self, run_id: str) -> None:
        try:
            outcomes = await self.engine.journal.ask(Outcomes((run_id,)))
        except StoreError as error:
            self.stop(Breaking(error))
            return
        finally:
            self._unsettled -= 1
        if self.halt is None:
            self.watched(outcomes[0] if outcomes else Outcome(run_id, None))

    def _refuse_unknown(self, run_id: str) -> None:
        for wait in [wait for wait in self.waits.values() if wait.target == run_id]:
            self._over(wait)
            self.calls.pop(wait.call.path, None)
            for join in wait.call.waiters:
                if not join.done():
                    join.refuse(RunNotFound(run_id))

    # Stopping ---------------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raise what a step call raises once the run has been told to stop."""
        if self.halt is not None:
            raise self.halt.signal()

    async def refuse(self) -> None:
        """Raise what a step call raises from now on, after a turn of the loop: code that tries again must not block it."""
        await asyncio.sleep(0)
        self.check()

    def stop(self, halt: Halt) -> None:
        """Tell the run to stop; the first word counts."""
        if self.halt is not None:
            return
        self.halt = halt
        self._wake()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        if self._recheck is not None:
            self._recheck.cancel()
        if isinstance(halt, Suspending):
            self._raise_in_waits()
        else:
            self._cancel_tasks()
        self._refuse_deliveries()
        if self.own:
            self.engine.unwinding(self)
        self.loop.call_soon(self._conclude, context=self.engine.context)

    def _raise_in_waits(self) -> None:
        assert self.halt is not None
        for wait in self.waits.values():
            for join in wait.call.waiters:
                if not join.done():
                    join.refuse(self.halt.signal())

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
        command = self._last_command(self.halt)
        if command is None:
            self.engine.left(self, None)
        else:
            self.engine.journal.submit(command, lambda answer: self.engine.left(self, answer))

    def thread_ended(self) -> None:
        """A body in an executor has ended."""
        self.threads -= 1
        if self.halt is not None:
            self._conclude()

    def _last_command(self, halt: Halt) -> Command | None:
        now_us, executed_us = self.clock.now_us(), self.executed_us()
        match halt:
            case Completing(output=output):
                return Finish(self.no, self.epoch, RunStatus.COMPLETED, output, None, executed_us, now_us)
            case Failing(failure=failure):
                return self._unhappy(RunStatus.FAILED, failure_text(failure))
            case Aborting():
                return self._unhappy(RunStatus.ABORTED, None)
            case Cancelling():
                return self._unhappy(RunStatus.CANCELLED, None)
            case TimingOut(timeout=timeout):
                return self._unhappy(RunStatus.TIMED_OUT, failure_text(failures.run_timeout(timeout)))
            case Suspending():
                status, wake_us = self._standing()
                return Suspend(self.no, self.epoch, status, wake_us, self.signals, executed_us, now_us)
            case Releasing():
                return Release(self.no, self.epoch, executed_us, now_us)
            case Pausing(reason=reason, detail=detail):
                logger.warning("run %r is paused: %s: %s", self.id, reason, detail)
                return Pause(self.no, self.epoch, reason, detail, executed_us, now_us)
            case Breaking():
                return Release(self.no, self.epoch, executed_us, now_us)
        return None

    def _unhappy(self, status: RunStatus, error: str | None) -> Finish:
        return Finish(self.no, self.epoch, status, None, error, self.executed_us(), self.clock.now_us())

    def _standing(self) -> tuple[RunStatus, int | None]:
        """The status of a run that does nothing but wait, and when it is to be woken."""
        kinds = {wait.kind for wait in self.waits.values()}
        dues = [wait.due_us for wait in self.waits.values() if wait.due_us is not None]
        status = (
            RunStatus.LISTENING if LISTENING in kinds else RunStatus.WAITING if WAITING in kinds else RunStatus.SLEEPING
        )
        return status, min(dues, default=None)

    def pause_incompatible(self, path: str, reason: str) -> BaseException:
        """Pause the run because the code no longer fits what is saved for `path`; returns what to raise."""
        detail = f"step {path!r}: {reason}"
        self.stop(Pausing(PauseReason.INCOMPATIBLE, detail))
        assert self.halt is not None
        return self.halt.signal()
