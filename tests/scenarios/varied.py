"""A workflow of everything, whose bodies write to a log, and what a process does with it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from flowgraph import (
    ListenTimeout,
    MapFailed,
    RetryPolicy,
    RunFinished,
    Runtime,
    StepFailed,
    step,
    workflow,
)
from flowgraph.stores import Journal
from flowgraph.testing import crash_at
from tests.scenarios.support import log_to, note

RUN_ID = "varied-1"
QUICK = RetryPolicy(initial="10ms", factor=1, jitter=False)


@dataclass(frozen=True)
class Decision:
    """The payload of the event."""

    approved: bool
    by: str


async def doubled(number: int) -> int:
    note()
    await asyncio.sleep(0)
    return 2 * number


def priced(number: int) -> Decimal:
    """A plain handler: it runs in a thread."""
    note()
    return Decimal(number) / 4


def noted(value: Any) -> Any:
    note()
    return value


async def flaky(failures: int) -> str:
    note()
    if step.info().attempt <= failures:
        raise ConnectionError(f"attempt {step.info().attempt}")
    return f"attempt {step.info().attempt}"


async def hopeless() -> None:
    note()
    raise KeyError("nothing")


async def nested(number: int) -> tuple[int, int]:
    note()
    one = await step("inner", doubled, number)
    both = await asyncio.gather(step("left", doubled, one), step("right", noted, one))
    return both[0], both[1]


async def persistent(number: int) -> int:
    """A parent whose first attempt fails after one child has succeeded and another has failed."""
    note()
    good = await step("good", doubled, number)
    try:
        await step("bad", flaky, 0 if step.info().attempt > 1 else 9, max_attempts=1)
    except StepFailed as error:
        raise ConnectionError("the child failed") from error
    return good


async def analysed(text: str) -> dict[str, Any]:
    note()
    size = await step("measure", noted, len(text))
    return {"text": text, "size": size, "index": step.info().index}


def choosy(number: int) -> int:
    note()
    if number == 2:
        raise ValueError("not two")
    return number


def summed(numbers: list[int]) -> int:
    note()
    return sum(numbers)


async def pausing(seconds: float) -> float:
    note()
    await asyncio.sleep(seconds)
    return seconds


@workflow
async def child(number: int) -> int:
    return await step("add-one", noted, number + 1)


async def family(number: int) -> int:
    """A parent step that is suspended while its child run goes on."""
    note()
    before = await step("before", doubled, number)
    return before + await step.execute_workflow("grandchild", child, number)


@workflow(timeout="2m")
async def varied(seed: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    number = found["number"] = await step("number", doubled, seed)
    found["price"] = await step("price", priced, number)
    found["lambda"] = await step("lambda", lambda: noted((number, "a tuple")))
    found["flaky"] = await step("flaky", flaky, 2, retry=QUICK)
    try:
        await step("hopeless", hopeless, max_attempts=2, retry=QUICK)
    except StepFailed as error:
        found["hopeless"] = (error.attempts, error.caused_by(LookupError), str(error), error.__cause__)
    await step.progress("steps", done=1, total=4)
    found["nested"] = await step("nested", nested, number)
    found["persistent"] = await step("persistent", persistent, number, retry=QUICK)
    await step.progress("steps", done=2, total=4)

    found["gathered"] = await asyncio.gather(*(step(f"branch/{index}", doubled, index) for index in range(3)))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(step(f"member-{index}", noted, index)) for index in range(2)]
    found["group"] = [task.result() for task in tasks]
    slow = asyncio.create_task(step("slow", pausing, 0.03))
    fast = asyncio.create_task(step("fast", pausing, 0))
    done, _ = await asyncio.wait({slow, fast}, return_when=asyncio.FIRST_COMPLETED)
    found["first"] = sorted(task.result() for task in done)
    await slow

    found["mapped"] = await step.map("mapped", analysed, ["a", "bb", "ccc"], concurrency=2, key=str)
    try:
        await step.map("choosy", choosy, [1, 2, 3], concurrency=1, max_attempts=1)
    except MapFailed as error:
        found["choosy"] = (str(error), [failure.index for failure in error.failures])
    collected = await step.map("collected", choosy, [1, 2, 3], concurrency=3, max_attempts=1, on_error="collect")
    found["collected"] = [repr(item) for item in collected]
    found["batched"] = await step.batch("batched", summed, range(5), batch_size=2)
    await step.progress("steps", done=3, total=4)

    await step.sleep("short", "15ms")
    await step.sleep("long", "1.05s")
    found["decision"] = repr(await step.listen("decision", event="decided", returns=Decision))
    try:
        await step.listen("second decision", event="decided", timeout="30ms")
    except ListenTimeout as error:
        found["second"] = str(error)

    found["child"] = await step.execute_workflow("child", child, number)
    run_id = found["run_id"] = await step.start_workflow("start", child, 100)
    found["waited"] = await step.wait_for_workflow("wait", run_id)
    found["family"] = await step("family", family, number)
    found["again"] = await step("number", doubled, -1)
    found["twice"] = await asyncio.gather(step("twice", pausing, 0.001), step("twice", pausing, 0.001))
    return found


async def execute(store: str, durability: Literal["full", "relaxed"] = "full") -> str:
    """Start the run, or continue it, and wait for its end; what a process does that may be killed at any moment."""
    async with Runtime(store, durability=durability) as runtime:
        run = await runtime.start(varied, 7, run_id=RUN_ID)
        try:
            await run.send("decided", {"approved": True, "by": "Ada"}, id="decision-1")
        except RunFinished:
            pass
        return repr(await run.result())


def attempt(
    store: str,
    log: str,
    durability: Literal["full", "relaxed"] = "full",
    crash: int | None = None,
    when: Literal["before", "after"] = "after",
) -> dict[str, Any]:
    """The life of one process."""
    log_to(log)
    with counted() as commits, nullcontext() if crash is None else crash_at(crash, when):
        result = asyncio.run(execute(store, durability))
    return {"result": result, "commits": len(commits)}


@contextmanager
def counted() -> Iterator[list[int]]:
    """Count the commits of this process."""
    commits: list[int] = []

    def fault(place: str, number: int) -> None:
        if place == "after-commit":
            commits.append(number)

    previous, Journal.fault = Journal.fault, staticmethod(fault)
    try:
        yield commits
    finally:
        Journal.fault = previous
