"""The functions that a call calls before its result is used: its own, and those that it is given for that."""

from __future__ import annotations

import ast

from flowgraph.compiler import Names
from flowgraph.lint.analysis.origins import listed, origin

_BY_POSITION = {
    "builtins.map": 0, "builtins.filter": 0, "functools.reduce": 0, "itertools.starmap": 0, "itertools.takewhile": 0,
    "itertools.dropwhile": 0, "itertools.filterfalse": 0, "itertools.groupby": 1, "itertools.accumulate": 1,
    "heapq.nlargest": 2, "heapq.nsmallest": 2,
}  # fmt: skip
_BY_KEY = listed("""
    builtins.sorted builtins.min builtins.max itertools.groupby heapq.nlargest heapq.nsmallest heapq.merge
    """)


def functions_called(node: ast.Call, names: Names) -> list[ast.expr]:
    """The functions that run with a call, as they are written: ``f`` and ``g`` of ``f(x)`` and ``sorted(x, key=g)``."""
    name = origin(node.func, names) or ""
    found = [node.func, *node.args[_BY_POSITION[name] :][:1]] if name in _BY_POSITION else [node.func]
    if name in _BY_KEY or _sorts(node.func):
        found += [keyword.value for keyword in node.keywords if keyword.arg == "key"]
    return found


def _sorts(function: ast.expr) -> bool:
    """Tell whether it is the method of a list, whatever the list is."""
    return isinstance(function, ast.Attribute) and function.attr == "sort"
