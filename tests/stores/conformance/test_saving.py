"""Saving rows, and the fence."""

from __future__ import annotations

import pytest

from flowgraph.errors import StoreError
from flowgraph.model import RunStatus
from flowgraph.model.store import Finish, Note, Release, Save, Suspend
from tests.stores.rig import LATER, NOW, Rig, row, saved


def test_a_row_comes_back_as_it_was_saved(rig: Rig) -> None:
    no = rig.running()
    full = row(no, 1, payload='{"a": 1}', due_us=LATER, detail="event", node="n1", attempt=3, executed_us=12)
    assert rig.do(Save(no, 1, full)) is True
    assert rig.save(no, 2) is True
    assert rig.history(no) == [full, row(no, 2)]


def test_a_history_holds_its_own_run_only(rig: Rig) -> None:
    runs = [rig.running(f"r{k}") for k in range(3)]
    for no in runs:
        rig.save(no, 1)
        rig.save(no, (1 << 24) - 1)
    assert [checkpoint.id for checkpoint in rig.history(runs[1])] == [
        row(runs[1], 1).id,
        row(runs[1], (1 << 24) - 1).id,
    ]
    assert rig.history(999) == []


def test_a_history_is_in_order_however_it_was_saved(rig: Rig) -> None:
    no = rig.running()
    for sequence in (3, 1, 2):
        rig.save(no, sequence)
    assert [checkpoint.path for checkpoint in rig.history(no)] == ["step-1", "step-2", "step-3"]


@pytest.mark.parametrize("size", [2, 7, 128, 129, 500])
def test_a_batch_of_rows_is_saved_whole(rig: Rig, size: int) -> None:
    runs = [rig.running(f"r{k}") for k in range(3)]
    commands = [saved(runs[k % 3], k // 3 + 1, payload=str(k)) for k in range(size)]
    assert rig.do(*commands) == [True] * size
    assert sorted(int(c.payload or "") for no in runs for c in rig.history(no)) == list(range(size))


def test_a_stale_row_is_refused_and_the_others_of_its_batch_are_saved(rig: Rig) -> None:
    a, b = rig.running("a"), rig.running("b")
    commands = [saved(a, 1), saved(b, 1, epoch=2), saved(a, 2), saved(b, 2), saved(b, 3, epoch=0), saved(77, 1)]
    assert rig.do(*commands) == [True, False, True, True, False, False]
    assert [len(rig.history(a)), len(rig.history(b)), len(rig.history(77))] == [2, 1, 0]


def test_a_stale_row_is_refused_where_the_new_owner_has_saved_the_same_number(rig: Rig) -> None:
    no = rig.suspended("r", wake_us=NOW)
    rig.claim()
    assert rig.save(no, 1, epoch=2, payload='"new"') is True
    assert rig.do(saved(no, 1, epoch=1, payload='"old"'), saved(no, 2, epoch=2)) == [False, True]
    assert rig.history(no)[0].payload == '"new"'


OWNER_WRITES = {
    "save": lambda no, epoch: saved(no, 1, epoch),
    "suspend": lambda no, epoch: Suspend(no, epoch, RunStatus.SLEEPING, LATER, 0, 1, NOW),
    "finish": lambda no, epoch: Finish(no, epoch, RunStatus.COMPLETED, "1", None, 1, NOW),
    "release": lambda no, epoch: Release(no, epoch, 1, NOW),
    "note": lambda no, epoch: Note(no, epoch, "it waits for a lock"),
}


@pytest.mark.parametrize("write", OWNER_WRITES)
@pytest.mark.parametrize("epoch", [0, 2, -1, 2**40])
def test_a_write_with_another_epoch_changes_nothing(rig: Rig, write: str, epoch: int) -> None:
    no = rig.running()
    before = rig.row()
    assert rig.do(OWNER_WRITES[write](no, epoch)) is False
    assert (rig.row(), rig.history(no)) == (before, [])


def test_a_pause_with_another_epoch_changes_nothing(rig: Rig) -> None:
    no = rig.running()
    assert rig.pause(no, epoch=2) is False
    assert rig.status() == "running"


@pytest.mark.parametrize("write", OWNER_WRITES)
@pytest.mark.parametrize("status", [status for status in RunStatus if status is not RunStatus.RUNNING])
def test_a_write_to_a_run_without_a_worker_changes_nothing(rig: Rig, write: str, status: RunStatus) -> None:
    no = rig.in_status(status)
    before = rig.row()
    assert rig.do(OWNER_WRITES[write](no, before.epoch)) is False
    assert (rig.row(), rig.history(no)) == (before, [])


def test_the_order_of_a_run_in_a_batch_is_kept(rig: Rig) -> None:
    no, other = rig.running(), rig.running("other")
    answers = rig.do(
        saved(no, 1),
        Finish(other, 1, RunStatus.COMPLETED, None, None, 1, NOW),
        Suspend(no, 1, RunStatus.SLEEPING, LATER, 0, 1, NOW),
        saved(no, 2),
        saved(other, 1),
        Finish(no, 1, RunStatus.COMPLETED, None, None, 1, NOW),
    )
    assert answers == [True, "completed", True, False, False, False]
    assert (rig.status(), len(rig.history(no))) == ("sleeping", 1)


def test_a_number_that_is_taken_is_an_error_for_that_row_alone(rig: Rig) -> None:
    no = rig.running()
    rig.save(no, 1, payload='"first"')
    taken, fine = rig.do(saved(no, 1, payload='"second"'), saved(no, 2))
    assert isinstance(taken, StoreError)
    assert (fine, rig.history(no)[0].payload) == (True, '"first"')


def test_a_note_says_why_a_run_stays_resident(rig: Rig) -> None:
    no = rig.running()
    assert rig.note(no, "it waits for an asyncio.Event") is True
    assert rig.row().reason == "it waits for an asyncio.Event"
    assert rig.note(no, None) is True
    assert rig.row().reason is None
    rig.note(no, "again")
    rig.suspend(no)
    assert rig.row().reason is None
