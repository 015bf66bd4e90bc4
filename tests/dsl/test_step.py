"""`step(name, handler, *args)`: what it hands to the scope, and what it refuses at once."""

import asyncio
import functools
import inspect
import unittest.mock

import pytest

from flowgraph.dsl import step, workflow
from flowgraph.errors import DefinitionError, InvalidName, InvalidOption, NotInWorkflow
from flowgraph.model import StepOptions


async def fetch(url):
    return url


def parse(data, kind="json"):
    return data


class Reader:
    async def read(self, count):
        return count

    def __call__(self, count):
        return count


def test_a_step_hands_name_handler_and_arguments_to_the_scope(scope):
    scope.answer = "data"
    assert asyncio.run(step("fetch-data", fetch, "u", 2)) == "data"
    assert scope.calls == [("step", "fetch-data", fetch, ("u", 2), StepOptions())]


def test_a_step_is_a_real_coroutine(scope):
    call = step("a", fetch, "u")
    assert asyncio.iscoroutine(call)
    assert inspect.iscoroutine(call)
    call.close()


def test_steps_run_under_create_task_gather_and_task_groups(scope):
    async def body():
        scope.answer = 1
        assert await asyncio.create_task(step("a", fetch, "u")) == 1
        assert await asyncio.gather(step("b", fetch, "u"), step("c", parse, "d")) == [1, 1]
        async with asyncio.TaskGroup() as group:
            task = group.create_task(step("d", fetch, "u"))
        assert task.result() == 1

    asyncio.run(body())
    assert [call[1] for call in scope.calls] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    "handler",
    [
        fetch,
        parse,
        lambda: 1,
        functools.partial(parse, kind="xml"),
        Reader().read,
        Reader(),
        Reader,
        len,
        unittest.mock.Mock(),
        unittest.mock.AsyncMock(),
    ],
)
def test_whatever_can_be_called_may_be_a_handler(scope, handler):
    asyncio.run(step("a", handler))
    assert scope.calls[0][2] is handler


def test_steps_without_options_share_one_value(scope):
    asyncio.run(step("a", fetch, "u"))
    asyncio.run(step("b", fetch, "u"))
    assert scope.calls[0][4] is scope.calls[1][4]


def test_a_subclass_of_text_is_handed_on_as_plain_text(scope):
    class Name(str):
        __slots__ = ()

    asyncio.run(step(Name("a"), fetch, "u"))
    assert type(scope.calls[0][1]) is str


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "it is empty"),
        ("  ", "it is only white space"),
        ("a\nb", "U+000A"),
        ("x" * 513, "513 characters"),
        (7, "not int"),
        (None, "not NoneType"),
        (b"a", "not bytes"),
    ],
)
def test_a_bad_name_is_refused_at_the_call(scope, name, reason):
    with pytest.raises(InvalidName, match=reason.replace("+", r"\+")):
        step(name, fetch, "u")
    assert not scope.calls


def test_outside_a_workflow_the_error_names_the_call():
    with pytest.raises(NotInWorkflow, match=r'^step\("fetch-data", …\) was called outside a running workflow\. '):
        step("fetch-data", fetch, "u")


def test_a_coroutine_in_place_of_a_handler_is_refused_and_closed(scope):
    coroutine = fetch("u")
    with pytest.raises(DefinitionError) as caught:
        step("a", coroutine)
    assert str(caught.value) == (
        'step("a", …) got the coroutine fetch(…) instead of a handler: that call has been made already, so it cannot '
        'be skipped or tried again. Pass the function and its arguments: step("a", fetch, …).'
    )
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED


def test_a_coroutine_is_closed_even_if_the_name_or_an_option_is_bad_too(scope):
    for name, options in [("", {}), ("a", {"max_attempts": 0}), ("a", {"unknown": 1})]:
        coroutine = fetch("u")
        with pytest.raises(DefinitionError):
            step(name, coroutine, **options)
        assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED


def test_a_running_coroutine_in_place_of_a_handler_is_left_alone(scope):
    async def body():
        event = asyncio.Event()

        async def waiting():
            await event.wait()
            return "done"

        coroutine = waiting()
        task = asyncio.create_task(coroutine)
        await asyncio.sleep(0)
        with pytest.raises(DefinitionError):
            step("a", coroutine)
        event.set()
        return await task

    assert asyncio.run(body()) == "done"


def test_a_task_or_future_in_place_of_a_handler_is_refused(scope):
    async def body():
        task = asyncio.create_task(asyncio.sleep(0))
        with pytest.raises(DefinitionError, match=r'^step\("a", …\) got a Task instead of a handler: what it stands'):
            step("a", task)
        with pytest.raises(DefinitionError, match="got a Future instead of a handler"):
            step("a", asyncio.get_running_loop().create_future())
        await task

    asyncio.run(body())


@pytest.mark.parametrize(("value", "what"), [(None, "None"), (3, "an int"), ("fetch", "a str"), ([fetch], "a list")])
def test_what_cannot_be_called_is_no_handler(scope, value, what):
    with pytest.raises(DefinitionError) as caught:
        step("a", value)
    assert str(caught.value) == (f'step("a", …) got {what} as its handler, which cannot be called. Pass a function.')


def test_a_generator_function_is_no_handler(scope):
    def rows():
        yield 1

    async def pages():
        yield 1

    class Lazy:
        def __call__(self):
            yield 1

    for handler, kind in [
        (rows, "a generator"),
        (functools.partial(rows), "a generator"),
        (Lazy(), "a generator"),
        (pages, "an async generator"),
    ]:
        with pytest.raises(DefinitionError, match=f"which is {kind} function. A step has one result that is saved"):
            step("a", handler)


def test_a_workflow_is_no_handler(scope):
    @workflow(name="child-flow")
    async def child():
        pass

    with pytest.raises(DefinitionError) as caught:
        step("a", child)
    assert str(caught.value) == (
        "step(\"a\", …) got the workflow 'child-flow' as its handler. "
        "Run it as a child: step.execute_workflow(name, child, …)."
    )


def test_a_step_without_a_handler_is_no_handler(scope):
    with pytest.raises(DefinitionError, match="got a StepDecorator instead of a handler"):
        step("a", step("b"))


def test_awaiting_a_step_without_a_handler_explains_itself(scope):
    async def body():
        await step("fetch")

    with pytest.raises(DefinitionError) as caught:
        asyncio.run(body())
    assert str(caught.value) == (
        "step('fetch') has no handler: write `await step('fetch', handler, …)`, or use it as a decorator."
    )


def test_a_task_of_a_step_without_a_handler_names_it(scope):
    async def body():
        asyncio.create_task(step("fetch"))

    with pytest.raises(TypeError, match=r"<step\('fetch'\) without a handler>"):
        asyncio.run(body())


def test_the_decorator_without_a_name_explains_itself():
    with pytest.raises(DefinitionError) as caught:

        @step
        async def load():
            pass

    assert str(caught.value).startswith('A step needs a name: @step("name"), or step("name", ')
    assert str(caught.value).endswith("load, …) for one call.")


def test_an_async_handler_is_refused_with_an_executor(scope):
    for handler in (fetch, functools.partial(fetch, "u"), Reader().read):
        with pytest.raises(InvalidOption, match="the handler is async, and an executor runs plain functions only"):
            step("a", handler, executor="cpu")
    assert not scope.calls
