"""What the compiler knows of the libraries that workflows are written with."""

from __future__ import annotations

import ast
import itertools
from typing import TYPE_CHECKING

from flowgraph.model.checkpoint import FAN_OUTS, PROGRESS, STEP
from flowgraph.model.graph import STEP_KINDS

if TYPE_CHECKING:
    from flowgraph.compiler.bindings import Defined

WITH_HANDLER = FAN_OUTS | {STEP}
WITHOUT_NAME = frozenset({"fail", "abort"})
POSITIONAL = frozenset({STEP, "execute_workflow", "start_workflow"})
"""The kinds whose name is given by position only, since their keywords are options or another function's."""

_WORDS = (STEP_KINDS - {STEP, "transaction"}) | WITHOUT_NAME
"""The attributes of `step` that are called in a workflow; each is a kind of node."""

_WORD_PLACES = ("flowgraph.step", "flowgraph.dsl.step", "flowgraph.dsl.step.step")
_WORKFLOW_PLACES = ("flowgraph.workflow", "flowgraph.dsl.workflow", "flowgraph.dsl.workflow.workflow")

GATHERING = frozenset({"asyncio.gather", "asyncio.wait", "asyncio.as_completed"})
"""Calls whose awaitable arguments run side by side."""

WAIT_FOR = "asyncio.wait_for"
PASSING = frozenset({"asyncio.shield", WAIT_FOR})
"""Calls that give back what their first argument gives."""

SPAWNING = frozenset({"asyncio.create_task", "asyncio.ensure_future"})
TASK_GROUP = "asyncio.TaskGroup"
SUPPRESS = "contextlib.suppress"
PARTIAL = "functools.partial"


def step_kind(name: str) -> str | None:
    """The kind of step that a full name calls; None for any other name.

    >>> step_kind("flowgraph.step.sleep"), step_kind("flowgraph.step"), step_kind("asyncio.sleep")
    ('sleep', 'step', None)
    """
    for place in _WORD_PLACES:
        if name == place:
            return STEP
        word = name.removeprefix(f"{place}.")
        if word in _WORDS:
            return word
    return None


def is_transaction(name: str) -> bool:
    """Tell whether a full name is that of `step.transaction`."""
    return name in {f"{place}.transaction" for place in _WORD_PLACES}


def is_workflow_decorator(name: str) -> bool:
    """Tell whether a full name is that of the decorator `workflow`."""
    return name in _WORKFLOW_PLACES


def step_decorator(function: Defined) -> ast.Call | None:
    """The call ``step("name", …)`` by which a function is decorated; None where it is not a step."""
    for decorator in function.node.decorator_list:
        if isinstance(decorator, ast.Call):
            meaning = function.names.meaning_of(decorator.func)
            if meaning is not None and step_kind(getattr(meaning, "name", "")) == STEP:
                return decorator
    return None


def name_and_handler(call: ast.Call, kind: str) -> tuple[ast.expr | None, ast.expr | None]:
    """The name and the handler that a call of a word is given; None for what is not there, or is in a ``*``.

    All words but those that are `POSITIONAL` take them by keyword too.
    """
    plain = list(itertools.takewhile(lambda argument: not isinstance(argument, ast.Starred), call.args))
    given = {} if kind in POSITIONAL else {keyword.arg: keyword.value for keyword in call.keywords}
    name = plain[0] if plain else given.get("message" if kind == PROGRESS else "name")
    handler = plain[1] if len(plain) > 1 else given.get("handler")
    return (None if kind in WITHOUT_NAME else name), (handler if kind in WITH_HANDLER else None)
