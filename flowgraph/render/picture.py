"""A picture as values: shapes in frames, and lines between them. Nothing here knows of a format."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import attrs

LineKind = Literal["control", "back", "exception", "data", "order"]
"""The kinds of a graph's edges; ``order`` is not seen, and only puts one shape below another."""

Title = tuple[tuple[str, bool], ...]
"""Texts, each with whether it is a hole: an expression whose text is known only in a run."""


@attrs.frozen
class Shape:
    """What stands for one node.

    Attributes:
        id: the node's id.
        look: how it looks: the kind of the node, or one of ``child``, ``unplanned`` and ``more``.
        title: its name, condition or header.
        detail: the small second line.
        tooltip: all of what the title shortens, and the handler's first line of documentation.
        link: where it leads to; "" for nowhere.
        state: what a run has made of it; "" where no run is drawn.
        note: how many steps are inside; of a run, its attempts, counts and durations.
    """

    id: str
    look: str
    title: Title = ()
    detail: str = ""
    tooltip: str = ""
    link: str = ""
    state: str = ""
    note: str = ""

    @property
    def text(self) -> str:
        """The title as plain text."""
        return "".join(f"{{{text}}}" if is_hole else text for text, is_hole in self.title)


@attrs.frozen
class Frame:
    """A head and what is inside it: a loop, a try, what runs side by side, a step with steps of its own."""

    head: Shape
    members: tuple[Shape | Frame, ...]

    def shapes(self) -> Iterator[Shape]:
        """All shapes in it, the head first."""
        yield self.head
        for member in self.members:
            yield from (member,) if isinstance(member, Shape) else member.shapes()


@attrs.frozen
class Line:
    """A way from one shape to another. `leaves` is the id of the frame that it leaves as a whole."""

    source: str
    target: str
    kind: LineKind = "control"
    label: str = ""
    leaves: str = ""
    taken: bool = False


@attrs.frozen
class Picture:
    """All of it."""

    title: str
    subtitle: str
    members: tuple[Shape | Frame, ...]
    lines: tuple[Line, ...]
    is_run: bool = False

    def shapes(self) -> Iterator[Shape]:
        """All shapes, in the order of the source."""
        for member in self.members:
            yield from (member,) if isinstance(member, Shape) else member.shapes()

    def frames(self) -> Iterator[Frame]:
        """All frames, each before those inside it."""
        waiting = [member for member in reversed(self.members) if isinstance(member, Frame)]
        while waiting:
            frame = waiting.pop()
            yield frame
            waiting.extend(member for member in reversed(frame.members) if isinstance(member, Frame))
