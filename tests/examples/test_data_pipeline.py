"""The data pipeline sums real orders up, and resumes after a kill without fetching again."""

from __future__ import annotations

import csv
import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import closing
from decimal import Decimal
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"
COMMAND = [sys.executable, str(EXAMPLES / "data_pipeline.py")]


def expected_totals() -> dict[str, str]:
    totals: dict[str, Decimal] = defaultdict(Decimal)
    with (EXAMPLES / "orders.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            totals[row["customer"]] += Decimal(row["amount"])
    return {name: str(total) for name, total in sorted(totals.items())}


def test_it_runs(tmp_path: Path) -> None:
    """It writes the totals of the orders beside it."""
    done = subprocess.run(COMMAND, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "the totals of 5 customers are in totals.json\n"
    assert json.loads((tmp_path / "totals.json").read_text()) == expected_totals()


def test_killed_in_its_pause_it_resumes(tmp_path: Path) -> None:
    """What was fetched is not fetched again: the file may be gone by then."""
    source = tmp_path / "orders.csv"
    source.write_text((EXAMPLES / "orders.csv").read_text())
    command = [*COMMAND, str(source), "--run-id", "monday", "--pause", "2s"]
    with subprocess.Popen(command, cwd=tmp_path) as process:
        while process.poll() is None and not _sleeps(tmp_path):
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    source.unlink()
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "totals.json").read_text()) == expected_totals()


def _sleeps(folder: Path) -> bool:
    file = folder / ".flowgraph" / "flowgraph.db"
    if not file.exists():
        return False
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            return bool(connection.execute("SELECT 1 FROM checkpoint WHERE kind = 'sleep'").fetchall())
    except sqlite3.OperationalError:
        return False


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    """A source that is not there fails the run, after its attempts, in one line on stderr."""
    program = (
        "import sys, data_pipeline, flowgraph\n"
        "from flowgraph.testing import VirtualClock\n"
        "import asyncio\n"
        "async def main():\n"
        "    async with flowgraph.Runtime('sqlite:///:memory:', clock=VirtualClock()) as runtime:\n"
        "        try:\n"
        "            await runtime.run(data_pipeline.data_pipeline, 'nowhere.csv')\n"
        "        except flowgraph.RunFailed as error:\n"
        "            print(error)\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(EXAMPLES)}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "Step 'fetch-data' failed after 10 attempts: FileNotFoundError" in done.stdout
