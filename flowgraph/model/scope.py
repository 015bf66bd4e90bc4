"""What the words of the language talk to: the scope in which they are called, as a protocol.

``dsl`` knows only this module; the runtime puts an object of its own into `CURRENT` for the workflow and for each
attempt of a step.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Coroutine, Iterable
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Literal, NoReturn, Protocol

import msgspec

from flowgraph.errors import NotInWorkflow
from flowgraph.model.durations import Duration
from flowgraph.model.policy import RetryPolicy


class StepInfo(msgspec.Struct, frozen=True):
    """Where a handler is running: what `step.info()` returns.

    Attributes:
        run_id: the run's id.
        workflow: the workflow's name.
        path: the step's path; "" in the workflow itself.
        attempt: the number of this attempt, from 1.
        index: the item's number in a map, the batch's in a batch, from 0; None elsewhere.
        idempotency_key: text that is the same for all attempts of this step and differs from every other step's; hand
            it to a service that ignores a request which it has seen.
    """

    run_id: str
    workflow: str
    path: str
    attempt: int
    index: int | None
    idempotency_key: str


class StepOptions(msgspec.Struct, frozen=True):
    """The options of one step call, checked; None where the default of the workflow holds.

    `returns` is the annotation by which the result is restored; None when it is the handler's own.
    """

    max_attempts: int | None = None
    retry: RetryPolicy | None = None
    timeout: float | None = None
    returns: Any = None
    executor: Any = None
    at_most_once: bool = False


NO_OPTIONS = StepOptions()
"""The options of a call that gives none."""


class FanOut(msgspec.Struct, frozen=True):
    """The options of map, for_each and batch beside those of a step."""

    kind: Literal["map", "for_each", "batch"]
    concurrency: int = 10
    batch_size: int = 20
    key: Callable[[Any], object] | None = None
    on_error: Literal["fail", "collect"] = "fail"


class Scope(Protocol):
    """A workflow, or one attempt of a step, that is being executed."""

    def info(self) -> StepInfo: ...

    def step(
        self, name: object, handler: Callable[..., Any], args: tuple[Any, ...], options: StepOptions
    ) -> Coroutine[Any, Any, Any]: ...

    def fan_out(
        self,
        name: object,
        handler: Callable[..., Any],
        items: Iterable[Any] | AsyncIterable[Any],
        fan: FanOut,
        options: StepOptions,
    ) -> Coroutine[Any, Any, Any]: ...

    def sleep(self, name: object, duration: Duration) -> Coroutine[Any, Any, None]: ...

    def sleep_until(self, name: object, moment: datetime) -> Coroutine[Any, Any, None]: ...

    def progress(self, message: object, done: float | None, total: float | None) -> Coroutine[Any, Any, None]: ...

    def listen(
        self, name: object, event: str | None, timeout: Duration | None, returns: Any
    ) -> Coroutine[Any, Any, Any]: ...

    def execute_workflow(
        self, name: object, workflow: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Coroutine[Any, Any, Any]: ...

    def start_workflow(
        self, name: object, workflow: Any, args: tuple[Any, ...], kwargs: dict[str, Any], detached: bool
    ) -> Coroutine[Any, Any, str]: ...

    def wait_for_workflow(
        self, name: object, run_id: str, timeout: Duration | None, returns: Any
    ) -> Coroutine[Any, Any, Any]: ...

    def fail(self, message: str) -> NoReturn: ...

    def abort(self) -> NoReturn: ...


CURRENT: ContextVar[Scope | None] = ContextVar("flowgraph_scope", default=None)


def current_scope(call: str) -> Scope:
    """The scope of the running workflow or step; raises NotInWorkflow, naming the `call`, where there is none."""
    scope = CURRENT.get()
    if scope is None:
        raise NotInWorkflow(call)
    return scope
