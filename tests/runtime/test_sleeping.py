"""Durable sleep: it never wakes early, its wake time is saved, and a sleeping run is a row (R9)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from flowgraph import InvalidOption, RunStatus, step, workflow
from flowgraph.testing import VirtualClock
from tests.runtime.support import opened, reached, record_of, result_of, settle, steps_of, until


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [
        ("500ms", 0.5), ("30s", 30), ("5m", 300), ("2h", 7_200), ("1d", 86_400), ("1.5h", 5_400), (90, 90),
        (0.25, 0.25), (timedelta(minutes=3), 180), (timedelta(microseconds=1), 0.000001), ("365d", 365 * 86_400),
        (2.0000001, 2),
    ],
)  # fmt: skip
async def test_a_sleep_lasts_as_long_as_it_says_and_never_shorter(
    clock: VirtualClock, duration: Any, seconds: float
) -> None:
    start = clock.now()

    @workflow
    async def flow() -> float:
        await step.sleep("nap", duration)
        return (clock.now() - start).total_seconds()

    slept = await result_of(flow, clock=clock)

    assert slept >= seconds
    assert slept == pytest.approx(seconds, abs=0.001)


@pytest.mark.parametrize("duration", [0, 0.0, "0s", timedelta(0)])
async def test_a_sleep_of_no_time_is_fine(frozen: VirtualClock, duration: Any) -> None:
    @workflow
    async def flow() -> str:
        await step.sleep("nap", duration)
        return "awake"

    assert await result_of(flow, clock=frozen) == "awake"


async def test_sleep_until_wakes_at_its_moment_in_any_time_zone(clock: VirtualClock) -> None:
    moment = datetime(2030, 6, 1, 12, 0, tzinfo=timezone(timedelta(hours=-7)))

    @workflow
    async def flow() -> datetime:
        await step.sleep_until("morning", moment)
        return clock.now()

    woke = await result_of(flow, clock=clock)

    assert woke >= moment
    assert woke - moment < timedelta(seconds=1)


async def test_sleep_until_a_moment_in_the_past_does_not_wait(frozen: VirtualClock) -> None:
    @workflow
    async def flow() -> str:
        await step.sleep_until("past", datetime(2001, 1, 1, tzinfo=UTC))
        return "awake"

    assert await result_of(flow, clock=frozen) == "awake"


@pytest.mark.parametrize("moment", [datetime(2031, 1, 1), None, "2031-01-01", 1e9])
async def test_a_moment_without_a_time_zone_is_refused(moment: Any) -> None:
    @workflow
    async def flow() -> str:
        with pytest.raises(InvalidOption):
            step.sleep_until("when", moment)
        return "refused"

    assert await result_of(flow) == "refused"


async def test_a_sleeping_run_says_until_when(frozen: VirtualClock) -> None:
    @workflow
    async def flow() -> None:
        await step.sleep("nap", "2h")

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        assert await reached(run, RunStatus.SLEEPING) == "sleeping"
        record = await run.describe()

    until = frozen.now() + timedelta(hours=2)
    assert record.wake_at == until
    assert [(wait.kind, wait.path, wait.since, wait.until) for wait in record.waits] == [
        ("sleep", "nap", frozen.now(), until)
    ]
    assert record.reason is None


async def test_a_sleeping_run_wakes_at_its_time_and_not_a_moment_before(frozen: VirtualClock) -> None:
    @workflow
    async def flow() -> str:
        await step.sleep("nap", "2h")
        return "awake"

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await reached(run, RunStatus.SLEEPING)
        frozen.advance(timedelta(hours=2) - timedelta(microseconds=1))
        await settle(100)
        assert await run.status() == RunStatus.SLEEPING
        frozen.advance(timedelta(microseconds=1))
        assert await run.result() == "awake"


async def test_the_wake_time_is_saved_and_does_not_move_on_resume(store: str, frozen: VirtualClock) -> None:
    duration = "2h"

    @workflow
    async def flow() -> None:
        await step.sleep("nap", duration)

    async with opened(flow, store=store, clock=frozen) as runtime:
        run = await runtime.start(flow, run_id="r")
        await reached(run, RunStatus.SLEEPING)
        wake_at = (await run.describe()).wake_at
    frozen.advance("90m")
    duration = "5h"
    async with opened(flow, store=store, clock=frozen) as runtime:
        run = await runtime.get("r")
        await settle(100)
        assert (await run.status(), (await run.describe()).wake_at) == (RunStatus.SLEEPING, wake_at)
        frozen.advance("30m")
        await run.result()

    assert frozen.now() == wake_at


async def test_a_run_whose_wake_time_passed_while_nobody_worked_goes_on_at_once(
    store: str, frozen: VirtualClock
) -> None:
    @workflow
    async def flow() -> str:
        await step.sleep("nap", "2h")
        return "awake"

    async with opened(flow, store=store, clock=frozen) as runtime:
        await reached(await runtime.start(flow, run_id="r"), RunStatus.SLEEPING)
    frozen.advance("1d")
    async with opened(flow, store=store, clock=frozen) as runtime:
        assert await (await runtime.get("r")).result() == "awake"


async def test_leaving_the_runtime_does_not_wait_for_sleeping_runs(store: str, frozen: VirtualClock) -> None:
    @workflow
    async def flow() -> None:
        await step.sleep("nap", "365d")

    async with asyncio.timeout(5), opened(flow, store=store, clock=frozen) as runtime:
        for number in range(20):
            run = await runtime.start(flow, run_id=f"r-{number}")
        await reached(run, RunStatus.SLEEPING)

    async with opened(flow, store=store, clock=frozen) as runtime:
        assert {record.status for record in await runtime.list()} == {RunStatus.SLEEPING}


async def test_sleeping_runs_hold_no_worker(clock: VirtualClock) -> None:
    awake: list[int] = []

    @workflow
    async def flow(number: int) -> int:
        await step.sleep("nap", "1h")
        awake.append(number)
        return number

    async with opened(flow, clock=clock, concurrency=1) as runtime:
        runs = [await runtime.start(flow, number) for number in range(20)]
        assert [await run.result() for run in runs] == list(range(20))

    assert sorted(awake) == list(range(20))


async def test_runs_wake_in_the_order_of_their_wake_times(clock: VirtualClock) -> None:
    woke: list[int] = []

    @workflow
    async def flow(minutes: int) -> None:
        await step.sleep("nap", minutes * 60)
        woke.append(minutes)

    async with opened(flow, clock=clock) as runtime:
        runs = [await runtime.start(flow, minutes) for minutes in (5, 1, 4, 2, 3)]
        for run in runs:
            await run.result()

    assert woke == [1, 2, 3, 4, 5]


async def test_sleeps_side_by_side_end_each_at_its_own_time(clock: VirtualClock) -> None:
    start = clock.now()

    async def nap(hours: int) -> float:
        await step.sleep(f"nap-{hours}", hours * 3_600)
        return await step(f"time-{hours}", lambda: (clock.now() - start).total_seconds() / 3_600)

    @workflow
    async def flow() -> list[float]:
        return await asyncio.gather(*(nap(hours) for hours in (3, 1, 2)))

    assert await result_of(flow, clock=clock) == pytest.approx([3, 1, 2], abs=0.01)


async def test_a_sleep_in_a_step_and_in_an_item_is_durable_too(clock: VirtualClock) -> None:
    bodies: list[str] = []

    async def item(number: int) -> int:
        await step.sleep("nap", number * 3_600)
        bodies.append(f"item {number}")
        return number

    async def parent() -> list[int]:
        return await step.map("items", item, [2, 1])

    @workflow
    async def flow() -> list[int]:
        return await step("parent", parent)

    record = await record_of(flow, clock=clock)

    assert record.output == [2, 1]
    assert bodies == ["item 1", "item 2"]
    assert "parent/items[0]/nap" in steps_of(record)


async def test_a_short_sleep_stays_in_the_process() -> None:
    tops: list[int] = []

    @workflow
    async def flow() -> None:
        tops.append(1)
        await step.sleep("short", "300ms")

    await result_of(flow)

    assert len(tops) == 1


async def test_a_long_sleep_does_not(clock: VirtualClock) -> None:
    tops: list[int] = []

    @workflow
    async def flow() -> None:
        tops.append(1)
        await step.sleep("long", "3s")

    await result_of(flow, clock=clock)

    assert len(tops) == 2


async def test_a_finished_sleep_takes_no_time_on_replay(clock: VirtualClock) -> None:
    start = clock.now()

    @workflow
    async def flow() -> float:
        for number in range(5):
            await step.sleep(f"nap-{number}", "1h")
        return (clock.now() - start).total_seconds()

    assert await result_of(flow, clock=clock) == pytest.approx(5 * 3_600, abs=1)


async def test_a_sleep_that_user_code_cancels_lets_the_run_go_on() -> None:
    @workflow
    async def flow() -> str:
        task = asyncio.create_task(step.sleep("long", "1d"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await step("after", lambda: "went on")

    assert await result_of(flow) == "went on"


async def test_hundreds_of_sleeping_runs_all_wake(clock: VirtualClock) -> None:
    @workflow
    async def flow(number: int) -> int:
        await step.sleep("nap", 3_600 + number)
        return number

    async with opened(flow, clock=clock) as runtime:
        runs = await asyncio.gather(*(runtime.start(flow, number) for number in range(300)))
        results = await asyncio.gather(*(run.result() for run in runs))

    assert results == list(range(300))


async def test_two_runs_of_one_workflow_sleep_apart(frozen: VirtualClock) -> None:
    @workflow
    async def flow(hours: int) -> int:
        await step.sleep("nap", f"{hours}h")
        return hours

    async with opened(flow, clock=frozen) as runtime:
        one, two = await runtime.start(flow, 1), await runtime.start(flow, 2)
        await reached(one, RunStatus.SLEEPING)
        await reached(two, RunStatus.SLEEPING)
        frozen.advance("1h")
        assert await one.result() == 1
        assert await two.status() == RunStatus.SLEEPING
        frozen.advance("1h")
        assert await two.result() == 2


async def test_a_sleep_inside_a_resident_run_ends_in_the_process(frozen: VirtualClock) -> None:
    tops: list[int] = []
    woke = asyncio.Event()

    @workflow
    async def flow() -> str:
        tops.append(1)

        async def nap() -> None:
            await step.sleep("nap", "1m")
            woke.set()

        task = asyncio.create_task(nap())
        await woke.wait()
        await task
        return "awake"

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await until(lambda: bool(tops))
        await until(lambda: _has_wait(run))
        frozen.advance("1m")
        assert await run.result() == "awake"

    assert len(tops) == 1


async def _has_wait(run: Any) -> bool:
    return bool((await run.describe()).waits)
