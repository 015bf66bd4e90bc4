"""The workflows of a file, as facts that rules about the whole project compare: names, places, and what they start."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import TypedDict

from flowgraph.compiler import Defined, Foreign, FunctionNode, Names, Unit, words
from flowgraph.lint.analysis.durable import own_nodes
from flowgraph.lint.analysis.handlers import function_of
from flowgraph.lint.module import Module, StepCall, step_call
from flowgraph.model.graph import Span

_STARTING = frozenset({"execute_workflow", "start_workflow"})
_MOST_FUNCTIONS = 2_000


class Place(TypedDict):
    """Where something is, as JSON."""

    path: str
    line: int
    column: int
    end_line: int
    end_column: int


class Definition(TypedDict):
    """A workflow.

    `name` is None where it is known in a run only. `file` is the name of its file, without folders, since a file is
    given by several paths. `guarded` says that it stands in an ``if`` or a ``try``, `local` that it is in a function.
    """

    name: str | None
    function: str
    file: str
    place: Place
    guarded: bool
    local: bool


class Start(TypedDict):
    """A child that a workflow starts: by a function of a file, or by its name alone."""

    name: str | None
    function: str | None
    file: str | None
    step: str | None
    place: Place


def definitions(module: Module) -> list[Definition]:
    """The workflows of a file."""
    unit = module.unit
    found: list[Definition] = []
    for source in unit.workflows():
        defined = Defined(source.node, source.names, source.owner)
        around = list(module.around(source.node))
        found.append(
            {
                "name": name_of(defined),
                "function": source.node.name,
                "file": PurePath(unit.path).name,
                "place": place(unit, _head(unit, source.node)),
                "guarded": any(isinstance(node, ast.If | ast.Try | ast.Match) for node in around),
                "local": any(isinstance(node, FunctionNode) for node in around),
            }
        )
    return found


def is_workflow(meaning: object) -> bool:
    """Tell whether what a name stands for is a function under ``@workflow``."""
    return isinstance(meaning, Defined) and not meaning.member and _decorator(meaning) is not None


def starts(module: Module) -> list[list[Start]]:
    """What each of the workflows of a file starts, in their order."""
    defined = [Defined(source.node, source.names, source.owner) for source in module.unit.workflows()]
    return [[_start(call) for call in _started(workflow)] for workflow in defined]


def name_of(function: Defined) -> str | None:
    """The name of a workflow; None for a function that is none, and where the name is not known."""
    decorator = _decorator(function)
    given = {keyword.arg: keyword.value for keyword in getattr(decorator, "keywords", ())}
    if decorator is None or None in given:
        return None
    return function.names.template(given["name"]).text if "name" in given else function.node.name


def _decorator(function: Defined) -> ast.expr | None:
    for decorator in function.node.decorator_list:
        meaning = function.names.meaning_of(decorator.func if isinstance(decorator, ast.Call) else decorator)
        if isinstance(meaning, Foreign) and words.is_workflow_decorator(meaning.name):
            return decorator
    return None


def place(unit: Unit, where: ast.AST | Span) -> Place:
    """A place of a file as JSON."""
    span = where if isinstance(where, Span) else unit.span(where)
    return {
        "path": unit.path,
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
    }


def _head(unit: Unit, node: FunctionNode) -> Span:
    """The place of ``async def name``."""
    span = unit.span(node)
    found = re.compile(rf"(async\s+)?def\s+{re.escape(node.name)}\b").match(unit.line(span.line), span.column - 1)
    return span if found is None else Span(span.line, span.column, span.line, found.end() + 1)


def _start(call: StepCall) -> Start:
    child = call.node.args[1]
    meaning = call.names.meaning_of(child)
    function = meaning if isinstance(meaning, Defined) and not meaning.member else None
    return {
        "name": call.names.template(child).text if function is None else None,
        "function": None if function is None else function.node.name,
        "file": None if function is None else PurePath(function.names.unit.path).name,
        "step": str(call.template or "") or None,
        "place": place(call.names.unit, call.node),
    }


def _started(workflow: Defined) -> Iterator[StepCall]:
    """The calls that start children, in a workflow, in what it calls, and in the handlers of its steps."""
    seen: set[ast.AST] = {workflow.node}
    names = workflow.names.of_function(workflow.node, workflow.owner)
    waiting: list[tuple[FunctionNode | ast.Lambda, Names]] = [(workflow.node, names)]
    while waiting:
        code, names = waiting.pop(0)
        body: list[ast.AST] = [code.body] if isinstance(code, ast.Lambda) else [*code.body]
        for node in own_nodes(body):
            if not isinstance(node, ast.Call):
                continue
            step = step_call(node, names, None)
            if step is not None and step.kind in _STARTING and len(node.args) > 1:
                yield step
            for inner, inner_names in _inside(node, step, names):
                if inner not in seen and len(seen) < _MOST_FUNCTIONS:
                    seen.add(inner)
                    waiting.append((inner, inner_names))


def _inside(node: ast.Call, step: StepCall | None, names: Names) -> Iterator[tuple[FunctionNode | ast.Lambda, Names]]:
    """The function that a call runs: the handler of a step, or what is called."""
    called = names.meaning_of(node.func) if step is None else step.decorated
    if isinstance(called, Defined) and (step is not None or not called.member):
        yield called.node, called.names.of_function(called.node, called.owner)
    if step is not None and step.handler is not None and (found := function_of(step.handler, names)) is not None:
        yield found
