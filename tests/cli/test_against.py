"""New code against the open runs of a real store: those that it would harm, and those that it would not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from flowgraph import Client, Graph, Run, Runtime, compile_source, step, workflow
from flowgraph.cli.against import harms
from flowgraph.lint.against import Breakage
from flowgraph.testing import VirtualClock
from tests.cli.shell import Here
from tests.runtime.support import reached

HEAD = "from flowgraph import step, workflow\n@workflow\nasync def order(wait_first):\n    "
SAME = """if wait_first:
        await step.listen("begin")
    await step("charge", charge)
    await step.map("notify", notify, range(3))
    await step.listen("done")
"""


def code(*changes: tuple[str, str]) -> Graph:
    """The graph of the workflow below, changed."""
    text = SAME
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return compile_source(HEAD + text)[0]


@workflow
async def order(wait_first: bool) -> None:
    if wait_first:
        await step.listen("begin")
    await step("charge", lambda: None)
    await step.map("notify", lambda n: None, range(3))
    await step.listen("done")


@pytest.fixture
def store(folder: Path) -> str:
    """A store with three runs: one before the first step, one after both, and one that has ended."""

    async def fill() -> None:
        async with Runtime(url, workflows=[order], clock=VirtualClock()) as runtime:
            before: Run[Any] = await runtime.start(order, True, run_id="before")
            after: Run[Any] = await runtime.start(order, False, run_id="after")
            ended: Run[Any] = await runtime.start(order, False, run_id="ended")
            for run in (before, after, ended):
                await reached(run, "listening")
            await ended.send("done")
            await ended.result()

    url = f"sqlite:///{folder}/flows.db"
    asyncio.run(fill())
    return url


def asked(store: str, ask: Callable[[Client], Awaitable[list[Breakage]]]) -> list[Breakage]:
    async def asking() -> list[Breakage]:
        async with Client(store) as client:
            return await ask(client)

    return asyncio.run(asking())


@pytest.mark.parametrize(
    ("changes", "harmed"),
    [
        ([], []),
        ([('"charge"', '"charge-card"')], [("renamed", "charge", "charge-card", ("after",))]),
        ([('"begin"', '"begin-now"')], [("renamed", "begin", "begin-now", ("before",))]),
        ([("map", "for_each")], [("kind-changed", "notify", "notify", ("after",))]),
        ([("range(3)", "range(3), key=str")], []),
        ([('step("charge", charge)', 'step.sleep("charge", 1)')], [("kind-changed", "charge", "charge", ("after",))]),
        ([('    await step("charge", charge)\n', "")], []),
        ([('await step("charge"', 'await step("audit", f)\n    await step("charge"')], []),
    ],
)
def test_runs_are_harmed_by_what_they_have_done(
    store: str, changes: list[tuple[str, str]], harmed: list[tuple[Any, ...]]
) -> None:
    found = asked(store, lambda client: harms(client, [code(*changes)]))
    assert [(one.change.kind, one.change.path_old, one.change.path_new, one.runs) for one in found] == harmed


def test_runs_of_other_programs_are_left_alone(store: str) -> None:
    other = compile_source("from flowgraph import step, workflow\n@workflow\nasync def other(): ...\n")
    assert asked(store, lambda client: harms(client, other)) == []


def test_lint_against_a_store_tells_the_runs_that_are_harmed(store: str, here: Here) -> None:
    Path("flow.py").write_text(HEAD + SAME.replace('"charge"', '"charge-card"'), encoding="utf-8")
    done = here("lint", "--against", store, "--output-format", "concise")
    assert 'flow.py:6:11: FG604 step "charge" of order is renamed to "charge-card": ' in done.out
    assert "(open: after)" in done.out


def test_lint_against_a_store_that_is_not_there_says_so(here: Here) -> None:
    Path("flow.py").write_text(HEAD + SAME, encoding="utf-8")
    done = here("lint", "--against", "sqlite:///nowhere.db")
    assert done.code == 2
    assert done.err.startswith("flowgraph: There is no store at ")
