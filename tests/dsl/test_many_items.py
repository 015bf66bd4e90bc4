"""map, for_each, batch: what they hand to the scope, and what they refuse."""

import asyncio
import inspect

import pytest

from flowgraph.dsl import step
from flowgraph.errors import DefinitionError, InvalidName, InvalidOption, NotInWorkflow
from flowgraph.model import FanOut, StepOptions

CALLS = {"map": step.map, "for_each": step.for_each, "batch": step.batch}
each_call = pytest.mark.parametrize("kind", CALLS)


async def charge(user):
    return user


def plain(user):
    return user


async def pages():
    yield 1


def rows():
    yield 1


def test_map_hands_on_items_and_defaults(scope):
    scope.answer = ["a"]
    items = ["user-1", "user-2"]
    assert asyncio.run(step.map("charge", charge, items)) == ["a"]
    assert scope.calls == [("fan_out", "charge", charge, items, FanOut("map"), StepOptions())]
    assert scope.calls[0][3] is items


def test_map_hands_on_its_options_and_those_of_a_step(scope):
    asyncio.run(step.map("charge", charge, [1], concurrency=3, key=str, on_error="collect", max_attempts=2))
    assert scope.calls[0][4:] == (
        FanOut("map", concurrency=3, key=str, on_error="collect"),
        StepOptions(max_attempts=2),
    )


def test_for_each_hands_on_its_options(scope):
    asyncio.run(step.for_each("notify", plain, [1], concurrency=50, key=str, on_error="collect", timeout="5s"))
    assert scope.calls[0][4:] == (
        FanOut("for_each", concurrency=50, key=str, on_error="collect"),
        StepOptions(timeout=5.0),
    )


def test_batch_hands_on_its_options(scope):
    asyncio.run(step.batch("insert", plain, [1], batch_size=500, executor="cpu"))
    asyncio.run(step.batch("insert", plain, [1], on_error="collect"))
    assert scope.calls[0][4:] == (FanOut("batch", concurrency=1, batch_size=500), StepOptions(executor="cpu"))
    assert scope.calls[1][4] == FanOut("batch", concurrency=1, batch_size=20, on_error="collect")


class Numbered:
    def __getitem__(self, number):
        if number > 2:
            raise IndexError
        return number


@each_call
@pytest.mark.parametrize(
    "items",
    [[], (1,), {1}, {"a": 1}, range(3), rows(), pages(), map(str, [1]), Numbered()],
    ids=lambda i: type(i).__name__,
)
def test_whatever_can_be_iterated_over_may_be_the_items(scope, kind, items):
    asyncio.run(CALLS[kind]("name", charge, items))
    assert scope.calls[0][3] is items


@each_call
@pytest.mark.parametrize("items", ["abc", b"abc", bytearray(b"abc")])
def test_text_is_refused_as_items(scope, kind, items):
    with pytest.raises(DefinitionError) as caught:
        CALLS[kind]("name", charge, items)
    assert str(caught.value) == (
        f'step.{kind}("name", …) got a {type(items).__name__} as its items, and would go through it character by '
        f"character. Pass a list, or list(…) if that is what you mean."
    )


@each_call
@pytest.mark.parametrize(
    ("items", "message"),
    [
        (3, "got items of type int, which cannot be iterated over. Pass an iterable or an async iterable."),
        (None, "got items of type NoneType, which cannot be iterated over. Pass an iterable or an async iterable."),
        (rows, "got items of type function, which cannot be iterated over. Call it: rows(…)."),
        (pages, "got items of type function, which cannot be iterated over. Call it: pages(…)."),
    ],
)
def test_what_cannot_be_iterated_over_is_refused(scope, kind, items, message):
    with pytest.raises(DefinitionError) as caught:
        CALLS[kind]("name", charge, items)
    assert str(caught.value) == f'step.{kind}("name", …) {message}'


@each_call
def test_a_coroutine_as_items_is_refused_and_closed(scope, kind):
    coroutine = charge("user")
    with pytest.raises(
        DefinitionError, match=r"got items of type coroutine, .* Await it first: items = await charge\("
    ):
        CALLS[kind]("name", charge, coroutine)
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED


@each_call
def test_a_bad_handler_is_refused(scope, kind):
    coroutine = charge("user")
    with pytest.raises(DefinitionError) as caught:
        CALLS[kind]("name", coroutine, [1])
    assert str(caught.value).endswith(f'Pass the function and its arguments: step.{kind}("name", charge, …).')
    with pytest.raises(DefinitionError, match="rows, which is a generator function"):
        CALLS[kind]("name", rows, [1])
    with pytest.raises(InvalidOption, match="the handler is async"):
        CALLS[kind]("name", charge, [1], executor="cpu")


@each_call
def test_a_bad_name_is_refused(scope, kind):
    with pytest.raises(InvalidName):
        CALLS[kind]("", charge, [1])


@each_call
def test_outside_a_workflow_the_error_names_the_call(kind):
    with pytest.raises(NotInWorkflow, match=rf'^step\.{kind}\("name", …\) was called outside'):
        CALLS[kind]("name", charge, [1])


@pytest.mark.parametrize(
    ("kinds", "options", "message"),
    [
        ("map for_each", {"concurrency": 0}, "concurrency=0: it is at least 1."),
        ("map for_each", {"concurrency": 1.5}, "concurrency=1.5: it is a whole number, not float."),
        ("batch", {"batch_size": 0}, "batch_size=0: it is at least 1."),
        ("map for_each batch", {"on_error": "ignore"}, 'on_error=\'ignore\': it is "fail" or "collect".'),
        ("map for_each batch", {"on_error": None}, 'on_error=None: it is "fail" or "collect".'),
        ("map for_each batch", {"on_error": []}, 'on_error=[]: it is "fail" or "collect".'),
        ("map for_each", {"key": "id"}, "key='id': it is a function of one item, not str."),
        ("map for_each batch", {"max_attempts": 0}, "max_attempts=0: it is at least 1."),
        ("map for_each batch", {"timeout": -1}, "timeout=-1: a duration is finite and not negative."),
    ],
)
def test_a_bad_option_is_refused(scope, kinds, options, message):
    for kind in kinds.split():
        with pytest.raises(InvalidOption) as caught:
            CALLS[kind]("name", charge, [1], **options)
        assert str(caught.value) == message
    assert not scope.calls


def test_an_async_key_is_refused(scope):
    with pytest.raises(InvalidOption, match="it is a plain function of one item, not an async one"):
        step.map("name", charge, [1], key=charge)


@pytest.mark.parametrize(
    ("kind", "option", "known"),
    [
        ("map", "batch_size", "concurrency, key, on_error, max_attempts, retry"),
        ("for_each", "batch_size", "concurrency, key, on_error, max_attempts, retry"),
        ("batch", "concurrency", "batch_size, on_error, max_attempts, retry"),
        ("batch", "key", "batch_size, on_error, max_attempts, retry"),
    ],
)
def test_an_unknown_option_is_a_type_error_that_lists_the_known_ones(scope, kind, option, known):
    with pytest.raises(TypeError) as caught:
        CALLS[kind]("name", charge, [1], **{option: 3})
    assert str(caught.value).startswith(
        f"step.{kind}(\"name\", …) got an unknown option '{option}'. Its options are {known}, "
    )
