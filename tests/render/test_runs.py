"""A run on its graph: what has become of each step, and the way that it took."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs

from flowgraph import Client, NonRetryable, Run, RunRecord, RunStatus, Runtime, StepFailed, StepRecord, step, workflow
from flowgraph.render import Overlay
from flowgraph.testing import VirtualClock
from tests.render.pictures import Drawn, drawn

NAMES = {"late": "late"}


async def work(*_: Any) -> None: ...


async def refuse() -> None:
    raise NonRetryable("no")


async def stumble() -> None:
    if step.info().attempt < 3:
        raise ValueError("not yet")


@workflow(name="order-7")
async def order(amount: int, items: list[int]) -> str:
    await step("validate", work)
    if amount > 100:
        await step("approve", work)
    for item in items:
        await step(f"reserve-{item}", work)
    try:
        await step("charge", refuse)
    except StepFailed:
        await step("release", work)
    await step("stumble", stumble, max_attempts=7)
    await step.map("ship", work, items)
    await step(NAMES["late"], work)
    await step.listen("delivered")
    await step("close", work)
    return "done"


async def on_its_graph(run: Run[Any], client: Client) -> Drawn:
    graph = await client.graph(run.id)
    assert graph is not None
    return drawn(graph, overlay=Overlay(graph, await run.describe(), datetime.now(UTC)))


def pictures() -> tuple[Drawn, Drawn]:
    """The run while it listens, and when it has ended."""

    async def main() -> tuple[Drawn, Drawn]:
        async with Runtime("sqlite:///:memory:", workflows=[order], clock=VirtualClock()) as runtime:
            run = await runtime.start(order, 50, [1, 2, 3])
            while await run.status() is not RunStatus.LISTENING:
                await asyncio.sleep(0.005)
            before = await on_its_graph(run, runtime)
            await run.send("delivered")
            await run.result()
            return before, await on_its_graph(run, runtime)

    return asyncio.run(main())


def states(picture: Drawn) -> dict[str, str]:
    """The second class of each shape, which is its state."""
    return {picture._end(name): values["class"].split()[1] for name, values in picture.nodes.items()}


def test_each_step_has_its_state() -> None:
    before, after = pictures()
    told = states(before)
    assert {name: told[name] for name in ("validate", "reserve-{item}", "release", "stumble", "ship")} == dict.fromkeys(
        ("validate", "reserve-{item}", "release", "stumble", "ship"), "done"
    )
    assert (told["charge"], told["delivered"]) == ("failed", "listening")
    assert (told["approve"], told["close"], told["end"]) == ("not-run", "not-run", "not-run")
    assert (states(after)["close"], states(after)["end"]) == ("done", "done")


def test_counts_and_attempts_are_told() -> None:
    before, _ = pictures()
    texts = {before._end(name): before.text(name) for name in before.nodes}
    assert "×3" in texts["reserve-{item}"]
    assert "3/3" in texts["ship"]
    assert "attempt 3/7" in texts["stumble"]


def test_the_way_that_was_taken_is_thick_and_no_other() -> None:
    before, _ = pictures()
    taken = {
        (before._end(source), before._end(target))
        for source, target, values in before.edges
        if values.get("color") == "#1a7f37"
    }
    assert {
        ("start", "validate"),
        ("validate", "amount > 100"),
        ("amount > 100", "for item in items"),
        ("for item in items", "reserve-{item}"),
        ("charge", "except StepFailed"),
        ("except StepFailed", "release"),
        ("release", "stumble"),
        ("stumble", "ship"),
    } <= taken
    assert not taken & {("amount > 100", "approve"), ("charge", "stumble"), ("delivered", "close"), ("close", "end")}


def test_what_did_not_run_is_dimmed_and_dashed() -> None:
    before, _ = pictures()
    values = before.nodes[before.named("approve")]
    assert (values["color"], "dashed" in values["style"]) == ("#d0d7de", True)


def test_notebooks_show_a_run(tmp_path: Path) -> None:
    async def main() -> dict[str, str]:
        async with Runtime(f"sqlite:///{tmp_path}/runs.db", workflows=[order], clock=VirtualClock()) as runtime:
            run = await runtime.start(order, 50, [1])
            while await run.status() is not RunStatus.LISTENING:
                await asyncio.sleep(0.005)
            return run._repr_mimebundle_()

    bundle = asyncio.run(main())
    assert "<- delivered" in bundle["text/plain"]
    assert 'class="node listen listening"' in bundle["image/svg+xml"]


def test_a_run_in_memory_shows_its_handle() -> None:
    async def main() -> dict[str, str]:
        async with Runtime("sqlite:///:memory:", workflows=[order], clock=VirtualClock()) as runtime:
            return (await runtime.start(order, 50, [1]))._repr_mimebundle_()

    assert list(asyncio.run(main())) == ["text/plain"]


def test_a_step_that_the_graph_does_not_know_is_drawn_beside_it() -> None:
    async def main() -> RunRecord:
        async with Runtime("sqlite:///:memory:", workflows=[order], clock=VirtualClock()) as runtime:
            return await (await runtime.start(order, 1, [])).describe()

    steps = (
        StepRecord("surprise", "validate/surprise", "step", "completed", 1, None, None, planned=False),
        StepRecord("validate", "validate", "step", "completed", 1, None, None, node="2", planned=True),
    )
    record = attrs.evolve(asyncio.run(main()), steps=steps)
    picture = drawn(order.graph, overlay=Overlay(order.graph, record, datetime.now(UTC)))
    unplanned = picture.nodes[picture.named("validate/surprise")]
    assert (unplanned["class"], unplanned["color"]) == ("unplanned done", "#cf222e")
    assert "dashed" in unplanned["style"]
