"""Which classes take the exceptions by which a run suspends, fails and aborts, and which are for failures."""

from __future__ import annotations

import ast
import builtins

from flowgraph.compiler import Class, Foreign, Names, Value
from flowgraph.lint.analysis.origins import origin

EVERYTHING = "builtins.BaseException"
FAILURES = "builtins.Exception"

_TAKING = frozenset({EVERYTHING, "builtins.object", "flowgraph.runtime.halt.RunHalted"})
_PERHAPS = frozenset({"builtins.BaseExceptionGroup"})
"""A task group wraps what it raises in one."""

_NAMES_OF_FAILURES = ("Error", "Exception", "Failed", "Timeout", "Warning")
_DEEPEST = 12


def takes_halts(node: ast.expr, names: Names, depth: int = 0) -> bool | None:
    """Tell whether a class, or one of a tuple of them, takes the exceptions that end a run; None if it is not known.

    Nothing outside of flowgraph can be a base of theirs but the builtins.
    """
    if depth > _DEEPEST:
        return None
    if isinstance(node, ast.Tuple):
        found = {takes_halts(one, names, depth + 1) for one in node.elts}
        return True if True in found else None if None in found else False
    meaning = names.meaning_of(node)
    match meaning:
        case Value():
            return takes_halts(meaning.node, meaning.names, depth + 1)
        case Class():
            return False
    full = origin(node, names)
    if full is None or full in _PERHAPS:
        return None
    return full in _TAKING or (False if _is_class(full) else None)


def is_for_failures(node: ast.expr, names: Names, depth: int = 0) -> bool:
    """Tell whether a class is an `Exception` for certain, or by its name."""
    if depth > _DEEPEST:
        return False
    meaning = names.meaning_of(node)
    if isinstance(meaning, Class):
        return any(is_for_failures(base, meaning.names, depth + 1) for base in meaning.node.bases)
    full = origin(node, names)
    if full is None:
        return False
    if (known := _builtin(full)) is not None:
        return issubclass(known, Exception)
    return isinstance(meaning, Foreign) and full.endswith(_NAMES_OF_FAILURES)


def takes_failures(node: ast.expr | None, names: Names) -> bool:
    """Tell whether an ``except`` of a class, or of several, leaves no `Exception` to those behind it."""
    if isinstance(node, ast.Tuple):
        return any(takes_failures(one, names) for one in node.elts)
    return node is None or origin(node, names) in (FAILURES, EVERYTHING)


def takes_everything(node: ast.expr | None, names: Names) -> bool:
    """Tell whether an ``except`` of a class, or of several, catches whatever is raised."""
    if isinstance(node, ast.Tuple):
        return any(takes_everything(one, names) for one in node.elts)
    return node is None or origin(node, names) == EVERYTHING


def _is_class(full: str) -> bool:
    last = full.rpartition(".")[2]
    return _builtin(full) is not None or (last[:1].isupper() and not last.isupper())


def _builtin(full: str) -> type[BaseException] | None:
    found = getattr(builtins, full.removeprefix("builtins."), None) if full.startswith("builtins.") else None
    return found if isinstance(found, type) and issubclass(found, BaseException) else None
