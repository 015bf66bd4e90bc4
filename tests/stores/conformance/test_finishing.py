"""Ending runs: the run itself, those that watch it, and its children."""

from __future__ import annotations

import pytest

from flowgraph.errors import StoreError
from flowgraph.model import FINISHED, RunStatus
from flowgraph.model.store import Finish
from tests.stores.rig import LATER, NOW, Rig, saved

UNSUCCESSFUL = sorted(FINISHED - {RunStatus.COMPLETED})


@pytest.mark.parametrize("status", sorted(FINISHED))
def test_a_finished_run_has_its_result_and_no_worker(rig: Rig, status: RunStatus) -> None:
    no = rig.running()
    rig.note(no, "resident")
    assert rig.do(Finish(no, 1, status, "[1]", '{"type":"run"}', 9, LATER)) is status
    found = rig.row()
    assert (found.status, found.output, found.error, found.finished_us) == (status, "[1]", '{"type":"run"}', LATER)
    assert (found.worker, found.wake_us, found.executed_us, found.reason) == (None, None, 9, None)


@pytest.mark.parametrize("status", [status for status in RunStatus if not status.finished])
def test_a_run_cannot_finish_in_a_status_that_is_no_end(rig: Rig, status: RunStatus) -> None:
    no = rig.running()
    assert isinstance(rig.finish(no, status), StoreError)
    assert rig.status() == "running"


def test_a_run_whose_cancellation_was_acknowledged_ends_cancelled(rig: Rig) -> None:
    no = rig.running()
    rig.cancel()
    assert rig.finish(no, RunStatus.COMPLETED) is RunStatus.CANCELLED
    assert (rig.status(), rig.row().output) == ("cancelled", None)


def test_a_finished_run_does_not_change_again(rig: Rig) -> None:
    no = rig.finished()
    assert rig.finish(no, RunStatus.FAILED) is False
    assert rig.status() == "completed"


def test_many_finish_in_one_batch_and_the_stale_one_is_refused(rig: Rig) -> None:
    runs = [rig.running(f"r{k}") for k in range(150)]
    commands = [Finish(no, 1 + (no == runs[70]), RunStatus.FAILED, None, str(no), 1, NOW) for no in runs]
    answers = rig.do(*commands)
    assert answers[70] is False
    assert [answer for k, answer in enumerate(answers) if k != 70] == ["failed"] * 149
    assert (rig.row("r149").error, rig.status("r70")) == (str(runs[149]), "running")


def test_a_batch_of_finishes_signals_and_cancels_as_single_ones_do(rig: Rig) -> None:
    parent, watched, cancelled, plain = (rig.running(run_id) for run_id in ("parent", "watched", "cancelled", "plain"))
    watcher = rig.running("watcher")
    rig.child(parent, "child")
    rig.save(watcher, 1, watch="watched")
    rig.cancel("cancelled")
    answers = rig.do(
        *[Finish(no, 1, RunStatus.FAILED, None, None, 1, NOW) for no in (plain, cancelled, watched, parent)]
    )
    assert answers == ["failed", "cancelled", "failed", "failed"]
    assert (rig.status("child"), rig.signals(watcher)) == ("cancelled", 1)


# Watching


def test_a_watch_answers_how_the_other_run_stands(rig: Rig) -> None:
    no = rig.running()
    rig.pending("other")
    outcome = rig.save(no, 1, watch="other")
    assert (outcome.run_id, outcome.status, outcome.output) == ("other", "pending", None)
    assert len(rig.history(no)) == 1


def test_a_watch_of_a_finished_run_answers_its_result(rig: Rig) -> None:
    no = rig.running()
    rig.finished("other")
    outcome = rig.save(no, 1, watch="other")
    assert (outcome.status, outcome.output, outcome.error) == ("completed", '"done"', None)


def test_a_watch_of_a_missing_run_says_so(rig: Rig) -> None:
    no = rig.running()
    outcome = rig.save(no, 1, watch="nobody")
    assert (outcome.run_id, outcome.status) == ("nobody", None)
    assert len(rig.history(no)) == 1


