"""One function as it is read: its two trees, its names, and how its expressions are written."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import libcst as cst

from flowgraph.compiler.bindings import Class, Foreign, FunctionNode, Meaning, Names
from flowgraph.compiler.places import Places
from flowgraph.compiler.templates import Template

if TYPE_CHECKING:
    from flowgraph.compiler.units import Unit

_LONGEST_LABEL = 80
_MODULE = cst.Module([])


class Reading:
    """A function, as LibCST and ``ast`` read it."""

    def __init__(
        self, unit: Unit, node: FunctionNode, names: Names, owner: ast.ClassDef | None, receiver: Class | None = None
    ) -> None:
        self._unit = unit
        self.names = names.of_function(node, owner, receiver)
        self._tree = unit.tree_of(node)
        self._places = Places(unit, self._tree, node)
        self._at = self._places.whole
        self._groups: set[str] = set()
        """Names of task groups."""
        self._foreign: set[str] = set()
        """Names of what ``with`` gives of a library's objects."""
        self.changed: set[str] = set()
        """The objects in the names of steps whose contents matter."""

    def _meaning(self, node: cst.CSTNode) -> Meaning | None:
        parts: list[str] = []
        while isinstance(node, cst.Attribute):
            parts.append(node.attr.value)
            node = node.value
        if not isinstance(node, cst.Name):
            return None
        parts.append(node.value)
        parts.reverse()
        return self._unit.project.followed(self.names.meaning(".".join(parts)), self._unit)

    def _ast(self, node: cst.CSTNode) -> Any:
        """The same node as `ast` has it."""
        pair = self._places.pair(node)
        return ast.parse(_MODULE.code_for_node(node).strip(), mode="eval").body if pair is None else pair

    def _text(self, node: cst.CSTNode) -> str:
        """How a node is written, on one line."""
        text = " ".join(_MODULE.code_for_node(node).split())
        return text if len(text) <= _LONGEST_LABEL else f"{text[: _LONGEST_LABEL - 1]}…"

    def _is_from_elsewhere(self, func: cst.BaseExpression) -> bool:
        """Tell whether it is a method of what a library's function gives: that knows no steps."""
        while isinstance(func, cst.Attribute):
            func = func.value
        if isinstance(func, cst.Call):
            return isinstance(self._meaning(func.func), Foreign) or self._is_from_elsewhere(func.func)
        return isinstance(func, cst.Name) and func.value in self._foreign

    def _named(self, name: ast.expr) -> Template:
        """A step's name as a template."""
        template = self.names.template(name)
        self._note(template)
        return template

    def _name_in(self, arguments: Sequence[cst.Arg]) -> Template | None:
        """The name that is the first of some arguments."""
        if not arguments or arguments[0].keyword is not None or arguments[0].star:
            return None
        return self._named(self._ast(arguments[0].value))

    def _note(self, name: Template | None) -> None:
        """Remember the objects whose contents are in a name."""
        for hole in name.holes if name is not None else ():
            self.changed.update(one for one in hole.term.names if one.endswith(".*"))


def names_in(target: cst.CSTNode) -> Iterable[str]:
    if isinstance(target, cst.Name):
        yield target.value
    elif not isinstance(target, cst.Attribute | cst.Subscript):
        for child in target.children:
            yield from names_in(child)
