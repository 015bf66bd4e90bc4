"""From control flow to the graph: the points that are nodes, the ways between them, and where results go.

Points at which names get values are left out, and the ways through them joined. A data edge leads from a step to
another one that is given its result, through as many names as lie between (`_Values`: reaching definitions).
"""

from __future__ import annotations

from collections.abc import Iterator

from flowgraph.compiler.control import BIND, Arrow, Control, Point, Variable
from flowgraph.model.graph import Edge, Graph, Node


def graph_of(control: Control) -> Graph:
    """The graph of a workflow."""
    visible = [point for point in control.points if point.kind != BIND]
    ids = {point.number: str(place + 1) for place, point in enumerate(visible)}
    nodes = tuple(_node(control, point, ids) for point in visible)
    edges = dict.fromkeys(
        Edge(ids[point.number], ids[arrow.target], arrow.kind, arrow.label)
        for point in visible
        for arrow in _onwards(control, point)
    )
    values = _Values(control)
    data = dict.fromkeys(
        Edge(ids[source], ids[point.number], "data", label)
        for point in visible
        for source, label in values.used_by(point)
    )
    return Graph(control.workflow, control.path, control.line, nodes, (*edges, *data))


def _node(control: Control, point: Point, ids: dict[int, str]) -> Node:
    parent = None if point.parent is None else ids[point.parent]
    elsewhere = point.file if point.file != control.path else ""
    line = _line(control, point) if elsewhere else point.span.line
    return Node(
        ids[point.number], point.kind, point.name, point.path, parent, line, point.options, elsewhere, point.span
    )


def _line(control: Control, point: Point) -> int:
    """The line of the workflow's file at which the way to a point in another file leaves it."""
    files = [*(call.file for call in point.calls[1:]), point.file]
    leaving = (call for call, file in zip(point.calls, files, strict=True) if file != control.path)
    return next((call.span.line for call in leaving), point.span.line)


def _onwards(control: Control, point: Point) -> Iterator[Arrow]:
    """The ways from a node to the next ones."""
    waiting, seen = list(reversed(point.arrows)), set[Arrow]()
    while waiting:
        arrow = waiting.pop()
        target = control.points[arrow.target]
        if target.kind != BIND:
            yield arrow
            continue
        for further in reversed(target.arrows):
            if further.kind == "exception":
                continue
            kind = further.kind if arrow.kind == "control" else arrow.kind
            joined = Arrow(further.target, kind, arrow.label or further.label)
            if joined not in seen:
                seen.add(joined)
                waiting.append(joined)


class _Values:
    """Which points may have given a variable the value that it has at another one.

    Sets of points are the bits of whole numbers, and they are carried along the arrows until nothing changes.
    """

    def __init__(self, control: Control) -> None:
        self._points = control.points
        self._givers = [point for point in control.points if point.given is not None and _carries(point)]
        self._bits = {point.number: 1 << place for place, point in enumerate(self._givers)}
        self._of: dict[Variable, int] = {}
        for point in control.points:
            if point.given is not None:
                self._of[point.given.variable] = self._of.get(point.given.variable, 0) | self._bits.get(point.number, 0)
        self._reaching = self._carried() if any(self._bits) or self._givers else {}
        self._steps: dict[int, frozenset[int]] = {}

    def _carried(self) -> dict[int, int]:
        reaching = dict.fromkeys(range(len(self._points)), 0)
        waiting = list(range(len(self._points) - 1, -1, -1))
        queued = set(waiting)
        while waiting:
            number = waiting.pop()
            queued.discard(number)
            after = self._after(number, reaching[number])
            for arrow in self._points[number].arrows:
                if after | reaching[arrow.target] != reaching[arrow.target]:
                    reaching[arrow.target] |= after
                    if arrow.target not in queued:
                        queued.add(arrow.target)
                        waiting.append(arrow.target)
        return reaching

    def _after(self, number: int, before: int) -> int:
        given = self._points[number].given
        if given is None:
            return before
        left = before & ~self._of[given.variable] if given.surely else before
        return left | self._bits.get(number, 0)

    def used_by(self, point: Point) -> Iterator[tuple[int, str]]:
        """The steps whose results a step is given, each with the name through which."""
        if not self._reaching and not point.made_by:
            return
        for source in point.made_by:
            yield source, ""
        for variable in sorted(point.uses):
            for source in sorted(self._behind(point.number, frozenset({variable}))):
                if source != point.number or variable:
                    yield source, variable[1]
        for source in sorted(self._behind(point.number, frozenset(point.returned))):
            yield source, ""

    def _behind(self, number: int, variables: frozenset[Variable]) -> set[int]:
        """The steps whose results the variables hold at a point."""
        found: set[int] = set()
        waiting = [(number, variables)]
        seen: set[int] = set()
        while waiting:
            at, wanted = waiting.pop()
            for giver in self._given_at(at, wanted):
                if giver.number in seen or giver.given is None:
                    continue
                seen.add(giver.number)
                found.update(giver.given.made_by)
                waiting.append((giver.number, giver.given.rests.variables | set(giver.given.returned)))
        return found

    def _given_at(self, number: int, variables: frozenset[Variable]) -> Iterator[Point]:
        reaching = self._reaching.get(number, 0)
        bits = 0
        for variable in variables:
            bits |= self._of.get(variable, 0)
        bits &= reaching
        while bits:
            lowest = bits & -bits
            yield self._givers[lowest.bit_length() - 1]
            bits ^= lowest


def _carries(point: Point) -> bool:
    """Tell whether a value may come from a step: a constant, and what nobody knows, does not."""
    given = point.given
    return given is not None and bool(given.made_by or given.returned or given.rests.variables)
