"""Made-up workflows end the same whether or not they are interrupted on the way.

A crash is made without killing anything: right after a commit the file and its log are copied, which is exactly what a
crash at this point leaves behind. The lock of the worker is not copied, so in the copy it counts as dead.
"""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from flowgraph import RunError, RunFinished, Runtime
from flowgraph.model import Checkpoint, moment
from flowgraph.stores import Journal
from flowgraph.testing import VirtualClock
from tests.properties import programs
from tests.properties.programs import SHORT_S, Tree, Witness, begin_witness, trees
from tests.scenarios.support import Row, copy_store, repeated_places, snapshot

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
HANGS_S = 10.0
RUN_ID = "program-1"
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""What is killed in a process is not lost with a file system in memory, and a sync costs nothing there."""

PHASES = (Phase.explicit, Phase.generate, Phase.target) if not THOROUGH else tuple(Phase)
"""Shrinking what hangs takes minutes, so that it is left to HYPOTHESIS_PROFILE=thorough."""

affordable = settings(
    max_examples=2_000 if THOROUGH else 60,
    deadline=None,
    derandomize=not THOROUGH,
    database=None,
    phases=PHASES,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow],
)


@affordable
@given(trees(), st.integers(0, 10_000))
def test_a_crash_at_any_commit_changes_nothing(tree: Tree, seed: int) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        base = Path(folder)
        witness = begin_witness()
        with crashes(base / "flows.db", random.Random(seed)) as crashed:
            expected = asyncio.run(lived(base / "flows.db", tree, VirtualClock(), witness, crashed.append_clock))
        assert not witness.wrong
        assert not list(repeated_places(rows_of(base / "flows.db")))
        for crash in crashed.places:
            assert_resumes(crash, tree, expected)


@affordable
@given(trees(), st.lists(st.integers(1, 12), min_size=1, max_size=6))
def test_handing_a_run_back_at_any_commit_changes_nothing(tree: Tree, leave_after: list[int]) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        straight, other = Path(folder) / "straight.db", Path(folder) / "other.db"
        expected = asyncio.run(lived(straight, tree, VirtualClock(), begin_witness()))
        witness = begin_witness()
        assert asyncio.run(handed_back(other, tree, leave_after, witness)) == expected
        assert not witness.wrong
        if "caught it" not in expected and "Failed" not in expected:  # What a failure cancels is a matter of moments.
            assert final_rows(other) == final_rows(straight)
        assert {run["recoveries"] for run in snapshot(other).runs.values()} == {0}


@affordable
@given(trees())
def test_a_replay_of_the_whole_history_runs_no_body(tree: Tree) -> None:
    """As after a crash right before the end was committed."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        database = Path(folder) / "flows.db"
        expected = asyncio.run(lived(database, tree, VirtualClock(), begin_witness()))
        forget_the_end(database)
        witness = begin_witness(histories(database))
        assert asyncio.run(lived(database, tree, VirtualClock(start_after(database)), witness)) == expected
        assert not witness.wrong
        if (
            "caught it" not in expected
        ):  # What a failure cancelled in its siblings begins again, and is cancelled again.
            assert witness.begun == []


@pytest.mark.parametrize("seed", range(3))
def test_who_was_first_is_the_same_on_replay(seed: int) -> None:
    """Two results may be committed together, or one while the other is being handed over: many runs see to that."""
    chance = random.Random(seed)
    forest = [["seq", 100, None, *[race(number, chance) for number in range(40)]] for _ in range(8)]
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        database = Path(folder) / "flows.db"
        expected = asyncio.run(all_lived(database, forest))
        forget_the_end(database)
        witness = begin_witness(histories(database))
        again = asyncio.run(all_lived(database, forest))
        races = [pair for pairs in zip(expected, again, strict=True) for pair in zip(*pairs, strict=True)]
        assert [f"{first} at first, {replayed} on replay" for first, replayed in races if first != replayed] == []
        assert witness.begun == []


def race(number: int, chance: random.Random) -> Tree:
    return ["race", number, [f"{turns} turns" for turns in chance.sample(range(12), 2 + number % 3)]]


async def all_lived(database: Path, forest: list[Tree]) -> list[Any]:
    async with asyncio.timeout(HANGS_S), Runtime(f"sqlite:///{database}", workflows=[programs.program]) as runtime:
        runs = [runtime.run(programs.program, tree, run_id=f"race-{number}") for number, tree in enumerate(forest)]
        return await asyncio.gather(*runs)


@pytest.mark.parametrize("kind", ["child", "started"])
def test_a_parent_goes_on_as_soon_as_its_child_has_ended_also_after_a_crash(kind: str) -> None:
    tree = ["try", 0, None, ["listen", 1, None], [kind, 2, None, ["sleep", 3, 3.0], ["step", 4, "async"]]]
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        with crashes(Path(folder) / "flows.db", everywhere()) as crashed:
            asyncio.run(lived(Path(folder) / "flows.db", tree, VirtualClock(), begin_witness(), crashed.append_clock))
        for database, now in crashed.places:
            copy_store(database, again := database.with_suffix(".again"))
            took_s = [timed(path, tree, now) for path in (database, again)]
            assert min(took_s) < 0.9, f"{database.name}: it was found only by a regular look"


