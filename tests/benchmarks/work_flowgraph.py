"""flowgraph's part of W1, W2, W3, W5 and W7. (W4 is resume_flowgraph.py, W6 is one_step_flowgraph.py.)

python work_flowgraph.py W1 --size 1000 --durability relaxed --folder DIR
"""

from __future__ import annotations

import asyncio
import gc
import time
from pathlib import Path
from typing import Any

from measure import (
    FAN_OUT_CONCURRENCY,
    RECORD,
    STARTERS,
    WARM_UP_RUNS,
    LoopStalls,
    Stopwatch,
    emit,
    parse_arguments,
    resident_bytes,
    settled_bytes_on_disk,
)

from flowgraph import RunQuery, RunStatus, Runtime, step, workflow

marks: list[float] = []


async def trivial(number: int) -> int:
    return number


async def kilobyte(number: int) -> dict[str, Any]:
    return RECORD


@workflow
async def in_a_row(steps: int) -> int:
    marks.append(time.perf_counter())
    for number in range(steps):
        await step(f"step-{number}", trivial, number)
        marks.append(time.perf_counter())
    return steps


@workflow
async def three_steps(number: int) -> int:
    for name in ("first", "second", "third"):
        number = await step(name, trivial, number)
    return number


@workflow
async def fan_out(items: int) -> int:
    return len(await step.map("work", trivial, range(items), concurrency=FAN_OUT_CONCURRENCY))


@workflow
async def nap() -> None:
    await step.sleep("nap", "1d")


@workflow
async def large_results(steps: int) -> int:
    for number in range(steps):
        await step(f"step-{number}", kilobyte, number)
    return steps


async def measure_w1(runtime: Runtime, size: int) -> dict[str, float]:
    """One run of `size` steps; the cost of its last tenth over its first tenth."""
    await runtime.run(in_a_row, WARM_UP_RUNS)
    marks.clear()
    with Stopwatch() as watch:
        await runtime.run(in_a_row, size)
    tenth = size // 10
    last_over_first = (marks[-1] - marks[-1 - tenth]) / (marks[tenth] - marks[0])
    return {**watch.figures("step", size), "last_over_first": last_over_first}


async def measure_w2(runtime: Runtime, size: int) -> dict[str, float]:
    """`size` concurrent runs, from the first start to the last result."""
    await asyncio.gather(*(runtime.run(three_steps, number) for number in range(WARM_UP_RUNS)))
    with Stopwatch() as watch:
        results = await asyncio.gather(*(runtime.run(three_steps, number) for number in range(size)))
    assert results == list(range(size))
    return watch.figures("run", size)


async def measure_w3(runtime: Runtime, size: int) -> dict[str, float]:
    """A map over `size` items, while a timer watches the event loop."""
    await runtime.run(fan_out, WARM_UP_RUNS)
    with LoopStalls() as stalls, Stopwatch() as watch:
        assert await runtime.run(fan_out, size) == size
    return {**watch.figures("item", size), **stalls.figures()}


async def measure_w5(runtime: Runtime, size: int, idle_s: float, store: Path) -> dict[str, float]:
    """Put `size` runs to sleep.

    Memory grows from after a warm-up of STARTERS sleeping runs, started in the same way, so that the memory of this
    program's own concurrent callers is in the base.
    """
    await put_to_sleep(runtime, STARTERS)
    gc.collect()
    disk_before, memory_before = settled_bytes_on_disk(store), resident_bytes()
    with Stopwatch() as watch:
        await put_to_sleep(runtime, size)
    gc.collect()
    memory_after = resident_bytes()
    cpu_before = time.process_time()
    await asyncio.sleep(idle_s)
    cpu_s = time.process_time() - cpu_before
    assert await count_sleeping(runtime) == size + STARTERS
    return {
        **watch.figures("run", size),
        "memory_growth_mb": (memory_after - memory_before) / 1e6,
        "memory_bytes_per_run": (memory_after - memory_before) / size,
        "idle_cpu_s": cpu_s * 10 / idle_s,
        "bytes_per_run": (settled_bytes_on_disk(store) - disk_before) / size,
    }


async def put_to_sleep(runtime: Runtime, runs: int) -> None:
    async def start_some(count: int) -> None:
        for _ in range(count):
            await runtime.start(nap)

    await asyncio.gather(*(start_some(runs // STARTERS) for _ in range(STARTERS)))
    for status in (RunStatus.PENDING, RunStatus.RUNNING):
        while await runtime.list(RunQuery(status=status, limit=1)):
            await asyncio.sleep(0.01)


async def count_sleeping(runtime: Runtime) -> int:
    count, after = 0, None
    while page := await runtime.list(RunQuery(status=RunStatus.SLEEPING, limit=1_000, after=after)):
        count += len(page)
        after = page[-1].id
    return count


async def measure_w7(runtime: Runtime, size: int, store: Path) -> dict[str, float]:
    await runtime.run(large_results, 1)
    before = settled_bytes_on_disk(store)
    await runtime.run(large_results, size)
    return {"bytes_per_step": (settled_bytes_on_disk(store) - before) / size}


async def main() -> None:
    arguments = parse_arguments(["W1", "W2", "W3", "W5", "W7"])
    size, store = arguments.size, arguments.folder / "flowgraph.db"
    async with Runtime(f"sqlite:///{store}", durability=arguments.durability, concurrency=1_000) as runtime:
        match arguments.workload:
            case "W1":
                figures = await measure_w1(runtime, size)
            case "W2":
                figures = await measure_w2(runtime, size)
            case "W3":
                figures = await measure_w3(runtime, size)
            case "W5":
                figures = await measure_w5(runtime, size, arguments.idle, store)
            case "W7":
                figures = await measure_w7(runtime, size, store)
    emit(figures)


if __name__ == "__main__":
    asyncio.run(main())
