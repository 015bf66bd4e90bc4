"""What bounds an attempt, and what bounds a run (R14)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from flowgraph import (
    RetryAfter,
    RetryPolicy,
    RunError,
    RunFailed,
    RunStatus,
    RunTimedOut,
    StepError,
    StepFailed,
    StepTimeout,
    step,
    workflow,
)
from flowgraph.testing import VirtualClock
from tests.runtime.support import Flaky, nothing, opened, reached, record_of, result_of, settle, steps_of, until

# Of a step ------------------------------------------------------------------------------------------------------------


async def test_a_step_timeout_is_a_step_failure_and_a_timeout_error(frozen: VirtualClock) -> None:
    begun = asyncio.Event()

    async def endless() -> None:
        begun.set()
        await asyncio.Event().wait()

    @workflow
    async def flow() -> list[Any]:
        with pytest.raises(StepTimeout) as timeout:
            await step("endless", endless, timeout="10s", max_attempts=1)
        error = timeout.value
        assert isinstance(error, StepFailed)
        assert isinstance(error, TimeoutError)
        assert isinstance(error, StepError)
        return [error.path, error.attempts, error.caused_by(TimeoutError)]

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await begun.wait()
        frozen.advance("9.9s")
        await settle()
        assert await run.status() == RunStatus.RUNNING
        frozen.advance("0.1s")
        assert await run.result() == ["endless", 1, True]


async def test_a_timeout_bounds_each_attempt_and_not_their_sum(frozen: VirtualClock) -> None:
    begun: list[int] = []

    async def endless() -> None:
        begun.append(step.info().attempt)
        await asyncio.Event().wait()

    @workflow
    async def flow() -> int:
        with pytest.raises(StepTimeout) as timeout:
            await step("endless", endless, timeout=10, retry=RetryPolicy(max_attempts=3, initial=0))
        return timeout.value.attempts

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        for attempt in (1, 2, 3):
            await until(lambda attempt=attempt: begun == list(range(1, attempt + 1)))
            frozen.advance(10)
        assert await run.result() == 3


async def test_an_attempt_in_time_after_one_that_was_not(frozen: VirtualClock) -> None:
    begun: list[int] = []

    async def slow_once() -> str:
        begun.append(1)
        if len(begun) == 1:
            await asyncio.Event().wait()
        return "in time"

    @workflow
    async def flow() -> str:
        return await step("slow", slow_once, timeout="10s")

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await until(lambda: bool(begun))
        frozen.advance("10s")
        await until(lambda: _failures(run, 1))
        frozen.advance("1m")
        assert await run.result() == "in time"
        record = await run.describe()

    assert [failure.number for failure in record.steps[0].failures] == [1]


async def _failures(run: Any, number: int) -> bool:
    steps = (await run.describe()).steps
    return bool(steps) and len(steps[0].failures) == number


async def test_the_last_attempts_error_decides_whether_it_is_a_step_timeout(frozen: VirtualClock) -> None:
    begun: list[int] = []

    async def slow_then_wrong() -> None:
        begun.append(1)
        if len(begun) == 1:
            await asyncio.Event().wait()
        raise ValueError("wrong")

    @workflow
    async def flow() -> str:
        with pytest.raises(StepFailed) as failed:
            await step("slow", slow_then_wrong, timeout="10s", max_attempts=2)
        return type(failed.value).__name__

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await until(lambda: bool(begun))
        frozen.advance("10s")
        await until(lambda: _failures(run, 1))
        frozen.advance("1m")
        assert await run.result() == "StepFailed"


async def test_a_step_timeout_is_raised_the_same_on_replay(frozen: VirtualClock) -> None:
    seen: list[StepFailed] = []
    begun = asyncio.Event()

    async def endless() -> None:
        begun.set()
        await asyncio.Event().wait()

    @workflow
    async def flow() -> None:
        try:
            await step("endless", endless, timeout="10s", max_attempts=1)
        except StepFailed as error:
            seen.append(error)
        await step.sleep("pause", "1h")

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await begun.wait()
        frozen.advance("10s")
        await reached(run, RunStatus.SLEEPING)
        frozen.advance("1h")
        await run.result()

    assert [(type(error), error.args, error.__cause__) for error in seen] == [(StepTimeout, seen[0].args, None)] * 2


async def test_a_cancelled_body_may_clean_up_after_its_timeout(frozen: VirtualClock) -> None:
    order: list[str] = []

    async def tidy() -> None:
        order.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            order.append("cleaned up")

    @workflow
    async def flow() -> None:
        with pytest.raises(StepTimeout):
            await step("tidy", tidy, timeout="10s", max_attempts=1)
        order.append("raised")

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await until(lambda: order == ["begun"])
        frozen.advance("10s")
        await run.result()

    assert order == ["begun", "cleaned up", "raised"]


async def test_a_plain_handler_that_times_out_lives_on_and_its_result_is_refused(frozen: VirtualClock) -> None:
    begun, release, done = threading.Event(), threading.Event(), threading.Event()

    def slow() -> str:
        begun.set()
        release.wait(10)
        done.set()
        return "too late"

    @workflow
    async def flow() -> str:
        with pytest.raises(StepTimeout):
            await step("slow", slow, timeout="10s", max_attempts=1)
        return "timed out"

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await until(begun.is_set)
        frozen.advance("10s")
        assert await run.result() == "timed out"
        assert not done.is_set()
        release.set()
        await until(done.is_set)
        record = await run.describe()

    assert (record.steps[0].state, record.steps[0].result) == ("failed", None)


async def test_the_timeout_of_a_parent_bounds_its_children_and_leaves_no_trace_of_them(frozen: VirtualClock) -> None:
    ended: list[str] = []
    begun = asyncio.Event()

    async def child() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(step.info().path)

    async def middle() -> None:
        await step("child", child, timeout="1h")

    async def parent() -> None:
        await asyncio.gather(step("middle", middle), step("done", nothing))

    @workflow
    async def flow() -> str:
        with pytest.raises(StepTimeout) as timeout:
            await step("parent", parent, timeout="10s", max_attempts=1)
        return timeout.value.path

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await begun.wait()
        frozen.advance("10s")
        assert await run.result() == "parent"
        steps = steps_of(await run.describe())

    assert ended == ["parent/middle/child"]
    assert {path: each.state for path, each in steps.items()} == {"parent": "failed", "parent/done": "completed"}


async def test_the_timeout_of_a_child_is_a_step_timeout_for_its_parent(frozen: VirtualClock) -> None:
    begun = asyncio.Event()

    async def child() -> None:
        begun.set()
        await asyncio.Event().wait()

    async def parent() -> str:
        try:
            await step("child", child, timeout="10s", max_attempts=1)
        except TimeoutError as error:
            return type(error).__name__
        return "never"

    @workflow
    async def flow() -> str:
        return await step("parent", parent, timeout="20s")

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await begun.wait()
        frozen.advance("10s")
        assert await run.result() == "StepTimeout"


async def test_a_timeout_bounds_steps_that_the_handler_left_in_background_tasks(frozen: VirtualClock) -> None:
    begun = asyncio.Event()
    background: list[asyncio.Task[Any]] = []

    async def endless() -> None:
        begun.set()
        await asyncio.Event().wait()

    async def parent() -> None:
        background.append(asyncio.create_task(step("endless", endless)))
        await asyncio.Event().wait()

    @workflow
    async def flow() -> str:
        with pytest.raises(StepTimeout):
            await step("parent", parent, timeout="10s", max_attempts=1)
        return "went on"

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await begun.wait()
        frozen.advance("10s")
        assert await run.result() == "went on"


async def test_a_timeout_bounds_a_handler_that_returned_early(frozen: VirtualClock) -> None:
    begun = asyncio.Event()
    background: list[asyncio.Task[Any]] = []

    async def endless() -> None:
        begun.set()
        await asyncio.Event().wait()

    async def parent() -> None:
        background.append(asyncio.create_task(step("endless", endless)))

    @workflow
    async def flow() -> str:
        with pytest.raises(StepTimeout):
            await step("parent", parent, timeout="10s", max_attempts=1)
        return "went on"

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await begun.wait()
        frozen.advance("10s")
        assert await run.result() == "went on"


async def test_a_timeout_of_zero_seconds_is_allowed_and_times_out() -> None:
    @workflow
    async def flow() -> str:
        with pytest.raises(StepTimeout):
            await step("late", lambda: asyncio.sleep(60), timeout=0, max_attempts=1)
        return "timed out"

    assert await result_of(flow) == "timed out"


async def test_a_timeout_that_is_not_reached_leaves_no_trace() -> None:
    @workflow
    async def flow() -> list[Any]:
        return await asyncio.gather(*(step(f"quick-{n}", lambda n=n: n, timeout="1d") for n in range(20)))

    record = await record_of(flow)

    assert record.output == list(range(20))
    assert all(each.attempts == 1 and not each.failures for each in record.steps)


async def test_a_timeout_of_items_bounds_each_item(frozen: VirtualClock) -> None:
    begun: list[int] = []

    async def item(number: int) -> int:
        begun.append(number)
        if number == 1:
            await asyncio.Event().wait()
        return number

    @workflow
    async def flow() -> list[Any]:
        results = await step.map("items", item, [0, 1, 2], timeout="10s", max_attempts=1, on_error="collect")
        return [result if isinstance(result, int) else type(result.error).__name__ for result in results]

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await until(lambda: len(begun) == 3)
        frozen.advance("10s")
        assert await run.result() == [0, "StepTimeout", 2]


@pytest.mark.parametrize(
    "wait", [lambda: step.listen("approval"), lambda: step.sleep("nap", "2h")], ids=["listen", "sleep"]
)
async def test_a_timeout_bounds_an_attempt_that_waits_durably_too(clock: VirtualClock, wait: Callable[[], Any]) -> None:
    """A suspension uses up no attempt, so the attempt goes on while the run is a row."""
    start = clock.now()

    @workflow
    async def flow() -> float:
        with pytest.raises(StepTimeout):
            await step("approve", lambda: wait(), timeout="1h", max_attempts=1)
        return (clock.now() - start).total_seconds()

    assert await result_of(flow, clock=clock) == pytest.approx(3_600, abs=1)


async def test_an_attempt_that_waits_says_when_its_time_is_up(frozen: VirtualClock) -> None:
    @workflow
    async def flow() -> None:
        await step("approve", lambda: step.listen("approval"), timeout="1h", max_attempts=1)

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await reached(run, RunStatus.LISTENING)
        assert (await run.describe()).wake_at == frozen.now() + timedelta(hours=1)


async def test_the_time_of_a_waiting_attempt_does_not_begin_anew_on_resume(store: str, frozen: VirtualClock) -> None:
    start = frozen.now()

    async def wait_twice() -> Any:
        await step.listen("first", event="e")
        return await step.listen("second", event="e")

    @workflow
    async def flow() -> float:
        with pytest.raises(StepTimeout):
            await step("wait", wait_twice, timeout="1h", max_attempts=1)
        return (frozen.now() - start).total_seconds()

    async with opened(flow, store=store, clock=frozen) as runtime:
        await reached(await runtime.start(flow, run_id="r"), RunStatus.LISTENING)
    frozen.advance("40m")
    async with opened(flow, store=store, clock=frozen) as runtime:
        run = await runtime.get("r")
        await run.send("e")
        await until(lambda: _waits_for(run, "wait/second"))
        await reached(run, RunStatus.LISTENING)
        frozen.advance("19m")
        await settle(50)
        assert await run.status() == RunStatus.LISTENING
        frozen.advance("1m")
        assert await run.result() == pytest.approx(3_600, abs=1)


async def _waits_for(run: Any, path: str) -> bool:
    return path in [wait.path for wait in (await run.describe()).waits]


async def test_each_attempt_that_waits_has_the_whole_time(clock: VirtualClock) -> None:
    start = clock.now()

    @workflow
    async def flow() -> list[float]:
        policy = RetryPolicy(max_attempts=3, initial="1h", factor=1, jitter=False, cap="1h")
        with pytest.raises(StepTimeout) as timeout:
            await step("wait", lambda: step.listen("event"), timeout="1h", retry=policy)
        return [timeout.value.attempts, (clock.now() - start).total_seconds() / 3_600]

    assert await result_of(flow, clock=clock) == [3, pytest.approx(5, abs=0.01)]


@pytest.mark.parametrize("unit_s", [0.1, 3_600], ids=["in the process", "suspended"])
@pytest.mark.parametrize("at_once", [True, False])
async def test_a_sleep_of_an_attempt_that_timed_out_begins_anew_in_the_next(
    clock: VirtualClock, unit_s: float, at_once: bool
) -> None:
    async def nap() -> None:
        if not at_once:
            await asyncio.sleep(0)
        await step.sleep("nap", 2 * unit_s)

    @workflow
    async def flow() -> int:
        policy = RetryPolicy(max_attempts=3, initial=3 * unit_s, factor=1, jitter=False, cap="1d")
        with pytest.raises(StepTimeout) as timeout:
            await step("nap", nap, timeout=unit_s, retry=policy)
        return timeout.value.attempts

    assert await result_of(flow, clock=clock) == 3


@pytest.mark.parametrize("max_attempts", [1, 2])
async def test_a_wait_that_is_over_at_the_moment_of_the_timeout_breaks_nothing(max_attempts: int) -> None:
    async def at_once() -> str:
        await step.sleep("nap", "1h")
        return "in time"

    async def in_a_moment() -> str:
        await asyncio.sleep(0)
        return await at_once()

    @workflow
    async def flow(number: int) -> str:
        policy = RetryPolicy(max_attempts=max_attempts, initial="30m", jitter=False)
        try:
            return await step("nap", in_a_moment if number % 2 else at_once, timeout="1h", retry=policy)
        except StepTimeout:
            return "timed out"

    results: set[Any] = set()
    for _ in range(8):  # Which is first depends on the moment.
        async with opened(flow, durability="relaxed") as runtime:
            runs = (runtime.run(flow, number) for number in range(20))
            results.update(await asyncio.gather(*runs, return_exceptions=True))

    assert results <= {"in time", "timed out"}


async def test_the_shorter_of_two_nested_timeouts_counts(clock: VirtualClock) -> None:
    async def inner() -> Any:
        return await step.listen("event")

    async def outer() -> str:
        try:
            await step("inner", inner, timeout="1h", max_attempts=1)
        except StepTimeout as error:
            return error.path
        return "never"

    async def impatient() -> Any:
        return await step("inner", inner, timeout="2h", max_attempts=1)

    @workflow
    async def flow() -> list[str]:
        first = await step("outer", outer, timeout="2h", max_attempts=1)
        with pytest.raises(StepTimeout) as timeout:
            await step("impatient", impatient, timeout="1h", max_attempts=1)
        return [first, timeout.value.path]

    assert await result_of(flow, clock=clock) == ["outer/inner", "impatient"]


async def test_items_that_wait_time_out_each_for_itself(clock: VirtualClock) -> None:
    async def item(hours: int) -> int:
        await step.sleep("nap", f"{hours}h")
        return hours

    @workflow
    async def flow() -> list[Any]:
        results = await step.map("items", item, [1, 5, 2, 7], timeout="3h", max_attempts=1, on_error="collect")
        return [result if isinstance(result, int) else type(result.error).__name__ for result in results]

    assert await result_of(flow, clock=clock) == [1, "StepTimeout", 2, "StepTimeout"]


async def test_a_wait_of_a_timed_out_attempt_takes_no_event_any_more(frozen: VirtualClock) -> None:
    @workflow
    async def flow() -> Any:
        with pytest.raises(StepTimeout):
            await step("wait", lambda: step.listen("first", event="e"), timeout="1h", max_attempts=1)
        return await step.listen("second", event="e")

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await reached(run, RunStatus.LISTENING)
        frozen.advance("1h")
        await until(lambda: _waits_for(run, "second"))
        await reached(run, RunStatus.LISTENING)
        assert [wait.path for wait in (await run.describe()).waits] == ["second"]
        await run.send("e", "for the second")
        assert await run.result() == "for the second"


async def test_an_at_most_once_attempt_that_waits_times_out_and_runs_once(clock: VirtualClock) -> None:
    bodies: list[int] = []

    async def wait() -> Any:
        bodies.append(1)
        return await step.listen("event")

    @workflow
    async def flow() -> int:
        with pytest.raises(StepTimeout) as timeout:
            await step("wait", wait, timeout="1h", at_most_once=True)
        return timeout.value.attempts

    assert await result_of(flow, clock=clock) == 1
    assert bodies == [1]


# Of a run -------------------------------------------------------------------------------------------------------------


async def test_a_run_that_executes_for_too_long_is_timed_out(frozen: VirtualClock) -> None:
    order: list[str] = []

    async def endless() -> None:
        order.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            order.append("finally")

    @workflow(timeout="10s")
    async def flow() -> None:
        await step("endless", endless)

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await until(lambda: order == ["begun"])
        frozen.advance("9s")
        await settle()
        assert await run.status() == RunStatus.RUNNING
        frozen.advance("1s")
        with pytest.raises(RunTimedOut) as timed_out:
            await run.result()
        record = await run.describe()

    assert isinstance(timed_out.value, RunError)
    assert timed_out.value.run_id == run.id
    assert "10" in str(timed_out.value)
    assert record.status == RunStatus.TIMED_OUT
    assert order == ["begun", "finally"]


async def test_the_default_timeout_is_five_minutes(frozen: VirtualClock) -> None:
    begun = asyncio.Event()

    @workflow
    async def flow() -> None:
        begun.set()
        await asyncio.Event().wait()

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await begun.wait()
        frozen.advance("299s")
        await settle()
        assert await run.status() == RunStatus.RUNNING
        frozen.advance("1s")
        with pytest.raises(RunTimedOut):
            await run.result()


async def test_the_time_that_a_run_sleeps_listens_or_waits_does_not_count(frozen: VirtualClock) -> None:
    @workflow(timeout="10s")
    async def child() -> str:
        await step.sleep("long", "1d")
        return "child"

    @workflow(timeout="10s")
    async def flow() -> str:
        await step.sleep("long", "1d")
        await step.listen("event")
        return await step.execute_workflow("child", child)

    async with opened(flow, child, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await reached(run, RunStatus.SLEEPING)
        frozen.advance("1d")
        await reached(run, RunStatus.LISTENING)
        frozen.advance("1d")
        await run.send("event")
        await reached(run, RunStatus.WAITING)
        record = await run.describe()
        child_run = await runtime.get(record.waits[0].run_id or "")
        await reached(child_run, RunStatus.SLEEPING)
        frozen.advance("1d")
        assert await run.result() == "child"
        record = await run.describe()

    assert record.executing_s < 10
    assert record.finished_at
    assert record.finished_at - record.created_at >= timedelta(days=3)


async def test_a_long_backoff_does_not_count_as_executing(frozen: VirtualClock) -> None:
    flaky = Flaky(RetryAfter("1d"))

    @workflow(timeout="10s")
    async def flow() -> str:
        return await step("flaky", flaky)

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await reached(run, RunStatus.SLEEPING)
        frozen.advance("1d")
        assert await run.result() == "done"


async def test_executing_time_adds_up_over_suspensions_and_give_backs(store: str, frozen: VirtualClock) -> None:
    begun: list[int] = []
    release = asyncio.Event()

    async def hold() -> None:
        begun.append(1)
        await release.wait()

    @workflow(timeout="10s")
    async def flow() -> None:
        await step("first", hold)
        await step.sleep("pause", "1h")
        await step("second", hold)

    async with opened(flow, store=store, clock=frozen) as runtime:
        run = await runtime.start(flow, run_id="r")
        await until(lambda: len(begun) == 1)
        frozen.advance("4s")
        release.set()
        await reached(run, RunStatus.SLEEPING)
        release.clear()
        frozen.advance("1h")
        await until(lambda: len(begun) == 2)
        frozen.advance("4s")
        await settle()
        assert await run.status() == RunStatus.RUNNING
    async with opened(flow, store=store, clock=frozen) as runtime:
        run = await runtime.get("r")
        assert (await run.describe()).executing_s == pytest.approx(8)
        await until(lambda: len(begun) == 3)
        frozen.advance("2s")
        with pytest.raises(RunTimedOut):
            await run.result()


async def test_waits_that_elapse_in_the_process_do_not_count_as_executing(frozen: VirtualClock) -> None:
    woke = asyncio.Event()

    async def wake() -> None:
        await step.sleep("long", "1d")
        woke.set()

    @workflow(timeout="10s")
    async def flow() -> str:
        task = asyncio.create_task(wake())
        await woke.wait()
        await task
        return "awake"

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)

        async def says_why() -> bool:
            return bool((await run.describe()).reason)

        await until(says_why)
        frozen.advance("1d")
        assert await run.result() == "awake"
        assert (await run.describe()).executing_s < 10


async def test_code_that_catches_the_timeout_of_its_run_cannot_complete(frozen: VirtualClock) -> None:
    begun = asyncio.Event()
    refused: list[type[BaseException]] = []

    @workflow(timeout="10s")
    async def flow() -> str:
        begun.set()
        try:
            await asyncio.Event().wait()
        except BaseException:
            try:
                await step("more", nothing)
            except BaseException as error:
                refused.append(type(error))
        return "completed anyway"

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await begun.wait()
        frozen.advance("10s")
        with pytest.raises(RunTimedOut):
            await run.result()
        assert not (await run.describe()).steps

    assert len(refused) == 1


async def test_a_timed_out_run_is_no_failed_run(frozen: VirtualClock) -> None:
    begun = asyncio.Event()

    @workflow(timeout="10s")
    async def flow() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("in the way")

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await begun.wait()
        frozen.advance("10s")
        with pytest.raises(RunTimedOut):
            await run.result()


async def test_each_run_has_a_time_of_its_own(frozen: VirtualClock) -> None:
    begun: list[int] = []

    @workflow(timeout="10s")
    async def flow(number: int) -> None:
        begun.append(number)
        await asyncio.Event().wait()

    @workflow(timeout="1h")
    async def patient() -> None:
        begun.append(0)
        await asyncio.Event().wait()

    async with opened(flow, patient, clock=frozen) as runtime:
        longest = await runtime.start(patient)
        first = await runtime.start(flow, 1)
        await until(lambda: len(begun) == 2)
        frozen.advance("6s")
        second = await runtime.start(flow, 2)
        await until(lambda: len(begun) == 3)
        frozen.advance("5s")
        with pytest.raises(RunTimedOut):
            await first.result()
        assert await second.status() == RunStatus.RUNNING
        frozen.advance("5s")
        with pytest.raises(RunTimedOut):
            await second.result()
        assert await longest.status() == RunStatus.RUNNING


async def test_a_workflow_that_ends_in_a_timeout_of_its_own_is_a_failed_run() -> None:
    @workflow
    async def flow() -> None:
        async with asyncio.timeout(0.001):
            await asyncio.Event().wait()

    with pytest.raises(RunFailed) as failed:
        await result_of(flow)

    assert failed.value.cause_type == "TimeoutError"
