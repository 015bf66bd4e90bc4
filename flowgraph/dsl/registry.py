"""The workflows that this process knows, by name.

There is a registry because a run is a row that names its workflow: whoever claims it, perhaps in another process and
after a restart, has to find the function again. `@workflow` enters each workflow here, so that a Runtime needs no list;
one that is given a list looks only there.

A name stands for one workflow. Decorating the same function again (a notebook cell, a reload) replaces it. A different
function of the same name is kept beside the first and is an error as soon as the name is looked up, not before: two
modules may be loaded in one process, and never meet in one Runtime.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from flowgraph.errors import DefinitionError, WorkflowNotFound

if TYPE_CHECKING:
    from flowgraph.dsl.workflow import Workflow

    AnyWorkflow = Workflow[..., Any]

WORKFLOWS: dict[str, list[AnyWorkflow]] = {}


def register(workflow: AnyWorkflow) -> None:
    """Enter a workflow, in the place of an earlier one that is the same piece of source."""
    others = [other for other in WORKFLOWS.get(workflow.name, ()) if not same_source(other, workflow)]
    WORKFLOWS[workflow.name] = [*others, workflow]


def names() -> list[str]:
    """The names of all decorated workflows, sorted."""
    return sorted(WORKFLOWS)


def find(name: str) -> AnyWorkflow:
    """The decorated workflow of this name.

    Raises:
        WorkflowNotFound: there is none.
        DefinitionError: there are several; the error says where.
    """
    candidates = WORKFLOWS.get(name)
    if not candidates:
        raise WorkflowNotFound(name, names())
    return only(candidates)


def only(candidates: list[AnyWorkflow]) -> AnyWorkflow:
    """The one candidate; DefinitionError, naming the places, if there are more."""
    if len(candidates) > 1:
        raise ambiguous(candidates)
    return candidates[0]


def newest(workflow: AnyWorkflow) -> AnyWorkflow | None:
    """The last edition of a workflow; None if it has never been decorated by this name."""
    return next((other for other in WORKFLOWS.get(workflow.name, ()) if same_source(other, workflow)), None)


def same_source(one: AnyWorkflow, other: AnyWorkflow) -> bool:
    """Tell whether two workflows come from the same place, so that the later one is the earlier one's new edition.

    The same file counts even under two module names: a script is ``__main__`` and, imported by a worker, a module.
    """
    if (one.__module__, one.__qualname__) == (other.__module__, other.__qualname__):
        return True
    return one.__qualname__ == other.__qualname__ and _line(one) is not None and _line(one) == _line(other)


def ambiguous(workflows: list[AnyWorkflow]) -> DefinitionError:
    """The error for a name that stands for several workflows."""
    places = " and ".join(f"{workflow.__qualname__} at {workflow.place}" for workflow in workflows)
    return DefinitionError(
        f"The name {workflows[0].name!r} stands for {len(workflows)} workflows: {places}. Give one of them another "
        f"name with @workflow(name=…), or give the Runtime the one that is meant with workflows=[…]."
    )


def _line(workflow: AnyWorkflow) -> tuple[str, int] | None:
    code = workflow.fn.__code__
    if code.co_filename.startswith("<"):
        return None
    return os.path.realpath(code.co_filename), code.co_firstlineno
