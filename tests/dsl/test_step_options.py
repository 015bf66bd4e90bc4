"""The options of a step call."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from flowgraph.dsl import step
from flowgraph.errors import InvalidOption
from flowgraph.model import RetryPolicy, StepOptions


def parse(data):
    return data


def test_options_are_handed_to_the_scope_checked(scope):
    policy = RetryPolicy(3)
    with ThreadPoolExecutor() as pool:
        asyncio.run(
            step(
                "a", parse, 1, max_attempts=7, retry=policy, timeout="1.5m", returns=int, executor=pool,
                at_most_once=True,
            )
        )  # fmt: skip
    assert scope.calls[0][4] == StepOptions(7, policy, 90.0, int, pool, at_most_once=True)


@pytest.mark.parametrize(
    ("timeout", "expected_s"), [(None, None), (0, 0.0), (2, 2.0), ("500ms", 0.5), (timedelta(minutes=1), 60.0)]
)
def test_a_timeout_is_a_duration_or_none(scope, timeout, expected_s):
    asyncio.run(step("a", parse, 1, timeout=timeout))
    assert scope.calls[0][4].timeout == expected_s


def test_none_leaves_an_option_at_its_default(scope):
    asyncio.run(step("a", parse, 1, max_attempts=None, retry=None, returns=None, executor=None))
    assert scope.calls[0][4] == StepOptions()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_attempts": 0}, "max_attempts=0: it is at least 1."),
        ({"max_attempts": 2.0}, "max_attempts=2.0: it is a whole number, not float."),
        ({"max_attempts": True}, "max_attempts=True: it is a whole number, not bool."),
        ({"retry": 3}, "retry=3: it is a RetryPolicy, not int."),
        ({"timeout": -1}, "timeout=-1: a duration is finite and not negative."),
        ({"timeout": float("nan")}, "timeout=nan: a duration is finite and not negative."),
        ({"timeout": float("inf")}, "timeout=inf: a duration is finite and not negative."),
        (
            {"timeout": "soon"},
            'timeout=\'soon\': write a duration as seconds or as text such as "500ms", "30s" or "2h".',
        ),
        (
            {"executor": 4},
            "executor=4: it is a concurrent.futures.Executor, or the name of one of the Runtime's.",
        ),
        (
            {"executor": ""},
            "executor='': it is a concurrent.futures.Executor, or the name of one of the Runtime's.",
        ),
        ({"at_most_once": "no"}, "at_most_once='no': it is True or False, not str."),
    ],
)
def test_a_bad_option_is_refused_at_the_call(scope, options, message):
    with pytest.raises(InvalidOption) as caught:
        step("a", parse, 1, **options)
    assert str(caught.value) == message
    with pytest.raises(InvalidOption):
        step("a", **options)
    assert not scope.calls


def test_an_unknown_option_is_a_type_error_that_lists_the_known_ones(scope):
    with pytest.raises(TypeError) as caught:
        step("a", parse, kind="xml")
    assert str(caught.value) == (
        "step(\"a\", …) got an unknown option 'kind'. Its options are max_attempts, retry, timeout, returns, executor, "
        "at_most_once. To pass a keyword argument to the handler, write functools.partial(handler, kind=…)."
    )
    with pytest.raises(TypeError, match="unknown option 'max_attempt'"):
        step("a", max_attempt=3)
