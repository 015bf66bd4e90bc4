"""From regions to the graph: nodes and edges, with every way through them.

The draft walks the region tree with the edges that are still open: each has a source, and its target is whatever comes
next. An exit hands them to the loop, the function or the try that it leaves. Where a path cannot be proved no edge is
drawn; a helper is drawn again at each of its calls, up to a budget.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from flowgraph.compiler.regions import (
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
    Span,
    Spawn,
    Step,
    Try,
    Unknown,
    children,
    has_effect,
    has_steps,
)
from flowgraph.model.checkpoint import FAN_OUTS
from flowgraph.model.graph import Edge, EdgeKind, Graph, Node

MOST_NODES = 20_000
"""Beyond so many nodes what is left is unknown; helpers that call helpers twice double at each level."""


@attrs.frozen
class Open:
    """An edge whose target is not known yet."""

    source: str
    label: str = ""
    kind: EdgeKind = "control"


Opens = list[Open]


@attrs.define(eq=False)
class _LoopFrame:
    head: str
    breaks: Opens = attrs.field(factory=list)


@attrs.define(eq=False)
class _FunctionFrame:
    function: Function | None
    entry: str
    returns: Opens = attrs.field(factory=list)
    resumed: list[str] = attrs.field(factory=list)
    """The nodes at which calls of the function from within itself go on."""


@attrs.define(eq=False)
class _TryFrame:
    """`raisers` are what may be followed by a handler; `left` what goes through the ``finally``, and where to."""

    catches: bool
    has_final: bool
    raisers: Opens = attrs.field(factory=list)
    raises: Opens = attrs.field(factory=list)
    left: list[tuple[str, Opens]] = attrs.field(factory=list)


@attrs.define(eq=False)
class _GroupFrame:
    spawned: Opens = attrs.field(factory=list)


class Draft:
    """A graph in the making."""

    def __init__(self, path: str) -> None:
        self._file = path
        self._line = 0
        """The line of the call through which what is drawn was reached, where that is in another file; 0 else."""
        self._nodes: list[Node] = []
        self._edges: dict[tuple[str, str, EdgeKind, str], Edge] = {}
        self._parent: str | None = None
        self._path = ""
        self._frames: list[Any] = []
        self._outer: list[list[Any]] = []
        """The frames of the scopes around."""

    @classmethod
    def graph(cls, workflow: str, path: str, function: Function) -> Graph:
        """The graph of a workflow."""
        assert function.body is not None
        draft = cls(path)
        draft._scope(function, function.body, function.span)
        return Graph(workflow, path, function.span.line, tuple(draft._nodes), tuple(draft._edges.values()))

    # Nodes and edges --------------------------------------------------------------------------------------------------

    def _add(self, kind: str, name: str, span: Span, opens: Iterable[Open] = (), **values: Any) -> str:
        id_ = str(len(self._nodes) + 1)
        self._nodes.append(Node(id_, kind, name, parent=self._parent, line=self._line or span.line, **values))
        self._close(opens, id_)
        return id_

    def _close(self, opens: Iterable[Open], target: str, kind: EdgeKind | None = None) -> None:
        for one in opens:
            edge = Edge(one.source, target, kind or one.kind, one.label)
            self._edges.setdefault((edge.source, edge.target, edge.kind, edge.label), edge)

    def _scope(self, function: Function | None, body: Region, span: Span) -> None:
        """A workflow, or the handler of a step: from its start to its end."""
        frames, self._frames = self._frames, []
        self._outer.append(frames)
        start = self._add("start", "", span)
        group, frame = _GroupFrame(), _FunctionFrame(function, start)
        self._frames += [group, frame]
        opens = [*self._draw(body, [Open(start)]), *frame.returns]
        self._add("end", "", span, self._joined(group, opens, span))
        self._frames = self._outer.pop()

    def _joined(self, group: _GroupFrame, opens: Opens, span: Span) -> Opens:
        """Wait for what was spawned in a group."""
        if not group.spawned:
            return opens
        return [Open(self._add("join", "", span, [*opens, *group.spawned]))]

    # Regions ----------------------------------------------------------------------------------------------------------

    def _draw(self, region: Region, opens: Opens) -> Opens:
        """Draw a region behind open edges; returns those that are open after it."""
        if len(self._nodes) >= MOST_NODES and not isinstance(region, Seq) and has_steps(region):
            return self._unknown("the graph has too many nodes", region.span, opens)
        match region:
            case Seq(parts=parts):
                for part in parts:
                    opens = self._draw(part, opens)
                return opens
            case Step():
                return self._step(region, opens)
            case Branch():
                return self._branch(region, opens)
            case Loop():
                return self._loop(region, opens)
            case Try():
                return self._try(region, opens)
            case Parallel() | Spawn() | Group():
                return self._side_by_side(region, opens)
            case Exit():
                return self._exit(region, opens)
            case Call():
                return self._call(region, opens)
            case Unknown(reason=reason, span=span):
                return self._unknown(reason, span, opens)

    def _side_by_side(self, region: Parallel | Spawn | Group, opens: Opens) -> Opens:
        match region:
            case Parallel(branches=branches, span=span):
                fork = self._add("fork", "", span, opens)
                ends = [one for branch in branches for one in self._draw(branch, [Open(fork)])]
                return [Open(self._add("join", "", span, ends))]
            case Spawn(body=body, span=span):
                fork = self._add("fork", "", span, opens)
                self._group().spawned += self._draw(body, [Open(fork)])
                return [Open(fork)]
            case Group(body=body, span=span):
                group = _GroupFrame()
                self._frames.append(group)
                opens = self._draw(body, opens)
                self._frames.remove(group)
                return self._joined(group, opens, span)

    def _unknown(self, reason: str, span: Span, opens: Opens) -> Opens:
        node = self._add("unknown", reason, span, opens)
        self._may_raise(node)
        return [Open(node)]

    def _step(self, step: Step, opens: Opens) -> Opens:
        name = "" if step.name is None else str(step.name)
        if step.ends:
            self._leave("end", [Open(self._add(step.kind, name, step.span, opens))])
            return []
        path = self._path + ("" if step.name is None else step.name.path)
        node = self._add(step.kind, name, step.span, opens, path=path, options=dict(step.options))
        if has_steps(step.body):
            parent, before = self._parent, self._path
            self._parent = node
            self._path = f"{path}[{{index}}]/" if step.kind in FAN_OUTS else f"{path}/"
            self._scope(None, step.body, step.span)
            self._parent, self._path = parent, before
        self._may_raise(node)
        return [Open(node)]

    def _branch(self, branch: Branch, opens: Opens) -> Opens:
        node = self._add("branch", branch.subject, branch.span, opens)
        after: Opens = []
        for arm in branch.arms:
            after += self._draw(arm.body, [Open(node, arm.label)])
        return after

    def _loop(self, loop: Loop, opens: Opens) -> Opens:
        head = self._add("loop", loop.header, loop.span, opens)
        frame = _LoopFrame(head)
        parent, self._parent = self._parent, head
        self._frames.append(frame)
        into, past = ("yes", "no") if loop.header.startswith("while ") else ("each", "done")
        tested = self._draw(loop.test, [Open(head)])
        done = [attrs.evolve(one, label=past) for one in tested]
        tested = [attrs.evolve(one, label=into) for one in tested]
        self._close(self._draw(loop.body, tested), head, "back")
        self._frames.remove(frame)
        self._parent = parent
        after = [] if loop.endless else self._draw(loop.orelse, done)
        return [*after, *frame.breaks]

    def _try(self, region: Try, opens: Opens) -> Opens:
        node = self._add("try", "", region.span, opens)
        frame = _TryFrame(any(handler.everything for handler in region.handlers), has_effect(region.final))
        frame.raisers.append(Open(node, kind="exception"))
        self._frames.append(frame)
        after = self._draw(region.body, [Open(node)])
        raised, frame.raisers, frame.catches = frame.raisers, [], False
        raises, frame.raises = frame.raises, []
        after = self._draw(region.orelse, after)
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
        ends = self._draw(region.final, [Open(final)])
        for target, left in frame.left:
            if left:
                self._leave(target, list(ends))
        if passing:
            self._raise([attrs.evolve(one, kind="exception") for one in ends])
        return ends if after else []

    def _draw_handler(self, handler: Handler, raised: Opens) -> Opens:
        node = self._add("handler", handler.label, handler.span, raised)
        return self._draw(handler.body, [Open(node)])

    def _call(self, call: Call, opens: Opens) -> Opens:
        function = call.function
        for frame in self._frames:
            if isinstance(frame, _FunctionFrame) and frame.function is function:
                self._close(opens, frame.entry, "back")
                resumed = self._add("join", f"{function.name} has returned", call.span)
                frame.resumed.append(resumed)
                return [Open(resumed)]
        around = (frame for frames in self._outer for frame in frames if isinstance(frame, _FunctionFrame))
        if function.body is None or any(frame.function is function for frame in around):
            return self._unknown(f"{function.name} calls itself through a step", call.span, opens)
        entry = self._add("loop", f"{function.name}()", call.span, opens) if _is_recursive(function) else ""
        parent, line = self._parent, self._line
        if function.path != self._file:
            self._line = line or call.span.line
        if entry:
            self._parent = entry
        frame = _FunctionFrame(function, entry)
        self._frames.append(frame)
        after = [*self._draw(function.body, [Open(entry)] if entry else opens), *frame.returns]
        self._frames.remove(frame)
        self._parent, self._line = parent, line
        for resumed in frame.resumed:
            self._close(after, resumed, "back")
        return after

    # Ways out ---------------------------------------------------------------------------------------------------------

    def _exit(self, way: Exit, opens: Opens) -> Opens:
        inner = next(frame for frame in reversed(self._frames) if isinstance(frame, _FunctionFrame))
        if way.kind == "return" and inner is not self._frames[1]:
            self._leave("return", opens)  # Out of a helper, which is no way out of the workflow.
            return []
        if way.kind in ("break", "continue"):
            self._leave(way.kind, opens)
            return []
        node = self._add(way.kind, way.label, way.span, opens)
        if way.kind == "raise":
            self._raise([Open(node, kind="exception")])
        else:
            self._leave("return", [Open(node)])
        return []

    def _leave(self, way: str, opens: Opens) -> None:
        """Take edges to where an exit leads, through each ``finally`` on the way."""
        for frame in reversed(self._frames):
            if isinstance(frame, _TryFrame) and frame.has_final and way != "end":
                frame.left.append((way, opens))
                return
            if isinstance(frame, _LoopFrame) and way == "break":
                frame.breaks += opens
                return
            if isinstance(frame, _LoopFrame) and way == "continue":
                self._close(opens, frame.head, "back")
                return
            if isinstance(frame, _FunctionFrame) and way == "return":
                frame.returns += opens
                return
        self._frames[1].returns += opens

    def _raise(self, opens: Opens) -> None:
        """Take edges of an exception to the handlers around it, and out where none takes everything."""
        for frame in reversed(self._frames):
            if isinstance(frame, _TryFrame):
                frame.raises += opens
                if frame.catches or frame.has_final:
                    return
        self._frames[1].returns += opens

    def _may_raise(self, node: str) -> None:
        for frame in reversed(self._frames):
            if isinstance(frame, _TryFrame):
                frame.raisers.append(Open(node, kind="exception"))
                if frame.catches or frame.has_final:
                    return

    def _group(self) -> _GroupFrame:
        return next(frame for frame in reversed(self._frames) if isinstance(frame, _GroupFrame))


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
