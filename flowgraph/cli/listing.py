"""The table of ``flowgraph runs list``."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from rich.table import Table
from rich.text import Text

from flowgraph.cli.screen import looks, screen_console
from flowgraph.cli.wording import full_time, lasting, waiting
from flowgraph.model import RunRecord, moment_us

_NARROW = 80
"""A terminal that is narrower gets no column of durations, and an age instead of a time."""


def print_runs(records: list[RunRecord], limit: int) -> None:
    """Print runs as a table; ids are never cut, since they are copied."""
    console = screen_console(sys.stdout, terminal=sys.stdout.isatty())
    wide = console.width >= _NARROW
    now_us = moment_us(datetime.now(UTC))
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("RUN", no_wrap=True, overflow="fold")
    table.add_column("WORKFLOW", no_wrap=True, overflow="ellipsis", ratio=1 if console.is_terminal else None)
    table.add_column("STATUS", no_wrap=True)
    table.add_column("STARTED", no_wrap=True)
    if wide:
        table.add_column("TOOK", no_wrap=True, justify="right")
    for record in records:
        table.add_row(*_row(record, now_us, wide=wide))
    console.print(table)
    if len(records) == limit and sys.stdout.isatty():
        console.print(Text(f"Perhaps there are more: --after {records[-1].id}", "dim"))


def _row(record: RunRecord, now_us: int, *, wide: bool) -> list[Text]:
    started = record.started_at or record.created_at
    word = record.status.value.replace("_", " ")
    cells = [Text(record.id), Text(record.workflow, "bold"), Text(word, looks(word)[2])]
    if not wide:
        return [*cells, Text(f"{waiting(now_us - moment_us(started))} ago")]
    took_us = (now_us if record.finished_at is None else moment_us(record.finished_at)) - moment_us(started)
    took = lasting(took_us) if record.finished_at is not None else waiting(took_us)
    return [*cells, Text(full_time(started)), Text("" if record.started_at is None else took)]
