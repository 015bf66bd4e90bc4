"""Reusable steps: what `step("name", …)` without a handler makes of a function."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import MethodType
from typing import Any, Concatenate, Generic, NoReturn, ParamSpec, TypeVar, overload

from flowgraph.dsl._handlers import CoroutineCallable, check_executor, check_handler
from flowgraph.errors import DefinitionError, NotInWorkflow
from flowgraph.model import CURRENT, StepOptions, checked_name

P = ParamSpec("P")
Q = ParamSpec("Q")
S = TypeVar("S")
T = TypeVar("T")


class Step(CoroutineCallable, Generic[P, T]):
    """A function decorated with ``@step("name")``: calling it inside a workflow runs it as the step of that name.

    Attributes:
        name: the name of the step.
        fn: the function, for calling it without a step, for example in a test.
        options: the options, checked.
    """

    name: str
    fn: Callable[P, Any]
    options: StepOptions
    __name__: str
    __qualname__: str
    __wrapped__: Callable[P, Any]

    def __init__(self, fn: Callable[P, Any], name: str, options: StepOptions) -> None:
        functools.update_wrapper(self, fn)
        self.fn = fn
        self.name = name
        self.options = options

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[object, None, T]:
        """Run the step; keyword arguments go to the function."""
        scope = CURRENT.get()
        if scope is None:
            raise NotInWorkflow(f'step("{self.name}", …)')
        handler = functools.partial(self.fn, **kwargs) if kwargs else self.fn
        return scope.step(self.name, handler, args, self.options)

    def named(self, name: str) -> Step[P, T]:
        """The same step under another name, which a call in a loop needs.

        Example:
            for page in range(3):
                await fetch_page.named(f"fetch-{page}")(page)
        """
        return Step(self.fn, checked_name(name), self.options)

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> Step[P, T]: ...
    @overload
    def __get__(self: Step[Concatenate[S, Q], T], instance: S, owner: type | None = None) -> Step[Q, T]: ...
    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Bind a method to its instance, as a function does."""
        return self if instance is None else Step(MethodType(self.fn, instance), self.name, self.options)

    def __repr__(self) -> str:
        return f"<step {self.name!r} ({self.__module__}.{self.__qualname__})>"

    def __reduce__(self) -> str:
        return self.__qualname__


class StepDecorator:
    """What `step("name", …)` returns when it is given no handler: a decorator."""

    def __init__(self, name: str, options: StepOptions) -> None:
        self.name = name
        self.options = options

    @overload
    def __call__(self, fn: Callable[P, Awaitable[T]], /) -> Step[P, T]: ...
    @overload
    def __call__(self, fn: Callable[P, T], /) -> Step[P, T]: ...
    def __call__(self, fn: Callable[..., Any], /) -> Step[..., Any]:
        """Make a reusable step of a function or method."""
        call = f'@step("{self.name}")'
        if isinstance(fn, staticmethod | classmethod):
            kind = type(fn).__name__
            raise DefinitionError(f"{call} is written above @{kind}. Write it below: first @{kind}, then {call}.")
        if isinstance(fn, type):
            raise DefinitionError(f"{call} decorates the class {fn.__name__}. A step is a function or a method.")
        check_handler(call, fn)
        check_executor(fn, self.options.executor)
        return Step(fn, self.name, self.options)

    def __await__(self) -> Generator[Any, Any, NoReturn]:
        raise DefinitionError(
            f"step({self.name!r}) has no handler: write `await step({self.name!r}, handler, …)`, "
            f"or use it as a decorator."
        )

    def __repr__(self) -> str:
        return f"<step({self.name!r}) without a handler>"
