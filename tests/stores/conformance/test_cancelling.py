"""Cancelling from outside."""

from __future__ import annotations

import pytest

from flowgraph.model import RunStatus
from tests.stores.rig import NOW, Rig

UNOWNED = [
    RunStatus.PENDING,
    RunStatus.PAUSED,
    RunStatus.SLEEPING,
    RunStatus.LISTENING,
    RunStatus.WAITING,
]


def test_a_missing_run_is_not_cancelled(rig: Rig) -> None:
    assert rig.cancel("nobody") is None


@pytest.mark.parametrize("status", UNOWNED)
def test_a_run_without_a_worker_is_cancelled_at_once(rig: Rig, status: RunStatus) -> None:
    rig.in_status(status)
    assert rig.cancel() is status
    found = rig.row()
    assert (found.status, found.finished_us, found.wake_us, found.reason) == ("cancelled", NOW, None, None)
    assert rig.claim(now_us=2**62).runs == ()


def test_an_owned_run_is_flagged_and_signalled(rig: Rig) -> None:
    no = rig.running()
    assert rig.cancel() is RunStatus.RUNNING
    assert rig.status() == "running"
    assert (rig.mail(no).cancel_requested, rig.signals(no)) == (True, 1)
    assert rig.owned() == [(no, 1, 1)]


@pytest.mark.parametrize("status", [status for status in RunStatus if status.finished])
def test_a_finished_run_stays_as_it_is(rig: Rig, status: RunStatus) -> None:
    rig.in_status(status)
    before = rig.row()
    assert rig.cancel() is status
    assert rig.row() == before


def test_a_cancelled_run_takes_its_children_along(rig: Rig) -> None:
    parent = rig.running("parent")
    owned = rig.running_child(parent, "owned")
    rig.child(parent, "pending")
    rig.child(parent, "detached", detached=True)
    rig.suspend(parent)
    rig.cancel("parent")
    assert [rig.status(run_id) for run_id in ("pending", "detached", "owned")] == ["cancelled", "pending", "running"]
    assert rig.mail(owned).cancel_requested is True


def test_cancelling_a_child_leaves_its_parent_alone(rig: Rig) -> None:
    parent = rig.running("parent")
    rig.child(parent)
    rig.cancel("child")
    assert (rig.status("parent"), rig.mail(parent).cancel_requested) == ("running", False)


def test_cancelling_twice_is_cancelling_once(rig: Rig) -> None:
    rig.pending()
    assert rig.cancel() is RunStatus.PENDING
    assert rig.cancel() is RunStatus.CANCELLED
