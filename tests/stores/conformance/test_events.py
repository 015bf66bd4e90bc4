"""Sending events, and taking them."""

from __future__ import annotations

import pytest

from flowgraph.errors import StoreError
from flowgraph.model import RunStatus
from flowgraph.model.store import Send
from tests.stores.rig import LATER, NOW, Rig, saved


def test_an_event_is_kept_until_it_is_taken(rig: Rig) -> None:
    no = rig.running()
    assert rig.send("r", "paid", '{"sum": 1}') is RunStatus.RUNNING
    [event] = rig.mail(no).events
    assert (event.name, event.payload) == ("paid", '{"sum": 1}')
    assert rig.save(no, 1, take=event.id) is True
    assert rig.mail(no).events == ()


def test_an_event_for_a_missing_run_is_not_stored(rig: Rig) -> None:
    assert rig.send("nobody") is None


@pytest.mark.parametrize("status", [status for status in RunStatus if status.finished])
def test_a_finished_run_takes_no_event(rig: Rig, status: RunStatus) -> None:
    no = rig.in_status(status)
    assert rig.send() is status
    assert (rig.mail(no).events, rig.signals(no)) == ((), 0)


def test_events_come_in_the_order_in_which_they_were_sent(rig: Rig) -> None:
    no = rig.running()
    rig.do(*[Send("r", "n", str(k), NOW) for k in range(20)])
    assert [event.payload for event in rig.mail(no).events] == [str(k) for k in range(20)]


def test_the_same_send_id_is_stored_once(rig: Rig) -> None:
    no = rig.running()
    assert rig.send(send_id="k") is RunStatus.RUNNING
    assert rig.send(send_id="k", payload="2") is RunStatus.RUNNING
    assert [event.payload for event in rig.mail(no).events] == ["1"]
    assert rig.signals(no) == 1


def test_the_same_send_id_is_stored_once_after_its_event_was_taken(rig: Rig) -> None:
    no = rig.running()
    rig.send(send_id="k")
    rig.save(no, 1, take=rig.mail(no).events[0].id)
    rig.send(send_id="k")
    assert rig.mail(no).events == ()


def test_a_send_id_counts_for_its_run_only(rig: Rig) -> None:
    a, b = rig.running("a"), rig.running("b")
    rig.send("a", send_id="k")
    rig.send("b", send_id="k")
    assert (len(rig.mail(a).events), len(rig.mail(b).events)) == (1, 1)


def test_events_without_a_send_id_are_all_stored(rig: Rig) -> None:
    no = rig.running()
    rig.send()
    rig.send()
    assert (len(rig.mail(no).events), rig.signals(no)) == (2, 2)


def test_an_event_wakes_a_listening_run(rig: Rig) -> None:
    no = rig.suspended("r", RunStatus.LISTENING, None)
    assert rig.send() is RunStatus.LISTENING
    assert (rig.row().wake_us, rig.signals(no), rig.status()) == (NOW, 1, "listening")


def test_an_event_wakes_a_listening_run_before_its_timeout(rig: Rig) -> None:
    rig.suspended("r", RunStatus.LISTENING, LATER)
    rig.send()
    assert rig.row().wake_us == NOW


@pytest.mark.parametrize("status", [RunStatus.SLEEPING, RunStatus.WAITING])
def test_an_event_does_not_wake_a_run_that_listens_to_none(rig: Rig, status: RunStatus) -> None:
    no = rig.suspended("r", status, LATER)
    rig.send()
    assert (rig.row().wake_us, rig.signals(no)) == (LATER, 1)


def test_an_event_leaves_the_place_of_a_pending_run(rig: Rig) -> None:
    rig.pending("r", now_us=NOW - 9)
    rig.send()
    assert rig.row().wake_us == NOW - 9


def test_an_event_is_taken_once(rig: Rig) -> None:
    no = rig.running()
    rig.send()
    event = rig.mail(no).events[0].id
    first, second, third = rig.do(saved(no, 1, take=event), saved(no, 2, take=event), saved(no, 3))
    assert (first, third) == (True, True)
    assert isinstance(second, StoreError)
    assert [checkpoint.path for checkpoint in rig.history(no)] == ["step-1", "step-3"]


def test_the_event_of_another_run_cannot_be_taken(rig: Rig) -> None:
    a, b = rig.running("a"), rig.running("b")
    rig.send("a")
    assert isinstance(rig.save(b, 1, take=rig.mail(a).events[0].id), StoreError)
    assert (len(rig.mail(a).events), rig.history(b)) == (1, [])


def test_a_stale_row_takes_no_event(rig: Rig) -> None:
    no = rig.running()
    rig.send()
    assert rig.save(no, 1, epoch=2, take=rig.mail(no).events[0].id) is False
    assert len(rig.mail(no).events) == 1


def test_the_mail_of_a_missing_run_is_empty(rig: Rig) -> None:
    mail = rig.mail(999)
    assert (mail.signals, mail.cancel_requested, mail.events, mail.outcomes) == (0, False, (), ())
