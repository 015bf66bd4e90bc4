"""What new code would do to one open run, by the steps that the run has done or is in the middle of.

A change harms a run only if the run has come to the step: what it has not reached it will find under the new name.
Where the graph by which a run was executed is not known, a graph is made of what it has done.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flowgraph.model.checkpoint import CANCELLED, COMPLETED, FAILED, FAN_OUTS
from flowgraph.model.difference.changes import Change
from flowgraph.model.difference.comparison import WORKFLOW_REMOVED, difference
from flowgraph.model.difference.observed import Done, Lookup, OpenRun, observed
from flowgraph.model.graph import Graph
from flowgraph.model.names import parent_path


class Hazards:
    r"""Tells what the graphs of a new version would do to open runs.

    >>> from flowgraph.compiler import compile_source
    >>> head = "from flowgraph import step, workflow\n@workflow\nasync def order():\n"
    >>> [old] = compile_source(head + "    await step('charge', charge)")
    >>> [new] = compile_source(head + "    await step('charge-card', charge)")
    >>> hazards = Hazards([new])
    >>> [change.kind for change in hazards.of(OpenRun("r-1", "order", (Done("charge", "step"),), old))]
    ['renamed']
    >>> hazards.of(OpenRun("r-2", "order", (), old))
    ()
    """

    def __init__(self, graphs: Iterable[Graph]) -> None:
        self._new = {graph.workflow: Lookup(graph) for graph in graphs}
        self._known: dict[str, tuple[Lookup, tuple[Change, ...]]] = {}
        """Old graphs by their fingerprints, with the changes that break."""

    def of(self, run: OpenRun) -> tuple[Change, ...]:
        """The changes that would harm a run."""
        new = self._new.get(run.workflow)
        if new is None:
            return (WORKFLOW_REMOVED,)
        graph = run.graph or observed(run, new.graph)
        if graph.fingerprint not in self._known:
            self._known[graph.fingerprint] = Lookup(graph), difference(graph, new.graph).breaking
        old, changes = self._known[graph.fingerprint]
        return tuple(change for change in changes if _harms(change, run.steps, old, new))


def _harms(change: Change, steps: tuple[Done, ...], old: Lookup, new: Lookup) -> bool:
    match change.kind:
        case "options":
            return any(change.path_old in old.paths(done) for done in _under_way(steps))
        case "kind-changed":
            return any(done.state != CANCELLED and _is_at(change, done, old) for done in steps)
    return any(done.counts and change.path_old in old.paths(done) and not _is_found(done, new) for done in steps)


def _is_at(change: Change, done: Done, old: Lookup) -> bool:
    node = old.node(done)
    return node is not None and node.path == change.path_old and not done.path.endswith("]")


def _is_found(done: Done, new: Lookup) -> bool:
    """Tell whether the new graph has a step by its very path, where the path of its old one had values."""
    node = new.node(done)
    return node is not None and node.path == done.path


def _under_way(steps: tuple[Done, ...]) -> Iterator[Done]:
    """The fan-outs that are not done, and their items."""
    ended = {done.path for done in steps if done.kind in FAN_OUTS and done.state in (COMPLETED, FAILED)}
    for done in steps:
        path = parent_path(done.path) if done.path.endswith("]") else done.path if done.kind in FAN_OUTS else None
        if path is not None and path not in ended:
            yield done
