"""The attempts of one step: run the body, save what comes of it, decide whether there is another attempt.

Crash points. Before the final row is committed, a crash runs the body again, under the same attempt number: an attempt
counts when it has ended. After a failed attempt was committed, the next claim goes on with the next number, and waits
for what is left of the backoff. With ``at_most_once`` a row is committed before the body; a claim that finds it without
an outcome fails the step instead of running the body again.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec

from flowgraph.dsl import is_async
from flowgraph.errors import SerializationError
from flowgraph.model import CURRENT, Failure, RetryPolicy, failure_text, retry_delay
from flowgraph.model.checkpoint import COMPLETED, FAILED, RETRYING, STARTED, STEP
from flowgraph.runtime import codec, failures
from flowgraph.runtime.calls import BACKOFF
from flowgraph.runtime.halt import Aborting, Failing, RunHalted
from flowgraph.runtime.history import AT_MOST_ONCE, SUSPENDED, UNSET, Entry
from flowgraph.runtime.limits import check_size
from flowgraph.runtime.remote import guarded

if TYPE_CHECKING:
    from flowgraph.runtime.execution import Execution
    from flowgraph.runtime.scope import StepScope


class Attempting(msgspec.Struct, frozen=True, gc=False):
    """The options in force for one step: `timeout` in seconds, `executor` resolved."""

    policy: RetryPolicy
    max_attempts: int
    timeout: float | None = None
    executor: Any = None
    at_most_once: bool = False
    returns: Any = None


class Item(msgspec.Struct, frozen=True, gc=False):
    """One item of a fan-out: its index, what tells it from another item, and who waits for its row."""

    index: int
    mark: str | None
    then: Callable[[Entry], None]


class Attempts:
    """The attempts of one step, or of one item of a fan-out."""

    __slots__ = ("_annotation", "_args", "_handler", "_item", "_options", "_path", "_run", "_then")

    def __init__(
        self,
        run: Execution,
        path: str,
        handler: Callable[..., Any],
        args: tuple[Any, ...],
        options: Attempting,
        annotation: Any,
        item: Item | None = None,
    ) -> None:
        self._run = run
        self._path = path
        self._handler = handler
        self._args = args
        self._options = options
        self._annotation = annotation
        self._item = item
        self._then = run.settle if item is None else item.then

    async def make(self) -> None:
        """Make attempts until one succeeds or none is left; the final row is on its way when this returns.

        When that row is committed, the step's callers are told, or the fan-out that the item belongs to.
        """
        entry = self._run.history.entries.get(self._path)
        attempt = 1
        if entry is not None:
            attempt = entry.attempt + 1
            if entry.state == STARTED and entry.detail == AT_MOST_ONCE:
                failure = _outcome_unknown(attempt)
                self._save_last(FAILED, attempt, entry.started_us, failure_text(failure), AT_MOST_ONCE)
                return
            if entry.state == RETRYING:
                await self._back_off(entry.due_us or 0)
        while True:
            due_us = await self._attempt(attempt)
            if due_us is None:
                return
            await self._back_off(due_us)
            attempt += 1

    async def _attempt(self, attempt: int) -> int | None:
        """Make one attempt; returns when the next one is due, or None where there is none."""
        from flowgraph.runtime.scope import StepScope

        run, path, options, item = self._run, self._path, self._options, self._item
        scope = StepScope(run, path, attempt, None if item is None else item.index)
        CURRENT.set(scope)
        started_us = run.clock.now_us()
        detail = AT_MOST_ONCE if options.at_most_once else None if item is None else item.mark
        deadline_us = None if options.timeout is None else _deadline_us(run, path)
        if options.at_most_once:
            await run.saved(path, STEP, STARTED, attempt=attempt - 1, started_us=started_us, detail=detail)
            run.once |= {path}
        if run.engine.observers:
            run.engine.observe_start(run.id, path, attempt)
        deadline = None if options.timeout is None else Deadline(run, path, options.timeout, deadline_us)
        try:
            if deadline is None and options.executor is None and is_async(self._handler):  # The way of most steps.
                value = await self._handler(*self._args)
                if scope.spawned or scope.calls:
                    await scope.drain()
                run.check()
            else:
                value = await self._body(scope, deadline)
            text, copy = codec.dump(value, self._annotation)
            check_size(path, text)
        except (KeyboardInterrupt, SystemExit):
            raise
        except codec.Unsaveable as refused:
            error: BaseException = SerializationError(path, refused.type_name, refused.reason)
        except BaseException as raised:  # noqa: BLE001 (whatever leaves a handler is the attempt's failure)
            _raise_if_halted(run, raised)
            error = raised
        else:
            self._save_last(COMPLETED, attempt, started_us, text, detail, copy)
            return None
        timed_out = deadline is not None and deadline.expired
        if timed_out:
            scope.abandon_calls()
            run.waiting.withdraw_below(path)
        await scope.drain()
        run.check()
        payload = failure_text(failures.step_failure(path, error, attempt, timed_out=timed_out))
        delay_s = None if options.at_most_once else _delay(run, options, attempt, error, timed_out=timed_out)
        if delay_s is None:
            self._save_last(FAILED, attempt, started_us, payload, detail)
            return None
        due_us = run.clock.now_us() + round(delay_s * 1e6)
        await run.saved(path, STEP, RETRYING, attempt=attempt, started_us=started_us, payload=payload, due_us=due_us)
        return due_us

    async def _body(self, scope: StepScope, deadline: Deadline | None) -> Any:
        """Run the handler, and whatever it started."""
        if deadline is None:
            value = await self._whole_body(scope)
        else:
            async with deadline:
                value = await self._whole_body(scope)
        self._run.check()
        return value

    async def _whole_body(self, scope: StepScope) -> Any:
        value = await invoke(self._run, scope, self._handler, self._args, self._options.executor)
        if scope.spawned or scope.calls:
            await scope.drain()
        return value

    def _save_last(
        self, state: str, attempt: int, started_us: int, payload: str, detail: str | None, copy: object = UNSET
    ) -> None:
        """Send the final row on its way, as the last thing that the body's task does."""
        run, path = self._run, self._path
        call = run.calls.get(path)
        if call is not None:
            run.body_ends(call)
        if path in run.once:
            run.once -= {path}
        run.save(
            path, STEP, state, attempt=attempt, started_us=started_us, payload=payload, detail=detail, copy=copy,
            then=self._then, at_once=call is not None,
        )  # fmt: skip

    async def _back_off(self, due_us: int) -> None:
        """Wait for the next attempt: durably, so that a long backoff suspends the run."""
        run = self._run
        if due_us > run.clock.now_us():
            await run.join(run.waiting.begin(self._path, STEP, BACKOFF, due_us))


