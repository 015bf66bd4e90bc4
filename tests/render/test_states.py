"""What a run has made of each node, and which ways it took: real runs, in every state that a step can be in."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest

from flowgraph import NonRetryable, RetryPolicy, Run, RunStatus, StepFailed, step, workflow
from flowgraph.render import Overlay, draw
from flowgraph.testing import VirtualClock
from tests.render.pictures import Drawn, drawn
from tests.runtime.support import AnyWorkflow, opened, settle, until


async def work(*_: Any) -> None: ...


async def refuse(*_: Any) -> None:
    raise NonRetryable("no")


async def stumble(*_: Any) -> None:
    raise ValueError("not yet")


class Told(NamedTuple):
    """A run on its graph, as a picture and as text."""

    picture: Drawn
    tree: str

    def state(self, text: str) -> str:
        return self.picture.nodes[self.picture.named(text)]["class"].split()[1]

    def text(self, text: str) -> str:
        return self.picture.text(self.picture.named(text))

    def taken(self) -> set[tuple[str, str]]:
        """The ways that the run took: from the shape, or from the head of the frame that they leave."""
        return {
            (self.picture._end(values.get("ltail", source).removeprefix("cluster_")), self.picture._end(target))
            for source, target, values in self.picture.edges
            if values.get("color") == "#1a7f37"
        }


async def told(workflow: AnyWorkflow, run: Run[Any]) -> Told:
    overlay = Overlay(workflow.graph, await run.describe(), datetime.now(UTC))
    return Told(drawn(workflow.graph, overlay=overlay), draw(workflow.graph, "txt", None, overlay).decode())


def ended(workflow: AnyWorkflow, *args: Any, also: tuple[AnyWorkflow, ...] = ()) -> Told:
    """A run after its end, however it ended."""

    async def main() -> Told:
        async with opened(workflow, *also) as runtime:
            run = await runtime.start(workflow, *args)
            await until(lambda: is_over(run))
            return await told(workflow, run)

    return asyncio.run(main())


async def is_over(run: Run[Any]) -> bool:
    return (await run.status()).finished


def stopped_at(workflow: AnyWorkflow, status: RunStatus, *args: Any, also: tuple[AnyWorkflow, ...] = ()) -> Told:
    """A run while it has a status. Its clock stands still, so that no wait ends."""

    async def main() -> Told:
        async with opened(workflow, *also, clock=Still()) as runtime:
            run = await runtime.start(workflow, *args)

            async def is_there() -> bool:
                return await run.status() is status

            await until(is_there)
            return await told(workflow, run)

    return asyncio.run(main())


class Still(VirtualClock):
    """A clock on which a wait is never over."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()


# States ---------------------------------------------------------------------------------------------------------------


@workflow
async def waits_long() -> None:
    await step("before", work)
    await step.sleep("rest", "1d")
    await step("after", work)


@workflow
async def listens() -> None:
    await step.listen("answer")


@workflow(name="child-of-a-drawing")
async def child() -> None:
    await step.listen("answer")


@workflow
async def parent() -> None:
    await step.execute_workflow("sub", child)


@workflow(step_retry=RetryPolicy(initial=3600))
async def tries_again() -> None:
    await step("shaky", stumble, max_attempts=5)


STATES: list[tuple[AnyWorkflow, RunStatus, str, str]] = [
    (waits_long, RunStatus.SLEEPING, "rest", "sleeping"),
    (listens, RunStatus.LISTENING, "answer", "listening"),
]


@pytest.mark.parametrize(("flow", "status", "name", "state"), STATES, ids=[row[3] for row in STATES])
def test_a_step_that_waits_says_for_what(flow: AnyWorkflow, status: RunStatus, name: str, state: str) -> None:
    assert stopped_at(flow, status).state(name) == state


def test_a_step_that_waits_for_a_child_is_waiting() -> None:
    async def main() -> Told:
        async with opened(parent, child, clock=Still()) as runtime:
            run = await runtime.start(parent)

            async def is_waiting() -> bool:
                return bool((await run.describe()).waits)

            await until(is_waiting)
            return await told(parent, run)

    found = asyncio.run(main())
    assert found.state("sub") == "waiting"


