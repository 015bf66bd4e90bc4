"""The floors: what the same disk and the same `sqlite3` do without any library above them.

python work_floor.py commits --size 3000 --folder DIR   # rows a second: a commit a row, and a commit a hundred rows
python work_floor.py disk --size 1000 --folder DIR      # bytes a 1 KB row
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from measure import RECORD, Stopwatch, emit, parse_arguments, settled_bytes_on_disk

WARM_UP_COMMITS = 100
TRIVIAL = "0"
KILOBYTE = json.dumps(RECORD, separators=(",", ":"))


def open_table(file: Path, synchronous: str) -> sqlite3.Connection:
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={synchronous}")
    connection.execute("CREATE TABLE row (id INTEGER PRIMARY KEY, name TEXT NOT NULL, value TEXT NOT NULL)")
    return connection


def committing(file: Path, synchronous: str, value: str, rows: int, rows_per_commit: int = 1) -> dict[str, float]:
    with closing(open_table(file, synchronous)) as connection:

        def commit_rows(first: int) -> None:
            connection.execute("BEGIN")
            for number in range(first, first + rows_per_commit):
                connection.execute("INSERT INTO row VALUES (?, ?, ?)", (number, f"step-{number}", value))
            connection.execute("COMMIT")

        for first in range(-WARM_UP_COMMITS * rows_per_commit, 0, rows_per_commit):
            commit_rows(first)
        with Stopwatch() as watch:
            for first in range(0, rows, rows_per_commit):
                commit_rows(first)
        return watch.figures("row", rows)


def measure_commits(folder: Path, size: int) -> dict[str, float]:
    floors = {
        "full": committing(folder / "full.db", "FULL", TRIVIAL, size),
        "normal": committing(folder / "normal.db", "NORMAL", TRIVIAL, size),
        "full_1kb": committing(folder / "full-1kb.db", "FULL", KILOBYTE, size),
        "normal_1kb": committing(folder / "normal-1kb.db", "NORMAL", KILOBYTE, size),
        "full_by_100": committing(folder / "by-100.db", "FULL", TRIVIAL, 20 * size, rows_per_commit=100),
    }
    return {f"{floor}_{name}": value for floor, figures in floors.items() for name, value in figures.items()}


def measure_disk(folder: Path, size: int) -> dict[str, float]:
    file = folder / "disk.db"
    open_table(file, "NORMAL").close()
    before = settled_bytes_on_disk(file)
    with closing(sqlite3.connect(file)) as connection, connection:
        rows = ((number, f"step-{number}", KILOBYTE) for number in range(size))
        connection.executemany("INSERT INTO row VALUES (?, ?, ?)", rows)
    return {"bytes_per_step": (settled_bytes_on_disk(file) - before) / size}


def main() -> None:
    arguments = parse_arguments(["commits", "disk"])
    measure = {"commits": measure_commits, "disk": measure_disk}[arguments.workload]
    emit(measure(arguments.folder, arguments.size))


if __name__ == "__main__":
    main()
