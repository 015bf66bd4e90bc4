"""Child runs: the calls of `step` that start other workflows and wait for them."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, ParamSpec, TypeVar, overload

from flowgraph.dsl._calls import call_text, entered
from flowgraph.dsl._options import checked_run_id, flag
from flowgraph.dsl.workflow import Workflow
from flowgraph.errors import DefinitionError
from flowgraph.model import Duration, checked_name, seconds

P = ParamSpec("P")
T = TypeVar("T")


class ChildCalls:
    """The part of `step` about child runs."""

    __slots__ = ()

    @overload
    def execute_workflow(
        self, name: str, child: Workflow[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[object, None, T]: ...
    @overload
    def execute_workflow(self, name: str, child: str, /, *args: Any, **kwargs: Any) -> Coroutine[object, None, Any]: ...
    def execute_workflow(self, name: str, child: Any, /, *args: Any, **kwargs: Any) -> Coroutine[object, None, Any]:
        """Run a workflow as a run of its own and wait for its result; the waiting run holds no worker.

        Args:
            name: the name of this step; with the run's id it determines the child's, so a resume never starts a second.
            child: a workflow, or its name if its code is elsewhere.
            *args: its arguments, as `**kwargs`.

        Raises:
            ChildFailed: the child ended without a result.
            TypeError: the workflow cannot be called with these arguments.

        Example:
            total = await step.execute_workflow("bill", bill_customer, customer_id)
        """
        _check_child("execute_workflow", name, child, args, kwargs)
        scope, name = entered("execute_workflow", name)
        return scope.execute_workflow(name, child, args, kwargs)

    @overload
    def start_workflow(
        self, name: str, child: Workflow[P, Any], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[object, None, str]: ...
    @overload
    def start_workflow(
        self, name: str, child: Workflow[..., Any], /, *args: Any, detached: bool, **kwargs: Any
    ) -> Coroutine[object, None, str]: ...
    @overload
    def start_workflow(
        self, name: str, child: str, /, *args: Any, detached: bool = False, **kwargs: Any
    ) -> Coroutine[object, None, str]: ...
    def start_workflow(self, name: str, child: Any, /, *args: Any, **kwargs: Any) -> Coroutine[object, None, str]:
        """Start a workflow as a run of its own and return its run id, without waiting for it.

        Args:
            name: the name of this step.
            child: a workflow, or its name if its code is elsewhere.
            *args: its arguments, as `**kwargs`.
            detached: let it go on when this run is cancelled, fails, aborts or times out; otherwise it is cancelled.

        Raises:
            TypeError: the workflow cannot be called with these arguments.

        Example:
            run_id = await step.start_workflow("audit", audit, order_id, detached=True)
        """
        detached = flag(kwargs.pop("detached", False), "detached")
        _check_child("start_workflow", name, child, args, kwargs)
        scope, name = entered("start_workflow", name)
        return scope.start_workflow(name, child, args, kwargs, detached)

    @overload
    def wait_for_workflow(
        self, name: str, run_id: str, *, timeout: Duration | None = None, returns: type[T]
    ) -> Coroutine[object, None, T]: ...
    @overload
    def wait_for_workflow(
        self, name: str, run_id: str, *, timeout: Duration | None = None, returns: Any = None
    ) -> Coroutine[object, None, Any]: ...
    def wait_for_workflow(
        self, name: str, run_id: str, *, timeout: Duration | None = None, returns: Any = None
    ) -> Coroutine[object, None, Any]:
        """Wait until a run has finished, and return its result.

        Args:
            name: the name of this wait.
            run_id: the run, for example one that `start_workflow` returned.
            timeout: how long to wait, a duration; None for ever.
            returns: the annotation by which the result is restored; by default that of the workflow, if it is known.

        Raises:
            StepTimeout: it did not finish in time.
            ChildFailed: it ended without a result.

        Example:
            report = await step.wait_for_workflow("audit-result", run_id, timeout="1h")
        """
        limit = None if timeout is None else seconds(timeout, "timeout")
        checked = checked_run_id(run_id)
        scope, name = entered("wait_for_workflow", name)
        return scope.wait_for_workflow(name, checked, limit, returns)


def _check_child(method: str, name: object, child: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if isinstance(child, Workflow):
        child.check_arguments(args, kwargs)
    elif isinstance(child, str):
        checked_name(child)
    else:
        what = getattr(child, "__qualname__", None) or f"an object of type {type(child).__name__}"
        raise DefinitionError(
            f"{call_text(method, name)} got {what}, which is not a workflow. Decorate it with @workflow, or pass the "
            f"name of a workflow."
        )
