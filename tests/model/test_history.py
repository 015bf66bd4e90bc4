"""Folding a history: the last word on each path, with the failures below a failed attempt forgotten."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowgraph.model import Checkpoint, checkpoint_id
from flowgraph.model.checkpoint import COMPLETED, FAILED, MAX_SEQUENCE, PROGRESS, RETRYING, STARTED, STEP, WAITING
from flowgraph.runtime.history import AT_MOST_ONCE, History, ancestors

PATHS = ["a", "a/b", "a/b/c", "a/m", "a/m[0]", "a/m[1]", 'a/m["k"]', "a/m[0]/c", "ab", "ab/c"]
STATES = [STARTED, WAITING, RETRYING, COMPLETED, FAILED]


def row(
    sequence: int, path: str, state: str, kind: str = STEP, attempt: int = 1, detail: str | None = None
) -> Checkpoint:
    return Checkpoint(
        checkpoint_id(7, sequence), path, kind, state, attempt, sequence * 10, sequence * 10 + 1, sequence * 100,
        f'"{sequence}"', None, detail,
    )  # fmt: skip


@st.composite
def histories(draw: st.DrawFn) -> list[Checkpoint]:
    """Rows that obey R1: nothing follows a completed path; the rest is arbitrary."""
    rows: list[Checkpoint] = []
    done: set[str] = set()
    for path, state, once in draw(
        st.lists(st.tuples(st.sampled_from(PATHS), st.sampled_from(STATES), st.booleans()), max_size=30)
    ):
        if path in done:
            continue
        if state == COMPLETED:
            done.add(path)
        detail = AT_MOST_ONCE if once and state in {STARTED, FAILED} else None
        rows.append(row(len(rows) + 1, path, state, detail=detail))
    return rows


def expected(rows: Sequence[Checkpoint]) -> dict[str, Checkpoint]:
    """The same by other means: a path's last row, unless it is a failure that a later retry around it forgives."""
    last = {one.path: one for one in rows}
    return {
        path: one
        for path, one in last.items()
        if not (
            one.state in {FAILED, RETRYING}
            and one.detail != AT_MOST_ONCE
            and any(later.state == RETRYING and later.id > one.id and later.path in ancestors(path) for later in rows)
        )
    }


@given(histories())
def test_a_history_is_the_last_word_on_each_path(rows: list[Checkpoint]) -> None:
    history = History(rows)
    assert {path: (entry.state, entry.payload, entry.sequence) for path, entry in history.entries.items()} == {
        path: (one.state, one.payload, one.id & MAX_SEQUENCE) for path, one in expected(rows).items()
    }


@given(histories())
def test_folding_row_by_row_is_folding_at_once(rows: list[Checkpoint]) -> None:
    history = History()
    for length, one in enumerate(rows, 1):
        entry = history.add(one)
        assert entry.path == one.path
        other = History(rows[:length])
        assert state_of(history) == state_of(other)


@given(histories())
def test_a_success_is_never_forgotten(rows: list[Checkpoint]) -> None:
    done: set[str] = set()
    history = History()
    for one in rows:
        history.add(one)
        if one.state == COMPLETED:
            done.add(one.path)
        assert done == {path for path, entry in history.entries.items() if entry.state == COMPLETED}


def test_an_empty_history_knows_nothing() -> None:
    history = History()
    assert (history.entries, history.sequence, history.executed_us) == ({}, 0, 0)


def test_the_start_of_a_path_is_that_of_its_first_row() -> None:
    history = History([row(1, "a", RETRYING), row(2, "a", COMPLETED, attempt=2)])
    assert history.entries["a"].started_us == 10
    assert history.entries["a"].attempt == 2


def test_a_child_starts_afresh_in_the_next_attempt_of_its_parent() -> None:
    history = History([row(1, "a/b", FAILED, attempt=5), row(2, "a/c", COMPLETED), row(3, "a", RETRYING)])
    assert "a/b" not in history.entries
    assert history.entries["a/c"].state == COMPLETED
    history.add(row(4, "a/b", RETRYING, attempt=1))
    assert history.entries["a/b"].attempt == 1
    assert history.entries["a/b"].started_us == 40


def test_an_at_most_once_failure_is_final_also_in_the_next_attempt_of_its_parent() -> None:
    history = History([row(1, "a/b", FAILED, detail=AT_MOST_ONCE), row(2, "a", RETRYING)])
    assert history.entries["a/b"].state == FAILED


def test_the_final_failure_of_a_parent_forgets_nothing() -> None:
    history = History([row(1, "a/b", FAILED), row(2, "a", FAILED)])
    assert history.entries["a/b"].state == FAILED


def test_progress_has_a_name_space_of_its_own() -> None:
    history = History([row(1, "a", COMPLETED), row(2, "a", COMPLETED, kind=PROGRESS), row(3, "b", COMPLETED, PROGRESS)])
    assert history.entries["a"].payload == '"1"'
    assert history.progress == {"a": ['"2"'], "b": ['"3"']}
    assert "b" not in history.entries
    assert history.sequence == 3


@pytest.mark.parametrize(("run_no", "sequence"), [(1, 1), (2**38, MAX_SEQUENCE), (1, MAX_SEQUENCE)])
def test_a_row_is_numbered_by_its_run_and_its_place(run_no: int, sequence: int) -> None:
    number = checkpoint_id(run_no, sequence)
    assert number < 2**63
    assert number & MAX_SEQUENCE == sequence
    assert checkpoint_id(run_no, MAX_SEQUENCE) < checkpoint_id(run_no + 1, 1)


def state_of(history: History) -> dict[str, tuple[object, ...]]:
    return {
        path: (entry.state, entry.attempt, entry.payload, entry.sequence, entry.started_us, entry.detail)
        for path, entry in history.entries.items()
    }
