"""A varied workflow is killed before and after every one of its commits, and continued by another process.

Between two commits nothing that a run does is durable, so these are all the places where a crash makes a difference.
The cases are made once for each durability; each test looks at one promise in all of them.
"""

from __future__ import annotations

import fcntl
import json
import os
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.scenarios import varied
from tests.scenarios.support import (
    Snapshot,
    Spawner,
    attempts_of,
    lines_of,
    lock_files,
    repeated_places,
    snapshot,
)

AT_ONCE = 20
"""So many cases at once: each spends most of its time asleep."""

SUSPENDED_PARENTS = {f"{varied.RUN_ID}:family"}
"""Steps whose body runs again after a suspension."""

Durability = Literal["full", "relaxed"]
When = Literal["before", "after"]
Bodies = dict[str, list[int]]


@dataclass(frozen=True)
class Case:
    """One life cut off at one commit, and the life after it."""

    name: str
    killed: bool
    result: str
    crashed: Snapshot
    ended: Snapshot
    first: Bodies
    second: Bodies
    errors: str
    log: str
    locks: list[str]


@dataclass(frozen=True)
class Sweep:
    """A run that was left alone, and all the cases."""

    straight: Case
    cases: list[Case]

    def fails(self, check: Callable[[Case], str | None]) -> dict[str, str]:
        """What is wrong, by case."""
        found = {case.name: check(case) for case in self.cases}
        return {name: wrong for name, wrong in found.items() if wrong}


