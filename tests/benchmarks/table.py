"""What the benchmarks compare, what issue 2 asks of each comparison, and how that is printed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

FLOOR, DBOS, PROCESSES = "sqlite3", "DBOS", "processes"
FULL, RELAXED = "flowgraph full", "flowgraph relaxed"
LONG = ", long"
"""Behind a contender's name: its measurement with ten times as many steps."""

Figures = dict[str, float]
Round = dict[str, dict[str, Figures]]
"""What one round measured: work, then contender, then figures."""
Key = tuple[str, str]
"""A contender, and the name of one of its figures."""


@dataclass(frozen=True)
class Target:
    """What a figure is held against: a base, where the ratio counts, or a number alone."""

    label: str = ""
    base: Key | None = None
    base_unit: str = ""
    """Where it is not the figure's own."""
    base_over_figure: bool = False
    """For times, where "75 times DBOS" means that DBOS takes 75 times as long."""
    at_least: float | None = None
    at_most: float | None = None

    def __str__(self) -> str:
        mark = "x" if self.base else ""
        if self.at_least is not None:
            return f"≥ {number(self.at_least)}{mark}"
        return f"≤ {number(self.at_most)}{mark}" if self.at_most is not None else ""

    def met(self, values: list[float]) -> str:
        if not values or (self.at_least is None and self.at_most is None):
            return ""
        lowest = -math.inf if self.at_least is None else self.at_least
        highest = math.inf if self.at_most is None else self.at_most
        return "yes" if lowest <= median(values) <= highest else "NO"


@dataclass(frozen=True)
class Measured:
    """A figure of flowgraph's, with all that it is held against."""

    work: str
    label: str
    key: Key
    unit: str
    targets: tuple[Target, ...]


def dbos(figure: str, at_least: float | None = None, at_most: float | None = None) -> Target:
    return Target("DBOS", (DBOS, figure), at_least=at_least, at_most=at_most)


def commits(label: str, figure: str, at_least: float | None = None) -> Target:
    return Target(label, (FLOOR, figure), "rows/s", at_least=at_least)


def held_against(work: str, label: str, key: Key, unit: str, *targets: Target) -> Measured:
    return Measured(work, label, key, unit, targets)


def resumed(label: str, suffix: str, figure: str, at_most: float, dbos_at_least: float | None = None) -> Measured:
    beside_dbos = Target("DBOS", (DBOS + suffix, figure), base_over_figure=True, at_least=dbos_at_least)
    return Measured("W4", label, (FULL + suffix, figure), "s", (Target(at_most=at_most), beside_dbos))


IMPORTS = (PROCESSES, "import sqlite3")
BESIDE_IMPORTS = "import asyncio, sqlite3, json"

