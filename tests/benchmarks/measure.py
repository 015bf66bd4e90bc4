"""Instruments that the contenders' scripts share: standard library only, for DBOS has an environment of its own.

Memory is read from /proc, so the benchmarks want Linux.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sqlite3
import time
from array import array
from contextlib import closing
from pathlib import Path
from types import TracebackType

FAN_OUT_CONCURRENCY = 100
WARM_UP_RUNS = 10
STARTERS = 1_000
"""How many callers start runs at once in W5."""

# A result whose compact JSON is 1 KB, and which does not compress to nothing.
RECORD = {"id": 12_345, "name": "item", "flags": [True, False, None], "body": random.Random(1).randbytes(481).hex()}
assert len(json.dumps(RECORD, separators=(",", ":"))) == 1_024


def parse_arguments(workloads: list[str]) -> argparse.Namespace:
    """Read what run.py passes to every contender's script."""
    parser = argparse.ArgumentParser()
    parser.add_argument("workload", choices=workloads)
    parser.add_argument("--size", type=int, required=True, help="steps, runs or items")
    parser.add_argument("--idle", type=float, default=10.0, help="seconds of idling in W5")
    parser.add_argument("--durability", choices=["full", "relaxed"], default="full")
    parser.add_argument("--folder", type=Path, required=True, help="an empty folder for the store")
    return parser.parse_args()


def emit(figures: dict[str, float]) -> None:
    """Hand the figures to run.py: one line of JSON."""
    print(json.dumps(figures), flush=True)


def quantile(values: array[float], q: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def resident_bytes() -> int:
    """The memory that the process holds now (not its peak)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def settled_bytes_on_disk(store: Path) -> int:
    """The size of a SQLite file after everything in its WAL has been moved into it."""
    with closing(sqlite3.connect(store, timeout=30)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    wal = store.with_name(store.name + "-wal")
    return store.stat().st_size + (wal.stat().st_size if wal.exists() else 0)


class Stopwatch:
    """The time that a block takes, and the CPU time of the process meanwhile, which a busy machine changes less."""

    def __enter__(self) -> Stopwatch:
        self._began_s, self._cpu_began_s = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._took_s = time.perf_counter() - self._began_s
        self._cpu_s = time.process_time() - self._cpu_began_s

    def figures(self, thing: str, count: int) -> dict[str, float]:
        """How many things a second, and how much CPU time for each."""
        return {f"{thing}s_per_s": count / self._took_s, f"cpu_us_per_{thing}": self._cpu_s / count * 1e6}


class LoopStalls:
    """How late a timer comes that is due every millisecond, while the block runs; asyncio's own resolution is 1 ms."""

    def __init__(self) -> None:
        self._late_ms = array("d")

    def __enter__(self) -> LoopStalls:
        self._loop = asyncio.get_running_loop()
        self._arm()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._timer.cancel()

    def _arm(self) -> None:
        self._due = self._loop.time() + 0.001
        self._timer = self._loop.call_at(self._due, self._tick)

    def _tick(self) -> None:
        self._late_ms.append((self._loop.time() - self._due) * 1_000)
        self._arm()

    def figures(self) -> dict[str, float]:
        late = self._late_ms
        return {"stall_p50_ms": quantile(late, 0.5), "stall_p99_ms": quantile(late, 0.99), "stall_max_ms": max(late)}
