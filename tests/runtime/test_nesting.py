"""Steps in steps: what is skipped, what is repeated, and when a parent is complete (R2, R6)."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from flowgraph import (
    ChildFailed,
    MapFailed,
    NotInWorkflow,
    RetryPolicy,
    RunFailed,
    RunStatus,
    SerializationError,
    StepError,
    StepFailed,
    StepTimeout,
    step,
    workflow,
)
from flowgraph.testing import VirtualClock
from tests.runtime.support import failing, nothing, opened, record_of, result_of, settle, steps_of, until

AGAIN = RetryPolicy(max_attempts=3, initial=0, retry_on=(StepError, ValueError))


async def test_steps_in_steps_make_paths_at_any_depth() -> None:
    async def descend(depth: int) -> str:
        return step.info().path if depth == 0 else await step(f"level-{depth}", descend, depth - 1)

    @workflow
    async def flow() -> str:
        return await step("top", descend, 3)

    record = await record_of(flow)

    assert record.output == "top/level-3/level-2/level-1"
    assert list(steps_of(record)) == ["top", "top/level-3", "top/level-3/level-2", "top/level-3/level-2/level-1"]


async def test_on_resume_an_unfinished_parent_runs_again_and_its_finished_children_are_skipped() -> None:
    bodies: Counter[str] = Counter()

    def count(name: str) -> str:
        bodies[name] += 1
        return name

    async def parent() -> str:
        bodies["parent"] += 1
        first = await step("first", count, "first")
        await step.sleep("pause", "1h")
        return first + await step("second", count, "second")

    @workflow
    async def flow() -> str:
        return await step("parent", parent)

    assert await result_of(flow) == "firstsecond"
    assert bodies == {"parent": 2, "first": 1, "second": 1}


async def test_a_finished_parent_is_skipped_with_all_that_is_below_it() -> None:
    bodies: Counter[str] = Counter()

    async def parent() -> str:
        bodies["parent"] += 1
        return await step("child", lambda: bodies.update(["child"]) or "result")

    @workflow
    async def flow() -> str:
        result = await step("parent", parent)
        await step.sleep("pause", "1h")
        return result

    assert await result_of(flow) == "result"
    assert bodies == {"parent": 1, "child": 1}


async def test_a_parent_completes_only_when_the_steps_that_nobody_awaits_have_completed() -> None:
    order: list[str] = []
    release = asyncio.Event()

    async def child() -> None:
        await release.wait()
        order.append("child")

    background: list[asyncio.Task[Any]] = []

    async def parent() -> str:
        background.append(asyncio.create_task(step("child", child)))
        return "early"

    async def watch() -> None:
        await settle()
        order.append("released")
        release.set()

    @workflow
    async def flow() -> str:
        other = asyncio.create_task(step("watch", watch))
        result = await step("parent", parent)
        order.append("parent")
        await other
        return result

    record = await record_of(flow)

    assert record.output == "early"
    assert order == ["released", "child", "parent"]
    assert steps_of(record)["parent/child"].state == "completed"


async def test_a_step_of_a_task_that_has_not_begun_when_its_parent_returns_is_waited_for() -> None:
    done: list[int] = []

    async def start(number: int) -> Any:
        for _ in range(number):
            await asyncio.sleep(0)
        return await step(f"child-{number}", lambda: done.append(number))

    background: set[asyncio.Task[Any]] = set()

    async def parent() -> None:
        background.update(asyncio.create_task(start(number)) for number in range(3))

    @workflow
    async def flow() -> list[int]:
        await step("parent", parent)
        return sorted(done)

    assert await result_of(flow) == [0, 1, 2]


async def test_the_workflow_completes_only_when_the_steps_that_nobody_awaits_have_completed() -> None:
    background: list[asyncio.Task[Any]] = []

    @workflow
    async def flow() -> str:
        background.append(asyncio.create_task(step("background", lambda: "saved")))
        return "early"

    record = await record_of(flow)

    assert record.output == "early"
    assert steps_of(record)["background"].result == "saved"


async def test_a_sleep_that_nobody_awaits_keeps_the_workflow_from_completing(clock: VirtualClock) -> None:
    start = clock.now()
    background: list[asyncio.Task[Any]] = []

    @workflow
    async def flow() -> str:
        background.append(asyncio.create_task(step.sleep("nap", "3h")))
        return "early"

    assert await result_of(flow, clock=clock) == "early"
    assert (clock.now() - start).total_seconds() >= 3 * 3_600


async def test_a_step_below_a_parent_that_has_completed_is_refused() -> None:
    release = asyncio.Event()
    refused: list[type[BaseException]] = []

    async def late() -> None:
        await release.wait()
        try:
            await step("late", nothing)
        except Exception as error:
            refused.append(type(error))

    background: list[asyncio.Task[Any]] = []

    async def parent() -> None:
        background.append(asyncio.create_task(late()))

    @workflow
    async def flow() -> str:
        await step("parent", parent)
        release.set()
        await background[0]
        return "done"

    record = await record_of(flow)

    assert refused == [NotInWorkflow]
    assert list(steps_of(record)) == ["parent"]


# Failures below a parent ----------------------------------------------------------------------------------------------


async def test_a_parent_that_fails_over_and_over_runs_each_successful_child_once() -> None:
    bodies: Counter[str] = Counter()

    async def parent() -> str:
        attempt = step.info().attempt
        bodies["parent"] += 1
        for number in range(attempt):
            await step(f"child-{number}", lambda number=number: bodies.update([f"child-{number}"]))
        if attempt < 5:
            raise ValueError(attempt)
        return "at last"

    @workflow
    async def flow() -> str:
        return await step("parent", parent)

    assert await result_of(flow) == "at last"
    assert bodies == {"parent": 5, **{f"child-{number}": 1 for number in range(5)}}


async def test_by_default_a_parent_gives_up_on_a_childs_error_instead_of_multiplying_attempts() -> None:
    bodies: Counter[str] = Counter()

    async def child() -> None:
        bodies["child"] += 1
        raise ValueError("no")

    async def middle() -> None:
        bodies["middle"] += 1
        await step("child", child)

    async def top() -> None:
        bodies["top"] += 1
        await step("middle", middle)

    @workflow(step_retry=RetryPolicy(initial=0))
    async def flow() -> int:
        with pytest.raises(StepFailed) as failed:
            await step("top", top)
        return failed.value.attempts

    assert await result_of(flow) == 1
    assert bodies == {"top": 1, "middle": 1, "child": 5}


async def test_an_error_of_a_child_in_an_exception_group_multiplies_no_attempts() -> None:
    bodies: Counter[str] = Counter()

    async def child() -> None:
        bodies["child"] += 1
        raise ValueError("no")

    async def parent() -> None:
        bodies["parent"] += 1
        async with asyncio.TaskGroup() as group:
            group.create_task(step("child", child, max_attempts=2))

    @workflow(step_retry=RetryPolicy(initial=0))
    async def flow() -> bool:
        with pytest.raises(StepFailed) as failed:
            await step("parent", parent)
        return failed.value.caused_by(ValueError) and failed.value.caused_by(StepFailed)

    assert await result_of(flow) is True
    assert bodies == {"parent": 1, "child": 2}


async def test_a_parent_retries_a_childs_error_where_its_policy_names_it() -> None:
    bodies: Counter[str] = Counter()

    async def child() -> str:
        bodies["child"] += 1
        if bodies["child"] < 5:
            raise ValueError("no")
        return "fine"

    async def parent() -> str:
        bodies["parent"] += 1
        return await step("child", child, max_attempts=2)

    @workflow
    async def flow() -> str:
        return await step("parent", parent, retry=AGAIN)

    assert await result_of(flow) == "fine"
    assert bodies == {"parent": 3, "child": 5}


async def test_a_failure_below_a_failed_attempt_stops_counting_and_a_success_never_does() -> None:
    bodies: Counter[str] = Counter()

    async def parent() -> str:
        bodies["parent"] += 1
        good = await step("good", lambda: bodies.update(["good"]) or "good")
        if step.info().attempt == 1:
            with pytest.raises(StepFailed):
                await step("bad", failing("first time"), max_attempts=1)
            raise ValueError("again")
        return good + await step("bad", lambda: bodies.update(["bad"]) or "bad", max_attempts=1)

    @workflow
    async def flow() -> str:
        return await step("parent", parent)

    assert await result_of(flow) == "goodbad"
    assert bodies == {"parent": 2, "good": 1, "bad": 1}


async def test_a_failure_that_its_parent_caught_stays_a_failure_on_replay() -> None:
    bodies: Counter[str] = Counter()

    async def parent() -> list[Any]:
        bodies["parent"] += 1
        try:
            await step("bad", lambda: bodies.update(["bad"]) or 1 / 0, max_attempts=2)
        except StepFailed as error:
            caught = [error.path, error.attempts, error.cause_type]
        await step.sleep("pause", "1h")
        return caught

    @workflow
    async def flow() -> list[Any]:
        return await step("parent", parent)

    assert await result_of(flow) == ["parent/bad", 2, "ZeroDivisionError"]
    assert bodies == {"parent": 2, "bad": 2}


async def test_failures_at_depth_stop_counting_with_the_attempt_above_them() -> None:
    bodies: Counter[str] = Counter()

    async def leaf() -> str:
        bodies["leaf"] += 1
        if bodies["leaf"] == 1:
            raise ValueError("first")
        return "leaf"

    async def middle() -> str:
        bodies["middle"] += 1
        return await step("leaf", leaf, max_attempts=1)

    async def top() -> str:
        bodies["top"] += 1
        return await step("middle", middle, max_attempts=1)

    @workflow
    async def flow() -> str:
        return await step("top", top, retry=AGAIN)

    assert await result_of(flow) == "leaf"
    assert bodies == {"top": 2, "middle": 2, "leaf": 2}


async def test_what_failed_below_a_failed_attempt_is_tried_again_after_a_suspension_too() -> None:
    bodies: Counter[str] = Counter()

    async def child() -> str:
        bodies["child"] += 1
        if bodies["child"] == 1:
            raise ValueError("first")
        return "fine"

    async def parent() -> str:
        bodies["parent"] += 1
        return await step("child", child, max_attempts=1)

    slow = RetryPolicy(initial="1h", cap="1h", jitter=False, retry_on=(StepError,))

    @workflow
    async def flow() -> str:
        return await step("parent", parent, retry=slow)

    assert await result_of(flow) == "fine"
    assert bodies == {"parent": 2, "child": 2}


async def test_a_suspension_uses_up_no_attempt() -> None:
    attempts: list[int] = []

    async def parent() -> str:
        attempts.append(step.info().attempt)
        for number in range(4):
            await step.sleep(f"nap-{number}", "1h")
        return "rested"

    @workflow
    async def flow() -> str:
        return await step("parent", parent, max_attempts=1)

    record = await record_of(flow)

    assert (record.output, attempts) == ("rested", [1] * 5)
    assert steps_of(record)["parent"].attempts == 1


async def test_a_parent_that_catches_a_suspension_cannot_complete_nor_fail() -> None:
    attempts: list[int] = []

    async def parent() -> str:
        attempts.append(step.info().attempt)
        try:
            await step.sleep("nap", "1h")
        except BaseException:
            if len(attempts) == 1:
                raise ValueError("instead of suspending") from None
            return "instead of suspending"
        return "after the nap"

    @workflow
    async def flow() -> str:
        return await step("parent", parent, max_attempts=1)

    assert await result_of(flow) == "after the nap"
    assert attempts == [1, 1]


async def test_a_parent_fails_only_when_the_steps_below_it_have_ended() -> None:
    order: list[str] = []
    release = asyncio.Event()

    async def slow() -> None:
        await release.wait()
        order.append("slow")

    background: list[asyncio.Task[Any]] = []

    async def parent() -> None:
        background.append(asyncio.create_task(step("slow", slow)))
        await settle()
        release.set()
        raise ValueError("no")

    @workflow
    async def flow() -> str:
        with pytest.raises(StepFailed):
            await step("parent", parent, max_attempts=1)
        order.append("failed")
        return "done"

    record = await record_of(flow)

    assert order == ["slow", "failed"]
    assert steps_of(record)["parent/slow"].state == "completed"


async def test_the_error_of_a_childs_bad_result_still_names_the_child() -> None:
    async def parent() -> None:
        await step("child", lambda: object())

    @workflow
    async def flow() -> str:
        with pytest.raises(StepError) as failed:
            await step("parent", parent)
        return str(failed.value)

    text = await result_of(flow)

    assert "parent/child" in text
    assert "object" in text


async def test_the_error_of_a_childs_bad_result_is_not_taken_for_the_parents_own() -> None:
    async def parent() -> None:
        await step("child", lambda: object())

    @workflow
    async def flow() -> bool:
        with pytest.raises(StepFailed) as failed:
            await step("parent", parent)
        return failed.value.caused_by(SerializationError)

    assert await result_of(flow) is True


@pytest.mark.parametrize("method", ["map", "for_each", "batch"])
async def test_a_failed_fan_out_in_a_step_fails_the_step_in_one_attempt(method: str) -> None:
    bodies: Counter[str] = Counter()

    async def parent() -> None:
        bodies["parent"] += 1
        await getattr(step, method)("items", failing(), [1, 2], max_attempts=1)

    @workflow
    async def flow() -> bool:
        with pytest.raises(StepFailed) as failed:
            await step("parent", parent)
        return failed.value.caused_by(MapFailed)

    assert await result_of(flow) is True
    assert bodies == {"parent": 1}


async def test_a_failed_child_run_in_a_step_fails_the_step_in_one_attempt() -> None:
    bodies: Counter[str] = Counter()

    @workflow
    async def child() -> None:
        bodies["child"] += 1
        raise ValueError("no")

    async def parent() -> None:
        await step.execute_workflow("child", child)

    @workflow
    async def flow() -> list[Any]:
        with pytest.raises(StepFailed) as failed:
            await step("parent", parent)
        return [failed.value.attempts, failed.value.caused_by(ChildFailed)]

    assert await result_of(flow, also=(child,)) == [1, True]
    assert bodies == {"child": 1}


async def test_the_items_of_a_map_that_succeeded_stay_when_the_step_above_is_tried_again() -> None:
    bodies: Counter[int] = Counter()

    async def item(number: int) -> int:
        bodies[number] += 1
        if number == 2 and bodies[2] == 1:
            raise ValueError("no")
        return number

    async def parent() -> list[int]:
        return await step.map("items", item, [1, 2, 3], max_attempts=1)

    @workflow
    async def flow() -> list[int]:
        return await step("parent", parent, retry=AGAIN)

    assert await result_of(flow) == [1, 2, 3]
    assert bodies == {1: 1, 2: 2, 3: 1}


async def test_a_map_that_is_tried_again_with_other_items_mixes_nothing() -> None:
    lists = [[1, 2, 3], [7, 8, 9]]

    async def item(number: int) -> int:
        if number == 2:
            raise ValueError("no")
        return number

    async def parent() -> list[int]:
        return await step.map("items", item, lists[step.info().attempt - 1], max_attempts=1)

    @workflow
    async def flow() -> Any:
        return await step("parent", parent, retry=RetryPolicy(max_attempts=2, initial=0, retry_on=(StepError,)))

    async with opened(flow) as runtime:
        try:
            result = await runtime.run(flow)
        except RunFailed as failed:
            result = failed.message

    assert result == [7, 8, 9] or "items" in result


async def test_steps_of_two_attempts_do_not_meet() -> None:
    """A step that a failed attempt left in flight has ended before the next attempt begins."""
    at_work = 0
    most = 0

    async def child() -> None:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await settle()
        at_work -= 1
        raise ValueError("no")

    background: list[asyncio.Task[Any]] = []

    async def parent() -> str:
        background.append(asyncio.create_task(step("child", child, max_attempts=1)))
        await asyncio.sleep(0)
        if step.info().attempt < 3:
            raise ValueError("again")
        return "done"

    @workflow
    async def flow() -> str:
        return await step("parent", parent)

    async with opened(flow) as runtime:
        assert await runtime.run(flow) == "done"
    await asyncio.gather(*background, return_exceptions=True)

    assert most == 1


async def test_a_timed_out_parent_takes_its_children_along(frozen: VirtualClock) -> None:
    ended: list[str] = []
    begun = asyncio.Event()

    async def child() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("child")

    async def parent() -> None:
        await step("child", child)

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
        assert list(steps_of(await run.describe())) == ["parent"]

    assert ended == ["child"]


async def test_a_parent_with_a_child_in_flight_is_given_back_and_resumed(store: str) -> None:
    bodies: Counter[str] = Counter()
    release = asyncio.Event()

    async def slow() -> str:
        bodies["slow"] += 1
        await release.wait()
        return "slow"

    async def parent() -> str:
        bodies["parent"] += 1
        quick = await step("quick", lambda: bodies.update(["quick"]) or "quick")
        return quick + await step("slow", slow)

    @workflow
    async def flow() -> str:
        return await step("parent", parent)

    async with opened(flow, store=store) as runtime:
        await runtime.start(flow, run_id="r")
        await until(lambda: bodies["slow"] == 1)
    release.set()
    async with opened(flow, store=store) as runtime:
        run = await runtime.get("r")
        assert await run.result() == "quickslow"
        assert await run.status() == RunStatus.COMPLETED

    assert bodies == {"parent": 2, "quick": 1, "slow": 2}
