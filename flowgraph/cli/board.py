"""What is known of the steps of a run while it goes on: rows, folded into a tree that stays small. No I/O.

A board follows one run, and below it the child runs that it waits for. Rows come from the store (`restore`) and from
the runtime as they are committed (`add`); each row has an id that only grows, so one that is known already changes
nothing. `begin` tells of attempts, which are no rows.

The tree stays small whatever the run does: the items of a map are counted, and only those that are under way or failed
are kept; of the finished steps of one parent the last `keep` are kept, and the others are counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from enum import StrEnum

import attrs
import msgspec

from flowgraph.model import Checkpoint, Failure, failure_of, leaf_name
from flowgraph.model.checkpoint import (
    COMPLETED,
    EXECUTE_WORKFLOW,
    FAILED,
    FAN_OUTS,
    LISTEN,
    PROGRESS,
    SLEEP,
    SLEEP_UNTIL,
    STEP,
    WAIT_FOR_WORKFLOW,
    total_of,
)
from flowgraph.model.plan import UNPLANNED

KEPT_STEPS = 100
"""So many finished steps of one parent are kept, and a fifth of it below a parent that is itself finished."""
KEPT_ITEMS = 20
"""So many failed items of one map are kept."""
KEPT_FAILURES = 10
"""So many failed attempts of one step are kept."""


class State(StrEnum):
    """How a step stands, in the word that is shown."""

    RUNNING = "running"
    RETRYING = "retrying"
    SLEEPING = "sleeping"
    LISTENING = "listening"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    TOLD = "progress"
    """It is no step, but a progress message."""

    @property
    def finished(self) -> bool:
        """Tell whether nothing more happens to such a step."""
        return self in _FINISHED


_FINISHED = frozenset({State.DONE, State.FAILED, State.TOLD})
_JOINS = frozenset({EXECUTE_WORKFLOW, WAIT_FOR_WORKFLOW})
_WAITS = {
    SLEEP: State.SLEEPING,
    SLEEP_UNTIL: State.SLEEPING,
    LISTEN: State.LISTENING,
    EXECUTE_WORKFLOW: State.WAITING,
    WAIT_FOR_WORKFLOW: State.WAITING,
}


@attrs.define
class Counts:
    """The items of a map, the batches of a batch: how many there are (None: not known), and how many have ended."""

    total: int | None = None
    done: int = 0
    failed: int = 0

    @property
    def ended(self) -> int:
        """How many have ended, well or not."""
        return self.done + self.failed


@attrs.define(eq=False)
class Node:
    """A step, a map, an item, a progress message; or the run itself, whose path is "".

    Attributes:
        attempt: the number of the attempt that is under way, or was the last.
        detail: the event, or the id of the run, that it waits for.
        failures: its last failed attempts: the rows that say so.
        counts: the items, if it is a map, for_each or batch.
        amounts: done and total, if it is a progress message that has them.
        planned: whether the run's graph knows it; None where that is not known.
        folded: how many finished steps below it are counted only, and how many of them failed.
    """

    name: str
    path: str
    kind: str = STEP
    state: State = State.RUNNING
    attempt: int = 0
    since_us: int = 0
    until_us: int | None = None
    due_us: int | None = None
    detail: str = ""
    failures: deque[Checkpoint] = attrs.field(factory=lambda: deque(maxlen=KEPT_FAILURES))
    counts: Counts | None = None
    amounts: tuple[float | None, float | None] = (None, None)
    planned: bool | None = None
    children: dict[str, Node] = attrs.field(factory=dict)
    folded: int = 0
    folded_failed: int = 0
    finished_keys: deque[str] = attrs.field(factory=deque)

    @property
    def failure(self) -> Failure | None:
        """What the last failed attempt, or the step, failed with."""
        return failure_of(self.failures[-1].payload or "{}") if self.failures else None


class Board:
    """The steps of the run `run_id`, and of the child runs that it waits for.

    Attributes:
        root: the run; its children are the steps of the workflow.
        version: grows with every change.
    """

    def __init__(self, run_id: str, keep: int = KEPT_STEPS) -> None:
        self.run_id = run_id
        self.root = Node("", "")
        self.version = 0
        self._keep = keep
        self._roots: dict[str, Node] = {run_id: self.root}
        self._last_ids: dict[str, int] = {}

    @property
    def run_ids(self) -> list[str]:
        """The ids of the runs that are followed: the run, then its children in the order in which they were met."""
        return list(self._roots)

    def restore(self, run_id: str, rows: Iterable[Checkpoint]) -> None:
        """Begin anew with what the store knows of a run."""
        root = self._roots[run_id]
        root.children.clear()
        root.finished_keys.clear()
        root.folded = root.folded_failed = 0
        self._last_ids.pop(run_id, None)
        for row in rows:
            self.add(run_id, row)
        self.version += 1

    def add(self, run_id: str, row: Checkpoint) -> list[Node]:
        """Take in a committed row, and return its node after those around it; [] if it is known, or of another run."""
        root = self._roots.get(run_id)
        if root is None or row.id <= self._last_ids.get(run_id, -1):
            return []
        self._last_ids[run_id] = row.id
        self.version += 1
        if row.kind == PROGRESS:
            return self._progress(root, row)
        return self._row(root, row)

    def begin(self, run_id: str, path: str, attempt: int, now_us: int) -> None:
        """Take in that an attempt begins."""
        root = self._roots.get(run_id)
        if root is None:
            return
        node = self._found(root, path, now_us)[-1]
        if node.state is not State.DONE:
            self.version += 1
            node.state, node.attempt, node.due_us = State.RUNNING, attempt, None

    # Rows -------------------------------------------------------------------------------------------------------------

    def _row(self, root: Node, row: Checkpoint) -> list[Node]:
        trail = self._found(root, row.path, row.started_us)
        parent, node = trail[-2:]
        node.kind, node.planned = row.kind, is_planned(row)
        if row.kind in FAN_OUTS and node.counts is None:
            node.counts = Counts()
        match row.state:
            case "started":
                _count(node, row)
            case "waiting":
                node.state, node.due_us, node.detail = _WAITS.get(row.kind, State.WAITING), row.due_us, row.detail or ""
                if row.kind in _JOINS and row.detail:
                    self._roots[row.detail] = node
            case "retrying":
                node.state, node.attempt, node.due_us = State.RETRYING, row.attempt, row.due_us
                node.failures.append(row)
                _forgive(node)
            case _:
                self._finish(parent, node, row)
        return trail

    def _finish(self, parent: Node, node: Node, row: Checkpoint) -> None:
        node.state = State.DONE if row.state == COMPLETED else State.FAILED
        node.attempt = row.attempt
        if row.kind in _JOINS and row.detail:
            self._roots.pop(row.detail, None)
        node.until_us, node.due_us = row.finished_us, None
        if row.state == FAILED:
            node.failures.append(row)
        if node.kind in FAN_OUTS:
            _sum_up(node, row)
        _fold(node, self._keep // 5)
        if is_item(row):
            self._finish_item(parent, node)
        else:
            parent.finished_keys.append(_key(row.path))
            _fold(parent, self._keep)

    @staticmethod
    def _finish_item(parent: Node, node: Node) -> None:
        counts = parent.counts = parent.counts or Counts()
        if node.state is State.DONE:
            counts.done += 1
        else:
            counts.failed += 1
            if counts.failed <= KEPT_ITEMS:
                return
        parent.children.pop(_key(node.path), None)

    def _progress(self, root: Node, row: Checkpoint) -> list[Node]:
        head, slash, leaf = row.path.rpartition("/")
        trail = self._found(root, head, row.started_us) if slash else [root]
        parent = trail[-1]
        key = f"\0{leaf}"  # Messages have a name space of their own.
        node = parent.children.get(key)
        if node is None:
            node = Node(leaf_name(row.path), row.path, PROGRESS, since_us=row.started_us)
            parent.children[key] = node
        amounts = msgspec.json.decode(row.payload or "{}")
        node.state, node.until_us = State.TOLD, row.finished_us
        node.amounts = (amounts.get("done"), amounts.get("total"))
        return [*trail, node]

    # Paths ------------------------------------------------------------------------------------------------------------

    def _found(self, root: Node, path: str, at_us: int) -> list[Node]:
        """The nodes from the root to a path; those that are missing are made."""
        nodes = [root]
        done = ""
        for key in _keys(path):
            done = f"{done}{key}" if key.startswith("[") else f"{done}/{key}" if done else key
            node = nodes[-1].children.get(key)
            if node is None:
                node = Node(leaf_name(key), done, since_us=at_us)
                nodes[-1].children[key] = node
                if key.startswith("[") and nodes[-1].counts is None:
                    nodes[-1].counts = Counts()
            nodes.append(node)
        return nodes


def _keys(path: str) -> Iterable[str]:
    """The parts of a path, outermost first; an item is a part of its own.

    >>> list(_keys('orders[3]/charge'))
    ['orders', '[3]', 'charge']
    """
    for part in path.split("/"):
        name, bracket, item = part.partition("[")
        yield name
        if bracket:
            yield bracket + item


def _key(path: str) -> str:
    *_, last = _keys(path)
    return last


def is_planned(row: Checkpoint) -> bool | None:
    """Tell whether the graph knows the step of a row; None where the graph is not known."""
    return None if row.node is None else row.node != UNPLANNED


def is_item(step: Node | Checkpoint) -> bool:
    """Tell whether a step is an item of a map, or a batch of a batch."""
    return step.path.endswith("]")


def _count(node: Node, row: Checkpoint) -> None:
    """A map's header says how many items there are."""
    if node.counts is not None and (total := total_of(row)) is not None:
        node.counts.total = total


def _sum_up(node: Node, row: Checkpoint) -> None:
    """The last row of a map: nothing below it is under way any more."""
    node.children = {key: child for key, child in node.children.items() if child.state is State.FAILED}
    if row.state == COMPLETED and node.counts is not None:
        node.counts.total = msgspec.json.decode(row.payload or "{}").get("count", node.counts.ended)


def _fold(parent: Node, keep: int) -> None:
    """Count the oldest finished steps of a parent instead of keeping them."""
    while len(parent.finished_keys) > keep:
        key = parent.finished_keys.popleft()
        gone = parent.children.get(key)
        if gone is not None and gone.state.finished:
            del parent.children[key]
            parent.folded += 1
            parent.folded_failed += gone.state is State.FAILED


def _forgive(node: Node) -> None:
    """An attempt of a parent was given up: failures below it stop counting, and what was under way runs again."""
    for key, child in list(node.children.items()):
        if child.state is State.DONE or child.state is State.TOLD:
            continue
        if child.state is State.FAILED and child.counts is None:
            del node.children[key]
            continue
        if child.counts is not None:
            child.counts.failed = 0
        child.state = State.RUNNING
        _forgive(child)
    node.folded -= node.folded_failed
    node.folded_failed = 0
