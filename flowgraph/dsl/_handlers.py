"""Handlers: what may be one, which function it is in the end, and whether it is called on the loop or in a thread."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from types import FunctionType, MethodType
from typing import Any, NoReturn

from flowgraph.dsl.workflow import Workflow
from flowgraph.errors import DefinitionError, InvalidOption

GENERATORS = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
_COROUTINES = inspect.CO_COROUTINE | inspect.CO_ITERABLE_COROUTINE


class CoroutineCallable:
    """The base of objects whose call returns a coroutine, although it is not written as ``async def``."""

    __wrapped__: Callable[..., Any]


def is_async(handler: Callable[..., Any]) -> bool:
    """Tell whether a call of `handler` belongs on the event loop; otherwise it belongs in a thread.

    Partials, methods and objects with an ``async def __call__`` are seen through. A plain function that returns an
    awaitable cannot be told from its outside, so it counts as plain.
    """
    if type(handler) is FunctionType:
        return bool(handler.__code__.co_flags & _COROUTINES)
    if isinstance(handler, partial):
        return is_async(handler.func)
    if isinstance(handler, MethodType):
        return is_async(handler.__func__)
    if isinstance(handler, CoroutineCallable):
        return True
    function = function_of(handler)
    if isinstance(function, FunctionType):
        return bool(function.__code__.co_flags & _COROUTINES)
    return inspect.iscoroutinefunction(function)


def function_of(handler: Callable[..., Any]) -> Callable[..., Any]:
    """The function that a handler calls in the end: behind partials, methods, `@step` and ``__call__``.

    Its annotations are the handler's. A class or a builtin is returned as it is.
    """
    while not isinstance(handler, FunctionType):
        if isinstance(handler, partial):
            handler = handler.func
        elif isinstance(handler, MethodType):
            handler = handler.__func__
        elif isinstance(handler, CoroutineCallable):
            handler = handler.__wrapped__
        else:
            call = None if isinstance(handler, type) else getattr(type(handler), "__call__", None)  # noqa: B004
            return call if isinstance(call, FunctionType) else handler
    return handler


def check_handler(call: str, handler: object) -> None:
    """Raise DefinitionError, with what to write instead, if `handler` cannot be one; `call` is the text of the call."""
    if type(handler) is FunctionType:
        if handler.__code__.co_flags & GENERATORS:
            _check_generator(call, handler)
        return
    if inspect.iscoroutine(handler):
        _refuse_coroutine(call, handler)
    if isinstance(handler, Workflow):
        raise DefinitionError(
            f"{call} got the workflow {handler.name!r} as its handler. "
            f"Run it as a child: step.execute_workflow(name, {handler.__name__}, …)."
        )
    if inspect.isawaitable(handler):
        raise DefinitionError(
            f"{call} got {_article(handler)} instead of a handler: what it stands for has been started already, so it "
            f"cannot be skipped or tried again. Pass a function and its arguments."
        )
    if not callable(handler):
        raise DefinitionError(
            f"{call} got {_article(handler)} as its handler, which cannot be called. Pass a function."
        )
    _check_generator(call, handler)


def check_executor(handler: Callable[..., Any], executor: object) -> None:
    """Raise InvalidOption if `handler` is async and an executor is asked for, which runs plain functions only."""
    if executor is None or not is_async(handler):
        return
    reason = "the handler is async, and an executor runs plain functions only"
    if isinstance(handler, CoroutineCallable):
        reason = f"the handler is a step, and an executor runs plain functions only; pass {handler_name(handler)}.fn"
    raise InvalidOption("executor", executor, reason)


def handler_name(handler: object) -> str:
    """What to call a handler in an error."""
    inner = handler.func if isinstance(handler, partial) else handler
    return str(getattr(inner, "__qualname__", type(inner).__name__))


def _check_generator(call: str, handler: Callable[..., Any]) -> None:
    function = function_of(handler)
    if not isinstance(function, FunctionType):
        return
    flags = function.__code__.co_flags
    if flags & GENERATORS and not flags & inspect.CO_ITERABLE_COROUTINE:
        kind = "an async generator" if flags & inspect.CO_ASYNC_GENERATOR else "a generator"
        raise DefinitionError(
            f"{call} got the handler {handler_name(handler)}, which is {kind} function. A step has one result that is "
            f"saved: return a list, or give the items to step.map."
        )


def _refuse_coroutine(call: str, coroutine: Any) -> NoReturn:
    if inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
        coroutine.close()
    name = coroutine.__name__
    raise DefinitionError(
        f"{call} got the coroutine {name}(…) instead of a handler: that call has been made already, so it cannot be "
        f"skipped or tried again. Pass the function and its arguments: {call.replace('…', f'{name}, …')}."
    )


def _article(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}" if value is not None else "None"