def test_a_step_between_two_attempts_is_retrying_and_says_which_comes_next() -> None:
    async def main() -> Told:
        async with opened(tries_again, clock=Still()) as runtime:
            run = await runtime.start(tries_again)

            async def has_failed_once() -> bool:
                steps = (await run.describe()).steps
                return bool(steps) and steps[0].state == "retrying"

            await until(has_failed_once)
            return await told(tries_again, run)

    found = asyncio.run(main())
    assert found.state("shaky") == "retrying"
    assert "attempt 2/5" in found.text("shaky")


def test_what_comes_after_a_wait_has_not_run() -> None:
    found = stopped_at(waits_long, RunStatus.SLEEPING)
    assert (found.state("before"), found.state("after")) == ("done", "not-run")
    assert found.taken() == {("start", "before"), ("before", "rest")}


GATE: list[asyncio.Event] = []


async def blocked(number: int = 100) -> None:
    if number >= 37:
        await GATE[0].wait()


@workflow
async def maps() -> None:
    await step.map("all", blocked, list(range(100)), concurrency=5)
    await step("last", blocked)


async def at_work(flow: AnyWorkflow, is_there: Callable[[Run[Any]], Coroutine[Any, Any, bool]]) -> Told:
    GATE[:] = [asyncio.Event()]
    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        await until(lambda: is_there(run))
        await settle()
        found = await told(flow, run)
        GATE[0].set()
        await run.result()
        return found


async def has_37(run: Run[Any]) -> bool:
    steps = (await run.describe()).steps
    return bool(steps) and sum(item.state == "completed" for item in steps[0].children) == 37


def test_a_map_at_work_says_how_many_of_all_its_items_are_done() -> None:
    found = asyncio.run(at_work(maps, has_37))
    assert found.state("all") == "running"
    assert "37/100" in found.text("all")


def test_no_duration_is_negative_where_clocks_differ() -> None:
    found = asyncio.run(at_work(maps, has_37))
    assert not re.search(r"· -\d", found.tree)


# The way --------------------------------------------------------------------------------------------------------------


@workflow
async def turns(n: int) -> None:
    await step("a", work)
    if n > 5:
        await step("b", work)
    elif n > 3:
        await step("c", work)
    await step("z", work)


@workflow
async def optional(n: int) -> None:
    await step("a", work)
    if n > 5:
        await step("b", work)
    await step("z", work)


@pytest.mark.parametrize(
    ("flow", "n", "ways"),
    [
        (turns, 9, {("branch", "b"), ("b", "z")}),
        (turns, 4, {("branch", "c"), ("c", "z")}),
        (turns, 1, {("branch", "z")}),
        (optional, 9, {("n > 5", "b"), ("b", "z")}),
        (optional, 1, {("n > 5", "z")}),
    ],
)
def test_only_the_arm_that_was_taken_is_taken(flow: AnyWorkflow, n: int, ways: set[tuple[str, str]]) -> None:
    head = "branch" if flow is turns else "n > 5"
    assert ended(flow, n).taken() == {("start", "a"), ("a", head), *ways, ("z", "end")}


@workflow
async def loops(n: int) -> None:
    for number in range(n):
        await step(f"item-{number}", work)
    await step("z", work)


def test_a_loop_that_ran_is_entered_and_left() -> None:
    found = ended(loops, 3)
    head = "for number in range(n)"
    assert found.taken() == {
        ("start", head), (head, "item-{number}"), ("item-{number}", head), (head, "z"), ("z", "end"),
    }  # fmt: skip
    assert "×3" in found.text("item-{number}")


def test_a_loop_without_items_is_passed() -> None:
    found = ended(loops, 0)
    head = "for number in range(n)"
    assert (found.state(head), found.state("item-{number}")) == ("done", "not-run")
    assert found.taken() == {("start", head), (head, "z"), ("z", "end")}


