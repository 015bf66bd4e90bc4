"""Items of lists and dicts that are written out: which values an expression chooses among."""

from __future__ import annotations

import ast

from flowgraph.compiler import Names, Value

_MOST_ALIASES = 20


def chosen_from(node: ast.expr, names: Names) -> list[tuple[ast.expr, Names]]:
    """The values that ``table[key]`` or ``table.get(key)`` may be, each with the names around it.

    It is one value where the key is known; none where the node chooses nothing, or the table is not written out.
    """
    match node:
        case ast.Subscript(value=table, slice=key):
            pass
        case ast.Call(func=ast.Attribute(value=table, attr="get"), args=[key, *_]):
            pass
        case _:
            return []
    found = _display(table, names)
    return [] if found is None else [(value, found[1]) for value in _values(found[0], key)]


def _display(node: ast.expr, names: Names) -> tuple[ast.Dict | ast.List | ast.Tuple, Names] | None:
    """The display that an expression is, behind names."""
    for _ in range(_MOST_ALIASES):
        if isinstance(node, ast.Dict | ast.List | ast.Tuple):
            return node, names
        meaning = names.meaning_of(node)
        if not isinstance(meaning, Value):
            return None
        node, names = meaning.node, meaning.names
    return None


def _values(display: ast.Dict | ast.List | ast.Tuple, key: ast.expr) -> list[ast.expr]:
    if not isinstance(display, ast.Dict):
        return display.elts
    if isinstance(key, ast.Constant):
        known = [value for one, value in zip(display.keys, display.values, strict=True) if _is_key(one, key)]
        if known:
            return known[-1:]
    return display.values


def _is_key(node: ast.expr | None, key: ast.Constant) -> bool:
    return isinstance(node, ast.Constant) and node.value == key.value
