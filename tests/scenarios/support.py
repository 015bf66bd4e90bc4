"""What the scenarios share: processes that are forked and killed, logs of bodies, and looking into a store's file."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from flowgraph import step

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 90.0
"""A process that takes longer hangs."""


# Processes ------------------------------------------------------------------------------------------------------------


class Zygote:
    """A process from which others are forked; see `zygote.py`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.scenarios.zygote"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def fork(self, request: dict[str, Any]) -> int:
        """Fork a process and return its pid."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        return self.read()

    def tells_within(self, timeout_s: float) -> bool:
        """Wait so long for the next number."""
        return bool(select.select([self._process.stdout], [], [], timeout_s)[0])

    def read(self) -> int:
        """The next number that it tells: a pid, or an exit code."""
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def kill(self) -> None:
        """End it, and whatever was forked from it."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


class Child:
    """A process that was forked."""

    def __init__(self, spawner: Spawner, zygote: Zygote, request: dict[str, Any]) -> None:
        self._spawner = spawner
        self._zygote = zygote
        self._files = Path(request["folder"]) / request["name"]
        self.code: int | None = None
        self.pid = zygote.fork(request)

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def ends_within(self, timeout_s: float) -> bool:
        """Wait so long for its end."""
        return self.code is not None or self._zygote.tells_within(timeout_s)

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """Wait for its end and return its exit code, negative for a signal."""
        if self.code is None:
            if not self.ends_within(timeout_s):
                self.signal(signal.SIGUSR1)
                self.ends_within(2.0)
                raise TimeoutError(f"a process did not end within {timeout_s:g} s:\n{self.errors}\n{self.log}")
            self.code = self._zygote.read()
            self._spawner.give_back(self._zygote)
        return self.code

    def kill(self) -> int:
        """Kill it with SIGKILL, and return its exit code."""
        if self.code is None:
            with suppress(ProcessLookupError):
                self.signal(signal.SIGKILL)
        return self.wait()

    def result(self, timeout_s: float = PATIENCE_S) -> Any:
        """Wait for its end, which must be a good one, and return what its function returned."""
        code = self.wait(timeout_s)
        assert code == 0, f"exit code {code}:\n{self.errors}\n{self.log}"
        return json.loads(self._files.with_suffix(".json").read_text())

    @property
    def errors(self) -> str:
        """What it wrote to stderr: tracebacks, warnings."""
        return self._files.with_suffix(".err").read_text()

    @property
    def output(self) -> str:
        """What it wrote to stdout."""
        return self._files.with_suffix(".out").read_text()

    @property
    def log(self) -> str:
        """What it logged."""
        path = self._files.with_suffix(".log")
        return path.read_text() if path.exists() else ""


class Spawner:
    """Forks processes from a pool of zygotes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[Zygote] = []
        self._all: list[Zygote] = []

    def start(self, folder: Path, name: str, target: str, /, **arguments: Any) -> Child:
        """Fork a process that calls `target` ("module:function"); its files are in `folder`, under `name`."""
        with self._lock:
            zygote = self._idle.pop() if self._idle else None
        if zygote is None:
            zygote = Zygote()
            with self._lock:
                self._all.append(zygote)
        return Child(self, zygote, {"folder": str(folder), "name": name, "target": target, "arguments": arguments})

    def give_back(self, zygote: Zygote) -> None:
        with self._lock:
            self._idle.append(zygote)

    def close_busy(self) -> None:
        """End the zygotes whose process has not been waited for, with that process."""
        with self._lock:
            busy = [zygote for zygote in self._all if zygote not in self._idle]
            self._all = list(self._idle)
        for zygote in busy:
            zygote.kill()

    def close(self) -> None:
        self.close_busy()
        for zygote in self._all:
            zygote.kill()
        self._all.clear()
        self._idle.clear()


def until(condition: Callable[[], T], within_s: float = PATIENCE_S, what: str = "it") -> T:
    """Ask again and again until the answer is true, and return it."""
    deadline = time.monotonic() + within_s
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"{what} did not come to be within {within_s:g} s"
        time.sleep(0.005)
    return answer


# Logs of bodies -------------------------------------------------------------------------------------------------------

_log_path: str | None = None


def log_to(path: str | Path) -> None:
    """Let the bodies of this process write to this file."""
    global _log_path
    _log_path = str(path)


def note(event: str = "begin", **values: Any) -> None:
    """Write a line that survives whatever happens next."""
    info = step.info()
    line = {
        "event": event, "run": info.run_id, "path": info.path, "attempt": info.attempt, "key": info.idempotency_key,
        "pid": os.getpid(), "thread": threading.current_thread().name, "at_us": time.time_ns() // 1_000, **values,
    }  # fmt: skip
    write_line(line)


def write_line(line: dict[str, Any]) -> None:
    """Append a line to the log, and sync it."""
    assert _log_path is not None
    descriptor = os.open(_log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, json.dumps(line).encode() + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lines_of(path: Path, event: str | None = "begin") -> list[dict[str, Any]]:
    """The lines of a log, in the order in which they were written."""
    if not path.exists():
        return []
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line for line in lines if event is None or line["event"] == event]


def attempts_of(lines: list[dict[str, Any]]) -> dict[str, list[int]]:
    """The numbers of the attempts that were begun, by run and path."""
    found: dict[str, list[int]] = {}
    for line in lines:
        found.setdefault(f"{line['run']}:{line['path']}", []).append(line["attempt"])
    return found


# Looking into a store -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A row of a run's history."""

    id: int
    run: str
    path: str
    kind: str
    state: str
    attempt: int
    finished_us: int
    payload: str | None
    detail: str | None

    @property
    def place(self) -> str:
        return f"{self.run}:{self.path}"

    @property
    def is_final(self) -> bool:
        return self.kind != "progress" and self.state in {"completed", "failed"}


