"""Loops that call a step until it succeeds, told by a flag: ``while not done`` with ``done = True`` behind the step.

The ways alone do not show that such a loop ends behind the step, since they do not look at values. So it is looked at
where the names that end the loop get constants: if one always does after a success of the step, and never after a
failure, only the failure leads back; and also if one always does after a failure, and has had another before the step.
Which constant it is does not matter for the test of the loop, since the other one would make no sense; a branch that
leaves the loop is taken to do so because of what was set.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

import attrs

from flowgraph.compiler.control import Control, Point, Rests, Variable
from flowgraph.compiler.identity import Meeting
from flowgraph.compiler.ways import Points

_UNCHANGED = frozenset({"FG102", "FG103"})
_OPPOSITE = {"yes": "no", "no": "yes"}
"""The labels of the two ways on from a test."""


def told_by_flags(control: Control, meeting: Meeting) -> Meeting:
    """The meeting of a step with itself, as FG305 where only its own failure leads back to it."""
    step, loop = meeting.second, meeting.loop
    if meeting.code not in _UNCHANGED or loop is None or meeting.first is not step:
        return meeting
    tries = _Tries(control, step, loop)
    is_retry = tries.end_with_a_success or tries.go_on_with_a_failure
    return attrs.evolve(meeting, code="FG305") if is_retry and tries.keep_the_name else meeting


class _Tries:
    """The passes of one loop in which one step is tried."""

    def __init__(self, control: Control, step: Point, loop: Point) -> None:
        self._points = control.points
        self._step = step
        self._loop = loop
        self._inside = [point for point in control.points if loop.number in control.loops(point)]
        self._numbers = {point.number for point in self._inside} | {loop.number}

    @property
    def keep_the_name(self) -> bool:
        """Whether nothing in the step's name gets a value inside the loop."""
        holes = {variable for hole in self._step.holes for variable in hole.variables}
        given = {point.given.variable for point in self._inside if point.given is not None}
        return holes.isdisjoint(given) and not any(hole.fresh for hole in self._step.holes)

    @property
    def end_with_a_success(self) -> bool:
        """Whether there is a flag that is set behind the step, and ends the loop."""
        return any(map(self._is_set_by_success, self._flags("yes")))

    @property
    def go_on_with_a_failure(self) -> bool:
        """Whether there is a flag that is set where the step has failed, and without which the loop ends."""
        return any(map(self._is_set_by_failure, self._flags("no")))

    def _flags(self, leaving: str) -> Iterator[Variable]:
        """The variables in the test of the loop, and those whose test leads out of it where the answer is `leaving`."""
        names = _names_in(self._loop.name.removeprefix("while "))
        for point in self._inside:
            name = point.name.removeprefix("not ")
            answer = leaving if name == point.name else _OPPOSITE[leaving]
            if point.kind == "branch" and name.isidentifier() and self._leaves_by(point) == answer:
                names.add(name)
        given = (point.given for point in self._inside if point.given is not None)
        yield from dict.fromkeys(one.variable for one in given if one.variable[1] in names)

    def _leaves_by(self, branch: Point) -> str | None:
        """The answer with which a branch leads out of the loop, where the other one does not."""
        leaving = [arrow.label for arrow in branch.arrows if not self._back([arrow.target])]
        return leaving[0] if len(leaving) == 1 and len(branch.arrows) == 2 else None

    def _is_set_by_success(self, flag: Variable) -> bool:
        """Tell whether a flag always gets a constant after a success, and never after a failure in the same pass."""
        succeeded, failed = self._next(raised=False), self._next(raised=True)
        telling = self._given(flag) & self._reached(succeeded) - self._reached(failed)
        return self._is_told_by(telling) and not self._back(succeeded, telling) and self._back(failed)

    def _is_set_by_failure(self, flag: Variable) -> bool:
        """Tell whether a flag always gets a constant after a failure, and has another one before the step."""
        succeeded, failed = self._next(raised=False), self._next(raised=True)
        given = self._given(flag)
        telling = given & self._reached(failed) - self._reached(succeeded)
        before = self._reached((arrow.target for arrow in self._loop.arrows), given)
        is_set = self._is_told_by(given) and self._step.number not in before
        return is_set and bool(telling) and not self._back(failed, telling) and self._back(failed)

    def _given(self, flag: Variable) -> Points:
        return frozenset(one.number for one in self._inside if one.given is not None and one.given.variable == flag)

    def _is_told_by(self, points: Points) -> bool:
        return all(self._is_telling(self._points[number]) for number in points)

    def _is_telling(self, point: Point) -> bool:
        """Tell whether a flag gets a constant, or the result of the step where the test is whether there is one."""
        given = point.given
        assert given is not None
        if given.made_by == (self._step.number,):
            return self._loop.name == f"while {given.variable[1]} is None"
        is_constant = given.rests == Rests() and not given.made_by and not given.returned
        return is_constant and given.surely and given.loop is None and self._may_end(point)

    def _may_end(self, point: Point) -> bool:
        """Tell whether a text is one that the loop's test is about; other constants are taken for one."""
        text = None if point.given is None or point.given.template is None else point.given.template.text
        return text is None or repr(text) in self._loop.name or f'"{text}"' in self._loop.name

    # Ways of one pass -------------------------------------------------------------------------------------------------

    def _next(self, *, raised: bool) -> list[int]:
        arrows = (arrow for arrow in self._step.arrows if (arrow.kind == "exception") is raised)
        return [arrow.target for arrow in arrows]

    def _back(self, starts: Iterable[int], without: Points = frozenset()) -> bool:
        """Tell whether a pass can come from some points to the next one."""
        return self._loop.number in self._reached(starts, without)

    def _reached(self, starts: Iterable[int], without: Points = frozenset()) -> Points:
        """The points of the pass behind some points, with the loop's head if there is a next one."""
        seen = {start for start in starts if start in self._numbers and start not in without}
        waiting = list(seen)
        while waiting:
            at = waiting.pop()
            if at == self._loop.number:
                continue
            for arrow in self._points[at].arrows:
                target = arrow.target
                if not arrow.aside and target in self._numbers and target not in seen and target not in without:
                    seen.add(target)
                    waiting.append(target)
        return frozenset(seen)


def _names_in(test: str) -> set[str]:
    """The names in a test as it is written."""
    try:
        tree = ast.parse(test, mode="eval")
    except SyntaxError:  # The head of a ``for``, or the name of a function that calls itself.
        return set()
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
