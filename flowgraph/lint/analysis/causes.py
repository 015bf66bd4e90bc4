"""Why a name is another one each time: the call in it, or in what it is made of, that gives another value."""

from __future__ import annotations

import ast

import attrs

from flowgraph.compiler import Defined, Foreign, FunctionNode, Names, Value
from flowgraph.lint.analysis.durable import own_nodes
from flowgraph.lint.analysis.varying import is_mostly_the_same, varying
from flowgraph.lint.module import step_call

_DEEPEST = 8
_OF_TEXT = frozenset({"format", "join", "replace", "strftime"})


@attrs.frozen(eq=False)
class Cause:
    """The call that gives another value each time."""

    name: str
    node: ast.AST
    names: Names


def cause_of(
    expression: ast.expr, names: Names, function: FunctionNode | None, hidden: frozenset[str] = frozenset()
) -> Cause | None:
    """The first call by which an expression is another one in each process; None where there is none.

    Args:
        expression: the name of a step.
        names: those of the scope that it is in.
        function: the function around it.
        hidden: the names that mean something else there, since a lambda or a comprehension binds them.
    """
    return _Search(names, function, hidden).cause(expression)


@attrs.frozen(eq=False)
class _Search:
    """A search for what varies, among the names of one function; `hidden` ones mean something else."""

    names: Names
    function: FunctionNode | None
    hidden: frozenset[str] = frozenset()
    depth: int = 0

    def cause(self, expression: ast.expr) -> Cause | None:
        """The first call in an expression that varies, here or where its parts come from."""
        stack: list[ast.AST] = [expression]
        while stack and self.depth < _DEEPEST:
            node = stack.pop()
            if isinstance(node, ast.Lambda):
                continue
            if isinstance(node, ast.Call) and step_call(node, self.names, self.function) is not None:
                continue  # Its result is saved.
            if (found := self._at(node)) is not None:
                return found
            if isinstance(node, ast.Call) and not self._makes_it_of_its_arguments(node):
                stack.append(node.func)
                continue
            stack += reversed(list(ast.iter_child_nodes(node)))
        return None

    def _makes_it_of_its_arguments(self, node: ast.Call) -> bool:
        """Tell whether a call gives another text for other arguments: a function of a library, or one of texts."""
        if isinstance(self.names.meaning_of(node.func), Foreign):
            return True
        if isinstance(node.func, ast.Attribute):
            return node.func.attr in _OF_TEXT
        return isinstance(node.func, ast.Name) and not self.names.binds(node.func.id)

    def _at(self, node: ast.AST) -> Cause | None:
        if isinstance(node, ast.Name):
            return None if node.id in self.hidden else self._of_name(node)
        name = varying(node, self.names)
        if name is not None and not is_mostly_the_same(name):
            return Cause(name.removeprefix("builtins."), node, self.names)
        return self._of_call(node) if isinstance(node, ast.Call) else None

    def _of_name(self, node: ast.Name) -> Cause | None:
        meaning = self.names.meaning_of(node)
        if not isinstance(meaning, Value):
            return None
        scope = meaning.names.node
        function = scope if isinstance(scope, FunctionNode) else None
        return _Search(meaning.names, function, depth=self.depth + 1).cause(meaning.node)

    def _of_call(self, node: ast.Call) -> Cause | None:
        called = self.names.meaning_of(node.func)
        if not isinstance(called, Defined) or called.member or called.node.decorator_list:
            return None
        names = called.names.of_function(called.node, called.owner)
        inside = _Search(names, called.node, depth=self.depth + 1)
        given = [
            one.value for one in own_nodes(called.node.body) if isinstance(one, ast.Return) and one.value is not None
        ]
        return next((found for value in given if (found := inside.cause(value)) is not None), None)
