"""What a handler that catches everything does with the exception by which a run suspends, fails or aborts.

The ways through the handler are followed as that exception takes them: of ``if isinstance(error, Exception)`` the
``else``. It may be wrong in one direction only: a way of which it is not certain counts as one that lets it pass.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from enum import Enum, auto

import attrs

from flowgraph.compiler import FunctionNode, Names
from flowgraph.lint.analysis.durable import own_nodes
from flowgraph.lint.analysis.exceptions import is_for_failures
from flowgraph.lint.analysis.questions import Answer, Question
from flowgraph.lint.analysis.swallowing import may_raise


class Way(Enum):
    """How one way through code ends for the exception."""

    PASSES = auto()
    """It is raised again, or handed to somebody who can."""
    TURNS = auto()
    """Another exception is raised in its place."""
    LEAVES = auto()
    """The handler is left without it."""
    STOPS = auto()
    """A loop inside the handler ends, or begins its next pass."""
    GOES_ON = auto()


Ways = frozenset[Way]
_PASSES = frozenset({Way.PASSES})
_GOES_ON = frozenset({Way.GOES_ON})


def ways_through(handler: ast.ExceptHandler, function: FunctionNode, names: Names) -> Ways:
    """How the ways through a handler end; without `PASSES`, which is as it should be."""
    search = _Search(handler, function, names, Question(handler, names))
    return search.of(handler.body) - _PASSES


@attrs.frozen(eq=False)
class _Search:
    handler: ast.ExceptHandler
    function: FunctionNode
    names: Names
    question: Question

    def of(self, body: Iterable[ast.stmt]) -> Ways:
        found = _GOES_ON
        for statement in body:
            if Way.GOES_ON not in found:
                break
            found = (found - _GOES_ON) | self._statement(statement)
        return found

    def _statement(self, node: ast.stmt) -> Ways:
        match node:
            case ast.Raise():
                return self._raise(node)
            case ast.Break() | ast.Continue():
                return frozenset({Way.STOPS})
            case ast.If(test=test, body=body, orelse=orelse):
                return _PASSES if self._may_raise(test) else self._choice(self.question.of(test), body, orelse)
            case ast.Match():
                return self._match(node)
            case ast.For() | ast.AsyncFor() | ast.While():
                return self._loop(node)
            case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
                return _PASSES if any(map(self._may_raise, items)) else self.of(body)
            case ast.Try() | ast.TryStar():
                return self._try(node)
        if self._may_raise(node):
            return _PASSES
        return frozenset({Way.LEAVES}) if isinstance(node, ast.Return) else _GOES_ON

    def _may_raise(self, node: ast.AST) -> bool:
        return any(may_raise(one, self.handler, self.function, self.names) for one in own_nodes([node]))

    def _raise(self, node: ast.Raise) -> Ways:
        """Another exception is one that is made here, of a class for failures; any other may be the one caught."""
        raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        turns = raised is not None and is_for_failures(raised, self.names)
        return frozenset({Way.TURNS}) if turns else _PASSES

    def _choice(self, answer: Answer, body: list[ast.stmt], orelse: list[ast.stmt]) -> Ways:
        match answer:
            case Answer.YES:
                return self.of(body)
            case Answer.NO:
                return self.of(orelse)
            case Answer.EITHER:
                return self.of(body) | self.of(orelse)
        return _doubtful(self.of(body) | self.of(orelse))

    def _match(self, node: ast.Match) -> Ways:
        found: Ways = frozenset()
        for case in node.cases:
            answer = self.question.of_case(node.subject, case)
            if answer is not Answer.NO:
                found |= self.of(case.body)
            if answer is Answer.YES:
                return _doubtful(found)
        return _doubtful(found | _GOES_ON)

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While) -> Ways:
        found = self.of(node.body)
        if Way.PASSES in found:
            return _PASSES
        is_endless = isinstance(node, ast.While) and isinstance(node.test, ast.Constant) and bool(node.test.value)
        if is_endless and not any(isinstance(one, ast.Break) for one in own_nodes(node.body)):
            return found - {Way.STOPS, Way.GOES_ON} or _PASSES
        return (found - {Way.STOPS}) | self.of(node.orelse) | _GOES_ON

    def _try(self, node: ast.Try | ast.TryStar) -> Ways:
        """The handlers inside are for what else goes wrong; of those it matters only whether the code goes on."""
        found = self.of([*node.body, *node.orelse])
        for handler in node.handlers:
            found |= self.of(handler.body) - {Way.LEAVES, Way.TURNS}
        final = self.of(node.finalbody)
        return found | (final - _GOES_ON) if Way.GOES_ON in final else final


def _doubtful(found: Ways) -> Ways:
    """The ways of which it is not known which one the exception takes."""
    return _PASSES if Way.PASSES in found else found
