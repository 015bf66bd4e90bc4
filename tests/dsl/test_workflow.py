"""The decorator `workflow`."""

import copy
import functools
import pickle
import re

import pytest

from flowgraph.dsl import RESERVED, Workflow, find, names, step, workflow
from flowgraph.errors import DefinitionError, InvalidName, InvalidOption
from flowgraph.model import RetryPolicy


@workflow
async def pipeline(source: str, limit: int = 3) -> int:
    """Move data."""
    return len(source) * limit


def test_a_workflow_has_the_name_of_its_function_and_defaults():
    assert isinstance(pipeline, Workflow)
    assert (pipeline.name, pipeline.timeout, pipeline.step_retry, pipeline.strict) == ("pipeline", 300.0, None, None)


def test_a_workflow_keeps_what_its_function_tells_of_itself():
    assert pipeline.__doc__ == "Move data."
    assert pipeline.__wrapped__ is pipeline.fn
    assert pipeline.fn.__qualname__ == pipeline.__qualname__ == "pipeline"
    assert pipeline.__module__ == __name__
    assert repr(pipeline) == f"<workflow 'pipeline' ({__name__}.pipeline)>"
    assert re.fullmatch(r".*test_workflow\.py:\d+", pipeline.place)


def test_options_are_taken_and_checked():
    policy = RetryPolicy(3)

    @workflow(name="data-pipeline", timeout="5m", step_retry=policy, strict=True)
    async def flow():
        pass

    assert (flow.name, flow.timeout, flow.step_retry, flow.strict) == ("data-pipeline", 300.0, policy, True)
    assert find("data-pipeline") is flow


def test_empty_parentheses_are_fine():
    @workflow()
    async def flow():
        pass

    assert flow.name == "flow"


def test_calling_it_directly_says_how_to_run_it():
    @workflow(name="data-pipeline")
    async def flow():
        pass

    with pytest.raises(DefinitionError) as caught:
        flow("https://…")
    assert str(caught.value) == (
        "Workflow 'data-pipeline' was called directly, which would run it without durability. "
        "Use `await runtime.run(flow, …)`, `flowgraph.run(flow, …)`, or "
        '`await step.execute_workflow("name", flow, …)`.'
    )


def plain():
    pass


async def generator():
    yield 1


class Class:
    async def __call__(self):
        pass


@pytest.mark.parametrize(
    ("fn", "message"),
    [
        (plain, "Workflow 'plain' is a plain function."),
        (generator, "Workflow 'generator' is an async generator (it has a `yield`)."),
        (Class, "Workflow 'Class' is a class."),
        (lambda: 1, "Workflow '<lambda>' is a lambda."),
        (staticmethod(generator), "Workflow 'generator' is a staticmethod."),
        (classmethod(generator), "Workflow 'generator' is a classmethod."),
        (pipeline, "Workflow 'pipeline' is decorated with @workflow already."),
        (step("s")(plain), "Workflow 'plain' is an object of type Step."),
        (functools.partial(plain), "is an object of type partial."),
        (3, "Workflow '3' is an object of type int."),
    ],
)
def test_only_an_async_function_can_be_a_workflow(fn, message):
    for decorate in (workflow, workflow(name="other")):
        with pytest.raises(DefinitionError) as caught:
            decorate(fn)
        assert message in str(caught.value)
        assert str(caught.value).endswith("A workflow is a function written with `async def`.")
        assert isinstance(caught.value, TypeError)


def test_a_name_in_place_of_a_function_is_explained():
    with pytest.raises(DefinitionError) as caught:
        workflow("data-pipeline")
    assert (
        str(caught.value) == "workflow('data-pipeline'): the name is a keyword option: @workflow(name='data-pipeline')."
    )


@pytest.mark.parametrize("parameter", sorted(RESERVED))
def test_a_parameter_may_not_have_the_name_of_an_option_of_start(parameter):
    namespace = {}
    exec(f"async def flow(a, *, {parameter}=None): pass\nasync def other(*{parameter}): pass", namespace)
    with pytest.raises(DefinitionError) as caught:
        workflow(namespace["flow"])
    assert str(caught.value) == (
        f"Workflow 'flow' has a parameter '{parameter}', which is an option of starting a run. "
        f"Give the parameter another name."
    )
    assert workflow(namespace["other"]).name == "other"
    assert names() == ["other"]


def test_the_reserved_names_are_those_of_the_design():
    assert {"run_id", "tags", "store", "priority", "concurrency_key", "start_at", "detached"} == RESERVED


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"name": ""}, InvalidName, "'' is no valid name: it is empty."),
        ({"name": 3}, InvalidName, "3 is no valid name: a name is text, not int."),
        ({"timeout": 0}, InvalidOption, "timeout=0: it is more than 0."),
        ({"timeout": "0s"}, InvalidOption, "timeout='0s': it is more than 0."),
        ({"timeout": -1}, InvalidOption, "timeout=-1: a duration is finite and not negative."),
        ({"timeout": None}, InvalidOption, "timeout=None: a duration is a number, a timedelta or text, not NoneType."),
        ({"step_retry": 3}, InvalidOption, "step_retry=3: it is a RetryPolicy, not int."),
        ({"strict": "no"}, InvalidOption, "strict='no': it is True or False, not str."),
    ],
)
def test_a_bad_option_is_refused_at_the_call(options, error, message):
    with pytest.raises(error) as caught:
        workflow(**options)
    assert str(caught.value) == message


def test_an_unknown_option_is_a_type_error():
    with pytest.raises(TypeError, match="unexpected keyword argument 'retries'"):
        workflow(retries=3)


def test_arguments_are_checked_against_the_signature():
    pipeline.check_arguments(("x",), {"limit": 3})
    with pytest.raises(TypeError) as caught:
        pipeline.check_arguments((), {"limit": 3})
    assert str(caught.value) == (
        "Workflow 'pipeline' takes (source: str, limit: int = 3) -> int: missing a required argument: 'source'."
    )


def test_a_workflow_pickles_by_reference():
    assert copy.deepcopy(pipeline) is pipeline
    assert pickle.loads(pickle.dumps(pipeline)) is pipeline
