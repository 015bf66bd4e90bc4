"""What is inside what in a graph, as the source has it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from flowgraph.model.graph import Edge, Graph, Node

_FRAMES = frozenset({"loop", "try", "fork"})


class Nesting:
    """The regions of a graph, and the frames that a picture has for some of them."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._inside: dict[str | None, list[Node]] = {}
        for node in graph.nodes:
            self._inside.setdefault(node.region, []).append(node)
        self.out: dict[str, list[Edge]] = {node.id: [] for node in graph.nodes}
        self.into: dict[str, list[Edge]] = {node.id: [] for node in graph.nodes}
        for edge in graph.edges:
            if edge.kind != "data":
                self.out[edge.source].append(edge)
                self.into[edge.target].append(edge)

    def inside(self, node: Node | None) -> list[Node]:
        """The nodes directly inside one; those at the top for None."""
        return self._inside.get(None if node is None else node.id, [])

    @cached_property
    def frames(self) -> dict[str, str | None]:
        """Of each node, the id of the node that heads the frame that it is in."""
        found: dict[str, str | None] = {}
        for node in self.graph.nodes:  # A region comes before what is inside it.
            found[node.id] = self._frame(node, found)
        return found

    def _frame(self, node: Node, found: dict[str, str | None]) -> str | None:
        if node.region is None:
            return None
        around = self.graph.node(node.region)
        is_beside = node.arm == "else" and around.kind in _FRAMES
        if not is_beside and (around.kind in _FRAMES or around.is_step):
            return around.id
        return found[around.id]

    def around(self, id_: str) -> Iterator[str]:
        """The heads of the frames around a node, from the nearest outwards."""
        frame = self.frames[id_]
        while frame is not None:
            yield frame
            frame = self.frames[frame]

    @cached_property
    def members(self) -> dict[str | None, list[Node]]:
        """The nodes directly in each frame, but for its head."""
        found: dict[str | None, list[Node]] = {}
        for node in self.graph.nodes:
            found.setdefault(self.frames[node.id], []).append(node)
        return found

    def steps_below(self, node: Node) -> int:
        """How many steps are in a frame, at any depth."""
        return sum(one.is_step + self.steps_below(one) for one in self.members.get(node.id, ()))