def timed(database: Path, tree: Tree, now: datetime) -> float:
    began = time.monotonic()
    asyncio.run(lived(database, tree, VirtualClock(now), begin_witness()))
    return time.monotonic() - began


def everywhere() -> random.Random:
    """Chance that always says yes."""
    chance = random.Random()
    chance.random = lambda: 0.0  # type: ignore[method-assign]
    return chance


@pytest.mark.parametrize("crashing", [False, True], ids=["straight", "crashing"])
def test_what_nobody_awaits_is_completed_before_the_workflow_is(crashing: bool) -> None:
    """Also what it begins while the workflow waits for its end (R6: awaited or not)."""
    several = [["background", 10 * n, None, *[["step", 10 * n + k, "slow"] for k in range(1, 4)]] for n in range(1, 9)]
    tree = ["try", 100, None, ["listen", 101, None], ["gather", 102, None, *several]]
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        database = Path(folder) / "flows.db"
        expected = asyncio.run(lived(database, tree, VirtualClock(), begin_witness()))
        if crashing:
            forget_the_end(database)
            with closing(sqlite3.connect(database, isolation_level=None)) as connection:
                connection.execute("DELETE FROM checkpoint WHERE path LIKE 'step %3'")
            assert asyncio.run(lived(database, tree, VirtualClock(), begin_witness())) == expected
        steps = [row.path for row in rows_of(database) if row.path.startswith("step ")]
        assert sorted(steps) == sorted(f"step {10 * n + k}" for n in range(1, 9) for k in range(1, 4))


def test_what_a_background_task_goes_on_with_in_the_last_moment_is_completed() -> None:
    """Results may arrive between the moment in which nothing was left to do and the end of the workflow."""
    late = [
        "background", 3, None,
        ["background", 4, None, ["twice", 5, False]],
        ["gather", 6, None, ["sleep", 7, SHORT_S]],
        ["background", 8, None, ["twice", 9, False], ["step", 10, "slow"], ["twice", 11, False]],
    ]  # fmt: skip
    tree = ["try", 0, None, ["listen", 1, None], late, ["try", 12, None, ["gather", 14, None, ["sleep", 15, SHORT_S]]]]
    for _ in range(10):
        with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
            database = Path(folder) / "flows.db"
            asyncio.run(lived(database, tree, VirtualClock(), begin_witness()))
            assert {"step 10", "twice 11"} <= {row.path for row in rows_of(database)}


@pytest.mark.parametrize("what", ["step", "sleep", "listen"])
def test_what_is_given_up_in_the_background_does_not_hold_the_workflow(what: str) -> None:
    """A call that its only caller cancels is cancelled, whether or not the workflow waits for its end already."""
    several = [
        ["background", 10 * n, None, *[["given up", 10 * n + k, what] for k in range(1, 4)]] for n in range(1, 9)
    ]
    tree = ["try", 100, None, ["listen", 101, None], ["gather", 102, None, *several]]
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        database = Path(folder) / "flows.db"
        asyncio.run(lived(database, tree, VirtualClock(), begin_witness()))
        steps = [
            row.path for row in rows_of(database) if row.path.endswith("meanwhile") and row.path.startswith("given")
        ]
        assert len(steps) == 24


# Living ---------------------------------------------------------------------------------------------------------------


async def lived(
    database: Path,
    tree: Tree,
    clock: VirtualClock,
    witness: Witness,
    told: Callable[[VirtualClock], None] | None = None,
) -> str:
    """Execute a tree, or what is left of it, to its end."""
    if told is not None:
        told(clock)
    async with asyncio.timeout(HANGS_S), opened(database, clock, witness) as runtime:
        return await outcome(runtime, tree)


def opened(database: Path, clock: VirtualClock, witness: Witness) -> Runtime:
    runtime = Runtime(f"sqlite:///{database}", workflows=[programs.program], clock=clock)
    runtime.observe(witness.committed)
    return runtime


async def outcome(runtime: Runtime, tree: Tree) -> str:
    run = await runtime.start(programs.program, tree, run_id=RUN_ID)
    with suppress(RunFinished):
        await run.send("news", {"of": "the day"}, id="news-1")
    try:
        return repr(await run.result())
    except RunError as error:
        return f"{type(error).__name__}: {error}"


