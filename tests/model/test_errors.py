"""Every exception survives pickle and copying, says its sentence, and has its values as attributes."""

import copy
import inspect
import pickle

import pytest

import flowgraph
from flowgraph import errors

SAMPLES: dict[type[BaseException], tuple[object, ...]] = {
    errors.FlowgraphError: ("anything",),
    errors.DefinitionError: ("it is no function",),
    errors.InvalidName: ("a\n", "it has the character U+000A, which a name may not have"),
    errors.InvalidOption: ("timeout", -1, "a duration is finite and not negative"),
    errors.NotInWorkflow: ('step("x", …)',),
    errors.CompileError: ("pipeline", ["FG101 here", "FG102 there"]),
    errors.GraphvizError: ("anything",),
    errors.UnplannedStep: ("a/b",),
    errors.DuplicateStep: ("a/b", "this call waits for itself, for ever"),
    errors.StepError: ("anything",),
    errors.StepFailed: ("a/b%2Fc", 5, "ValueError", "no", ("ValueError", "Exception")),
    errors.StepTimeout: ("a", 1, "TimeoutError", "too long", ("TimeoutError", "OSError")),
    errors.ListenTimeout: ("a", "approval", 3.5),
    errors.ChildFailed: ("a", "r-1", "failed", "no", "ValueError"),
    errors.MapFailed: ("m", [errors.ItemFailure(3, "k", errors.StepFailed('m["k"]', 2, "ValueError", "no"))], 2),
    errors.SerializationError: ("a", "Order", "annotate it"),
    errors.PayloadTooLarge: ("a", 9_000_000, 8_388_608),
    errors.ItemsChanged: ("m", "3 items then, 4 now"),
    errors.NonRetryable: ("never again",),
    errors.RetryAfter: ("30s", "come back"),
    errors.RunError: ("anything",),
    errors.RunFailed: ("r-1", "no", "ValueError"),
    errors.RunAborted: ("r-1",),
    errors.RunCancelled: ("r-1",),
    errors.RunTimedOut: ("r-1", "it was executing for more than 300 s"),
    errors.RunNotFound: ("r-1",),
    errors.RunExists: ("r-1", "other input"),
    errors.RunFinished: ("r-1", "completed"),
    errors.WorkflowNotFound: ("pipeline", ("other",)),
    errors.StoreError: ("the store failed",),
    errors.StoreUnavailable: ("the store is busy",),
    errors.WriteRefused: ("the store cannot hold a value",),
    errors.SchemaMismatch: ("sqlite:///x.db", 9, 1),
    errors.LeaseLost: ("r-1",),
}


def sample(cls: type[BaseException]) -> BaseException:
    return cls(*SAMPLES[cls])


def test_there_is_a_sample_of_every_exception() -> None:
    defined = {cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, BaseException)}
    assert defined == set(SAMPLES)
    assert {cls.__name__ for cls in defined} <= set(flowgraph.__all__)


@pytest.mark.parametrize("cls", list(SAMPLES), ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_an_exception_survives_pickle(cls: type[BaseException], protocol: int) -> None:
    error = sample(cls)
    assert_same(pickle.loads(pickle.dumps(error, protocol)), error)


@pytest.mark.parametrize("cls", list(SAMPLES), ids=lambda cls: cls.__name__)
def test_an_exception_survives_copying(cls: type[BaseException]) -> None:
    error = sample(cls)
    assert_same(copy.copy(error), error)
    assert_same(copy.deepcopy(error), error)


@pytest.mark.parametrize("cls", list(SAMPLES), ids=lambda cls: cls.__name__)
def test_an_exception_keeps_its_notes(cls: type[BaseException]) -> None:
    error = sample(cls)
    error.add_note("seen on a Monday")
    again = pickle.loads(pickle.dumps(error))
    assert again.__notes__ == ["seen on a Monday"]
    assert_same(again, error)


@pytest.mark.parametrize("cls", list(SAMPLES), ids=lambda cls: cls.__name__)
def test_an_exception_is_a_flowgraph_error_with_one_line_of_text(cls: type[BaseException]) -> None:
    error = sample(cls)
    assert isinstance(error, errors.FlowgraphError)
    assert str(error)
    assert "\n" not in str(error)
    assert cls.__name__ in repr(error)


@pytest.mark.parametrize(
    ("cls", "base"),
    [
        (errors.DefinitionError, TypeError),
        (errors.InvalidName, ValueError),
        (errors.InvalidOption, ValueError),
        (errors.NotInWorkflow, RuntimeError),
        (errors.StepTimeout, TimeoutError),
        (errors.StepTimeout, errors.StepFailed),
        (errors.ListenTimeout, TimeoutError),
        *[
            (cls, errors.StepError)
            for cls in (
                errors.StepFailed, errors.StepTimeout, errors.ListenTimeout, errors.ChildFailed, errors.MapFailed,
                errors.SerializationError, errors.PayloadTooLarge,
            )
        ],
        (errors.StoreUnavailable, errors.StoreError),
        (errors.WriteRefused, errors.StoreError),
        (errors.SchemaMismatch, errors.StoreError),
        (errors.LeaseLost, errors.StoreError),
    ],
)  # fmt: skip
def test_what_an_exception_also_is(cls: type, base: type) -> None:
    assert issubclass(cls, base)


def test_a_step_failure_knows_its_name_and_its_cause_by_saved_names() -> None:
    error = errors.StepFailed("a/b%2Fc", 5, "ConnectionResetError", "", (
        "ConnectionResetError", "ConnectionError", "OSError", "Exception", "BaseException",
    ))  # fmt: skip
    assert error.name == "b/c"
    assert error.caused_by(ConnectionError)
    assert error.caused_by(ValueError, OSError)
    assert not error.caused_by(ValueError)
    assert not error.caused_by()


def test_a_step_timeout_is_not_confused_by_the_errno_of_os_errors() -> None:
    error = errors.StepTimeout("a", 1, "TimeoutError", "slow")
    assert (error.path, error.attempts, error.cause_type, error.cause_message) == ("a", 1, "TimeoutError", "slow")
    assert str(error) == "Step 'a' failed after 1 attempt: TimeoutError: slow"
    listen = errors.ListenTimeout("a", "e", 2.0)
    assert str(listen) == "Step 'a' waited 2 s for the event 'e', and none came."


def assert_same(again: BaseException, error: BaseException) -> None:
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert repr(again) == repr(error)
    assert again.args == error.args or repr(again.args) == repr(error.args)
    assert vars(again).keys() == vars(error).keys()
    for name, value in vars(error).items():
        assert repr(vars(again)[name]) == repr(value), name
