"""Which steps can have the same path in one run: the exact check of names.

Theory. Names are compared inside one scope: the workflow, or the handler of one step. Two steps whose names are equal
conflict if a run can come past the one after the other, or beside it in another task; a step conflicts with itself if a
run can come past it again. `Ways` answers that. What tells two passes apart are the variables in the holes of a name:

1. A way on which none of them gets a value is one on which the name stays the same: the conflict is certain (FG101; for
   one step FG102, or FG103 if its name has holes; FG305 if only its own failure leads back to it).
2. At some points a variable certainly gets a value that it has not had before in the passes of a loop: a target of that
   loop, a counter that nothing sets back, and what is made of these alone (`_Renewals`). If every way leads past such a
   point there is no conflict.
3. Else it depends on values: a warning (FG104); but a counter that is set back is an error (FG103), and so are two
   loops over the same items (FG101).

Names that are not equal, but can be the same text, are a warning where both can be reached.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

import attrs

from flowgraph.compiler.control import Control, Given, Point, Variable
from flowgraph.compiler.naming import Alike, Name, Naming, Open
from flowgraph.compiler.ways import Points, Ways
from flowgraph.model.checkpoint import PROGRESS
from flowgraph.model.graph import STEP_KINDS

NOWHERE: Points = frozenset()
_MOST_PAIRS = 100_000
"""So many pairs of steps are looked at in one workflow; further ones count as steps that may meet."""

Meets = Callable[[Point, Point], "Meeting | None"]


@attrs.frozen(eq=False)
class Meeting:
    """Two steps, or two passes of one, that can have one path.

    Attributes:
        code: the rule that it breaks.
        first: the step whose saved result the other one gets.
        second: that other one; the same for two passes.
        loop: the loop whose next pass leads from one to the other; None within one pass.
    """

    code: str
    first: Point
    second: Point
    loop: Point | None


def meetings(control: Control) -> Iterator[Meeting]:
    """The conflicts of one workflow, each second step once."""
    return iter(_Identity(control).found())


Givens = dict[Variable, list[tuple[Point, Given]]]


class _Identity:
    def __init__(self, control: Control) -> None:
        self._control = control
        self._ways = Ways(control)
        self._naming = Naming(control)
        self._renewals = _Renewals(control, self._ways, self._naming)
        self._compared = 0

    def found(self) -> Iterator[Meeting]:
        scopes: dict[int | None, list[Point]] = defaultdict(list)
        for point in self._control.points:
            if point.kind in STEP_KINDS and point.kind != PROGRESS and _can_run(point):
                scopes[point.scope].append(point)
        for scope, points in scopes.items():
            reachable = self._ways.reachable(scope)
            alive = [point for point in points if point.number in reachable]
            yield from self._repeated(alive)
            yield from self._doubled(alive)

    # One step in two passes -------------------------------------------------------------------------------------------

    def _repeated(self, points: Iterable[Point]) -> Iterator[Meeting]:
        for point in points:
            for loop in self._control.loops(point):
                if (code := self._again(point, loop)) is not None:
                    yield Meeting(code, point, point, self._control.points[loop])
                    break

    def _again(self, point: Point, loop: int) -> str | None:
        """How a step conflicts with itself in the next pass of a loop; None if it does not."""
        name = self._naming.name(point)
        unchanged = self._renewals.of(name)
        if not _is_fresh(name) and self._ways.meet(point, point, loop, unchanged):
            if self._ways.again_only_after_failing(point, loop, unchanged):
                return "FG305"
            return self._known(point, "FG103" if _holes(name) else "FG102")
        if not self._ways.meet(point, point, loop, self._renewals.certain(name, loop, point, point)):
            return None
        varies = self._renewals.varies(name, loop) and not self._renewals.sets_back(name, loop)
        return "FG104" if varies else self._known(point, "FG103")

    def _known(self, point: Point, code: str) -> str:
        """The code for a name that is text as it is written; a variable or a call in its place is a warning."""
        opaque = point.template is not None and point.template.opaque and bool(_holes(self._naming.name(point)))
        return "FG104" if opaque else code

    # Two steps --------------------------------------------------------------------------------------------------------

    def _doubled(self, points: list[Point]) -> Iterator[Meeting]:
        equal: dict[Name, list[Point]] = defaultdict(list)
        for point in points:
            equal[self._naming.name(point)].append(point)
        done: set[int] = set()
        for group in equal.values():
            for meeting in self._in_group(group):
                done.add(meeting.second.number)
                yield meeting
        yield from self._perhaps_equal(points, done)

    def _in_group(self, group: list[Point]) -> Iterator[Meeting]:
        """Steps with equal names; a helper that is called many times is told of once for each call."""
        reached = self._ways.reached_from(group) if len(group) > 1 else NOWHERE
        seen: set[tuple[object, ...]] = set()
        for place, second in enumerate(group):
            site = (second.file, second.name_span, second.calls[:1])
            in_loop = next(self._control.loops(second), None) is not None
            if site in seen or (second.number not in reached and not in_loop):
                continue
            meeting = self._first(group[:place], second, self._equal)
            if meeting is not None:
                seen.add(site)
                yield meeting

    def _first(self, firsts: Iterable[Point], second: Point, meeting: Meets) -> Meeting | None:
        """The first of some steps that meets another one; after too many were looked at it counts as one that may."""
        for first in firsts:
            self._compared += 1
            if self._compared > _MOST_PAIRS:
                return Meeting("FG104", first, second, None)
            if (found := meeting(first, second)) is not None:
                return found
        return None

    def _equal(self, first: Point, second: Point) -> Meeting | None:
        name = self._naming.name(first)
        unchanged = self._renewals.of(name)
        perhaps: Meeting | None = None
        for one, other in ((first, second), (second, first)):
            for loop in (None, *self._ways.common(one, other)):
                if not _is_fresh(name) and self._ways.meet(one, other, loop, unchanged):
                    return self._meeting(self._known(second, "FG101"), one, other, loop, second)
                certain = self._renewals.certain(name, loop, one, other)
                if perhaps is None and self._ways.meet(one, other, loop, certain):
                    perhaps = self._meeting(self._same_items(one, other), one, other, loop, second)
        return perhaps

    def _meeting(self, code: str, one: Point, other: Point, loop: int | None, second: Point) -> Meeting:
        first = one if other is second else other
        return Meeting(code, first, second, None if loop is None else self._control.points[loop])

    def _same_items(self, one: Point, other: Point) -> str:
        """FG101 for names that are made of the same items, which two loops go through; else FG104."""
        first, second = (self._renewals.by_items(self._naming.name(point), point) for point in (one, other))
        if first is None or first != second:
            return "FG104"
        changed = self._renewals.of(first)
        return "FG101" if self._ways.meet(one, other, None, changed) else "FG104"

    def _perhaps_equal(self, points: list[Point], done: set[int]) -> Iterator[Meeting]:
        """Steps with names that differ as they are written, and can be the same text.

        A name that can be any text is told of once, and not the others that it can be.
        """
        alike = Alike(self._naming)
        told: set[int] = set()
        for second in points:
            while second.number not in done:
                others = (first for first in alike.like(second) if first.number not in told)
                meeting = self._first(others, second, self._by_chance)
                if meeting is None:
                    break
                if self._is_any(second) or not self._is_any(meeting.first):
                    told.update([second.number] if self._is_any(second) else [])
                    yield meeting
                    break
                told.add(meeting.first.number)
                yield attrs.evolve(meeting, first=second, second=meeting.first)
            alike.add(second)

    def _is_any(self, point: Point) -> bool:
        """Tell whether a name has no text of its own."""
        return any(
            len(form) == 1 and isinstance(form[0], Open) for form in self._naming.texts(self._naming.name(point))
        )

    def _by_chance(self, first: Point, second: Point) -> Meeting | None:
        for one, other in ((first, second), (second, first)):
            loop = self._level(one, other)
            if loop is not False:
                return self._meeting(self._same_items(one, other), one, other, loop, second)
        return None

    def _level(self, one: Point, other: Point) -> int | bool | None:
        """The level at which one step comes after another; False if it does not."""
        for loop in (None, *self._ways.common(one, other)):
            if self._ways.meet(one, other, loop, NOWHERE):
                return loop
        return False


class _Renewals:
    """Where the variables in names get other values."""

    def __init__(self, control: Control, ways: Ways, naming: Naming) -> None:
        self._control = control
        self._ways = ways
        self._naming = naming
        self._fresh: dict[int, tuple[dict[Variable, set[int]], set[Variable]]] = {}

    def of(self, name: Name) -> Points:
        """The points at which a variable in a name surely gets a value, whatever it is."""
        variables = {variable for hole in _holes(name) for variable in hole.rests.variables}
        return frozenset(point.number for one in variables for point, given in self._giving(one) if given.surely)

    def _giving(self, variable: Variable) -> Iterator[tuple[Point, Given]]:
        for point in self._naming.givers.get(variable, ()):
            if point.given is not None:
                yield point, point.given

    def certain(self, name: Name, loop: int | None, one: Point, other: Point) -> Points:
        """The points past which the name is certainly another one, on ways at one level."""
        found: set[int] = set()
        for place, hole in enumerate(name):
            if isinstance(hole, Open) and not self._runs_together(name, place, loop):
                for variable in hole.rests.certain:
                    found |= self._certainly(variable, loop, one, other)
        return frozenset(found)

    def _runs_together(self, name: Name, place: int, loop: int | None) -> bool:
        """Tell whether a hole has a neighbour that changes too: both together can be the text that they were."""
        for beside in (place - 1, place + 1):
            if 0 <= beside < len(name) and isinstance(neighbour := name[beside], Open):
                inside = None if loop is None else self._ways.inside(loop)
                for variable in neighbour.rests.variables:
                    if any(inside is None or point.number in inside for point, _ in self._giving(variable)):
                        return True
        return False

    def _certainly(self, variable: Variable, loop: int | None, one: Point, other: Point) -> set[int]:
        if loop is not None:
            return self._in_loop(loop)[0].get(variable, set())
        moving = {point.number for point, given in self._giving(variable) if given.moved and given.surely}
        signs = {given.moved for _, given in self._giving(variable) if given.moved}
        if not moving or len(signs) != 1:
            return set()
        for point, given in self._giving(variable):
            between = not given.moved and self._ways.meet(one, point, None, NOWHERE)
            if between and self._ways.meet(point, other, None, NOWHERE):
                return set()  # It is set to something else.
        return moving

    def _in_loop(self, loop: int) -> tuple[dict[Variable, set[int]], set[Variable]]:
        """The points at which variables get values that they have not had in a loop, and what differs in every pass."""
        if loop not in self._fresh:
            self._fresh[loop] = self._found_in_loop(loop)
        return self._fresh[loop]

    def _found_in_loop(self, loop: int) -> tuple[dict[Variable, set[int]], set[Variable]]:
        points: dict[Variable, set[int]] = {}
        steady: set[Variable] = set()
        waiting = self._given_inside(loop)
        grown = True
        while grown:
            grown = False
            for variable, givens in list(waiting.items()):
                if self._is_renewed(givens, loop, steady):
                    del waiting[variable]
                    points[variable] = {point.number for point, given in givens if given.surely}
                    if self._ways.always_passes(loop, frozenset(points[variable])):
                        steady.add(variable)
                    grown = True
        return points, steady

    def _given_inside(self, loop: int) -> Givens:
        found: dict[Variable, list[tuple[Point, Given]]] = defaultdict(list)
        for number in sorted(self._ways.repeated(loop)):
            point = self._control.points[number]
            if point.given is not None:
                found[point.given.variable].append((point, point.given))
        return found

    def _is_renewed(self, givens: list[tuple[Point, Given]], loop: int, steady: set[Variable]) -> bool:
        if all(given.moved for _, given in givens):
            return len({given.moved for _, given in givens}) == 1
        if len(givens) != 1:
            return False
        [(_, given)] = givens
        return given.loop == loop or not steady.isdisjoint(self._naming.of_origin(given.rests).certain)

    def varies(self, name: Name, loop: int) -> bool:
        """Tell whether anything in a name can be another one in another pass of a loop."""
        inside = self._given_inside(loop)
        variables = {variable for hole in _holes(name) for variable in hole.rests.variables}
        return _is_fresh(name) or any(self._changes(variable, loop, inside, frozenset()) for variable in variables)

    def _changes(self, variable: Variable, loop: int, inside: Givens, around: frozenset[Variable]) -> bool:
        """Tell whether a variable can have another value in each pass: one that is made of its own does."""
        if variable in around:
            return True
        for _, given in inside.get(variable, ()):
            if given.loop == loop or given.moved or (given.rests.fresh and not given.each):
                return True
            behind = self._naming.of_origin(given.rests).variables
            if any(self._changes(one, loop, inside, around | {variable}) for one in behind if one in inside):
                return True
        return False

    def sets_back(self, name: Name, loop: int) -> bool:
        """Tell whether a counter in a name gets another value in a loop."""
        inside = self._given_inside(loop)
        for hole in _holes(name):
            for variable in hole.rests.certain:
                givens = [given for _, given in inside.get(variable, ())]
                is_set = any(not given.moved and variable not in given.rests.variables for given in givens)
                is_counter = any(given.moved for given in givens) and not any(given.loop == loop for given in givens)
                is_counter = is_counter and (is_set or all(given.moved for given in givens))
                if is_counter and not self._in_loop(loop)[0].get(variable):
                    return True
        return False

    def by_items(self, name: Name, point: Point) -> Name | None:
        """A name with the items of loops in the place of their targets; None where it has others."""
        loops = set(self._control.loops(point))
        made: list[str | Open] = []
        for part in name:
            if isinstance(part, str):
                made.append(part)
                continue
            found = [(variable, self._items(variable, loops)) for variable in sorted(part.rests.certain)]
            if not found or any(items is None for _, items in found):
                return None
            shape, rests = part.shape, part.rests
            for (space, target), items in found:
                assert items is not None
                shape = shape.replace(f"{target}<{space}>", f"<{items.shape}>")
                rests = items.rests
            made.append(Open(shape, rests))
        return tuple(made)

    def _items(self, variable: Variable, loops: set[int]) -> Open | None:
        for _, given in self._giving(variable):
            if given.loop in loops and given.each:
                return Open(self._naming.shape(given.each, given.rests), self._naming.of_origin(given.rests))
        return None


def _can_run(point: Point) -> bool:
    """Tell whether a step has a name that is not refused when it is called."""
    return point.template is not None and not point.template.refused


def _holes(name: Name) -> list[Open]:
    return [part for part in name if isinstance(part, Open)]


def _is_fresh(name: Name) -> bool:
    """Tell whether a call in a name may give another text each time."""
    return any(hole.rests.fresh for hole in _holes(name))
