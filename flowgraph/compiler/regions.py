"""The intermediate form: what a function does, as a tree of regions.

Python has no goto, so the syntax tree is the structure. A region says what may happen and in which order; what has no
step in it is dropped, and its exits are kept. What could not be resolved is an `Unknown`, never left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import attrs

from flowgraph.compiler.templates import Hole, Template
from flowgraph.compiler.terms import Term
from flowgraph.model.graph import Span

if TYPE_CHECKING:
    from flowgraph.compiler.bindings import Names


@attrs.frozen
class Seq:
    """One after the other."""

    parts: tuple[Region, ...] = ()


@attrs.frozen(eq=False)
class Step:
    """A call of one of the words of the language.

    `kind` is step, map, for_each, batch, sleep, sleep_until, progress, listen, execute_workflow, start_workflow,
    wait_for_workflow, fail or abort. `body` is what the handler does; `options` are the arguments as text. `name_span`
    is where the name is written, `uses` the names whose values it is given, and `made_by` what of its arguments is made
    by other steps. `handler` is the handler as it is written, and `arguments` what is given by position behind it.
    """

    kind: str
    name: Template | None
    span: Span
    body: Region
    options: tuple[tuple[str, str], ...] = ()
    name_span: Span | None = None
    uses: frozenset[str] = frozenset()
    made_by: tuple[Step | Call, ...] = ()
    handler: str = ""
    arguments: tuple[str, ...] = ()

    @property
    def ends(self) -> bool:
        """Whether nothing follows."""
        return self.kind in {"fail", "abort"}


@attrs.frozen(eq=False)
class Bind:
    """A name that is given a value.

    Args:
        name: the name; ``obj.*`` stands for the contents of an object, which may have been changed.
        term: what the value rests on.
        made_by: the steps, and the calls of helpers, whose results the value is made of.
        number: the value is a whole number.
        each: of a loop's target, the items as they are written, and the place in them; "" else.
        surely: it always happens here; else it may.
        same: of a parameter, the name whose value it is given, or the text if that is a constant.
        template: the value as text, where it is one.
        argument: of a parameter, what it is given, as a name has it.
    """

    name: str
    term: Term
    span: Span
    made_by: tuple[Step | Call, ...] = ()
    number: bool = False
    each: str = ""
    surely: bool = True
    same: Hole | str | None = None
    template: Template | None = None
    argument: Template | None = None


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
    """A way out: nothing after it in its sequence runs. `value` is what a return gives, under the name ``return``."""

    kind: Literal["return", "raise", "break", "continue"]
    label: str
    span: Span
    value: Bind | None = None


@attrs.define(eq=False)
class Function:
    """A helper, compiled once and shared by all its calls.

    Args:
        name: the function's name.
        path: the file that it is in.
        span: where it is.
        names: its scope: what it binds, and the function that it is in.
        body: what it does; None while it is being translated.
        changed: the objects in the names of steps whose contents matter.
    """

    name: str
    path: str
    span: Span
    names: Names | None = None
    body: Region | None = None
    changed: set[str] = attrs.field(factory=set)


@attrs.frozen(eq=False)
class Call:
    """A helper that is called here; a call of a function from within itself is `recursive`.

    `arguments` give its parameters their values, among the names of the caller.
    """

    function: Function
    span: Span
    recursive: bool = False
    arguments: tuple[Bind, ...] = ()


@attrs.frozen
class Unknown:
    """Steps may be here, and it cannot be said which.

    `awaited` says that it is only something awaited that cannot be followed. In the body of a workflow that may be a
    helper with steps; in the handler of a step it is the work that the step is there for.
    """

    reason: str
    span: Span
    awaited: bool = False


Region = Seq | Step | Bind | Branch | Loop | Try | Parallel | Spawn | Group | Exit | Call | Unknown

NOTHING = Seq()


def sequence(parts: list[Region]) -> Region:
    """The parts one after the other, without what is nothing."""
    flat: list[Region] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, Seq) else (part,))
    return flat[0] if len(flat) == 1 else Seq(tuple(flat))


def has_steps(region: Region, *, in_handler: bool = False) -> bool:
    """Tell whether a step, or something unknown, is anywhere in a region."""
    if isinstance(region, Step | Unknown):
        return not (in_handler and isinstance(region, Unknown) and region.awaited)
    if isinstance(region, Call):
        body = region.function.body
        return region.recursive or body is None or has_steps(body, in_handler=in_handler)
    return any(has_steps(part, in_handler=in_handler) for part in children(region))


def has_effect(region: Region) -> bool:
    """Tell whether a region has to be kept: it has steps, a way out, or no end."""
    if isinstance(region, Step | Unknown | Exit | Call) or (isinstance(region, Loop) and region.endless):
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
        case Step() | Bind() | Exit() | Call() | Unknown():
            return


def binds(region: Region) -> Iterator[Bind]:
    """The names that are given values anywhere in a region."""
    if isinstance(region, Bind):
        yield region
    for part in children(region):
        yield from binds(part)


def settled(ways: list[Region]) -> list[Region]:
    """What several ways without steps leave behind: the names that they give values, in one of them at a time."""
    given = [{bind.name: bind for bind in binds(way)} for way in ways]
    left: list[Region] = []
    for name in dict.fromkeys(name for way in given for name in way):
        found = [way[name] for way in given if name in way]
        terms = {bind.term for bind in found}
        names = frozenset[str]().union(*(term.names for term in terms))
        term = found[0].term if len(terms) == 1 else Term(perhaps=names, fresh=any(one.fresh for one in terms))
        surely = len(found) == len(ways) and all(bind.surely for bind in found)
        number = all(bind.number for bind in found)
        left.append(Bind(name, term, found[0].span, results(list(found)), number, surely=surely))
    return left


def results(regions: list[Region]) -> tuple[Step | Call, ...]:
    """The steps and calls whose results the value of an expression is made of, out of what happens in it.

    What a step is given as an argument is not among them: the step makes something else of it.
    """
    found: list[Step | Call] = []
    stack = list(reversed(regions))
    while stack:
        region = stack.pop()
        if isinstance(region, Step | Call):
            found.append(region)
        elif isinstance(region, Bind):
            found.extend(region.made_by)
        stack.extend(reversed(list(children(region))))
    inner = {id(one) for region in found for one in _given(region)}
    return tuple(region for region in found if id(region) not in inner)


def _given(region: Step | Call) -> Iterator[Step | Call]:
    if isinstance(region, Step):
        yield from region.made_by
    else:
        for argument in region.arguments:
            yield from argument.made_by
