"""What new code would do to an open run, by what the run has done: with its graph, and without."""

from __future__ import annotations

import pytest

from flowgraph import Graph, compile_source
from flowgraph.model.checkpoint import CANCELLED, COMPLETED, FAILED, RETRYING, STARTED, WAITING
from flowgraph.model.difference import Done, Hazards, OpenRun
from flowgraph.model.difference.observed import observed

HEAD = """
from flowgraph import step, workflow

async def sub(n):
    await step("weigh", weigh, n)

@workflow
async def order(n=1, xs=()):
"""
FETCH, CHARGE, SHIP = (f"await step('{name}', f)\n" for name in ("fetch", "charge", "ship"))
PAGES = "for n in xs:\n  await step(f'page-{n}', f)\n"


def graph(body: str) -> Graph:
    [made] = compile_source(HEAD + "".join(f"    {line}\n" for line in body.splitlines()))
    return made


def done(*steps: str | tuple[str, str] | tuple[str, str, str]) -> tuple[Done, ...]:
    """Steps by their paths, or (path, kind), or (path, kind, state)."""
    return tuple(Done(one, "step") if isinstance(one, str) else Done(*one) for one in steps)


def harmed(old: str | None, new: str, steps: tuple[Done, ...]) -> list[str]:
    """The changes that would harm a run, as text."""
    run = OpenRun("r", "order", steps, None if old is None else graph(old))
    found = Hazards([graph(new)]).of(run)
    return [f"{change.kind} {change.path_old} > {change.path_new}" for change in found]


KNOWN = [
    (
        "it has done the step",
        FETCH + CHARGE,
        FETCH + "await step('pay', f)",
        done("fetch", "charge"),
        ["renamed charge > pay"],
    ),
    ("it has not reached it", FETCH + CHARGE, FETCH + "await step('pay', f)", done("fetch"), []),
    ("it has done nothing", FETCH, "await step('pay', f)", (), []),
    ("the step failed", FETCH, "await step('pay', f)", done(("fetch", "step", FAILED)), ["renamed fetch > pay"]),
    ("the step is to be tried again", FETCH, "await step('pay', f)", done(("fetch", "step", RETRYING)), []),
    (
        "an at-most-once body is under way",
        FETCH,
        "await step('pay', f)",
        done(("fetch", "step", STARTED)),
        ["renamed fetch > pay"],
    ),
    (
        "it sleeps there",
        "await step.sleep('a', 5)",
        "await step.sleep('b', 5)",
        done(("a", "sleep", WAITING)),
        ["renamed a > b"],
    ),
    (
        "its wait was cancelled",
        "await step.sleep('a', 5)",
        "await step.sleep('b', 5)",
        done(("a", "sleep", CANCELLED)),
        [],
    ),
    ("a step gone", FETCH + CHARGE, FETCH, done("fetch", "charge"), []),
    (
        "a step moved",
        FETCH,
        "async def g():\n  " + FETCH + "await step('p', g)",
        done("fetch"),
        ["moved fetch > p/fetch"],
    ),
    (
        "only a step inside it is done",
        "await step('p', sub)",
        "await step('q', sub)",
        done(("p", "step", STARTED), "p/weigh"),
        ["renamed p > q"],
    ),
    (
        "an item is done",
        "await step.map('m', f, xs)",
        "await step.map('k', f, xs)",
        done(("m", "map", STARTED), "m[0]"),
        ["renamed m > k"],
    ),
    (
        "a step of an item",
        "await step.map('m', sub, xs)",
        "await step.map('k', sub, xs)",
        done(("m", "map", STARTED), ("m[0]", "step", STARTED), "m[0]/weigh"),
        ["renamed m > k"],
    ),
    ("a value in the name", PAGES, PAGES.replace("page", "sheet"), done("page-7"), ["renamed page-{n} > sheet-{n}"]),
    ("the name as it is now", PAGES, "await step('page-7', f)", done("page-7"), []),
    ("a name as it is no longer", PAGES, "await step('page-7', f)", done("page-8"), ["renamed page-{n} > page-7"]),
    ("another kind", FETCH, "await step.sleep('fetch', 5)", done("fetch"), ["kind-changed fetch > fetch"]),
    ("another kind, not reached", CHARGE + FETCH, CHARGE + "await step.sleep('fetch', 5)", done("charge"), []),
    (
        "another kind, to be tried again",
        FETCH,
        "await step.sleep('fetch', 5)",
        done(("fetch", "step", RETRYING)),
        ["kind-changed fetch > fetch"],
    ),
    (
        "a key in the middle",
        "await step.map('m', f, xs)",
        "await step.map('m', f, xs, key=str)",
        done(("m", "map", STARTED), "m[0]"),
        ["options m > m"],
    ),
    (
        "a key, all done",
        "await step.map('m', f, xs)",
        "await step.map('m', f, xs, key=str)",
        done(("m", "map"), "m[0]"),
        [],
    ),
    (
        "a key, not reached",
        FETCH + "await step.map('m', f, xs)",
        FETCH + "await step.map('m', f, xs, key=str)",
        done("fetch"),
        [],
    ),
    (
        "batches without a row of their own",
        "await step.batch('b', f, xs)",
        "await step.batch('b', f, xs, batch_size=3)",
        done(("b", "map", STARTED), "b[0]"),
        ["options b > b"],
    ),
    ("a step that the graph did not know", FETCH, "await step('pay', f)", done("unplanned"), []),
    ("a message", "await step.progress('half')", "await step.progress('most')", done(("half", "progress")), []),
]


