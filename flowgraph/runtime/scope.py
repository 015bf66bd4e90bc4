"""The scope of a workflow, or of one attempt of a step: what each word of the language does.

A scope is what ``dsl`` finds in `CURRENT`. It makes paths, sees to it that a path is called once, answers from the
history, and hands everything else to the execution.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from flowgraph.errors import DefinitionError, InvalidOption, NotInWorkflow
from flowgraph.model import (
    NO_OPTIONS,
    Duration,
    FanOut,
    StepInfo,
    StepOptions,
    child_path,
    failure_of,
    microseconds,
    moment_us,
)
from flowgraph.model.checkpoint import (
    COMPLETED,
    EXECUTE_WORKFLOW,
    FAILED,
    LISTEN,
    PROGRESS,
    SLEEP,
    SLEEP_UNTIL,
    START_WORKFLOW,
    STEP,
    WAIT_FOR_WORKFLOW,
    WAITING,
)
from flowgraph.model.placement import REFUSALS, THREAD
from flowgraph.model.store import Start
from flowgraph.runtime import attempts, codec, failures
from flowgraph.runtime.calls import FOR_RUN, LISTENING, SLEEPING, Call
from flowgraph.runtime.halt import Aborting, Failing
from flowgraph.runtime.history import UNSET, Entry
from flowgraph.runtime.ids import child_run_id
from flowgraph.runtime.limits import check_size

if TYPE_CHECKING:
    from flowgraph.runtime.execution import Execution


BY_WORKFLOW = object()
"""Stands for the annotation of the workflow whose name is the entry's detail."""


