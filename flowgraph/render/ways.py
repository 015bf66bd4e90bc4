"""The lines of a picture: the edges of a graph, without what is not drawn.

A return is the way to the end itself. A step's own start and end are not shown: its box leads to its first steps, and
what comes after leaves its frame. All exceptions of a try are one line from its frame to each handler.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flowgraph.model.graph import Edge, EdgeKind, Node
from flowgraph.render.nesting import Nesting
from flowgraph.render.picture import Line
from flowgraph.render.words import shortened

TERMINAL = frozenset({"fail", "abort", "raise"})


class Ways:
    """The lines between the nodes that are shown."""

    def __init__(self, nesting: Nesting, shown: dict[str, str]) -> None:
        """`shown` has, for each node, the one that stands for it: itself, or the head of a frame that is closed."""
        self._nesting = nesting
        self._graph = nesting.graph
        self._shown = shown
        self._tries: dict[str, set[str]] = {}
        for edge in self._graph.edges:
            if edge.kind == "exception" and self._graph.node(edge.source).kind == "try":
                self._tries.setdefault(edge.target, set()).add(edge.source)

    def lines(self) -> dict[Line, list[Edge]]:
        """All lines, each once and in the order of the source, with the edges of the graph that it stands for."""
        found: dict[Line, list[Edge]] = {}
        for edge in self._graph.edges:
            for line in self._drawn(edge):
                found.setdefault(line, []).append(edge)
        for line in list(found):
            for below in self._below(line):
                found.setdefault(below, [])
        return found

    def _drawn(self, edge: Edge) -> Iterator[Line]:
        if edge.kind == "data" or self._is_passed_over(edge.source) or self._is_untold(edge):
            return
        source = self._source(edge)
        for target, kind in self._targets(edge):
            line = self._line(source, edge.label, target, kind)
            if line is not None:
                yield line

    def _source(self, edge: Edge) -> Node:
        """The node that an edge is drawn from: an exception inside a try comes from the try."""
        node = self._graph.node(edge.source)
        if edge.kind == "exception" and node.kind not in TERMINAL:
            tries = self._tries.get(edge.target, set())
            return next((self._graph.node(one) for one in self._nesting.around(node.id) if one in tries), node)
        return node

    def _is_passed_over(self, id_: str) -> bool:
        """Tell whether a node is no shape: the ways to it go on to what comes after it."""
        node = self._graph.node(id_)
        return node.kind == "return" or (node.kind == "end" and node.region is not None)

    def _targets(self, edge: Edge) -> Iterator[tuple[str, EdgeKind]]:
        """Where an edge leads to, past what is no shape."""
        waiting: list[tuple[str, EdgeKind]] = [(edge.target, edge.kind)]
        seen = {edge.target}
        while waiting:
            id_, kind = waiting.pop(0)
            if not self._is_passed_over(id_):
                yield id_, kind
                continue
            for further in self._nesting.out[id_]:
                if further.target not in seen:
                    seen.add(further.target)
                    waiting.append((further.target, further.kind if kind == "control" else kind))

    def _is_untold(self, edge: Edge) -> bool:
        """Tell whether an edge is left out, since the shapes say it already."""
        source, target = self._graph.node(edge.source), self._graph.node(edge.target)
        if source.kind in TERMINAL and target.kind in ("end", "join"):
            return True
        if edge.kind != "exception" or source.kind in TERMINAL:
            return False
        if target.kind == "end":
            return any(other.kind == "control" for other in self._nesting.out[source.id])
        return target.kind == "finally" and self._source(edge).kind != "try"

    def _line(self, source: Node, label: str, target: str, kind: EdgeKind) -> Line | None:
        start = source.region if source.kind == "start" and source.region is not None else source.id
        first, last = self._shown[start], self._shown[target]
        if first == last and kind != "back":
            return None
        leaves = self._frame_left(source.id, first, last, kind)
        if first == last and (leaves or first != start):
            return None
        text = "" if kind == "exception" and leaves else shortened(label)
        return Line(self._anchor(leaves) if leaves else first, last, kind, text, leaves)

    def _frame_left(self, source: str, first: str, last: str, kind: EdgeKind) -> str:
        """The frame that a line from its head leaves as a whole; "" for a line from a shape."""
        if kind == "back" or first != source or self._graph.node(source).kind == "start":
            return ""
        is_open = any(self._shown[node.id] == node.id for node in self._nesting.members.get(source, ()))
        return source if is_open and source not in self._nesting.around(last) else ""

    def _anchor(self, frame: str) -> str:
        """The shape in a frame at which a line that leaves it begins: the lowest one that goes on."""
        inside = [node for node in self._inside(frame) if node.kind not in TERMINAL]
        return inside[-1].id if inside else frame

    def _inside(self, frame: str) -> list[Node]:
        return [
            node
            for node in self._graph.nodes
            if self._shown[node.id] == node.id and self.is_drawn(node) and frame in self._nesting.around(node.id)
        ]

    def is_drawn(self, node: Node) -> bool:
        """Tell whether a node has a shape, where the frame around it is open."""
        is_own = node.kind in ("start", "end") and node.region is not None
        return not is_own and node.kind != "return" and (node.kind != "end" or self._is_reached(node))

    def _is_reached(self, node: Node) -> bool:
        return any(not self._is_untold(edge) for edge in self._nesting.into[node.id])

    def _below(self, line: Line) -> Iterator[Line]:
        """What comes after a frame is put below all that is in it."""
        if not line.leaves or line.kind == "back":
            return
        inside = self._inside(line.leaves)
        ids = {node.id for node in inside}
        for node in inside:
            onwards = {self._shown[edge.target] for edge in self._nesting.out[node.id] if edge.kind == "control"}
            if node.id != line.source and not onwards & ids:
                yield Line(node.id, line.target, "order")

    def data(self) -> Iterable[Line]:
        """Which result goes where."""
        lines = (
            Line(self._shown[edge.source], self._shown[edge.target], "data", shortened(edge.label, 24))
            for edge in self._graph.edges
            if edge.kind == "data"
        )
        return dict.fromkeys(line for line in lines if line.source != line.target)