def _delay(run: Execution, options: Attempting, attempt: int, error: BaseException, *, timed_out: bool) -> float | None:
    """Seconds until the next attempt, or None where there is none."""
    if failures.is_permanent(error):
        return None
    if timed_out or isinstance(error, asyncio.CancelledError):
        error = TimeoutError() if timed_out else _OwnCancellation()
    return retry_delay(options.policy, options.max_attempts, attempt, error, run.clock.draw)


class _OwnCancellation(Exception):
    """A handler raised CancelledError by itself, which is a failure like any other."""


def _raise_if_halted(run: Execution, error: BaseException) -> None:
    """Pass on what is no failure of the handler: the run was told to stop, or user code cancelled this call."""
    if run.halt is not None:
        raise error
    if isinstance(error, RunHalted):  # From another process, where the run's halt could not be set.
        run.stop(Failing(failures.stopped(error.message)) if error.what == "has failed" else Aborting())
        raise error
    task = asyncio.current_task()
    if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
        raise error


def _outcome_unknown(attempts: int) -> Failure:
    message = "the process died while the body was running; its outcome is unknown, and it runs at most once"
    return Failure("StepFailed", attempts, "OutcomeUnknown", message)


# Running a handler ----------------------------------------------------------------------------------------------------


async def invoke(
    run: Execution, scope: StepScope, handler: Callable[..., Any], args: tuple[Any, ...], executor: Any
) -> Any:
    """Call a handler where it belongs: on the loop, in a thread, or in an executor."""
    if executor is None and is_async(handler):
        return await handler(*args)
    if executor is None:
        context = copy_context()
        future = run.engine.threads.submit(context.run, guarded, handler, *args)
    else:
        future = run.engine.submit(executor, scope, handler, args)
    run.threads |= {future}
    future.add_done_callback(lambda _: run.engine.call_on_loop(partial(run.thread_ended, future)))
    try:
        result = await asyncio.wrap_future(future, loop=run.loop)
    except asyncio.CancelledError:
        run.strays |= {future}
        future.add_done_callback(_close_result)
        raise
    return await result if inspect.isawaitable(result) else result


def _close_result(future: Future[Any]) -> None:
    """A thread that was given up returned a coroutine, which nobody will await."""
    if not future.cancelled() and future.exception() is None and inspect.iscoroutine(future.result()):
        future.result().close()


def saved_arguments(path: str, fn: Callable[..., Any] | None, args: Any, kwargs: Any) -> str:
    """The arguments of a workflow as JSON text; a SerializationError names `path`."""
    try:
        return codec.dump_arguments(fn, tuple(args), dict(kwargs))
    except codec.Unsaveable as error:
        raise SerializationError(path, error.type_name, error.reason) from None


def _deadline_us(run: Execution, path: str) -> int | None:
    """When an attempt times out that was suspended and goes on."""
    entry = run.history.entries.get(path)
    return entry.due_us if entry is not None and entry.detail == SUSPENDED else None


class Deadline:
    """Bounds an attempt by the runtime's clock, as ``asyncio.timeout`` does by the loop's.

    A suspension does not end an attempt: its deadline is saved then, and holds when the run goes on.
    """

    def __init__(self, run: Execution, path: str, timeout_s: float, due_us: int | None) -> None:
        self._run = run
        self._path = path
        self._timeout_s = timeout_s
        self._due_us = due_us
        self.expired = False

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        clock = self._run.clock
        due_us = clock.now_us() + round(self._timeout_s * 1e6) if self._due_us is None else self._due_us
        self._run.deadlines[self._path] = due_us
        self._timer = clock.call_at(due_us, self._expire)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._run.halt is None:
            del self._run.deadlines[self._path]
        if not self.expired:
            return
        if self._task.uncancel() <= self._cancelling and isinstance(error, asyncio.CancelledError | ExceptionGroup):
            raise TimeoutError(f"it took longer than {self._timeout_s:g} s") from error
        self.expired = kind is not None and issubclass(kind, asyncio.CancelledError)

    def _expire(self) -> None:
        self.expired = True
        self._task.cancel()
