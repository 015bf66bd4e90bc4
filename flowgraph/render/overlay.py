"""A run on its graph: what has become of each node, and which ways the run took.

A run leaves checkpoints of steps, and nothing of what lies between them. So a way counts as taken where it leads from a
step that has begun to another one past nodes that are no steps, and where nothing says that the run went elsewhere: a
branch whose other arm has steps that have begun, a step that has failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import attrs

from flowgraph.model import RunRecord, StepRecord, lasting
from flowgraph.model.graph import Edge, Graph, Node
from flowgraph.model.plan import UNPLANNED, Plan

NOT_RUN = "not-run"
_WAITS = {"sleep": "sleeping", "listen": "listening", "workflow": "waiting", "retry": "retrying"}
_URGENT = ("failed", "retrying", "running", "listening", "waiting", "sleeping", "done")
"""Of several passes of one node, the first of these states is told."""

_EXITS = frozenset({"fail", "abort", "raise"})
_ENDS = frozenset({"end", "join"})


@attrs.frozen
class NodeState:
    """What has become of a node: its state, and what is told of it."""

    state: str = NOT_RUN
    note: str = ""


class Overlay:
    """One run, by the nodes of a graph.

    Args:
        graph: the graph; steps are bound to its nodes by their paths, since a run that has changed its graph has the
            nodes of several in its rows.
        record: the run.
        now: for the durations of what is at work.
    """

    def __init__(self, graph: Graph, record: RunRecord, now: datetime) -> None:
        self.run_id = record.id
        self.status = str(record.status)
        self._graph = graph
        self._now = now
        self._waits = {wait.path: wait.kind for wait in record.waits}
        self._records: dict[str, list[StepRecord]] = {}
        self.unplanned: list[tuple[str, NodeState]] = []
        """The steps that the graph does not know, by their paths."""
        self._take(record.steps, Plan(graph.nodes))
        self._ways = _Ways(graph, self._records, record)

    def _take(self, records: Iterable[StepRecord], plan: Plan) -> None:
        for record in records:
            node = plan.node(record.path, record.kind)
            if node == UNPLANNED:
                self.unplanned.append((record.path, self._told([record])))
            else:
                self._records.setdefault(node, []).append(record)
            self._take(record.children, plan)

    def took(self, edge: Edge) -> bool:
        """Tell whether the run went along an edge of the graph."""
        return edge in self._ways.taken

    def state_of(self, node: Node) -> NodeState:
        """What has become of a node."""
        records = self._records.get(node.id)
        if records:
            return self._told(records, node.options.get("max_attempts", ""))
        if node.is_step or node.id not in self._ways.passed:
            return NodeState()
        return NodeState("failed" if node.kind in ("fail", "raise") and self.status == "failed" else "done")

    def _told(self, records: list[StepRecord], most: str = "") -> NodeState:
        whole = [record for record in records if not record.path.endswith("]")] or records
        state = min((self._state(record) for record in whole), key=_URGENT.index)
        notes = [f"×{len(whole)}"] if len(whole) > 1 else []
        notes += _items_of(whole)
        attempts = max(record.attempts for record in whole)
        if state == "retrying" or attempts > 1:
            notes.append(f"attempt {attempts + (state == 'retrying')}{f'/{most}' if most.isdigit() else ''}")
        notes += self._time_of(whole)
        return NodeState(state, " · ".join(notes))

    def _state(self, record: StepRecord) -> str:
        match record.state:
            case "completed":
                return "done"
            case "failed" | "retrying":
                return record.state
        return _WAITS.get(self._waits.get(record.path, ""), "running" if record.state != "waiting" else "waiting")

    def _time_of(self, records: list[StepRecord]) -> Iterator[str]:
        times = [(record.finished_at or self._now) - record.started_at for record in records if record.started_at]
        if times:
            yield lasting(round(sum((max(one, timedelta()) for one in times), timedelta()) / timedelta(microseconds=1)))


def _items_of(records: list[StepRecord]) -> Iterator[str]:
    """How many items of a map are done, of how many."""
    items = [item for record in records for item in record.children if item.path.endswith("]")]
    totals = [record.total for record in records]
    total = sum(one for one in totals if one is not None) if any(totals) else len(items)
    if total:
        yield f"{sum(item.state == 'completed' for item in items)}/{total}"


# The way --------------------------------------------------------------------------------------------------------------


class _Ways:
    """The edges that a run went along (`taken`), and the nodes that it came past (`passed`)."""

    def __init__(self, graph: Graph, records: dict[str, list[StepRecord]], record: RunRecord) -> None:
        self._graph = graph
        self._records = records
        self._steps = {node.id for node in graph.steps}
        self._exceptions: dict[str, list[str]] = {}
        for edge in graph.edges:
            if edge.kind == "exception":
                self._exceptions.setdefault(edge.source, []).append(edge.target)
        self._begun_inside = {around for id_ in records for around in self._arms_around(graph.node(id_))}
        self._decided = {id_ for id_, _ in self._begun_inside if graph.node(id_).kind == "branch"}
        self._failed_to = {
            edge.target for edge in graph.edges if edge.kind == "exception" and self._has(edge, "failed")
        }
        edges = {edge for edge in graph.edges if self._is_possible(edge)}
        self._from = {node.id for node in graph.nodes if self._begins(node, record)} | set(records)
        self._to = {node.id for node in graph.nodes if self._ends(node, record)} | set(records)
        self._to |= self._exit(edges, record)
        self.taken = self._proved(edges)
        self.passed = {end for edge in self.taken for end in (edge.source, edge.target)} | self._from

    def _arms_around(self, node: Node) -> Iterator[tuple[str, str]]:
        """The nodes that a node is inside, each with the arm."""
        while node.region is not None:
            yield node.region, node.arm
            node = self._graph.node(node.region)

    def _has(self, edge: Edge, state: str) -> bool:
        return any(record.state == state for record in self._records.get(edge.source, ()))

    def _is_possible(self, edge: Edge) -> bool:
        """Tell whether a run may have gone along an edge, by what is known of the node that it leads away from."""
        source, target = self._graph.node(edge.source), self._graph.node(edge.target)
        if edge.kind == "data":
            return False
        if source.is_step:
            is_raised = edge.kind == "exception"
            return self._has(edge, "failed") and self._is_caught_by(edge) if is_raised else self._has(edge, "completed")
        if source.kind in _EXITS:
            return target.kind not in _ENDS and edge.target not in self._failed_to
        if edge.kind == "exception":  # Out of a try, or of what is between its steps.
            return edge.target not in self._failed_to and (edge.target, "") in self._begun_inside
        return True

    def _is_caught_by(self, edge: Edge) -> bool:
        """Tell whether a failure led to a handler: to one with steps that have begun, where there is one."""
        others = self._exceptions[edge.source]
        handlers = [id_ for id_ in others if self._graph.node(id_).kind == "handler"]
        begun = [id_ for id_ in handlers if (id_, "") in self._begun_inside]
        return edge.target in (begun or handlers or others)

    def _begins(self, node: Node, record: RunRecord) -> bool:
        is_begun = bool(self._records) or record.status == "completed"
        return node.kind == "start" and (is_begun if node.region is None else node.region in self._records)

    def _ends(self, node: Node, record: RunRecord) -> bool:
        if node.kind != "end":
            return False
        if node.region is None:
            return record.status == "completed"
        return any(one.state == "completed" for one in self._records.get(node.region, ()))

    def _exit(self, edges: set[Edge], record: RunRecord) -> set[str]:
        """The fail, abort or raise by which the run has ended, if there is only one that it can be."""
        reached = self._reached(self._from, edges)
        told = record.error.type if record.error is not None else None
        found = {
            id_
            for id_ in reached
            if (node := self._graph.node(id_)).kind in _EXITS and _is_exit(node, str(record.status), told)
        }
        return found if len(found) == 1 else set()

    def _proved(self, edges: set[Edge]) -> set[Edge]:
        """The edges on ways between what has begun; of a branch, to arms with steps that have begun, if there are."""
        while True:
            after = self._reached(self._from, edges)
            before = self._reached(self._to, edges, backwards=True)
            kept = {edge for edge in edges if edge.source in after and edge.target in before and self._is_told(edge)}
            if kept == edges:
                return kept
            edges = kept

    def _is_told(self, edge: Edge) -> bool:
        """Tell whether no other arm of a branch has steps that have begun, where this one has none."""
        return edge.source not in self._decided or (edge.source, edge.label) in self._begun_inside

    def _reached(self, starts: Iterable[str], edges: set[Edge], *, backwards: bool = False) -> set[str]:
        """What can be reached from some nodes past nodes that are no steps, those nodes with it."""
        ways: dict[str, list[str]] = {}
        for edge in edges:
            first, then = (edge.target, edge.source) if backwards else (edge.source, edge.target)
            ways.setdefault(first, []).append(then)
        found = set(starts)
        waiting = list(found)
        while waiting:
            for id_ in ways.get(waiting.pop(), ()):
                if id_ not in found:
                    found.add(id_)
                    if id_ not in self._steps:
                        waiting.append(id_)
        return found


def _is_exit(node: Node, status: str, told: str | None) -> bool:
    """Tell whether a run can have ended at a node, by its status and the class of its error."""
    match node.kind:
        case "abort":
            return status == "aborted"
        case "fail":
            return status == "failed" and not told
    return status == "failed" and bool(told) and node.name.startswith(f"raise {told}")
