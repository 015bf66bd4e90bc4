"""What the tests in a handler say of the exception by which a run suspends, fails or aborts."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from enum import Enum, auto
from functools import cached_property

import attrs

from flowgraph.compiler import Names
from flowgraph.lint.analysis.exceptions import takes_halts
from flowgraph.lint.analysis.origins import origin


class Answer(Enum):
    """Whether a test is true for the exception."""

    YES = auto()
    NO = auto()
    EITHER = auto()
    """The test does not ask about the exception, and can be true or false for it."""
    UNKNOWN = auto()
    """The test may ask about the exception."""


_OPPOSITE = {Answer.YES: Answer.NO, Answer.NO: Answer.YES}
_OF_BOOL = {True: Answer.YES, False: Answer.NO, None: Answer.UNKNOWN}


@attrs.frozen(eq=False, slots=False)
class Question:
    """The tests of one handler."""

    handler: ast.ExceptHandler
    names: Names

    def of(self, test: ast.expr) -> Answer:
        """The answer to a test."""
        match test:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self.of(operand)
                return _OPPOSITE.get(inner, inner)
            case ast.BoolOp(op=op, values=values):
                return _all(map(self.of, values)) if isinstance(op, ast.And) else _any(map(self.of, values))
            case ast.Call(args=[ast.Name(id=name), classes]) if self._is_caught(name) and self._is_isinstance(test):
                return _OF_BOOL[takes_halts(classes, self.names)]
        return Answer.UNKNOWN if self._may_ask(test) else Answer.EITHER

    def of_case(self, subject: ast.expr, case: ast.match_case) -> Answer:
        """The answer to a case of a ``match``."""
        if not isinstance(subject, ast.Name) or not self._is_caught(subject.id):
            return Answer.UNKNOWN
        answer = self._of_pattern(case.pattern)
        return answer if case.guard is None else _all([answer, Answer.UNKNOWN])

    def _of_pattern(self, pattern: ast.pattern) -> Answer:
        match pattern:
            case ast.MatchAs(pattern=None):
                return Answer.YES
            case ast.MatchAs(pattern=ast.pattern() as inner):
                return self._of_pattern(inner)
            case ast.MatchOr(patterns=patterns):
                return _any(map(self._of_pattern, patterns))
            case ast.MatchClass(cls=cls, patterns=inside, kwd_patterns=named):
                answer = _OF_BOOL[takes_halts(cls, self.names)]
                return _all([answer, Answer.UNKNOWN]) if inside or named else answer
        return Answer.UNKNOWN

    def _is_caught(self, name: str) -> bool:
        return name == self.handler.name

    def _is_isinstance(self, call: ast.Call) -> bool:
        return origin(call.func, self.names) == "builtins.isinstance"

    def _may_ask(self, test: ast.expr) -> bool:
        """Tell whether a test knows of the exception: by its name, by one that the handler gives a value, or a call."""
        for node in ast.walk(test):
            if isinstance(node, ast.Call | ast.Await) or (isinstance(node, ast.Name) and node.id in self._given):
                return True
        return False

    @cached_property
    def _given(self) -> set[str]:
        stores = {node.id for node in ast.walk(self.handler) if isinstance(node, ast.Name) and _is_store(node)}
        return stores | ({self.handler.name} if self.handler.name is not None else set())


def _is_store(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


def _all(answers: Iterable[Answer]) -> Answer:
    """The answer to ``one and other``."""
    return _first({*answers}, Answer.NO, Answer.UNKNOWN, Answer.EITHER, Answer.YES)


def _any(answers: Iterable[Answer]) -> Answer:
    """The answer to ``one or other``."""
    return _first({*answers}, Answer.YES, Answer.UNKNOWN, Answer.EITHER, Answer.NO)


def _first(answers: set[Answer], *order: Answer) -> Answer:
    return next(one for one in order if one in answers)
