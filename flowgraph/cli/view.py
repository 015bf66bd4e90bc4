"""From a board to the lines that are shown. Pure functions: no I/O, no colours, no widths.

What is shown has to fit a height. All steps are ranked: those that fail or are tried again first, then those under way,
then messages, then the last finished ones, last the insides of finished steps; as many as fit are shown, with the steps
around them, and of the others a line says how many there are (``… 120 finished steps``). Of a map's items only a
handful is shown: those that failed, and those that have been under way for a while, so that nothing flickers.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo
from itertools import chain

import attrs

from flowgraph.cli.board import Board, Counts, Node, State, is_item
from flowgraph.cli.wording import amount, clock_time, counted, failure_line, soon
from flowgraph.model import RunStatus, lasting, waiting

SHOWN_ITEMS = 5
"""So many items of one map are shown."""
TO_COME = "to come"
"""The word for a step that has not begun."""
CALM_US = 700_000
"""An item is shown as running when it has been so for so long."""

_ATTENTION = (State.FAILED, State.RETRYING)


@attrs.frozen
class Bar:
    """How far something is: `done` and `failed` of `total` (None: nobody knows)."""

    done: float
    total: float | None
    failed: float = 0


@attrs.frozen
class Line:
    """One line: `word` says how it stands ("" for a summary of others), `note` what else there is to say."""

    depth: int
    word: str
    name: str
    note: str = ""
    time: str = ""
    bar: Bar | None = None


@attrs.frozen
class Glance:
    """When, and in what state of the run, one looks.

    Attributes:
        status: the run's status.
        zone: the zone of the times that are shown; None for this machine's.
        note: what else is to be said of the run itself.
        since_us, until_us: when the run started and ended.
        attempts: give each failed attempt a line of its own.
        items: so many items of one map are shown.
        steps: how many steps of the graph have ended, and how many there are.
        to_come: the names of the steps that may still come.
    """

    now_us: int
    status: RunStatus = RunStatus.RUNNING
    zone: tzinfo | None = None
    note: str = ""
    since_us: int | None = None
    until_us: int | None = None
    attempts: bool = False
    items: int = SHOWN_ITEMS
    steps: tuple[int, int] | None = None
    to_come: tuple[str, ...] = ()


def run_lines(board: Board, workflow: str, glance: Glance, height: int) -> list[Line]:
    """The line of the run, then its steps, then those to come, in at most `height` lines."""
    ahead = [] if glance.status.finished else lines_to_come(glance.to_come, height // 4)
    return [run_line(workflow, glance), *step_lines(board, glance, height - 1 - len(ahead)), *ahead]


def lines_to_come(names: tuple[str, ...], most: int) -> list[Line]:
    """A line for each step to come, in at most so many; the last one counts the others."""
    if len(names) <= most:
        return [Line(1, TO_COME, name) for name in names]
    shown = names[: max(0, most - 1)]
    rest = Line(1, "", f"… {counted(len(names) - len(shown), 'more step' if shown else 'step')} to come")
    return [*(Line(1, TO_COME, name) for name in shown), rest][: max(0, most)]


def run_line(workflow: str, glance: Glance) -> Line:
    """The line of the run itself."""
    time = ""
    if glance.since_us is not None:
        until_us = glance.until_us
        time = waiting(glance.now_us - glance.since_us) if until_us is None else lasting(until_us - glance.since_us)
    done = steps_note(glance.steps)
    bar = None if glance.steps is None or glance.status.finished else Bar(*glance.steps)
    note = " · ".join(filter(None, (done, glance.note)))
    return Line(0, glance.status.value.replace("_", " "), workflow, note, time, bar)


def steps_note(steps: tuple[int, int] | None) -> str:
    """How many steps of how many have ended.

    >>> steps_note((3, 8)), steps_note((0, 1)), steps_note(None)
    ('3 of 8 steps', '0 of 1 step', '')
    """
    return "" if steps is None else f"{steps[0]:,} of {counted(steps[1], 'step')}"


def step_lines(board: Board, glance: Glance, height: int) -> list[Line]:
    """The steps in at most `height` lines (one, at least)."""
    ranked = sorted(_ranked(board.root, glance), key=lambda place: place.rank)
    least, most = 0, len(ranked)
    best = _Picture(glance, ranked).lines(board.root)
    if len(best) <= height:
        return best
    best = []
    while least < most:  # The largest number of steps whose lines fit.
        middle = (least + most + 1) // 2
        lines = _Picture(glance, ranked[:middle]).lines(board.root)
        if len(lines) <= height:
            least, best = middle, lines
        else:
            most = middle - 1
    return best or _Picture(glance, ranked[:1]).lines(board.root)[: max(1, height)]


# Which steps ----------------------------------------------------------------------------------------------------------


@attrs.frozen
class _Place:
    """Steps that may be shown, with the steps around them; the lowest `rank` is shown first."""

    rank: tuple[int, int]
    nodes: tuple[Node, ...]
    around: tuple[Node, ...]


def _ranked(node: Node, glance: Glance, around: tuple[Node, ...] = (), depth: int = 0) -> Iterator[_Place]:
    """What is below a node. The insides of a finished step are shown whole, or not at all."""
    children = _shown_items(node, glance) if node.counts is not None else _shown_steps(node)
    around = (*around, node)
    is_over = depth > 0 or (bool(node.path) and node.state.finished)
    if is_over and children:
        yield _Place((4 + depth, -(node.until_us or 0)), tuple(children), around)
    for child in children:
        if not is_over:
            yield _Place(_rank(child), (child,), around)
        yield from _ranked(child, glance, around, depth + is_over)


def _rank(node: Node) -> tuple[int, int]:
    if node.state in _ATTENTION:
        return 0, -(node.until_us or node.since_us)
    if node.state is State.DONE:
        return 3, -(node.until_us or 0)
    return (2, -(node.until_us or 0)) if node.state is State.TOLD else (1, node.since_us)


def _shown_steps(node: Node) -> list[Node]:
    """All, but in an item of a map the finished ones are of no interest."""
    return [child for child in node.children.values() if not (is_item(node) and child.state is State.DONE)]


def _shown_items(node: Node, glance: Glance) -> list[Node]:
    """A handful of a map's items: those that failed last, those that are tried again, those under way for longest."""
    items = list(node.children.values())
    failed = [item for item in items if item.state is State.FAILED]
    going = [item for item in items if not item.state.finished and _is_calm(item, glance)]
    going.sort(key=lambda item: (item.state is not State.RETRYING, item.since_us))
    shown_failed = failed[-max(glance.items // 2, glance.items - len(going)) :]
    chosen = {id(item) for item in [*shown_failed, *going][: glance.items]}
    return [item for item in items if id(item) in chosen]


def _is_calm(item: Node, glance: Glance) -> bool:
    """Tell whether an item is worth a line, and will most likely still be there at the next glance."""
    return item.state is not State.RUNNING or item.attempt > 1 or glance.now_us - item.since_us >= CALM_US


# What is said of them -------------------------------------------------------------------------------------------------


class _Picture:
    """The lines for one choice of steps."""

    def __init__(self, glance: Glance, places: list[_Place]) -> None:
        self._glance = glance
        self._shown = {id(node) for place in places for node in (*place.nodes, *place.around)}

    def lines(self, root: Node) -> list[Line]:
        return list(self._below(root, 1))

    def _below(self, node: Node, depth: int) -> Iterator[Line]:
        shown, hidden = self._split(node)
        if node.path and node.state.finished and not shown:
            return
        if node.counts is None and not is_item(node):
            before, after = _summaries(node, hidden, depth)
        else:
            before, after = [], []
        yield from before
        for child in shown:
            yield self._line(child, depth)
            if self._glance.attempts:
                yield from _attempts(child, depth + 1)
            yield from self._below(child, depth + 1)
        yield from after

    def _split(self, node: Node) -> tuple[list[Node], list[Node]]:
        """The children that are shown, and those that are not. A line that counts one step could as well show it."""
        children = list(node.children.values())
        shown = self._shown
        if node.counts is None and any(id(child) in shown for child in children):
            shown = shown | {id(child) for child in _alone(children, shown, node.folded)}
        return [child for child in children if id(child) in shown], [c for c in children if id(c) not in shown]

    def _line(self, node: Node, depth: int) -> Line:
        opened = any(id(child) in self._shown for child in node.children.values())
        unplanned = "unplanned" if node.planned is False else ""
        note = " · ".join(filter(None, (unplanned, step_note(node, self._glance, opened=opened))))
        return Line(depth, _word(node, self._glance), node.name, note, _time(node, self._glance), _bar(node))


def _alone(children: list[Node], shown: set[int], folded: int) -> Iterator[Node]:
    """The children that are the only hidden ones of their kind, finished or not."""
    hidden = [child for child in children if id(child) not in shown and child.state is not State.TOLD]
    for is_finished in (True, False):
        same = [child for child in hidden if child.state.finished is is_finished]
        if len(same) == 1 and not (is_finished and folded):
            yield same[0]


def _summaries(node: Node, hidden: list[Node], depth: int) -> tuple[list[Line], list[Line]]:
    """A line before the steps for finished ones that are not shown, and one after them for the others."""
    failed = node.folded_failed + sum(child.state is State.FAILED for child in hidden)
    finished = node.folded + sum(child.state in (State.DONE, State.FAILED) for child in hidden)
    others = sum(not child.state.finished for child in hidden)
    before = []
    if finished:
        failures = f", {failed:,} failed" if failed else ""
        before = [Line(depth, "", f"… {counted(finished, 'finished step')}{failures}")]
    return before, [Line(depth, "", f"… {counted(others, 'more step')} under way")] if others else []


def _attempts(node: Node, depth: int) -> Iterator[Line]:
    """A line for each failed attempt."""
    for row in node.failures:
        if row.attempt:
            took = lasting(row.finished_us - row.started_us)
            yield Line(depth, "failed", f"attempt {row.attempt}", failure_line(row.payload), took)


def _word(node: Node, glance: Glance) -> str:
    """A step that nobody executes now is not running, whatever it last did."""
    if node.state.finished or glance.status is RunStatus.RUNNING:
        return node.state.value
    if node.state is State.RUNNING and glance.status.suspended:
        return State.WAITING.value
    return node.state.value if glance.status.suspended else "unfinished"


def _time(node: Node, glance: Glance) -> str:
    if node.state is State.TOLD:
        return ""
    if node.until_us is not None and node.state.finished:
        return lasting(node.until_us - node.since_us)
    if glance.status.finished or not node.since_us:
        return ""
    going_us = glance.now_us - node.since_us
    return waiting(going_us) if going_us >= 1_000_000 else ""


def _bar(node: Node) -> Bar | None:
    if node.counts is not None and node.state is not State.DONE:
        return Bar(node.counts.done, node.counts.total, node.counts.failed)
    done, total = node.amounts
    return None if done is None or not total else Bar(done, total)


def step_note(node: Node, glance: Glance, *, opened: bool = False) -> str:
    """What there is to say of a step beside its state; `opened` if steps below it are shown."""
    if node.counts is not None:
        return _counts_note(node, node.counts)
    until = "" if node.due_us is None else f"until {clock_time(node.due_us, glance.now_us, glance.zone)}"
    match node.state:
        case State.TOLD:
            return _amounts_note(node.amounts)
        case State.RETRYING:
            return _retry_note(node, glance)
        case State.SLEEPING:
            return until
        case State.LISTENING:
            return " ".join(filter(None, (f"for {node.detail!r}", until)))
        case State.WAITING:
            return " ".join(filter(None, (f"for run {node.detail}" if node.detail else "", until)))
        case State.FAILED:
            error = "" if glance.attempts and node.attempt else _error(node)
            attempts = counted(node.attempt, "attempt") if node.attempt > 1 else ""
            return " · ".join(filter(None, (attempts, error)))
        case State.DONE:
            inside = 0 if opened else _inside(node)
            attempts = counted(node.attempt, "attempt") if node.attempt > 1 else ""
            return " · ".join(filter(None, (attempts, counted(inside, "step") if inside else "")))
    return f"attempt {node.attempt}" if node.attempt > 1 else ""


def _counts_note(node: Node, counts: Counts) -> str:
    noun = "batch" if node.kind == "batch" else "item"
    failed = f"{counts.failed:,} failed" if counts.failed else ""
    if node.state is State.DONE:
        total = counts.ended if counts.total is None else counts.total
        return " · ".join(filter(None, (counted(total, noun), failed)))
    if node.state is State.FAILED and not counts.ended:
        return _error(node)
    told = f"{counts.ended:,}/{counts.total:,}" if counts.total is not None else counted(counts.ended, noun)
    return " · ".join(filter(None, (told, failed)))


def _amounts_note(amounts: tuple[float | None, float | None]) -> str:
    return "/".join(amount(number) for number in amounts if number is not None)


def _retry_note(node: Node, glance: Glance) -> str:
    return f"attempt {node.attempt + 1} {soon(node.due_us, glance.now_us)} · {_error(node)}"


def _inside(node: Node) -> int:
    return node.folded + sum(child.state is not State.TOLD for child in node.children.values())


def _error(node: Node) -> str:
    return failure_line(node.failures[-1].payload) if node.failures else ""


def waits(board: Board) -> list[Node]:
    """The steps that wait for something: an event, a run, a moment, the next attempt."""
    states = (State.LISTENING, State.WAITING, State.SLEEPING, State.RETRYING)
    return [node for node in _all(board.root) if node.state in states]


def _all(node: Node) -> Iterator[Node]:
    return chain.from_iterable(chain((child,), _all(child)) for child in node.children.values())
