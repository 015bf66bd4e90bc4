"""What a callable says of itself: its return annotation, and its signature with a plan for each parameter.

Both are asked for at every call of a step or start of a run, so they are kept for as long as the function lives.
Strings are evaluated with the names of the function's module and of the functions around it; what fails is Any.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from types import FunctionType, MethodType
from typing import Any, get_args, get_origin
from weakref import WeakKeyDictionary

from flowgraph.runtime.codec.annotations import plan_for
from flowgraph.runtime.codec.classes import own_annotations, resolve
from flowgraph.runtime.codec.plans import Plan

_returns: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()


def return_annotation(handler: Callable[..., Any]) -> object:
    """What the handler says that it returns; Any, where it says nothing, or nothing that resolves.

    A class returns itself. What an awaitable gives is unwrapped, since the caller awaits it.
    """
    if type(handler) is FunctionType and handler.__name__ == "<lambda>":
        return Any  # It has no annotations, and is made anew at each call.
    function = _function_of(handler)
    if not isinstance(function, FunctionType):
        return function if isinstance(function, type) else Any
    known = _returns.get(function, _MISSING)
    if known is _MISSING:
        known = _returns[function] = _unwrapped(_annotation(function, "return"))
    return known


_MISSING = object()


def _function_of(handler: Any) -> Any:
    """The function behind partials, methods, decorators and `__call__`: the one that has the annotations."""
    while True:
        if hasattr(handler, "__wrapped__"):
            handler = handler.__wrapped__
        elif isinstance(handler, FunctionType):
            return handler
        elif isinstance(handler, partial):
            handler = handler.func
        elif isinstance(handler, MethodType):
            handler = handler.__func__
        else:
            call = getattr(type(handler), "__call__", None)  # noqa: B004 - of the class, as Python looks it up.
            return call if isinstance(call, FunctionType) else handler


def _annotation(function: Any, name: str) -> Any:
    annotations = own_annotations(function)
    if name not in annotations:
        return Any
    return resolve(annotations[name], function.__globals__, _names_around(function))


def _names_around(function: FunctionType) -> dict[str, Any]:
    """What the function sees of the functions around it, and its type parameters."""
    names = {variable.__name__: variable for variable in getattr(function, "__type_params__", ())}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # Still empty.
            names[name] = cell.cell_contents
    return names


def _unwrapped(annotation: Any) -> Any:
    origin, arguments = get_origin(annotation), get_args(annotation)
    is_awaitable = isinstance(origin, type) and issubclass(origin, Awaitable)
    return arguments[-1] if is_awaitable and arguments else annotation


_signatures: WeakKeyDictionary[Any, tuple[inspect.Signature, dict[str, Plan]]] = WeakKeyDictionary()


def parameters_of(fn: Callable[..., Any]) -> tuple[inspect.Signature, dict[str, Plan]]:
    """The signature of a function, and the plan of each parameter."""
    known = _signatures.get(fn)
    if known is None:
        signature, function = inspect.signature(fn), _function_of(fn)
        known = signature, {name: plan_for(_annotation(function, name)) for name in signature.parameters}
        _signatures[fn] = known
    return known
