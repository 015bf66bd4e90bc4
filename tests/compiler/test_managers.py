"""Context managers of the project: what they do at their ends, and whether exceptions end in them."""

import networkx
import pytest

from flowgraph import Graph, compile_source

MANAGERS = """
import contextlib
from contextlib import contextmanager
from flowgraph import step, workflow
@contextmanager
def quiet():
    try:
        yield
    except ValueError:
        pass
@contextlib.asynccontextmanager
async def quieter():
    with contextlib.suppress(KeyError):
        yield
@contextmanager
def timed():
    yield
class Swallows:
    def __exit__(self, kind, error, traceback):
        return kind is ValueError
class Lets:
    def __exit__(self, *_):
        return False
class Steps:
    async def __aenter__(self):
        await step("open", f)
    async def __aexit__(self, *_):
        await step("close", f)
suppressing = contextlib.suppress(KeyError)
"""


def graph_of(body: str) -> Graph:
    lines = "\n    ".join(body.splitlines())
    [graph] = compile_source(f"{MANAGERS}\n@workflow\nasync def flow():\n    {lines}\n")
    return graph


def has_way_past_a_raise(graph: Graph) -> bool:
    after = next(node for node in graph.nodes if node.name == "after")
    return any(edge.target == after.id for edge in graph.edges)


@pytest.mark.parametrize(
    ("manager", "swallows"),
    [
        ("with quiet():", True),
        ("async with quieter():", True),
        ("with Swallows():", True),
        ("with suppressing:", True),
        ("with contextlib.suppress(ValueError):", True),
        ("with timed():", False),
        ("with Lets():", False),
        ("with open('x'):", False),
    ],
)
def test_what_is_raised_may_end_in_a_manager(manager: str, swallows: bool) -> None:
    graph = graph_of(f'{manager}\n    await step("in", f)\n    raise ValueError\nawait step("after", f)')
    assert has_way_past_a_raise(graph) is swallows


def test_the_steps_of_a_manager_are_around_those_of_its_block() -> None:
    graph = graph_of('async with Steps() as it:\n    await step("in", f)\nawait step("after", f)')
    assert [node.name for node in graph.steps] == ["open", "in", "close", "after"]
    assert [node.kind for node in graph.nodes if node.kind == "finally"] == ["finally"]


def test_several_clauses_of_one_group_may_run() -> None:
    clauses = 'except* ValueError:\n    await step("b", f)\nexcept* KeyError:\n    await step("c", f)'
    graph = graph_of(f'try:\n    await step("a", f)\n{clauses}')
    ways = graph.to_networkx()
    _, b, c = (node.id for node in graph.steps)
    assert networkx.has_path(ways, b, c)
    assert not networkx.has_path(ways, c, b)


@pytest.mark.parametrize(
    "body",
    [
        "h = sub if c else f\nawait step('p', h)",
        "h = f\nif c:\n    h = sub\nawait step('p', h)",
        "table = {1: f, 2: sub}\nawait step('p', table[c])",
        "await step('p', sub if c else f)",
    ],
)
def test_a_handler_that_may_have_steps_is_unknown(body: str) -> None:
    lines = "\n    ".join(body.splitlines())
    text = f"{MANAGERS}\nasync def sub():\n    await step('sub', f)\n@workflow\nasync def flow(c):\n    {lines}\n"
    [graph] = compile_source(text)
    [unknown] = [node for node in graph.nodes if node.kind == "unknown"]
    assert graph.node(unknown.parent or "").name == "p"


def test_a_handler_without_steps_may_be_any() -> None:
    assert graph_of("h = f if c else print\nawait step('p', h)").is_complete
