"""The workflows that one Runtime or Worker knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from flowgraph.dsl.registry import WORKFLOWS, ambiguous, newest, only, same_source
from flowgraph.dsl.workflow import Workflow
from flowgraph.errors import DefinitionError, WorkflowNotFound

AnyWorkflow = Workflow[..., Any]


def registered() -> WorkflowTable:
    """All decorated workflows: a live mapping from name to workflow."""
    return WorkflowTable(None)


def table_of(workflows: Iterable[AnyWorkflow] | None) -> WorkflowTable:
    """The workflows of one Runtime or Worker: those that it was given, or with None a live view of all.

    Raises:
        DefinitionError: two different workflows have the same name, or something else than a workflow was given.
    """
    return WorkflowTable(workflows)


class WorkflowTable(Mapping[str, AnyWorkflow]):
    """A mapping from name to workflow: a fixed list, or all that are decorated, and those that `add` put in.

    Looking a name up raises DefinitionError where two decorated workflows claim it and none was added.
    """

    def __init__(self, workflows: Iterable[AnyWorkflow] | None) -> None:
        self._live = workflows is None
        self._added: dict[str, tuple[AnyWorkflow, AnyWorkflow | None]] = {}
        for workflow in workflows or ():
            self.add(workflow)

    def add(self, workflow: AnyWorkflow) -> None:
        """Settle which workflow a name stands for here: a Runtime adds each that it is asked to start.

        Raises:
            DefinitionError: another workflow of the same name was added before.
        """
        _check(workflow)
        before = self._added.get(workflow.name)
        if before and before[0].fn is not workflow.fn and not (self._live and same_source(before[0], workflow)):
            raise ambiguous([before[0], workflow])
        self._added[workflow.name] = (workflow, newest(workflow))

    def find(self, name: str) -> AnyWorkflow:
        """The workflow of this name; WorkflowNotFound, with the known names, if there is none."""
        try:
            return self[name]
        except KeyError:
            raise WorkflowNotFound(name, self) from None

    def __getitem__(self, name: str) -> AnyWorkflow:
        if added := self._added.get(name):
            workflow, newest_then = added
            newest_now = newest(workflow) if self._live else None
            return workflow if newest_now in (None, newest_then) else newest_now
        if self._live and (candidates := WORKFLOWS.get(name)):
            return only(candidates)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._added, *WORKFLOWS} if self._live else self._added))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return name in self._added or (self._live and name in WORKFLOWS)


def _check(value: object) -> None:
    if not isinstance(value, Workflow):
        name = getattr(value, "__qualname__", repr(value))
        raise DefinitionError(f"{name} is not a workflow. Decorate the function with @workflow.")
