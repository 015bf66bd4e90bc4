"""What the compiler finds wrong with the names of a workflow's steps, in words."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import attrs

from flowgraph.compiler.control import CallSite, Control, Point
from flowgraph.compiler.identity import Meeting, meetings
from flowgraph.compiler.retrying import told_by_flags
from flowgraph.compiler.ways import Ways
from flowgraph.model.diagnostic import Diagnostic, Related, Severity
from flowgraph.model.graph import Span

RULES: dict[str, tuple[str, Severity]] = {
    "FG101": ("duplicate-step-name", "error"),
    "FG102": ("constant-name-in-loop", "error"),
    "FG103": ("loop-invariant-name", "error"),
    "FG104": ("unverifiable-name", "warning"),
    "FG305": ("retry-loop-around-step", "error"),
}
"""The rules that the compiler checks itself: their names, and how bad it is to break them."""


def checked(control: Control) -> tuple[Diagnostic, ...]:
    """The findings in one workflow, in the order of the source."""
    found: dict[tuple[object, ...], tuple[Diagnostic, Meeting]] = {}
    for meeting in meetings(control):
        one = _found(control, meeting)
        found[one.code, one.path, one.line, one.column, one.message] = one, meeting
    ways = Ways(control)
    told = (attrs.evolve(one, label=_label(ways, meeting)) for one, meeting in found.values())
    return tuple(sorted(told, key=lambda one: (one.path, one.line, one.column, one.code)))


def _found(control: Control, meeting: Meeting) -> Diagnostic:
    if meeting.first is not meeting.second:
        return _doubled(control, meeting)
    return _repeated(control, told_by_flags(control, meeting))


def _doubled(control: Control, meeting: Meeting) -> Diagnostic:
    first, second = meeting.first, meeting.second
    name = str(second.template)
    if first.file == second.file and first.name_span == second.name_span:
        return _called_twice(control, meeting)
    if meeting.code == "FG101":
        message = f'step "{name}" can run twice in one run of {control.workflow}'
        about = "first use; its saved result is returned to the second"
        help_ = f'Give one of them another name, for example "{name}-2".'
    else:
        message = f'step "{name}" can have the same name as "{first.template}" (line {_start(first)[0]})'
        about = f'"{first.template}"'
        help_ = "Put text into one of them that the other one cannot have."
    related = [Related(first.file, *_start(first), about), *_through(second)]
    return _finding(control, meeting, second.file, second.name_span or second.span, message, help_, related)


def _called_twice(control: Control, meeting: Meeting) -> Diagnostic:
    """One step that is reached through several calls: the place is the later call."""
    first, second = meeting.first, meeting.second
    call = next(
        (other for one, other in zip(first.calls, second.calls, strict=False) if one is not other), second.calls[-1]
    )
    name = str(second.template)
    verb = "runs" if meeting.code == "FG101" else "can run"
    message = f'{call.function}() {verb} step "{name}" a second time in one run of {control.workflow}'
    help_ = f"Give {call.function}() a parameter that goes into the name."
    related = [Related(second.file, *_start(second), "the step, whose saved result is returned the second time")]
    return _finding(control, meeting, call.file, call.span, message, help_, related)


def _repeated(control: Control, meeting: Meeting) -> Diagnostic:
    step, loop = meeting.second, meeting.loop
    assert loop is not None
    name, again = str(step.template), _again(loop)
    match meeting.code:
        case "FG102":
            message = f'step "{name}" has the same name {again}: it gets the result of the first one'
            help_ = _what_differs(step, loop)
        case "FG103":
            message = f'step "{name}" can have the same name {again}, where nothing in it has changed'
            help_ = "Put a value into the name that is another one in each pass."
        case "FG305":
            message = f'step "{name}" is called again after it has failed, {again}: its saved failure is raised again'
            help_ = "Let the step try again by itself, with max_attempts=5."
        case _:
            message = f'it cannot be verified that step "{name}" has another name {again}'
            help_ = "Put the loop's own variable, or a counter, into the name."
    return _finding(
        control, meeting, step.file, step.name_span or step.span, message, help_, list(_through(step, loop.calls))
    )


def _again(loop: Point) -> str:
    if " " not in loop.name:
        return f"when {loop.name} calls itself"
    return f"in the next pass of `{loop.name}` (line {loop.span.line})"


def _what_differs(step: Point, loop: Point) -> str:
    """How a constant name comes to differ: by a variable that there is, or one that has to be made."""
    if len(step.calls) > len(loop.calls):
        return f"Give {step.calls[len(loop.calls)].function}() a parameter that goes into the name."
    target = _target(loop)
    if target is None:
        return "Put what differs in each pass into the name, such as a number that is counted up."
    return f'Put what differs into the name, for example f"{step.template}-{{{target}}}".'


def _target(loop: Point) -> str | None:
    """The first name that a ``for`` gives a value; None where there is none, or it is for what is not used."""
    head = loop.name.removeprefix("async ")
    if not head.startswith("for "):
        return None
    target = head.removeprefix("for ").partition(" in ")[0]
    names = (one.id for one in ast.walk(ast.parse(f"{target} = 0")) if isinstance(one, ast.Name) and _is_store(one))
    return next((name for name in names if not name.startswith("_")), None)


def _is_store(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


def _finding(
    control: Control, meeting: Meeting, path: str, span: Span, message: str, help_: str, related: list[Related]
) -> Diagnostic:
    rule, severity = RULES[meeting.code]
    return Diagnostic(
        meeting.code, rule, severity, message, path, span.line, span.column, span.end_line, span.end_column,
        control.workflow, meeting.second.written, help_, tuple(related),
    )  # fmt: skip


def _label(ways: Ways, meeting: Meeting) -> str:
    """How a run comes from the one to the other."""
    first = meeting.first
    if first is meeting.second or first.number > meeting.second.number:
        return ""
    line = (first.name_span or first.span).line
    way = ways.way(first, meeting.second)
    if way is None:
        return f"runs beside line {line}"
    loop = "" if meeting.loop is None else f"the next pass of `{meeting.loop.name}` (line {meeting.loop.span.line})"
    passed = [f"`{point.name or point.kind}` (line {point.span.line})" for point in way if _tells(point)]
    through = " and ".join([*passed[:2], *([loop] if loop else [])])
    return f"reached from line {line}" + (f" through {through}" if through else "")


def _tells(point: Point) -> bool:
    return point.kind in ("handler", "finally")


def _through(point: Point, outside: tuple[CallSite, ...] = ()) -> Iterator[Related]:
    """The calls of helpers that lead to a step, but those around a loop that both are in."""
    for call in point.calls[len(outside) :]:
        yield Related(call.file, call.span.line, call.span.column, f"called here: {call.function}()")


def _start(point: Point) -> tuple[int, int]:
    span = point.name_span or point.span
    return span.line, span.column
