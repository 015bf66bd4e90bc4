"""What a graph rests on, told from what a process has loaded: without source, and without reading any.

A graph was compiled from functions, and from what the names in them stand for: helpers, constants, aliases, imports.
Each name that the compiler looked up in a module is a dependency, with a digest of the object that it stands for in the
process that compiled. A graph holds in another process if the same names stand for the same there. A module that is not
loaded cannot be compared, so a graph that rests on one holds nowhere.

Digests leave out the names of files, so that a program may move; they have the lines, so that those of the graph are
right, and the edition of Python, whose bytecode they are made of.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Literal

import msgspec

EDITION = 1
"""Of the compiler: it is raised when the same source gives another graph than before."""

Mode = Literal["code", "value", "name"]
"""What of an object counts: the code of a function, the value of a constant, or only which object it is."""

UNLOADED = "unloaded"

_PLAIN = (str, bytes, int, float, complex, bool, type(None), type(...))
_MISSING = object()


class Dependency(msgspec.Struct, frozen=True, array_like=True):
    """A name in a module ("" for the workflow's own), and the digest of what it stands for.

    The name "" is the workflow's function itself. `digest` begins with what of the object counts.
    """

    module: str
    name: str
    digest: str


def dependency(fn: Callable[..., Any], module: str | None, name: str, mode: Mode) -> Dependency:
    """The dependency on a name, as it stands in this process; a `module` that is not loaded is None."""
    found = _MISSING if module is None else _found(fn, module, name)
    loaded = module is not None and (not module or module in sys.modules)
    return Dependency(module or "", name, f"{mode}:{_digest(found, mode)}" if loaded else UNLOADED)


def hold(dependencies: Iterable[Dependency], fn: Callable[..., Any]) -> bool:
    """Tell whether a graph that was compiled from these things is that of the function `fn` of this process."""
    known = list(dependencies)
    return bool(known) and all(_holds(one, fn) for one in known)


def _holds(known: Dependency, fn: Callable[..., Any]) -> bool:
    mode, _, digest = known.digest.partition(":")
    if mode not in ("code", "value", "name") or (known.module and known.module not in sys.modules):
        return False
    return _digest(_found(fn, known.module, known.name), mode) == digest


# Objects --------------------------------------------------------------------------------------------------------------


def _found(fn: Callable[..., Any], module: str, name: str) -> object:
    """What a name stands for in a module of this process."""
    if not name:
        return fn
    names: dict[str, Any] = vars(sys.modules[module]) if module else getattr(fn, "__globals__", {})
    root, *rest = name.split(".")
    value = names.get(root, _MISSING)
    for part in rest:
        try:
            value = getattr(value, part, _MISSING)
        except Exception:  # noqa: BLE001 (a property of the user's may raise anything)
            return _MISSING
    return value


def _digest(value: object, mode: str) -> str:
    """The digest of an object; equal ones count the same in graphs."""
    made = hashlib.sha256(f"{EDITION} {sys.implementation.cache_tag} {sys.flags.optimize} ".encode())
    parts = {"code": _code_parts, "value": _value_parts}.get(mode, _name_parts)
    for part in parts(value):
        made.update(part.encode("utf-8", "surrogatepass"))
        made.update(b"\0")
    return made.hexdigest()[:32]


def _name_parts(value: object) -> Iterator[str]:
    """Which object it is."""
    if value is _MISSING:
        yield "missing"
    elif isinstance(value, ModuleType):
        yield f"module {value.__name__}"
    else:
        owner = value if hasattr(value, "__qualname__") else type(value)
        yield f"{getattr(owner, '__module__', '')}.{getattr(owner, '__qualname__', '')}"
        if isinstance(name := getattr(value, "name", None), str):  # A workflow, or a step.
            yield name


def _value_parts(value: object) -> Iterator[str]:
    if isinstance(value, Enum):
        yield f"{type(value).__qualname__}.{value.name}"
        value = value.value
    if isinstance(value, _PLAIN):
        yield f"{type(value).__name__} {value!r}"
    elif isinstance(value, tuple):
        for part in value:
            yield from _value_parts(part)
        yield f"tuple {len(value)}"
    else:
        yield from _name_parts(value)


def _code_parts(value: object, depth: int = 0) -> Iterator[str]:
    """A function, with what it closes over and the function that it wraps; a decorated step stands for its function."""
    if isinstance(value, MethodType):
        value = value.__func__
    code = getattr(value, "__code__", None)
    if isinstance(value, FunctionType) and isinstance(code, CodeType):
        yield from code_parts(code)
        yield from _value_parts(value.__defaults__)
        yield from _value_parts(tuple((value.__kwdefaults__ or {}).items()))
        yield from _annotation_parts(value)
        for name, cell in zip(code.co_freevars, value.__closure__ or (), strict=True):
            yield name
            yield from _cell_parts(cell, depth)
    else:
        yield from _value_parts(value)
    wrapped = getattr(value, "__wrapped__", None)
    if wrapped is not None and depth < _DEEPEST and not _is_workflow(value):
        yield from _code_parts(wrapped, depth + 1)


def _annotation_parts(function: FunctionType) -> Iterator[str]:
    """What parameters are annotated with, which says whose methods are called; a module may go by another name here."""
    for name, annotation in function.__annotations__.items():
        text = annotation if isinstance(annotation, str) else repr(annotation).replace(f"{function.__module__}.", "")
        yield f"{name}: {type(annotation).__name__ if ' at 0x' in text else text}"


_DEEPEST = 5
"""Functions that close over functions are followed so far, since they may go round in a circle."""


def _cell_parts(cell: Any, depth: int) -> Iterator[str]:
    try:
        value = cell.cell_contents
    except ValueError:  # It is empty as yet.
        return
    is_function = callable(value) and not isinstance(value, type)
    yield from _code_parts(value, depth + 1) if is_function and depth < _DEEPEST else _value_parts(value)


def _is_workflow(value: object) -> bool:
    """Tell whether it is a workflow: what that does is in its own graph."""
    return hasattr(value, "step_retry")


# Code -----------------------------------------------------------------------------------------------------------------


def code_parts(code: CodeType) -> Iterator[str]:
    """All of a code object but the name of its file, and where it lies in an enclosing function."""
    yield repr((
        code.co_name, code.co_firstlineno, code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount,
        code.co_flags, code.co_code, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars,
        code.co_linetable, code.co_exceptiontable,
    ))  # fmt: skip
    for constant in code.co_consts:
        yield from _constant_parts(constant)


def _constant_parts(value: object) -> Iterator[str]:
    if isinstance(value, CodeType):
        yield from code_parts(value)
    elif isinstance(value, tuple | frozenset):
        parts = [" ".join(_constant_parts(part)) for part in value]
        yield f"{type(value).__name__} {parts if isinstance(value, tuple) else sorted(parts)}"
    else:
        yield f"{type(value).__name__} {value!r}"
