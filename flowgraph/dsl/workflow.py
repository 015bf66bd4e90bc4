"""The decorator `workflow`, and what it makes of a function."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from datetime import timedelta
from types import FunctionType
from typing import TYPE_CHECKING, Any, Generic, NoReturn, ParamSpec, Protocol, TypeVar, cast, overload

from flowgraph.dsl._options import flag, policy
from flowgraph.dsl.registry import register
from flowgraph.errors import DefinitionError, InvalidOption
from flowgraph.model import RetryPolicy, checked_name, seconds

if TYPE_CHECKING:
    from flowgraph.model.graph import Graph

P = ParamSpec("P")
T = TypeVar("T")

DEFAULT_TIMEOUT_S = 300.0

RESERVED = frozenset({"concurrency_key", "detached", "priority", "run_id", "start_at", "store", "tags"})
"""The keyword options of the calls that start a run, the later ones included.

A workflow has no parameter of such a name, since a call could not tell the two apart.
"""


# How a call that starts a run is typed: one overload for each number of positional arguments, `Runtime.start` for one,
#
#     async def start(self, workflow: Workflow[Concatenate[A, B, ...], T], a: A, b: B, /, *,
#                     run_id: str | None = None, tags: Mapping[str, str] | None = None, **kwargs: Any) -> Run[T]: ...
#
# from `Workflow[..., T]` without arguments up to four and `*more: Any`, and one for a name. So positional arguments are
# checked, by mypy and pyright, beside options and for functions with defaults or keyword-only parameters; keywords are
# not. What does not work: options between `P.args` and `P.kwargs` (PEP 612 forbids it); a second overload with
# `Workflow[..., T]` for calls with options (it takes the wrong calls, too); `Workflow[[*Ts], T]` (mypy refuses it) and
# ``Callable[[*Ts], …]`` (required keyword-only parameters do not fit it, nor do positional ones given by keyword).


class Workflow(Generic[P, T]):
    """A decorated workflow; `workflow` makes it, and `runtime.start`, `runtime.run` and `flowgraph.run` take it.

    Attributes:
        name: the name under which its runs are stored.
        fn: the function.
        timeout: seconds that a run may be executing; the time that it sleeps or waits as a row does not count.
        step_retry: the default retry policy of its steps.
        strict: True and False decide for this workflow, None leaves it to the Runtime.
        signature: the function's parameters.
    """

    name: str
    fn: Callable[P, Coroutine[Any, Any, T]]
    timeout: float
    step_retry: RetryPolicy | None
    strict: bool | None
    signature: inspect.Signature
    __name__: str
    __qualname__: str
    __wrapped__: Callable[P, Coroutine[Any, Any, T]]

    def __init__(
        self,
        fn: Callable[P, Coroutine[Any, Any, T]],
        *,
        name: str,
        timeout: float = DEFAULT_TIMEOUT_S,
        step_retry: RetryPolicy | None = None,
        strict: bool | None = None,
    ) -> None:
        functools.update_wrapper(cast(Any, self), fn)
        self.fn = fn
        self.name = name
        self.timeout = timeout
        self.step_retry = step_retry
        self.strict = strict
        self.signature = inspect.signature(fn)
        self._graph: Graph | None = None

    @property
    def place(self) -> str:
        """Where it is written, as ``file:line``."""
        code = self.fn.__code__
        return f"{code.co_filename}:{code.co_firstlineno}"

    @property
    def graph(self) -> Graph:
        """What the workflow may do, compiled from its source; nothing of it is run. It is compiled once.

        Raises:
            CompileError: there is no source to compile, as in a REPL, or it has changed since it was loaded.
        """
        if self._graph is None:
            from flowgraph.compiler import compile_function  # libcst, which a run does not need.

            self._graph = compile_function(self.fn, self.name)
        return self._graph

    def check_arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise TypeError, as the function itself would, if it cannot be called with these arguments."""
        try:
            self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"Workflow {self.name!r} takes {self.signature}: {error}.") from None

    if not TYPE_CHECKING:  # So that type checkers report a direct call, too.

        def __call__(self, *_args: Any, **_kwargs: Any) -> NoReturn:
            fn = self.__name__
            raise DefinitionError(
                f"Workflow {self.name!r} was called directly, which would run it without durability. "
                f"Use `await runtime.run({fn}, …)`, `flowgraph.run({fn}, …)`, or "
                f'`await step.execute_workflow("name", {fn}, …)`.'
            )

    def __repr__(self) -> str:
        return f"<workflow {self.name!r} ({self.__module__}.{self.__qualname__})>"

    def __reduce__(self) -> str:
        return self.__qualname__