MEASURED = [
    held_against(
        "W1",
        "one run, full",
        (FULL, "steps_per_s"),
        "steps/s",
        commits("synced commit a row", "full_rows_per_s", at_least=0.5),
        commits("synced commit a 1 KB row", "full_1kb_rows_per_s", at_least=0.5),
        dbos("steps_per_s", at_least=9),
    ),
    held_against(
        "W1",
        "one run, relaxed",
        (RELAXED, "steps_per_s"),
        "steps/s",
        commits("commit a row", "normal_rows_per_s", at_least=0.4),
        commits("commit a 1 KB row", "normal_1kb_rows_per_s", at_least=0.4),
        dbos("steps_per_s", at_least=40),
    ),
    held_against(
        "W1",
        "CPU a step, full",
        (FULL, "cpu_us_per_step"),
        "µs",
        Target("synced commit a row", (FLOOR, "full_cpu_us_per_row")),
        dbos("cpu_us_per_step"),
    ),
    held_against(
        "W1",
        "CPU a step, relaxed",
        (RELAXED, "cpu_us_per_step"),
        "µs",
        Target("commit a row", (FLOOR, "normal_cpu_us_per_row")),
        dbos("cpu_us_per_step"),
    ),
    held_against("W1", "last tenth over first, full", (FULL + LONG, "last_over_first"), "", Target(at_most=1.1)),
    held_against("W1", "last tenth over first, relaxed", (RELAXED + LONG, "last_over_first"), "", Target(at_most=1.1)),
    held_against(
        "W2",
        "concurrent runs",
        (FULL, "runs_per_s"),
        "runs/s",
        dbos("runs_per_s", at_least=100),
        commits("synced, 100 rows a commit", "full_by_100_rows_per_s"),
    ),
    held_against("W2", "CPU a run", (FULL, "cpu_us_per_run"), "µs", dbos("cpu_us_per_run")),
    held_against(
        "W3",
        "map",
        (FULL, "items_per_s"),
        "items/s",
        dbos("items_per_s", at_least=100),
        commits("synced, 100 rows a commit", "full_by_100_rows_per_s"),
    ),
    held_against("W3", "CPU an item", (FULL, "cpu_us_per_item"), "µs", dbos("cpu_us_per_item")),
    held_against("W3", "loop stalls, p50", (FULL, "stall_p50_ms"), "ms", dbos("stall_p50_ms")),
    held_against("W3", "loop stalls, p99", (FULL, "stall_p99_ms"), "ms", Target(at_most=5), dbos("stall_p99_ms")),
    held_against("W3", "loop stalls, longest", (FULL, "stall_max_ms"), "ms", dbos("stall_max_ms")),
    resumed("recovery alone", "", "recovery_s", at_most=0.015, dbos_at_least=75),
    resumed("recovery alone, long", LONG, "recovery_s", at_most=0.1, dbos_at_least=75),
    resumed("process start to step", "", "from_spawn_s", at_most=0.25),
    resumed("process start to step, long", LONG, "from_spawn_s", at_most=0.35),
    held_against("W5", "put to sleep", (FULL, "runs_per_s"), "runs/s", Target(at_least=12_000), dbos("runs_per_s")),
    held_against("W5", "CPU a run", (FULL, "cpu_us_per_run"), "µs", dbos("cpu_us_per_run")),
    held_against("W5", "memory growth", (FULL, "memory_growth_mb"), "MB", Target(at_most=15)),
    held_against("W5", "memory growth a run", (FULL, "memory_bytes_per_run"), "B", dbos("memory_bytes_per_run")),
    held_against("W5", "CPU, idle for 10 s", (FULL, "idle_cpu_s"), "s", Target(at_most=0.02), dbos("idle_cpu_s")),
    held_against("W5", "disk a run", (FULL, "bytes_per_run"), "B", Target(at_most=300), dbos("bytes_per_run")),
    held_against(
        "W6",
        "import flowgraph",
        (PROCESSES, "import flowgraph"),
        "s",
        Target(BESIDE_IMPORTS, IMPORTS, at_most=1.5),
        Target("import dbos", (PROCESSES, "import dbos")),
    ),
    held_against(
        "W6",
        "from flowgraph import …",
        (PROCESSES, "from flowgraph import"),
        "s",
        Target(BESIDE_IMPORTS, IMPORTS, at_most=1.5),
    ),
    held_against(
        "W6",
        "one-step script, compiled",
        (PROCESSES, "flowgraph one step"),
        "s",
        Target("DBOS", (PROCESSES, "DBOS one step"), at_most=0.1),
        Target(BESIDE_IMPORTS, IMPORTS),
    ),
    held_against(
        "W6",
        "one-step script, graph kept",
        (PROCESSES, "flowgraph one step again"),
        "s",
        Target("DBOS", (PROCESSES, "DBOS one step"), at_most=0.1),
        Target(BESIDE_IMPORTS, IMPORTS),
    ),
    held_against(
        "W7",
        "disk a 1 KB step",
        (FULL, "bytes_per_step"),
        "B",
        Target(at_most=1_250),
        Target("a row", (FLOOR, "bytes_per_step")),
        dbos("bytes_per_step"),
    ),
]


def rows(rounds: list[Round]) -> list[list[str]]:
    """Fill in the lines for which there are figures: flowgraph's, or those that it is compared with."""
    return [row for measured in MEASURED for row in rows_of(measured, rounds)]


def rows_of(measured: Measured, rounds: list[Round]) -> Iterator[list[str]]:
    figures = present(find(round_, measured.work, measured.key) for round_ in rounds)
    ours = [measured.work, measured.label, amount(figures, measured.unit)]
    for target in measured.targets:
        if target.base is None:
            if figures:
                yield [*ours, "", "", spread(figures), str(target), target.met(figures)]
        elif bases := present(find(round_, measured.work, target.base) for round_ in rounds):
            ratios = present(ratio(measured, target, round_) for round_ in rounds)
            times = f"{amount(ratios)}x {spread(ratios)}".strip() if ratios else ""
            theirs = [target.label, amount(bases, target.base_unit or measured.unit)]
            yield [*ours, *theirs, times, str(target), target.met(ratios)]


def ratio(measured: Measured, target: Target, round_: Round) -> float | None:
    figure = find(round_, measured.work, measured.key)
    base = find(round_, measured.work, target.base) if target.base else None
    if figure is None or base is None:
        return None
    upper, lower = (base, figure) if target.base_over_figure else (figure, base)
    return upper / lower if lower else math.inf


def find(round_: Round, work: str, key: Key) -> float | None:
    contender, name = key
    return round_.get(work, {}).get(contender, {}).get(name)


def present(values: Iterator[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def amount(values: list[float], unit: str = "") -> str:
    return f"{number(median(values))} {unit}".strip() if values else ""


def spread(values: list[float]) -> str:
    return f"({number(min(values))} – {number(max(values))})" if len(values) > 1 else ""


def number(value: float) -> str:
    """Three significant digits, and thousands with commas."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def render(table: list[list[str]]) -> str:
    """Lay the table out in columns: an empty line parts the works, and what repeats the line above is left out."""
    heads = ["", "what", "flowgraph", "against", "its figure", "ratio (range of the rounds)", "target", "met"]
    widths = [max(len(row[column]) for row in [heads, *table]) for column in range(len(heads))]
    text = [layout(heads, widths)]
    for above, row in pairwise([heads, *table]):
        new_work, new_label = row[0] != above[0], row[:2] != above[:2]
        if new_work:
            text.append("")
        text.append(layout([row[0] if new_work else "", *(row[1:3] if new_label else ["", ""]), *row[3:]], widths))
    return "\n".join(text)


def layout(cells: list[str], widths: list[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
