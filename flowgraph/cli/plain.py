"""Progress as plain lines, for a log or a pipe: one for each step that ends, is tried again or waits."""

from __future__ import annotations

from collections.abc import Sequence

from flowgraph.cli.board import Counts, Node, State, is_item
from flowgraph.cli.view import Glance, step_note, steps_note
from flowgraph.cli.wording import counted, failure_line, soon
from flowgraph.model import Checkpoint, lasting, parent_path

DEEPEST = 2
"""Steps are told of down to this level."""
TOLD_ITEMS = 10
"""So many failed items of one map are told of."""
NAMED = 10
"""So many steps to come are named."""

_WAITS = (State.SLEEPING, State.LISTENING, State.WAITING)


class Teller:
    """Decides which rows are worth a line, and makes it."""

    def __init__(self) -> None:
        self._told: dict[str, int] = {}

    def tell(
        self, trail: Sequence[Node], row: Checkpoint, now_us: int, steps: tuple[int, int] | None = None
    ) -> str | None:
        """The line for a row that was just taken in; None where it is not worth one.

        `trail` holds the row's node after those around it, from the run, or the step that waits for a child run;
        `steps` says how many steps of how many have ended, where the row ends one.
        """
        root, node = trail[0], trail[-1]
        depth = row.path.count("/") + 1 + (1 if root.path else 0)
        if depth > DEEPEST or "[" in (parent_path(row.path) if is_item(row) else row.path):
            return None
        line = self._line(trail[-2], node, row, now_us)
        line = f"{root.path} > {line}" if line and root.path else line
        return f"{line} ({steps_note(steps)})" if line and steps else line

    def _line(self, parent: Node, node: Node, row: Checkpoint, now_us: int) -> str | None:
        if is_item(row):
            return self._item(node, row, parent)
        return self._progress(node) if node.state is State.TOLD else _step(node, row, now_us)

    def _item(self, node: Node, row: Checkpoint, parent: Node) -> str | None:
        counts = parent.counts
        if counts is None or not node.state.finished:
            return None
        if node.state is State.FAILED and counts.failed <= TOLD_ITEMS:
            return f"{row.path}: failed{_after(node.attempt)}: {failure_line(row.payload)}"
        return f"{parent.path}: {_ended(counts)}" if _is_mark(counts) else None

    def _progress(self, node: Node) -> str | None:
        """A message is told when it is new, with each tenth, and at its end."""
        done, total = node.amounts
        tenth = int(10 * done / total) if done is not None and total else -1
        if self._told.get(node.path) == tenth and done != total:
            return None
        self._told[node.path] = tenth
        amounts = step_note(node, Glance(0))
        return f"{node.name}: {amounts}" if amounts else node.name


def to_come_line(names: Sequence[str]) -> str:
    """What a run has before it, in one line.

    >>> to_come_line(["fetch", "page-{n}", "store"])
    'To come: fetch, page-{n}, store'
    """
    more = f", and {counted(len(names) - NAMED, 'more step')}" if len(names) > NAMED else ""
    return f"To come: {', '.join(names[:NAMED])}{more}"


def _step(node: Node, row: Checkpoint, now_us: int) -> str | None:
    path, took = row.path, lasting((node.until_us or now_us) - node.since_us)
    match node.state:
        case State.RETRYING:
            when = soon(node.due_us, now_us)
            return f"{path}: attempt {row.attempt} failed: {failure_line(row.payload)}; the next {when}"
        case State.FAILED:
            return f"{path}: failed{_after(row.attempt)}: {failure_line(row.payload)}"
        case State.DONE if node.counts is not None:
            noun = "batch" if node.kind == "batch" else "item"
            failed = f", {node.counts.failed:,} failed" if node.counts.failed else ""
            return f"{path}: {counted(node.counts.total or 0, noun)} done in {took}{failed}"
        case State.DONE:
            return f"{path}: done in {took}{_after(row.attempt)}"
        case state if state in _WAITS:
            note = step_note(node, Glance(now_us))
            return f"{path}: {state.value} {note}".rstrip()
    return None


def _after(attempts: int) -> str:
    return f" after {attempts} attempts" if attempts > 1 else ""


def _is_mark(counts: Counts) -> bool:
    """Tell whether so many ended items are worth a line: each tenth; of an unknown total 1, 2, 5, 10, 20, 50."""
    ended = counts.ended
    if counts.total:
        return ended * 10 // counts.total > (ended - 1) * 10 // counts.total and ended < counts.total
    return str(ended).rstrip("0") in {"1", "2", "5"}


def _ended(counts: Counts) -> str:
    failed = f", {counts.failed:,} failed" if counts.failed else ""
    if not counts.total:
        return f"{counts.ended:,}{failed}"
    return f"{counts.ended:,}/{counts.total:,} ({counts.ended * 100 // counts.total} %){failed}"
