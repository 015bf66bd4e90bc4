"""How runs are stopped: fail, abort, cancel, and giving back (R11, R15, R18)."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from flowgraph import (
    Client,
    RunAborted,
    RunCancelled,
    RunError,
    RunFailed,
    RunFinished,
    RunStatus,
    StepFailed,
    step,
    workflow,
)
from flowgraph.testing import VirtualClock
from tests.runtime.support import ended, nothing, opened, reached, record_of, result_of, settle, steps_of, until

# From where a run is told to fail or abort ----------------------------------------------------------------------------

Place = Callable[[Callable[[], Any]], Awaitable[Any]]


async def in_the_workflow(stop: Callable[[], Any]) -> Any:
    stop()


async def in_an_async_handler(stop: Callable[[], Any]) -> Any:
    async def handler() -> None:
        stop()

    await step("stopping", handler)


async def in_a_plain_handler(stop: Callable[[], Any]) -> Any:
    def handler() -> None:
        stop()

    await step("stopping", handler)


async def in_a_lambda(stop: Callable[[], Any]) -> Any:
    await step("stopping", lambda: stop())


async def in_a_nested_step(stop: Callable[[], Any]) -> Any:
    await step("one", lambda: step("two", lambda: step("three", stop)))


async def in_an_item(stop: Callable[[], Any]) -> Any:
    await step.map("items", lambda item: stop() if item == 2 else item, [1, 2, 3])


async def in_a_batch(stop: Callable[[], Any]) -> Any:
    await step.batch("items", lambda items: stop(), [1, 2, 3], batch_size=2)


async def in_a_gather(stop: Callable[[], Any]) -> Any:
    await asyncio.gather(step("stopping", stop), step("fine", nothing), return_exceptions=True)


async def in_a_task_group(stop: Callable[[], Any]) -> Any:
    async with asyncio.TaskGroup() as group:
        group.create_task(step("stopping", stop))
        group.create_task(step("fine", nothing))


async def in_a_background_task(stop: Callable[[], Any]) -> Any:
    async def background() -> None:
        stop()

    await asyncio.wait([asyncio.create_task(background())])


async def in_a_step_in_a_background_task(stop: Callable[[], Any]) -> Any:
    task = asyncio.create_task(step("stopping", stop))
    await asyncio.wait([task])


async def after_a_suspension(stop: Callable[[], Any]) -> Any:
    await step.sleep("nap", "1h")
    stop()


async def inside_except_exception(stop: Callable[[], Any]) -> Any:
    try:
        stop()
    except Exception:
        return "swallowed"


async def inside_except_base_exception(stop: Callable[[], Any]) -> Any:
    try:
        stop()
    except BaseException:
        return "swallowed"


async def inside_suppress(stop: Callable[[], Any]) -> Any:
    with contextlib.suppress(BaseException):
        await step("stopping", stop)
    with contextlib.suppress(BaseException):
        await step("more", nothing)
    return "swallowed"


async def inside_finally_with_return(stop: Callable[[], Any]) -> Any:
    try:
        await step("stopping", stop)
    finally:
        return "swallowed"


async def inside_a_handler_that_swallows(stop: Callable[[], Any]) -> Any:
    async def handler() -> str:
        try:
            stop()
        except BaseException:
            return "swallowed"
        return "never"

    return await step("stopping", handler)


async def inside_a_plain_handler_that_swallows(stop: Callable[[], Any]) -> Any:
    def handler() -> str:
        try:
            stop()
        except BaseException:
            return "swallowed"
        return "never"

    return await step("stopping", handler)


async def inside_a_handler_that_raises_another_error(stop: Callable[[], Any]) -> Any:
    async def handler() -> None:
        try:
            stop()
        finally:
            raise ValueError("instead")

    with contextlib.suppress(StepFailed):
        await step("stopping", handler, max_attempts=1)
    return "swallowed"


PLACES: list[Place] = [
    in_the_workflow, in_an_async_handler, in_a_plain_handler, in_a_lambda, in_a_nested_step, in_an_item, in_a_batch,
    in_a_gather, in_a_task_group, in_a_background_task, in_a_step_in_a_background_task, after_a_suspension,
    inside_except_exception, inside_except_base_exception, inside_suppress, inside_finally_with_return,
    inside_a_handler_that_swallows, inside_a_plain_handler_that_swallows, inside_a_handler_that_raises_another_error,
]  # fmt: skip
every_place = pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)


@every_place
async def test_a_run_told_to_fail_has_failed_with_the_message_whatever_the_code_catches(place: Place) -> None:
    @workflow
    async def flow() -> Any:
        return await place(lambda: step.fail("the account is closed"))

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        with pytest.raises(RunFailed) as failed:
            await run.result()
        record = await run.describe()

    assert failed.value.message == "the account is closed"
    assert failed.value.run_id == run.id
    assert record.status == RunStatus.FAILED
    assert record.error
    assert record.error.message == "the account is closed"
    assert record.output is None


@every_place
async def test_a_run_told_to_abort_is_aborted_whatever_the_code_catches(place: Place) -> None:
    @workflow
    async def flow() -> Any:
        return await place(step.abort)

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        with pytest.raises(RunAborted) as aborted:
            await run.result()
        record = await run.describe()

    assert aborted.value.run_id == run.id
    assert (record.status, record.error, record.output) == (RunStatus.ABORTED, None, None)


async def test_fail_may_be_awaited() -> None:
    async def handler() -> None:
        await step.fail("awaited")

    @workflow
    async def flow() -> None:
        await step("stopping", handler)

    with pytest.raises(RunFailed, match="awaited"):
        await result_of(flow)


async def test_fail_is_no_failed_attempt_and_is_not_tried_again() -> None:
    bodies: list[int] = []

    async def handler() -> None:
        bodies.append(1)
        step.fail("no")

    @workflow
    async def flow() -> None:
        await step("stopping", handler, max_attempts=5)

    record = await record_of(flow)

    assert bodies == [1]
    assert not any(each.failures for each in record.steps)


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        (lambda: step.fail("one"), lambda: step.fail("two"), RunStatus.FAILED),
        (lambda: step.fail("one"), lambda: step.abort(), RunStatus.FAILED),
        (lambda: step.abort(), lambda: step.fail("two"), RunStatus.ABORTED),
    ],
)
async def test_the_first_word_counts(first: Callable[[], Any], second: Callable[[], Any], status: RunStatus) -> None:
    @workflow
    async def flow() -> None:
        with contextlib.suppress(BaseException):
            first()
        second()

    record = await record_of(flow)

    assert record.status == status
    assert record.error is None or record.error.message == "one"


@pytest.mark.parametrize("stop", [lambda: step.fail("no"), lambda: step.abort()])
async def test_after_fail_or_abort_every_further_step_raises_the_same_again(stop: Callable[[], Any]) -> None:
    raised: list[list[type[BaseException]]] = []
    bodies: list[int] = []

    @workflow
    async def flow() -> None:
        kinds: list[type[BaseException]] = []
        for call in (stop, lambda: step("more", lambda: bodies.append(1)), lambda: step.sleep("nap", 1), stop):
            try:
                await call()
            except BaseException as error:
                kinds.append(type(error))
        raised.append(kinds)

    await record_of(flow)

    [kinds] = raised
    assert len(kinds) == 4
    assert len(set(kinds)) == 1
    assert not issubclass(kinds[0], Exception)
    assert bodies == []


@pytest.mark.parametrize("stop", [lambda: step.fail("no"), lambda: step.abort()])
async def test_failing_or_aborting_cancels_async_bodies_in_flight(stop: Callable[[], Any]) -> None:
    outcome: list[str] = []
    begun = asyncio.Event()

    async def endless() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            outcome.append("cancelled")
            raise

    async def stopping() -> None:
        await begun.wait()
        stop()

    @workflow
    async def flow() -> None:
        await asyncio.gather(step("endless", endless), step("stopping", stopping), return_exceptions=True)

    record = await record_of(flow)

    assert record.status in {RunStatus.FAILED, RunStatus.ABORTED}
    assert outcome == ["cancelled"]
    assert not any(each.state == "completed" for each in steps_of(record).values())


@pytest.mark.parametrize("stop", [lambda: step.fail("no"), lambda: step.abort()])
async def test_failing_or_aborting_refuses_the_results_of_threads(stop: Callable[[], Any]) -> None:
    begun, release, done = threading.Event(), threading.Event(), threading.Event()

    def slow() -> str:
        begun.set()
        release.wait(10)
        done.set()
        return "too late"

    async def stopping() -> None:
        await until(begun.is_set)
        stop()

    @workflow
    async def flow() -> None:
        await asyncio.gather(step("slow", slow), step("stopping", stopping))

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        status = await ended(run)
        release.set()
        await until(done.is_set)
        await settle()
        record = await run.describe()

    assert status == record.status
    assert status in {RunStatus.FAILED, RunStatus.ABORTED}
    assert not any(each.state == "completed" for each in record.steps)


async def test_an_error_that_leaves_the_workflow_fails_the_run_with_its_type_and_message() -> None:
    @workflow
    async def flow() -> None:
        raise LookupError("nothing there")

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        with pytest.raises(RunFailed) as failed:
            await run.result()
        record = await run.describe()

    assert isinstance(failed.value, RunError)
    assert (failed.value.run_id, failed.value.message, failed.value.cause_type) == (
        run.id,
        "nothing there",
        "LookupError",
    )
    assert record.error
    assert "nothing there" in record.error.traceback


async def test_an_error_of_the_workflow_cancels_what_it_left_in_flight() -> None:
    outcome: list[str] = []
    begun = asyncio.Event()
    background: list[asyncio.Task[Any]] = []

    async def endless() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            outcome.append("cancelled")

    @workflow
    async def flow() -> None:
        background.append(asyncio.create_task(step("endless", endless)))
        await begun.wait()
        raise ValueError("no")

    record = await record_of(flow)

    assert (record.status, outcome) == (RunStatus.FAILED, ["cancelled"])


async def test_cancelled_error_raised_by_the_workflow_itself_fails_the_run() -> None:
    @workflow
    async def flow() -> None:
        raise asyncio.CancelledError("by myself")

    record = await record_of(flow)

    assert record.status == RunStatus.FAILED
    assert record.error
    assert record.error.type == "CancelledError"


async def test_a_workflow_that_cancels_its_own_task_ends_instead_of_being_claimed_for_ever() -> None:
    tops: list[int] = []

    @workflow
    async def flow() -> str:
        tops.append(1)
        if len(tops) < 100:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)
        return "claimed a hundred times"

    record = await record_of(flow)

    assert record.output is None
    assert record.status in {RunStatus.FAILED, RunStatus.PAUSED}


@pytest.mark.parametrize("error", [StopIteration("s"), GeneratorExit(), KeyError("k"), BaseException("b")], ids=repr)
async def test_whatever_leaves_the_workflow_fails_the_run(error: BaseException) -> None:
    @workflow
    async def flow() -> None:
        raise error

    assert (await record_of(flow)).status == RunStatus.FAILED


async def test_an_exception_group_that_leaves_the_workflow_fails_the_run() -> None:
    @workflow
    async def flow() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(2):
                group.create_task(step(f"fail-{number}", lambda: 1 / 0, max_attempts=1))

    record = await record_of(flow)

    assert record.status == RunStatus.FAILED
    assert record.error
    assert "StepFailed" in record.error.traceback


# Cancelling from outside ----------------------------------------------------------------------------------------------


async def test_a_cancelled_run_runs_its_finally_and_is_cancelled() -> None:
    order: list[str] = []

    async def endless() -> None:
        order.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            order.append("body's finally")

    @workflow
    async def flow() -> None:
        try:
            await step("endless", endless)
        finally:
            await asyncio.sleep(0)
            order.append("workflow's finally")

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        await until(lambda: bool(order))
        await run.cancel()
        with pytest.raises(RunCancelled) as cancelled:
            await run.result()
        assert await run.status() == "cancelled"

    assert cancelled.value.run_id == run.id
    assert order == ["begun", "body's finally", "workflow's finally"]


async def test_a_step_in_finally_of_a_cancelled_run_is_refused() -> None:
    begun = asyncio.Event()
    bodies: list[int] = []
    refused: list[BaseException] = []

    @workflow
    async def flow() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            try:
                await step("cleanup", lambda: bodies.append(1))
            except BaseException as error:
                refused.append(error)

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        await begun.wait()
        await run.cancel()
        await ended(run)

    assert (len(refused), bodies) == (1, [])


async def test_code_that_swallows_a_cancellation_cannot_complete_the_run() -> None:
    begun = asyncio.Event()

    @workflow
    async def flow() -> str:
        begun.set()
        with contextlib.suppress(BaseException):
            await step("endless", lambda: asyncio.Event().wait())
        return "completed anyway"

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        await begun.wait()
        await run.cancel()
        with pytest.raises(RunCancelled):
            await run.result()
        assert (await run.describe()).output is None


async def test_code_that_turns_a_cancellation_into_an_error_does_not_fail_the_run() -> None:
    begun = asyncio.Event()

    @workflow
    async def flow() -> str:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("in the way")

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        await begun.wait()
        await run.cancel()
        assert await ended(run) == RunStatus.CANCELLED


async def test_a_cancellation_that_was_acknowledged_beats_a_completion_right_after_it() -> None:
    release = asyncio.Event()
    begun = asyncio.Event()

    async def hold() -> str:
        begun.set()
        await release.wait()
        return "done"

    @workflow
    async def flow() -> str:
        return await step("hold", hold)

    for _ in range(5):
        async with opened(flow) as runtime:
            run = await runtime.start(flow)
            await begun.wait()
            await run.cancel()
            release.set()
            assert await ended(run) == RunStatus.CANCELLED
        release.clear()
        begun.clear()


@pytest.mark.parametrize("kind", ["sleep", "listen", "child"])
async def test_a_suspended_run_is_cancelled_at_once(kind: str, frozen: VirtualClock) -> None:
    @workflow
    async def child() -> None:
        await step.sleep("long", "1d")

    @workflow
    async def flow() -> None:
        match kind:
            case "sleep":
                await step.sleep("nap", "1d")
            case "listen":
                await step.listen("event")
            case "child":
                await step.execute_workflow("child", child)

    async with opened(flow, child, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await reached(run, RunStatus.SLEEPING, RunStatus.LISTENING, RunStatus.WAITING)
        await run.cancel()
        assert await run.status() == RunStatus.CANCELLED
        with pytest.raises(RunCancelled):
            await run.result()
        record = await run.describe()

    assert (record.waits, record.wake_at) == ((), None)


async def test_a_cancelled_sleeping_run_never_wakes(frozen: VirtualClock) -> None:
    tops: list[int] = []

    @workflow
    async def flow() -> None:
        tops.append(1)
        await step.sleep("nap", "1h")

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await reached(run, RunStatus.SLEEPING)
        await run.cancel()
        frozen.advance("2h")
        await settle(100)
        assert await run.status() == RunStatus.CANCELLED

    assert len(tops) == 1


async def test_a_pending_run_is_cancelled_before_it_begins(store: str) -> None:
    tops: list[int] = []

    @workflow
    async def flow() -> None:
        tops.append(1)

    async with Client(store, workflows=[flow]) as client:
        run = await client.start(flow, run_id="r")
        assert await run.status() == RunStatus.PENDING
        await run.cancel()
        assert await run.status() == RunStatus.CANCELLED
    async with opened(flow, store=store) as runtime:
        with pytest.raises(RunCancelled):
            await (await runtime.get("r")).result()

    assert tops == []


async def test_a_paused_run_may_be_cancelled() -> None:
    @workflow
    async def flow() -> None:
        await step("x", nothing)
        await step.sleep("x", 1)

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        await reached(run, RunStatus.PAUSED)
        await run.cancel()
        with pytest.raises(RunCancelled):
            await run.result()


async def test_a_client_beside_the_runtime_cancels_a_running_run(store: str) -> None:
    begun = asyncio.Event()

    @workflow
    async def flow() -> None:
        begun.set()
        await asyncio.Event().wait()

    async with opened(flow, store=store) as runtime, Client(store, workflows=()) as client:
        run = await runtime.start(flow, run_id="r")
        await begun.wait()
        await (await client.get("r")).cancel()
        with pytest.raises(RunCancelled):
            await run.result()


async def test_a_run_with_a_thread_at_work_is_cancelled_and_the_threads_result_refused() -> None:
    begun, release, done = threading.Event(), threading.Event(), threading.Event()

    def slow() -> str:
        begun.set()
        release.wait(10)
        done.set()
        return "too late"

    @workflow
    async def flow() -> str:
        return await step("slow", slow)

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        await until(begun.is_set)
        await run.cancel()
        assert await ended(run) == RunStatus.CANCELLED
        release.set()
        await until(done.is_set)
        await settle()
        assert not any(each.state == "completed" for each in (await run.describe()).steps)


@pytest.mark.parametrize("seed", range(8))
async def test_a_cancellation_at_any_moment_ends_the_run_as_cancelled(seed: int, frozen: VirtualClock) -> None:
    moments = random.Random(seed)

    @workflow
    async def flow() -> None:
        for number in range(100):
            await step(f"step-{number}", nothing)
            await step.listen(f"listen-{number}", event="e", timeout="1d")

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        for _ in range(moments.randrange(60)):
            await asyncio.sleep(0)
            if moments.random() < 0.3:
                await run.send("e")
        await run.cancel()
        assert await ended(run) == RunStatus.CANCELLED


@pytest.mark.parametrize("how", ["completed", "failed", "aborted", "cancelled"])
async def test_a_finished_run_can_be_neither_cancelled_nor_sent_to(how: str) -> None:
    @workflow
    async def flow() -> None:
        match how:
            case "failed":
                step.fail("no")
            case "aborted":
                step.abort()
            case "cancelled":
                await step.listen("never")

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        if how == "cancelled":
            await run.cancel()
        await ended(run)
        for call in (run.cancel(), run.send("event")):
            with pytest.raises(RunFinished) as finished:
                await call
            assert (finished.value.run_id, finished.value.status) == (run.id, how)
        assert await run.status() == how


async def test_cancelling_a_run_leaves_the_others_alone() -> None:
    release = asyncio.Event()

    @workflow
    async def flow(number: int) -> int:
        await step("hold", release.wait)
        return number

    async with opened(flow) as runtime:
        runs = [await runtime.start(flow, number) for number in range(5)]
        await runs[2].cancel()
        await ended(runs[2])
        release.set()
        results = await asyncio.gather(*(run.result() for run in runs), return_exceptions=True)

    assert [result for result in results if isinstance(result, int)] == [0, 1, 3, 4]
    assert isinstance(results[2], RunCancelled)


# Giving back ----------------------------------------------------------------------------------------------------------


async def test_leaving_the_runtime_gives_an_unfinished_run_back_as_pending(store: str) -> None:
    order: list[str] = []

    @workflow
    async def flow() -> None:
        order.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            order.append("finally")

    async with opened(flow, store=store) as runtime:
        run = await runtime.start(flow, run_id="r")
        await until(lambda: bool(order))
    async with Client(store, workflows=()) as client:
        run = await client.get("r")
        assert await run.status() == RunStatus.PENDING
        assert (await run.describe()).recoveries == 0

    assert order == ["begun", "finally"]


async def test_code_that_swallows_the_giving_back_cannot_complete_the_run(store: str) -> None:
    begun = asyncio.Event()
    release = asyncio.Event()

    @workflow
    async def flow() -> str:
        begun.set()
        try:
            await release.wait()
        except BaseException:
            with contextlib.suppress(BaseException):
                await step("more", nothing)
            return "completed anyway"
        return "completed in peace"

    async with opened(flow, store=store) as runtime:
        await runtime.start(flow, run_id="r")
        await begun.wait()
    release.set()
    async with opened(flow, store=store) as runtime:
        run = await runtime.get("r")
        assert await run.result() == "completed in peace"
        assert (await run.describe()).steps == ()


async def test_a_handler_that_swallows_the_giving_back_has_no_result(store: str) -> None:
    begun: list[int] = []
    release = asyncio.Event()

    async def body() -> str:
        begun.append(1)
        try:
            await release.wait()
        except BaseException:
            return "swallowed"
        return "in peace"

    @workflow
    async def flow() -> str:
        return await step("body", body)

    async with opened(flow, store=store) as runtime:
        await runtime.start(flow, run_id="r")
        await until(lambda: bool(begun))
    release.set()
    async with opened(flow, store=store) as runtime:
        assert await (await runtime.get("r")).result() == "in peace"

    assert len(begun) == 2


async def test_a_run_with_a_live_thread_is_given_back_when_the_thread_ends(store: str) -> None:
    begun, release = threading.Event(), threading.Event()
    bodies: list[int] = []

    def slow() -> str:
        bodies.append(1)
        begun.set()
        release.wait(10)
        return "worked"

    @workflow
    async def flow() -> str:
        return await step("slow", slow)

    runtime = opened(flow, store=store)
    async with Client(store, workflows=()) as client:
        async with runtime:
            await runtime.start(flow, run_id="r")
            await until(begun.is_set)
            threading.Timer(0.2, release.set).start()
            run = await client.get("r")
            assert await run.status() == RunStatus.RUNNING
        assert release.is_set()
        assert await run.status() == RunStatus.PENDING
    async with opened(flow, store=store) as runtime:
        assert await (await runtime.get("r")).result() == "worked"

    assert bodies == [1, 1]


async def test_interrupting_runtime_run_leaves_the_run_unfinished_and_resumable(store: str) -> None:
    bodies: Counter[str] = Counter()
    release = asyncio.Event()

    async def hold() -> str:
        bodies["hold"] += 1
        await release.wait()
        return "done"

    @workflow
    async def flow() -> str:
        await step("first", lambda: bodies.update(["first"]))
        return await step("hold", hold)

    async def script() -> Any:
        async with opened(flow, store=store) as runtime:
            return await runtime.run(flow, run_id="r")

    task = asyncio.create_task(script())
    await until(lambda: bodies["hold"] == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    release.set()
    assert await script() == "done"
    assert bodies == {"first": 1, "hold": 2}


async def test_giving_up_the_wait_for_a_result_does_not_stop_the_run() -> None:
    release = asyncio.Event()

    @workflow
    async def flow() -> str:
        await step("hold", release.wait)
        return "done"

    async with opened(flow) as runtime:
        task = asyncio.create_task(runtime.run(flow, run_id="r"))
        await until(lambda: _exists(runtime))
        task.cancel()
        await asyncio.wait([task])
        run = await runtime.get("r")
        assert await run.status() == RunStatus.RUNNING
        release.set()
        assert await run.result() == "done"


async def _exists(runtime: Any) -> bool:
    return bool(await runtime.list())


async def test_an_exception_inside_the_async_with_gives_runs_back_too(store: str) -> None:
    begun = asyncio.Event()

    @workflow
    async def flow() -> None:
        begun.set()
        await asyncio.Event().wait()

    async def script() -> None:
        async with opened(flow, store=store) as runtime:
            await runtime.start(flow, run_id="r")
            await begun.wait()
            raise KeyError("in the script")

    with pytest.raises(KeyError):
        await script()
    async with Client(store, workflows=()) as client:
        assert await (await client.get("r")).status() == RunStatus.PENDING


async def test_leaving_the_runtime_with_many_busy_runs_gives_all_of_them_back(store: str) -> None:
    begun: set[int] = set()

    @workflow
    async def flow(number: int) -> None:
        begun.add(number)
        await step("hold", lambda: asyncio.Event().wait())

    async with opened(flow, store=store) as runtime:
        await asyncio.gather(*(runtime.start(flow, number) for number in range(50)))
        await until(lambda: len(begun) == 50)
    async with Client(store, workflows=()) as client:
        assert Counter(record.status for record in await client.list()) == {RunStatus.PENDING: 50}


async def test_waiting_for_a_result_when_the_runtime_is_left_does_not_hang() -> None:
    @workflow
    async def flow() -> None:
        await asyncio.Event().wait()

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        waiting = asyncio.create_task(run.result())
        await settle()
    done, _ = await asyncio.wait([waiting], timeout=5)

    assert done == {waiting}
    assert waiting.cancelled() or waiting.exception() is not None
