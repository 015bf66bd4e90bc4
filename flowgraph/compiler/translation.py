"""From the concrete syntax tree of a function to its regions: the LibCST pass.

Here are the statements; expressions, where the steps are, are translated in `calling`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from typing import Any

import libcst as cst

from flowgraph.compiler import words
from flowgraph.compiler.assigning import assigned, captured, targets
from flowgraph.compiler.bindings import Defined, Foreign
from flowgraph.compiler.calling import Calling
from flowgraph.compiler.managers import may_swallow
from flowgraph.compiler.reading import names_in
from flowgraph.compiler.regions import (
    NOTHING,
    Arm,
    Bind,
    Branch,
    Exit,
    Group,
    Handler,
    Loop,
    Region,
    Try,
    has_effect,
    has_steps,
    results,
    sequence,
    settled,
)
from flowgraph.compiler.syntax import walk
from flowgraph.compiler.terms import term_of
from flowgraph.model.graph import Span

_EVERYTHING = frozenset({"Exception", "BaseException"})


class Translation(Calling):
    """Translates one function."""

    def body(self) -> Region:
        """The function's body. A plain function hands the awaitable that it returns to its caller."""
        return self._block(self._tree.body)

    def _block(self, block: cst.BaseSuite | None) -> Region:
        if block is None:
            return NOTHING
        statements: list[Any] = []
        for line in block.body:
            statements += line.body if isinstance(line, cst.SimpleStatementLine) else [line]
        return sequence([region for statement in statements for region in self._statement(statement)])

    def _statement(self, node: Any) -> list[Region]:
        self._at = span = self._places.span(node, self._at)
        match node:
            case cst.FunctionDef() | cst.ClassDef():
                return [region for decorator in node.decorators for region in self._value(decorator.decorator)]
            case cst.Return():
                return self._return(node, span)
            case cst.Raise():
                return [*self._values(node), Exit("raise", self._text(node), span)]
            case cst.Break():
                return [Exit("break", "break", span)]
            case cst.Continue():
                return [Exit("continue", "continue", span)]
            case cst.If():
                return self._if(node, span)
            case cst.For():
                return self._for(node, span)
            case cst.While():
                return self._while(node, span)
            case cst.Try() | cst.TryStar():
                return self._try(node, span)
            case cst.With():
                return self._with(node, span)
            case cst.Match():
                return self._match(node, span)
        regions = self._values(node)
        return [*regions, *assigned(self._places.pair(node), self.names, span, results(regions))]

    def _return(self, node: cst.Return, span: Span) -> list[Region]:
        regions = self._returned(node.value) if node.value is not None else []
        pair = self._places.pair(node)
        value = Bind("return", term_of(None if pair is None else pair.value), span, results(regions))
        return [*regions, Exit("return", self._text(node), span, value)]

    def _returned(self, value: cst.BaseExpression) -> list[Region]:
        """A plain function may return the awaitable of a step, which its caller awaits."""
        return self._value(value) if self._tree.asynchronous is not None else self._awaited(value)

    def _if(self, node: cst.If, span: Span) -> list[Region]:
        """An if, with its elifs as further arms; one whose condition has steps is a branch inside the last arm."""
        test = self._value(node.test)
        tests = [node.test]
        bodies = [self._block(node.body)]
        rest = node.orelse
        while isinstance(rest, cst.If) and not has_effect(condition := sequence(self._value(rest.test))):
            tests.append(rest.test)
            bodies.append(sequence([condition, self._block(rest.body)]))
            rest = rest.orelse
        if isinstance(rest, cst.If):
            otherwise = sequence(self._statement(rest))
        else:
            otherwise = self._block(rest.body) if rest is not None else NOTHING
        if len(tests) == 1:
            arms = [Arm("yes", bodies[0]), Arm("no", otherwise)]
            return [*test, *self._branch(self._text(node.test), arms, span)]
        arms = [Arm(self._text(condition), body) for condition, body in zip(tests, bodies, strict=True)]
        return [*test, *self._branch("", [*arms, Arm("else", otherwise)], span)]

    def _match(self, node: cst.Match, span: Span) -> list[Region]:
        return [*self._value(node.subject), *self._cases(node, node.cases, span)]

    def _cases(self, node: cst.Match, cases: Sequence[cst.MatchCase], span: Span) -> list[Region]:
        """The arms of a match. Where a guard has steps, the cases after it are drawn for either way to them."""
        arms: list[Arm] = []
        for number, case in enumerate(cases):
            guard = [] if case.guard is None else self._value(case.guard)
            captures = [captured(name, span) for name in _captures(case.pattern)]
            body = sequence([*captures, self._block(case.body)])
            if has_effect(sequence(guard)) and case.guard is not None:
                rest = sequence(self._cases(node, cases[number + 1 :], span))
                ways = [Arm("yes", body), Arm("no", rest)]
                guarded = Branch(self._text(case.guard), tuple(ways), span)
                arms.append(Arm(self._text(case.pattern), sequence([*guard, guarded])))
                return self._arms(node, arms, None if _fits_all(case.pattern) else rest, span)
            label = self._text(case.pattern) + (f" if {self._text(case.guard)}" if case.guard is not None else "")
            arms.append(Arm(label, body))
            if case.guard is None and _fits_all(case.pattern):
                return self._arms(node, arms, None, span)
        return self._arms(node, arms, NOTHING, span)

    def _arms(self, node: cst.Match, arms: list[Arm], rest: Region | None, span: Span) -> list[Region]:
        otherwise = [] if rest is None else [Arm("otherwise", rest)]
        return self._branch(self._text(node.subject), arms + otherwise, span)

    def _for(self, node: cst.For, span: Span) -> list[Region]:
        items = self._value(node.iter)
        pair = self._places.pair(node)
        each = [] if pair is None else targets(pair.target, pair.iter, span)
        body = sequence([*each, self._block(node.body)])
        orelse = self._block(node.orelse.body) if node.orelse is not None else NOTHING
        awaits = "async " if node.asynchronous is not None else ""
        header = f"{awaits}for {self._text(node.target)} in {self._text(node.iter)}"
        loop = Loop(header, NOTHING, body, orelse, span)
        return [*items, loop] if has_effect(loop) else [*items, *settled([body, NOTHING]), *settled([orelse])]

    def _while(self, node: cst.While, span: Span) -> list[Region]:
        test = sequence(self._value(node.test))
        body = self._block(node.body)
        orelse = self._block(node.orelse.body) if node.orelse is not None else NOTHING
        text = self._text(node.test)
        loop = Loop(f"while {text}", test, body, orelse, span, endless=text in {"True", "1"})
        return [loop] if has_effect(loop) else settled([sequence([test, body, orelse]), NOTHING])

    def _try(self, node: cst.Try | cst.TryStar, span: Span) -> list[Region]:
        body = self._block(node.body)
        handlers = tuple(self._handler(handler) for handler in node.handlers)
        if isinstance(node, cst.TryStar) and len(handlers) > 1:
            handlers = (_one_after_the_other(handlers),)
        orelse = self._block(node.orelse.body) if node.orelse is not None else NOTHING
        final = self._block(node.finalbody.body) if node.finalbody is not None else NOTHING
        region = Try(body, handlers, orelse, final, span)
        if has_effect(region):
            return [region]
        ways = [sequence([body, orelse]), *(handler.body for handler in handlers)]
        return [*settled(ways), *settled([final])]

    def _handler(self, handler: cst.ExceptHandler | cst.ExceptStarHandler) -> Handler:
        span = self._places.span(handler, self._at)
        word = "except*" if isinstance(handler, cst.ExceptStarHandler) else "except"
        label = word if handler.type is None else f"{word} {self._text(handler.type)}"
        everything = handler.type is None or self._text(handler.type) in _EVERYTHING
        body = self._block(handler.body)
        if handler.name is not None:
            body = sequence([*(captured(name, span) for name in names_in(handler.name.name)), body])
        return Handler(label, body, span, everything)

    def _with(self, node: cst.With, span: Span) -> list[Region]:
        opened: list[Region] = []
        closed: list[Region] = []
        groups, suppresses = False, False
        for item in node.items:
            opened += self._value(item.item)
            if self._is_from_elsewhere(item.item) and item.asname is not None:
                self._foreign.update(names_in(item.asname.name))
            if item.asname is not None:
                opened += [captured(name, span) for name in names_in(item.asname.name)]
            meaning = self._meaning(item.item.func) if isinstance(item.item, cst.Call) else None
            if isinstance(meaning, Foreign) and meaning.name == words.TASK_GROUP:
                groups = True
                if item.asname is not None:
                    self._groups.update(names_in(item.asname.name))
            suppresses = suppresses or may_swallow(self._ast(item.item), self.names)
            opened += self._method_of(item.item, ("__enter__", "__aenter__"), span)
            closed += self._method_of(item.item, ("__exit__", "__aexit__"), span)
        body = self._block(node.body)
        if groups:
            body = Group(body, span)
        if suppresses and has_effect(body):
            handler = Handler(f"with {self._text(node.items[0].item)}", NOTHING, span, everything=False)
            body = Try(body, (handler,), NOTHING, NOTHING, span)
        if closed:
            body = Try(body, (), NOTHING, sequence(closed[::-1]), span)
        return [*opened, body]

    def _method_of(self, manager: cst.BaseExpression, methods: Iterable[str], span: Span) -> list[Region]:
        """What a context manager of the project does itself, where that has steps."""
        expression = self._ast(manager)
        found = (self.names.meaning_of(ast.Attribute(expression, method, ast.Load())) for method in methods)
        calls = [self._helper(one, span) for one in found if isinstance(one, Defined)]
        return [call for call in calls if has_steps(call)]


def _one_after_the_other(handlers: Sequence[Handler]) -> Handler:
    """The clauses of an ``except*``: for one group of exceptions several may run, in their order."""
    ways = [Branch(handler.label, (Arm("yes", handler.body), Arm("no", NOTHING)), handler.span) for handler in handlers]
    everything = any(handler.everything for handler in handlers)
    return Handler("except*", sequence(list[Region](ways)), handlers[0].span, everything)


def _fits_all(pattern: cst.MatchPattern) -> bool:
    """Tell whether a pattern is a name or ``_``, which everything fits."""
    return isinstance(pattern, cst.MatchAs) and pattern.pattern is None


def _captures(pattern: cst.CSTNode) -> Iterable[str]:
    """The names that a pattern gives values."""
    for node in walk(pattern):
        if isinstance(node, cst.MatchAs | cst.MatchStar) and node.name is not None:
            yield node.name.value
