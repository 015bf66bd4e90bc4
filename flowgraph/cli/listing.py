"""The table of ``flowgraph runs list``."""

from __future__ import annotations

import sys
import time

from rich.text import Text

from flowgraph.cli.screen import looks, screen_console
from flowgraph.cli.wording import full_time
from flowgraph.model import RunRecord, lasting, moment_us, waiting

_HEADS = ("RUN", "WORKFLOW", "STATUS", "STARTED", "TOOK")
_NARROW = 80
"""A terminal that is narrower gets no column of durations, and an age instead of a time."""
_GAP = "  "
_NAME = _HEADS.index("WORKFLOW")
_LEAST_NAME = 8


def print_runs(records: list[RunRecord], limit: int) -> None:
    """Print runs as a table. Only workflows' names are cut off; ids never are, since they are copied."""
    console = screen_console(sys.stdout, terminal=sys.stdout.isatty())
    now_us = time.time_ns() // 1_000
    heads = _HEADS if console.width >= _NARROW else _HEADS[:-1]
    rows = [[Text(head, "dim") for head in heads], *(_row(record, now_us, len(heads)) for record in records)]
    widths = [max(row[number].cell_len for row in rows) for number in range(len(heads))]
    over = sum(widths) + len(_GAP) * (len(widths) - 1) - console.width
    widths[_NAME] = min(widths[_NAME], max(_LEAST_NAME, widths[_NAME] - over))
    for row in rows:
        console.print(_line(row, widths), soft_wrap=True)
    if len(records) == limit and console.is_terminal:
        console.print(Text(f"Perhaps there are more: --after {records[-1].id}", "dim"), soft_wrap=True)


def _row(record: RunRecord, now_us: int, length: int) -> list[Text]:
    started = record.started_at or record.created_at
    since_us = moment_us(started)
    word = record.status.value.replace("_", " ")
    cells = [Text(record.id), Text(record.workflow, "bold"), Text(word, looks(word)[2])]
    if length < len(_HEADS):
        return [*cells, Text(f"{waiting(now_us - since_us).split()[0]} ago")]
    is_over = record.finished_at is not None
    took = lasting(moment_us(record.finished_at) - since_us) if is_over else waiting(now_us - since_us)
    return [*cells, Text(full_time(started)), Text("" if record.started_at is None else took)]


def _line(cells: list[Text], widths: list[int]) -> Text:
    for cell, width in zip(cells, widths, strict=True):
        cell.truncate(width, overflow="ellipsis", pad=True)
    line = Text(_GAP).join(cells)
    line.rstrip()
    return line
