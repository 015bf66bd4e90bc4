"""The names of steps in helpers: each call has its own, made of what it gives the parameters."""

import pytest

from flowgraph import Graph, compile_source
from flowgraph.model.plan import Plan

HELPERS = """
from flowgraph import step, workflow
RATE = "rate"
async def charge(who, kind="card", n=3):
    await step(f"{kind}-{who}", f)
async def sized(n, *rest, **more):
    await step(f"size-{n}", f)
    await step(f"twice-{2 * n}-{n!r}-{n:>3}", f)
async def changed(who):
    who = who.strip()
    await step(f"changed-{who}", f)
async def outer(name):
    await charge(f"o-{name}")
async def again(n):
    await step(f"again-{n}", f)
    if n:
        await again(n - 1)
async def parent(who):
    async def handler():
        await step(f"below-{who}", f)
    await step("parent", handler)
"""


def graph_of(body: str) -> Graph:
    lines = "\n    ".join(body.splitlines())
    [graph] = compile_source(f"{HELPERS}\n@workflow\nasync def flow(user, xs):\n    {lines}\n")
    return graph


NAMES = [
    ('await charge("buyer")\nawait charge("seller")', ["card-buyer", "card-seller"]),
    ("await charge(user.id)", ["card-{user.id}"]),
    ('await charge(user.id, kind=f"k-{user.name}")', ["k-{user.name}-{user.id}"]),
    ("await charge(who=RATE)", ["card-rate"]),
    ("for x in xs:\n    await charge(x)", ["card-{x}"]),
    ("await outer(user.id)", ["card-o-{user.id}"]),
    ("await sized(7)", ["size-7", "twice-{2 * 7}-{7!r}-{7:>3}"]),
    ("await sized(user.n + 1)", ["size-{user.n + 1}", "twice-{2 * (user.n + 1)}-{user.n + 1!r}-{user.n + 1:>3}"]),
    ("await sized(*xs)", ["size-{n}", "twice-{2 * n}-{n!r}-{n:>3}"]),
    ("await changed(user.id)", ["changed-{who}"]),
    ("await again(3)", ["again-{n}"]),
    ('await parent("a")', ["parent", "below-a"]),
    ('await charge("{x}")', ["card-{{x}}"]),
]


@pytest.mark.parametrize(("body", "names"), NAMES)
def test_a_step_of_a_helper_has_the_name_that_it_has_in_its_call(body: str, names: list[str]) -> None:
    assert [node.name for node in graph_of(body).steps] == names


def test_a_path_is_made_of_the_names_of_the_call() -> None:
    assert [node.path for node in graph_of('await parent("a/b")').steps] == ["parent", "parent/below-a%2Fb"]


def test_each_call_of_a_helper_has_nodes_of_its_own() -> None:
    graph = graph_of('await charge("buyer")\nawait charge(user.id)')
    plan = Plan(graph.nodes)
    first, second = (node.id for node in graph.steps)
    assert plan.node("card-buyer", "step") == first
    assert plan.node("card-7", "step") == second


def test_another_argument_is_another_graph() -> None:
    assert graph_of('await charge("buyer")').fingerprint != graph_of('await charge("customer")').fingerprint


def test_braces_in_a_name_are_no_hole() -> None:
    [text], [hole] = (graph_of(f'await step({mark}"x-{{user}}", f)').steps for mark in ("", "f"))
    assert (text.path, hole.path) == ("x-{{user}}", "x-{user}")
    plan = Plan([text])
    assert plan.node("x-{user}", "step") == text.id
    assert plan.node("x-7", "step") == ""
