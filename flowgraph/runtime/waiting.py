"""The durable waits of one run: how they begin, end, elapse in the process, or let the run suspend.

A wait is a row in the store. It ends when its event came, when the run that it watches has ended, or when it is due;
the end is a row too, and only then the caller goes on. Waits end only while the run is quiet and nothing of its history
is on its way: by then code that gave a wait up has done so again, and takes no event that is meant for a later one.

When all tasks of the run wait durably, the run suspends. Otherwise its waits elapse here, by timers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowgraph.errors import DuplicateStep, RunNotFound, StoreError
from flowgraph.model import RunStatus, failure_of, failure_text, is_below
from flowgraph.model.checkpoint import CANCELLED, COMPLETED, FAILED, RETRYING, STARTED, STEP, WAIT_FOR_WORKFLOW, WAITING
from flowgraph.model.store import Event, Inbox, Mail, Note, Outcome, Outcomes
from flowgraph.runtime import failures
from flowgraph.runtime.calls import BACKOFF, FOR_RUN, LISTENING, SLEEPING, Call, Wait
from flowgraph.runtime.halt import Breaking, Cancelling, Suspending
from flowgraph.runtime.history import SUSPENDED
from flowgraph.runtime.tasks import WaitGraph, is_quiet

if TYPE_CHECKING:
    from flowgraph.runtime.clock import Timer
    from flowgraph.runtime.execution import Execution

_SHORT_WAIT_US = 1_000_000
"""A wait that ends within this time stays in the process."""
_MOST_SPINS = 1_000
"""So often the loop is let run before the waits of a run that never becomes quiet are looked at."""
_RECHECK_S = 1.0
"""So long after it was found that a run with waits cannot suspend, it is looked at again."""
_STRAY = "a thread of a step that was given up is still at work"
_ONCE = "an at-most-once step waits, and its body must not run again"
_ACTIVE_S = 0.1
"""So long after its last commit a run that waits for something outside its steps counts as busy."""
NOTHING: frozenset[Any] = frozenset()


class Waiting:
    """All that one run waits for."""

    def __init__(self, run: Execution, signals: int) -> None:
        self._run = run
        self._waits: dict[str, Wait] = {}
        self._events: dict[int, Event] = {}
        self._taken: frozenset[int] = NOTHING
        self._outcomes: dict[str, Outcome] = {}
        self._timers: dict[str, Timer] = {}
        self._recheck: Any = None
        self._considering = False
        self._spins = 0
        self._noted: str | None = None
        self._active_s = run.loop.time()
        self.signals = signals
        """How many signals of the store are known here."""
        self.unsettled = 0
        """How many commits and questions are under way that will let something go on."""
        self.doubled = False
        """Whether a path was called twice, so that a call might wait for itself."""

    def begin(self, path: str, kind: str, wait_kind: str, due_us: int | None, **values: Any) -> Call:
        """Register a durable wait; `values` are the fields of `Wait` beside those given here."""
        call = Call(path, kind)
        call.wait = self._waits[path] = Wait(call, wait_kind, self._run.clock.now_us(), due_us, **values)
        if (target := call.wait.target) is not None:
            self._run.engine.awaited.add(target)
        if wait_kind != BACKOFF:  # A backoff is a wait inside the step's own call.
            self._run.calls[path] = call
        return call

    def nudge(self) -> None:
        """Look, in the next round of the loop, whether the run can suspend."""
        if not self._considering and self._run.halt is None:
            self._considering = True
            self._run.loop.call_soon(self._consider, context=self._run.engine.context)

    def _consider(self) -> None:
        """End the waits that are over; if nothing but waits is left, suspend."""
        run = self._run
        self._considering = False
        if run.halt is not None or run.deliveries.under_way:
            return  # The deliveries come here again when they are done.
        if not is_quiet(run) and self._spins < _MOST_SPINS:
            self._spins += 1
            self.nudge()
            return
        self._spins = 0
        self._check_waits()
        if run.halt is not None or self.unsettled:
            return  # What is committed comes here again.
        graph = WaitGraph(run)
        parked = graph.is_parked()
        if parked and not graph.durable:
            self._break_circles(graph)
        elif parked and not self._ends_soon() and not run.threads and not run.once:
            self._save_deadlines()
            run.stop(Suspending())
        elif self._waits or self.doubled:
            if self._waits and self._all_bodies_wait(graph):
                run.stopwatch.rest()
            else:
                run.go_on()
            self._stay(graph.reason or (_STRAY if run.threads else _ONCE if run.once else None))

    def _save_deadlines(self) -> None:
        """Save when the attempts that are suspended time out, unless it is saved already."""
        run = self._run
        for path, due_us in run.deadlines.items():
            entry = run.history.entries.get(path)
            if entry is None or entry.detail != SUSPENDED:
                attempt, now_us = (0 if entry is None else entry.attempt), run.clock.now_us()
                run.save(path, STEP, STARTED, started_us=now_us, attempt=attempt, due_us=due_us, detail=SUSPENDED)

    def _all_bodies_wait(self, graph: WaitGraph) -> bool:
        """Tell whether each attempt that is being made waits durably, or for a task of its own that does."""
        return all(
            graph.waits_durably(task) or any(is_below(wait, path) for wait in self._waits)
            for path, task in self._run.bodies.items()
        )

    def is_busy(self) -> bool:
        """Tell whether the run does anything but wait for the clock, an event or another run.

        A task that waits for another task's Event or Queue, outside any step, counts as busy for a moment only: it may
        be that only a durable wait will wake it.
        """
        run = self._run
        if (
            run.halt is not None
            or run.threads - run.strays
            or run.deliveries.under_way
            or self.unsettled
            or self._considering
        ):
            return True
        if not is_quiet(run):
            return True
        graph = WaitGraph(run)
        if graph.is_parked():
            return False
        if not self._waits or not self._all_bodies_wait(graph):
            return True
        return run.loop.time() - self._active_s < _ACTIVE_S

    def _break_circles(self, graph: WaitGraph) -> None:
        for call in list(self._run.calls.values()):
            for join in call.waiters:
                if not join.done() and graph.waits_for_itself(join):
                    join.refuse(DuplicateStep(call.path, "this call waits for itself, for ever"))

    def _ends_soon(self) -> bool:
        soon_us = self._run.clock.now_us() + _SHORT_WAIT_US
        dues = [wait.due_us for wait in self._waits.values() if wait.due_us is not None]
        return any(due_us < soon_us for due_us in (*dues, *self._run.deadlines.values()))

    def _stay(self, reason: str | None) -> None:
        """Let the waits elapse in this process; look again after a while, since tasks change what they wait for."""
        if reason is not None and self._recheck is None:
            self._recheck = self._run.loop.call_later(_RECHECK_S, self._look_again)
        for path, wait in self._waits.items():
            if wait.due_us is not None and path not in self._timers:
                self._timers[path] = self._run.clock.call_at(wait.due_us, self.nudge)
        if self._waits and reason is not None and reason != self._noted and not self._ends_soon():
            self._noted = reason
            self._run.engine.journal.submit(Note(self._run.no, self._run.epoch, reason), lambda _: None)

    def changed(self) -> None:
        """A task of the run has ended: what is left may be parked."""
        if self._waits:
            self.nudge()

    def committed(self) -> None:
        """A row of the run was committed."""
        self._active_s = self._run.loop.time()
        if self._waits and not self.unsettled:
            self.nudge()

    def give_up(self, wait: Wait) -> None:
        """User code cancelled a wait: it counts no longer."""
        call = wait.call
        if self._waits.get(call.path) is not wait:
            return
        self._over(wait)
        if self._run.calls.get(call.path) is call:
            del self._run.calls[call.path]
            self._run.save(call.path, call.kind, CANCELLED, started_us=wait.since_us)
        elif wait.kind == BACKOFF and (entry := self._run.history.entries.get(call.path)):
            self._run.save(
                call.path, STEP, RETRYING, started_us=entry.started_us, attempt=entry.attempt, payload=entry.payload
            )
        for join in call.waiters:
            join.cancel()

    def withdraw_below(self, path: str) -> None:
        """An attempt timed out before its handler came to the waits that it had begun: they count no longer."""
        for entry in list(self._run.history.entries.values()):
            if entry.path in self._run.calls:
                continue  # The handler came to it; its end may be on the way.
            if entry.state == WAITING and is_below(entry.path, path):
                self._run.save(entry.path, entry.kind, CANCELLED, started_us=entry.started_us)

    def disarm(self) -> None:
        """The run has been told to stop: nothing elapses here any more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        if self._recheck is not None:
            self._recheck.cancel()

    def _look_again(self) -> None:
        self._recheck = None
        self.nudge()

    def _disarm(self, path: str) -> None:
        timer = self._timers.pop(path, None)
        if timer is not None:
            timer.cancel()

    def receive(self, mail: Mail) -> None:
        """Take in what came for the run; waits that it ends are ended in a moment."""
        if self._run.halt is None:
            self._take_in(mail)
            self.nudge()

    def _take_in(self, mail: Mail) -> None:
        self.signals = max(self.signals, mail.signals)
        self._events.update((event.id, event) for event in mail.events if event.id not in self._taken)
        self._outcomes.update((outcome.run_id, outcome) for outcome in mail.outcomes)
        if mail.cancel_requested:
            self._run.stop(Cancelling())

    def _check_waits(self) -> None:
        if self._run.halt is not None:
            return
        now_us = self._run.clock.now_us()
        for wait in sorted(self._waits.values(), key=lambda wait: wait.due_us or now_us):
            self._check_wait(wait, now_us)

    def _check_wait(self, wait: Wait, now_us: int) -> None:
        if event := self._event_for(wait):
            self._taken |= {event.id}
            del self._events[event.id]
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
            self.unsettled += 1
            self._run.engine.spawn(self._expire(wait))

    async def _expire(self, wait: Wait) -> None:
        """Time out, unless what is waited for came before and is not known here yet."""
        try:
            mail = await self._run.engine.journal.ask(Inbox(self._run.no))
        except StoreError as error:
            self._run.stop(Breaking(error))
            return
        finally:
            self.unsettled -= 1
        self.receive(mail)
        if self._run.halt is not None or self._waits.get(wait.call.path) is not wait:
            return
        if self._event_for(wait) or self._outcome_for(wait):
            wait.expiring = False
            return
        if wait.kind == LISTENING:
            failure = failures.listen_timeout(wait.event or "", wait.timeout_s)
        else:
            failure = failures.wait_timeout(wait.target or "", wait.timeout_s)
        self._end(wait, FAILED, failure_text(failure))

    def _event_for(self, wait: Wait) -> Event | None:
        if wait.kind != LISTENING:
            return None
        return next((event for event in self._events.values() if event.name == wait.event), None)

    def _outcome_for(self, wait: Wait) -> Outcome | None:
        outcome = self._outcomes.get(wait.target or "") if wait.kind == FOR_RUN else None
        return outcome if outcome is not None and outcome.status is not None and outcome.status.finished else None

    def _end(self, wait: Wait, state: str, payload: str | None, take: int | None = None) -> None:
        self._over(wait)
        wait.call.saving = True
        detail = wait.event or wait.target
        if wait.call.kind == WAIT_FOR_WORKFLOW and (outcome := self._outcomes.get(wait.target or "")):
            detail = outcome.workflow  # By it a replay finds the annotation of the result.
        self._run.calls[wait.call.path] = wait.call
        self._run.save(
            wait.call.path,
            wait.call.kind,
            state,
            started_us=wait.since_us,
            payload=payload,
            detail=detail,
            take=take,
            then=self._run.settle,
        )

    def _over(self, wait: Wait) -> None:
        self._run.go_on()
        del self._waits[wait.call.path]
        wait.call.wait = None
        if wait.target is not None:
            self._run.engine.awaited.discard(wait.target)
        self._disarm(wait.call.path)

    def watched(self, outcome: Outcome) -> None:
        """Learn how a run that is waited for stands."""
        if outcome.status is None:
            self._refuse_unknown(outcome.run_id)
        else:
            self._outcomes[outcome.run_id] = outcome
        self.nudge()

    def inquire(self, run_id: str) -> None:
        """Ask how a run stands whose end was waited for before: it may have ended before it could be watched."""
        self.unsettled += 1
        self._run.engine.spawn(self._inquire(run_id))

    async def _inquire(self, run_id: str) -> None:
        try:
            outcomes = await self._run.engine.journal.ask(Outcomes((run_id,)))
        except StoreError as error:
            self._run.stop(Breaking(error))
            return
        finally:
            self.unsettled -= 1
        if self._run.halt is None:
            self.watched(outcomes[0] if outcomes else Outcome(run_id, None))

    def _refuse_unknown(self, run_id: str) -> None:
        for wait in [wait for wait in self._waits.values() if wait.target == run_id]:
            self._over(wait)
            self._run.calls.pop(wait.call.path, None)
            for join in wait.call.waiters:
                if not join.done():
                    join.refuse(RunNotFound(run_id))

    def refuse(self) -> None:
        """Raise in every wait what step calls raise from now on."""
        halt = self._run.halt
        assert halt is not None
        for wait in self._waits.values():
            for join in wait.call.waiters:
                if not join.done():
                    join.refuse(halt.signal())

    def forget(self) -> None:
        """The run has left this process: waits and calls need not hold each other any more."""
        for wait in self._waits.values():
            wait.call.wait = None
            wait.call.waiters = []

    def standing(self) -> tuple[RunStatus, int | None]:
        """The status of a run that does nothing but wait, and when it is to be woken."""
        kinds = {wait.kind for wait in self._waits.values()}
        dues = [wait.due_us for wait in self._waits.values() if wait.due_us is not None]
        dues += self._run.deadlines.values()
        status = (
            RunStatus.LISTENING if LISTENING in kinds else RunStatus.WAITING if FOR_RUN in kinds else RunStatus.SLEEPING
        )
        return status, min(dues, default=None)
