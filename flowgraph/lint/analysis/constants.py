"""The values of expressions that are the same in every run: literals, names of constants, timedeltas."""

from __future__ import annotations

import ast
import math
from datetime import timedelta
from typing import Any, Final

from flowgraph.compiler import Foreign, Names, Value

UNKNOWN: Final = object()
"""Stands for the value of an expression that is known in a run only."""

_DEEPEST = 20
_CONSTANTS = {"math.inf": math.inf, "math.nan": math.nan}


def constant(node: ast.expr, names: Names, depth: int = 0) -> Any:
    """The value of an expression, or `UNKNOWN`.

    >>> from flowgraph.compiler import Unit
    >>> unit = Unit("x = -3", "example.py")
    >>> constant(ast.parse("x * 2", mode="eval").body, unit.names)
    -6
    """
    if depth > _DEEPEST:
        return UNKNOWN
    match node:
        case ast.Constant(value=value):
            return value
        case ast.List() | ast.Tuple() | ast.Set() | ast.Dict():
            return _display(node)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as op, operand=operand):
            value = constant(operand, names, depth + 1)
            return UNKNOWN if not _is_amount(value) else -value if isinstance(op, ast.USub) else value
        case ast.BinOp():
            return _operation(node, names, depth)
        case ast.Call():
            return _call(node, names, depth)
        case ast.Name() | ast.Attribute():
            return _named(node, names, depth)
    return UNKNOWN


def _display(node: ast.List | ast.Tuple | ast.Set | ast.Dict) -> Any:
    """An empty value of its kind: what is in it does not matter here."""
    kinds: dict[type[ast.expr], type] = {ast.List: list, ast.Tuple: tuple, ast.Set: set, ast.Dict: dict}
    return kinds[type(node)]()


def _is_amount(value: Any) -> bool:
    return isinstance(value, int | float | timedelta) and not isinstance(value, bool)


def _operation(node: ast.BinOp, names: Names, depth: int) -> Any:
    left, right = constant(node.left, names, depth + 1), constant(node.right, names, depth + 1)
    if not _is_amount(left) or not _is_amount(right):
        return UNKNOWN
    try:
        match node.op:
            case ast.Add():
                return left + right
            case ast.Sub():
                return left - right
            case ast.Mult() if _is_small(left) and _is_small(right):
                return left * right
            case ast.Div():
                return left / right
            case ast.FloorDiv():
                return left // right
    except (ArithmeticError, TypeError):
        return UNKNOWN
    return UNKNOWN


def _is_small(value: Any) -> bool:
    return not isinstance(value, int) or abs(value) < 1 << 64


def _call(node: ast.Call, names: Names, depth: int) -> Any:
    """``timedelta(minutes=5)`` and ``float("inf")``."""
    meaning = names.meaning_of(node.func)
    keywords = {keyword.arg or "**": constant(keyword.value, names, depth + 1) for keyword in node.keywords}
    given = [constant(argument, names, depth + 1) for argument in node.args]
    if "**" in keywords or any(value is UNKNOWN for value in (*given, *keywords.values())):
        return UNKNOWN
    is_float = isinstance(node.func, ast.Name) and node.func.id == "float" and not names.binds("float")
    is_timedelta = isinstance(meaning, Foreign) and meaning.name == "datetime.timedelta"
    kind: Any = timedelta if is_timedelta else float if is_float else None
    try:
        return UNKNOWN if kind is None else kind(*given, **keywords)
    except (ArithmeticError, TypeError, ValueError):
        return UNKNOWN


def _named(node: ast.expr, names: Names, depth: int) -> Any:
    meaning = names.meaning_of(node)
    if isinstance(meaning, Value):
        return constant(meaning.node, meaning.names, depth + 1)
    return _CONSTANTS.get(meaning.name, UNKNOWN) if isinstance(meaning, Foreign) else UNKNOWN
