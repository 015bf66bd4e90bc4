"""From a graph to a picture: which nodes are shapes, which are frames, and what stands on them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import attrs

from flowgraph.errors import InvalidOption
from flowgraph.model.graph import Graph, Node
from flowgraph.render.nesting import Nesting
from flowgraph.render.overlay import NodeState, Overlay
from flowgraph.render.picture import Frame, Line, Picture, Shape
from flowgraph.render.view import View
from flowgraph.render.ways import Ways
from flowgraph.render.words import child_of, detail_of, title_of, tooltip_of

MORE = "more"
"""The look of what stands for all that is left out at one end of a line."""


def sketch(graph: Graph, view: View, overlay: Overlay | None = None) -> Picture:
    """The picture of a graph; with `overlay`, of a run on it.

    Raises:
        InvalidOption: `view.focus` is no step of the graph.
    """
    picture = _Sketch(graph, view, overlay).picture()
    return picture if view.focus is None else _focused(picture, graph, view)


class _Sketch:
    def __init__(self, graph: Graph, view: View, overlay: Overlay | None) -> None:
        self._graph = graph
        self._view = view
        self._overlay = overlay
        self._nesting = Nesting(graph)
        self._shown = self._standing()
        self._ways = Ways(self._nesting, self._shown)

    def _standing(self) -> dict[str, str]:
        """Each node's own id, or that of the closed frame that it is in."""
        depth = self._view.depth
        found: dict[str, str] = {}
        for node in self._graph.nodes:
            around = list(self._nesting.around(node.id))
            is_inside = depth is not None and len(around) > depth
            found[node.id] = around[-1 - (depth or 0)] if is_inside else node.id
        return found

    def picture(self) -> Picture:
        edges = self._ways.lines()
        lines = [*edges, *(self._ways.data() if self._view.data else ())]
        members = self._members(None)
        if self._overlay is not None:
            members = (*members, *map(_unplanned, self._overlay.unplanned))
            took = self._overlay.took
            lines = [attrs.evolve(line, taken=any(map(took, edges.get(line, ())))) for line in lines]
        where = f"{Path(self._graph.path).name}:{self._graph.line}" if self._graph.path else ""
        steps = len(self._graph.steps)
        parts = [where, f"{steps} step{'' if steps == 1 else 's'}", f"graph {self._graph.fingerprint[:7]}"]
        if self._overlay is not None:
            parts += [f"run {self._overlay.run_id}", self._overlay.status]
        return Picture(
            self._graph.workflow, " · ".join(filter(None, parts)), members, tuple(lines), self._overlay is not None
        )

    def _members(self, frame: str | None) -> tuple[Shape | Frame, ...]:
        found: list[Shape | Frame] = []
        for node in self._nesting.members.get(frame, ()):
            if not self._ways.is_drawn(node):
                continue
            inside = self._members(node.id) if node.id in self._nesting.members else ()
            is_open = inside and self._shown[inside_of(inside)] == inside_of(inside)
            shape = self._shape(node, is_closed=bool(inside) and not is_open)
            found.append(Frame(shape, inside) if is_open else shape)
        return tuple(found)

    def _shape(self, node: Node, *, is_closed: bool) -> Shape:
        look = "child" if child_of(node) is not None else node.kind
        contains = ""
        below = self._nesting.steps_below(node) if node.id in self._nesting.members else 0
        if below and (node.is_step or is_closed):
            contains = f"contains {below} step{'' if below == 1 else 's'}{' [+]' if is_closed else ''}"
        shape = Shape(node.id, look, title_of(node), detail_of(node), tooltip_of(node), self._link(node), note=contains)
        if self._overlay is None:
            return shape
        state = self._overlay.state_of(node)
        return attrs.evolve(shape, state=state.state, note=state.note or contains)

    def _link(self, node: Node) -> str:
        child = child_of(node)
        if child is not None and child in self._view.children:
            return self._view.children[child]
        if not self._view.link or not node.line:
            return ""
        path = node.file or self._graph.path
        line = node.span.line if node.span is not None else node.line
        places = {"path": path, "abs": str(Path(path).absolute()), "name": node.name, "workflow": self._graph.workflow}
        return self._view.link.format(line=line, **{name: _quoted(text) for name, text in places.items()})


def _quoted(text: str) -> str:
    """A text as a part of an address."""
    return quote(text.encode("utf-8", "replace"), safe="/")


def inside_of(members: tuple[Shape | Frame, ...]) -> str:
    """The id of the first shape among some."""
    first = members[0]
    return first.id if isinstance(first, Shape) else first.head.id


def _unplanned(found: tuple[str, NodeState]) -> Shape:
    path, state = found
    return Shape(f"unplanned {path}", "unplanned", ((path, False),), "unplanned", path, "", state.state, state.note)


# A part of a picture --------------------------------------------------------------------------------------------------


def _focused(picture: Picture, graph: Graph, view: View) -> Picture:
    """What is within some lines of a step, in the frames that it is in; what is cut off is hinted at."""
    asked = [node.id for node in graph.nodes if view.focus in (node.name, node.path) and node.is_step]
    shown = {shape.id for shape in picture.shapes()}
    if not asked:
        steps = ", ".join(repr(node.name) for node in graph.steps[:10])
        raise InvalidOption("focus", view.focus, f"the steps of {graph.workflow!r} are {steps or 'none'}")
    near = _near(picture, {id_ for id_ in asked if id_ in shown}, view.hops)
    heads = {frame.head.id for frame in picture.frames() if any(shape.id in near for shape in frame.shapes())}
    kept = near | heads
    members = _kept_members(picture.members, kept)
    lines: dict[Line, None] = {}
    hints: dict[str, None] = {}
    for line in picture.lines:
        ends = (line.source in kept, line.target in kept)
        if all(ends):
            lines[line] = None
        elif any(ends) and line.kind in ("control", "exception"):
            hint = f"before {line.target}" if ends[1] else f"after {line.source}"
            hints[hint] = None
            source, target = (hint, line.target) if ends[1] else (line.source, hint)
            lines[Line(source, target, line.kind, "" if ends[1] else line.label)] = None
    more = tuple(Shape(hint, MORE, (("…", False),)) for hint in hints)
    return attrs.evolve(picture, members=(*members, *more), lines=tuple(lines))


def _near(picture: Picture, start: set[str], hops: int) -> set[str]:
    beside: dict[str, set[str]] = {}
    for line in picture.lines:
        if line.kind != "order":
            beside.setdefault(line.source, set()).add(line.target)
            beside.setdefault(line.target, set()).add(line.source)
    found, edge = set(start), set(start)
    for _ in range(hops):
        edge = {other for id_ in edge for other in beside.get(id_, ())} - found
        found |= edge
    return found


def _kept_members(members: tuple[Shape | Frame, ...], kept: set[str]) -> tuple[Shape | Frame, ...]:
    found: list[Shape | Frame] = []
    for member in members:
        if isinstance(member, Frame):
            inside = _kept_members(member.members, kept)
            if inside:
                found.append(Frame(member.head, inside))
            elif member.head.id in kept:
                found.append(member.head)
        elif member.id in kept:
            found.append(member)
    return tuple(found)
