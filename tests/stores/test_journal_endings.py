"""How a journal ends that nobody closes: in real processes, killed at commits, or at the end of the interpreter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from flowgraph.model.store import Outcomes
from flowgraph.stores import open_store

PRELUDE = """
import asyncio, atexit, os, signal, sys
from flowgraph.model.store import Find, Start
from flowgraph.stores import Journal, open_store

def start(k):
    return Start(f"r{k}", "wf", "{}", 1)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "flows.db"


def run(path: Path, code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", PRELUDE + code, f"sqlite:///{path}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=20)


def stored(path: Path) -> int:
    """How many runs are in the store."""
    store = open_store(f"sqlite:///{path}")
    store.open()
    try:
        return len(store.ask(Outcomes(tuple(f"r{k}" for k in range(2000)))))
    finally:
        store.close()


def test_a_loop_that_is_closed_early_leaves_no_traceback_and_loses_nothing(path: Path) -> None:
    ended = run(
        path,
        """
async def main():
    journal = await Journal.open(open_store(sys.argv[1]), on_change=lambda: None, poll_s=0.001)
    for k in range(1500):
        journal.submit(start(k), lambda answer: None)
    await asyncio.sleep(0)

asyncio.run(main())
""",
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert stored(path) == 1500


def test_what_was_submitted_last_is_applied_at_the_end_of_the_interpreter(path: Path) -> None:
    ended = run(
        path,
        """
async def main():
    journal = await Journal.open(open_store(sys.argv[1]))
    await journal.ask(Find("x"))
    journal.submit(start(0), lambda answer: None)

asyncio.run(main())
""",
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert stored(path) == 1


def test_an_error_of_the_program_is_all_that_is_shown(path: Path) -> None:
    ended = run(
        path,
        """
async def main():
    journal = await Journal.open(open_store(sys.argv[1]))
    journal.start_beating(lambda: start(0), 0.001)
    await journal.commit(start(1))
    raise SystemExit("stop")

asyncio.run(main())
""",
    )
    assert (ended.returncode, ended.stderr) == (1, "stop\n")
    assert stored(path) >= 1


def test_a_forked_child_ends_without_touching_the_store(path: Path) -> None:
    ended = run(
        path,
        """
async def main():
    journal = await Journal.open(open_store(sys.argv[1]))
    await journal.commit(start(0))
    child = os.fork()
    if not child:
        atexit._run_exitfuncs()  # All of the end but asyncio's own, which would unregister the parent's descriptors.
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    await journal.commit(start(1))
    await journal.close()

asyncio.run(main())
""",
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert stored(path) == 2


@pytest.mark.parametrize("durability", ["full", "relaxed"])
@pytest.mark.parametrize(("where", "kept"), [("before-commit", 2), ("after-commit", 3)])
def test_a_process_killed_at_a_commit_has_all_of_it_or_nothing(
    path: Path, durability: str, where: str, kept: int
) -> None:
    ended = run(
        path,
        f"""
def fault(place, number):
    if (place, number) == ({where!r}, 3):
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    Journal.fault = fault
    journal = await Journal.open(open_store(sys.argv[1]), durability={durability!r})
    for k in range(10):
        await journal.commit(start(k))
        print(k, flush=True)

asyncio.run(main())
""",
    )
    assert ended.returncode == -9
    assert ended.stdout.split() == ["0", "1"]
    assert stored(path) == kept