class WorkflowDecorator(Protocol):
    """What ``@workflow(…)`` with options returns."""

    def __call__(self, fn: Callable[P, Coroutine[Any, Any, T]], /) -> Workflow[P, T]: ...


@overload
def workflow(fn: Callable[P, Coroutine[Any, Any, T]], /) -> Workflow[P, T]: ...
@overload
def workflow(
    *,
    name: str | None = None,
    timeout: float | timedelta | str = DEFAULT_TIMEOUT_S,
    step_retry: RetryPolicy | None = None,
    strict: bool | None = None,
) -> WorkflowDecorator: ...
def workflow(
    fn: Any = None,
    /,
    *,
    name: str | None = None,
    timeout: float | timedelta | str = DEFAULT_TIMEOUT_S,
    step_retry: RetryPolicy | None = None,
    strict: bool | None = None,
) -> Any:
    """Turn an ``async def`` function into a durable workflow.

    Args:
        fn: the function, when the decorator is written without parentheses.
        name: the name under which its runs are stored; the function's own by default. Renaming a workflow leaves its
            runs in flight without code.
        timeout: how long a run may be executing, a duration (5 minutes by default). Time in which it sleeps, listens
            or waits for a child as a row does not count.
        step_retry: the retry policy of steps that have none of their own.
        strict: refuse duplicate and unplanned steps; None leaves it to the Runtime.

    Raises:
        DefinitionError: it is not an ``async def`` function, or a parameter has the name of an option of `start`.
        InvalidName: the name is not allowed.
        InvalidOption: an option is out of its range.

    Example:
        @workflow(timeout="30m")
        async def data_pipeline(source: str) -> int:
            data = await step("fetch-data", fetch, source)
            return await step("store", store, data)
    """
    if isinstance(fn, str):
        raise DefinitionError(f"workflow({fn!r}): the name is a keyword option: @workflow(name={fn!r}).")
    decorate = functools.partial(
        _decorated,
        name=None if name is None else checked_name(name),
        timeout=_timeout(timeout),
        step_retry=policy(step_retry, "step_retry"),
        strict=None if strict is None else flag(strict, "strict"),
    )
    return decorate if fn is None else decorate(fn)


def _decorated(fn: Callable[..., Any], *, name: str | None, **options: Any) -> Workflow[..., Any]:
    _check_function(fn)
    made = Workflow(fn, name=name or checked_name(fn.__name__), **options)
    _check_parameters(made)
    register(made)
    return made


def _timeout(value: Any) -> float:
    timeout = seconds(value, "timeout")
    if timeout <= 0:
        raise InvalidOption("timeout", value, "it is more than 0")
    return timeout


def _check_function(fn: object) -> None:
    if isinstance(fn, FunctionType) and inspect.iscoroutinefunction(fn):
        return
    name = getattr(fn, "__qualname__", None) or repr(fn)
    raise DefinitionError(f"Workflow {name!r} is {_kind(fn)}. A workflow is a function written with `async def`.")


def _check_parameters(workflow: Workflow[..., Any]) -> None:
    for parameter in workflow.signature.parameters.values():
        variadic = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if parameter.name in RESERVED and not variadic:
            raise DefinitionError(
                f"Workflow {workflow.name!r} has a parameter {parameter.name!r}, which is an option of starting a run. "
                f"Give the parameter another name."
            )


def _kind(fn: object) -> str:
    if isinstance(fn, Workflow):
        return "decorated with @workflow already"
    if isinstance(fn, staticmethod | classmethod):
        return f"a {type(fn).__name__}"
    if isinstance(fn, type):
        return "a class"
    if not isinstance(fn, FunctionType):
        return f"an object of type {type(fn).__name__}"
    if inspect.isasyncgenfunction(fn):
        return "an async generator (it has a `yield`)"
    return "a lambda" if fn.__name__ == "<lambda>" else "a plain function"