class StepScope:
    """Where steps are called: `path` is that of the step whose attempt this is, "" for the workflow."""

    __slots__ = ("_called", "_reports", "attempt", "calls", "closed", "index", "path", "run", "spawned")

    def __init__(self, run: Execution, path: str, attempt: int, index: int | None) -> None:
        self.run = run
        self.path = path
        self.attempt = attempt
        self.index = index
        self.calls: set[Call] | tuple[()] = ()
        self._called: set[str] | tuple[()] = ()
        self._reports: set[asyncio.Task[Entry]] | tuple[()] = ()
        self.spawned = False
        self.closed = False

    def info(self) -> StepInfo:
        run = self.run
        return StepInfo(run.id, run.workflow.name, self.path, self.attempt, self.index, self._key())

    def _key(self) -> str:
        """Text that no other step of any run has: a colon ends the run's id."""
        return f"{self.run.id.replace('%', '%25').replace(':', '%3A')}:{self.path}"

    # Entering a call --------------------------------------------------------------------------------------------------

    async def _enter(self, name: object, kind: str) -> tuple[str, Entry | None]:
        """The path of a call, and what the history knows of it."""
        run = self.run
        if run.halt is not None:
            await run.refuse()
        path = child_path(self.path, name)
        task = self._task(path)
        if run.strict:
            run.check_planned(path, kind)
        if task not in run.own:
            run.adopt(task)
        if path in self._called:
            run.duplicate(path)
        else:
            if not self._called:  # Most attempts call no steps, so the sets are made when they are needed.
                self._called = set()
            self._called.add(path)
        entry = run.history.entries.get(path)
        known = run.calls.get(path) if entry is None else entry
        if known is not None and known.kind != kind:
            raise run.pause_incompatible(path, f"it was a {known.kind} when it ran, and now it is a {kind}")
        return path, entry

    def _task(self, path: str) -> asyncio.Task[Any]:
        try:
            task = asyncio.current_task(self.run.loop)
            if asyncio.get_running_loop() is not self.run.loop:
                task = None
        except RuntimeError:
            task = None
        if task is None:
            refusal = REFUSALS[THREAD]
            raise DefinitionError(
                f"Step {path!r} was called {refusal.where}, where steps cannot be called. {refusal.advice}"
            )
        if self.closed:
            raise NotInWorkflow(f"step {path!r}, after {self.path or 'the workflow'!r} had completed,")
        return task

    async def _result(self, call: Call, annotation: Any) -> Any:
        """Wait for a call and give its result, or raise its failure."""
        calls = self._hold(call)
        entry = await self.run.join(call)
        calls.discard(call)
        return self._outcome(entry, annotation)

    def _hold(self, call: Call) -> set[Call]:
        calls = self.calls
        if isinstance(calls, tuple):
            calls = self.calls = set()
        calls.add(call)
        return calls

    async def _replay(self, entry: Entry, annotation: Any) -> Any:
        await self.run.replayed(entry)
        return self._outcome(entry, annotation)

    def _outcome(self, entry: Entry, annotation: Any) -> Any:
        copy = entry.copy
        if copy is not UNSET:
            entry.copy = UNSET
            return copy
        if entry.state == FAILED:
            raise failures.step_error(entry.path, failure_of(entry.payload or ""))
        if entry.payload is None:
            return None
        if annotation is BY_WORKFLOW:
            annotation = self.run.engine.result_annotation(entry.detail or "")
        try:
            return codec.load(entry.payload, annotation)
        except codec.Unfit as error:
            raise self.run.pause_incompatible(entry.path, f"its saved result does not fit: {error.reason}") from None

    async def drain(self) -> None:
        """Wait until all that was started in this scope has completed, and close it."""
        run = self.run
        while True:
            if self._reports:  # Of tasks that may go on to call steps.
                await asyncio.wait(self._reports)
            if not (self.spawned or self.calls):
                break
            await run.settled()
            if self._reports:
                continue
            unfinished = [call for call in self.calls if run.calls.get(call.path) is call]
            if not unfinished and not run.deliveries.has_results:
                break
            for call in unfinished:
                if run.calls.get(call.path) is call:  # It may have ended while another one was waited for.
                    await self._outlast(call)
        self.closed = True

    def abandon_calls(self) -> None:
        """Give up what was started in this scope and goes on."""
        for call in list(self.calls):
            if self.run.calls.get(call.path) is call:
                self.run.abandon(call)

    async def _outlast(self, call: Call) -> None:
        """Wait until a call has ended, even if it is cancelled on the way."""
        task = asyncio.current_task()
        try:
            await self.run.join(call, counts=False)
        except asyncio.CancelledError:
            if self.run.halt is not None or (task is not None and task.cancelling()):
                raise

    # Steps ------------------------------------------------------------------------------------------------------------

    async def step(self, name: object, handler: Callable[..., Any], args: tuple[Any, ...], options: StepOptions) -> Any:
        path, entry = await self._enter(name, STEP)
        annotation = codec.return_annotation(handler) if options.returns is None else options.returns
        if entry is not None and entry.finished:
            return await self._replay(entry, annotation)
        run = self.run
        call = run.calls.get(path)
        if call is None:
            work = attempts.Attempts(run, path, handler, args, self.attempting(options), annotation)
            call = run.body(path, STEP, work.make())
        return await self._result(call, annotation)

    async def fan_out(
        self,
        name: object,
        handler: Callable[..., Any],
        items: Iterable[Any] | AsyncIterable[Any],
        fan: FanOut,
        options: StepOptions,
    ) -> Any:
        from flowgraph.runtime.fanout import FanOutCall

        path, entry = await self._enter(name, fan.kind)
        run = self.run
        work = FanOutCall(run, path, handler, items, fan, self.attempting(options))
        if entry is not None and entry.finished:
            await run.replayed(entry)
        else:
            call = run.calls.get(path)
            if call is None:
                call = run.body(path, fan.kind, work.perform())
            calls = self._hold(call)
            entry = await run.join(call)
            calls.discard(call)
        if entry.state == FAILED:
            raise failures.step_error(path, failure_of(entry.payload or ""))
        return work.results(entry)

    def attempting(self, options: StepOptions) -> attempts.Attempting:
        """The options in force for a step of this workflow."""
        run = self.run
        if options is NO_OPTIONS:
            return run.attempting
        policy = options.retry or run.attempting.policy
        most = options.max_attempts or policy.max_attempts
        executor = run.engine.executor(options.executor)
        return attempts.Attempting(policy, most, options.timeout, executor, options.at_most_once, options.returns)

    # Waits ------------------------------------------------------------------------------------------------------------

    async def sleep(self, name: object, duration: Duration) -> None:
        due_us = self.run.clock.now_us() + microseconds(duration)
        await self._sleep(name, SLEEP, due_us)

    async def sleep_until(self, name: object, moment: datetime) -> None:
        await self._sleep(name, SLEEP_UNTIL, moment_us(moment))

    async def _sleep(self, name: object, kind: str, due_us: int) -> None:
        path, entry = await self._enter(name, kind)
        if entry is not None and entry.finished:
            await self._replay(entry, None)
            return
        call = self.run.calls.get(path)
        if call is None:
            if entry is not None and entry.due_us is not None:
                due_us = entry.due_us
            call = self._wait(path, kind, SLEEPING, due_us, entry)
        await self._result(call, None)

    def _wait(
        self, path: str, kind: str, wait_kind: str, due_us: int | None, entry: Entry | None, **values: Any
    ) -> Call:
        """Begin a durable wait, or take up one whose row is there."""
        call = self.run.waiting.begin(path, kind, wait_kind, due_us, **values)
        if entry is None:
            detail = values.get("event") or values.get("target")
            watch = values.get("target")
            self.run.save(
                path, kind, WAITING, started_us=self.run.clock.now_us(), due_us=due_us, detail=detail,
                payload=None, watch=watch, told=self.run.waiting.watched if watch else None,
            )  # fmt: skip
        elif call.wait is not None:
            call.wait.since_us = entry.started_us
            if call.wait.target is not None:
                self.run.waiting.inquire(call.wait.target)
            self.run.waiting.nudge()
        return call

    async def listen(self, name: object, event: str | None, timeout: Duration | None, returns: Any) -> Any:
        path, entry = await self._enter(name, LISTEN)
        annotation = Any if returns is None else returns
        if entry is not None and entry.finished:
            return await self._replay(entry, annotation)
        call = self.run.calls.get(path)
        if call is None:
            due_us, timeout_s = self._due(timeout, entry)
            what = str(event if event is not None else name)
            call = self._wait(path, LISTEN, LISTENING, due_us, entry, event=what, timeout_s=timeout_s)
        return await self._result(call, annotation)

    def _due(self, timeout: Duration | None, entry: Entry | None) -> tuple[int | None, float]:
        if timeout is None:
            return None, 0.0
        wait_us = microseconds(timeout, "timeout")
        if entry is not None and entry.due_us is not None:
            return entry.due_us, wait_us / 1e6
        return self.run.clock.now_us() + wait_us, wait_us / 1e6

    # Other runs -------------------------------------------------------------------------------------------------------

    async def execute_workflow(self, name: object, workflow: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        path, entry = await self._enter(name, EXECUTE_WORKFLOW)
        child, fn = self.run.engine.named(workflow)
        annotation = codec.return_annotation(fn) if fn is not None else Any
        if entry is not None and entry.finished:
            return await self._replay(entry, annotation)
        call = self.run.calls.get(path)
        if call is None:
            child_id = self._child_id(path) if entry is None else str(entry.detail)
            if entry is None:
                self._start_child(path, child_id, child, fn, args, kwargs, detached=False)
            call = self._wait(path, EXECUTE_WORKFLOW, FOR_RUN, None, entry, target=child_id)
        return await self._result(call, annotation)

    async def start_workflow(
        self, name: object, workflow: Any, args: tuple[Any, ...], kwargs: dict[str, Any], detached: bool
    ) -> str:
        path, entry = await self._enter(name, START_WORKFLOW)
        if entry is None or not entry.finished:
            call = self.run.calls.get(path)
            if call is None:
                child, fn = self.run.engine.named(workflow)
                child_id = self._child_id(path)
                self._start_child(path, child_id, child, fn, args, kwargs, detached=detached)
                call = self.run.calls[path] = Call(path, START_WORKFLOW)
                call.saving = True
                self.run.save(
                    path, START_WORKFLOW, COMPLETED, started_us=self.run.clock.now_us(),
                    payload=codec.dump(child_id)[0], detail=child_id, then=self.run.settle,
                )  # fmt: skip
            return str(await self._result(call, str))
        return str(await self._replay(entry, str))

    def _child_id(self, path: str) -> str:
        return child_run_id(self.run.id, path, self.run.history.generations.get(path, 0))

    def _start_child(
        self, path: str, child_id: str, child: str, fn: Any, args: Any, kwargs: Any, *, detached: bool
    ) -> None:
        run = self.run
        text = attempts.saved_arguments(path, fn, args, kwargs)
        check_size(path, text)
        start = Start(
            child_id, child, text, run.clock.now_us(), None, None, run.no, run.epoch, detached,
        )  # fmt: skip
        run.engine.journal.submit(start, run.child_started)

    async def wait_for_workflow(self, name: object, run_id: str, timeout: Duration | None, returns: Any) -> Any:
        path, entry = await self._enter(name, WAIT_FOR_WORKFLOW)
        if run_id == self.run.id:
            raise InvalidOption("run_id", run_id, "a run cannot wait for itself")
        annotation = BY_WORKFLOW if returns is None else returns
        if entry is not None and entry.finished:
            return await self._replay(entry, annotation)
        call = self.run.calls.get(path)
        if call is None:
            due_us, timeout_s = self._due(timeout, entry)
            call = self._wait(path, WAIT_FOR_WORKFLOW, FOR_RUN, due_us, entry, target=run_id, timeout_s=timeout_s)
        return await self._result(call, annotation)

    # The rest ---------------------------------------------------------------------------------------------------------

    async def progress(self, message: object, done: float | None, total: float | None) -> None:
        path = child_path(self.path, message)
        run = self.run
        if run.halt is not None:
            await run.refuse()
        self._task(path)
        text, _ = codec.dump({"done": done, "total": total})
        if run.reports_anew(path, text):
            report = asyncio.ensure_future(
                run.saved(path, PROGRESS, COMPLETED, started_us=run.clock.now_us(), payload=text)
            )
            self._reports = {*self._reports, report}
            try:
                await report
            finally:
                self._reports = {*self._reports} - {report}

    def fail(self, message: str) -> NoReturn:
        self._stop(Failing(failures.stopped(str(message))))

    def abort(self) -> NoReturn:
        self._stop(Aborting())

    def _stop(self, halt: Failing | Aborting) -> NoReturn:
        run = self.run
        if run.halt is not None:
            raise run.halt.signal()
        if self.closed:  # A thread of an attempt that timed out has no say any more.
            raise halt.signal()
        if run.engine.on_loop():
            run.stop(halt)
        else:
            run.loop.call_soon_threadsafe(run.stop, halt)
        raise halt.signal()
