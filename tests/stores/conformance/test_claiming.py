"""Claiming runs that are due."""

from __future__ import annotations

import pytest

from flowgraph.model import RunStatus
from flowgraph.model.store import ClaimedRun, Start
from tests.stores.rig import LATER, NOW, Rig


def ids(claimed: object) -> list[str]:
    return [run.id for run in claimed.runs]  # type: ignore[attr-defined]


def test_a_claim_takes_a_due_run_and_raises_its_epoch(rig: Rig) -> None:
    no = rig.do(Start("r", "wf", "[1]", NOW)).no
    claimed = rig.claim(now_us=NOW)
    assert claimed.runs == (ClaimedRun(no, "r", "wf", "[1]", 1, 0, False, 0, None),)
    row = rig.row()
    assert (row.status, row.worker, row.epoch, row.started_us, row.wake_us) == ("running", rig.worker, 1, NOW, None)


def test_a_claim_takes_no_run_before_its_time(rig: Rig) -> None:
    rig.suspended("r", wake_us=LATER)
    assert rig.claim(now_us=LATER - 1).runs == ()
    assert ids(rig.claim(now_us=LATER)) == ["r"]


@pytest.mark.parametrize("status", [RunStatus.SLEEPING, RunStatus.LISTENING, RunStatus.WAITING])
def test_a_suspended_run_is_claimed_when_it_is_due(rig: Rig, status: RunStatus) -> None:
    no = rig.suspended("r", status, wake_us=NOW)
    [run] = rig.claim().runs
    assert (run.no, run.epoch, run.executed_us) == (no, 2, 7)


def test_a_run_without_a_wake_time_is_not_claimed(rig: Rig) -> None:
    rig.suspended("r", RunStatus.LISTENING, wake_us=None)
    assert rig.claim(now_us=2**62).runs == ()


def test_the_first_start_of_a_run_stays_its_start(rig: Rig) -> None:
    rig.suspended("r", wake_us=NOW)
    rig.claim(now_us=LATER)
    assert rig.row().started_us == NOW


def test_the_longest_due_are_claimed_first(rig: Rig) -> None:
    for k in (3, 1, 2):
        rig.pending(f"r{k}", now_us=NOW + k)
    assert ids(rig.claim(limit=1)) == ["r1"]
    assert ids(rig.claim(limit=1)) == ["r2"]
    assert ids(rig.claim(limit=1)) == ["r3"]


def test_the_longest_due_are_claimed_first_across_workflows(rig: Rig) -> None:
    for k, workflow in ((1, "b"), (2, "a"), (3, "b"), (4, "a")):
        rig.pending(f"r{k}", workflow, now_us=NOW + k)
    assert set(ids(rig.claim("a", "b", limit=3))) == {"r1", "r2", "r3"}


def test_only_the_named_workflows_are_claimed(rig: Rig) -> None:
    rig.pending("mine", "mine")
    rig.pending("other", "other")
    assert ids(rig.claim("mine", "none's")) == ["mine"]
    assert rig.status("other") == "pending"


def test_no_run_is_claimed_twice(rig: Rig) -> None:
    for k in range(5):
        rig.pending(f"r{k}")
    assert len(rig.claim(limit=3).runs) == 3
    assert len(rig.claim(limit=3, worker=rig.enlist()).runs) == 2
    assert rig.claim().runs == ()


@pytest.mark.parametrize("limit", [0, -1])
def test_a_claim_of_none_takes_none(rig: Rig, limit: int) -> None:
    rig.pending()
    assert rig.claim(limit=limit).runs == ()


def test_a_worker_that_was_struck_off_claims_nothing(rig: Rig) -> None:
    rig.pending()
    rig.recover()
    assert rig.claim().runs == ()
    assert rig.status() == "pending"


def test_a_claim_tells_when_the_next_run_is_due(rig: Rig) -> None:
    assert rig.claim().next_wake_us is None
    rig.suspended("late", wake_us=LATER + 9)
    rig.suspended("later", wake_us=LATER + 10)
    rig.pending("other", "other")
    assert rig.claim().next_wake_us == LATER + 9


def test_a_claim_at_its_limit_tells_that_more_is_due(rig: Rig) -> None:
    rig.pending("a")
    rig.pending("b", now_us=NOW + 1)
    assert rig.claim(limit=1).next_wake_us == NOW + 1


def test_a_claimed_run_carries_its_signals_cancellation_time_and_parent(rig: Rig) -> None:
    parent = rig.running("parent")
    child = rig.running_child(parent)
    rig.send("child")
    rig.cancel("child")
    rig.release(child)
    [run] = rig.claim().runs
    assert (run.signals, run.cancel_requested, run.executed_us, run.parent_id) == (2, True, 5, "parent")


def test_workflow_names_may_hold_anything(rig: Rig) -> None:
    for name in ("it's", 'a"b', "x\\y", "ß", "a,b"):
        rig.pending(f"r-{name}", name)
    assert len(rig.claim("it's", 'a"b', "x\\y", "ß", "a,b").runs) == 5


def test_a_backlog_of_another_workflow_is_not_looked_through(rig: Rig) -> None:
    rig.do(*[Start(f"r{i}", "busy", "{}", NOW) for i in range(500)])
    rig.pending("mine", "mine", now_us=NOW + 1)
    assert ids(rig.claim("mine", limit=10)) == ["mine"]


def test_two_claims_in_one_batch_share_what_is_due(rig: Rig) -> None:
    from flowgraph.model.store import Claim

    for k in range(3):
        rig.pending(f"r{k}")
    first, second = rig.do(Claim(rig.worker, ("wf",), 2, LATER), Claim(rig.worker, ("wf",), 2, LATER))
    assert (len(first.runs), len(second.runs)) == (2, 1)
