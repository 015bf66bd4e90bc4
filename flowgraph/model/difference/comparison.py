"""What changed between two graphs of a workflow, and what that means for runs in flight.

A run finds its saved results by their paths. So what breaks runs is that a step which stays has another path, another
kind or other items. What is new runs when a run comes to it; what is gone leaves a result that nobody reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Literal

import attrs

from flowgraph.model.difference.changes import Change, of_gained, of_lost, of_pairs
from flowgraph.model.difference.conditions import Condition, changed_conditions
from flowgraph.model.difference.outline import Outline, Site
from flowgraph.model.difference.pairing import Pairing
from flowgraph.model.difference.reordering import reordered
from flowgraph.model.graph import Graph

Verdict = Literal["safe", "breaks"]


@attrs.frozen
class Difference:
    """What changed in one workflow.

    Attributes:
        workflow: its name.
        fingerprint_old: of the old graph; None where the workflow is new.
        fingerprint_new: of the new graph; None where the workflow is gone.
        changes: those that break runs first.
        unknown: what could not be compared, as sentences.
    """

    workflow: str
    fingerprint_old: str | None
    fingerprint_new: str | None
    changes: tuple[Change, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def breaking(self) -> tuple[Change, ...]:
        """The changes that break runs in flight."""
        return tuple(change for change in self.changes if change.breaks)

    @property
    def verdict(self) -> Verdict:
        """Whether every run in flight can go on with the new code."""
        return "breaks" if self.breaking else "safe"

    def to_json(self) -> dict[str, Any]:
        """The difference as JSON values."""
        return {
            "workflow": self.workflow,
            "verdict": self.verdict,
            "fingerprint_old": self.fingerprint_old,
            "fingerprint_new": self.fingerprint_new,
            "changes": [attrs.asdict(change) for change in self.changes],
        }


def differences(old: Iterable[Graph], new: Iterable[Graph]) -> list[Difference]:
    """What changed between two versions of a program; workflows are matched by their names."""
    before, after = ({graph.workflow: graph for graph in graphs} for graphs in (old, new))
    found = [difference(before[name], graph) if name in before else _new(graph) for name, graph in after.items()]
    return [*found, *(_gone(graph) for name, graph in before.items() if name not in after)]


def difference(old: Graph, new: Graph) -> Difference:
    r"""What changed between two graphs of one workflow.

    >>> from flowgraph.compiler import compile_source
    >>> head = "from flowgraph import step, workflow\n@workflow\nasync def order():\n"
    >>> [old] = compile_source(head + "    await step('charge', charge)")
    >>> [new] = compile_source(head + "    await step('charge-card', charge)")
    >>> found = difference(old, new)
    >>> found.verdict, [(change.kind, change.path_old, change.path_new) for change in found.changes]
    ('breaks', [('renamed', 'charge', 'charge-card')])
    """
    before, after = Outline(old), Outline(new)
    pairing = Pairing(before, after)
    changes = chain(
        of_pairs(pairing),
        of_lost(pairing, is_complete=new.is_complete),
        of_gained(pairing),
        (Change("reordered", pair.old.path, pair.new.path) for pair in reordered(before, after, pairing)),
        _of_conditions(before, after, pairing),
    )
    ordered = tuple(sorted(changes, key=lambda change: not change.breaks))
    return Difference(new.workflow, old.fingerprint, new.fingerprint, ordered, tuple(_unknown(old, new)))


def _new(graph: Graph) -> Difference:
    return Difference(graph.workflow, None, graph.fingerprint, (Change("added", None, ""),))


def _gone(graph: Graph) -> Difference:
    return Difference(graph.workflow, graph.fingerprint, None, (WORKFLOW_REMOVED,))


WORKFLOW_REMOVED = Change("removed", "", None, True, "its open runs wait for a worker that has the workflow")
"""The change of a workflow that is there no longer."""


def _of_conditions(before: Outline, after: Outline, pairing: Pairing) -> Iterator[Change]:
    """Conditions of steps that both have; what only leads to new steps, or led to old ones, is told with them."""
    lost, gained = set(pairing.lost), set(pairing.gained)
    scopes = [(before.root, after.root), *((pair.old, pair.new) for pair in pairing.pairs if pair.how == "same")]
    for scope in scopes:
        for old, new in changed_conditions(before, after, scope):
            if (old is None and new and new.leads_to in gained) or (new is None and old and old.leads_to in lost):
                continue
            yield Change("condition", _led_to(old, scope[0]), _led_to(new, scope[1]), note=_decided(old, new))


def _led_to(condition: Condition | None, scope: Site) -> str | None:
    if condition is None:
        return None
    return scope.path if condition.leads_to is None else condition.leads_to.path


def _decided(old: Condition | None, new: Condition | None) -> str:
    if old is None:
        return f"`{new.text}` decides now" if new else ""
    return f"`{old.text}` is now `{new.text}`" if new else f"`{old.text}` decides no longer"


def _unknown(old: Graph, new: Graph) -> Iterator[str]:
    for which, graph in (("old", old), ("new", new)):
        for node in graph.nodes:
            if node.kind == "unknown":
                yield f"What the {which} workflow does in line {node.line} is unknown and not compared: {node.name}."
