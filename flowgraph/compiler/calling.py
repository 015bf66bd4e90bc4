"""Expressions as regions: what happens when they are evaluated, in the order in which Python does it.

What a call means is asked of the names (`bindings`). A helper is translated once, and its calls share that. An
awaitable that is made and not awaited at once is a task beside what follows: it may run at any time until its scope
ends.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import attrs
import libcst as cst

from flowgraph.compiler import words
from flowgraph.compiler.assigning import bound, names_given, parameters, targets
from flowgraph.compiler.bindings import Class, Defined, Foreign, Meaning, Names, Value, is_builtin, is_generator
from flowgraph.compiler.reading import Reading
from flowgraph.compiler.regions import (
    NOTHING,
    Arm,
    Bind,
    Branch,
    Call,
    Loop,
    Parallel,
    Region,
    Spawn,
    Step,
    Unknown,
    has_effect,
    has_steps,
    results,
    sequence,
    settled,
)
from flowgraph.compiler.syntax import inside
from flowgraph.compiler.templates import Template
from flowgraph.model.graph import Span


class Calling(Reading):
    """Translates the expressions of one function."""

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

    @staticmethod
    def _branch(subject: str, arms: list[Arm], span: Span) -> list[Region]:
        if any(has_effect(arm.body) for arm in arms):
            return [Branch(subject, tuple(arms), span)]
        return settled([arm.body for arm in arms])

    # Calls ------------------------------------------------------------------------------------------------------------

    def _call(self, node: cst.Call, *, awaited: bool) -> list[Region]:
        if (elements := self._mapped(node)) is not None:
            return self._value(elements)
        span = self._places.span(node, self._at)
        meaning = self._called(node)
        if isinstance(meaning, Foreign):
            kind = words.step_kind(meaning.name)
            if kind is not None:
                return self._spawned(self._step(node, kind, span), span, awaited or kind in words.WITHOUT_NAME)
            if (regions := self._library_call(node, meaning.name, span, awaited=awaited)) is not None:
                return regions
            return self._handed_over(node, span)
        if isinstance(meaning, Defined):
            return self._defined_call(node, meaning, span, awaited=awaited)
        inner = self._meaning(node.func.func) if isinstance(node.func, cst.Call) else None
        if isinstance(inner, Defined) and inner.member == "named":  # fetch_data.named("…")(url)
            named: Any = node.func
            return self._decorated(node, inner, self._name_in(named.args), span, awaited=awaited) or []
        if isinstance(node.func, cst.Attribute) and self._is_group(node.func):
            return self._spawned(self._awaited(node.args[0].value) if node.args else [], span, awaited=False)
        if (called := self._function(node.func)) is not None:  # What partial() made.
            return [*self._value(node.func), *self._arguments(node), *self._spawned([called], span, awaited)]
        return [
            *self._value(node.func),
            *self._handed_over(node, span),
            *self._out_of_sight(node, meaning, span, awaited),
        ]

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

    def _is_group(self, func: cst.Attribute) -> bool:
        return (
            isinstance(func.value, cst.Name) and func.value.value in self._groups and func.attr.value == "create_task"
        )

    def _arguments(self, node: cst.Call) -> list[Region]:
        return [region for argument in node.args for region in self._value(argument.value)]

    def _mapped(self, node: cst.BaseExpression) -> cst.GeneratorExp | None:
        """``map(function, items)`` as the generator ``(function(item) for item in items)``; None for anything else."""
        match node:
            case cst.Call(func=cst.Name("map"), args=[cst.Arg(function, None, star=""), cst.Arg(items, None, star="")]):
                if not is_builtin("map", self.names):
                    return None
            case _:
                return None
        target = cst.Name("item")
        element: cst.BaseExpression = cst.Call(function, [cst.Arg(target)])
        match function:
            case cst.Lambda(params=cst.Parameters(params=[cst.Param(name=target)]), body=element):
                pass
            case cst.Lambda():
                return None
        return cst.GeneratorExp(element, cst.CompFor(target, items))

    def _handed_over(self, node: cst.Call, span: Span) -> list[Region]:
        """The arguments of a call that is not followed. A function with steps among them may be called by it."""
        regions: list[Region] = []
        for argument in node.args:
            regions += self._value(argument.value)
            function = self._function(argument.value)
            if function is not None and has_steps(function):
                regions.append(Unknown(f"{self._text(node.func)}() may call {self._text(argument.value)}", span))
        return regions

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
        if name == words.PARTIAL:
            return self._arguments(node)
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
            value: Any = self._mapped(argument.value) or argument.value
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
        function = meaning.names.unit.function(meaning.node, meaning.names, meaning.owner, meaning.receiver)
        if function.body is not None and not has_effect(function.body):
            return NOTHING
        if is_generator(meaning.node) and (function.body is None or has_steps(function.body)):
            return Unknown(f"{function.name}() yields between its steps", span)
        return Call(function, span, function.body is None, tuple(arguments))

    def _decorated(
        self, node: cst.Call, meaning: Defined, name: Template | None, span: Span, *, awaited: bool
    ) -> list[Region] | None:
        """A call of a function under ``@step("name")``; None where it is not decorated so."""
        decorator = words.step_decorator(meaning) if meaning.member in ("", "named") else None
        if decorator is None:
            return None
        arguments = self._arguments(node)
        if name is None and meaning.member == "named":
            return arguments  # A step under another name, which is called later.
        step = self._step_of(meaning, decorator, name, span)
        step = attrs.evolve(step, uses=names_given(self._ast(node)), made_by=results(arguments))
        return [*arguments, *self._spawned([step], span, awaited)]

    def _step_of(self, meaning: Defined, decorator: ast.Call, name: Template | None, span: Span) -> Step:
        """What a call of a decorated function does."""
        if name is None and decorator.args:
            name = meaning.names.template(decorator.args[0])
        self._note(name)
        body = self._helper(attrs.evolve(meaning, member=""), span)
        options = tuple((keyword.arg or "**", ast.unparse(keyword.value)) for keyword in decorator.keywords)
        return Step("step", name, span, body, options, span, handler=meaning.node.name)

    # Steps ------------------------------------------------------------------------------------------------------------

    def _step(self, node: cst.Call, kind: str, span: Span) -> list[Region]:
        """The arguments of a step call, then the step."""
        call = self._ast(node)
        name_node, handler = words.name_and_handler(call, kind)
        before: list[Region] = []
        body: Region = NOTHING
        for argument, value in zip(node.args, _values_of(call), strict=True):
            if value is handler:
                body = self._handler_body(argument.value)
            else:
                before += self._value(argument.value)
        name = None if name_node is None else self._named(name_node)
        options = tuple(
            (keyword.arg, ast.unparse(keyword.value))
            for keyword in call.keywords
            if keyword.arg is not None and keyword.value not in (name_node, handler)
        )
        paired = self._places.pair(node) is not None
        name_span = span if name_node is None or not paired else self._unit.span(name_node)
        uses = names_given(call) | self._captured(handler)
        written = "" if handler is None else ast.unparse(handler)
        rest = tuple(ast.unparse(argument) for argument in call.args if argument not in (name_node, handler))
        return [*before, Step(kind, name, span, body, options, name_span, uses, results(before), written, rest)]

    def _captured(self, handler: ast.expr | None) -> frozenset[str]:
        """The names that a handler defined inside this function takes from it."""
        meaning = None if handler is None else self.names.meaning_of(handler)
        if not isinstance(meaning, Defined) or meaning.names.node is not self.names.node:
            return frozenset()
        return names_given(meaning.node) - self.names.of_function(meaning.node).bound

    def _handler_body(self, handler: cst.BaseExpression) -> Region:
        """What a handler does when it is called."""
        function = self._function(handler)
        if function is not None:
            return function
        if isinstance(handler, cst.Call):
            return Unknown("the handler is what a call returns", self._places.span(handler, self._at))
        if self._may_have_steps(self._ast(handler), frozenset()):
            text = f"which function {self._text(handler)} is cannot be said"
            return Unknown(text, self._places.span(handler, self._at))
        return NOTHING

    # Functions that are not called here -------------------------------------------------------------------------------

    def _function(self, node: cst.BaseExpression) -> Region | None:
        """What a function does when it is called that an expression stands for; None for any other expression."""
        if isinstance(node, cst.Lambda):
            return sequence(self._awaited(node.body))
        if isinstance(node, cst.Call):
            meaning = self._meaning(node.func)
            is_partial = isinstance(meaning, Foreign) and meaning.name == words.PARTIAL and node.args
            return self._function(node.args[0].value) if is_partial else None
        return self._function_meant(self._meaning(node))

    def _function_meant(self, meaning: Meaning | None) -> Region | None:
        match meaning:
            case Defined(member=""):
                decorator = words.step_decorator(meaning)
                if decorator is not None:
                    return self._step_of(meaning, decorator, None, self._at)
                region = self._helper(meaning, self._at)
                return region if has_effect(region) else NOTHING
            case Foreign(name=name) if words.step_kind(name) is not None:
                return Unknown(f"{name.removeprefix('flowgraph.')}() is not called where it is written", self._at)
            case Value(node=ast.Lambda(body=body), names=names) if self._has_steps(body, names):
                return Unknown("the steps of a lambda that has a name cannot be followed", self._at)
            case Value(node=ast.Call(func=func, args=[first, *_]), names=names):
                made = names.meaning_of(func)
                if isinstance(made, Foreign) and made.name == words.PARTIAL:
                    return self._function_meant(names.meaning_of(first))
        return None

    def _may_have_steps(self, node: ast.expr, around: frozenset[str]) -> bool:
        """Tell whether a function with steps is among those that an expression may stand for."""
        for inner in ast.walk(node):
            if not isinstance(inner, ast.Name | ast.Attribute):
                continue
            meaning = self.names.meaning_of(inner)
            work = self._function_meant(meaning)
            if work is not None and has_steps(work):
                return True
            values = [meaning.node] if isinstance(meaning, Value) else self._given(inner)
            name = inner.id if isinstance(inner, ast.Name) else ""
            if name not in around and any(self._may_have_steps(value, around | {name}) for value in values):
                return True
        return False

    def _given(self, node: ast.expr) -> list[ast.expr]:
        """All values that a name of this function is given."""
        if not isinstance(node, ast.Name) or isinstance(self.names.node, ast.Module):
            return []
        return self._assigned.get(node.id, [])

    @cached_property
    def _assigned(self) -> dict[str, list[ast.expr]]:
        """The values that each name of this function is given; looked for once, whatever asks."""
        found: dict[str, list[ast.expr]] = {}
        for one in ast.walk(self.names.node):
            if isinstance(one, ast.Assign | ast.AnnAssign) and one.value is not None:
                for target in one.targets if isinstance(one, ast.Assign) else [one.target]:
                    if isinstance(target, ast.Name):
                        found.setdefault(target.id, []).append(one.value)
        return found

    def _has_steps(self, node: ast.expr, names: Names) -> bool:
        """Tell whether a step, or a function with steps, is called anywhere in an expression."""
        calls = [one.func for one in ast.walk(node) if isinstance(one, ast.Call)]
        works = [self._function_meant(names.meaning_of(func)) for func in calls]
        return any(work is not None and has_steps(work) for work in works)


def _values_of(call: ast.Call) -> list[ast.expr]:
    """The arguments of a call in the order of the source, which is that of LibCST."""
    values = [*call.args, *(keyword.value for keyword in call.keywords)]
    return sorted(values, key=lambda value: (value.lineno, value.col_offset))
