"""The page of ``flowgraph runs show``."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from flowgraph.cli.board import Board, State
from flowgraph.cli.inside import record_of
from flowgraph.cli.screen import Painter, screen_console
from flowgraph.cli.view import Glance, run_line, step_lines, waits
from flowgraph.cli.wording import (
    arguments_text,
    clock_time,
    counted,
    failure_line,
    full_time,
    json_text,
    one_line,
    plain,
)
from flowgraph.model import Checkpoint, failure_of, lasting, waiting
from flowgraph.model.store import RunRow

MOST_LINES = 500
KEPT_STEPS = 1_000
SHOWN_ITEMS = 20
_LABEL = 11


def print_run(row: RunRow, rows: Sequence[Checkpoint], store: str | None, *, tracebacks: bool) -> None:
    """Print a run: what it is, how it stands, its steps, and what it waits for."""
    console = screen_console(sys.stdout, terminal=sys.stdout.isatty())
    board = Board(row.id, keep=KEPT_STEPS)
    board.restore(row.id, rows)
    now_us = time.time_ns() // 1_000
    glance = Glance(
        now_us, row.status, since_us=row.started_us, until_us=row.finished_us, attempts=True, items=SHOWN_ITEMS
    )
    _print_facts(console, [*_facts(row, board, now_us), *_calls(row, board, store)])
    lines = [run_line(row.workflow, glance), *step_lines(board, glance, MOST_LINES)]
    console.print()
    console.print(Painter(console, whole=True).paint(lines), soft_wrap=True)
    if tracebacks:
        _print_tracebacks(console, row, rows)


def _facts(row: RunRow, board: Board, now_us: int) -> Iterator[tuple[str, str]]:
    record = record_of(row)
    yield "run", row.id
    yield "workflow", row.workflow
    yield "status", " · ".join(filter(None, (row.status.value.replace("_", " "), one_line(row.reason or ""))))
    if row.tags:
        yield "tags", ", ".join(f"{name}={value}" for name, value in row.tags.items())
    if row.parent_id:
        yield "parent", row.parent_id
    if row.fingerprint is not None:
        yield "graph", row.fingerprint
    yield "created", full_time(record.created_at)
    if record.started_at is not None and row.started_us is not None:
        yield "started", full_time(record.started_at)
    if record.finished_at is not None and row.finished_us is not None and row.started_us is not None:
        yield "finished", f"{full_time(record.finished_at)}, after {lasting(row.finished_us - row.started_us)}"
    if row.executed_us:
        yield "executing", lasting(row.executed_us)
    if row.recoveries:
        yield "recoveries", counted(row.recoveries, "dead worker")
    yield "input", arguments_text(record.input)
    if row.output is not None:
        yield "output", one_line(json_text(plain(record.output)), 200)
    if row.error is not None:
        yield "error", one_line(failure_line(row.error), 1_000)
    if not row.status.finished:
        yield from (("waits", text) for text in _waits(board, now_us))


def _waits(board: Board, now_us: int) -> Iterator[str]:
    """What the run waits for, since when and until when."""
    for node in waits(board):
        until = "" if node.due_us is None else f", until {clock_time(node.due_us, now_us)}"
        what = {"listening": f"for the event {node.detail!r}", "waiting": f"for run {node.detail}"}.get(node.state, "")
        since = clock_time(node.since_us, now_us)
        since = f"since {since} ({waiting(now_us - node.since_us)})"
        yield f"{node.path}: {' '.join(filter(None, (node.state.value, what, since)))}{until}"


def _calls(row: RunRow, board: Board, store: str | None) -> Iterator[tuple[str, str]]:
    """The commands that send what is listened for."""
    option = "" if store is None else f" --store {shlex.quote(store)}"
    for node in waits(board):
        if node.state is State.LISTENING and not row.status.finished:
            yield "send it", f"flowgraph runs send {shlex.quote(row.id)} {shlex.quote(node.detail)} '…'{option}"


def _print_facts(console: Console, facts: Sequence[tuple[str, str]]) -> None:
    for label, text in facts:
        console.print(Text.assemble((label.ljust(_LABEL), "dim"), text), soft_wrap=True)


def _print_tracebacks(console: Console, row: RunRow, rows: Sequence[Checkpoint]) -> None:
    failures = [(_title(one), one.payload) for one in rows if one.state in {"failed", "retrying"}]
    if row.error is not None:
        failures.append(("the run", row.error))
    for title, payload in failures:
        text = failure_of(payload or "{}").traceback.rstrip()
        if text:
            console.print()
            console.print(Text(title, "bold"), soft_wrap=True)
            console.print(Text(text), soft_wrap=True)


def _title(row: Checkpoint) -> str:
    return f"{row.path}, attempt {row.attempt}" if row.attempt else row.path