def test_a_stale_watch_is_refused(rig: Rig) -> None:
    no, other = rig.running(), rig.running("other")
    assert rig.save(no, 1, epoch=2, watch="other") is False
    rig.finish(other)
    assert rig.signals(no) == 0


@pytest.mark.parametrize("status", [RunStatus.SLEEPING, RunStatus.LISTENING, RunStatus.WAITING])
def test_the_end_of_a_watched_run_wakes_a_suspended_watcher(rig: Rig, status: RunStatus) -> None:
    no, other = rig.running(), rig.running("other")
    rig.save(no, 1, watch="other")
    rig.suspend(no, status, None)
    rig.finish(other)
    assert (rig.row().wake_us, rig.signals(no)) == (LATER, 1)


def test_the_end_of_a_watched_run_signals_a_running_watcher(rig: Rig) -> None:
    no, other = rig.running(), rig.running("other")
    rig.save(no, 1, watch="other")
    rig.finish(other)
    assert (rig.signals(no), rig.row().wake_us, rig.status()) == (1, None, "running")
    rig.suspend(no, RunStatus.WAITING, None, signals=0)
    assert rig.row().wake_us == NOW


def test_a_watcher_that_is_due_already_keeps_its_place(rig: Rig) -> None:
    no, other = rig.running(), rig.running("other")
    rig.save(no, 1, watch="other")
    rig.suspend(no, RunStatus.WAITING, NOW - 5)
    rig.finish(other)
    assert rig.row().wake_us == NOW - 5


def test_the_cancellation_of_a_watched_run_wakes_its_watcher(rig: Rig) -> None:
    no = rig.running()
    rig.pending("other")
    rig.save(no, 1, watch="other")
    rig.suspend(no, RunStatus.WAITING, None)
    rig.cancel("other")
    assert rig.row().wake_us == NOW


def test_all_watchers_are_signalled(rig: Rig) -> None:
    other = rig.running("other")
    watchers = [rig.running(f"r{k}") for k in range(3)]
    for no in watchers:
        rig.save(no, 1, watch="other")
    rig.finish(other)
    assert [rig.signals(no) for no in watchers] == [1, 1, 1]


def test_two_waits_for_one_run_are_one_signal(rig: Rig) -> None:
    no, other = rig.running(), rig.running("other")
    rig.save(no, 1, path="a", watch="other")
    rig.save(no, 2, path="b", watch="other")
    rig.finish(other)
    assert rig.signals(no) == 1


def test_the_mail_tells_how_the_watched_runs_stand(rig: Rig) -> None:
    no, a = rig.running(), rig.running("a")
    rig.pending("b")
    rig.save(no, 1, watch="a")
    rig.save(no, 2, watch="b")
    rig.finish(a)
    outcomes = {outcome.run_id: outcome for outcome in rig.mail(no).outcomes}
    assert {run_id: outcome.status for run_id, outcome in outcomes.items()} == {"a": "completed", "b": "pending"}
    assert outcomes["a"].output == '"done"'


def test_a_watch_ends_with_the_wait_that_it_serves(rig: Rig) -> None:
    no, other = rig.running(), rig.running("other")
    rig.save(no, 1, path="a", kind="wait_for_workflow", state="waiting", watch="other")
    rig.save(no, 2, path="b", kind="wait_for_workflow", state="waiting", watch="other")
    rig.save(no, 3, path="a", kind="wait_for_workflow", state="failed")
    assert [outcome.run_id for outcome in rig.mail(no).outcomes] == ["other"]
    rig.save(no, 4, path="b", kind="wait_for_workflow", state="completed")
    assert rig.mail(no).outcomes == ()
    rig.finish(other)
    assert rig.signals(no) == 0


def test_a_stale_row_ends_no_watch(rig: Rig) -> None:
    no = rig.running()
    rig.running("other")
    rig.save(no, 1, path="a", watch="other")
    assert rig.save(no, 2, epoch=2, path="a", kind="execute_workflow", state="completed") is False
    assert len(rig.mail(no).outcomes) == 1


