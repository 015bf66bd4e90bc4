"""What an open run has done, and the steps of graphs that it stands for."""

from __future__ import annotations

import attrs

from flowgraph.model.checkpoint import BATCH, CANCELLED, COMPLETED, FOR_EACH, MAP, PROGRESS, RETRYING, STARTED
from flowgraph.model.graph import Graph, Node
from flowgraph.model.names import parent_path
from flowgraph.model.plan import UNPLANNED, Plan


@attrs.frozen
class Done:
    """A step of a run as its history has it: the path with its values, the kind, and the state of the last row."""

    path: str
    kind: str
    state: str = COMPLETED

    @property
    def counts(self) -> bool:
        """Whether something is lost if it begins anew."""
        return self.kind != PROGRESS and self.state not in (CANCELLED, RETRYING)


@attrs.frozen
class OpenRun:
    """A run that is not finished.

    Attributes:
        id: the run's id.
        workflow: the workflow's name.
        steps: its steps and items, each after the one that it is inside.
        graph: that by which it was last executed, if it is known.
    """

    id: str
    workflow: str
    steps: tuple[Done, ...] = ()
    graph: Graph | None = None


class Lookup:
    """A graph, ready to say which of its steps a step of a run is."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._plan = Plan(graph.nodes)

    def node(self, done: Done) -> Node | None:
        """The node of a step; None where the graph does not know it."""
        for kind in _kinds(done):
            id_ = self._plan.node(done.path, kind)
            if id_ != UNPLANNED:
                return self.graph.node(id_)
        return None

    def paths(self, done: Done) -> tuple[str, ...]:
        """The paths in the graph of a step and of those that it is inside."""
        node = self.node(done)
        return () if node is None else (node.path, *(one.path for one in self.graph.parents(node) if one.is_step))


def _kinds(done: Done) -> tuple[str, ...]:
    """The kinds that a step may have: the record of a fan-out that has items, but no row of its own, says "map"."""
    return (MAP, FOR_EACH, BATCH) if (done.kind, done.state) == (MAP, STARTED) else (done.kind,)


def observed(run: OpenRun, new: Graph) -> Graph:
    """A graph of the steps that a run has begun, without ways between them, for a run whose own graph is not known.

    A step that the new graph has is called as it is there, so that ``page-3`` is ``page-{n}``, and has its options.
    """
    lookup, nodes = Lookup(new), _Nodes()
    for done in run.steps:
        if done.kind != PROGRESS and not done.path.endswith("]"):
            nodes.add(done, lookup.node(done))
    return Graph(run.workflow, "", 0, tuple(nodes.made), ())


class _Nodes:
    """The nodes of a graph in the making."""

    def __init__(self) -> None:
        self.made: list[Node] = []
        self._by_path: dict[str, Node] = {}
        """By their paths in the graph, and by those in the run."""

    def add(self, done: Done, known: Node | None) -> None:
        """Add a step, if it is not there yet; `known` is what it is in the new graph."""
        head, _, leaf = done.path.rpartition("/")
        around = self._by_path.get(parent_path(head) if head.endswith("]") else head)
        prefix = "" if around is None else f"{around.path}{'[{index}]' if head.endswith(']') else ''}/"
        path = prefix + leaf if known is None else known.path
        if path not in self._by_path:
            name, kind, options = (path, done.kind, {}) if known is None else (known.name, known.kind, known.options)
            parent = None if around is None else around.id
            self.made.append(Node(str(len(self.made) + 1), kind, name, path, parent, options=options))
            self._by_path[path] = self.made[-1]
        self._by_path[done.path] = self._by_path[path]
