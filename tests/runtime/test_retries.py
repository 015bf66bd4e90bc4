"""Attempts, backoff, what is not tried again, and the error that is left (R7, R8)."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta
from typing import Any

import pytest

from flowgraph import (
    NonRetryable,
    RetryAfter,
    RetryPolicy,
    RunFailed,
    RunStatus,
    StepError,
    StepFailed,
    StepTimeout,
    step,
    workflow,
)
from flowgraph.testing import VirtualClock
from tests.runtime.support import Flaky, failing, nothing, opened, reached, record_of, result_of, steps_of, until

EXACT = RetryPolicy(initial="1s", factor=2, cap="10s", jitter=False, max_attempts=6)


class OurError(LookupError):
    pass


# How many attempts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "attempts"),
    [
        ({}, 5),
        ({"max_attempts": 1}, 1),
        ({"max_attempts": 7}, 7),
        ({"retry": RetryPolicy(max_attempts=2)}, 2),
        ({"retry": RetryPolicy()}, 5),
        ({"retry": RetryPolicy(max_attempts=2), "max_attempts": 3}, 3),
    ],
)
async def test_max_attempts_counts_all_attempts_and_beats_the_policy(options: dict[str, Any], attempts: int) -> None:
    seen: list[int] = []

    async def fail() -> None:
        seen.append(step.info().attempt)
        raise ValueError("no")

    @workflow
    async def flow() -> int:
        with pytest.raises(StepFailed) as failed:
            await step("fail", fail, **options)
        return failed.value.attempts

    assert await result_of(flow) == attempts
    assert seen == list(range(1, attempts + 1))


@pytest.mark.parametrize(
    ("options", "attempts"),
    [({}, 3), ({"retry": RetryPolicy(max_attempts=2)}, 2), ({"max_attempts": 4}, 4)],
)
async def test_the_policy_of_the_workflow_is_the_default_of_its_steps(options: dict[str, Any], attempts: int) -> None:
    @workflow(step_retry=RetryPolicy(max_attempts=3))
    async def flow() -> int:
        with pytest.raises(StepFailed) as failed:
            await step("fail", failing(), **options)
        return failed.value.attempts

    assert await result_of(flow) == attempts


async def test_the_policy_of_the_workflow_holds_below_steps_and_for_items() -> None:
    async def parent() -> int:
        with pytest.raises(StepFailed) as failed:
            await step("child", failing())
        return failed.value.attempts

    @workflow(step_retry=RetryPolicy(max_attempts=2))
    async def flow() -> list[Any]:
        collected = await step.map("items", failing(), [1], on_error="collect")
        return [await step("parent", parent), collected[0].error.attempts]

    assert await result_of(flow) == [2, 2]


async def test_a_step_that_fails_twice_and_then_succeeds_returns_its_result() -> None:
    flaky = Flaky(ValueError("one"), ValueError("two"), result=42)

    @workflow
    async def flow() -> int:
        return await step("flaky", flaky)

    record = await record_of(flow)

    [flaky_step] = record.steps
    assert (record.output, flaky.calls) == (42, 3)
    assert (flaky_step.state, flaky_step.attempts) == ("completed", 3)
    assert [(failure.number, failure.error.message) for failure in flaky_step.failures if failure.error] == [
        (1, "one"),
        (2, "two"),
    ]


async def test_attempt_numbers_survive_a_give_back(store: str, frozen: VirtualClock) -> None:
    seen: list[int] = []

    async def fail() -> None:
        seen.append(step.info().attempt)
        raise ValueError("no")

    @workflow
    async def flow() -> int:
        with pytest.raises(StepFailed) as failed:
            await step("fail", fail, max_attempts=4, retry=EXACT)
        return failed.value.attempts

    for attempts in (1, 2, 3):
        async with opened(flow, store=store, clock=frozen) as runtime:
            await runtime.start(flow, run_id="r")
            await until(lambda attempts=attempts: len(seen) == attempts)
            await until(lambda runtime=runtime, attempts=attempts: _failures(runtime, attempts))
        frozen.advance("10s")
    async with opened(flow, store=store, clock=frozen) as runtime:
        assert await runtime.run(flow, run_id="r") == 4

    assert seen == [1, 2, 3, 4]


async def _failures(runtime: Any, attempts: int) -> bool:
    steps = (await (await runtime.get("r")).describe()).steps
    return bool(steps) and len(steps[0].failures) == attempts


# How long between them ------------------------------------------------------------------------------------------------


async def test_backoff_is_exponential_up_to_its_cap(clock: VirtualClock) -> None:
    times: list[float] = []
    start = clock.now()

    async def fail() -> None:
        times.append((clock.now() - start).total_seconds())
        raise ValueError("no")

    @workflow
    async def flow() -> None:
        with pytest.raises(StepFailed):
            await step("fail", fail, retry=EXACT)

    await result_of(flow, clock=clock)

    assert times == pytest.approx([0, 1, 3, 7, 15, 25])


async def test_jitter_draws_each_delay_from_zero_to_its_bound(clock: VirtualClock) -> None:
    times: list[float] = []

    async def fail() -> None:
        times.append(clock.now().timestamp())
        raise ValueError("no")

    @workflow
    async def flow() -> None:
        with pytest.raises(StepFailed):
            await step("fail", fail, retry=RetryPolicy(initial=100, factor=1, cap=100, max_attempts=16))

    await result_of(flow, clock=clock)
    delays = [later - earlier for earlier, later in itertools.pairwise(times)]

    assert len({round(delay, 3) for delay in delays}) == 15
    assert all(0 <= delay <= 100 for delay in delays)
    assert max(delays) - min(delays) > 30


async def test_a_policy_without_delay_tries_again_at_once(frozen: VirtualClock) -> None:
    flaky = Flaky(*(ValueError("no") for _ in range(4)))

    @workflow
    async def flow() -> str:
        return await step("flaky", flaky, retry=RetryPolicy(initial=0))

    assert await result_of(flow, clock=frozen) == "done"


@pytest.mark.parametrize("delay", ["2h", 7_200, timedelta(hours=2)])
async def test_retry_after_sets_the_delay_of_the_next_attempt(clock: VirtualClock, delay: Any) -> None:
    start = clock.now()
    flaky = Flaky(RetryAfter(delay, "come back later"))

    @workflow
    async def flow() -> float:
        await step("flaky", flaky)
        return (clock.now() - start).total_seconds()

    record = await record_of(flow, clock=clock)

    assert record.output == pytest.approx(7_200)
    [failure] = record.steps[0].failures
    assert failure.error
    assert failure.error.message == "come back later"


async def test_retry_after_uses_up_an_attempt() -> None:
    flaky = Flaky(*(RetryAfter(0) for _ in range(9)))

    @workflow
    async def flow() -> int:
        with pytest.raises(StepFailed) as failed:
            await step("flaky", flaky, max_attempts=3)
        return failed.value.attempts

    assert await result_of(flow) == 3


async def test_a_long_backoff_suspends_the_run_which_is_then_sleeping(frozen: VirtualClock) -> None:
    flaky = Flaky(RetryAfter("1d"))

    @workflow
    async def flow() -> str:
        return await step("flaky", flaky)

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await reached(run, RunStatus.SLEEPING)
        record = await run.describe()
        assert [(wait.kind, wait.path, wait.until) for wait in record.waits] == [
            ("retry", "flaky", frozen.now() + timedelta(days=1))
        ]
        assert record.wake_at == frozen.now() + timedelta(days=1)
        frozen.advance("1d")
        assert await run.result() == "done"


async def test_what_is_left_of_a_backoff_is_waited_for_after_a_give_back(store: str, frozen: VirtualClock) -> None:
    flaky = Flaky(RetryAfter("1h"))

    @workflow
    async def flow() -> str:
        return await step("flaky", flaky)

    async with opened(flow, store=store, clock=frozen) as runtime:
        await reached(await runtime.start(flow, run_id="r"), RunStatus.SLEEPING)
    frozen.advance("59m")
    async with opened(flow, store=store, clock=frozen) as runtime:
        run = await runtime.get("r")
        assert await reached(run, RunStatus.SLEEPING) == RunStatus.SLEEPING
        assert flaky.calls == 1
        frozen.advance("1m")
        assert await run.result() == "done"

    assert flaky.calls == 2


async def test_a_backoff_that_user_code_cancelled_is_no_wait_any_more(frozen: VirtualClock) -> None:
    async with opened(clock=frozen) as runtime:

        @workflow
        async def flow() -> None:
            policy = RetryPolicy(initial="1h", cap="1h", jitter=False)
            task = asyncio.create_task(step("flaky", failing(), retry=policy))
            await until(lambda: _failures(runtime, 1))
            task.cancel()
            await asyncio.wait([task])
            await step.sleep("nap", "1d")

        run = await runtime.start(flow, run_id="r")
        await reached(run, RunStatus.SLEEPING)
        record = await run.describe()

    assert record.wake_at == frozen.now() + timedelta(days=1)
    assert [wait.path for wait in record.waits] == ["nap"]


async def test_a_bad_delay_in_retry_after_is_a_failure_and_not_a_hang() -> None:
    flaky = Flaky(RetryAfter(-5, "backwards"))

    @workflow
    async def flow() -> str:
        return await step("flaky", flaky, max_attempts=2)

    record = await record_of(flow)

    assert record.status in {RunStatus.FAILED, RunStatus.COMPLETED}


# What is not tried again ----------------------------------------------------------------------------------------------


def _group(*errors: Exception) -> ExceptionGroup[Exception]:
    return ExceptionGroup("several", errors)


@pytest.mark.parametrize(
    ("error", "options", "calls"),
    [
        (NonRetryable("no"), {}, 1),
        (_group(ValueError("a"), NonRetryable("no")), {}, 1),
        (_group(ValueError("a"), _group(KeyError("b"), NonRetryable("no"))), {}, 1),
        (ValueError("no"), {"retry": RetryPolicy(give_up_on=(ValueError,))}, 1),
        (ValueError("no"), {"retry": RetryPolicy(give_up_on=(Exception,))}, 1),
        (_group(ValueError("no")), {"retry": RetryPolicy(give_up_on=(ValueError,))}, 1),
        (KeyError("no"), {"retry": RetryPolicy(initial=0, retry_on=(ValueError,))}, 1),
        (ValueError("no"), {"retry": RetryPolicy(initial=0, retry_on=(ValueError,))}, 5),
        (OurError("no"), {"retry": RetryPolicy(initial=0, retry_on=(LookupError,))}, 5),
        (_group(ValueError("no"), KeyError("no")), {"retry": RetryPolicy(initial=0, retry_on=(ValueError,))}, 1),
        (_group(ValueError("no")), {"retry": RetryPolicy(initial=0, retry_on=(ValueError,))}, 5),
        (_group(RetryAfter(0), ValueError("no")), {"retry": RetryPolicy(max_attempts=3)}, 3),
        (_group(RetryAfter(0), NonRetryable("no")), {}, 1),
        (NonRetryable("no"), {"retry": RetryPolicy(retry_on=(NonRetryable,))}, 1),
    ],
    ids=str,
)
async def test_what_the_policy_gives_up_on(error: Exception, options: dict[str, Any], calls: int) -> None:
    flaky = Flaky(*[error] * 9)

    @workflow
    async def flow() -> int:
        with pytest.raises(StepFailed) as failed:
            await step("flaky", flaky, **options)
        return failed.value.attempts

    assert await result_of(flow) == calls
    assert flaky.calls == calls


async def test_the_longest_retry_after_of_a_group_counts(clock: VirtualClock) -> None:
    start = clock.now()
    flaky = Flaky(_group(RetryAfter("1m"), _group(RetryAfter("1h"))))

    @workflow
    async def flow() -> float:
        await step("flaky", flaky)
        return (clock.now() - start).total_seconds()

    assert await result_of(flow, clock=clock) == pytest.approx(3_600)


async def test_a_non_retryable_of_one_task_in_a_group_ends_the_step() -> None:
    calls = 0

    async def fail() -> None:
        raise NonRetryable("pointless")

    async def body() -> None:
        nonlocal calls
        calls += 1
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            group.create_task(asyncio.sleep(60))

    @workflow
    async def flow() -> bool:
        with pytest.raises(StepFailed) as failed:
            await step("body", body)
        return failed.value.caused_by(NonRetryable)

    assert await result_of(flow) is True
    assert calls == 1


# The error that is left -----------------------------------------------------------------------------------------------


async def test_step_failed_tells_name_path_attempts_and_cause() -> None:
    async def parent() -> list[Any]:
        with pytest.raises(StepFailed) as failed:
            await step("a/b", failing("the message", OurError), max_attempts=2)
        error = failed.value
        assert isinstance(error, StepError)
        assert "a%2Fb" in str(error)
        assert "the message" in str(error)
        assert "2 attempts" in str(error)
        return [error.name, error.path, error.attempts, error.cause_type, error.cause_message]

    @workflow
    async def flow() -> list[Any]:
        return await step("parent", parent)

    name, path, attempts, cause_type, message = await result_of(flow)

    assert (name, path, attempts, message) == ("a/b", "parent/a%2Fb", 2, "the message")
    assert cause_type.endswith("OurError")


async def test_caused_by_knows_classes_and_their_bases() -> None:
    @workflow
    async def flow() -> list[bool]:
        with pytest.raises(StepFailed) as failed:
            await step("fail", failing(error=OurError), max_attempts=1)
        caused_by = failed.value.caused_by
        return [
            caused_by(OurError), caused_by(LookupError), caused_by(Exception), caused_by(KeyError, OurError),
            caused_by(KeyError), caused_by(),
        ]  # fmt: skip

    assert await result_of(flow) == [True, True, True, True, False, False]


async def test_the_last_attempts_error_is_the_cause() -> None:
    @workflow
    async def flow() -> str:
        with pytest.raises(StepFailed) as failed:
            await step("flaky", Flaky(ValueError("first"), KeyError("last")), max_attempts=2)
        return failed.value.cause_type

    assert await result_of(flow) == "KeyError"


async def test_the_failure_is_raised_the_same_on_every_replay_and_never_with_a_cause() -> None:
    seen: list[StepFailed] = []
    calls: list[int] = []

    async def fail() -> None:
        calls.append(1)
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise OurError("outer") from error

    @workflow
    async def flow() -> None:
        try:
            await step("fail", fail, max_attempts=2)
        except StepFailed as error:
            seen.append(error)
        await step.sleep("one", "1h")
        await step.sleep("two", "1h")

    await result_of(flow)

    assert len(calls) == 2
    assert len(seen) == 3
    assert [(type(error), error.args, str(error)) for error in seen] == [(StepFailed, seen[0].args, str(seen[0]))] * 3
    assert [(error.__cause__, error.__context__) for error in seen] == [(None, None)] * 3


async def test_the_failure_is_the_same_after_a_give_back(store: str) -> None:
    seen: list[StepFailed] = []

    @workflow
    async def flow() -> None:
        try:
            await step("fail", failing("no", OurError), max_attempts=2)
        except StepFailed as error:
            seen.append(error)
        await step.listen("go")

    for number in (1, 2):
        async with opened(flow, store=store) as runtime:
            run = await runtime.start(flow, run_id="r")
            await reached(run, RunStatus.LISTENING)
            if number == 2:
                await run.send("go")
                await run.result()

    assert seen[0].args == seen[1].args
    assert seen[1].caused_by(LookupError)


async def test_the_traceback_is_stored_as_text() -> None:
    async def a_function_with_a_telling_name() -> None:
        raise ValueError("no")

    @workflow
    async def flow() -> None:
        with pytest.raises(StepFailed):
            await step("fail", a_function_with_a_telling_name, max_attempts=1)

    record = await record_of(flow)

    error = record.steps[0].error
    assert error is not None
    assert error.type == "ValueError"
    assert "a_function_with_a_telling_name" in error.traceback


async def test_an_uncaught_failure_fails_the_run() -> None:
    @workflow
    async def flow() -> None:
        await step("fail", failing("the reason"), max_attempts=1)

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        with pytest.raises(RunFailed) as failed:
            await run.result()
        assert await run.status() == RunStatus.FAILED

    assert failed.value.run_id == run.id
    assert failed.value.cause_type == "StepFailed"
    assert "the reason" in failed.value.message
    assert failed.value.__cause__ is None


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    "error",
    [Unprintable(), ValueError("\ud800 lone"), ValueError("nul \x00"), ValueError("x" * 1_000_000), ValueError()],
    ids=["unprintable", "surrogate", "nul", "long", "empty"],
)
async def test_an_error_with_a_text_that_no_store_takes_is_saved_all_the_same(error: Exception) -> None:
    seen: list[str] = []

    @workflow
    async def flow() -> None:
        try:
            await step("fail", Flaky(error), max_attempts=1)
        except StepFailed as failed:
            seen.append(str(failed))
        await step.sleep("pause", "1h")

    await result_of(flow)

    assert len(seen) == 2
    assert seen[0] == seen[1]
    assert len(seen[0]) < 20_000


async def test_max_attempts_of_one_fails_at_the_first_error() -> None:
    flaky = Flaky(ValueError("no"))

    @workflow
    async def flow() -> str:
        with pytest.raises(StepFailed, match="1 attempt:"):
            await step("flaky", flaky, max_attempts=1)
        return "caught"

    assert await result_of(flow) == "caught"
    assert flaky.calls == 1


# At most once ---------------------------------------------------------------------------------------------------------


async def test_at_most_once_makes_any_failure_final() -> None:
    flaky = Flaky(ValueError("no"))

    @workflow
    async def flow() -> int:
        with pytest.raises(StepFailed) as failed:
            await step("flaky", flaky, at_most_once=True, max_attempts=5)
        return failed.value.attempts

    assert await result_of(flow) == 1
    assert flaky.calls == 1


async def test_at_most_once_runs_a_body_once_when_all_goes_well() -> None:
    bodies: list[int] = []

    @workflow
    async def flow() -> str:
        result = await step("once", lambda: bodies.append(1) or "done", at_most_once=True)
        await step.sleep("pause", "1h")
        return result

    assert await result_of(flow) == "done"
    assert bodies == [1]


async def test_at_most_once_commits_its_start_before_the_body() -> None:
    seen: list[Any] = []

    async with opened() as runtime:

        async def look() -> None:
            record = await (await runtime.get("r")).describe()
            seen.extend((each.path, each.state) for each in record.steps)

        @workflow
        async def flow() -> None:
            await step("once", look, at_most_once=True)

        await runtime.run(flow, run_id="r")

    assert seen == [("once", "started")]


async def test_at_most_once_fails_with_an_unknown_outcome_instead_of_running_again(store: str) -> None:
    bodies: list[int] = []

    async def hold() -> None:
        bodies.append(1)
        await asyncio.Event().wait()

    @workflow
    async def flow() -> list[Any]:
        with pytest.raises(StepFailed) as failed:
            await step("once", hold, at_most_once=True)
        return [failed.value.cause_type, failed.value.cause_message]

    async with opened(flow, store=store) as runtime:
        await runtime.start(flow, run_id="r")
        await until(lambda: bool(bodies))
    async with opened(flow, store=store) as runtime:
        cause_type, message = await runtime.run(flow, run_id="r")

    assert bodies == [1]
    assert "unknown" in (cause_type + message).lower()


async def test_at_most_once_below_a_failed_attempt_does_not_run_again() -> None:
    bodies: list[int] = []

    async def once() -> None:
        bodies.append(1)
        raise ValueError("no")

    async def parent() -> str:
        try:
            await step("once", once, at_most_once=True)
        except StepFailed:
            if step.info().attempt < 3:
                raise ValueError("again") from None
            return "gave up"
        return "never"

    @workflow
    async def flow() -> str:
        return await step("parent", parent)

    assert await result_of(flow) == "gave up"
    assert bodies == [1]


@pytest.mark.parametrize("wait", ["sleep", "child"])
async def test_at_most_once_holds_for_a_parent_that_waits_and_fails_nothing(wait: str) -> None:
    """Nothing crashed, so there is no unknown outcome: the run stays with the body instead of suspending."""
    bodies: list[int] = []

    @workflow
    async def child() -> None:
        await step.sleep("nap", "1h")

    async def parent() -> str:
        bodies.append(1)
        if wait == "sleep":
            await step.sleep("nap", "1h")
        else:
            await step.execute_workflow("child", child)
        return "paid"

    @workflow
    async def flow() -> str:
        return await step("parent", parent, at_most_once=True)

    assert await result_of(flow, also=(child,)) == "paid"
    assert bodies == [1]


async def test_step_timeout_is_not_what_an_ordinary_timeout_error_becomes() -> None:
    @workflow
    async def flow() -> bool:
        with pytest.raises(StepFailed) as failed:
            await step("fail", failing(error=TimeoutError), max_attempts=1)
        return isinstance(failed.value, StepTimeout)

    assert await result_of(flow) is False


async def test_steps_after_a_caught_failure_go_on() -> None:
    @workflow
    async def flow() -> str:
        try:
            await step("plan a", failing(), max_attempts=2)
        except StepFailed:
            return await step("plan b", lambda: "saved the day")
        return "never"

    record = await record_of(flow)

    assert record.output == "saved the day"
    assert {path: each.state for path, each in steps_of(record).items()} == {"plan a": "failed", "plan b": "completed"}


async def test_a_decorated_handler_that_fails_in_a_step_uses_the_attempts_of_both_once() -> None:
    calls: list[int] = []

    @step("inner", max_attempts=2)
    async def inner() -> None:
        calls.append(1)
        raise ValueError("no")

    @workflow
    async def flow() -> int:
        with pytest.raises(StepFailed) as failed:
            await step("outer", inner, max_attempts=4)
        return failed.value.attempts

    assert await result_of(flow) == 1
    assert len(calls) == 2


async def test_concurrent_failures_are_each_tried_again() -> None:
    flakies = [Flaky(ValueError("no"), result=number) for number in range(20)]

    @workflow
    async def flow() -> list[int]:
        return await asyncio.gather(*(step(f"flaky-{n}", flaky) for n, flaky in enumerate(flakies)))

    assert await result_of(flow) == list(range(20))
    assert {flaky.calls for flaky in flakies} == {2}


async def test_nothing_is_tried_again_that_succeeded_in_a_gather_with_failures() -> None:
    bodies: list[int] = []
    flaky = Flaky(RetryAfter("1h"), RetryAfter("1h"))

    @workflow
    async def flow() -> None:
        await asyncio.gather(
            step("fine", lambda: bodies.append(1)),
            step("flaky", flaky),
            step("nothing", nothing),
        )

    await result_of(flow)

    assert bodies == [1]
