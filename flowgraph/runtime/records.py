"""Rows to records: what `describe` and `list` return."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from flowgraph.model import (
    AttemptRecord,
    Checkpoint,
    ErrorRecord,
    RunRecord,
    StepRecord,
    WaitRecord,
    failure_of,
    leaf_name,
    moment,
    parent_path,
)
from flowgraph.model.checkpoint import (
    COMPLETED,
    FAILED,
    LISTEN,
    PROGRESS,
    RETRYING,
    SLEEP,
    SLEEP_UNTIL,
    WAITING,
    total_of,
)
from flowgraph.model.plan import UNPLANNED
from flowgraph.model.store import RunRow


def run_record(row: RunRow, history: Iterable[Checkpoint] | None) -> RunRecord:
    """The record of a run; without a history it has no steps and no waits."""
    rows = list(history or ())
    return RunRecord(
        id=row.id,
        workflow=row.workflow,
        status=row.status,
        input=msgspec.json.decode(row.input),
        output=_plain(row.output),
        error=_error(row.error),
        tags=row.tags,
        created_at=moment(row.created_us),
        started_at=_moment(row.started_us),
        finished_at=_moment(row.finished_us),
        wake_at=_moment(row.wake_us) if row.status.suspended else None,
        executing_s=max([row.executed_us, *(line.executed_us for line in rows)]) / 1e6,
        recoveries=row.recoveries,
        reason=row.reason,
        fingerprint=row.fingerprint,
        parent_id=row.parent_id,
        waits=() if row.status.finished else tuple(_waits(rows)),
        steps=_tree(rows),
    )


def _waits(rows: list[Checkpoint]) -> Iterable[WaitRecord]:
    last = {row.path: row for row in rows if row.kind != PROGRESS}
    for row in last.values():
        if row.state == WAITING:
            kind = _wait_kind(row.kind)
            yield WaitRecord(
                kind=kind,
                path=row.path,
                since=moment(row.started_us),
                until=_moment(row.due_us),
                event=row.detail if kind == "listen" else None,
                run_id=row.detail if kind == "workflow" else None,
            )
        elif row.state == RETRYING and row.due_us is not None:
            yield WaitRecord("retry", row.path, moment(row.finished_us), _moment(row.due_us))


def _wait_kind(kind: str) -> str:
    if kind in {SLEEP, SLEEP_UNTIL}:
        return "sleep"
    return "listen" if kind == LISTEN else "workflow"


class _Node:
    """One path while the tree is being made."""

    def __init__(self, row: Checkpoint) -> None:
        self.first = row
        self.last = row
        self.failures: list[AttemptRecord] = []
        self.children: list[_Node] = []

    def add(self, row: Checkpoint) -> None:
        self.last = row
        if row.state == RETRYING and row.due_us is not None:  # Without it, a backoff was given up.
            self.failures.append(_attempt(row))

    def record(self) -> StepRecord:
        last = self.last
        failed = last.state == FAILED
        return StepRecord(
            name=leaf_name(last.path),
            path=last.path,
            kind=last.kind,
            state=last.state,
            attempts=last.attempt,
            started_at=moment(self.first.started_us),
            finished_at=moment(last.finished_us) if last.state in {COMPLETED, FAILED} else None,
            result=_plain(last.payload) if last.state == COMPLETED else None,
            error=_error(last.payload) if failed else None,
            failures=(*self.failures, _attempt(last)) if failed and last.attempt else tuple(self.failures),
            children=tuple(child.record() for child in self.children),
            node=last.node or None,
            planned=None if last.node is None else last.node != UNPLANNED,
            total=total_of(self.first),
        )


def _tree(rows: list[Checkpoint]) -> tuple[StepRecord, ...]:
    """The steps in the order in which they began; a step whose parent has no row of its own yet gets one made up."""
    nodes: dict[tuple[str, str], _Node] = {}
    roots: list[_Node] = []
    for row in sorted(rows, key=lambda row: (row.path.count("/"), row.id)):
        place = ("progress" if row.kind == PROGRESS else "step", row.path)
        node = nodes.get(place)
        if node is None:
            node = nodes[place] = _Node(row)
            _children(nodes, roots, row).append(node)
        node.add(row)
    _sort(roots)
    return tuple(node.record() for node in roots)


def _children(nodes: dict[tuple[str, str], _Node], roots: list[_Node], row: Checkpoint) -> list[_Node]:
    """Where a path belongs; parents that are under way and have no row yet are made up on the way."""
    parent = parent_path(row.path)
    if not parent:
        return roots
    node = nodes.get(("step", parent))
    if node is None:
        kind = "map" if row.path.endswith("]") and not row.path[len(parent) :].startswith("/") else "step"
        made_up = Checkpoint(row.id, parent, kind, "started", 0, row.started_us, row.finished_us, row.executed_us)
        node = nodes["step", parent] = _Node(made_up)
        _children(nodes, roots, made_up).append(node)
    return node.children


def _sort(nodes: list[_Node]) -> None:
    nodes.sort(key=lambda node: (node.first.started_us, node.first.id))
    for node in nodes:
        _sort(node.children)


def _attempt(row: Checkpoint) -> AttemptRecord:
    return AttemptRecord(row.attempt, moment(row.started_us), moment(row.finished_us), _error(row.payload))


def _error(text: str | None) -> ErrorRecord | None:
    if text is None:
        return None
    failure = failure_of(text)
    kind = failure.cause_type or ("" if failure.type == "run" else failure.type)
    message = failure.cause_message or _extra(failure.extra)
    return ErrorRecord(kind, message, failure.traceback)


def _extra(extra: dict[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in extra.items())


def _plain(text: str | None) -> Any:
    return None if text is None else msgspec.json.decode(text)


def _moment(us: int | None) -> datetime | None:
    return None if us is None else moment(us)
