"""Workers: enlisting, heartbeats, and taking runs away from the dead."""

from __future__ import annotations

from flowgraph.model import RunStatus
from tests.stores.rig import LATER, LEASE, NOW, Rig


def test_a_worker_is_registered_with_its_lease(rig: Rig) -> None:
    found = rig.workers()[rig.worker]
    assert (found.host, found.pid, found.lock, found.lease_until_us) == (rig.host, 4711, rig.lock, LEASE)


def test_the_number_of_a_worker_never_returns(rig: Rig) -> None:
    second = rig.enlist()
    rig.recover(second)
    assert rig.enlist() > second


def test_a_heartbeat_renews_the_lease(rig: Rig) -> None:
    assert rig.beat() is True
    assert rig.workers()[rig.worker].lease_until_us == LATER


def test_a_heartbeat_saves_the_executing_times_of_owned_runs(rig: Rig) -> None:
    a, b, c = (rig.running(run_id) for run_id in "abc")
    rig.suspend(c)
    assert rig.beat((a, 1, 100), (b, 2, 100), (c, 1, 100)) is True
    assert [rig.row(run_id).executed_us for run_id in "abc"] == [100, 0, 7]


def test_a_heartbeat_of_a_worker_that_was_struck_off_says_so(rig: Rig) -> None:
    rig.recover()
    assert rig.beat() is False
    assert rig.workers() == {}


def test_the_runs_of_a_dead_worker_are_pending_and_due_now_with_a_raised_epoch(rig: Rig) -> None:
    a, b = rig.running("a"), rig.running("b")
    other = rig.enlist()
    rig.note(a, "resident")
    assert rig.recover() == 2
    found = rig.row("a")
    assert (found.status, found.worker, found.wake_us, found.epoch) == ("pending", None, LATER, 2)
    assert (found.recoveries, found.reason) == (1, None)
    assert list(rig.workers()) == [other]
    assert rig.save(b, 1) is False
    assert rig.claim(worker=other).runs[0].epoch == 3


def test_the_runs_of_other_workers_stay_theirs(rig: Rig) -> None:
    other = rig.enlist()
    rig.running("r")
    assert rig.recover(other) == 0
    assert rig.row().worker == rig.worker


def test_a_worker_is_struck_off_once(rig: Rig) -> None:
    rig.running()
    assert (rig.recover(), rig.recover()) == (1, 0)


def test_suspended_runs_are_nobodys(rig: Rig) -> None:
    rig.suspended()
    assert rig.recover() == 0
    assert rig.row().recoveries == 0


def test_a_run_that_takes_down_too_many_workers_is_paused(rig: Rig) -> None:
    rig.running()
    for _ in range(2):
        assert rig.recover(limit=3) == 1
        assert rig.status() == "pending"
        rig.worker = rig.enlist()
        rig.claim()
    assert rig.recover(limit=3) == 1
    found = rig.row()
    assert (found.status, found.reason, found.recoveries) == ("paused", "too many recoveries", 3)
    assert (found.worker, found.wake_us) == (None, None)
    assert rig.reopen("too many recoveries") == 1


def test_a_dead_workers_run_whose_cancellation_was_acknowledged_is_cancelled(rig: Rig) -> None:
    parent = rig.running("parent")
    rig.child(parent)
    other = rig.enlist()
    watcher = rig.pending("watcher").no
    [run] = rig.claim(worker=other, limit=1).runs
    rig.cancel("parent")
    assert rig.recover() == 1
    found = rig.row("parent")
    assert (found.status, found.finished_us, found.worker, found.epoch) == ("cancelled", LATER, None, 2)
    assert run.no in (watcher, 2)
    assert rig.finish(parent) is False


def test_the_end_of_a_recovered_run_is_told_to_watchers_and_children(rig: Rig) -> None:
    dead = rig.enlist()
    parent = rig.pending("parent").no
    rig.claim(worker=dead)
    rig.child(parent)
    no = rig.running()
    rig.save(no, 1, watch="parent")
    rig.cancel("parent")
    rig.recover(dead)
    assert (rig.status("parent"), rig.status("child"), rig.signals(no)) == ("cancelled", "cancelled", 1)


def test_a_cancellation_wins_over_too_many_recoveries(rig: Rig) -> None:
    rig.running()
    rig.cancel()
    rig.recover(limit=1)
    assert rig.status() == "cancelled"


def test_a_worker_that_leaves_gives_its_runs_back_uncounted(rig: Rig) -> None:
    no = rig.running()
    assert rig.recover(limit=1, leave=True) == 1
    found = rig.row()
    assert (found.status, found.recoveries, found.epoch, found.wake_us) == ("pending", 0, 2, LATER)
    assert rig.save(no, 1) is False
    assert rig.workers() == {}


def test_executing_time_counts_up_to_the_last_row_of_a_dead_worker(rig: Rig) -> None:
    no, fresh, beaten = rig.running(), rig.running("fresh"), rig.running("beaten")
    rig.save(no, 1, executed_us=10)
    rig.save(no, 2, executed_us=500)
    rig.save(beaten, 1, executed_us=10)
    rig.beat((no, 1, 100), (beaten, 1, 100))
    rig.recover()
    assert (rig.row().executed_us, rig.row("fresh").executed_us, rig.row("beaten").executed_us) == (500, 0, 100)
    assert fresh


def test_owned_tells_epochs_and_signals(rig: Rig) -> None:
    a, b = rig.running("a"), rig.running("b")
    rig.send("b")
    assert sorted(rig.owned()) == [(a, 1, 0), (b, 1, 1)]
    assert rig.owned(999) == []


def test_a_released_run_keeps_an_acknowledged_cancellation(rig: Rig) -> None:
    no = rig.running()
    rig.cancel()
    rig.release(no)
    assert rig.claim(now_us=NOW).runs[0].cancel_requested is True


def test_recovering_does_not_touch_finished_runs(rig: Rig) -> None:
    rig.finished("r", RunStatus.FAILED)
    assert rig.recover() == 0
    assert rig.status() == "failed"
