"""Changed code under a run in flight: what the verdict says is what the run does."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from flowgraph import Graph, RunFailed, Workflow, compile_source
from flowgraph.model.difference import Done, Hazards, OpenRun
from tests.runtime.support import opened, reached

HEAD = """
from flowgraph import step, workflow

async def did(label):
    calls.append(label)

async def deliver():
    await step("pack", did, "pack")
    await step("carry", did, "carry")

async def tell(n):
    if n == 2:
        await step.listen("go")
    calls.append(f"tell {n}")

async def tell_all(numbers):
    if numbers == [2, 3]:
        await step.listen("go")
    calls.append(f"tell {numbers}")

@workflow(name="order")
async def order():
"""
CHARGE, DELIVER = 'await step("charge", did, "charge")\n', 'await step("deliver", deliver)\n'
GO, THANK = 'await step.listen("go")\n', 'await step("thank", did, "thank")\n'
OLD = CHARGE + DELIVER + GO + THANK

CASES: list[tuple[str, str, str, set[str]]] = [
    ("nothing", OLD, OLD, set()),
    ("added before", OLD, 'await step("audit", did, "audit")\n' + OLD, set()),
    ("added behind", OLD, CHARGE + DELIVER + 'await step("audit", did, "audit")\n' + GO + THANK, set()),
    ("removed", OLD, DELIVER + GO + THANK, set()),
    ("reordered", OLD, DELIVER + CHARGE + GO + THANK, set()),
    ("a condition", OLD, CHARGE + DELIVER + GO + f"if calls:\n    {THANK}", set()),
    ("an option", OLD, OLD.replace('"charge")', '"charge", max_attempts=9)'), set()),
    ("renamed where the run has not been", OLD, OLD.replace('step("thank"', 'step("say-thanks"'), set()),
    ("renamed", OLD, OLD.replace('step("charge"', 'step("charge-card"'), {"charge"}),
    ("a parent renamed", OLD, OLD.replace('step("deliver"', 'step("send"'), {"pack", "carry"}),
    ("moved out of its parent", OLD, OLD.replace(DELIVER, "await deliver()\n"), {"pack", "carry"}),
    ("made dynamic", OLD, 'n = "7"\n' + OLD.replace('step("charge"', 'step(f"charge-{n}"'), {"charge"}),
    ("another kind", OLD, OLD.replace(CHARGE, 'await step.sleep("charge", 0)\n'), {"paused"}),
    ("a key", 'await step.map("all", tell, [1, 2])', 'await step.map("all", tell, [1, 2], key=str)', {"tell 1"}),
    ("no key", 'await step.map("all", tell, [1, 2], key=str)', 'await step.map("all", tell, [1, 2])', {"failed"}),
    (
        "the size of batches",
        'await step.batch("all", tell_all, [0, 1, 2, 3], batch_size=2)',
        'await step.batch("all", tell_all, [0, 1, 2, 3], batch_size=3)',
        {"failed"},
    ),
]


def code(body: str, calls: list[str]) -> tuple[Workflow[..., Any], Graph]:
    text = HEAD + "".join(f"    {line}\n" for line in body.splitlines())
    names: dict[str, Any] = {"calls": calls, "__name__": "changed_code"}
    exec(compile(text, "<order>", "exec"), names)
    [graph] = compile_source(text)
    return names["order"], graph


@pytest.mark.parametrize(("before", "after", "harm"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_run_goes_on_as_the_verdict_says(before: str, after: str, harm: set[str], tmp_path: Path) -> None:
    calls: list[str] = []
    (old, old_graph), (new, new_graph) = code(before, calls), code(after, calls)
    store = f"sqlite:///{tmp_path}/flows.db"

    async def first() -> OpenRun:
        async with opened(old, store=store) as runtime:
            run = await runtime.start(old, run_id="r")
            await reached(run, "listening")
            return OpenRun("r", "order", tuple(steps_of((await run.describe()).steps)), old_graph)

    async def second() -> set[str]:
        async with opened(new, store=store) as runtime:
            run = await runtime.get("r")
            await run.send("go")
            try:
                if await reached(run, "completed", "failed", "paused") == "paused":
                    return {"paused"}
                await run.result()
            except RunFailed:
                return {"failed"}
        return {label for label, count in Counter(calls).items() if count > 1}

    verdict = Hazards([new_graph]).of(asyncio.run(first()))
    assert asyncio.run(second()) == harm
    assert bool(verdict) == bool(harm)


def steps_of(records: Any) -> list[Done]:
    return [done for one in records for done in (Done(one.path, one.kind, one.state), *steps_of(one.children))]
