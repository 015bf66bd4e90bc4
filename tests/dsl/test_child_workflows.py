"""execute_workflow, start_workflow, wait_for_workflow: what they hand to the scope, and what they refuse."""

import asyncio

import pytest

from flowgraph.dsl import step, workflow
from flowgraph.errors import DefinitionError, InvalidName, InvalidOption, NotInWorkflow

STARTS = {"execute_workflow": step.execute_workflow, "start_workflow": step.start_workflow}
each_start = pytest.mark.parametrize("method", STARTS)


@workflow(name="bill-customer")
async def bill(customer: int, note: str = "", *, name: str = "") -> int:
    return customer


async def plain(customer):
    return customer


def test_execute_workflow_hands_on_workflow_and_arguments(scope):
    scope.answer = 3
    assert asyncio.run(step.execute_workflow("bill", bill, 1, "x", name="y")) == 3
    assert scope.calls == [("execute_workflow", "bill", bill, (1, "x"), {"name": "y"})]


def test_start_workflow_hands_on_whether_it_is_detached(scope):
    scope.answer = "run-2"
    assert asyncio.run(step.start_workflow("bill", bill, 1, note="x")) == "run-2"
    asyncio.run(step.start_workflow("bill-2", bill, 1, detached=True))
    assert scope.calls == [
        ("start_workflow", "bill", bill, (1,), {"note": "x"}, False),
        ("start_workflow", "bill-2", bill, (1,), {}, True),
    ]


def test_a_child_may_be_named(scope):
    asyncio.run(step.execute_workflow("bill", "their-workflow", 1, child=2))
    asyncio.run(step.start_workflow("bill", "their-workflow", 1))
    assert scope.calls == [
        ("execute_workflow", "bill", "their-workflow", (1,), {"child": 2}),
        ("start_workflow", "bill", "their-workflow", (1,), {}, False),
    ]


def test_wait_for_workflow_hands_on_run_timeout_and_annotation(scope):
    asyncio.run(step.wait_for_workflow("wait", "run-2"))
    asyncio.run(step.wait_for_workflow("wait", "run-2", timeout="1h", returns=int))
    assert scope.calls == [
        ("wait_for_workflow", "wait", "run-2", None, None),
        ("wait_for_workflow", "wait", "run-2", 3600.0, int),
    ]


@each_start
def test_arguments_that_the_workflow_does_not_take_are_a_type_error(scope, method):
    with pytest.raises(TypeError) as caught:
        STARTS[method]("bill", bill)
    assert str(caught.value) == (
        "Workflow 'bill-customer' takes (customer: int, note: str = '', *, name: str = '') -> int: "
        "missing a required argument: 'customer'."
    )
    with pytest.raises(TypeError, match="got an unexpected keyword argument 'extra'"):
        STARTS[method]("bill", bill, 1, extra=2)
    assert not scope.calls


@each_start
@pytest.mark.parametrize(
    ("child", "what"), [(plain, "plain"), (3, "an object of type int"), (None, "an object of type NoneType")]
)
def test_what_is_no_workflow_is_refused(scope, method, child, what):
    with pytest.raises(DefinitionError) as caught:
        STARTS[method]("bill", child, 1)
    assert str(caught.value) == (
        f'step.{method}("bill", …) got {what}, which is not a workflow. Decorate it with @workflow, or pass the name '
        f"of a workflow."
    )


@each_start
def test_bad_names_are_refused(scope, method):
    with pytest.raises(InvalidName):
        STARTS[method]("", bill, 1)
    with pytest.raises(InvalidName):
        STARTS[method]("bill", "", 1)


def test_bad_options_are_refused(scope):
    with pytest.raises(InvalidOption, match="detached='yes': it is True or False, not str"):
        step.start_workflow("bill", bill, 1, detached="yes")
    with pytest.raises(InvalidOption, match="timeout=-1"):
        step.wait_for_workflow("wait", "run-2", timeout=-1)


@pytest.mark.parametrize(
    ("run_id", "reason"),
    [
        (3, "it is text, not int"),
        ("", "it is empty"),
        (" ", "it is empty"),
        ("x" * 256, "it has 256 characters, and 255 is the most"),
        ("a\0b", "it has a character that cannot be printed"),
    ],
)
def test_a_bad_run_id_is_refused(scope, run_id, reason):
    with pytest.raises(InvalidOption, match=f": {reason}"):
        step.wait_for_workflow("wait", run_id)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: step.execute_workflow("x", bill, 1), "step.execute_workflow"),
        (lambda: step.start_workflow("x", bill, 1), "step.start_workflow"),
        (lambda: step.wait_for_workflow("x", "run-2"), "step.wait_for_workflow"),
    ],
)
def test_outside_a_workflow_the_error_names_the_call(call, text):
    with pytest.raises(NotInWorkflow) as caught:
        call()
    assert caught.value.call == f'{text}("x", …)'
