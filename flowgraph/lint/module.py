"""What rules ask about one file: its workflows, the calls of the language in it, and where each of its nodes stands."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property
from typing import Any, TypeVar

import attrs

from flowgraph.compiler import Defined, Flow, Foreign, FunctionNode, Names, Template, Unit, words
from flowgraph.lint.nodes import children
from flowgraph.lint.settings import Settings

N = TypeVar("N", bound=ast.AST)
_KEPT = (ast.stmt, ast.Call, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
"""The kinds of nodes that rules ask for; there are ten times as many of the others."""


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
        if self.name_node is None:
            return None
        return (self.names if self._is_named_here else self._home).template(self.name_node)

    @property
    def is_decorator(self) -> bool:
        """Whether it only makes a decorator: ``step("name")``, without a handler."""
        return self.kind == "step" and self.decorated is None and len(self.node.args) < 2 and not _unpacks(self.node)

    @property
    def _is_named_here(self) -> bool:
        return self.decorated is None or isinstance(self.node.func, ast.Call)

    @property
    def _home(self) -> Names:
        return self.names if self.decorated is None else self.decorated.names

    @property
    def place(self) -> ast.expr:
        """Where a finding about it is: its name, or the whole call where the name is written elsewhere."""
        return self.name_node if self.name_node is not None and self._is_named_here else self.node

    @property
    def step(self) -> str | None:
        """Its name with holes, for a finding; None where it has none."""
        return None if self.template is None else str(self.template)

    @property
    def label(self) -> str:
        """Its name as it stands in a message, in quotes; the word of the language where it has none."""
        if self.template is None:
            return "step" if self.kind == "step" else f"step.{self.kind}"
        return f'"{self.template}"'

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
        made = (step_call(node, names, function) for node, names, function in self.each(ast.Call))
        found = [call for call in made if call is not None and _root(call.node.func) not in self.hidden(call.node)]
        found.sort(key=lambda call: (call.node.lineno, call.node.col_offset))
        return tuple(found)

    @cached_property
    def _calls_by_node(self) -> dict[ast.AST, StepCall]:
        return {call.node: call for call in self.calls}

    def call_at(self, node: ast.AST) -> StepCall | None:
        """The call of the language that a node is; None where it is none."""
        return self._calls_by_node.get(node)

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes that a node is inside, from the nearest outwards."""
        while (parent := self._nodes.parents.get(node)) is not None:
            yield parent
            node = parent

    @cached_property
    def _nodes(self) -> _Nodes:
        return _Nodes(self.unit)

    def each(self, kind: type[N]) -> Iterator[tuple[N, Names, FunctionNode | None]]:
        """The statements, calls, lambdas or comprehensions of one kind, in no certain order.

        Each comes with the names of the scope, and the function, that it is in.
        """
        yield from self._nodes.by_kind.get(kind, ())

    def functions(self) -> Iterator[tuple[FunctionNode, Names, FunctionNode | None]]:
        """The functions of the file, in no certain order, with the names and the function around each."""
        yield from self.each(ast.FunctionDef)
        yield from self.each(ast.AsyncFunctionDef)

    def workflow_of(self, node: ast.AST) -> str | None:
        """The name of the workflow in whose function a node is; None where it is in none."""
        return next((self._workflows[one] for one in (node, *self.around(node)) if one in self._workflows), None)

    @cached_property
    def _workflows(self) -> dict[ast.AST, str]:
        return {source.node: source.workflow for source in self.unit.workflows()}

    def hidden(self, node: ast.AST) -> frozenset[str]:
        """The names that lambdas and comprehensions around a node bind; `Names` has those of functions only."""
        found: set[str] = set()
        for parent in self.around(node):
            if isinstance(parent, FunctionNode):
                break
            if isinstance(parent, ast.Lambda):
                found.update(argument.arg for argument in ast.walk(parent.args) if isinstance(argument, ast.arg))
            for generator in getattr(parent, "generators", ()):
                found.update(one.id for one in ast.walk(generator.target) if isinstance(one, ast.Name))
        return frozenset(found)

    def scope_of(self, node: ast.AST) -> ast.AST:
        """The innermost function, lambda, class or module that a node is evaluated in; defaults belong outside."""
        inside = node
        for parent in self.around(node):
            if isinstance(parent, ast.ClassDef | ast.Module):
                return parent
            if isinstance(parent, FunctionNode) and inside in parent.body:
                return parent
            if isinstance(parent, ast.Lambda) and inside is parent.body:
                return parent
            inside = parent
        return self.unit.tree


class _Nodes:
    """The nodes of a file: what each is in, and those of the kinds that are asked for, with their scopes."""

    def __init__(self, unit: Unit) -> None:
        self.parents: dict[ast.AST, ast.AST] = {}
        self.by_kind: dict[type[ast.AST], list[tuple[Any, Names, FunctionNode | None]]] = {}
        for node, names, function, inside in _walk(unit):
            self.parents.update(dict.fromkeys(inside, node))
            if isinstance(node, _KEPT):
                self.by_kind.setdefault(type(node), []).append((node, names, function))


def _walk(unit: Unit) -> Iterator[tuple[ast.AST, Names, FunctionNode | None, list[ast.AST]]]:
    """All nodes of a file, each with the names and the function of the scope that it is evaluated in, and its children.

    What belongs to a function but not to its body is evaluated in the scope around it.
    """
    stack: list[tuple[ast.AST, Names, FunctionNode | None, ast.ClassDef | None]] = [(unit.tree, unit.names, None, None)]
    while stack:
        node, names, function, owner = stack.pop()
        inside = children(node)
        yield node, names, function, inside
        if not isinstance(node, FunctionNode):
            of_class = node if isinstance(node, ast.ClassDef) else owner
            stack += [(child, names, function, of_class) for child in inside]
            continue
        inner, body = names.of_function(node, owner), set(node.body)
        stack += [(child, inner, node, None) if child in body else (child, names, function, owner) for child in inside]


def _root(node: ast.expr) -> str:
    """The name that an expression begins with."""
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return node.id if isinstance(node, ast.Name) else ""


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
    return _renamed(node, names, function) if isinstance(node.func, ast.Call) else None


def _renamed(node: ast.Call, names: Names, function: FunctionNode | None) -> StepCall | None:
    """``fetch_data.named("…")(url)``: a step under another name."""
    named = node.func
    if not isinstance(named, ast.Call) or not isinstance(named.func, ast.Attribute):
        return None
    meaning = names.meaning_of(named.func)
    if not isinstance(meaning, Defined) or meaning.member != "named" or words.step_decorator(meaning) is None:
        return None
    name = named.args[0] if named.args and not _unpacks(named) else None
    return StepCall(node, "step", names, function, meaning, name)


def _word(node: ast.Call, kind: str, names: Names, function: FunctionNode | None) -> StepCall:
    name, handler = words.name_and_handler(node, kind)
    return StepCall(node, kind, names, function, None, name, handler)


def _unpacks(node: ast.Call) -> bool:
    return any(isinstance(argument, ast.Starred) for argument in node.args)