async def handed_back(database: Path, tree: Tree, leave_after: list[int], witness: Witness) -> str:
    """Execute a tree in one Runtime after the other, each of which leaves after so many commits."""
    clock = VirtualClock()
    async with asyncio.timeout(HANGS_S):
        for commits in leave_after:
            leave = asyncio.Event()
            with after_commit(commits, asyncio.get_running_loop(), leave):
                async with opened(database, clock, witness) as runtime:
                    ending = asyncio.create_task(outcome(runtime, tree))
                    leaving = asyncio.create_task(leave.wait())
                    await asyncio.wait({ending, leaving}, return_when=asyncio.FIRST_COMPLETED)
                    leaving.cancel()
                    if ending.done():
                        return ending.result()
                    ending.cancel()
                    await asyncio.wait({ending})
        async with opened(database, clock, witness) as runtime:
            return await outcome(runtime, tree)


@contextmanager
def after_commit(number: int, loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> Iterator[None]:
    def fault(place: str, commit: int) -> None:
        if place == "after-commit" and commit == number:
            loop.call_soon_threadsafe(event.set)

    with faults(fault):
        yield


@contextmanager
def faults(fault: Callable[[str, int], None]) -> Iterator[None]:
    previous, Journal.fault = Journal.fault, staticmethod(fault)
    try:
        yield
    finally:
        Journal.fault = previous


# Crashing -------------------------------------------------------------------------------------------------------------


class Crashes:
    """Copies of a store, each with the time at which it was made."""

    def __init__(self, database: Path, chance: random.Random) -> None:
        self._database = database
        self._chance = chance
        self._clock: VirtualClock | None = None
        self.places: list[tuple[Path, datetime]] = []

    def append_clock(self, clock: VirtualClock) -> None:
        self._clock = clock

    def fault(self, place: str, number: int) -> None:
        """Copy the store at some commits: at the first always, and the rarer the more there are."""
        if place != "after-commit" or (number > 3 and self._chance.random() > (1.0 if THOROUGH else 0.2)):
            return
        copy = self._database.with_name(f"crash-{number}.db")
        copy_store(self._database, copy)
        assert self._clock is not None
        self.places.append((copy, self._clock.now()))


@contextmanager
def crashes(database: Path, chance: random.Random) -> Iterator[Crashes]:
    found = Crashes(database, chance)
    with faults(found.fault):
        yield found


def assert_resumes(crash: tuple[Path, datetime], tree: Tree, expected: str) -> None:
    database, now = crash
    before = rows_of(database)
    witness = begin_witness(histories(database))
    assert asyncio.run(lived(database, tree, VirtualClock(now), witness)) == expected, database.name
    assert not witness.wrong, database.name
    after = rows_of(database)
    later = {row.id: row for row in after}
    assert [row for row in before if later.get(row.id) != row] == []
    assert not list(repeated_places(after))
    assert snapshot(database).runs[RUN_ID]["status"] == "completed"


# Looking --------------------------------------------------------------------------------------------------------------


def rows_of(database: Path) -> list[Row]:
    return snapshot(database).rows


def histories(database: Path) -> dict[str, list[Checkpoint]]:
    """The rows of each run."""
    found: dict[str, list[Checkpoint]] = {}
    for row in rows_of(database):
        one = Checkpoint(row.id, row.path, row.kind, row.state, row.attempt, 0, row.finished_us, 0)
        found.setdefault(row.run, []).append(one)
    return found


def final_rows(database: Path) -> list[tuple[Any, ...]]:
    """What a history says in the end, apart from times and from what was cancelled on the way."""
    last = {row.place: row for row in rows_of(database) if row.is_final}
    return sorted((row.place, row.kind, row.state, row.attempt) for row in last.values())


def forget_the_end(database: Path) -> None:
    """Leave the store as a crash right before the ends of its runs were committed would."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("UPDATE run SET status = 'pending', wake_us = 0, output = NULL, finished_us = NULL")


def start_after(database: Path) -> datetime:
    return moment(max(row.finished_us for row in rows_of(database)))


@pytest.mark.parametrize(
    "tree",
    [
        ["race", 0, ["0 turns", "asleep 0.5"]],
        ["group", 0, None, ["hopeless", 1, 1], ["sleep", 2, 86_400.0]],
        ["gather", 0, None, ["hopeless", 1, 2], ["sleep", 2, 5.0], ["child", 3, None, ["sleep", 4, 5.0]]],
        ["nested", 0, 2, ["flaky", 1, [2, 30.0]], ["child", 2, None, ["hopeless", 3, 1]]],
    ],
    ids=str,
)  # fmt: skip
def test_a_tree_that_is_worth_keeping(tree: Tree) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        base = Path(folder)
        witness = begin_witness()
        whole = ["try", 100, None, ["listen", 101, None], tree]
        with crashes(base / "flows.db", everywhere()) as crashed:
            expected = asyncio.run(lived(base / "flows.db", whole, VirtualClock(), witness, crashed.append_clock))
        assert not witness.wrong
        for crash in crashed.places:
            assert_resumes(crash, whole, expected)
