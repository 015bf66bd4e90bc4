"""Where the nodes of a function are written.

LibCST finds positions by writing the whole module again, which takes three times as long as parsing it. ``ast`` has
them already, so the nodes of both trees are paired: each list of statements, of handlers and of calls is in the order
of the source. Calls inside f-strings are left out, since their positions are wrong before Python 3.12.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import libcst as cst

from flowgraph.compiler.bindings import FunctionNode
from flowgraph.compiler.syntax import walk
from flowgraph.model.graph import Span

if TYPE_CHECKING:
    from flowgraph.compiler.units import Unit


class Places:
    """The spans of the statements, handlers and calls of one function."""

    def __init__(self, unit: Unit, function: cst.FunctionDef, paired: FunctionNode) -> None:
        self.whole = unit.span(paired)
        self._unit = unit
        self._pairs: dict[int, Any] = {}
        self._kept: list[cst.CSTNode] = []  # While a node lives, no other has its id.
        for nodes, others in zip(_collected(function), _in_order(paired), strict=True):
            if len(nodes) == len(others):
                self._kept += nodes
                self._pairs.update((id(node), other) for node, other in zip(nodes, others, strict=True))

    def pair(self, node: cst.CSTNode) -> Any:
        """The same node as `ast` has it; None for one inside an f-string."""
        return self._pairs.get(id(node))

    def span(self, node: cst.CSTNode, otherwise: Span | None = None) -> Span:
        """Where a node is; `otherwise`, or the whole function, for one inside an f-string."""
        pair = self._pairs.get(id(node))
        return otherwise or self.whole if pair is None else self._unit.span(pair)


def _collected(function: cst.FunctionDef) -> tuple[list[cst.CSTNode], list[cst.CSTNode], list[cst.CSTNode]]:
    statements: list[cst.CSTNode] = []
    handlers: list[cst.CSTNode] = []
    calls: list[cst.CSTNode] = []
    for node in walk(function):
        if isinstance(node, cst.Call):
            calls.append(node)
        elif isinstance(node, cst.BaseSmallStatement | cst.BaseCompoundStatement):
            statements.append(node)
        elif isinstance(node, cst.ExceptHandler | cst.ExceptStarHandler):
            handlers.append(node)
    return statements, handlers, calls


def _in_order(function: ast.AST) -> tuple[list[Any], list[Any], list[Any]]:
    statements: list[Any] = []
    handlers: list[Any] = []
    calls: list[Any] = []
    for node in _walk(function):
        if isinstance(node, ast.stmt):
            statements.append(node)
        elif isinstance(node, ast.ExceptHandler):
            handlers.append(node)
        elif isinstance(node, ast.Call):
            calls.append(node)
    for nodes in (statements, handlers, calls):
        nodes.sort(key=lambda node: (node.lineno, node.col_offset, -node.end_lineno, -node.end_col_offset))
    return statements, handlers, calls


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    stack = [node]
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, ast.JoinedStr):
            stack.extend(ast.iter_child_nodes(node))
