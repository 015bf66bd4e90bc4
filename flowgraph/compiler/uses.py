"""What a compilation has read of a program, and whether the process that asked has loaded the same.

The compiler reads files, and a process runs what it loaded from them, perhaps before they were changed. A graph may be
bound to runs only if both are the same, so the source is compiled by Python too, and the code objects are compared.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib.machinery import SourceFileLoader
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

import attrs

from flowgraph.compiler.bindings import Defined, Value
from flowgraph.compiler.dependencies import Dependency, Mode, code_parts, dependency

if TYPE_CHECKING:
    from flowgraph.compiler.units import Unit


@attrs.frozen
class Use:
    """A name that was looked up in the module of a file, and what of the object counts.

    `code` is the code object of the function that it stands for, as the source has it.
    """

    path: str
    name: str
    mode: Mode
    code: CodeType | None = None


@attrs.frozen
class Reading:
    """What was read for the graphs of one file: its functions' code by their first lines, and all names looked up."""

    codes: dict[int, list[CodeType]]
    uses: tuple[Use, ...]


def reading_of(unit: Unit) -> Reading:
    """What was read for the graphs of a file, after these were made."""
    codes: dict[str, dict[int, list[CodeType]]] = {unit.path: _codes_in(unit)}
    made = []
    for home, name in list(unit.project.looked_up):
        meaning = home.project.followed(home.names.meaning(name), home)
        code = None
        if isinstance(meaning, Defined):
            place = meaning.names.unit
            if place.path not in codes:
                codes[place.path] = _codes_in(place)
            lines = [meaning.node.lineno, *(decorator.lineno for decorator in meaning.node.decorator_list)]
            code = _named(codes[place.path].get(min(lines), []), meaning.node.name)
        made.append(Use(home.path, name, _mode(meaning), code))
    return Reading(codes[unit.path], tuple(made))


def _mode(meaning: object) -> Mode:
    if isinstance(meaning, Defined):
        return "code"
    return "value" if isinstance(meaning, Value) and _is_constant(meaning.node) else "name"


def _is_constant(node: ast.expr) -> bool:
    """Tell whether an expression is written with constants and names only: another may differ in each process."""
    parts = (ast.Constant, ast.Name, ast.Attribute, ast.BinOp, ast.JoinedStr, ast.FormattedValue, ast.Tuple)
    rest = (ast.operator, ast.expr_context)
    return all(isinstance(part, (*parts, *rest)) for part in ast.walk(node))


def _codes_in(unit: Unit) -> dict[int, list[CodeType]]:
    """The functions of a file, compiled by Python, by their first lines."""
    found: dict[int, list[CodeType]] = {}
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT  # As in a notebook.
    waiting = [compile(unit.tree, unit.path, "exec", flags=flags, dont_inherit=True)]
    while waiting:
        for constant in waiting.pop().co_consts:
            if isinstance(constant, CodeType):
                found.setdefault(constant.co_firstlineno, []).append(constant)
                waiting.append(constant)
    return found


def _named(codes: Iterable[CodeType], name: str) -> CodeType | None:
    return next((code for code in codes if code.co_name == name), None)


# Against what is loaded -----------------------------------------------------------------------------------------------


def is_loaded(reading: Reading, fn: Callable[..., Any]) -> bool:
    """Tell whether the function was loaded from the source that was read."""
    code = fn.__code__
    source = _named(reading.codes.get(code.co_firstlineno, []), code.co_name)
    return source is not None and _agree(source, code, fn.__globals__.get("__loader__"))


def changed_helpers(reading: Reading, fn: Callable[..., Any]) -> Iterator[Use]:
    """The functions that were read and are not what this process has loaded."""
    modules = _modules()
    for use in reading.uses:
        if use.code is None:
            continue
        loaded = _function(_names_of(use.path, fn, modules), use.name)
        if loaded is not None and not _agree(use.code, loaded.__code__, loaded.__globals__.get("__loader__")):
            yield use


def _names_of(path: str, fn: Callable[..., Any], modules: dict[str, str]) -> dict[str, Any]:
    if _is_own(path, fn):
        return fn.__globals__
    return vars(sys.modules[modules[path]]) if path in modules else {}


def dependencies_of(reading: Reading, fn: Callable[..., Any]) -> tuple[Dependency, ...]:
    """All that the graph of a function rests on, as it stands in this process."""
    modules = _modules()
    made = [dependency(fn, "", "", "code")]
    for use in reading.uses:
        module = "" if _is_own(use.path, fn) else modules.get(use.path)
        made.append(dependency(fn, module, use.name, use.mode))
    return tuple(made)


def _modules() -> dict[str, str]:
    """The names of the loaded modules by their files."""
    files = ((getattr(module, "__file__", None), name) for name, module in list(sys.modules.items()))
    return {file: name for file, name in files if isinstance(file, str)}


def _is_own(path: str, fn: Callable[..., Any]) -> bool:
    own = fn.__code__.co_filename
    return path == own or (os.path.exists(path) and os.path.realpath(path) == os.path.realpath(own))  # noqa: PTH110


def _function(names: dict[str, Any], dotted: str) -> FunctionType | None:
    """The plain function that a name stands for, under its decorators."""
    root, *rest = dotted.split(".")
    value: Any = names.get(root)
    for part in rest:
        value = getattr(value, part, None)
    while value is not None and not isinstance(value, FunctionType):
        value = getattr(value, "__func__", None) or getattr(value, "__wrapped__", None)
    return value


def _agree(source: CodeType, loaded: CodeType, loader: object) -> bool:
    """Tell whether code was loaded from this source.

    Other loaders than Python's own may have rewritten it (pytest does, for assertions), so that only what it needs of
    the source is compared: the names and the texts.
    """
    if source.co_name != loaded.co_name:
        return True  # A decorator put another function in its place; that one's digest is kept.
    if type(loader) is SourceFileLoader:
        return list(code_parts(source)) == list(code_parts(loaded))
    return _words(source) <= _words(loaded)


def _words(code: CodeType) -> set[str]:
    words = {*code.co_names, *code.co_varnames}
    for constant in code.co_consts:
        if isinstance(constant, str):
            words.add(constant)
        elif isinstance(constant, CodeType):
            words |= _words(constant)
    return words
