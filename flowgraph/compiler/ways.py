"""Which points come after which, with what lies between.

A way between two points stays inside the smallest loop that holds all of it, and either comes past that loop's head
(into another pass) or past the head of none that holds both ends (within one pass). So every way is looked for at one
of these levels: a loop, or None for one pass.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cached_property

from flowgraph.compiler.control import Arrow, Control, Point

Points = frozenset[int]


class Ways:
    """Looks for ways through a control flow."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._points = control.points
        self._sets: dict[tuple[object, ...], Points] = {}

    def common(self, one: Point, other: Point) -> list[int]:
        """The loops around both of two points."""
        around = set(self._control.loops(other))
        return [loop for loop in self._control.loops(one) if loop in around]

    @cached_property
    def _inside(self) -> dict[int, set[int]]:
        """The points inside each loop, with its head."""
        found: dict[int, set[int]] = defaultdict(set)
        for point in self._points:
            if point.kind == "loop":
                found[point.number].add(point.number)
            for loop in self._control.loops(point):
                found[loop].add(point.number)
        return found

    def inside(self, loop: int) -> set[int]:
        """The points inside a loop, with its head."""
        return self._inside[loop]

    def repeated(self, loop: int) -> Points:
        """The points that a run can come past in several passes of a loop."""
        return self._from_head(loop, frozenset()) & self._to_head(loop, frozenset())

    def meet(self, one: Point, other: Point, loop: int | None, without: Points) -> bool:
        """Tell whether a run can come past `other` after, or beside, `one`; no way leads through the points `without`.

        At the level of a loop it is in another pass of it; with None in the same pass of all loops around both.
        """
        if loop is not None:
            after = self._from_head(loop, without)
            return other.number in after and not self._to_head(loop, without).isdisjoint(self.next(one, without))
        heads = frozenset(self.common(one, other))
        return other.number in self._onwards(one, heads, without)

    def reached_from(self, points: Iterable[Point]) -> Points:
        """The points that a run can come past after, or beside, one of some."""
        starts = [target for point in points for target in self.next(point, frozenset())]
        return self._reached(starts, lambda at: self._points[at].arrows, frozenset())

    def next(self, point: Point, without: Points, *, raised: bool = True) -> list[int]:
        """The points that can come next: also beside what is in a task or a branch of its own."""
        found = [arrow.target for arrow in point.arrows if raised or arrow.kind != "exception"]
        for fork, branch in point.branches:
            beside = (arrow.target for arrow in self._points[fork].arrows)
            found += [target for target in beside if (fork, branch) not in self._points[target].branches]
        return [target for target in found if target not in without]

    def again_only_after_failing(self, point: Point, loop: int, without: Points) -> bool:
        """Tell whether the next pass can come past a step only because it has raised."""
        return self._to_head(loop, without, aside=False).isdisjoint(self.next(point, without, raised=False))

    def always_passes(self, loop: int, points: Points) -> bool:
        """Tell whether no pass of a loop leads to the next one but through one of some points."""
        head = self._points[loop]
        starts = [arrow.target for arrow in head.arrows if arrow.target not in points]
        return self._to_head(loop, points).isdisjoint(starts)

    def _onwards(self, point: Point, heads: frozenset[int], without: Points) -> Points:
        blocked = without | heads
        key = ("onwards", point.number, blocked)
        if key not in self._sets:
            starts = self.next(point, blocked)
            self._sets[key] = self._reached(starts, lambda at: self._points[at].arrows, blocked)
        return self._sets[key]

    def _from_head(self, loop: int, without: Points) -> Points:
        key = ("from", loop, without)
        if key not in self._sets:
            inside = self._inside[loop]
            found = self._reached([loop], lambda at: self._points[at].arrows, without, inside)
            self._sets[key] = found
        return self._sets[key]

    def _to_head(self, loop: int, without: Points, *, aside: bool = True) -> Points:
        key = ("to", loop, without, aside)
        if key not in self._sets:
            inside, before = self._inside[loop], self._before if aside else self._before_without_aside
            self._sets[key] = self._reached([loop], lambda at: before[at], without, inside)
        return self._sets[key]

    @cached_property
    def _before(self) -> dict[int, list[Arrow]]:
        found: dict[int, list[Arrow]] = defaultdict(list)
        for point in self._points:
            for arrow in point.arrows:
                found[arrow.target].append(Arrow(point.number, arrow.kind, arrow.label, arrow.aside))
        return found

    @cached_property
    def _before_without_aside(self) -> dict[int, list[Arrow]]:
        """The same, without the exceptions of the code between steps."""
        found: dict[int, list[Arrow]] = defaultdict(list)
        for target, arrows in self._before.items():
            found[target] = [arrow for arrow in arrows if not arrow.aside]
        return found

    @staticmethod
    def _reached(
        starts: Iterable[int],
        arrows: Callable[[int], Iterable[Arrow]],
        without: Points,
        inside: set[int] | None = None,
    ) -> Points:
        seen = set(starts)
        waiting = list(seen)
        while waiting:
            for arrow in arrows(waiting.pop()):
                target = arrow.target
                if target not in seen and target not in without and (inside is None or target in inside):
                    seen.add(target)
                    waiting.append(target)
        return frozenset(seen)

    def reachable(self, scope: int | None) -> Points:
        """The points of a scope that a run of it can come past."""
        starts = [point.number for point in self._points if point.kind == "start" and point.scope == scope]
        return self._reached(starts, lambda at: self._points[at].arrows, frozenset())

    def way(self, one: Point, other: Point) -> list[Point] | None:
        """The points of a shortest way from one point to another, both left out; None where there is no way."""
        came: dict[int, int] = {}
        waiting = [one.number]
        for at in waiting:
            if other.number in came:
                break
            for arrow in self._points[at].arrows:
                if arrow.target not in came:
                    came[arrow.target] = at
                    waiting.append(arrow.target)
        if other.number not in came:
            return None
        found: list[int] = []
        at = came[other.number]
        while at != one.number:
            found.append(at)
            at = came[at]
        return [self._points[number] for number in reversed(found)]
