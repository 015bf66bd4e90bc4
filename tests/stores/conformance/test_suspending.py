"""Suspending, releasing, pausing and reopening."""

from __future__ import annotations

import pytest

from flowgraph.errors import StoreError
from flowgraph.model import RunStatus
from flowgraph.model.store import Suspend
from tests.stores.rig import LATER, NOW, Rig


def test_a_suspended_run_has_no_worker_and_a_wake_time(rig: Rig) -> None:
    no = rig.running()
    assert rig.suspend(no, RunStatus.SLEEPING, LATER) is True
    found = rig.row()
    assert (found.status, found.worker, found.wake_us, found.executed_us) == ("sleeping", None, LATER, 7)
    assert rig.owned() == []


def test_a_signal_that_the_worker_has_not_seen_wakes_the_run_at_once(rig: Rig) -> None:
    no = rig.running()
    rig.send()
    rig.suspend(no, RunStatus.LISTENING, None, signals=0)
    assert rig.row().wake_us == NOW


def test_a_signal_that_the_worker_has_seen_does_not_wake_the_run(rig: Rig) -> None:
    no = rig.running()
    rig.send()
    rig.suspend(no, RunStatus.LISTENING, None, signals=1)
    assert rig.row().wake_us is None


def test_a_cancellation_wakes_the_run_whatever_the_worker_has_seen(rig: Rig) -> None:
    no = rig.running()
    rig.cancel()
    rig.suspend(no, RunStatus.SLEEPING, LATER, signals=1)
    assert (rig.status(), rig.row().wake_us) == ("sleeping", NOW)
    assert rig.claim(now_us=NOW).runs[0].cancel_requested is True


def test_many_are_suspended_in_one_batch(rig: Rig) -> None:
    runs = [rig.running(f"r{k}") for k in range(200)]
    answers = rig.do(*[Suspend(no, 1, RunStatus.SLEEPING, LATER + no, 0, no, NOW) for no in runs])
    assert answers == [True] * 200
    assert [rig.row(f"r{k}").wake_us for k in (0, 199)] == [LATER + runs[0], LATER + runs[199]]


def test_the_stale_ones_of_a_batch_are_refused(rig: Rig) -> None:
    runs = [rig.running(f"r{k}") for k in range(10)]
    commands = [Suspend(no, 2 if no == runs[4] else 1, RunStatus.SLEEPING, LATER, 0, 1, NOW) for no in runs]
    assert rig.do(*commands) == [no != runs[4] for no in runs]
    assert rig.status("r4") == "running"


def test_of_two_suspensions_of_one_run_the_first_counts(rig: Rig) -> None:
    no = rig.running()
    first = Suspend(no, 1, RunStatus.SLEEPING, LATER, 0, 1, NOW)
    second = Suspend(no, 1, RunStatus.LISTENING, None, 0, 1, NOW)
    assert rig.do(first, second) == [True, False]
    assert rig.status() == "sleeping"


@pytest.mark.parametrize("status", [status for status in RunStatus if not status.suspended])
def test_nothing_but_a_waiting_status_can_be_suspended_to(rig: Rig, status: RunStatus) -> None:
    no = rig.running()
    assert isinstance(rig.suspend(no, status), StoreError)
    assert rig.status() == "running"


def test_a_released_run_is_pending_and_due_now(rig: Rig) -> None:
    no = rig.running()
    rig.note(no, "resident")
    assert rig.release(no) is True
    found = rig.row()
    assert (found.status, found.worker, found.wake_us, found.executed_us) == ("pending", None, NOW, 5)
    assert (found.recoveries, found.reason) == (0, None)


def test_a_paused_run_says_why_and_is_not_claimed(rig: Rig) -> None:
    no = rig.running()
    assert rig.pause(no, "incompatible code", "step 'a' is a sleep now") is True
    found = rig.row()
    assert (found.status, found.worker, found.wake_us) == ("paused", None, None)
    assert found.reason == "incompatible code: step 'a' is a sleep now"
    assert rig.claim(now_us=2**62).runs == ()


def test_a_pause_without_a_detail_gives_the_bare_reason(rig: Rig) -> None:
    rig.paused("r", "operator")
    assert rig.row().reason == "operator"


def test_a_run_whose_cancellation_was_acknowledged_is_cancelled_instead_of_paused(rig: Rig) -> None:
    no = rig.running()
    rig.cancel()
    assert rig.pause(no) is True
    found = rig.row()
    assert (found.status, found.finished_us, found.reason, found.worker) == ("cancelled", NOW, None, None)


def test_reopening_makes_runs_of_a_reason_pending_and_due_now(rig: Rig) -> None:
    rig.paused("a", "incompatible code", "why")
    rig.paused("b", "incompatible code")
    rig.paused("c", "operator")
    rig.paused("d", "incompatible codes")
    assert rig.reopen("incompatible code") == 2
    assert [rig.status(run_id) for run_id in "abcd"] == ["pending", "pending", "paused", "paused"]
    assert (rig.row("a").reason, rig.row("a").wake_us) == (None, LATER)


def test_reopening_concerns_the_named_workflows_only(rig: Rig) -> None:
    rig.paused("a")
    assert rig.reopen("operator", "other") == 0
    assert rig.reopen("operator", "other", "wf") == 1


def test_an_event_for_a_paused_run_leaves_it_paused(rig: Rig) -> None:
    no = rig.paused()
    assert rig.send() == "paused"
    assert (rig.status(), rig.row().wake_us, rig.signals(no)) == ("paused", None, 1)
