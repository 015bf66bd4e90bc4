"""The control flow of a workflow: the points that a run comes past, and the ways between them.

Each node of the graph is a point, and so is each place where a name is given a value (kind ``bind``), which the graph
leaves out. A helper has points of its own for each of its calls. Names are told apart by the call of the function that
they belong to: a `Variable` is the number of that call and the name.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from flowgraph.compiler.templates import Template
from flowgraph.model.graph import EdgeKind, Span

Variable = tuple[int, str]

BIND = "bind"


@attrs.frozen
class Rests:
    """What a value rests on; see `terms`."""

    certain: frozenset[Variable] = frozenset()
    perhaps: frozenset[Variable] = frozenset()
    fresh: bool = False

    @property
    def variables(self) -> frozenset[Variable]:
        """All variables in it."""
        return self.certain | self.perhaps


@attrs.frozen(eq=False)
class Given:
    """A variable that is given a value at a point.

    Attributes:
        variable: the variable.
        rests: what the value rests on.
        moved: the sign of the step from the variable's own value before: a counter; 0 else.
        loop: the number of the loop that it is a target of; None else.
        each: of a target, the items as they are written and the place in them, "" where they may differ each time.
        number: the value is a whole number.
        surely: the value is given whenever a run comes past.
        made_by: the points of the steps whose results are in the value.
        returned: the helpers whose results are.
        same: of a parameter, the variable whose value it has, or its text if that is a constant.
        template: the value as text, where it is one.
        argument: of a parameter, what it is given, as a name has it.
        holes: what the holes of the template, or of the argument, rest on.
    """

    variable: Variable
    rests: Rests
    moved: int = 0
    loop: int | None = None
    each: str = ""
    number: bool = False
    surely: bool = True
    made_by: tuple[int, ...] = ()
    returned: tuple[Variable, ...] = ()
    same: Variable | str | None = None
    template: Template | None = None
    argument: Template | None = None
    holes: tuple[Rests, ...] = ()


@attrs.frozen(eq=False)
class CallSite:
    """The call of a helper through which a point is reached."""

    function: str
    file: str
    span: Span


@attrs.frozen
class Arrow:
    """A way to another point; one that is `aside` is taken by an exception of the code between steps."""

    target: int
    kind: EdgeKind
    label: str
    aside: bool = False


@attrs.define(eq=False)
class Point:
    """One point.

    Attributes:
        number: its number, in the order in which points are drawn.
        kind: a kind of node, or ``bind``.
        name: as a node has it.
        span: where it is written, in `file`.
        parent: the number of the step or loop that it is inside.
        region: the number of the point that it is directly inside: a step, loop, try, fork, branch, handler or finally.
        arm: on which of a branch's ways it is, as the edge there is labelled; "else" for the else of a loop or a try.
        scope: the number of the step whose handler it is in; None for the workflow's own points.
        path: a step's path, with the names that it has in its call.
        written: the same with the names as they are written, which all calls of a helper share.
        options: a step's options.
        handler: a step's handler, as it is written.
        arguments: what a step is given by position behind its name and its handler, as it is written.
        template: a step's name.
        name_span: where that is written.
        holes: what the holes of the name rest on, in their order.
        calls: the calls of helpers through which it is reached, from the outermost inwards.
        branches: the forks that it is behind, and along which of their ways.
        uses: the variables that a step is given.
        made_by: the points of the steps whose results it is given directly.
        given: the variable that gets a value here.
        endless: it is a ``while True``.
        arrows: the ways on from here.
    """

    number: int
    kind: str
    name: str
    span: Span
    file: str
    parent: int | None
    region: int | None
    arm: str
    scope: int | None
    calls: tuple[CallSite, ...]
    branches: tuple[tuple[int, int], ...]
    path: str = ""
    written: str = ""
    options: dict[str, str] = attrs.field(factory=dict)
    handler: str = ""
    arguments: tuple[str, ...] = ()
    template: Template | None = None
    name_span: Span | None = None
    holes: tuple[Rests, ...] = ()
    uses: frozenset[Variable] = frozenset()
    made_by: tuple[int, ...] = ()
    returned: tuple[Variable, ...] = ()
    given: Given | None = None
    endless: bool = False
    arrows: list[Arrow] = attrs.field(factory=list)


@attrs.frozen(eq=False)
class Control:
    """The control flow of one workflow."""

    workflow: str
    path: str
    line: int
    points: list[Point]

    def loops(self, point: Point) -> Iterator[int]:
        """The loops around a point inside its scope, from the innermost outwards."""
        parent = point.parent
        while parent is not None and parent != point.scope:
            yield parent
            parent = self.points[parent].parent
