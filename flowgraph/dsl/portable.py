"""Handlers that leave the process.

``pickle`` sends a function as its module and name and insists that looking those up gives the same object. For a
function under ``@step`` the look-up gives the `Step`, so pickling it fails; `portable` sends a note where to find the
function instead. The note is made from code that this process has imported, never from what a store holds.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any

from flowgraph.dsl.decorated import Step


def portable(handler: Callable[..., Any]) -> Callable[..., Any]:
    """A callable that does what `handler` does and that pickles wherever an undecorated handler would.

    Functions and methods under ``@step``, and partials of them, are replaced; everything else comes back as it is.
    """
    if isinstance(handler, functools.partial):
        inner = portable(handler.func)
        return handler if inner is handler.func else functools.partial(inner, *handler.args, **handler.keywords)
    if isinstance(handler, MethodType):
        found = portable(handler.__func__)
        return handler if found is handler.__func__ else functools.partial(found, handler.__self__)
    if isinstance(handler, FunctionType) and _found(handler.__module__, handler.__qualname__) is handler:
        return PortableHandler(handler.__module__, handler.__qualname__)
    return handler


class PortableHandler:
    """The function under the `Step` of this module and qualified name; it is looked up where it is called."""

    __slots__ = ("module", "qualname")

    def __init__(self, module: str, qualname: str) -> None:
        self.module = module
        self.qualname = qualname

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        importlib.import_module(self.module)
        function = _found(self.module, self.qualname)
        if function is None:
            raise AttributeError(f"module {self.module!r} has no step {self.qualname!r} in this process")
        return function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"PortableHandler({self.module!r}, {self.qualname!r})"


def _found(module: str, qualname: str) -> Callable[..., Any] | None:
    found: Any = sys.modules.get(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    step = _unbound(found)
    return _unbound(step.fn) if isinstance(step, Step) else None


def _unbound(function: Any) -> Any:
    """What a class method binds, which depends on the version of Python: the step to the class, or its function."""
    return function.__func__ if isinstance(function, MethodType) else function
