"""A longer workflow is killed at random moments, again and again, until it ends."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios import journey
from tests.scenarios.support import (
    PATIENCE_S,
    Snapshot,
    Spawner,
    attempts_of,
    lines_of,
    lock_files,
    repeated_places,
    snapshot,
)

LIVE = "tests.scenarios.journey:live"


@pytest.fixture(scope="module")
def straight(zygotes: Spawner, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, list[int]], Snapshot]:
    """The result, the bodies, and the store of a run that nobody disturbs."""
    here = tmp_path_factory.mktemp("straight")
    child = zygotes.start(here, "only", LIVE, store=f"sqlite:///{here}/flows.db", log=str(here / "bodies.log"))
    return child.result(), attempts_of(lines_of(here / "bodies.log")), snapshot(here / "flows.db")


@pytest.mark.parametrize("durability", ["full", "relaxed"])
@pytest.mark.parametrize("seed", range(4))
def test_a_run_that_is_killed_again_and_again_ends_as_if_nothing_had_happened(
    straight: Any, spawner: Spawner, tmp_path: Path, seed: int, durability: str
) -> None:
    expected, bodies, undisturbed = straight
    database, log = tmp_path / "flows.db", tmp_path / "bodies.log"
    chance = random.Random(f"{seed} {durability}")
    kills, before, seen = 0, Snapshot(), 0
    deadline = time.monotonic() + PATIENCE_S
    while True:
        life = spawner.start(
            tmp_path, f"life-{kills}", LIVE, store=f"sqlite:///{database}", log=str(log), durability=durability
        )
        assert time.monotonic() < deadline, f"after {kills} kills it has not ended"
        killed = not life.ends_within(chance.uniform(0.02, 0.35)) and life.kill() != 0
        after, lines = snapshot(database), lines_of(log)
        assert_nothing_changed(before, after)
        assert_bodies(bodies, before, after, attempts_of(lines[seen:]), ended=not killed)
        before, seen = after, len(lines)
        if not killed:
            break
        kills += 1

    assert life.result() == expected
    assert not life.errors
    assert kills >= 3
    assert not list(repeated_places(after.rows))
    assert final_rows(after) == final_rows(undisturbed)
    assert {run_id: run["status"] for run_id, run in after.runs.items()} == dict.fromkeys(undisturbed.runs, "completed")
    assert all(event["taken_by"] for event in after.events)
    assert len(after.events) == journey.ROUNDS // 2
    assert after.workers == []
    assert lock_files(database) == []


def assert_nothing_changed(before: Snapshot, after: Snapshot) -> None:
    later = {row.id: row for row in after.rows}
    assert [row for row in before.rows if later.get(row.id) != row] == []


def assert_bodies(
    bodies: dict[str, list[int]], before: Snapshot, after: Snapshot, begun: dict[str, list[int]], *, ended: bool
) -> None:
    """In one life each step goes on with the attempt after the last that was committed, and begins none twice."""
    assert set(begun) <= set(bodies)
    for place, numbers in bodies.items():
        first, last = before.ended_attempts()[place], after.ended_attempts()[place]
        allowed = [numbers[first:last]] if ended else [numbers[first:last], numbers[first : last + 1]]
        assert begun.get(place, []) in allowed, place


def final_rows(found: Snapshot) -> list[tuple[Any, ...]]:
    return sorted(
        (row.place, row.kind, row.state, row.attempt, row.payload if row.state == "completed" else None)
        for row in found.rows
        if row.is_final
    )
