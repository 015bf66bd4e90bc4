"""Values that a database may choke on spoil at most their own command."""

from __future__ import annotations

from contextlib import suppress

import pytest

from flowgraph.errors import StoreError, StoreUnavailable
from flowgraph.model import RunStatus
from flowgraph.model.store import (
    Beat,
    Cancel,
    Claim,
    Claimed,
    Command,
    Enlist,
    Find,
    Finish,
    History,
    Inbox,
    Note,
    Outcome,
    Outcomes,
    Owned,
    Pause,
    Question,
    Recover,
    Release,
    Reopen,
    Save,
    Send,
    Start,
    Suspend,
)
from tests.stores.rig import NOW, Rig, row, saved

HUGE = 2**70
BROKEN = "a\udc80b"

COMMANDS: list[Command] = [
    Start("x", "wf", BROKEN, NOW),
    Start(BROKEN, "wf", "{}", NOW),
    Start("x", "wf", "{}", HUGE),
    Start("x", "wf", "{}", NOW, worker=HUGE),
    Start("x", "wf", "{}", NOW, parent_no=-HUGE, parent_epoch=1),
    Start("x", "wf", "{}", NOW, tags={"k": BROKEN}),
    Claim(HUGE, ("wf",), 1, NOW),
    Claim(1, (BROKEN,), 1, NOW),
    Save(1, HUGE, row(1, 9)),
    Save(1, 1, row(1, 9, payload=BROKEN)),
    Save(HUGE, 1, row(HUGE, 9)),
    Save(1, 1, row(1, 9), take=HUGE),
    Save(1, 1, row(1, 9), watch=BROKEN),
    Suspend(1, HUGE, RunStatus.SLEEPING, HUGE, 0, 0, NOW),
    Finish(1, HUGE, RunStatus.COMPLETED, None, None, 0, NOW),
    Finish(1, 1, RunStatus.COMPLETED, BROKEN, None, 0, NOW),
    Release(1, HUGE, 0, NOW),
    Pause(1, HUGE, "operator", "", 0, NOW),
    Pause(1, 1, "operator", BROKEN, 0, NOW),
    Reopen((BROKEN,), BROKEN, HUGE),
    Note(1, 1, BROKEN),
    Send("r", BROKEN, "1", NOW),
    Send(BROKEN, "e", "1", NOW),
    Send("r", "e", "1", HUGE),
    Cancel(BROKEN, NOW),
    Enlist(BROKEN, 1, "lock", NOW, NOW),
    Enlist("host", HUGE, "lock", NOW, NOW),
    Beat(HUGE, NOW),
    Beat(1, NOW, ((1, 1, HUGE),)),
    Recover(HUGE, 1, NOW),
]


def done(answer: object) -> bool:
    """Tell whether a command did something."""
    if isinstance(answer, Claimed):
        return bool(answer.runs)
    if isinstance(answer, Outcome):
        return answer.status is not None
    return answer not in (None, False, 0) and not isinstance(answer, StoreError)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: str(command)[:60])
def test_a_value_that_cannot_be_stored_spoils_its_own_command_alone(rig: Rig, command: Command) -> None:
    no, other = rig.running(), rig.running("other")
    before, answer, after = rig.do(saved(no, 1), command, saved(other, 1))
    assert (before, after) == (True, True)
    assert not done(answer)
    assert (len(rig.history(no)), len(rig.history(other))) == (1, 1)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: str(command)[:60])
def test_a_value_that_cannot_be_stored_is_an_answer_also_when_it_comes_alone(rig: Rig, command: Command) -> None:
    rig.running()
    before = rig.row()
    answer = rig.do(command)
    assert not done(answer)
    assert not isinstance(answer, StoreUnavailable)
    assert rig.row() == before


def test_an_unknown_command_is_an_answer_too(rig: Rig) -> None:
    class Dance(Command, frozen=True):
        pass

    first, second = rig.do(Dance(), Start("r", "wf", "{}", NOW))
    assert "Dance" in str(first)
    assert second.created is True


def test_a_refusal_says_what_was_refused_and_why(rig: Rig) -> None:
    assert str(rig.do(Send("r", "e", "1", HUGE))) in (
        "None",
        "Send was refused: Python int too large to convert to SQLite INTEGER.",
    )
    no = rig.running()
    assert str(rig.save(no, 1, payload=BROKEN)).startswith("Save was refused: 'utf-8' codec can't encode")
    assert str(rig.save(no, 1, take=5)) == f"Save was refused: run number {no} has no untaken event 5."
    assert str(rig.suspend(no, RunStatus.FAILED)) == "Suspend was refused: no run can suspend as 'failed'."


@pytest.mark.parametrize("text", ["", "\0", "a\0b", "ß€😀", "'; DROP TABLE run; --", "x" * 100_000, "\n\t\x1f"])
def test_any_other_text_comes_back_as_it_was(rig: Rig, text: str) -> None:
    no = rig.do(Start(text, text, text, NOW, worker=rig.worker, tags={text: text})).no
    rig.save(no, 1, path=text, payload=text, detail=text, node=text)
    rig.do(Send(text, text, text, NOW, text))
    rig.finish(no, output=text)
    found = rig.row(text)
    assert (found.id, found.workflow, found.input, found.output, found.tags) == (text, text, text, text, {text: text})
    [checkpoint] = rig.history(no)
    assert (checkpoint.path, checkpoint.payload, checkpoint.detail, checkpoint.node) == (text, text, text, text)
    [event] = rig.mail(no).events
    assert (event.name, event.payload) == (text, text)


def test_a_watch_finds_any_id(rig: Rig) -> None:
    no = rig.running()
    for sequence, text in enumerate(("a\0b", "it's", '"', "ß"), 1):
        rig.pending(text)
        assert rig.save(no, sequence, watch=text).status == "pending"
        assert list(rig.outcomes(text)) == [text]


@pytest.mark.parametrize("number", [0, -1, -(2**63), 2**63 - 1])
def test_any_number_of_64_bits_comes_back_as_it_was(rig: Rig, number: int) -> None:
    no = rig.running()
    values = {"attempt": number, "started_us": number, "finished_us": number, "executed_us": number, "due_us": number}
    assert rig.save(no, 1, **values) is True
    assert rig.history(no) == [row(no, 1, **values)]


@pytest.mark.parametrize(
    "question",
    [Find(BROKEN), History(HUGE), Inbox(HUGE), Outcomes((BROKEN,)), Owned(HUGE), History(-1), History(2**39)],
    ids=str,
)
def test_a_question_with_such_a_value_is_answered_or_refused_by_a_store_error(rig: Rig, question: Question) -> None:
    with suppress(StoreError):
        assert not rig.store.ask(question) or isinstance(question, Inbox)
    assert rig.store.ask(Find("nobody")) is None
