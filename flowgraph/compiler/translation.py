"""From the concrete syntax tree of a function to its regions: the LibCST pass.

Expressions are walked in the order in which Python evaluates them, so a step stands where it is called. What a call
means is asked of the names (`bindings`). A helper is translated once, and its calls share that. An awaitable that is
made and not awaited at once is a task beside what follows: it may run at any time until its scope ends.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import libcst as cst

from flowgraph.compiler import words
from flowgraph.compiler.assigning import assigned, bound, captured, names_given, parameters, targets
from flowgraph.compiler.bindings import Class, Defined, Foreign, FunctionNode, Meaning, Names, Value, is_builtin
from flowgraph.compiler.places import Places
from flowgraph.compiler.regions import (
    NOTHING,
    Arm,
    Bind,
    Branch,
    Call,
    Exit,
    Group,
    Handler,
    Loop,
    Parallel,
    Region,
    Spawn,
    Step,
    Try,
    Unknown,
    has_effect,
    results,
    sequence,
    settled,
)
from flowgraph.compiler.syntax import inside, walk
from flowgraph.compiler.templates import Template
from flowgraph.compiler.terms import term_of
from flowgraph.model.graph import Span

if TYPE_CHECKING:
    from flowgraph.compiler.units import Unit

_EVERYTHING = frozenset({"Exception", "BaseException"})
_LONGEST_LABEL = 80


class Translation:
    """Translates one function."""

    def __init__(self, unit: Unit, node: FunctionNode, names: Names, owner: ast.ClassDef | None) -> None:
        self._unit = unit
        self.names = names.of_function(node, owner)
        self._tree = unit.tree_of(node)
        self._places = Places(unit, self._tree, node)
        self._at = self._places.whole
        self._groups: set[str] = set()
        self._foreign: set[str] = set()
        """Names of what ``with`` gives of a library's objects."""
        self.changed: set[str] = set()
        """The objects in the names of steps whose contents matter."""

    def body(self) -> Region:
        """The function's body. A plain function hands the awaitable that it returns to its caller."""
        return self._block(self._tree.body)

    # Statements -------------------------------------------------------------------------------------------------------

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

    @staticmethod
    def _branch(subject: str, arms: list[Arm], span: Span) -> list[Region]:
        if any(has_effect(arm.body) for arm in arms):
            return [Branch(subject, tuple(arms), span)]
        return settled([arm.body for arm in arms])

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
        orelse = self._block(node.orelse.body) if node.orelse is not None else NOTHING
        final = self._block(node.finalbody.body) if node.finalbody is not None else NOTHING
        region = Try(body, handlers, orelse, final, span)
        if has_effect(region):
            return [region]
        ways = [sequence([body, orelse]), *(handler.body for handler in handlers)]
        return [*settled(ways), *settled([final])]

    def _handler(self, handler: cst.ExceptHandler | cst.ExceptStarHandler) -> Handler:
        span = self._places.span(handler, self._at)
        label = "except" if handler.type is None else f"except {self._text(handler.type)}"
        everything = handler.type is None or self._text(handler.type) in _EVERYTHING
        body = self._block(handler.body)
        if handler.name is not None:
            body = sequence([*(captured(name, span) for name in _names_in(handler.name.name)), body])
        return Handler(label, body, span, everything)

    def _with(self, node: cst.With, span: Span) -> list[Region]:
        opened: list[Region] = []
        groups, suppresses = False, False
        for item in node.items:
            opened += self._value(item.item)
            if self._is_from_elsewhere(item.item) and item.asname is not None:
                self._foreign.update(_names_in(item.asname.name))
            if item.asname is not None:
                opened += [captured(name, span) for name in _names_in(item.asname.name)]
            meaning = self._meaning(item.item.func) if isinstance(item.item, cst.Call) else None
            if isinstance(meaning, Foreign) and meaning.name == words.TASK_GROUP:
                groups = True
                if item.asname is not None:
                    self._groups.update(_names_in(item.asname.name))
            suppresses = suppresses or (isinstance(meaning, Foreign) and meaning.name == words.SUPPRESS)
        body = self._block(node.body)
        if groups:
            body = Group(body, span)
        if suppresses and has_effect(body):
            handler = Handler(f"with {self._text(node.items[0].item)}", NOTHING, span, everything=False)
            body = Try(body, (handler,), NOTHING, NOTHING, span)
        return [*opened, body]

    # Expressions ------------------------------------------------------------------------------------------------------

    def _values(self, node: cst.CSTNode) -> list[Region]:
        return [region for child in inside(node) for region in self._value(child)]

    def _value(self, node: cst.CSTNode) -> list[Region]:
        """What happens when an expression is evaluated, in order."""
        match node:
            case cst.Await():
                return self._awaited(node.expression)
            case cst.Call():
                return self._call(node, awaited=False)
            case cst.Lambda() | cst.Name():
                return []
            case cst.IfExp():
                arms = [Arm("yes", sequence(self._value(node.body))), Arm("no", sequence(self._value(node.orelse)))]
                return [*self._value(node.test), *self._branch(self._text(node.test), arms, self._at)]
            case cst.BooleanOperation():
                right = sequence(self._value(node.right))
                both = isinstance(node.operator, cst.And)
                arms = [Arm("yes", right if both else NOTHING), Arm("no", NOTHING if both else right)]
                return [*self._value(node.left), *self._branch(self._text(node.left), arms, self._at)]
            case cst.ListComp() | cst.SetComp() | cst.GeneratorExp():
                return self._comprehension(node.elt, node.for_in)
            case cst.DictComp():
                return self._comprehension(node, node.for_in)
            case cst.NamedExpr(target=target, value=value):
                regions = self._value(value)
                return [*regions, *bound(self._ast(target), self._ast(value), self._at, results(regions))]
        return self._values(node)

    def _comprehension(self, element: Any, clause: cst.CompFor, *, concurrent: bool = False) -> list[Region]:
        """The loops of a comprehension; with `concurrent` its elements are awaitables that run side by side."""
        if isinstance(element, cst.DictComp):
            inner = [*self._value(element.key), *self._value(element.value)]
        else:
            inner = self._awaited(element) if concurrent else self._value(element)
        return self._clause(clause, inner)

    def _clause(self, clause: cst.CompFor, inner: list[Region]) -> list[Region]:
        if clause.inner_for_in is not None:
            inner = self._clause(clause.inner_for_in, inner)
        for condition in reversed(clause.ifs):
            arms = [Arm("yes", sequence(inner)), Arm("no", NOTHING)]
            inner = [*self._value(condition.test), *self._branch(self._text(condition.test), arms, self._at)]
        items = self._value(clause.iter)
        if not has_effect(sequence(inner)):
            return items
        body = sequence([*targets(self._ast(clause.target), self._ast(clause.iter), self._at), *inner])
        header = f"for {self._text(clause.target)} in {self._text(clause.iter)}"
        return [*items, Loop(header, NOTHING, body, NOTHING, self._at)]

    def _awaited(self, node: cst.BaseExpression) -> list[Region]:
        """What happens when an expression is evaluated, and its awaitable awaited."""
        match node:
            case cst.Call():
                return self._call(node, awaited=True)
            case cst.IfExp():
                arms = [Arm("yes", sequence(self._awaited(node.body))), Arm("no", sequence(self._awaited(node.orelse)))]
                return [*self._value(node.test), *self._branch(self._text(node.test), arms, self._at)]
        return self._value(node)

    # Calls ------------------------------------------------------------------------------------------------------------

    def _call(self, node: cst.Call, *, awaited: bool) -> list[Region]:
        span = self._places.span(node, self._at)
        meaning = self._called(node)
        if isinstance(meaning, Foreign):
            kind = words.step_kind(meaning.name)
            if kind is not None:
                return self._spawned(self._step(node, kind, span), span, awaited or kind in words.WITHOUT_NAME)
            if (regions := self._library_call(node, meaning.name, span, awaited=awaited)) is not None:
                return regions
            return self._arguments(node)
        if isinstance(meaning, Defined):
            return self._defined_call(node, meaning, span, awaited=awaited)
        inner = self._meaning(node.func.func) if isinstance(node.func, cst.Call) else None
        if isinstance(inner, Defined) and inner.member == "named":  # fetch_data.named("…")(url)
            named: Any = node.func
            return self._decorated(node, inner, self._name(named.args), span, awaited=awaited) or []
        if isinstance(node.func, cst.Attribute) and self._is_group(node.func):
            return self._spawned(self._awaited(node.args[0].value) if node.args else [], span, awaited=False)
        return [*self._value(node.func), *self._arguments(node), *self._out_of_sight(node, meaning, span, awaited)]

    def _called(self, node: cst.Call) -> Meaning | None:
        """What is called: a name, or a method of what is made there."""
        meaning = self._meaning(node.func)
        if meaning is None and isinstance(node.func, cst.Attribute):
            return self.names.meaning_of(self._ast(node).func)
        return meaning

    def _out_of_sight(self, node: cst.Call, meaning: Meaning | None, span: Span, awaited: bool) -> list[Region]:
        """What is awaited there may have steps, and it cannot be said what it is."""
        if not awaited or isinstance(meaning, Class) or self._is_from_elsewhere(node.func):
            return []
        if isinstance(node.func, cst.Name) and meaning is None and is_builtin(node.func.value, self.names):
            return []
        made = meaning.node if isinstance(meaning, Value) else None
        if isinstance(made, ast.Call) and isinstance(self.names.meaning_of(made.func), Foreign):
            return []
        return [Unknown(f"{self._text(node.func)}() cannot be followed", span, awaited=True)]

    def _is_from_elsewhere(self, func: cst.BaseExpression) -> bool:
        """Tell whether it is a method of what a library's function gives: that knows no steps."""
        while isinstance(func, cst.Attribute):
            func = func.value
        if isinstance(func, cst.Call):
            return isinstance(self._meaning(func.func), Foreign) or self._is_from_elsewhere(func.func)
        return isinstance(func, cst.Name) and func.value in self._foreign

    def _is_group(self, func: cst.Attribute) -> bool:
        return (
            isinstance(func.value, cst.Name) and func.value.value in self._groups and func.attr.value == "create_task"
        )

    def _arguments(self, node: cst.Call) -> list[Region]:
        return [region for argument in node.args for region in self._value(argument.value)]

    @staticmethod
    def _spawned(regions: list[Region], span: Span, awaited: bool) -> list[Region]:
        body = sequence(regions)
        if awaited or not has_effect(body):
            return regions
        return [Spawn(body, span)]

    def _library_call(self, node: cst.Call, name: str, span: Span, *, awaited: bool) -> list[Region] | None:
        """A call of asyncio that runs awaitables; None for any other."""
        if name in words.GATHERING:
            branches = self._branches(node)
            if not any(map(has_effect, branches)):
                return []
            side_by_side = [region for region in branches if has_effect(region)]
            body: list[Region] = side_by_side if len(branches) == 1 else [Parallel(tuple(side_by_side), span)]
            return self._spawned(body, span, awaited)
        if not node.args:
            return None
        first, *others = (argument.value for argument in node.args)
        if name in words.PASSING:
            passed = self._awaited(first) if awaited else self._value(first)
            return [*(region for other in others for region in self._value(other)), *passed]
        if name in words.SPAWNING:
            return self._spawned(self._awaited(first), span, awaited)
        return None

    def _branches(self, node: cst.Call) -> list[Region]:
        branches: list[Region] = []
        for argument in node.args:
            value: Any = argument.value
            if isinstance(value, cst.ListComp | cst.SetComp | cst.GeneratorExp):
                branches.append(sequence(self._comprehension(value.elt, value.for_in, concurrent=True)))
            elif isinstance(value, cst.List | cst.Tuple | cst.Set):
                branches += [sequence(self._awaited(element.value)) for element in value.elements]
            elif argument.keyword is None:
                branches.append(sequence(self._awaited(value)))
        return branches

    def _defined_call(self, node: cst.Call, meaning: Defined, span: Span, *, awaited: bool) -> list[Region]:
        decorated = self._decorated(node, meaning, None, span, awaited=awaited)
        if decorated is not None:
            return decorated
        if meaning.member:
            return self._arguments(node)
        values = [self._value(argument.value) for argument in node.args]
        given = parameters(meaning, self._ast(node), self.names, list(map(results, values)), span)
        call = self._helper(meaning, span, given)
        is_awaitable = isinstance(meaning.node, ast.AsyncFunctionDef)
        regions = [region for value in values for region in value]
        return [*regions, *self._spawned([call], span, awaited or not is_awaitable)]

    def _helper(self, meaning: Defined, span: Span, arguments: Iterable[Bind] = ()) -> Region:
        function = meaning.names.unit.function(meaning.node, meaning.names, meaning.owner)
        if function.body is not None and not has_effect(function.body):
            return NOTHING
        return Call(function, span, function.body is None, tuple(arguments))

    def _decorated(
        self, node: cst.Call, meaning: Defined, name: Template | None, span: Span, *, awaited: bool
    ) -> list[Region] | None:
        """A call of a function under ``@step("name")``; None where it is not decorated so."""
        decorator = words.step_decorator(meaning) if meaning.member in ("", "named") else None
        if decorator is None:
            return None
        arguments = self._arguments(node)
        if name is None:
            if meaning.member == "named":
                return arguments  # A step under another name, which is called later.
            if decorator.args:
                name = meaning.names.template(decorator.args[0])
        body = self._helper(attrs.evolve(meaning, member=""), span)
        options = tuple((keyword.arg or "**", ast.unparse(keyword.value)) for keyword in decorator.keywords)
        call = self._ast(node)
        self._note(name)
        step = Step("step", name, span, body, options, span, names_given(call), results(arguments))
        return [*arguments, *self._spawned([step], span, awaited)]

    # Steps ------------------------------------------------------------------------------------------------------------

    def _step(self, node: cst.Call, kind: str, span: Span) -> list[Region]:
        """The arguments of a step call, then the step."""
        positional = [argument for argument in node.args if argument.keyword is None and not argument.star]
        before: list[Region] = []
        body: Region = NOTHING
        for number, argument in enumerate(node.args):
            if kind in words.WITH_HANDLER and number == 1 and argument in positional:
                body = self._handler_body(argument.value)
            else:
                before += self._value(argument.value)
        name = None if kind in words.WITHOUT_NAME else self._name(node.args)
        call = self._ast(node)
        options = tuple(
            (keyword.arg, ast.unparse(keyword.value)) for keyword in call.keywords if keyword.arg is not None
        )
        paired = self._places.pair(node) is not None
        name_span = self._unit.span(call.args[0]) if name is not None and paired else span
        uses = names_given(call) | self._captured(call)
        return [*before, Step(kind, name, span, body, options, name_span, uses, results(before))]

    def _captured(self, call: ast.Call) -> frozenset[str]:
        """The names that a handler defined inside this function takes from it."""
        found: set[str] = set()
        for argument in call.args[1:2]:
            meaning = self.names.meaning_of(argument)
            if isinstance(meaning, Defined) and meaning.names.node is self.names.node:
                inner = self.names.of_function(meaning.node).bound
                found |= names_given(meaning.node) - inner
        return frozenset(found)

    def _handler_body(self, handler: cst.BaseExpression) -> Region:
        """What a handler does when it is called."""
        if isinstance(handler, cst.Lambda):
            return sequence(self._awaited(handler.body))
        if isinstance(handler, cst.Call):
            meaning = self._meaning(handler.func)
            if isinstance(meaning, Foreign) and meaning.name == words.PARTIAL and handler.args:
                return self._handler_body(handler.args[0].value)
            return Unknown("the handler is what a call returns", self._places.span(handler, self._at))
        meaning = self._meaning(handler)
        if isinstance(meaning, Defined) and not meaning.member:
            region = self._helper(meaning, self._at)
            return region if has_effect(region) else NOTHING
        return NOTHING

    def _name(self, arguments: Sequence[cst.Arg]) -> Template | None:
        if not arguments or arguments[0].keyword is not None or arguments[0].star:
            return None
        name = self.names.template(self._ast(arguments[0].value))
        self._note(name)
        return name

    def _note(self, name: Template | None) -> None:
        """Remember the objects whose contents are in a name."""
        for hole in name.holes if name is not None else ():
            self.changed.update(one for one in hole.term.names if one.endswith(".*"))

    # Names ------------------------------------------------------------------------------------------------------------

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


_MODULE = cst.Module([])


def _fits_all(pattern: cst.MatchPattern) -> bool:
    """Tell whether a pattern is a name or ``_``, which everything fits."""
    return isinstance(pattern, cst.MatchAs) and pattern.pattern is None


def _names_in(target: cst.CSTNode) -> Iterable[str]:
    if isinstance(target, cst.Name):
        yield target.value
    elif not isinstance(target, cst.Attribute | cst.Subscript):
        for child in target.children:
            yield from _names_in(child)


def _captures(pattern: cst.CSTNode) -> Iterable[str]:
    """The names that a pattern gives values."""
    for node in walk(pattern):
        if isinstance(node, cst.MatchAs | cst.MatchStar) and node.name is not None:
            yield node.name.value
