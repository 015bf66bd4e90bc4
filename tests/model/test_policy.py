"""Retries: which failures are tried again, and how long is waited before."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowgraph.errors import (
    ChildFailed,
    DefinitionError,
    DuplicateStep,
    InvalidName,
    InvalidOption,
    ListenTimeout,
    NonRetryable,
    RetryAfter,
    StepError,
    StepFailed,
    StepTimeout,
    UnplannedStep,
)
from flowgraph.model import RetryPolicy, retry_delay

policies = st.builds(
    RetryPolicy,
    max_attempts=st.integers(1, 50),
    initial=st.floats(0, 1e4, allow_nan=False),
    factor=st.floats(1, 1e5),
    cap=st.floats(0, 1e6, allow_nan=False),
    jitter=st.booleans(),
)


def decided(policy: RetryPolicy, error: BaseException, attempt: int = 1, draw: float = 1.0) -> float | None:
    return retry_delay(policy, policy.max_attempts, attempt, error, lambda: draw)


@given(policies, st.integers(1, 10**9), st.floats(0, 1, exclude_max=True))
def test_a_delay_lies_between_nothing_and_its_bound(policy: RetryPolicy, attempt: int, draw: float) -> None:
    delay = policy.delay(attempt, lambda: draw)
    assert 0 <= delay <= policy.cap
    if attempt == 1:
        assert delay <= policy.initial
    if not policy.jitter:
        assert delay == policy.delay(attempt)


@given(policies, st.integers(1, 5_000))
def test_bounds_never_shrink(policy: RetryPolicy, attempt: int) -> None:
    assert policy.delay(attempt) <= policy.delay(attempt + 1)


@given(policies, st.integers(1, 100))
def test_no_attempt_beyond_the_last(policy: RetryPolicy, attempt: int) -> None:
    again = decided(policy, ValueError(), attempt)
    assert (again is None) == (attempt >= policy.max_attempts)


def test_full_jitter_is_spread_over_the_whole_bound() -> None:
    draw = random.Random(7).random
    delays = sorted(RetryPolicy(initial=8, cap=8).delay(1, draw) for _ in range(1_000))
    assert delays[0] < 0.5
    assert delays[-1] > 7.5
    assert 3.5 < sum(delays) / len(delays) < 4.5


def test_delays_double_up_to_the_cap() -> None:
    policy = RetryPolicy(initial=1, factor=2, cap=10, jitter=False)
    assert [policy.delay(attempt) for attempt in range(1, 7)] == [1, 2, 4, 8, 10, 10]


_failed = StepFailed("a", 5, "ValueError", "no")
_default, _none = RetryPolicy(jitter=False), None


@pytest.mark.parametrize(
    ("policy", "error", "delay"),
    [
        (_default, ValueError("x"), 1.0),
        (_default, TimeoutError(), 1.0),
        (_default, NonRetryable("x"), None),
        (_default, ExceptionGroup("g", [ValueError(), NonRetryable()]), None),
        (_default, ExceptionGroup("g", [ExceptionGroup("h", [NonRetryable()])]), None),
        (_default, ExceptionGroup("g", [ValueError(), KeyError()]), 1.0),
        (_default, RetryAfter(7), 7.0),
        (_default, RetryAfter("2m"), 120.0),
        (_default, ExceptionGroup("g", [RetryAfter(3), RetryAfter("9s"), ValueError()]), 9.0),
        (_default, ExceptionGroup("g", [RetryAfter(3), NonRetryable()]), None),
        (_default, _failed, None),
        (_default, StepTimeout("a", 1, "TimeoutError", ""), None),
        (_default, ListenTimeout("a", "e", 1.0), None),
        (_default, ChildFailed("a", "r", "failed"), None),
        (_default, ExceptionGroup("g", [_failed, ValueError()]), None),
        (_default, KeyboardInterrupt(), None),
        (RetryPolicy(jitter=False, retry_on=(StepError,)), _failed, 1.0),
        (RetryPolicy(jitter=False, retry_on=StepFailed), _failed, 1.0),
        (RetryPolicy(jitter=False, retry_on=(ListenTimeout,)), _failed, None),
        (RetryPolicy(jitter=False, retry_on=(OSError,)), ValueError(), None),
        (RetryPolicy(jitter=False, retry_on=(OSError,)), FileNotFoundError(), 1.0),
        (RetryPolicy(jitter=False, retry_on=(OSError,)), ExceptionGroup("g", [OSError(), ValueError()]), None),
        (RetryPolicy(jitter=False, give_up_on=(LookupError,)), KeyError(), None),
        (RetryPolicy(jitter=False, give_up_on=(LookupError,)), ExceptionGroup("g", [KeyError(), OSError()]), None),
        (RetryPolicy(jitter=False, retry_on=(OSError,)), RetryAfter(3), 3.0),
    ],
)  # fmt: skip
def test_which_failure_is_tried_again(policy: RetryPolicy, error: BaseException, delay: float | None) -> None:
    assert decided(policy, error) == delay


@pytest.mark.parametrize(
    "mistake",
    [
        DuplicateStep("a"),
        UnplannedStep("a"),
        InvalidName("", "it is empty"),
        InvalidOption("timeout", -1, "it is negative"),
        DefinitionError("no"),
        ExceptionGroup("two", [InvalidName("", "it is empty"), ValueError()]),
    ],
)
def test_a_mistake_in_the_program_is_not_tried_again(mistake: Exception) -> None:
    assert decided(RetryPolicy(), mistake) is None


@pytest.mark.parametrize("delay", [-1, "soon", float("nan"), None])
def test_a_bad_delay_of_retry_after_is_an_invalid_option(delay: object) -> None:
    with pytest.raises(InvalidOption):
        decided(_default, RetryAfter(delay))


@pytest.mark.parametrize(
    "options",
    [
        {"max_attempts": 0}, {"max_attempts": 1.5}, {"max_attempts": True}, {"initial": -1}, {"initial": "soon"},
        {"factor": 0.5}, {"factor": float("nan")}, {"factor": float("inf")}, {"factor": "2"}, {"cap": -1},
        {"retry_on": ValueError()}, {"retry_on": ("ValueError",)}, {"give_up_on": 5}, {"retry_on": int},
    ],
)  # fmt: skip
def test_a_bad_policy_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(InvalidOption):
        RetryPolicy(**options)  # type: ignore[arg-type]


def test_a_policy_is_a_value() -> None:
    assert RetryPolicy(initial="1s") == RetryPolicy(initial=1)
    assert hash(RetryPolicy()) == hash(RetryPolicy())