async def inner(stop: bool) -> None:
    await step("first", work)
    if stop:
        return
    await step("second", work)


@workflow
async def nests(stop: bool) -> None:
    await step("outer", inner, stop)
    await step("z", work)


@pytest.mark.parametrize("stop", [False, True])
def test_a_step_that_is_done_is_left_whatever_of_its_own_steps_ran(stop: bool) -> None:
    found = ended(nests, stop)
    ways = {("start", "outer"), ("outer", "first"), ("first", "stop"), ("outer", "z"), ("z", "end")}
    assert found.taken() == ways | (set() if stop else {("stop", "second")})
    assert (found.state("stop"), found.state("second")) == ("done", "not-run" if stop else "done")


@workflow
async def recovers(fails: bool) -> None:
    try:
        await step("risky", refuse if fails else work)
    except StepFailed:
        await step("repair", work)
    else:
        await step("praise", work)
    finally:
        await step("tidy", work)
    await step("z", work)


def test_the_way_after_a_failed_step_is_that_of_its_handler() -> None:
    found = ended(recovers, True)
    assert (found.state("risky"), found.state("repair"), found.state("praise")) == ("failed", "done", "not-run")
    taken = found.taken()
    assert {("try", "except StepFailed"), ("except StepFailed", "repair"), ("repair", "finally")} <= taken
    assert not taken & {("risky", "praise"), ("praise", "finally"), ("try", "finally")}


def test_the_way_after_a_step_that_is_done_is_not_that_of_its_handler() -> None:
    found = ended(recovers, False)
    taken = found.taken()
    assert (found.state("except StepFailed"), found.state("repair")) == ("not-run", "not-run")
    assert {("risky", "praise"), ("praise", "finally"), ("finally", "tidy"), ("tidy", "z")} <= taken
    assert not taken & {("try", "except StepFailed"), ("except StepFailed", "repair"), ("repair", "finally")}


@workflow
async def refuses(n: int) -> None:
    await step("a", work)
    if n > 3:
        raise ValueError("too many")
    if n > 1:
        step.fail("too many still")
    await step("z", work)


def test_a_run_that_ended_well_has_taken_no_way_to_a_failure() -> None:
    found = ended(refuses, 1)
    assert {found.state('raise ValueError("too many")'), found.state("fail too many still")} == {"not-run"}
    assert found.taken() == {("start", "a"), ("a", "n > 3"), ("n > 3", "n > 1"), ("n > 1", "z"), ("z", "end")}


@workflow
async def recalls(n: int) -> None:
    await step("a", work)
    if n > 3:
        raise ValueError("too many")


def test_a_raise_at_the_end_of_a_run_that_ended_well_was_not_passed() -> None:
    found = ended(recalls, 1)
    assert found.state('raise ValueError("too many")') == "not-run"
    assert found.taken() == {("start", "a"), ("a", "n > 3"), ("n > 3", "end")}


def test_a_run_that_failed_has_not_come_to_its_end() -> None:
    for n in (2, 4):
        found = ended(refuses, n)
        assert found.state("z") == "not-run"
        assert not {way for way in found.taken() if way[1] in ("z", "end")}


@workflow
async def side_by_side() -> None:
    await asyncio.gather(step("left", work), step("right", work))
    await step("z", work)


def test_what_runs_side_by_side_is_all_taken() -> None:
    assert ended(side_by_side).taken() == {
        ("start", "gather"), ("gather", "left"), ("gather", "right"), ("left", "join"), ("right", "join"),
        ("join", "z"), ("z", "end"),
    }  # fmt: skip


@workflow
async def surprises() -> None:
    await step("a", work)
    await globals()["hidden"]()
    await step("z", work)


async def hidden() -> None:
    await step("<script>", work)


def test_a_step_that_the_graph_does_not_know_is_shown_as_unplanned() -> None:
    found = ended(surprises)
    assert "unplanned done" in [values["class"] for values in found.picture.nodes.values()]
    assert found.text("<script>").startswith("<script>\nunplanned")
    assert found.tree.splitlines()[-1].startswith("!! <script>  unplanned")
