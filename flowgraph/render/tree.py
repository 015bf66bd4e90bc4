"""A graph as a text tree, for terminals and review comments: as the source has it, with a line for each step."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from flowgraph.model.graph import Graph, Node
from flowgraph.render.labels import clean
from flowgraph.render.nesting import Nesting
from flowgraph.render.picture import Picture, Shape

_UNTOLD = frozenset({"start", "end", "join"})
_LAST = frozenset({"no", "else", "otherwise"})
"""Arms that are nothing are not told where they are only what is left."""

_MARKS = {
    "done": "ok", "running": "..", "failed": "!!", "retrying": "re", "sleeping": "zz", "listening": "<-",
    "waiting": "..", "not-run": "  ",
}  # fmt: skip


@attrs.frozen
class _Entry:
    text: str
    detail: str
    below: list[_Entry]


def tree_of(graph: Graph, picture: Picture) -> str:
    """The text of a graph; `picture` is of the same graph, and says what is shown and what stands there."""
    entries = _Tree(graph, picture).entries(None)
    shown = [*_drawn(entries, "")]
    widest = min(max((len(left) for left, _ in shown), default=0), 60)
    rows = [f"{left:<{widest}}  {right}".rstrip() if right else left for left, right in shown]
    rows += [
        f"!! {shape.text}  unplanned {shape.note}".rstrip() for shape in picture.shapes() if shape.look == "unplanned"
    ]
    return "\n".join([clean(picture.title), clean(picture.subtitle), *rows, ""])


class _Tree:
    def __init__(self, graph: Graph, picture: Picture) -> None:
        self._nesting = Nesting(graph)
        self._shapes = {shape.id: shape for shape in picture.shapes()}

    def entries(self, around: Node | None, arm: str | None = None) -> list[_Entry]:
        """What is directly inside a node; of a branch, on one of its ways."""
        found: list[_Entry] = []
        for node in self._nesting.inside(around):
            if node.kind in _UNTOLD or (arm is not None and node.arm != arm):
                continue
            found += self._entry(node)
        return found

    def _entry(self, node: Node) -> list[_Entry]:
        if node.kind == "return":
            return [_Entry("return", "", [])]
        shape = self._shapes.get(node.id)
        if shape is None:
            return []
        title = clean(shape.text)
        detail = clean(" · ".join(part for part in (shape.detail, shape.note) if part))
        match node.kind:
            case "branch":
                head = f"if {title}" if self._is_if(node) else f"match {title}" if title else "if"
                return [_Entry(self._marked(shape, head), "", list(self._arms(node)))]
            case "loop" | "try":
                entry = _Entry(self._marked(shape, title), detail, self.entries(node, ""))
                rest = self.entries(node, "else")
                return [entry, *([_Entry("else", "", rest)] if rest else [])]
            case "fork":
                return [
                    _Entry(self._marked(shape, "side by side" if title == "gather" else title), "", self.entries(node))
                ]
        return [_Entry(self._marked(shape, title), detail, self.entries(node))]

    @staticmethod
    def _marked(shape: Shape, title: str) -> str:
        return f"{_MARKS.get(shape.state, '')} {title}" if shape.state else title

    def _is_if(self, node: Node) -> bool:
        return {edge.label for edge in self._nesting.out[node.id]} <= {"yes", "no"}

    def _arms(self, node: Node) -> Iterator[_Entry]:
        labels = dict.fromkeys(edge.label for edge in self._nesting.out[node.id] if edge.kind != "exception")
        for label in labels:
            inside = self.entries(node, label)
            if inside:
                yield _Entry(f"{label}:", "", inside)
            elif label not in _LAST and (way := self._way_out(node, label)) is not None:
                yield _Entry(f"{label}: {way}", "", [])

    def _way_out(self, node: Node, label: str) -> str | None:
        """What an arm without steps does to the loop around: it goes to the next pass, or leaves it."""
        loop = next(
            (one for one in self._nesting.around(node.id) if self._nesting.graph.node(one).kind == "loop"), None
        )
        for edge in self._nesting.out[node.id]:
            if edge.label == label and loop is not None:
                if edge.kind == "back":
                    return "continue"
                if loop != edge.target and loop not in self._nesting.around(edge.target):
                    return "break"
        return None


def _drawn(entries: list[_Entry], indent: str) -> Iterator[tuple[str, str]]:
    for number, entry in enumerate(entries):
        is_last = number == len(entries) - 1
        yield f"{indent}{'└─' if is_last else '├─'} {entry.text}", entry.detail
        yield from _drawn(entry.below, indent + ("   " if is_last else "│  "))
