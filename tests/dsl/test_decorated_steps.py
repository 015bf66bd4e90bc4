"""`@step("name")`: functions and methods that run as steps when they are called."""

import asyncio
import copy
import functools
import inspect

import pytest

from flowgraph.dsl import function_of, is_async, step
from flowgraph.errors import DefinitionError, InvalidName, InvalidOption, NotInWorkflow
from flowgraph.model import StepOptions


@step("fetch-page", max_attempts=10, timeout="30s")
async def fetch_page(number: int, *, lang: str = "en") -> str:
    """Fetch one page."""
    return f"{number} {lang}"


@step("count-words")
def count_words(text):
    return len(text.split())


class Shop:
    name = "shop"

    @step("charge")
    async def charge(self, cents, *, currency="EUR"):
        return self.name, cents, currency

    @step("pack")
    def pack(self, items):
        return self.name, items

    @classmethod
    @step("open")
    async def open(cls, day):
        return cls, day

    @staticmethod
    @step("greet")
    async def greet(who):
        return who


def test_calling_it_runs_the_function_as_that_step(scope):
    scope.answer = "page"
    assert asyncio.run(fetch_page(3)) == "page"
    assert scope.calls == [("step", "fetch-page", fetch_page.fn, (3,), StepOptions(max_attempts=10, timeout=30.0))]


def test_a_plain_function_becomes_a_coroutine_too(scope):
    call = count_words("a b")
    assert inspect.iscoroutine(call)
    asyncio.run(call)
    assert scope.calls[0][2] is count_words.fn


def test_keyword_arguments_go_to_the_function(scope):
    asyncio.run(fetch_page(3, lang="de"))
    _, name, handler, args, _ = scope.calls[0]
    assert (name, args) == ("fetch-page", (3,))
    assert (handler.func, handler.keywords) == (fetch_page.fn, {"lang": "de"})
    assert asyncio.run(handler(*args)) == "3 de"


def test_it_can_be_called_under_another_name(scope):
    asyncio.run(fetch_page.named("fetch-7")(7))
    assert scope.calls == [("step", "fetch-7", fetch_page.fn, (7,), fetch_page.options)]
    assert fetch_page.name == "fetch-page"
    with pytest.raises(InvalidName, match="it is empty"):
        fetch_page.named("")


def test_a_method_is_bound_to_its_instance(scope):
    shop = Shop()
    asyncio.run(shop.charge(5, currency="USD"))
    _, name, handler, args, _ = scope.calls[0]
    assert name == "charge"
    assert asyncio.run(handler(*args)) == ("shop", 5, "USD")
    asyncio.run(shop.pack.named("pack-2")(["a"]))
    _, name, handler, args, _ = scope.calls[1]
    assert (name, handler(*args)) == ("pack-2", ("shop", ["a"]))


def test_a_method_can_be_called_on_its_class(scope):
    asyncio.run(Shop.pack(Shop(), ["a"]))
    _, name, handler, args, _ = scope.calls[0]
    assert (name, handler(*args)) == ("pack", ("shop", ["a"]))


def test_class_methods_and_static_methods_work_with_step_below(scope):
    asyncio.run(Shop.open("monday"))
    asyncio.run(Shop().greet("you"))
    bodies = [asyncio.run(handler(*args)) for _, _, handler, args, _ in scope.calls]
    assert bodies == [(Shop, "monday"), "you"]


def test_it_can_be_the_handler_of_another_step(scope):
    asyncio.run(step("outer", fetch_page, 1))
    asyncio.run(step.map("pages", fetch_page, [1, 2]))
    assert [call[:3] for call in scope.calls] == [("step", "outer", fetch_page), ("fan_out", "pages", fetch_page)]


def test_it_keeps_what_a_function_tells_of_itself():
    assert fetch_page.__name__ == "fetch_page"
    assert fetch_page.__doc__ == "Fetch one page."
    assert fetch_page.__module__ == __name__
    assert fetch_page.__wrapped__ is fetch_page.fn
    assert list(inspect.signature(fetch_page).parameters) == ["number", "lang"]
    assert repr(fetch_page) == f"<step 'fetch-page' ({__name__}.fetch_page)>"


def test_its_own_attributes_win_over_those_of_the_function():
    async def load():
        pass

    load.name = "something else"
    assert step("load")(load).name == "load"


def test_the_function_can_be_called_without_a_step():
    assert asyncio.run(fetch_page.fn(1)) == "1 en"


def test_outside_a_workflow_the_error_names_the_step():
    with pytest.raises(NotInWorkflow, match=r'^step\("fetch-page", …\) was called outside'):
        fetch_page(1)


def test_a_copy_is_the_step_itself():
    assert copy.deepcopy(fetch_page) is fetch_page


def test_a_bad_name_or_option_is_refused_at_the_decorator():
    with pytest.raises(InvalidName):
        step("")
    with pytest.raises(InvalidOption):
        step("a", max_attempts=0)


def test_an_async_function_is_refused_with_an_executor_at_the_decorator():
    with pytest.raises(InvalidOption, match="the handler is async"):

        @step("crunch", executor="cpu")
        async def crunch():
            pass


def test_a_step_is_refused_with_an_executor(scope):
    with pytest.raises(InvalidOption, match=r"the handler is a step, .* pass count_words\.fn"):
        step("a", count_words, "x", executor="cpu")


@pytest.mark.parametrize("kind", [staticmethod, classmethod])
def test_the_order_of_decorators_is_explained(kind):
    with pytest.raises(DefinitionError) as caught:
        step("a")(kind(lambda: 1))
    name = kind.__name__
    assert str(caught.value) == f'@step("a") is written above @{name}. Write it below: first @{name}, then @step("a").'


def test_a_class_cannot_be_decorated():
    with pytest.raises(DefinitionError) as caught:
        step("a")(Shop)
    assert str(caught.value) == '@step("a") decorates the class Shop. A step is a function or a method.'


def test_a_generator_function_cannot_be_decorated():
    with pytest.raises(
        DefinitionError, match=r'^@step\("rows"\) got the handler .*rows, which is a generator function'
    ):

        @step("rows")
        def rows():
            yield 1


class Both:
    async def __call__(self):
        pass


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (fetch_page.fn, True),
        (count_words.fn, False),
        (fetch_page, True),
        (count_words, True),
        (functools.partial(fetch_page.fn, 1), True),
        (functools.partial(count_words, "a"), True),
        (Shop().charge.fn, True),
        (Shop().pack.fn, False),
        (Both(), True),
        (Both, False),
        (len, False),
        (lambda: fetch_page(1), False),
    ],
)
def test_async_handlers_are_told_from_plain_ones(handler, expected):
    assert is_async(handler) is expected


def test_the_function_behind_a_handler_is_found():
    assert function_of(fetch_page) is fetch_page.fn
    assert function_of(functools.partial(fetch_page, lang="de")) is fetch_page.fn
    assert function_of(Shop().charge) is Shop.charge.fn
    assert function_of(Both()) is Both.__call__
    assert function_of(Both) is Both
    assert function_of(len) is len
