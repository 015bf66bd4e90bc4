"""What the compiler knows of the libraries that workflows are written with."""

from __future__ import annotations

STEP_KINDS = {
    "": "step",
    "sleep": "sleep",
    "sleep_until": "sleep_until",
    "progress": "progress",
    "listen": "listen",
    "fail": "fail",
    "abort": "abort",
    "execute_workflow": "execute_workflow",
    "start_workflow": "start_workflow",
    "wait_for_workflow": "wait_for_workflow",
    "map": "map",
    "for_each": "for_each",
    "batch": "batch",
}
"""The kinds of the words, by their attribute of `step`."""

WITH_HANDLER = frozenset({"step", "map", "for_each", "batch"})
WITHOUT_NAME = frozenset({"fail", "abort"})

_WORD_PLACES = ("flowgraph.step", "flowgraph.dsl.step", "flowgraph.dsl.step.step")
_WORKFLOW_PLACES = ("flowgraph.workflow", "flowgraph.dsl.workflow", "flowgraph.dsl.workflow.workflow")

GATHERING = frozenset({"asyncio.gather", "asyncio.wait", "asyncio.as_completed"})
"""Calls whose awaitable arguments run side by side."""

PASSING = frozenset({"asyncio.shield", "asyncio.wait_for", "asyncio.timeout", "asyncio.run_coroutine_threadsafe"})
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
            return "step"
        if name.startswith(f"{place}."):
            return STEP_KINDS.get(name[len(place) + 1 :])
    return None


def is_workflow_decorator(name: str) -> bool:
    """Tell whether a full name is that of the decorator `workflow`."""
    return name in _WORKFLOW_PLACES
