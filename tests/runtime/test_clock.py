"""The virtual clock, which is public, and the machine's clock."""

from __future__ import annotations

import asyncio
import itertools
import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from flowgraph import InvalidOption, RetryPolicy, RunStatus, Runtime, StepFailed, step, workflow
from flowgraph.testing import VirtualClock
from tests.runtime.support import opened, reached, result_of, settle, until


async def test_a_workflow_that_sleeps_for_a_year_ends_at_once(clock: VirtualClock) -> None:
    @workflow
    async def flow() -> str:
        await step.sleep("a year", "365d")
        return "done"

    began = time.monotonic()
    assert await result_of(flow, clock=clock) == "done"

    assert time.monotonic() - began < 5
    assert clock.now() >= datetime(2031, 1, 1, tzinfo=UTC)


async def test_the_clock_begins_where_it_is_told() -> None:
    start = datetime(1999, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=2)))
    clock = VirtualClock(start)

    @workflow
    async def flow() -> datetime:
        await step.sleep("over midnight", "2m")
        return clock.now()

    assert await result_of(flow, clock=clock) >= start + timedelta(minutes=2)
    assert VirtualClock(start).now() == start


@pytest.mark.parametrize("start", [datetime(2030, 1, 1), "2030-01-01", 5])
def test_a_start_without_a_time_zone_is_refused(start: Any) -> None:
    with pytest.raises(InvalidOption):
        VirtualClock(start)


async def test_without_autojump_time_stands_still_until_it_is_advanced(frozen: VirtualClock) -> None:
    @workflow
    async def flow() -> str:
        await step.sleep("nap", "1h")
        return "awake"

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await reached(run, RunStatus.SLEEPING)
        began = frozen.now()
        await settle(200)
        assert (await run.status(), frozen.now()) == (RunStatus.SLEEPING, began)
        frozen.advance("59m")
        await settle(50)
        assert await run.status() == RunStatus.SLEEPING
        frozen.advance("1m")
        assert await run.result() == "awake"
        assert frozen.now() == began + timedelta(hours=1)


async def test_time_does_not_jump_while_a_step_is_at_work(clock: VirtualClock) -> None:
    release = asyncio.Event()
    times: list[datetime] = []

    async def work() -> None:
        times.append(clock.now())
        await release.wait()
        times.append(clock.now())

    @workflow
    async def flow() -> None:
        await asyncio.gather(step("work", work), step.sleep("nap", "1h"))

    async with opened(flow, clock=clock) as runtime:
        run = await runtime.start(flow)
        await until(lambda: bool(times))
        await asyncio.sleep(0.03)  # Many of the clock's looks.
        release.set()
        await run.result()

    assert times[0] == times[1]


async def test_time_does_not_jump_while_a_thread_is_at_work(clock: VirtualClock) -> None:
    times: list[datetime] = []

    def work() -> None:
        times.append(clock.now())
        time.sleep(0.03)
        times.append(clock.now())

    @workflow
    async def flow() -> None:
        await asyncio.gather(step("work", work), step.sleep("nap", "1h"))

    await result_of(flow, clock=clock)

    assert times[0] == times[1]


async def test_one_clock_may_serve_two_runtimes(clock: VirtualClock, store: str) -> None:
    start = clock.now()

    @workflow
    async def flow(hours: int) -> int:
        await step.sleep("nap", f"{hours}h")
        return hours

    async with opened(flow, clock=clock) as one, opened(flow, clock=clock, store=store) as two:
        results = await asyncio.gather(one.run(flow, 1), two.run(flow, 3), one.run(flow, 2))

    assert results == [1, 3, 2]
    assert clock.now() - start < timedelta(hours=4)


async def test_the_same_seed_gives_the_same_delays() -> None:
    async def delays(seed: int) -> list[float]:
        clock = VirtualClock(seed=seed)
        times: list[float] = []

        async def fail() -> None:
            times.append(clock.now().timestamp())
            raise ValueError("no")

        @workflow
        async def flow() -> None:
            with pytest.raises(StepFailed):
                await step("fail", fail, retry=RetryPolicy(initial="1h", cap="1d"))

        await result_of(flow, clock=clock)
        return [round(later - earlier, 6) for earlier, later in itertools.pairwise(times)]

    first, again, other = await delays(1), await delays(1), await delays(2)

    assert first == again
    assert first != other


async def test_advancing_over_several_wake_times_wakes_in_their_order(frozen: VirtualClock) -> None:
    woke: list[int] = []

    @workflow
    async def flow(hours: int) -> None:
        await step.sleep("nap", f"{hours}h")
        woke.append(hours)

    async with opened(flow, clock=frozen) as runtime:
        runs = [await runtime.start(flow, hours) for hours in (3, 1, 2)]
        for run in runs:
            await reached(run, RunStatus.SLEEPING)
        frozen.advance("1d")
        for run in runs:
            await run.result()

    assert woke == [1, 2, 3]


@pytest.mark.parametrize("duration", [-1, "soon", float("nan")])
def test_time_does_not_run_backwards(duration: Any) -> None:
    with pytest.raises(InvalidOption):
        VirtualClock().advance(duration)


async def test_the_clock_serves_one_loop_after_the_other() -> None:
    """A test suite may share a clock between tests, each with a loop of its own."""
    clock = VirtualClock()

    @workflow
    async def flow() -> str:
        await step.sleep("nap", "1h")
        return "awake"

    def in_a_loop_of_its_own() -> Any:
        return asyncio.run(asyncio.wait_for(result_of(flow, clock=clock), 5))

    assert [await asyncio.to_thread(in_a_loop_of_its_own) for _ in range(3)] == ["awake"] * 3


# The machine's clock --------------------------------------------------------------------------------------------------


async def test_by_the_machines_clock_a_sleep_lasts_at_least_as_long_as_it_says() -> None:
    @workflow
    async def flow() -> None:
        for number in range(5):
            began = time.time()
            await step.sleep(f"nap-{number}", "10ms")
            assert time.time() - began >= 0.01

    async with Runtime("sqlite:///:memory:", workflows=[flow]) as runtime:
        await runtime.run(flow)


async def test_by_the_machines_clock_a_suspended_run_wakes_at_its_time() -> None:
    tops: list[float] = []

    @workflow
    async def flow() -> None:
        tops.append(time.time())
        await step.sleep("nap", "1100ms")

    async with Runtime("sqlite:///:memory:", workflows=[flow]) as runtime:
        await runtime.run(flow)

    assert len(tops) == 2
    assert 1.1 <= tops[1] - tops[0] < 5


async def test_by_the_machines_clock_result_times_out() -> None:
    @workflow
    async def flow() -> None:
        await step.listen("never")

    async with Runtime("sqlite:///:memory:", workflows=[flow]) as runtime:
        run = await runtime.start(flow)
        with pytest.raises(TimeoutError):
            await run.result(timeout="20ms")