def test_the_watches_of_a_run_end_with_it(rig: Rig) -> None:
    no, other = rig.running(), rig.running("other")
    rig.save(no, 1, watch="other")
    rig.finish(no)
    rig.finish(other)
    assert rig.signals(no) == 0
    assert rig.mail(no).outcomes == ()


def test_a_suspension_and_the_end_that_it_waits_for_meet_in_one_batch(rig: Rig) -> None:
    from flowgraph.model.store import Suspend

    no, other = rig.running(), rig.running("other")
    rig.do(
        saved(no, 1, watch="other"),
        Finish(other, 1, RunStatus.COMPLETED, "1", None, 1, NOW),
        Suspend(no, 1, RunStatus.WAITING, None, 0, 1, NOW),
    )
    assert rig.row().wake_us == NOW


# Children


@pytest.mark.parametrize("status", UNSUCCESSFUL)
def test_a_parent_that_does_not_complete_cancels_its_children(rig: Rig, status: RunStatus) -> None:
    parent = rig.running("parent")
    owned = rig.running_child(parent, "owned")
    rig.child(parent, "pending")
    rig.finish(parent, status)
    assert (rig.status("pending"), rig.row("pending").finished_us) == ("cancelled", LATER)
    assert (rig.status("owned"), rig.mail(owned).cancel_requested, rig.signals(owned)) == ("running", True, 1)
    assert rig.finish(owned) is RunStatus.CANCELLED


def test_a_parent_that_completes_leaves_its_children_alone(rig: Rig) -> None:
    parent = rig.running("parent")
    owned = rig.running_child(parent, "owned")
    rig.child(parent, "pending")
    rig.finish(parent)
    assert (rig.status("pending"), rig.mail(owned).cancel_requested) == ("pending", False)


def test_detached_and_finished_children_stay_as_they_are(rig: Rig) -> None:
    parent = rig.running("parent")
    rig.child(parent, "detached", detached=True)
    detached = rig.running_child(parent, "owned", detached=True)
    rig.finish(rig.running_child(parent, "done"))
    rig.finish(parent, RunStatus.FAILED)
    assert (rig.status("detached"), rig.status("done")) == ("pending", "completed")
    assert rig.mail(detached).cancel_requested is False


def test_a_cancellation_goes_down_to_grandchildren(rig: Rig) -> None:
    top = rig.running("top")
    middle = rig.running_child(top, "middle")
    low = rig.running_child(middle, "low")
    lowest = rig.running_child(low, "lowest")
    for no in (low, middle):
        rig.suspend(no)
    rig.finish(top, RunStatus.FAILED)
    assert [rig.status(run_id) for run_id in ("middle", "low", "lowest")] == ["cancelled", "cancelled", "running"]
    assert rig.mail(lowest).cancel_requested is True


def test_an_owned_child_cancels_its_own_children_when_it_ends(rig: Rig) -> None:
    top = rig.running("top")
    middle = rig.running_child(top, "middle")
    rig.child(middle, "low")
    rig.finish(top, RunStatus.TIMED_OUT)
    assert rig.status("low") == "pending"
    rig.finish(middle)
    assert rig.status("low") == "cancelled"


def test_a_cancelled_child_signals_its_watchers(rig: Rig) -> None:
    parent = rig.running("parent")
    rig.child(parent)
    no = rig.running()
    rig.save(no, 1, watch="child")
    rig.finish(parent, RunStatus.ABORTED)
    assert rig.signals(no) == 1


def test_a_paused_child_is_cancelled_with_its_parent(rig: Rig) -> None:
    parent = rig.running("parent")
    rig.pause(rig.running_child(parent))
    rig.finish(parent, RunStatus.FAILED)
    assert (rig.status("child"), rig.row("child").reason) == ("cancelled", None)


def test_a_pause_that_turns_into_a_cancellation_takes_the_children_along(rig: Rig) -> None:
    parent = rig.running("parent")
    rig.child(parent)
    rig.cancel("parent")
    rig.pause(parent)
    assert (rig.status("parent"), rig.status("child")) == ("cancelled", "cancelled")
