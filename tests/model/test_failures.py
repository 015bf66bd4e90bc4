"""A failure that was saved is raised again as the same error: class, attributes and text."""

import pickle

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowgraph.errors import (
    ChildFailed,
    ItemFailure,
    ItemsChanged,
    ListenTimeout,
    MapFailed,
    NonRetryable,
    PayloadTooLarge,
    SerializationError,
    StepError,
    StepFailed,
    StepTimeout,
)
from flowgraph.model import Failure, failure_of, failure_text
from flowgraph.runtime import failures

anything = st.text(max_size=60)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)


class Odd(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def again(failure: Failure) -> Failure:
    return failure_of(failure_text(failure))


def assert_same_error(path: str, failure: Failure) -> StepError:
    """The first raise, each replay, and a pickled copy are alike in everything that a program can see."""
    first = failures.step_error(path, failure)
    for other in (failures.step_error(path, again(failure)), pickle.loads(pickle.dumps(first))):
        assert type(other) is type(first)
        assert str(other) == str(first)
        assert repr(other) == repr(first)
        assert vars(other) == vars(first)
        assert other.__cause__ is None
        assert other.__context__ is None
    assert first.path == path
    return first


@given(anything, st.integers(1, 10**6), st.booleans())
@example("line\nfeed\x00\ud800", 3, False)
def test_a_failed_step_is_raised_the_same(message: str, attempts: int, timed_out: bool) -> None:
    failure = failures.step_failure("a", ValueError(message), attempts, timed_out=timed_out)
    error = assert_same_error("a", failure)
    assert type(error) is (StepTimeout if timed_out else StepFailed)
    assert error.attempts == attempts
    assert error.cause_type == "ValueError"
    assert error.caused_by(ValueError)
    assert error.caused_by(Exception)
    assert not error.caused_by(KeyError)
    error.cause_message.encode()
    assert "\0" not in error.cause_message


@given(texts, texts)
def test_an_unsaveable_result_is_raised_the_same(type_name: str, reason: str) -> None:
    error = assert_same_error("a/b", failures.step_failure("a/b", SerializationError("a/b", type_name, reason), 1))
    assert isinstance(error, SerializationError)
    assert (error.type_name, error.reason) == (type_name, reason)


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_too_large_a_payload_is_raised_the_same(size: int, limit: int) -> None:
    error = assert_same_error("a", failures.step_failure("a", PayloadTooLarge("a", size, limit), 1))
    assert isinstance(error, PayloadTooLarge)
    assert (error.size, error.limit) == (size, limit)


@given(texts, st.floats(0, 3.2e10))
def test_a_listen_timeout_is_raised_the_same(event: str, timeout: float) -> None:
    error = assert_same_error("a", failures.listen_timeout(event, timeout))
    assert isinstance(error, ListenTimeout)
    assert (error.event, error.timeout) == (event, timeout)


@given(texts, st.floats(0, 3.2e10))
def test_a_wait_timeout_is_raised_the_same(run_id: str, timeout: float) -> None:
    error = assert_same_error("a", failures.wait_timeout(run_id, timeout))
    assert isinstance(error, StepTimeout)
    assert isinstance(error, TimeoutError)


@given(texts, st.sampled_from(["failed", "aborted", "cancelled", "timed_out"]), texts)
def test_a_failed_child_is_raised_the_same(run_id: str, status: str, message: str) -> None:
    for cause in (None, failures.run_failure(ValueError(message)), failures.stopped(message)):
        error = assert_same_error("a", failures.child_failure(run_id, status, cause))
        assert isinstance(error, ChildFailed)
        assert (error.run_id, error.status) == (run_id, status)
        assert error.cause_type == ("ValueError" if cause and cause.cause_type else "")


items = st.lists(
    st.tuples(
        st.integers(0, 10**6),
        st.none() | texts,
        st.sampled_from(["m[0]", 'm["k"]']),
        st.one_of(
            texts.map(lambda text: failures.step_failure("a", ValueError(text), 2)),
            texts.map(lambda text: failures.step_failure("a", SerializationError("m[0]", text, text), 2)),
            texts.map(lambda text: failures.step_failure("a", TimeoutError(text), 2, timed_out=True)),
        ),
    ),
    max_size=4,
)


@given(items)
def test_a_failed_map_is_raised_the_same(failed: list[tuple[int, str | None, str, Failure]]) -> None:
    error = assert_same_error_of_map(failures.map_failure(failed, len(failed) + 2))
    assert error.count == len(failed) + 2
    assert [(one.index, one.key) for one in error.failures] == [(index, key) for index, key, _, _ in failed]
    for one, (_, _, path, failure) in zip(error.failures, failed, strict=True):
        assert str(one.error) == str(failures.step_error(path, failure))
        assert type(one.error) is type(failures.step_error(path, failure))


def assert_same_error_of_map(failure: Failure) -> MapFailed:
    first, other = failures.step_error("m", failure), failures.step_error("m", again(failure))
    assert isinstance(first, MapFailed)
    assert isinstance(other, MapFailed)
    assert (str(other), repr(other), other.failures) == (str(first), repr(first), first.failures)
    assert other.count == first.count
    return first


def test_a_map_inside_a_map_is_raised_the_same() -> None:
    inner = failures.map_failure([(1, None, "m[0]/n[1]", failures.step_failure("a", ValueError("x"), 5))], 1)
    outer = failures.step_failure("a", failures.step_error("m[0]/n", inner), 1)
    error = assert_same_error_of_map(failures.map_failure([(0, None, "m[0]", outer)], 1))
    assert isinstance(error.failures[0], ItemFailure)
    assert error.failures[0].error.cause_type == "MapFailed"
    assert "ValueError: x" in error.failures[0].error.cause_message


def test_the_cause_of_a_group_of_one_is_its_member() -> None:
    group = ExceptionGroup("unhandled errors in a TaskGroup (1 sub-exception)", [NonRetryable("no")])
    error = assert_same_error("a", failures.step_failure("a", group, 1))
    assert (error.cause_type, error.cause_message) == ("NonRetryable", "no")
    assert error.caused_by(NonRetryable)


def test_all_members_of_a_group_are_causes() -> None:
    group = ExceptionGroup("two", [ValueError("a"), ExceptionGroup("more", [KeyError("b")])])
    error = assert_same_error("a", failures.step_failure("a", group, 1))
    assert error.caused_by(ValueError)
    assert error.caused_by(KeyError)
    assert error.caused_by(LookupError)
    assert not error.caused_by(OSError)


def test_the_cause_of_a_sub_steps_failure_is_a_cause_of_its_parents() -> None:
    below = failures.step_error("a/b", failures.step_failure("a", ConnectionResetError("gone"), 5))
    error = assert_same_error("a", failures.step_failure("a", below, 1))
    assert error.cause_type == "StepFailed"
    assert error.caused_by(StepFailed)
    assert error.caused_by(StepError)
    assert error.caused_by(ConnectionError)


@pytest.mark.parametrize(
    "error",
    [
        Odd(), ValueError(), ValueError("x" * 10**6), KeyError("a", "b"), OSError(2, "No such file", "x"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), SystemExit(3), KeyboardInterrupt(), ItemsChanged("m"),
        RecursionError(),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_whatever_was_raised_can_be_saved(error: BaseException) -> None:
    saved = assert_same_error("a", failures.step_failure("a", error, 1))
    assert isinstance(saved, StepFailed)
    assert saved.caused_by(type(error))
    assert len(failure_text(failures.step_failure("a", error, 1))) < 100_000


def test_the_traceback_is_kept_as_text_and_not_in_the_error() -> None:
    try:
        raise ValueError("here")
    except ValueError as raised:
        failure = failures.step_failure("a", raised, 1)
    assert 'raise ValueError("here")' in again(failure).traceback
    assert failures.step_error("a", failure).__traceback__ is None


def test_a_class_of_the_same_name_elsewhere_is_no_cause() -> None:
    local = type("ValueError", (Exception,), {"__module__": "elsewhere"})
    error = assert_same_error("a", failures.step_failure("a", local("x"), 1))
    assert error.caused_by(local)
    assert not error.caused_by(ValueError)


@given(anything)
def test_the_error_of_a_run_can_be_saved(message: str) -> None:
    for failure in (failures.run_failure(ValueError(message)), failures.stopped(message)):
        saved = again(failure)
        assert saved == failure
        saved.cause_message.encode()
