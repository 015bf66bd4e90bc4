"""Child runs: one child per path, how its end reaches the parent, and how the parent's end reaches it (R12)."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import attrs
import pytest

from flowgraph import (
    ChildFailed,
    Client,
    DefinitionError,
    InvalidOption,
    RetryPolicy,
    RunAborted,
    RunCancelled,
    RunFailed,
    RunNotFound,
    RunStatus,
    RunTimedOut,
    SerializationError,
    StepError,
    StepFailed,
    StepTimeout,
    step,
    workflow,
)
from flowgraph.testing import VirtualClock
from tests.runtime.support import ended, nothing, opened, reached, record_of, result_of, settle, until


@attrs.frozen
class Bill:
    customer: str
    total: int


@workflow
async def doubling(number: int) -> int:
    return await step("double", lambda: number * 2)


@workflow
async def billing(customer: str, *, total: int = 1) -> Bill:
    return Bill(customer, total)


@workflow
async def resting(hours: int = 1) -> str:
    await step.sleep("rest", f"{hours}h")
    return "rested"


@workflow
async def failing_child(message: str = "no") -> None:
    raise LookupError(message)


# Executing ------------------------------------------------------------------------------------------------------------


async def test_a_child_is_a_run_of_its_own_with_the_parent_named() -> None:
    @workflow
    async def flow() -> int:
        return await step.execute_workflow("double it", doubling, 21)

    async with opened(flow, doubling) as runtime:
        run = await runtime.start(flow)
        assert await run.result() == 42
        records = {record.workflow: record for record in await runtime.list()}

    assert records["doubling"].parent_id == run.id
    assert records["flow"].parent_id is None
    assert records["doubling"].status == RunStatus.COMPLETED


async def test_the_result_of_a_child_is_typed_at_first_and_on_replay() -> None:
    seen: list[Any] = []

    @workflow
    async def flow() -> None:
        seen.append(await step.execute_workflow("bill", billing, "me", total=7))
        await step.sleep("pause", "1h")

    await result_of(flow, also=(billing,))

    assert seen == [Bill("me", 7)] * 2


async def test_a_child_may_be_named_by_text() -> None:
    @workflow
    async def flow() -> int:
        return await step.execute_workflow("double it", "doubling", 21)

    assert await result_of(flow, also=(doubling,)) == 42


async def test_a_child_may_be_executed_where_the_parents_code_is_not(store: str) -> None:
    @workflow
    async def flow() -> int:
        return await step.execute_workflow("double it", "doubling", 21)

    async with opened(flow, store=store) as parents, opened(doubling, store=store):
        assert await parents.run(flow) == 42


async def test_a_waiting_parent_says_for_what_and_holds_no_worker(frozen: VirtualClock) -> None:
    @workflow
    async def flow() -> str:
        return await step.execute_workflow("child", resting)

    async with opened(flow, resting, clock=frozen, concurrency=1) as runtime:
        run = await runtime.start(flow)
        assert await reached(run, RunStatus.WAITING) == "waiting"
        [wait] = (await run.describe()).waits
        child = await runtime.get(wait.run_id or "")
        await reached(child, RunStatus.SLEEPING)
        frozen.advance("1h")
        assert await run.result() == "rested"

    assert (wait.kind, wait.path) == ("workflow", "child")


async def test_a_chain_of_parents_needs_one_worker() -> None:
    @workflow
    async def factorial(number: int) -> int:
        if number < 2:
            return 1
        return number * int(await step.execute_workflow("smaller", "factorial", number - 1))

    assert await result_of(factorial, 10, concurrency=1) == 3_628_800


async def test_many_children_at_once() -> None:
    @workflow
    async def flow() -> list[int]:
        return await asyncio.gather(*(step.execute_workflow(f"child-{n}", doubling, n) for n in range(50)))

    assert await result_of(flow, also=(doubling,)) == [2 * number for number in range(50)]


async def test_many_children_one_after_the_other() -> None:
    @workflow
    async def child(number: int) -> int:
        if number % 3 == 0:
            await step.sleep("nap", "1h")
        return number

    @workflow
    async def flow() -> int:
        return sum([await step.execute_workflow(f"child-{number}", child, number) for number in range(40)])

    assert await result_of(flow, also=(child,)) == sum(range(40))


async def test_a_child_in_a_step_and_in_an_item() -> None:
    async def item(number: int) -> int:
        return await step.execute_workflow("child", doubling, number)

    async def parent() -> list[int]:
        return await step.map("items", item, [1, 2, 3])

    @workflow
    async def flow() -> list[int]:
        return await step("parent", parent)

    assert await result_of(flow, also=(doubling,)) == [2, 4, 6]


async def test_a_resume_never_starts_a_second_child(store: str, frozen: VirtualClock) -> None:
    bodies: Counter[str] = Counter()

    @workflow
    async def child() -> str:
        bodies["child"] += 1
        return "child"

    @workflow
    async def flow() -> str:
        bodies["flow"] += 1
        result = await step.execute_workflow("child", child)
        await step.sleep("pause", "1h")
        again = await step.execute_workflow("another", child)
        return result + again

    for _ in range(3):
        async with opened(flow, child, store=store, clock=frozen) as runtime:
            run = await runtime.start(flow, run_id="r")
            await reached(run, RunStatus.SLEEPING, RunStatus.COMPLETED)
            frozen.advance("20m")
    async with opened(flow, child, store=store, clock=frozen) as runtime:
        assert await (await runtime.get("r")).result() == "childchild"
        assert len(await runtime.list()) == 3

    assert bodies["child"] == 2


async def test_the_same_name_in_another_run_is_another_child() -> None:
    @workflow
    async def flow(number: int) -> int:
        return await step.execute_workflow("child", doubling, number)

    async with opened(flow, doubling) as runtime:
        assert [await runtime.run(flow, number) for number in range(3)] == [0, 2, 4]


# Its end --------------------------------------------------------------------------------------------------------------


@workflow
async def ending(how: str) -> None:
    match how:
        case "failed":
            step.fail("the reason")
        case "aborted":
            step.abort()
        case "raised":
            raise LookupError("the reason")
        case "cancelled" | "timed_out":
            await step.listen("never")


@pytest.mark.parametrize(
    ("how", "status", "message", "cause"),
    [
        ("failed", "failed", "the reason", ""),
        ("raised", "failed", "the reason", "LookupError"),
        ("aborted", "aborted", "", ""),
        ("cancelled", "cancelled", "", ""),
    ],
)
async def test_a_child_without_a_result_raises_child_failed(how: str, status: str, message: str, cause: str) -> None:
    seen: list[ChildFailed] = []

    @workflow
    async def flow() -> str:
        try:
            await step.execute_workflow("child", ending, how)
        except ChildFailed as error:
            seen.append(error)
        await step.sleep("pause", "1h")
        return "went on"

    async with opened(flow, ending) as runtime:
        run = await runtime.start(flow)
        if how == "cancelled":
            await reached(run, RunStatus.WAITING)
            child = await runtime.get((await run.describe()).waits[0].run_id or "")
            await reached(child, RunStatus.LISTENING)
            await child.cancel()
        assert await run.result() == "went on"

    error = seen[0]
    assert isinstance(error, StepError)
    assert (error.path, error.status, error.message, error.cause_type) == ("child", status, message, cause)
    assert error.run_id in str(error)
    assert status in str(error)
    assert [(type(each), each.args, each.__cause__, each.__context__) for each in seen] == [
        (ChildFailed, error.args, None, None)
    ] * 2


async def test_a_child_that_times_out_raises_child_failed(frozen: VirtualClock) -> None:
    begun = asyncio.Event()

    @workflow(timeout="10s")
    async def child() -> None:
        begun.set()
        await asyncio.Event().wait()

    @workflow
    async def flow() -> str:
        with pytest.raises(ChildFailed) as failed:
            await step.execute_workflow("child", child)
        return failed.value.status

    async with opened(flow, child, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await begun.wait()
        await reached(run, RunStatus.WAITING)
        frozen.advance("10s")
        assert await run.result() == "timed_out"


async def test_an_uncaught_child_failed_fails_the_parent() -> None:
    @workflow
    async def flow() -> None:
        await step.execute_workflow("child", failing_child, "the reason")

    with pytest.raises(RunFailed) as failed:
        await result_of(flow, also=(failing_child,))

    assert failed.value.cause_type == "ChildFailed"
    assert "the reason" in failed.value.message


async def test_a_child_that_failed_below_a_failed_attempt_is_executed_again() -> None:
    bodies: Counter[str] = Counter()

    @workflow
    async def child() -> str:
        bodies["child"] += 1
        if bodies["child"] == 1:
            raise ValueError("first time")
        return "fine"

    async def parent() -> str:
        return await step.execute_workflow("child", child)

    @workflow
    async def flow() -> str:
        return await step("parent", parent, retry=RetryPolicy(max_attempts=3, initial=0, retry_on=(ChildFailed,)))

    assert await result_of(flow, also=(child,)) == "fine"
    assert bodies == {"child": 2}


# The parent's end -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["fail", "abort", "raise", "cancel", "time out"])
async def test_a_parent_that_ends_without_a_result_cancels_its_children(how: str, frozen: VirtualClock) -> None:
    ids: list[str] = []
    begun = asyncio.Event()

    @workflow(timeout="10s")
    async def flow() -> None:
        if not ids:
            ids.append(await step.start_workflow("attached", resting, 5))
            ids.append(await step.start_workflow("detached", resting, 5, detached=True))
        begun.set()
        match how:
            case "fail":
                step.fail("no")
            case "abort":
                step.abort()
            case "raise":
                raise ValueError("no")
            case _:
                await asyncio.Event().wait()

    async with opened(flow, resting, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await begun.wait()
        attached, detached = [await runtime.get(run_id) for run_id in ids]
        await reached(detached, RunStatus.SLEEPING)
        if how == "cancel":
            await run.cancel()
        if how == "time out":
            await reached(attached, RunStatus.SLEEPING)
            frozen.advance("10s")
        with pytest.raises((RunFailed, RunAborted, RunCancelled, RunTimedOut)):
            await run.result()
        with pytest.raises(RunCancelled):
            await attached.result()
        assert await detached.status() == RunStatus.SLEEPING
        frozen.advance("5h")
        assert await detached.result() == "rested"


async def test_a_suspended_parent_that_is_cancelled_cancels_its_children_and_theirs(frozen: VirtualClock) -> None:
    @workflow
    async def child() -> None:
        await step.execute_workflow("grandchild", resting)

    @workflow
    async def flow() -> None:
        await step.execute_workflow("child", child)

    async with opened(flow, child, resting, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await until(lambda: _statuses(runtime, {"flow": "waiting", "child": "waiting", "resting": "sleeping"}))
        await run.cancel()
        await until(lambda: _statuses(runtime, {"flow": "cancelled", "child": "cancelled", "resting": "cancelled"}))


async def _statuses(runtime: Any, statuses: dict[str, str]) -> bool:
    return {record.workflow: record.status for record in await runtime.list()} == statuses


async def test_a_running_child_of_a_cancelled_parent_is_cancelled_with_its_bodies() -> None:
    order: list[str] = []

    async def endless() -> None:
        order.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            order.append("finally")

    @workflow
    async def child() -> None:
        await step("endless", endless)

    @workflow
    async def flow() -> None:
        await step.execute_workflow("child", child)

    async with opened(flow, child) as runtime:
        run = await runtime.start(flow)
        await until(lambda: bool(order))
        await reached(run, RunStatus.WAITING)
        await run.cancel()
        await until(lambda: _statuses(runtime, {"flow": "cancelled", "child": "cancelled"}))

    assert order == ["begun", "finally"]


async def test_a_child_that_nobody_awaits_goes_on_when_the_parent_completes(frozen: VirtualClock) -> None:
    @workflow
    async def flow() -> str:
        return await step.start_workflow("child", resting)

    async with opened(flow, resting, clock=frozen) as runtime:
        child = await runtime.get(await runtime.run(flow))
        await reached(child, RunStatus.SLEEPING)
        frozen.advance("1h")
        assert await child.result() == "rested"


async def test_a_finished_child_stays_as_it_is_when_the_parent_fails() -> None:
    ids: list[str] = []

    @workflow
    async def flow() -> None:
        ids.append(await step.start_workflow("child", doubling, 1))
        await step.wait_for_workflow("wait", ids[-1])
        step.fail("no")

    async with opened(flow, doubling) as runtime:
        run = await runtime.start(flow)
        await ended(run)
        assert await (await runtime.get(ids[0])).status() == RunStatus.COMPLETED


# Starting and waiting -------------------------------------------------------------------------------------------------


async def test_a_child_is_started_without_waiting_and_waited_for_later() -> None:
    order: list[str] = []

    @workflow
    async def child() -> str:
        await step("work", lambda: order.append("child"))
        return "child"

    @workflow
    async def flow() -> str:
        run_id = await step.start_workflow("start", child)
        await step("meanwhile", lambda: order.append("parent"))
        return await step.wait_for_workflow("wait", run_id)

    assert await result_of(flow, also=(child,)) == "child"
    assert sorted(order) == ["child", "parent"]


async def test_starting_and_waiting_start_no_second_child_on_resume(store: str, frozen: VirtualClock) -> None:
    ids: list[str] = []

    @workflow
    async def flow() -> str:
        ids.append(await step.start_workflow("start", resting))
        return await step.wait_for_workflow("wait", ids[-1])

    for _ in range(3):
        async with opened(flow, resting, store=store, clock=frozen) as runtime:
            await reached(await runtime.start(flow, run_id="r"), RunStatus.WAITING)
    frozen.advance("1h")
    async with opened(flow, resting, store=store, clock=frozen) as runtime:
        assert await (await runtime.get("r")).result() == "rested"
        assert len(await runtime.list()) == 2

    assert len(set(ids)) == 1


async def test_a_workflow_waits_for_a_run_that_others_started() -> None:
    @workflow
    async def flow(other_id: str) -> int:
        return await step.wait_for_workflow("wait", other_id)

    async with opened(flow, doubling) as runtime:
        other = await runtime.start(doubling, 4)
        assert await runtime.run(flow, other.id) == 8


async def test_two_runs_wait_for_the_same_one(frozen: VirtualClock) -> None:
    @workflow
    async def flow(other_id: str) -> str:
        return await step.wait_for_workflow("wait", other_id)

    async with opened(flow, resting, clock=frozen) as runtime:
        other = await runtime.start(resting)
        waiting = [await runtime.start(flow, other.id) for _ in range(2)]
        for run in waiting:
            await reached(run, RunStatus.WAITING)
        frozen.advance("1h")
        assert [await run.result() for run in waiting] == ["rested"] * 2


async def test_a_run_that_finished_long_ago_does_not_keep_anybody_waiting() -> None:
    @workflow
    async def flow(other_id: str) -> int:
        return await step.wait_for_workflow("wait", other_id)

    async with opened(flow, doubling) as runtime:
        other = await runtime.start(doubling, 4)
        await other.result()
        assert await runtime.run(flow, other.id) == 8


async def test_the_result_that_was_waited_for_is_typed() -> None:
    seen: list[Any] = []

    @workflow
    async def flow(other_id: str) -> None:
        seen.append(await step.wait_for_workflow("wait", other_id, returns=Bill))
        await step.sleep("pause", "1h")

    async with opened(flow, billing) as runtime:
        other = await runtime.start(billing, "me")
        await runtime.run(flow, other.id)

    assert seen == [Bill("me", 1)] * 2


async def test_the_result_that_was_waited_for_is_typed_by_its_workflow() -> None:
    seen: list[Any] = []

    @workflow
    async def flow() -> None:
        run_id = await step.start_workflow("start", billing, "me")
        seen.append(await step.wait_for_workflow("wait", run_id))
        await step.sleep("pause", "1h")

    await result_of(flow, also=(billing,))

    assert seen == [Bill("me", 1)] * 2


async def test_a_failed_run_that_was_waited_for_raises_child_failed() -> None:
    @workflow
    async def flow(other_id: str) -> list[str]:
        with pytest.raises(ChildFailed) as failed:
            await step.wait_for_workflow("wait", other_id)
        return [failed.value.run_id, failed.value.status, failed.value.cause_type]

    async with opened(flow, failing_child) as runtime:
        other = await runtime.start(failing_child)
        assert await runtime.run(flow, other.id) == [other.id, "failed", "LookupError"]


async def test_a_wait_past_its_timeout_raises_step_timeout_the_same_on_replay(clock: VirtualClock) -> None:
    seen: list[StepFailed] = []

    @workflow
    async def flow(other_id: str) -> None:
        try:
            await step.wait_for_workflow("wait", other_id, timeout="1h")
        except StepTimeout as error:
            seen.append(error)
        await step.sleep("pause", "1h")

    async with opened(flow, resting, clock=clock) as runtime:
        other = await runtime.start(resting, 9)
        await runtime.run(flow, other.id)
        assert await other.status() == RunStatus.SLEEPING
        await other.result()

    assert len(seen) == 2
    assert isinstance(seen[0], TimeoutError)
    assert seen[0].path == "wait"
    assert [(type(error), error.args) for error in seen] == [(StepTimeout, seen[0].args)] * 2


async def test_a_run_that_waits_for_itself_is_refused() -> None:
    @workflow
    async def flow() -> str:
        with pytest.raises(InvalidOption):
            await step.wait_for_workflow("wait", step.info().run_id)
        return "refused"

    assert await result_of(flow) == "refused"


async def test_a_run_that_does_not_exist_is_not_waited_for() -> None:
    @workflow
    async def flow() -> str:
        with pytest.raises(RunNotFound) as unknown:
            await step.wait_for_workflow("wait", "nobody")
        return unknown.value.run_id

    assert await result_of(flow) == "nobody"


@pytest.mark.parametrize("run_id", ["", None, 7, "x" * 256])
async def test_a_bad_run_id_is_refused_at_the_call(run_id: Any) -> None:
    @workflow
    async def flow() -> str:
        with pytest.raises(InvalidOption):
            step.wait_for_workflow("wait", run_id)
        return "refused"

    assert await result_of(flow) == "refused"


@pytest.mark.parametrize("word", ["execute_workflow", "start_workflow"])
async def test_arguments_that_the_child_does_not_take_are_a_type_error_at_the_call(word: str) -> None:
    @workflow
    async def flow() -> str:
        for args, kwargs in [((), {}), ((1, 2), {}), ((1,), {"other": 1})]:
            with pytest.raises(TypeError, match="doubling"):
                getattr(step, word)("child", doubling, *args, **kwargs)
        return "refused"

    async with opened(flow, doubling) as runtime:
        assert await runtime.run(flow) == "refused"
        assert len(await runtime.list()) == 1


@pytest.mark.parametrize("word", ["execute_workflow", "start_workflow"])
async def test_arguments_that_cannot_be_saved_are_refused_and_start_nothing(word: str) -> None:
    @workflow
    async def child(thing: Any) -> None: ...

    @workflow
    async def flow() -> str:
        with pytest.raises(SerializationError) as refused:
            await getattr(step, word)("child", child, object())
        return refused.value.type_name

    async with opened(flow, child) as runtime:
        assert await runtime.run(flow) == "object"
        assert len(await runtime.list()) == 1


@pytest.mark.parametrize("child", [nothing, lambda: None, None, 7], ids=["function", "lambda", "None", "number"])
async def test_what_is_no_workflow_is_refused_at_the_call(child: Any) -> None:
    @workflow
    async def flow() -> str:
        for word in (step.execute_workflow, step.start_workflow):
            with pytest.raises(DefinitionError):
                word("child", child)
        return "refused"

    assert await result_of(flow) == "refused"


async def test_a_workflow_as_a_handler_is_refused_with_advice() -> None:
    @workflow
    async def flow() -> str:
        with pytest.raises(DefinitionError, match="execute_workflow"):
            step("child", doubling, 1)
        return "refused"

    assert await result_of(flow) == "refused"


async def test_a_race_with_a_child_leaves_the_child_alone_when_the_wait_is_given_up(frozen: VirtualClock) -> None:
    @workflow
    async def flow() -> str:
        run_id = await step.start_workflow("start", resting)
        waiting = asyncio.create_task(step.wait_for_workflow("wait", run_id))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        return run_id

    async with opened(flow, resting, clock=frozen) as runtime:
        child = await runtime.get(await runtime.run(flow))
        await reached(child, RunStatus.SLEEPING)
        frozen.advance("1h")
        assert await child.result() == "rested"


async def test_events_reach_a_child_by_its_run_id() -> None:
    @workflow
    async def child() -> Any:
        return await step.listen("event")

    @workflow
    async def flow() -> Any:
        return await step.execute_workflow("child", child)

    async with opened(flow, child) as runtime:
        run = await runtime.start(flow)
        await reached(run, RunStatus.WAITING)
        child_run = await runtime.get((await run.describe()).waits[0].run_id or "")
        await child_run.send("event", "hello")
        assert await run.result() == "hello"


async def test_a_child_that_ends_while_nobody_executes_the_parent_is_noticed(store: str, frozen: VirtualClock) -> None:
    @workflow
    async def flow() -> str:
        return await step.execute_workflow("child", resting)

    async with opened(flow, resting, store=store, clock=frozen) as runtime:
        run = await runtime.start(flow, run_id="r")
        await reached(run, RunStatus.WAITING)
        child_id = (await run.describe()).waits[0].run_id or ""
    frozen.advance("1h")
    async with opened(resting, store=store, clock=frozen) as runtime:
        assert await (await runtime.get(child_id)).result() == "rested"
    async with opened(flow, store=store, clock=frozen) as runtime:
        assert await (await runtime.get("r")).result() == "rested"


async def test_a_parent_goes_on_as_soon_as_its_child_ends_also_after_a_restart(
    store: str, clock: VirtualClock, frozen: VirtualClock
) -> None:
    start = clock.now()

    @workflow
    async def flow() -> float:
        await step.execute_workflow("child", resting)
        return await step("time", lambda: (clock.now() - start).total_seconds())

    async with opened(flow, resting, store=store, clock=frozen) as runtime:
        await reached(await runtime.start(flow, run_id="r"), RunStatus.WAITING)
        await reached(await runtime.start(resting, 9), RunStatus.SLEEPING)
        await until(lambda: _counts(runtime, {"waiting": 1, "sleeping": 2}))
    async with opened(flow, resting, store=store, clock=clock) as runtime:
        assert await (await runtime.get("r")).result() == pytest.approx(3_600, abs=1)


async def _counts(runtime: Any, counts: dict[str, int]) -> bool:
    return Counter(record.status for record in await runtime.list()) == counts


async def test_a_client_cancels_a_parent_whose_child_runs_elsewhere(store: str) -> None:
    begun = asyncio.Event()

    @workflow
    async def child() -> None:
        begun.set()
        await asyncio.Event().wait()

    @workflow
    async def flow() -> None:
        await step.execute_workflow("child", "child")

    async with (
        opened(flow, store=store) as parents,
        opened(child, store=store) as children,
        Client(store, workflows=()) as client,
    ):
        run = await parents.start(flow, run_id="r")
        await begun.wait()
        await reached(run, RunStatus.WAITING)
        await (await client.get("r")).cancel()
        await until(lambda: _statuses(children, {"flow": "cancelled", "child": "cancelled"}))


async def test_a_child_whose_code_nobody_has_waits_as_pending() -> None:
    @workflow
    async def flow() -> str:
        return await step.start_workflow("child", "code-that-is-elsewhere", 1, flag=True)

    async with opened(flow) as runtime:
        child = await runtime.get(await runtime.run(flow))
        await settle(50)
        record = await child.describe()

    assert (record.status, record.workflow) == (RunStatus.PENDING, "code-that-is-elsewhere")
    assert record.input == {"args": [1], "kwargs": {"flag": True}}


async def test_a_parent_and_its_child_leave_records_that_tell_the_story() -> None:
    @workflow
    async def flow() -> int:
        run_id = await step.start_workflow("start", doubling, 1)
        return await step.wait_for_workflow("wait", run_id) + await step.execute_workflow("execute", doubling, 2)

    record = await record_of(flow, also=(doubling,))

    assert [(each.path, each.kind, each.state) for each in record.steps] == [
        ("start", "start_workflow", "completed"),
        ("wait", "wait_for_workflow", "completed"),
        ("execute", "execute_workflow", "completed"),
    ]
    assert record.output == 6
