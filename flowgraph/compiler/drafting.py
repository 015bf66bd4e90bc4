"""From regions to control flow: points, with every way through them.

The draft walks the region tree with the arrows that are still open: each has a source, and its target is whatever comes
next. An exit hands them to the loop, the function or the try that it leaves. Where a path cannot be proved no arrow is
drawn; a helper is drawn again at each of its calls, up to a budget.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, TypeGuard

import attrs

from flowgraph.compiler.control import BIND, Arrow, CallSite, Control, Given, Point, Rests, Variable
from flowgraph.compiler.frames import Frames, FunctionFrame, GroupFrame, LoopFrame, Open, Opens, Space, TryFrame
from flowgraph.compiler.instances import name_instances
from flowgraph.compiler.regions import (
    Bind,
    Branch,
    Call,
    Exit,
    Function,
    Group,
    Handler,
    Loop,
    Parallel,
    Region,
    Seq,
    Spawn,
    Step,
    Try,
    Unknown,
    children,
    has_effect,
    has_steps,
)
from flowgraph.compiler.templates import Hole, Template
from flowgraph.compiler.terms import FRESH
from flowgraph.model.checkpoint import FAN_OUTS
from flowgraph.model.graph import EdgeKind, Span

MOST_NODES = 20_000
"""Beyond so many nodes what is left is unknown; helpers that call helpers twice double at each level."""

_MOST_TIMES = 30
"""Functions that call each other are reached in as many ways as they can be put in order; so many are drawn of each."""

_Placed = Step | Bind | Branch | Loop | Try | Parallel | Spawn | Group | Exit | Call | Unknown


class Draft:
    """The control flow of a workflow in the making."""

    def __init__(self, path: str) -> None:
        self._file = path
        self._points: list[Point] = []
        self._seen: set[tuple[int, Arrow]] = set()
        self._parent: int | None = None
        self._region: tuple[int | None, str] = (None, "")
        self._step_around: int | None = None
        self._path = ""
        self._calls: tuple[CallSite, ...] = ()
        self._branches: tuple[tuple[int, int], ...] = ()
        self._function: Function | None = None
        self._space = Space(0, None, None)
        self._spaces = 0
        self._made: dict[int, int | Variable] = {}
        """The point of a step, or the result of a helper, by the region that was last drawn."""
        self._frames = Frames(lambda opens, head: self._close(opens, head, "back"))
        self._visible = 0
        self._times: Counter[Function] = Counter()

    @classmethod
    def control(cls, workflow: str, path: str, function: Function) -> Control:
        """The control flow of a workflow."""
        assert function.body is not None
        draft = cls(path)
        draft._function = function
        draft._space = draft._new_space(function, None)
        draft._scope(function, function.body, function.span)
        name_instances(draft._points)
        return Control(workflow, path, function.span.line, draft._points)

    def _new_space(self, function: Function, outer: Space | None) -> Space:
        self._spaces += 1
        return Space(self._spaces, function.names, outer)

    # Points and arrows ------------------------------------------------------------------------------------------------

    def _add(self, kind: str, name: str, span: Span, opens: Iterable[Open] = (), **values: Any) -> int:
        number = len(self._points)
        file = self._file if self._function is None else self._function.path
        point = Point(
            number,
            kind,
            name,
            span,
            file,
            self._parent,
            *self._region,
            self._step_around,
            self._calls,
            self._branches,
            **values,
        )
        self._points.append(point)
        self._visible += kind != BIND
        self._close(opens, number)
        return number

    def _close(self, opens: Iterable[Open], target: int, kind: EdgeKind | None = None) -> None:
        for one in opens:
            arrow = Arrow(target, kind or one.kind, one.label, one.aside)
            if (one.source, arrow) not in self._seen:
                self._seen.add((one.source, arrow))
                self._points[one.source].arrows.append(arrow)

    def _scope(self, function: Function | None, body: Region, span: Span) -> None:
        """A workflow, or the handler of a step: from its start to its end."""
        self._frames.enter_scope()
        branches, self._branches = self._branches, ()
        start = self._add("start", "", span)
        group, frame = GroupFrame(), FunctionFrame(function, start, self._space)
        self._frames.push(group)
        self._frames.push(frame)
        opens = [*self._draw(body, [Open(start)]), *frame.returns]
        self._add("end", "", span, self._joined(group, opens, span))
        self._frames.leave_scope()
        self._branches = branches

    def _joined(self, group: GroupFrame, opens: Opens, span: Span) -> Opens:
        """Wait for what was spawned in a group."""
        if not group.spawned:
            return opens
        return [Open(self._add("join", "", span, [*opens, *group.spawned]))]

    def _bind(self, bind: Bind, opens: Opens, space: Space | None = None) -> Opens:
        """A name that is given a value: in `space`, which is another one for the parameters of a call."""
        if bind.name.endswith(".*") and (self._function is None or bind.name not in self._function.changed):
            return opens
        target = (space or self._space).variable(bind.name)
        rests = self._space.rests(bind.term)
        steps, returned = self._sources(bind.made_by)
        given = Given(
            target,
            rests,
            moved=bind.term.moved if rests.certain == {target} else 0,
            loop=self._frames.loop if bind.each else None,
            each=bind.each.lstrip("?"),
            number=bind.number,
            surely=bind.surely,
            made_by=steps,
            returned=returned,
            same=self._space.variable(bind.same.text) if isinstance(bind.same, Hole) else bind.same,
            template=bind.template,
            argument=bind.argument,
            holes=self._holes(bind.template or bind.argument),
        )
        point = self._add(BIND, bind.name, bind.span, opens, given=given)
        self._frames.may_throw(point, aside=True)
        return [Open(point)]

    def _holes(self, template: Template | None) -> tuple[Rests, ...]:
        return () if template is None else tuple(self._space.rests(hole.term) for hole in template.holes)

    def _sources(self, made_by: tuple[Step | Call, ...]) -> tuple[tuple[int, ...], tuple[Variable, ...]]:
        found = [self._made[id(one)] for one in made_by if id(one) in self._made]
        steps = tuple(one for one in found if isinstance(one, int))
        return steps, tuple(one for one in found if isinstance(one, tuple))

    # Regions ----------------------------------------------------------------------------------------------------------

    def _draw(self, region: Region, opens: Opens) -> Opens:
        """Draw a region behind open edges; returns those that are open after it."""
        if self._is_too_much(region):
            return self._unknown("the graph has too many nodes", region.span, opens)
        match region:
            case Seq(parts=parts):
                for part in parts:
                    opens = self._draw(part, opens)
                return opens
            case Branch():
                return self._branch(region, opens)
            case Loop():
                return self._loop(region, opens)
            case Try():
                return self._try(region, opens)
            case Parallel() | Spawn() | Group():
                return self._side_by_side(region, opens)
        return self._leaf(region, opens)

    def _leaf(self, region: Step | Bind | Exit | Call | Unknown, opens: Opens) -> Opens:
        match region:
            case Step():
                return self._step(region, opens)
            case Bind():
                return self._bind(region, opens)
            case Exit():
                return self._exit(region, opens)
            case Call():
                return self._call(region, opens)
            case Unknown(reason=reason, span=span, awaited=awaited):
                in_handler = self._step_around is not None
                return opens if awaited and in_handler else self._unknown(reason, span, opens)

    def _is_too_much(self, region: Region) -> TypeGuard[_Placed]:
        return self._visible >= MOST_NODES and not isinstance(region, Seq) and has_steps(region)

    def _side_by_side(self, region: Parallel | Spawn | Group, opens: Opens) -> Opens:
        match region:
            case Parallel(branches=branches, span=span):
                fork = self._add("fork", "gather", span, opens)
                ends: Opens = []
                for number, branch in enumerate(branches):
                    ends += self._draw_branch(fork, number, branch)
                around, self._region = self._region, (fork, "")
                join = self._add("join", "", span, ends)
                self._region = around
                return [Open(join)]
            case Spawn(body=body, span=span):
                fork = self._add("fork", "task", span, opens)
                self._frames.group.spawned += self._draw_branch(fork, 0, body)
                return [Open(fork)]
            case Group(body=body, span=span):
                group = GroupFrame()
                self._frames.push(group)
                opens = self._draw(body, opens)
                self._frames.remove(group)
                return self._joined(group, opens, span)

    def _draw_branch(self, fork: int, number: int, branch: Region) -> Opens:
        around = self._branches, self._region
        self._branches, self._region = (*self._branches, (fork, number)), (fork, "")
        ends = self._draw(branch, [Open(fork)])
        self._branches, self._region = around
        return ends

    def _unknown(self, reason: str, span: Span, opens: Opens) -> Opens:
        node = self._add("unknown", reason, span, opens)
        self._frames.may_throw(node)
        return [Open(node)]

    def _step(self, step: Step, opens: Opens) -> Opens:
        name = "" if step.name is None else str(step.name)
        if step.ends:
            node = self._add(step.kind, name, step.span, opens, arguments=step.arguments)
            self._frames.leave("end", [Open(node)])
            return []
        path = self._path + ("" if step.name is None else step.name.path)
        uses = frozenset(map(self._space.variable, step.uses))
        made_by, returned = self._sources(step.made_by)
        number = self._add(
            step.kind, name, step.span, opens, path=path, options=dict(step.options), handler=step.handler,
            arguments=step.arguments, template=step.name,
            name_span=step.name_span, holes=self._holes(step.name), uses=uses, made_by=made_by, returned=returned,
        )  # fmt: skip
        self._made[id(step)] = number
        if has_steps(step.body, in_handler=True):
            self._handler_of(step, number, path)
        self._frames.may_throw(number)
        return [Open(number)]

    def _handler_of(self, step: Step, number: int, path: str) -> None:
        around = self._parent, self._region, self._path, self._step_around
        self._parent = self._step_around = number
        self._region = (number, "")
        self._path = f"{path}[{{index}}]/" if step.kind in FAN_OUTS else f"{path}/"
        self._scope(None, step.body, step.span)
        self._parent, self._region, self._path, self._step_around = around

    def _draw_inside(self, number: int, arm: str, region: Region, opens: Opens) -> Opens:
        """Draw what is inside a point: of a branch, on one of its ways."""
        around, self._region = self._region, (number, arm)
        after = self._draw(region, opens)
        self._region = around
        return after

    def _branch(self, branch: Branch, opens: Opens) -> Opens:
        node = self._add("branch", branch.subject, branch.span, opens)
        after: Opens = []
        for arm in branch.arms:
            after += self._draw_inside(node, arm.label, arm.body, [Open(node, arm.label)])
        return after

    def _loop(self, loop: Loop, opens: Opens) -> Opens:
        head = self._add("loop", loop.header, loop.span, opens, endless=loop.endless)
        frame = LoopFrame(head)
        around = self._parent, self._region
        self._parent, self._region = head, (head, "")
        self._frames.push(frame)
        into, past = ("yes", "no") if loop.header.startswith("while ") else ("each", "done")
        tested = self._draw(loop.test, [Open(head)])
        done = [attrs.evolve(one, label=past) for one in tested]
        tested = [attrs.evolve(one, label=into) for one in tested]
        self._close(self._draw(loop.body, tested), head, "back")
        self._frames.remove(frame)
        self._parent, self._region = around
        after = [] if loop.endless else self._draw_inside(head, "else", loop.orelse, done)
        return [*after, *frame.breaks]

    def _try(self, region: Try, opens: Opens) -> Opens:
        node = self._add("try", "", region.span, opens)
        frame = TryFrame(any(handler.everything for handler in region.handlers), has_effect(region.final))
        frame.raisers.append(Open(node, kind="exception"))
        self._frames.push(frame)
        after = self._draw_inside(node, "", region.body, [Open(node)])
        raised, frame.raisers, frame.catches = frame.raisers, [], False
        raises, frame.raises = frame.raises, []
        after = self._draw_inside(node, "else", region.orelse, after)
        for handler in region.handlers:
            after += self._draw_handler(handler, [*raised, *raises])
        self._frames.remove(frame)
        if not frame.has_final:
            return after
        final = self._add("finally", "", region.span, after)
        passing = [*frame.raisers, *frame.raises]
        if not any(handler.everything for handler in region.handlers):
            passing += [*raised, *raises]
        self._close(passing, final, "exception")
        for _, left in frame.left:
            self._close(left, final)
        ends = self._draw_inside(final, "", region.final, [Open(final)])
        for target, left in frame.left:
            if left:
                self._frames.leave(target, list(ends))
        if passing:
            self._frames.throw([attrs.evolve(one, kind="exception") for one in ends])
        return ends if after else []

    def _draw_handler(self, handler: Handler, raised: Opens) -> Opens:
        node = self._add("handler", handler.label, handler.span, raised)
        return self._draw_inside(node, "", handler.body, [Open(node)])

    def _call(self, call: Call, opens: Opens) -> Opens:
        function = call.function
        running = self._frames.running(function)
        if running is not None:
            return self._again(call, running, opens)
        if function.body is None or self._frames.is_running_around(function):
            return self._unknown(f"{function.name} calls itself through a step", call.span, opens)
        recursive = _is_recursive(function)
        if recursive and self._frames.is_in_recursion:
            self._times[function] += 1
            if self._times[function] > _MOST_TIMES:
                return self._unknown(f"{function.name}() is reached in too many ways", call.span, opens)
        around = self._parent, self._region, self._calls, self._function, self._space
        space = self._new_space(function, self._frames.space_of_outer(function))
        for argument in call.arguments:
            opens = self._bind(argument, opens, space)
        if recursive:
            self._parent = entry = self._add("loop", f"{function.name}()", call.span, opens)
            self._region = (entry, "")
            opens = [Open(entry)]
        called = FunctionFrame(function, self._parent if recursive and self._parent is not None else -1, space)
        self._frames.push(called)
        file = self._file if self._function is None else self._function.path
        self._calls = (*self._calls, CallSite(function.name, file, call.span))
        self._function, self._space = function, space
        after = [*self._draw(function.body, opens), *called.returns]
        self._frames.remove(called)
        self._parent, self._region, self._calls, self._function, self._space = around
        self._made[id(call)] = (space.number, "return")
        for resumed in called.resumed:
            self._close(after, resumed, "back")
        return after

    def _again(self, call: Call, frame: FunctionFrame, opens: Opens) -> Opens:
        """A function that is running calls itself: it begins anew, and goes on here when it has returned."""
        for argument in call.arguments:
            opens = self._bind(argument, opens, frame.space)
        self._close(opens, frame.entry, "back")
        resumed = self._add("join", f"{call.function.name} has returned", call.span)
        frame.resumed.append(resumed)
        self._made[id(call)] = (frame.space.number, "return")
        opens = [Open(resumed)]
        for argument in call.arguments:  # They have their own values again.
            opens = self._bind(Bind(argument.name, FRESH, argument.span), opens, frame.space)
        return opens

    # Ways out ---------------------------------------------------------------------------------------------------------

    def _exit(self, way: Exit, opens: Opens) -> Opens:
        inner = self._frames.function
        if way.value is not None and inner is not self._frames.whole:
            opens = self._bind(way.value, opens)
        if way.kind == "return" and inner is not self._frames.whole:
            self._frames.leave("return", opens)  # Out of a helper, which is no way out of the workflow.
            return []
        if way.kind in ("break", "continue"):
            self._frames.leave(way.kind, opens)
            return []
        node = self._add(way.kind, way.label, way.span, opens)
        if way.kind == "raise":
            self._frames.throw([Open(node, kind="exception")])
        else:
            self._frames.leave("return", [Open(node)])
        return []


def _is_recursive(function: Function) -> bool:
    """Tell whether a function calls itself, through others too."""
    seen: set[int] = set()
    stack: list[Any] = [function.body]
    while stack:
        region = stack.pop()
        if isinstance(region, Call):
            if region.function is function:
                return True
            if id(region.function) not in seen:
                seen.add(id(region.function))
                stack.append(region.function.body)
        elif isinstance(region, Step):
            pass  # Its handler is a scope of its own.
        elif region is not None:
            stack.extend(children(region))
    return False
