"""A run on its graph: what has become of each node."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import attrs

from flowgraph.model import RunRecord, StepRecord
from flowgraph.model.graph import Edge, Graph, Node
from flowgraph.model.plan import UNPLANNED, Plan

NOT_RUN = "not-run"
_WAITS = {"sleep": "sleeping", "listen": "listening", "workflow": "waiting", "retry": "retrying"}
_URGENT = ("failed", "retrying", "running", "listening", "waiting", "sleeping", "done")
"""Of several passes of one node, the first of these states is told."""


@attrs.frozen
class NodeState:
    """What has become of a node: its state, and what is told of it."""

    state: str = NOT_RUN
    note: str = ""


class Course:
    """One run, by the nodes of its graph."""

    def __init__(self, graph: Graph, record: RunRecord, now: datetime) -> None:
        self.run_id = record.id
        self.status = str(record.status)
        self._graph = graph
        self._now = now
        self._waits = {wait.path: wait.kind for wait in record.waits}
        self._records: dict[str, list[StepRecord]] = {}
        self._entered: set[str] = set()
        self._steps = {node.id for node in graph.steps}
        self._handlers = {node.id for node in graph.nodes if node.kind == "handler"}
        self.unplanned: list[tuple[str, NodeState]] = []
        """The steps that the graph does not know, by their paths."""
        self._take(record.steps, Plan(graph.nodes))
        self._mark(record)

    def _take(self, records: Iterable[StepRecord], plan: Plan) -> None:
        """Bind steps to nodes by their paths: a run that changed its graph has the nodes of another one in its rows."""
        for record in records:
            node = plan.node(record.path, record.kind)
            if node == UNPLANNED:
                self.unplanned.append((record.path, self._told([record])))
            else:
                self._records.setdefault(node, []).append(record)
            self._take(record.children, plan)

    def _mark(self, record: RunRecord) -> None:
        """Note where the run has come past: what lies between two steps that have begun, on a way that it can take."""
        begun = set(self._records)
        out: dict[str, list[str]] = {}
        into: dict[str, list[str]] = {}
        for edge in self._graph.edges:
            if self._may_be_taken(edge):
                out.setdefault(edge.source, []).append(edge.target)
                into.setdefault(edge.target, []).append(edge.source)
        starts = {node.id for node in self._graph.nodes if node.kind == "start" and node.region in (None, *begun)}
        ended = self._end(record)
        before, after = _reached(begun | ended, into, self._steps), _reached(begun | starts, out, self._steps)
        handlers = {node.region for id_ in begun if (node := self._graph.node(id_)).region in self._handlers}
        self._entered = begun | ended | (before & after) | {one for one in handlers if one}
        if begun:
            self._entered |= starts

    def _may_be_taken(self, edge: Edge) -> bool:
        """Tell whether the run may have gone along an edge: after a failure to a handler, else onwards."""
        source = self._graph.node(edge.source)
        if edge.kind == "data":
            return False
        if edge.kind == "exception":
            return source.kind == "raise" or (source.is_step and self._has(source.id, "failed"))
        return not source.is_step or not self._records.get(source.id) or self._has(source.id, "completed")

    def _has(self, id_: str, state: str) -> bool:
        return any(record.state == state for record in self._records.get(id_, ()))

    def _end(self, record: RunRecord) -> set[str]:
        if record.status != "completed":
            return set()
        return {node.id for node in self._graph.nodes if node.kind == "end" and node.region is None}

    def took(self, source: str, target: str, kind: str, inside: Iterable[str]) -> bool:
        """Tell whether the run went along a line; `inside` are the nodes of the frame that it leaves as a whole."""
        if source not in self._entered or target not in self._entered:
            return False
        if kind == "exception":
            return any(self._has(id_, "failed") or self._graph.node(id_).kind == "raise" for id_ in (source, *inside))
        node = self._graph.node(source)
        return not node.is_step or self._has(source, "completed") or kind == "back"

    def state_of(self, node: Node) -> NodeState:
        """What has become of a node."""
        records = self._records.get(node.id)
        if records:
            return self._told(records, node.options.get("max_attempts", ""))
        return NodeState("done" if node.id in self._entered and not node.is_step else NOT_RUN)

    def _told(self, records: list[StepRecord], most: str = "") -> NodeState:
        whole = [record for record in records if not record.path.endswith("]")] or records
        items = [record for one in whole for record in one.children if record.path.endswith("]")]
        states = [self._state(record) for record in whole]
        state = min(states, key=_URGENT.index)
        notes = [f"×{len(whole)}"] if len(whole) > 1 else []
        if items:
            notes.append(f"{sum(one.state == 'completed' for one in items)}/{len(items)}")
        attempts = max((record.attempts for record in whole), default=0)
        if state == "retrying" or attempts > 1:
            notes.append(f"attempt {attempts + (state == 'retrying')}{f'/{most}' if most.isdigit() else ''}")
        if (taken := self._seconds(whole)) is not None:
            notes.append(_lasting(taken))
        return NodeState(state, " · ".join(notes))

    def _state(self, record: StepRecord) -> str:
        match record.state:
            case "completed":
                return "done"
            case "failed" | "retrying":
                return record.state
        return _WAITS.get(self._waits.get(record.path, ""), "running" if record.state != "waiting" else "waiting")

    def _seconds(self, records: list[StepRecord]) -> float | None:
        times = [
            ((record.finished_at or self._now) - record.started_at).total_seconds()
            for record in records
            if record.started_at is not None
        ]
        return sum(times) if times else None


def _reached(begun: set[str], onwards: dict[str, list[str]], steps: set[str]) -> set[str]:
    """The nodes that are no steps, from which, along some edges, the next step is one of those that have begun."""
    waiting, found = list(begun), set[str]()
    while waiting:
        for id_ in onwards.get(waiting.pop(), ()):
            if id_ not in found and id_ not in steps:
                found.add(id_)
                waiting.append(id_)
    return found


def _lasting(seconds: float) -> str:
    """A duration in short.

    >>> _lasting(0.0123), _lasting(75), _lasting(90_000)
    ('12 ms', '1 min 15 s', '1 d 1 h')
    """
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, size, below, small in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // small
            return f"{whole // size} {unit}" + (f" {rest} {below}" if rest else "")
    return f"{whole} s"
