"""The one table of transitions between statuses."""

import itertools

import pytest

from flowgraph.model import FINISHED, SUSPENDED, TRANSITIONS, RunStatus, allows

_S = RunStatus


def test_the_statuses_are_those_of_the_contract() -> None:
    assert set(RunStatus) == {
        "pending", "running", "sleeping", "listening", "waiting", "paused", "completed", "failed", "aborted",
        "cancelled", "timed_out",
    }  # fmt: skip


@pytest.mark.parametrize("name", TRANSITIONS)
def test_a_finished_run_never_changes(name: str) -> None:
    sources, _ = TRANSITIONS[name]
    assert not sources & FINISHED


def test_only_a_claim_makes_a_run_running() -> None:
    assert [name for name, (_, targets) in TRANSITIONS.items() if _S.RUNNING in targets] == ["claim"]


def test_every_status_can_be_reached_and_every_unfinished_one_can_be_left() -> None:
    reached = {_S.PENDING}
    for _ in RunStatus:
        reached |= {to for sources, targets in TRANSITIONS.values() if sources & reached for to in targets}
    left = {status for sources, _ in TRANSITIONS.values() for status in sources}
    assert reached == set(RunStatus)
    assert left == set(RunStatus) - FINISHED


def test_every_unfinished_status_leads_to_cancelled() -> None:
    for status in set(RunStatus) - FINISHED:
        assert any(allows(name, status, _S.CANCELLED) for name in TRANSITIONS), status


@pytest.mark.parametrize(("source", "target"), list(itertools.product(RunStatus, RunStatus)))
def test_what_is_asked_is_what_the_table_says(source: RunStatus, target: RunStatus) -> None:
    for name, (sources, targets) in TRANSITIONS.items():
        assert allows(name, source, target) == (source in sources and target in targets)


def test_finished_and_suspended_are_told_by_the_status() -> None:
    assert {status for status in RunStatus if status.finished} == FINISHED
    assert {status for status in RunStatus if status.suspended} == SUSPENDED == {"sleeping", "listening", "waiting"}
