"""The census can be killed with SIGKILL at any moment, and ends as if nothing had happened."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

CENSUS = Path(__file__).parents[2] / "examples" / "library_census.py"
FLOWGRAPH = str(Path(sysconfig.get_path("scripts")) / "flowgraph")
LIMIT = 40


def command(*arguments: str) -> list[str]:
    return [sys.executable, str(CENSUS), "--run-id", "census", *arguments]


def straight(folder: Path, *arguments: str) -> str:
    folder.mkdir()
    done = subprocess.run(command(*arguments), cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def results(folder: Path) -> tuple[str, list[tuple[object, ...]]]:
    """The report, and the rows of the table."""
    with closing(sqlite3.connect(folder / "census.db")) as connection:
        rows = connection.execute("SELECT * FROM module ORDER BY file").fetchall()
    return (folder / "census-report.md").read_text(encoding="utf-8"), rows


def checkpoints(folder: Path) -> int:
    """How many rows of history the run has so far; 0 while there is no store yet."""
    file = folder / ".flowgraph" / "flowgraph.db"
    if not file.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            [(count,)] = connection.execute("SELECT count(*) FROM checkpoint")
    except sqlite3.OperationalError:
        return 0
    return int(count)


def until(process: subprocess.Popen[bytes], folder: Path, goal: int) -> None:
    """Wait until the run has so many rows, or the process has ended."""
    while process.poll() is None and checkpoints(folder) < goal:
        time.sleep(0.001)


def goals(seed: int) -> Iterator[int]:
    """After how many rows the next kill comes: a few at a time at first, so that each phase has its turn."""
    chance = random.Random(seed)
    goal = 0
    while True:
        goal += chance.randint(1, 35)
        yield goal


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_random_it_ends_like_a_straight_run(seed: int, tmp_path: Path) -> None:
    """Killed again and again until it ends, it gives the same report and rows, and does no finished step again."""
    expected, folder = tmp_path / "straight", tmp_path / "killed"
    straight(expected, "--limit", str(LIMIT))
    folder.mkdir()
    kills = 0
    for goal in goals(seed):
        with subprocess.Popen(command("--limit", str(LIMIT)), cwd=folder, stdout=subprocess.DEVNULL) as process:
            until(process, folder, goal)
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                kills += 1
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL
    assert kills >= 3
    assert results(folder) == results(expected)
    assert checkpoints(folder) == checkpoints(expected)


def test_a_census_of_everything_has_hundreds_of_modules(tmp_path: Path) -> None:
    """Without a limit it covers the standard library of the interpreter that runs it."""
    printed = straight(tmp_path / "all")
    report, rows = results(tmp_path / "all")
    assert "the report is in census-report.md" in printed
    assert len(rows) > 300
    assert {"ast.py", "asyncio/tasks.py", "json/decoder.py"} <= {row[0] for row in rows}
    assert f"{len(rows):,} modules" in report


def test_the_command_line_takes_it_up(tmp_path: Path) -> None:
    """What the script began, `flowgraph run` continues, and prints the report's path as JSON."""
    with subprocess.Popen(command("--limit", "20"), cwd=tmp_path, stdout=subprocess.DEVNULL) as process:
        until(process, tmp_path, 20)
        process.send_signal(signal.SIGKILL)
    again = [FLOWGRAPH, "run", f"{CENSUS}:library_census", "--run-id", "census"]
    done = subprocess.run(again, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == "census-report.md"
    assert "goes on after" in done.stderr
    assert len(results(tmp_path)[1]) == 20


def test_another_limit_under_the_same_id_is_refused(tmp_path: Path) -> None:
    """The same id with other input is an error in one line, and nothing is changed."""
    straight(tmp_path / "census", "--limit", "3")
    before = results(tmp_path / "census")
    done = subprocess.run(command("--limit", "4"), cwd=tmp_path / "census", capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("Run 'census' exists already")
    assert len(done.stderr.splitlines()) == 1
    assert results(tmp_path / "census") == before