@pytest.fixture(scope="module", params=["full", "relaxed"])
def sweep(request: pytest.FixtureRequest, zygotes: Spawner, tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """All cases; where several processes run the tests (xdist), the first makes them for all."""
    folder = tmp_path_factory.mktemp(request.param)
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return swept(zygotes, folder, request.param)
    made = folder.parent.parent / f"every-commit-{request.param}.pickle"
    with made.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            made.write_bytes(pickle.dumps(swept(zygotes, folder, request.param)))
        return pickle.loads(made.read_bytes())


def swept(zygotes: Spawner, folder: Path, durability: Durability) -> Sweep:
    straight, commits = lived(zygotes, folder, durability)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        pending = [
            pool.submit(lived_twice, zygotes, folder, durability, commit, when)
            for commit in range(1, commits + 1)
            for when in moments(durability)
        ]
        cases = [future.result() for future in pending]
    while cases[-1].killed:
        commits += 1
        cases.append(lived_twice(zygotes, folder, durability, commits, "after"))
    zygotes.close_busy()
    return Sweep(straight, cases)


def moments(durability: Durability) -> tuple[When, ...]:
    """Before and after each commit; by default only after it where that differs only in when the disk is synced."""
    everything = durability == "full" or os.environ.get("FLOWGRAPH_EVERY_COMMIT")
    return ("before", "after") if everything else ("after",)


def lived(zygotes: Spawner, folder: Path, durability: Durability) -> tuple[Case, int]:
    """A run that nobody disturbs, and the number of its commits."""
    here = folder / "straight"
    here.mkdir()
    child = zygotes.start(here, "only", "tests.scenarios.varied:attempt", **arguments(here, durability))
    told = child.result()
    ended = snapshot(here / "flows.db")
    bodies = attempts_of(lines_of(here / "bodies.log"))
    case = Case("straight", False, told["result"], ended, ended, bodies, {}, child.errors, child.log, [])
    return case, told["commits"]


def lived_twice(zygotes: Spawner, folder: Path, durability: Durability, commit: int, when: When) -> Case:
    """A run whose process kills itself at a commit, and another process that continues."""
    here = folder / f"{when}-{commit}"
    here.mkdir()
    database, log = here / "flows.db", here / "bodies.log"
    first = zygotes.start(
        here, "first", "tests.scenarios.varied:attempt", **arguments(here, durability), crash=commit, when=when
    )
    code = first.wait()
    assert code in {0, -9}, f"{here.name}: exit code {code}\n{first.errors}"
    crashed, lines = snapshot(database), lines_of(log)
    second = first
    if code:
        second = zygotes.start(here, "second", "tests.scenarios.varied:attempt", **arguments(here, durability))
    result = second.result()["result"]
    return Case(
        here.name, code != 0, result, crashed, snapshot(database), attempts_of(lines),
        attempts_of(lines_of(log)[len(lines) :]), second.errors, second.log, lock_files(database),
    )  # fmt: skip


def arguments(here: Path, durability: Durability) -> dict[str, Any]:
    return {"store": f"sqlite:///{here}/flows.db", "log": str(here / "bodies.log"), "durability": durability}


# What holds in every case ---------------------------------------------------------------------------------------------


def test_it_was_killed_at_every_commit_until_it_ended_by_itself(sweep: Sweep) -> None:
    lived_on = [case.name for case in sweep.cases if not case.killed]
    assert len(sweep.cases) > 60
    assert len(lived_on) < len(sweep.cases) / 10, lived_on  # Commits are grouped, so their number differs a little.
    assert not sweep.cases[-1].killed


def test_the_result_is_that_of_a_straight_run(sweep: Sweep) -> None:
    assert not sweep.fails(lambda case: None if case.result == sweep.straight.result else case.result)


def test_no_body_runs_after_its_outcome_was_committed(sweep: Sweep) -> None:
    def check(case: Case) -> str | None:
        again = sorted(place for place in case.second if place in case.crashed.finished_places)
        again = [place for place in again if not is_forgiven(case, place)]
        return ", ".join(again)

    def is_forgiven(case: Case, place: str) -> bool:
        """The failure of a child runs again in the next attempt of its parent (R6)."""
        return place == f"{varied.RUN_ID}:persistent/bad" and len(case.second[place]) == 1

    assert not sweep.fails(check)


def test_a_crash_costs_a_body_one_run_and_no_attempt_number(sweep: Sweep) -> None:
    """An attempt counts when it has ended; one that a crash cut off runs again under the same number."""

    def check(case: Case) -> str | None:
        wrong = []
        for place, numbers in sweep.straight.first.items():
            if place in SUSPENDED_PARENTS:
                continue
            ended = case.crashed.ended_attempts()[place]
            first, second = case.first.get(place, []), case.second.get(place, [])
            if first not in (numbers[:ended], numbers[: ended + 1]):
                wrong.append(f"{place}: {ended} attempts had ended, and before the crash {first} had begun")
            if case.killed and second != numbers[ended:]:
                wrong.append(f"{place}: {ended} attempts had ended, and after the crash {second} began")
        return "; ".join(wrong)

    assert not sweep.fails(check)


def test_a_parent_that_is_suspended_keeps_its_attempt(sweep: Sweep) -> None:
    def check(case: Case) -> str | None:
        wrong = []
        for place in SUSPENDED_PARENTS:
            numbers = [*case.first.get(place, []), *case.second.get(place, [])]
            if set(numbers) != {1} or len(numbers) > len(sweep.straight.first[place]) + 1:
                wrong.append(f"{place}: {numbers}")
        return "; ".join(wrong)

    assert not sweep.fails(check)


def test_no_other_bodies_run(sweep: Sweep) -> None:
    places = set(sweep.straight.first)
    assert not sweep.fails(lambda case: ", ".join(({*case.first} | {*case.second}) - places))


def test_what_was_committed_never_changes(sweep: Sweep) -> None:
    def check(case: Case) -> str | None:
        later = {row.id: row for row in case.ended.rows}
        return ", ".join(row.place for row in case.crashed.rows if later.get(row.id) != row)

    assert not sweep.fails(check)


def test_a_finished_path_gets_no_second_row(sweep: Sweep) -> None:
    assert not sweep.fails(lambda case: ", ".join(repeated_places(case.ended.rows)))


def test_the_history_says_the_same_as_that_of_a_straight_run(sweep: Sweep) -> None:
    def told(case: Case) -> list[tuple[Any, ...]]:
        return sorted(
            (
                row.place, row.kind, row.state, row.attempt, row.detail or "",
                row.payload or "" if row.state == "completed" else "",
            )
            for row in case.ended.rows
            if row.kind != "progress"
        )  # fmt: skip

    def check(case: Case) -> str | None:
        found = told(case)
        lost, added = [row for row in expected if row not in found], [row for row in found if row not in expected]
        return f"lost {lost}, added {added}" if found != expected else None

    expected = told(sweep.straight)
    assert not sweep.fails(check)


def test_progress_is_told_once_and_never_goes_back(sweep: Sweep) -> None:
    def check(case: Case) -> str | None:
        done = [json.loads(row.payload or "")["done"] for row in case.ended.rows if row.kind == "progress"]
        return None if done == [1, 2, 3] else str(done)

    assert not check(sweep.straight)
    assert not sweep.fails(check)


def test_no_child_is_started_twice(sweep: Sweep) -> None:
    expected = {
        run_id: (run["workflow"], run["status"], run["output"]) for run_id, run in sweep.straight.ended.runs.items()
    }

    def check(case: Case) -> str | None:
        found = {run_id: (run["workflow"], run["status"], run["output"]) for run_id, run in case.ended.runs.items()}
        return None if found == expected else f"{found}"

    assert len(expected) == 4
    assert not sweep.fails(check)


def test_the_event_is_stored_once_and_taken_once(sweep: Sweep) -> None:
    def check(case: Case) -> str | None:
        takers = [row.id for row in case.ended.rows if row.path == "decision" and row.state == "completed"]
        taken = [event["taken_by"] for event in case.ended.events]
        return None if taken == takers and len(takers) == 1 else f"taken by {taken}, and the waits are {takers}"

    assert not sweep.fails(check)


def test_a_crash_is_counted_as_one_recovery_of_the_runs_that_it_hit(sweep: Sweep) -> None:
    def check(case: Case) -> str | None:
        found = {run_id: run["recoveries"] for run_id, run in case.ended.runs.items()}
        hit = (
            {run_id: int(run["status"] == "running") for run_id, run in case.crashed.runs.items()}
            if case.killed
            else {}
        )
        expected = {run_id: hit.get(run_id, 0) for run_id in found}
        return None if found == expected else f"{found} instead of {expected}"

    assert not sweep.fails(check)


def test_nothing_of_the_dead_process_is_left(sweep: Sweep) -> None:
    def check(case: Case) -> str | None:
        return f"{case.ended.workers} {case.locks}" if case.ended.workers or case.locks else None

    assert not sweep.fails(check)


def test_the_process_that_continues_has_nothing_to_complain_of(sweep: Sweep) -> None:
    def check(case: Case) -> str | None:
        wrong = [line for line in case.log.splitlines() if line.startswith(("ERROR", "CRITICAL"))]
        return case.errors + "\n".join(wrong)

    assert not sweep.fails(check)
