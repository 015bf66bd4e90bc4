"""DBOS's part of W1, W2, W3, W5 and W7, through its async API, on its SQLite system database with its defaults.

    python work_dbos.py W1 --size 1000 --folder DIR

(W4 is resume_dbos.py, W6 is one_step_dbos.py.) DBOS syncs every commit, so there is one durability.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from dbos import DBOS, DBOSConfig
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

marks: list[float] = []


@DBOS.step()
async def trivial(number: int) -> int:
    return number


@DBOS.step()
async def kilobyte(number: int) -> dict[str, Any]:
    return RECORD


@DBOS.workflow()
async def in_a_row(steps: int) -> int:
    marks.append(time.perf_counter())
    for number in range(steps):
        await trivial(number)
        marks.append(time.perf_counter())
    return steps


@DBOS.workflow()
async def three_steps(number: int) -> int:
    for _ in range(3):
        number = await trivial(number)
    return number


@DBOS.workflow()
async def fan_out(items: int) -> int:
    """The faster of DBOS's two ways: a child workflow for each item on a queue reached 125 items a second, this 308."""
    places = asyncio.Semaphore(FAN_OUT_CONCURRENCY)

    async def one(item: int) -> int:
        async with places:
            return await trivial(item)

    return len(await asyncio.gather(*(one(item) for item in range(items))))


@DBOS.workflow()
async def nap() -> None:
    await DBOS.sleep_async(86_400)


@DBOS.workflow()
async def large_results(steps: int) -> int:
    for number in range(steps):
        await kilobyte(number)
    return steps


async def run(workflow: Any, *args: Any) -> Any:
    handle = await DBOS.start_workflow_async(workflow, *args)
    return await handle.get_result()


async def measure_w1(size: int) -> dict[str, float]:
    await run(in_a_row, WARM_UP_RUNS)
    marks.clear()
    with Stopwatch() as watch:
        await run(in_a_row, size)
    tenth = size // 10
    last_over_first = (marks[-1] - marks[-1 - tenth]) / (marks[tenth] - marks[0])
    return {**watch.figures("step", size), "last_over_first": last_over_first}


async def measure_w2(size: int) -> dict[str, float]:
    await asyncio.gather(*(run(three_steps, number) for number in range(WARM_UP_RUNS)))
    with Stopwatch() as watch:
        results = await asyncio.gather(*(run(three_steps, number) for number in range(size)))
    assert results == list(range(size))
    return watch.figures("run", size)


async def measure_w3(size: int) -> dict[str, float]:
    await run(fan_out, WARM_UP_RUNS)
    with LoopStalls() as stalls, Stopwatch() as watch:
        assert await run(fan_out, size) == size
    return {**watch.figures("item", size), **stalls.figures()}


async def measure_w5(size: int, idle_s: float, store: Path) -> dict[str, float]:
    await put_to_sleep(STARTERS, store)
    gc.collect()
    disk_before, memory_before = settled_bytes_on_disk(store), resident_bytes()
    with Stopwatch() as watch:
        await put_to_sleep(size, store)
    gc.collect()
    memory_after = resident_bytes()
    cpu_before = time.process_time()
    await asyncio.sleep(idle_s)
    cpu_s = time.process_time() - cpu_before
    return {
        **watch.figures("run", size),
        "memory_growth_mb": (memory_after - memory_before) / 1e6,
        "memory_bytes_per_run": (memory_after - memory_before) / size,
        "idle_cpu_s": cpu_s * 10 / idle_s,
        "bytes_per_run": (settled_bytes_on_disk(store) - disk_before) / size,
    }


async def put_to_sleep(runs: int, store: Path) -> None:
    """Return when each of the runs has saved its sleep."""
    saved = saved_sleeps(store) + runs
    await asyncio.gather(*(DBOS.start_workflow_async(nap) for _ in range(runs)))
    while saved_sleeps(store) < saved:
        await asyncio.sleep(0.01)


def saved_sleeps(store: Path) -> int:
    with closing(sqlite3.connect(store, timeout=30)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM operation_outputs").fetchone()
    return int(count)


async def measure_w7(size: int, store: Path) -> dict[str, float]:
    await run(large_results, 1)
    before = settled_bytes_on_disk(store)
    await run(large_results, size)
    return {"bytes_per_step": (settled_bytes_on_disk(store) - before) / size}


async def main() -> None:
    arguments = parse_arguments(["W1", "W2", "W3", "W5", "W7"])
    size, store = arguments.size, arguments.folder / "dbos.db"
    config: DBOSConfig = {"name": "bench", "system_database_url": f"sqlite:///{store}", "log_level": "ERROR"}
    DBOS(config=config)
    DBOS.launch()
    match arguments.workload:
        case "W1":
            figures = await measure_w1(size)
        case "W2":
            figures = await measure_w2(size)
        case "W3":
            figures = await measure_w3(size)
        case "W5":
            figures = await measure_w5(size, arguments.idle, store)
        case "W7":
            figures = await measure_w7(size, store)
    emit(figures)
    os._exit(0)  # Its threads and sleeping coroutines would take seconds to leave.


if __name__ == "__main__":
    asyncio.run(main())
