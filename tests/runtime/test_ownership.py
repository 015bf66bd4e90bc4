"""One worker owns a run; what a worker that lost it still writes is refused (R16)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from flowgraph import RunStatus, step, workflow
from flowgraph.testing import VirtualClock
from tests.runtime.support import nothing, opened, reached, settle, steps_of, until

LATER = datetime(2031, 1, 1, tzinfo=UTC)
"""A worker by whose clock the leases of the others ran out long ago takes them for cut off, when it looks again."""


async def test_a_result_of_a_worker_that_lost_the_run_is_refused(store: str, frozen: VirtualClock) -> None:
    bodies: list[str] = []
    gates = [asyncio.Event(), asyncio.Event()]

    async def work() -> str:
        number = len(bodies)
        bodies.append(f"body {number}")
        await gates[number].wait()
        return f"result {number}"

    @workflow
    async def flow() -> str:
        return await step("work", work)

    async with opened(flow, store=store, clock=frozen) as cut_off:
        run = await cut_off.start(flow, run_id="r")
        await until(lambda: len(bodies) == 1)
        async with opened(flow, store=store, clock=VirtualClock(LATER), lease="1s") as other:
            await until(lambda: len(bodies) == 2)
            gates[0].set()
            await settle(100)
            assert await run.status() == RunStatus.RUNNING
            gates[1].set()
            assert await (await other.get("r")).result() == "result 1"
            assert await run.result() == "result 1"
            record = await run.describe()

    assert record.recoveries == 1
    assert steps_of(record)["work"].result == "result 1"


async def test_a_thread_of_a_worker_that_lost_the_run_may_end_and_is_refused(store: str, frozen: VirtualClock) -> None:
    bodies: list[int] = []
    gates = [threading.Event(), threading.Event()]

    def work() -> int:
        number = len(bodies)
        bodies.append(number)
        gates[number].wait(10)
        return number

    @workflow
    async def flow() -> int:
        return await step("work", work)

    async with opened(flow, store=store, clock=frozen) as cut_off:
        run = await cut_off.start(flow, run_id="r")
        await until(lambda: len(bodies) == 1)
        async with opened(flow, store=store, clock=VirtualClock(LATER), lease="1s") as other:
            await until(lambda: len(bodies) == 2)
            gates[1].set()
            assert await (await other.get("r")).result() == 1
            gates[0].set()
            assert await run.result() == 1
            assert steps_of(await run.describe())["work"].result == 1


async def test_a_worker_that_lost_a_run_stops_executing_it_at_its_next_write(
    store: str, frozen: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    begun: list[str] = []
    lines: list[str] = []
    release = asyncio.Event()

    @workflow
    async def flow() -> str:
        begun.append("begun")
        try:
            await step("hold", release.wait)
            lines.append("after the step")
            await step("more", nothing)
        finally:
            lines.append("finally")
        return "done"

    async with opened(flow, store=store, clock=frozen) as cut_off:
        run = await cut_off.start(flow, run_id="r")
        await until(lambda: len(begun) == 1)
        await settle()
        async with opened(flow, store=store, clock=VirtualClock(LATER), lease="1s"):
            await until(lambda: len(begun) == 2)
            await settle()
            with caplog.at_level(logging.WARNING, "flowgraph"):
                release.set()
                assert await run.result() == "done"
                await until(lambda: lines.count("finally") == 2)

    assert lines.count("after the step") == 1
    assert any("another worker" in record.getMessage() for record in caplog.records)


async def test_waiting_for_a_result_outlives_the_loss_of_the_run(store: str, frozen: VirtualClock) -> None:
    begun: list[int] = []
    release = asyncio.Event()

    @workflow
    async def flow() -> str:
        begun.append(1)
        await step("hold", release.wait)
        return "done"

    async with opened(flow, store=store, clock=frozen) as cut_off:
        waiting = asyncio.create_task(cut_off.run(flow, run_id="r"))
        await until(lambda: len(begun) == 1)
        async with opened(flow, store=store, clock=VirtualClock(LATER), lease="1s"):
            await until(lambda: len(begun) == 2)
            release.set()
            assert await waiting == "done"


async def test_a_worker_that_was_taken_for_dead_goes_on_with_new_runs(store: str, frozen: VirtualClock) -> None:
    @workflow
    async def flow(number: int) -> int:
        return await step("work", lambda: number)

    async with opened(flow, store=store, clock=frozen) as cut_off:
        assert await cut_off.run(flow, 1) == 1
        async with opened(store=store, clock=VirtualClock(LATER), lease="1s"):
            await settle(50)
        assert await cut_off.run(flow, 2) == 2


async def test_a_run_that_is_given_back_is_no_recovery(store: str, frozen: VirtualClock) -> None:
    @workflow
    async def flow() -> Any:
        return await step.listen("event")

    for _ in range(3):
        async with opened(flow, store=store, clock=frozen) as runtime:
            run = await runtime.start(flow, run_id="r")
            await reached(run, RunStatus.LISTENING)
            assert (await run.describe()).recoveries == 0


async def test_a_run_recovered_too_often_is_paused_and_says_so(store: str) -> None:
    begun: list[int] = []

    @workflow
    async def flow() -> None:
        begun.append(1)
        await asyncio.Event().wait()

    clocks = [VirtualClock(datetime(2030 + number, 1, 1, tzinfo=UTC), autojump=False) for number in range(3)]
    first, second, third = [opened(flow, store=store, clock=clock, max_recoveries=2, lease="1s") for clock in clocks]
    async with first, contextlib.AsyncExitStack() as stack:
        run = await first.start(flow, run_id="r")
        await until(lambda: len(begun) == 1)
        await stack.enter_async_context(second)
        await until(lambda: len(begun) == 2)
        await stack.enter_async_context(third)
        await reached(run, RunStatus.PAUSED)
        record = await run.describe()

    assert record.recoveries == 2
    assert "recover" in (record.reason or "")
    assert len(begun) == 2


async def test_a_jump_of_a_shared_virtual_clock_takes_no_run_from_its_worker(store: str, clock: VirtualClock) -> None:
    tops: list[int] = []
    hold = asyncio.Event()

    async def wake(woke: asyncio.Event) -> None:
        await step.sleep("nap", "1h")
        woke.set()

    @workflow
    async def flow() -> str:
        tops.append(1)
        woke = asyncio.Event()
        task = asyncio.create_task(wake(woke))
        await woke.wait()
        await task
        await step("hold", hold.wait)
        return "done"

    async with opened(flow, store=store, clock=clock) as one, opened(flow, store=store, clock=clock):
        run = await one.start(flow, run_id="r")
        await until(lambda: _done(run, "nap"))
        async with opened(flow, store=store, clock=clock):
            await settle(50)  # Who opens a store looks for dead workers.
        hold.set()
        assert await run.result() == "done"
        assert (await run.describe()).recoveries == 0

    assert len(tops) == 1


async def _done(run: Any, path: str) -> bool:
    step = steps_of(await run.describe()).get(path)
    return step is not None and step.state == "completed"
