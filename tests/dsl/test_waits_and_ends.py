"""sleep, sleep_until, progress, listen, fail, abort, info: what they hand to the scope, and what they refuse."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from flowgraph.dsl import checked_event, step
from flowgraph.errors import InvalidName, InvalidOption, NotInWorkflow

MORNING = datetime(2030, 1, 1, 9, tzinfo=UTC)
NAIVE = datetime(2030, 1, 1)


@pytest.mark.parametrize(("duration", "expected_s"), [(5, 5.0), ("2h", 7200.0), (timedelta(days=1), 86400.0), (0, 0.0)])
def test_sleep_hands_on_seconds(scope, duration, expected_s):
    asyncio.run(step.sleep("nap", duration))
    assert scope.calls == [("sleep", "nap", expected_s)]


def test_sleep_until_hands_on_the_moment(scope):
    asyncio.run(step.sleep_until("morning", MORNING))
    assert scope.calls == [("sleep_until", "morning", MORNING)]


def test_progress_hands_on_message_and_numbers(scope):
    asyncio.run(step.progress("importing", done=3, total=2.5))
    asyncio.run(step.progress("importing"))
    assert scope.calls == [("progress", "importing", 3, 2.5), ("progress", "importing", None, None)]


def test_listen_waits_for_the_event_of_its_own_name(scope):
    scope.answer = {"by": "me"}
    assert asyncio.run(step.listen("approval")) == {"by": "me"}
    assert scope.calls == [("listen", "approval", "approval", None, None)]


def test_listen_takes_event_timeout_and_annotation(scope):
    asyncio.run(step.listen("approval", event="approved", timeout="3d", returns=int))
    assert scope.calls == [("listen", "approval", "approved", 259_200.0, int)]


def test_fail_raises_at_the_call_with_and_without_await(scope, ended):
    async def body():
        await step.fail("the account is closed")

    with pytest.raises(ended):
        asyncio.run(body())
    with pytest.raises(ended):
        step.fail("the account is closed")
    assert scope.calls == [("fail", "the account is closed")] * 2


def test_fail_takes_whatever_has_a_text(scope, ended):
    with pytest.raises(ended):
        step.fail(ValueError("bad"))
    assert scope.calls == [("fail", "bad")]


def test_abort_raises_at_the_call(scope, ended):
    with pytest.raises(ended):
        step.abort()
    assert scope.calls == [("abort",)]


def test_info_is_what_the_scope_says(scope):
    assert step.info() == scope.info()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: step.sleep("x", 1), 'step.sleep("x", …)'),
        (lambda: step.sleep_until("x", MORNING), 'step.sleep_until("x", …)'),
        (lambda: step.progress("x"), 'step.progress("x", …)'),
        (lambda: step.listen("x"), 'step.listen("x", …)'),
        (lambda: step.fail("x"), "step.fail()"),
        (lambda: step.abort(), "step.abort()"),
        (lambda: step.info(), "step.info()"),
    ],
)
def test_outside_a_workflow_the_error_names_the_call(call, text):
    with pytest.raises(NotInWorkflow) as caught:
        call()
    assert str(caught.value) == (
        f"{text} was called outside a running workflow. Call it from a function decorated with @workflow and start "
        "that with `await runtime.run(...)` or `flowgraph.run(...)`."
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda: step.sleep("", 1),
        lambda: step.sleep_until("", MORNING),
        lambda: step.progress(""),
        lambda: step.listen(""),
    ],
)
def test_a_bad_name_is_refused_at_the_call(scope, call):
    with pytest.raises(InvalidName, match="it is empty"):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: step.sleep("x", -1), "duration=-1: a duration is finite and not negative."),
        (lambda: step.sleep("x", float("nan")), "duration=nan: a duration is finite and not negative."),
        (lambda: step.sleep("x", None), "duration=None: a duration is a number, a timedelta or text, not NoneType."),
        (
            lambda: step.sleep_until("x", NAIVE),
            f"moment={NAIVE!r}: the datetime is naive; give it a time zone, for example datetime.now(UTC).",
        ),
        (lambda: step.sleep_until("x", 5), "moment=5: a moment is an aware datetime, not int."),
        (lambda: step.progress("x", done=-1), "done=-1: it is finite and not negative."),
        (lambda: step.progress("x", total=float("inf")), "total=inf: it is finite and not negative."),
        (lambda: step.progress("x", done=float("nan")), "done=nan: it is finite and not negative."),
        (lambda: step.progress("x", done="1"), "done='1': it is a number, not str."),
        (lambda: step.progress("x", done=True), "done=True: it is a number, not bool."),
        (lambda: step.listen("x", event=""), "event='': it is empty."),
        (lambda: step.listen("x", event=3), "event=3: a name is text, not int."),
        (lambda: step.listen("x", timeout=-1), "timeout=-1: a duration is finite and not negative."),
    ],
)
def test_a_bad_option_is_refused_at_the_call(scope, call, message):
    with pytest.raises(InvalidOption) as caught:
        call()
    assert str(caught.value) == message
    assert not scope.calls


def test_an_event_follows_the_rule_of_names():
    assert checked_event("payment received") == "payment received"
    with pytest.raises(InvalidOption, match=r"U\+0000"):
        checked_event("a\0b")
