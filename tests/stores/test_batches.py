"""Applying a batch in groups is the same as applying its commands one by one."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from flowgraph.model import RunStatus
from flowgraph.model.store import Cancel, Claim, Command, Finish, Note, Release, Save, Send, Start, Suspend
from flowgraph.stores import open_store
from flowgraph.stores.batches import groups
from tests.stores.rig import LATER, NOW, Rig, saved

RUNS = 4

run_nos = st.sampled_from([*range(1, RUNS + 1), 999])
epochs = st.integers(1, 2)
sequences = st.integers(1, 5)

commands = st.one_of(
    st.builds(lambda no, epoch, sequence: saved(no, sequence, epoch), run_nos, epochs, sequences),
    st.builds(
        lambda no, epoch, status, signals: Suspend(no, epoch, status, LATER, signals, 1, NOW),
        run_nos,
        epochs,
        st.sampled_from(sorted(RunStatus)),
        st.integers(0, 2),
    ),
    st.builds(
        lambda no, epoch, status: Finish(no, epoch, status, "1", None, 1, NOW),
        run_nos,
        epochs,
        st.sampled_from([RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.RUNNING]),
    ),
    st.builds(lambda no, epoch: Release(no, epoch, 1, NOW), run_nos, epochs),
    st.builds(lambda no, epoch: Note(no, epoch, "why"), run_nos, epochs),
    st.builds(lambda no: Start(f"new{no}", "wf", "{}", NOW, worker=1), run_nos),
    st.builds(lambda no: Send(f"r{no}", "e", "1", NOW), run_nos),
    st.builds(lambda no: Cancel(f"r{no}", NOW), run_nos),
    st.builds(lambda: Claim(1, ("wf",), 2, LATER)),
)


def outcome(batch: list[Command], together: bool) -> tuple[list[str], Any]:
    """The answers to a batch, and what is in the store afterwards."""
    store = open_store("sqlite://")
    store.open()
    try:
        rig = Rig(store)
        for no in range(1, RUNS + 1):
            rig.running(f"r{no}")
        answers = rig.store.apply(batch, synced=False) if together else [rig.do(command) for command in batch]
        runs = [rig.row(f"r{no}") for no in range(1, RUNS + 1)]
        histories = [rig.history(run.no) for run in runs]
        mails = [rig.mail(run.no) for run in runs]
        return [str(answer) for answer in answers], (runs, histories, mails)
    finally:
        store.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(commands, min_size=2, max_size=12))
def test_a_batch_ends_as_its_commands_one_by_one(batch: list[Command]) -> None:
    assert outcome(batch, together=True) == outcome(batch, together=False)


@given(st.lists(commands, max_size=30))
def test_groups_keep_every_command_and_the_order_of_each_run(batch: list[Command]) -> None:
    order = [place for _, places in groups(batch) for place in places]
    assert sorted(order) == list(range(len(batch)))
    for no in (*range(1, RUNS + 1), 999):
        of_run = [place for place in order if getattr(batch[place], "run_no", None) == no]
        assert of_run == sorted(of_run)


def test_commands_of_different_runs_are_grouped_by_class() -> None:
    mixed: list[Command] = []
    for no in range(1, 4):
        mixed += [saved(no, 1), Suspend(no, 1, RunStatus.SLEEPING, None, 0, 0, NOW)]
    assert [(kind, places) for kind, places in groups(mixed)] == [(Save, [0, 2, 4]), (Suspend, [1, 3, 5])]


def test_nothing_moves_past_a_command_that_touches_several_runs() -> None:
    batch = [saved(1, 1), Cancel("r", NOW), saved(2, 1), saved(3, 1, take=1), saved(4, 1)]
    assert [places for _, places in groups(batch)] == [[0], [1], [2], [3], [4]]


def test_a_child_starts_before_its_parent_ends() -> None:
    start = Start("child", "wf", "{}", NOW, parent_no=1, parent_epoch=1)
    end = Finish(1, 1, RunStatus.COMPLETED, None, None, 0, NOW)
    assert [places for _, places in groups([start, end])] == [[0], [1]]
    assert [places for _, places in groups([end, start])] == [[0], [1]]
