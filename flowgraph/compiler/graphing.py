"""From control flow to the graph: the points that are nodes, the ways between them, and where results go.

Points at which names get values are left out, and the ways through them joined. A data edge leads from a step to
another one that is given its result, through as many names as lie between (`_Values`: reaching definitions).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Set
from heapq import heappop, heappush

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
        ids[point.number],
        point.kind,
        point.name,
        point.path,
        parent,
        line,
        point.options,
        point.handler,
        elsewhere,
        point.span,
        None if point.region is None else ids[point.region],
        point.arm,
        point.arguments,
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
            if further.aside:
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
        self._reaching = self._carried() if self._givers else {}
        self._sources = self._found()

    def _carried(self) -> dict[int, int]:
        reaching = dict.fromkeys(range(len(self._points)), 0)
        waiting = list(range(len(self._points)))  # The earliest first, so that few points are looked at twice.
        queued = set(waiting)
        while waiting:
            number = heappop(waiting)
            queued.discard(number)
            after = self._after(number, reaching[number])
            for arrow in self._points[number].arrows:
                if after | reaching[arrow.target] != reaching[arrow.target]:
                    reaching[arrow.target] |= after
                    if arrow.target not in queued:
                        queued.add(arrow.target)
                        heappush(waiting, arrow.target)
        return reaching

    def _after(self, number: int, before: int) -> int:
        given = self._points[number].given
        if given is None:
            return before
        left = before & ~self._of[given.variable] if given.surely else before
        return left | self._bits.get(number, 0)

    def _found(self) -> dict[int, frozenset[int]]:
        """The steps that each giver's value comes from, through the values that it is made of."""
        behind = {giver.number: [one.number for one in self._behind(giver)] for giver in self._givers}
        found = {giver.number: frozenset(giver.given.made_by if giver.given else ()) for giver in self._givers}
        waiting = [giver.number for giver in self._givers]
        before: dict[int, list[int]] = defaultdict(list)
        for number, others in behind.items():
            for other in others:
                before[other].append(number)
        for number in waiting:
            for user in before[number]:
                if not found[number] <= found[user]:
                    found[user] |= found[number]
                    waiting.append(user)
        return found

    def _behind(self, giver: Point) -> Iterator[Point]:
        """The points that gave the values that a giver's value is made of."""
        given = giver.given
        assert given is not None
        return self._given_at(giver.number, given.rests.variables | set(given.returned))

    def used_by(self, point: Point) -> Iterator[tuple[int, str]]:
        """The steps whose results a step is given, each with the name through which."""
        yield from ((source, "") for source in point.made_by)
        for variable in sorted(point.uses):
            yield from ((source, variable[1]) for source in self._held(point, {variable}))
        yield from ((source, "") for source in self._held(point, set(point.returned)))

    def _held(self, point: Point, variables: set[Variable]) -> list[int]:
        """The steps whose results variables hold at a point."""
        found = (self._sources[giver.number] for giver in self._given_at(point.number, variables))
        return sorted(frozenset[int]().union(*found))

    def _given_at(self, number: int, variables: Set[Variable]) -> Iterator[Point]:
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
