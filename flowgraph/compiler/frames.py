"""What is around a point while control flow is drafted: the names, the loops, the functions and the handlers.

An exit hands its open arrows to the frame that it leaves; an exception goes to the handlers around.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import attrs

from flowgraph.compiler.control import Rests, Variable
from flowgraph.compiler.regions import Function
from flowgraph.compiler.terms import Term
from flowgraph.model.graph import EdgeKind

if TYPE_CHECKING:
    from flowgraph.compiler.bindings import Names


@attrs.frozen
class Open:
    """An edge whose target is not known yet."""

    source: int
    label: str = ""
    kind: EdgeKind = "control"
    aside: bool = False


@attrs.frozen(eq=False)
class Space:
    """The names of one call of a function."""

    number: int
    names: Names | None
    outer: Space | None

    def variable(self, name: str) -> Variable:
        space: Space | None = self
        while space is not None and space.names is not None:
            if name.removesuffix(".*") in space.names.bound or name == "return":
                return (space.number, name)
            space = space.outer
        return (-1, name)

    def rests(self, term: Term) -> Rests:
        certain, perhaps = (frozenset(map(self.variable, names)) for names in (term.certain, term.perhaps))
        return Rests(certain, perhaps, term.fresh)


Opens = list[Open]


@attrs.define(eq=False)
class LoopFrame:
    head: int
    breaks: Opens = attrs.field(factory=list)


@attrs.define(eq=False)
class FunctionFrame:
    function: Function | None
    entry: int
    space: Space
    returns: Opens = attrs.field(factory=list)
    resumed: list[int] = attrs.field(factory=list)
    """The nodes at which calls of the function from within itself go on."""


@attrs.define(eq=False)
class TryFrame:
    """`raisers` are what may be followed by a handler; `left` what goes through the ``finally``, and where to."""

    catches: bool
    has_final: bool
    raisers: Opens = attrs.field(factory=list)
    raises: Opens = attrs.field(factory=list)
    left: list[tuple[str, Opens]] = attrs.field(factory=list)


@attrs.define(eq=False)
class GroupFrame:
    spawned: Opens = attrs.field(factory=list)


Frame = LoopFrame | FunctionFrame | TryFrame | GroupFrame


class Frames:
    """The frames of the scope that is being drafted, and of those around it.

    `back` takes open arrows to the head of a loop.
    """

    def __init__(self, back: Callable[[Opens, int], None]) -> None:
        self._back = back
        self._stack: list[Frame] = []
        self._outer: list[list[Frame]] = []

    def enter_scope(self) -> None:
        """Begin the workflow, or the handler of a step: nothing leads out of it."""
        self._outer.append(self._stack)
        self._stack = []

    def leave_scope(self) -> None:
        """Go back to the scope around."""
        self._stack = self._outer.pop()

    def push(self, frame: Frame) -> None:
        """Enter a frame."""
        self._stack.append(frame)

    def remove(self, frame: Frame) -> None:
        """Leave a frame."""
        self._stack.remove(frame)

    @property
    def whole(self) -> FunctionFrame:
        """The frame of the scope's own function."""
        return next(frame for frame in self._stack if isinstance(frame, FunctionFrame))

    @property
    def function(self) -> FunctionFrame:
        """The frame of the innermost function."""
        return next(frame for frame in reversed(self._stack) if isinstance(frame, FunctionFrame))

    @property
    def group(self) -> GroupFrame:
        """The innermost frame that waits for tasks."""
        return next(frame for frame in reversed(self._stack) if isinstance(frame, GroupFrame))

    @property
    def loop(self) -> int | None:
        """The head of the innermost loop."""
        return next((frame.head for frame in reversed(self._stack) if isinstance(frame, LoopFrame)), None)

    def running(self, function: Function) -> FunctionFrame | None:
        """The frame of a function that is running in this scope."""
        found = (frame for frame in self._stack if isinstance(frame, FunctionFrame))
        return next((frame for frame in found if frame.function is function), None)

    def is_running_around(self, function: Function) -> bool:
        """Tell whether a function is running in a scope around this one."""
        found = (frame for frames in self._outer for frame in frames if isinstance(frame, FunctionFrame))
        return any(frame.function is function for frame in found)

    @property
    def is_in_recursion(self) -> bool:
        """Whether a function that calls itself is running in this scope."""
        whole, *called = (frame for frame in self._stack if isinstance(frame, FunctionFrame))
        return any(frame.entry != whole.entry and frame.entry >= 0 for frame in called)

    def space_of_outer(self, function: Function) -> Space | None:
        """The names of the function that a function is defined in, as far as that is running."""
        outer = function.names.outer if function.names is not None else None
        for frame in self._from_inside():
            space = frame.space if isinstance(frame, FunctionFrame) else None
            if space is not None and space.names is not None and outer is not None and space.names.node is outer.node:
                return space
        return None

    def _from_inside(self) -> Iterator[Frame]:
        for frames in (self._stack, *reversed(self._outer)):
            yield from reversed(frames)

    def leave(self, way: str, opens: Opens) -> None:
        """Take edges to where an exit leads, through each ``finally`` on the way."""
        for frame in reversed(self._stack):
            if isinstance(frame, TryFrame) and frame.has_final and way != "end":
                frame.left.append((way, opens))
                return
            if isinstance(frame, LoopFrame) and way == "break":
                frame.breaks += opens
                return
            if isinstance(frame, LoopFrame) and way == "continue":
                self._back(opens, frame.head)
                return
            if isinstance(frame, FunctionFrame) and way == "return":
                frame.returns += opens
                return
        self.whole.returns += opens

    def throw(self, opens: Opens) -> None:
        """Take edges of an exception to the handlers around it, and out where none takes everything."""
        for frame in reversed(self._stack):
            if isinstance(frame, TryFrame):
                frame.raises += opens
                if frame.catches or frame.has_final:
                    return
        self.whole.returns += opens

    def may_throw(self, node: int, *, aside: bool = False) -> None:
        """Note a point from which an exception may come."""
        for frame in reversed(self._stack):
            if isinstance(frame, TryFrame):
                frame.raisers.append(Open(node, kind="exception", aside=aside))
                if frame.catches or frame.has_final:
                    return
