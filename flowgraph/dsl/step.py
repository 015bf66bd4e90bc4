"""The object `step`: the words with which a workflow says what is durable.

Each call checks what it was given and hands it to the scope that is being executed. Nothing is run, saved or decided
here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from types import FunctionType
from typing import TYPE_CHECKING, Any, Never, NoReturn, Protocol, TypeVar, TypeVarTuple, Unpack, overload

from flowgraph.dsl._calls import call_text, entered
from flowgraph.dsl._children import ChildCalls
from flowgraph.dsl._fan_out import FanOutCalls
from flowgraph.dsl._handlers import GENERATORS, check_executor, check_handler, handler_name
from flowgraph.dsl._options import DEFAULT, StepOptionsDict, amount, checked_event, step_options
from flowgraph.dsl.decorated import StepDecorator
from flowgraph.errors import DefinitionError, NotInWorkflow
from flowgraph.model import CURRENT, Duration, Scope, StepInfo, checked_name, moment_us, seconds

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

MYPY = False  # mypy takes it for true
_MISSING: Any = object()


class _Fails(Protocol):
    def __call__(self, message: str) -> Coroutine[object, None, NoReturn]: ...


class _AlsoFails(Protocol):
    def __call__(self, message: str) -> Coroutine[Never, None, NoReturn]: ...


class StepCalls(FanOutCalls, ChildCalls):
    """The class of `step`: call it to run a step, or call one of its methods."""

    __slots__ = ()

    @overload
    def __call__(
        self, name: str, handler: Callable[[*Ts], Awaitable[T]], /, *args: *Ts, **options: Unpack[StepOptionsDict]
    ) -> Coroutine[object, None, T]: ...
    @overload
    def __call__(
        self, name: str, handler: Callable[[*Ts], T], /, *args: *Ts, **options: Unpack[StepOptionsDict]
    ) -> Coroutine[object, None, T]: ...
    @overload
    def __call__(self, name: str, /, **options: Unpack[StepOptionsDict]) -> StepDecorator: ...
    def __call__(self, name: Any, handler: Any = _MISSING, /, *args: Any, **options: Any) -> Any:  # type: ignore[misc]  # mypy: *Ts
        """Run `handler` once, durably: when it has returned, its result is saved, and a resume does not run it again.

        Args:
            name: its name, which is its identity: unique among the calls of this workflow or parent step.
            handler: an ``async def`` function, or a plain one, which runs in a thread. It may call `step` itself.
            *args: its arguments; use `functools.partial` for keyword arguments.
            max_attempts: all attempts together, 5 by default; it beats that of `retry`.
            retry: a RetryPolicy; by default the workflow's `step_retry`.
            timeout: how long one attempt may take, a duration; None for no limit.
            returns: the annotation by which the result is restored; by default the handler's own.
            executor: where a plain handler runs: a `concurrent.futures.Executor`, or the name of one of the Runtime's.
            at_most_once: never run the body twice; if a crash leaves open whether it ran, the step fails.

        Returns:
            A coroutine of the handler's result, as it is read back from what was saved. Without a handler, a decorator.

        Raises:
            StepFailed: the attempts are used up (StepTimeout if the last one took too long).
            SerializationError, PayloadTooLarge: the result cannot be saved.
            DefinitionError, InvalidName, InvalidOption: at once, where the call cannot be right.
            NotInWorkflow: no workflow is being executed.

        Example:
            data = await step("fetch-data", fetch, url, max_attempts=10, timeout="30s")
        """
        if handler is _MISSING:
            return _decorator(name, options)
        if type(handler) is not FunctionType or handler.__code__.co_flags & GENERATORS:
            check_handler(call_text("", name), handler)
        checked = DEFAULT
        if options:
            checked = step_options(call_text("", name), options)
            check_executor(handler, checked.executor)
        name = checked_name(name)
        scope = CURRENT.get()
        if scope is None:
            raise NotInWorkflow(call_text("", name))
        return scope.step(name, handler, args, checked)

    def sleep(self, name: str, duration: Duration) -> Coroutine[object, None, None]:
        """Wait for a duration, which goes on while no process runs; the wake time is saved.

        Example:
            await step.sleep("cool-down", "2h")
        """
        checked = seconds(duration)
        scope, name = entered("sleep", name)
        return scope.sleep(name, checked)

    def sleep_until(self, name: str, moment: datetime) -> Coroutine[object, None, None]:
        """Wait until an aware datetime; one in the past does not wait.

        Example:
            await step.sleep_until("morning", datetime(2030, 1, 1, 9, tzinfo=UTC))
        """
        moment_us(moment, "moment")
        scope, name = entered("sleep_until", name)
        return scope.sleep_until(name, moment)

    def progress(
        self, message: str, *, done: float | None = None, total: float | None = None
    ) -> Coroutine[object, None, None]:
        """Tell how far the run is; the same message again updates its numbers.

        Messages have a name space of their own and follow the rule of names.

        Example:
            await step.progress("importing users", done=40, total=100)
        """
        done, total = amount(done, "done"), amount(total, "total")
        scope, message = entered("progress", message)
        return scope.progress(message, done, total)

    @overload
    def listen(
        self, name: str, *, event: str | None = None, timeout: Duration | None = None, returns: type[T]
    ) -> Coroutine[object, None, T]: ...
    @overload
    def listen(
        self, name: str, *, event: str | None = None, timeout: Duration | None = None, returns: Any = None
    ) -> Coroutine[object, None, Any]: ...
    def listen(
        self, name: str, *, event: str | None = None, timeout: Duration | None = None, returns: Any = None
    ) -> Coroutine[object, None, Any]:
        """Wait for an event that is sent to this run with `run.send`, and return its payload.

        Args:
            name: the name of this wait.
            event: the name of the event; `name` by default. An event goes to one wait, first sent first taken, also
                when it was sent before the wait began.
            timeout: how long to wait, a duration; None for ever.
            returns: the annotation by which the payload is restored.

        Raises:
            ListenTimeout: no event came in time.

        Example:
            approval = await step.listen("approval", timeout="3d", returns=Approval)
        """
        awaited = None if event is None else checked_event(event)
        limit = None if timeout is None else seconds(timeout, "timeout")
        scope, name = entered("listen", name)
        return scope.listen(name, name if awaited is None else awaited, limit, returns)

    if MYPY or not TYPE_CHECKING:

        def fail(self, message: str) -> NoReturn:  # pyright: ignore[reportRedeclaration]
            """End the run as "failed" with this message, from any depth.

            It raises when it is called, so a sync handler calls it without `await`. With `await`, pyright too knows
            that nothing follows (mypy does either way).

            Example:
                await step.fail("the account is closed")
            """
            _scope("fail").fail(str(message))

    else:
        # pyright refuses to await a NoReturn. Awaited, either of these is one to it; and as a union they escape its
        # report of a coroutine that nobody awaits, for the calls without await.
        fail: _Fails | _AlsoFails

    def abort(self) -> NoReturn:
        """End the run as "aborted": stopped, not failed; it raises at once."""
        _scope("abort").abort()

    def info(self) -> StepInfo:
        """Where this code is running: run, path, attempt and idempotency key.

        Example:
            pay(amount, idempotency_key=step.info().idempotency_key)
        """
        return _scope("info").info()


step = StepCalls()
"""The words of a workflow; see `StepCalls`."""


def _decorator(name: Any, options: dict[str, Any]) -> StepDecorator:
    if callable(name):
        raise DefinitionError(
            f'A step needs a name: @step("name"), or step("name", {handler_name(name)}, …) for one call.'
        )
    checked = step_options(call_text("", name), options)
    return StepDecorator(checked_name(name), checked)


def _scope(method: str) -> Scope:
    scope = CURRENT.get()
    if scope is None:
        raise NotInWorkflow(call_text(method))
    return scope
