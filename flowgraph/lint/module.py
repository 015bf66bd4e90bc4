"""What rules ask about one file: its workflows, the calls of the language in it, and where each of its nodes stands."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property

import attrs

from flowgraph.compiler import Defined, Flow, Foreign, FunctionNode, Names, Template, Unit, words
from flowgraph.lint.settings import Settings


@attrs.frozen(eq=False, slots=False)
class StepCall:
    """A call of the language anywhere in a file, whether a workflow reaches it or not.

    Attributes:
        node: the call.
        kind: what it calls: step, map, sleep, listen, fail, abort … ; "step" for a function under ``@step`` as well.
        names: the names of the scope that it is in.
        function: the function around it; None at the top of the file.
        decorated: the function under ``@step`` that it calls; None for ``step("name", …)`` and the other words.
        name_node: the name as an expression; None where none is given by position.
        handler: the handler as an expression, for the kinds that have one.
    """

    node: ast.Call
    kind: str
    names: Names
    function: FunctionNode | None
    decorated: Defined | None = None
    name_node: ast.expr | None = None
    handler: ast.expr | None = None

    @cached_property
    def template(self) -> Template | None:
        """The name as text with holes."""
        return None if self.name_node is None else self.names.template(self.name_node)

    def option(self, name: str) -> ast.expr | None:
        """The value of a keyword argument; None where it is not given."""
        return next((keyword.value for keyword in self.node.keywords if keyword.arg == name), None)


class Module:
    """One file that is checked."""

    def __init__(self, unit: Unit, settings: Settings) -> None:
        self.unit = unit
        self.settings = settings

    @property
    def path(self) -> str:
        """The file, as it was given."""
        return self.unit.path

    @cached_property
    def flows(self) -> tuple[Flow, ...]:
        """The workflows that are defined in the file, compiled."""
        return tuple(self.unit.flows())

    @cached_property
    def calls(self) -> tuple[StepCall, ...]:
        """All calls of the language in the file, in the order of the source."""
        found = list(_calls(self.unit))
        found.sort(key=lambda call: (call.node.lineno, call.node.col_offset))
        return tuple(found)

    @cached_property
    def _parents(self) -> dict[ast.AST, ast.AST]:
        return {child: node for node in ast.walk(self.unit.tree) for child in ast.iter_child_nodes(node)}

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes that a node is inside, from the nearest outwards."""
        while (parent := self._parents.get(node)) is not None:
            yield parent
            node = parent


def scopes(unit: Unit) -> Iterator[tuple[ast.AST, Names, FunctionNode | None]]:
    """All nodes of a file, each with the names of the scope that it is evaluated in, and the function around it."""
    stack: list[tuple[ast.AST, Names, FunctionNode | None, ast.ClassDef | None]] = [(unit.tree, unit.names, None, None)]
    while stack:
        node, names, function, owner = stack.pop()
        yield node, names, function
        if not isinstance(node, FunctionNode):
            inside = node if isinstance(node, ast.ClassDef) else owner
            stack += [(child, names, function, inside) for child in ast.iter_child_nodes(node)]
            continue
        outside = [*node.decorator_list, node.args, *([node.returns] if node.returns else [])]
        stack += [(child, names, function, owner) for child in outside]
        inner = names.of_function(node, owner)
        stack += [(child, inner, node, None) for child in node.body]


def _calls(unit: Unit) -> Iterator[StepCall]:
    for node, names, function in scopes(unit):
        if isinstance(node, ast.Call) and (call := step_call(node, names, function)) is not None:
            yield call


def step_call(node: ast.Call, names: Names, function: FunctionNode | None) -> StepCall | None:
    """A call as one of the language; None for any other."""
    meaning = names.meaning_of(node.func)
    if isinstance(meaning, Foreign):
        kind = words.step_kind(meaning.name)
        return None if kind is None else _word(node, kind, names, function)
    if isinstance(meaning, Defined) and not meaning.member:
        decorator = words.step_decorator(meaning)
        if decorator is not None:
            name = decorator.args[0] if decorator.args else None
            return StepCall(node, "step", names, function, meaning, name)
    return None


def _word(node: ast.Call, kind: str, names: Names, function: FunctionNode | None) -> StepCall:
    plain = [None if isinstance(argument, ast.Starred) else argument for argument in node.args]
    if None in plain:
        plain = plain[: plain.index(None)]
    name = plain[0] if plain and kind not in words.WITHOUT_NAME else None
    handler = plain[1] if len(plain) > 1 and kind in words.WITH_HANDLER else None
    return StepCall(node, kind, names, function, None, name, handler)
