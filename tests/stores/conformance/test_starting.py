"""Starting runs."""

from __future__ import annotations

import pytest

from flowgraph.model import RunStatus
from flowgraph.model.store import Cancel, Start, Started
from tests.stores.rig import LATER, NOW, Rig


def test_a_start_without_a_worker_is_pending_and_due_now(rig: Rig) -> None:
    started = rig.pending("r")
    assert started == Started(started.no, True, "wf", "{}", RunStatus.PENDING)
    row = rig.row("r")
    assert (row.status, row.wake_us, row.created_us, row.started_us, row.epoch) == ("pending", NOW, NOW, None, 0)
    assert row.worker is None


def test_a_start_with_a_worker_is_claimed_by_it_with_epoch_one(rig: Rig) -> None:
    started = rig.do(Start("r", "wf", "[1]", NOW, worker=rig.worker))
    assert started.status is RunStatus.RUNNING
    row = rig.row("r")
    assert (row.status, row.worker, row.epoch, row.started_us, row.wake_us) == ("running", rig.worker, 1, NOW, None)
    assert rig.owned() == [(started.no, 1, 0)]


def test_a_start_by_a_worker_that_was_struck_off_is_pending(rig: Rig) -> None:
    rig.recover()
    assert rig.do(Start("r", "wf", "{}", NOW, worker=rig.worker)).status is RunStatus.PENDING
    assert (rig.row().worker, rig.row().wake_us, rig.row().epoch) == (None, NOW, 0)


def test_numbers_count_up_from_one(rig: Rig) -> None:
    assert [rig.pending("a").no, rig.pending("b").no, rig.pending("c").no] == [1, 2, 3]


def test_an_id_that_exists_stays_as_it_is_and_the_answer_says_how_it_is(rig: Rig) -> None:
    first = rig.do(Start("r", "wf", "[1]", NOW, worker=rig.worker))
    again = rig.do(Start("r", "other", "[2]", LATER, tags={"a": "b"}))
    assert again == Started(first.no, False, "wf", "[1]", RunStatus.RUNNING)
    assert rig.row().tags == {}


def test_of_two_starts_of_one_id_in_one_batch_the_first_wins(rig: Rig) -> None:
    first, second, other = rig.do(
        Start("r", "wf", "[1]", NOW), Start("r", "wf", "[2]", NOW), Start("other", "wf", "[3]", NOW)
    )
    assert (first.created, second.created, other.created) == (True, False, True)
    assert (second.no, second.input) == (first.no, "[1]")


def test_a_batch_of_new_runs_gets_numbers_in_its_order(rig: Rig) -> None:
    rig.pending("before")
    answers = rig.do(*[Start(f"r{i}", "wf", f"[{i}]", NOW, worker=rig.worker) for i in range(300)])
    assert [started.no for started in answers] == list(range(2, 302))
    assert [rig.row(f"r{i}").no for i in (0, 127, 128, 299)] == [2, 129, 130, 301]
    assert rig.row("r299").input == "[299]"


def test_tags_are_stored_with_the_run(rig: Rig) -> None:
    rig.pending("r", tags={"team": "blue", "": "ß", "empty": ""})
    assert rig.row().tags == {"team": "blue", "": "ß", "empty": ""}


def test_tags_of_a_batch_go_to_their_runs(rig: Rig) -> None:
    rig.do(*[Start(f"r{i}", "wf", "{}", NOW, tags={"i": str(i)} if i % 2 else None) for i in range(5)])
    assert [rig.row(f"r{i}").tags for i in range(5)] == [{}, {"i": "1"}, {}, {"i": "3"}, {}]


def test_a_child_knows_its_parent(rig: Rig) -> None:
    parent = rig.running("parent")
    started = rig.child(parent, "child")
    assert (started.created, started.status) == (True, "pending")
    assert rig.row("child").parent_id == "parent"
    assert rig.row("parent").parent_id is None


@pytest.mark.parametrize("epoch", [0, 2, None])
def test_a_child_of_a_parent_with_another_epoch_is_refused(rig: Rig, epoch: int | None) -> None:
    parent = rig.running("parent")
    assert rig.do(Start("child", "wf", "{}", NOW, parent_no=parent, parent_epoch=epoch)) is False
    assert rig.outcomes("child") == {}


def test_a_child_of_a_parent_without_a_worker_is_refused(rig: Rig) -> None:
    parent = rig.suspended("parent")
    assert rig.child(parent) is False
    assert rig.child(999) is False


def test_a_child_that_exists_is_told_to_its_parent_only_while_the_epoch_holds(rig: Rig) -> None:
    parent = rig.running("parent")
    child = rig.child(parent)
    assert rig.child(parent) == Started(child.no, False, "wf", "{}", RunStatus.PENDING)
    assert rig.child(parent, epoch=2) is False


def test_a_refused_child_does_not_spoil_the_other_starts_of_its_batch(rig: Rig) -> None:
    parent = rig.running("parent")
    answers = rig.do(
        Start("a", "wf", "{}", NOW),
        Start("stale", "wf", "{}", NOW, parent_no=parent, parent_epoch=7),
        Start("b", "wf", "{}", NOW, parent_no=parent, parent_epoch=1),
    )
    assert (answers[0].created, answers[1], answers[2].created) == (True, False, True)


def test_a_start_and_the_cancellation_of_the_same_id_keep_their_order(rig: Rig) -> None:
    before, started, after = rig.do(Cancel("r", NOW), Start("r", "wf", "{}", NOW), Cancel("r", NOW))
    assert (before, started.created, after) == (None, True, "pending")
    assert rig.status() == "cancelled"