@pytest.mark.parametrize(
    ("old", "new", "steps", "changes"), [case[1:] for case in KNOWN], ids=[case[0] for case in KNOWN]
)
def test_a_run_is_harmed_by_what_it_has_come_to(
    old: str, new: str, steps: tuple[Done, ...], changes: list[str]
) -> None:
    assert harmed(old, new, steps) == changes


UNKNOWN = [
    ("it is as it was", FETCH + CHARGE, done("fetch"), []),
    (
        "a like name",
        FETCH + "await step('charge-card', f)\n" + SHIP,
        done("fetch", "charge"),
        ["renamed charge > charge-card"],
    ),
    (
        "a name between two steps that are done",
        FETCH + "await step('pay', f)\n" + SHIP,
        done("fetch", "charge", "ship"),
        ["renamed charge > pay"],
    ),
    ("a step gone", FETCH + SHIP + "await step('thank', f)", done("fetch", "charge"), []),
    ("the last name of all", FETCH + "await step('pay', f)", done("fetch", "charge"), ["renamed charge > pay"]),
    ("a step moved", "async def g():\n  " + FETCH + "await step('p', g)", done("fetch"), ["moved fetch > p/fetch"]),
    ("another kind", "await step.sleep('fetch', 5)", done("fetch"), ["kind-changed fetch > fetch"]),
    ("names with values", PAGES, done("page-1", "page-2"), []),
    (
        "steps of items",
        "await step.map('m', sub, xs)",
        done(("m", "map", STARTED), ("m[0]", "step", STARTED), "m[0]/weigh"),
        [],
    ),
    (
        "a step of an item renamed",
        "async def g(n):\n  await step('weigh-it', f)\nawait step.map('m', g, xs)",
        done(("m", "map", STARTED), ("m[0]", "step", STARTED), "m[0]/weigh"),
        ["renamed m[{index}]/weigh > m[{index}]/weigh-it"],
    ),
    ("nothing done", FETCH, (), []),
]


@pytest.mark.parametrize(("new", "steps", "changes"), [case[1:] for case in UNKNOWN], ids=[case[0] for case in UNKNOWN])
def test_without_its_graph_a_run_is_judged_by_its_steps(new: str, steps: tuple[Done, ...], changes: list[str]) -> None:
    assert harmed(None, new, steps) == changes


def test_a_workflow_that_is_gone_harms_each_of_its_runs() -> None:
    [change] = Hazards([]).of(OpenRun("r", "order"))
    assert (change.kind, change.path_old, change.breaks) == ("removed", "", True)


def test_what_is_observed_has_the_names_of_the_new_graph() -> None:
    made = observed(OpenRun("r", "order", done("fetch", "page-1", "page-2", "old")), graph(FETCH + PAGES))
    assert [(node.kind, node.path) for node in made.nodes] == [("step", "fetch"), ("step", "page-{n}"), ("step", "old")]


def test_the_states_are_those_of_checkpoints() -> None:
    counted = [Done("a", "step", state).counts for state in (COMPLETED, FAILED, WAITING, STARTED, RETRYING, CANCELLED)]
    assert counted == [True, True, True, True, False, False]
