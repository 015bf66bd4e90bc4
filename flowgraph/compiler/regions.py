"""The intermediate form: what a function does, as a tree of regions.

Python has no goto, so the syntax tree is the structure. A region says what may happen and in which order; what has no
step in it is dropped, and its exits are kept. What could not be resolved is an `Unknown`, never left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import attrs

from flowgraph.compiler.templates import Template


@attrs.frozen
class Span:
    """A place in a source file. Lines and columns count from 1; the end is the column after the last character."""

    line: int
    column: int
    end_line: int
    end_column: int


@attrs.frozen
class Seq:
    """One after the other."""

    parts: tuple[Region, ...] = ()


@attrs.frozen
class Step:
    """A call of one of the words of the language.

    `kind` is step, map, for_each, batch, sleep, sleep_until, progress, listen, execute_workflow, start_workflow,
    wait_for_workflow, fail or abort. `body` is what the handler does; `options` are the arguments as text.
    """

    kind: str
    name: Template | None
    span: Span
    body: Region
    options: tuple[tuple[str, str], ...] = ()

    @property
    def ends(self) -> bool:
        """Whether nothing follows."""
        return self.kind in {"fail", "abort"}


@attrs.frozen
class Arm:
    """One way through a branch; `label` is its condition or pattern as it is written."""

    label: str
    body: Region


@attrs.frozen
class Branch:
    """One of several: if, match, a conditional expression, and/or. The arms are all that there are."""

    subject: str
    arms: tuple[Arm, ...]
    span: Span


@attrs.frozen
class Loop:
    """A body that runs any number of times; `orelse` follows where no break left it.

    Args:
        header: the loop's first line as it is written, without the colon.
        test: what happens before each pass, in a `while`.
        endless: it is a ``while True``, which only an exit leaves.
    """

    header: str
    test: Region
    body: Region
    orelse: Region
    span: Span
    endless: bool = False


@attrs.frozen
class Handler:
    """An ``except`` clause; `everything` says that no Exception passes it by."""

    label: str
    body: Region
    span: Span
    everything: bool


@attrs.frozen
class Try:
    """try, with what follows an exception, no exception, and either."""

    body: Region
    handlers: tuple[Handler, ...]
    orelse: Region
    final: Region
    span: Span


@attrs.frozen
class Parallel:
    """All of the branches, side by side; what follows waits for all."""

    branches: tuple[Region, ...]
    span: Span


@attrs.frozen
class Spawn:
    """A task that runs beside what follows, until its group or its scope ends."""

    body: Region
    span: Span


@attrs.frozen
class Group:
    """A body whose tasks have ended when it has."""

    body: Region
    span: Span


@attrs.frozen
class Exit:
    """A way out: nothing after it in its sequence runs."""

    kind: Literal["return", "raise", "break", "continue"]
    label: str
    span: Span


@attrs.define(eq=False)
class Function:
    """A helper, compiled once and shared by all its calls; `body` is None while it is being translated."""

    name: str
    path: str
    span: Span
    body: Region | None = None


@attrs.frozen
class Call:
    """A helper that is called here; a call of a function from within itself is `recursive`."""

    function: Function
    span: Span
    recursive: bool = False


@attrs.frozen
class Unknown:
    """Steps may be here, and it cannot be said which."""

    reason: str
    span: Span


Region = Seq | Step | Branch | Loop | Try | Parallel | Spawn | Group | Exit | Call | Unknown

NOTHING = Seq()


def sequence(parts: list[Region]) -> Region:
    """The parts one after the other, without what is nothing."""
    flat: list[Region] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, Seq) else (part,))
    return flat[0] if len(flat) == 1 else Seq(tuple(flat))


def has_steps(region: Region) -> bool:
    """Tell whether a step, or something unknown, is anywhere in a region."""
    if isinstance(region, Step | Unknown):
        return True
    if isinstance(region, Call):
        return region.recursive or region.function.body is None or has_steps(region.function.body)
    return any(has_steps(part) for part in children(region))


def has_effect(region: Region) -> bool:
    """Tell whether a region has to be kept: it has steps, or a way out."""
    if isinstance(region, Step | Unknown | Exit | Call):
        return True
    return any(has_effect(part) for part in children(region))


def children(region: Region) -> Iterator[Region]:
    """The regions directly inside one; those of a helper and of a step's handler are not."""
    match region:
        case Seq(parts=parts):
            yield from parts
        case Branch(arms=arms):
            yield from (arm.body for arm in arms)
        case Loop(test=test, body=body, orelse=orelse):
            yield from (test, body, orelse)
        case Try(body=body, handlers=handlers, orelse=orelse, final=final):
            yield body
            yield from (handler.body for handler in handlers)
            yield from (orelse, final)
        case Parallel(branches=branches):
            yield from branches
        case Spawn(body=body) | Group(body=body):
            yield body
        case Step() | Exit() | Call() | Unknown():
            return