@dataclass
class Snapshot:
    """What a store's file says at one moment."""

    rows: list[Row] = field(default_factory=list)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    workers: list[dict[str, Any]] = field(default_factory=list)

    @property
    def finished_places(self) -> set[str]:
        return {row.place for row in self.rows if row.is_final}

    def ended_attempts(self) -> Counter[str]:
        """How many attempts of each step have ended, by run and path."""
        ended = {"retrying", "completed", "failed"}
        return Counter(row.place for row in self.rows if row.kind == "step" and row.state in ended)


def copy_store(database: Path, target: Path) -> None:
    """Copy a database with its log, as a crash at this moment leaves it; the locks of workers stay behind."""
    for suffix in ("", "-wal"):
        source = Path(f"{database}{suffix}")
        if source.exists():
            shutil.copyfile(source, f"{target}{suffix}")


def snapshot(database: Path) -> Snapshot:
    """Read a store that no process holds open, from a copy, so that looking changes nothing."""
    if not database.exists():
        return Snapshot()
    copy = database.with_name(f"{database.name}.look")
    copy_store(database, copy)
    with closing(sqlite3.connect(copy)) as connection:
        if not connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'run'").fetchone()[0]:
            found = Snapshot()
        else:
            found = _read(connection)
    for suffix in ("", "-wal", "-shm"):
        Path(f"{copy}{suffix}").unlink(missing_ok=True)
    return found


def living_snapshot(database: Path) -> Snapshot:
    """Read a store that others may be writing."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        return _read(connection)


def _read(connection: sqlite3.Connection) -> Snapshot:
    connection.row_factory = sqlite3.Row
    runs = {row["id"]: dict(row) for row in connection.execute("SELECT * FROM run ORDER BY no")}
    names = {run["no"]: run_id for run_id, run in runs.items()}
    rows = [
        Row(
            row["id"], names[row["id"] >> 24], row["path"], row["kind"], row["state"], row["attempt"],
            row["finished_us"], row["payload"], row["detail"],
        )
        for row in connection.execute("SELECT * FROM checkpoint ORDER BY id")
    ]  # fmt: skip
    events = [dict(row) for row in connection.execute("SELECT * FROM event ORDER BY id")]
    workers = [dict(row) for row in connection.execute("SELECT * FROM worker ORDER BY no")]
    return Snapshot(rows, runs, events, workers)


def lock_files(database: Path) -> list[str]:
    return sorted(path.name for path in database.parent.glob(f"{database.name}-worker-*"))


def repeated_places(rows: list[Row]) -> Iterator[str]:
    """The places with a row after their final one, other than a failure that a new attempt of a parent forgives."""
    done: dict[str, Row] = {}
    for row in rows:
        if row.kind == "progress":
            continue
        if row.place in done:
            yield f"{row.place}: {row.state} after {done[row.place].state}"
        if row.is_final:
            done[row.place] = row
        if row.state == "retrying":
            around = (f"{row.place}/", f"{row.place}[")
            done = {
                place: last for place, last in done.items() if last.state == "completed" or not place.startswith(around)
            }
