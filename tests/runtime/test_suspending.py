"""Which waits suspend a run, which keep it resident, and what code cannot do about a suspension (R9, R11)."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import weakref
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from flowgraph import RunStatus, StepFailed, step, workflow
from flowgraph.testing import VirtualClock
from tests.runtime.support import nothing, opened, reached, result_of, settle, steps_of, until

Shape = Callable[[], Awaitable[Any]]


async def nap(number: int = 0, hours: int = 1) -> int:
    await step.sleep(f"nap-{number}", f"{hours}h")
    return number


# Shapes of waiting that suspend ---------------------------------------------------------------------------------------


async def await_it() -> Any:
    return await nap()


async def await_a_task() -> Any:
    return await asyncio.create_task(nap())


async def await_a_task_of_a_task() -> Any:
    async def outer() -> Any:
        return await asyncio.create_task(nap())

    return await asyncio.create_task(outer())


async def gather_them() -> Any:
    return sum(await asyncio.gather(nap(0), nap(1, 3), nap(2, 2)))


async def gather_with_exceptions() -> Any:
    results = await asyncio.gather(nap(0), nap(1, 3), nap(2, 2), return_exceptions=True)
    return sum(result for result in results if isinstance(result, int))


async def gather_gathers() -> Any:
    inner = asyncio.gather(nap(0), nap(1))
    return sum(await inner) + sum(await asyncio.gather(nap(2), asyncio.create_task(nap(3))))


async def task_group() -> Any:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(nap(number, number + 1)) for number in range(3)]
    return sum(task.result() for task in tasks)


async def task_group_in_a_task_group() -> Any:
    async def inner() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(nap(1))
            await nap(2, 2)

    async with asyncio.TaskGroup() as group:
        group.create_task(inner())
        group.create_task(nap(3, 3))
    return 0


async def wait_for_all() -> Any:
    done, _ = await asyncio.wait([asyncio.create_task(nap(number, number + 1)) for number in range(3)])
    return sum(task.result() for task in done)


async def wait_for_the_first() -> Any:
    tasks = [asyncio.create_task(nap(number, 3 - number)) for number in range(3)]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    return [task.result() for task in done]


async def wait_for_the_first_error() -> Any:
    tasks = [asyncio.create_task(nap(number, 3 - number)) for number in range(3)]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    return sum(task.result() for task in done)


async def as_completed() -> Any:
    return [await future for future in asyncio.as_completed([nap(0, 3), nap(1, 1), nap(2, 2)])]


async def as_completed_tasks() -> Any:
    tasks = [asyncio.create_task(nap(number, 3 - number)) for number in range(3)]
    return [await future for future in asyncio.as_completed(tasks)]


async def shield() -> Any:
    return await asyncio.shield(nap())


async def shield_a_task() -> Any:
    return await asyncio.shield(asyncio.create_task(nap()))


async def wait_for_without_a_timeout() -> Any:
    return await asyncio.wait_for(nap(), None)


async def timeout_without_a_time() -> Any:
    async with asyncio.timeout(None):
        return await nap()


async def a_background_task_beside() -> Any:
    task = asyncio.create_task(nap(1, 2))
    first = await nap(0, 1)
    return first + await task


async def a_background_task_that_nobody_awaits() -> Any:
    task = asyncio.create_task(nap(1, 2))
    await nap(0, 3)
    return task.done()


async def in_a_step() -> Any:
    return await step("parent", gather_them)


async def in_a_step_in_a_step() -> Any:
    return await step("grandparent", in_a_step)


async def in_items() -> Any:
    return await step.map("items", lambda number: nap(number, number), [1, 2, 3])


async def in_an_item_beside_finished_ones() -> Any:
    async def item(number: int) -> int:
        return await nap(number) if number == 3 else number

    return await step.map("items", item, [1, 2, 3, 4], concurrency=2)


async def in_an_async_generator() -> Any:
    async def naps() -> AsyncIterator[int]:
        for number in range(3):
            yield await nap(number)

    return [number async for number in naps()]


async def in_an_async_with() -> Any:
    @contextlib.asynccontextmanager
    async def rested() -> AsyncIterator[int]:
        yield await nap(0)
        await nap(1)

    async with rested() as number:
        return number


async def in_an_exit_stack() -> Any:
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(nap, 1)
        return await nap(0)


async def beside_a_finished_step() -> Any:
    first, _ = await asyncio.gather(step("work", lambda: 5), nap(0))
    return first


async def a_coroutine_wrapped_in_a_future() -> Any:
    return await asyncio.ensure_future(nap())


SUSPENDING: list[tuple[Shape, Any]] = [
    (await_it, 0), (await_a_task, 0), (await_a_task_of_a_task, 0), (gather_them, 3), (gather_with_exceptions, 3),
    (gather_gathers, 6), (task_group, 3), (task_group_in_a_task_group, 0), (wait_for_all, 3), (wait_for_the_first, [2]),
    (wait_for_the_first_error, 3), (as_completed, [1, 2, 0]), (as_completed_tasks, [2, 1, 0]), (shield, 0),
    (shield_a_task, 0), (wait_for_without_a_timeout, 0), (timeout_without_a_time, 0), (a_background_task_beside, 1),
    (a_background_task_that_nobody_awaits, True), (in_a_step, 3), (in_a_step_in_a_step, 3), (in_items, [1, 2, 3]),
    (in_an_item_beside_finished_ones, [1, 2, 3, 4]), (in_an_async_generator, [0, 1, 2]), (in_an_async_with, 0),
    (in_an_exit_stack, 0), (beside_a_finished_step, 5), (a_coroutine_wrapped_in_a_future, 0),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "result"), SUSPENDING, ids=lambda value: getattr(value, "__name__", ""))
async def test_a_run_whose_tasks_all_wait_durably_suspends_and_ends_with_the_same_result(
    shape: Shape, result: Any, frozen: VirtualClock
) -> None:
    @workflow
    async def flow() -> Any:
        return await shape()

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        assert await reached(run, RunStatus.SLEEPING, RunStatus.RUNNING) in {RunStatus.SLEEPING, RunStatus.RUNNING}
        assert await reached(run, RunStatus.SLEEPING) == RunStatus.SLEEPING
        assert (await run.describe()).reason is None

    async with opened(flow) as runtime:
        assert await runtime.run(flow) == result


@pytest.mark.parametrize(("shape", "result"), SUSPENDING, ids=lambda value: getattr(value, "__name__", ""))
async def test_a_suspended_run_may_be_resumed_by_another_runtime(
    shape: Shape, result: Any, store: str, clock: VirtualClock, frozen: VirtualClock
) -> None:
    @workflow
    async def flow() -> Any:
        return await shape()

    async with opened(flow, store=store, clock=frozen) as runtime:
        await reached(await runtime.start(flow, run_id="r"), RunStatus.SLEEPING)
    async with opened(flow, store=store, clock=clock) as runtime:
        assert await (await runtime.get("r")).result() == result


# Shapes of waiting that stay ------------------------------------------------------------------------------------------


async def an_event() -> Any:
    woke = asyncio.Event()

    async def wake() -> None:
        await nap()
        woke.set()

    task = asyncio.create_task(wake())
    await woke.wait()
    await task


async def a_queue() -> Any:
    queue: asyncio.Queue[int] = asyncio.Queue()

    async def put() -> None:
        await queue.put(await nap())

    task = asyncio.create_task(put())
    await queue.get()
    await task


async def a_future() -> Any:
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def resolve() -> None:
        future.set_result(await nap())

    task = asyncio.create_task(resolve())
    await future
    await task


async def a_lock_held_over_a_sleep() -> Any:
    lock = asyncio.Lock()

    async def hold(number: int) -> None:
        async with lock:
            await nap(number)

    await asyncio.gather(hold(0), hold(1))


async def a_semaphore() -> Any:
    semaphore = asyncio.Semaphore(1)

    async def hold(number: int) -> None:
        async with semaphore:
            await nap(number)

    await asyncio.gather(hold(0), hold(1))


async def a_condition() -> Any:
    condition = asyncio.Condition()

    async def notify() -> None:
        await nap()
        async with condition:
            condition.notify_all()

    async with condition:
        task = asyncio.create_task(notify())
        await condition.wait()
    await task


async def a_barrier() -> Any:
    barrier = asyncio.Barrier(2)

    async def arrive() -> None:
        await nap()
        await barrier.wait()

    task = asyncio.create_task(arrive())
    await barrier.wait()
    await task


async def a_timeout_of_asyncio() -> Any:
    async with asyncio.timeout(3_600):
        await nap()


async def wait_for_with_a_timeout() -> Any:
    await asyncio.wait_for(nap(), 3_600)


async def wait_with_a_timeout() -> Any:
    await asyncio.wait([asyncio.create_task(nap())], timeout=3_600)


async def an_event_in_a_step() -> Any:
    await step("parent", an_event)


RESIDENT: list[Shape] = [
    an_event, a_queue, a_future, a_lock_held_over_a_sleep, a_semaphore, a_condition, a_barrier, a_timeout_of_asyncio,
    wait_for_with_a_timeout, wait_with_a_timeout,
]  # fmt: skip


@pytest.mark.parametrize("shape", [*RESIDENT, an_event_in_a_step], ids=lambda shape: shape.__name__)
async def test_a_run_that_waits_for_something_in_memory_stays_resident_and_says_why(
    shape: Shape, frozen: VirtualClock
) -> None:
    tops: list[int] = []

    @workflow(timeout="1d")
    async def flow() -> str:
        tops.append(1)
        await shape()
        return "done"

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)

        async def says_why() -> bool:
            return bool((await run.describe()).reason)

        await until(says_why)
        assert await run.status() == RunStatus.RUNNING
        assert [wait.path.rpartition("/")[2] for wait in (await run.describe()).waits] == ["nap-0"]
        assert len(tops) == 1
        for _ in range(2):
            await settle()
            await until(lambda: _no_wait_is_new(run, frozen))
            frozen.advance("1h")
        assert await run.result() == "done"
        assert (await run.describe()).reason is None


async def _no_wait_is_new(run: Any, clock: VirtualClock) -> bool:
    record = await run.describe()
    return record.status.finished or (bool(record.waits) and all(wait.until > clock.now() for wait in record.waits))


@pytest.mark.parametrize("shape", RESIDENT, ids=lambda shape: shape.__name__)
async def test_the_virtual_clock_jumps_for_a_resident_run_too(shape: Shape) -> None:
    @workflow
    async def flow() -> str:
        await shape()
        return "done"

    assert await result_of(flow) == "done"


async def test_a_run_that_waits_for_io_outside_its_steps_is_running() -> None:
    arrived = asyncio.Event()
    begun: list[int] = []

    @workflow
    async def flow() -> str:
        begun.append(1)
        await asyncio.gather(step.sleep("nap", "1h"), arrived.wait())
        return "done"

    clock = VirtualClock(autojump=False)
    async with opened(flow, clock=clock) as runtime:
        run = await runtime.start(flow)

        async def says_why() -> bool:
            return bool((await run.describe()).reason)

        await until(says_why)
        clock.advance("1h")
        await settle()
        assert await run.status() == RunStatus.RUNNING
        arrived.set()
        assert await run.result() == "done"

    assert len(begun) == 1


async def test_a_resident_run_gets_its_events_and_the_ends_of_its_children() -> None:
    @workflow
    async def child() -> Any:
        return await step.listen("go")

    @workflow
    async def flow() -> list[Any]:
        done = asyncio.Event()
        tasks = [
            asyncio.create_task(step.listen("event")),
            asyncio.create_task(step.execute_workflow("child", child)),
        ]
        for task in tasks:
            task.add_done_callback(lambda _: done.set() if all(task.done() for task in tasks) else None)
        await done.wait()
        return [task.result() for task in tasks]

    async with opened(flow, child) as runtime:
        run = await runtime.start(flow)

        async def says_why() -> bool:
            return bool((await run.describe()).reason)

        await until(says_why)
        [record] = [record for record in await runtime.list() if record.workflow == "child"]
        child_run = await runtime.get(record.id)
        await reached(child_run, RunStatus.LISTENING)
        await run.send("event", 1)
        await child_run.send("go", 2)
        assert await run.result() == [1, 2]


async def test_a_foreign_task_that_never_rests_does_not_keep_a_run_from_suspending(frozen: VirtualClock) -> None:
    @workflow
    async def flow() -> list[int]:
        async def spin() -> None:
            while True:
                await asyncio.sleep(0)

        spinning = asyncio.create_task(spin())
        try:
            results = await asyncio.gather(*(step(f"step-{number}", lambda n=number: n) for number in range(5)))
            await step.sleep("nap", "1h")
            return results
        finally:
            spinning.cancel()

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await reached(run, RunStatus.SLEEPING)
        frozen.advance("1h")
        assert await run.result() == [0, 1, 2, 3, 4]


async def test_a_run_suspends_when_what_kept_it_resident_is_over(frozen: VirtualClock) -> None:
    release = asyncio.Event()
    tops: list[int] = []

    @workflow
    async def flow() -> str:
        tops.append(1)
        await asyncio.gather(step.sleep("nap", "1h"), release.wait())
        return "done"

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)

        async def says_why() -> bool:
            return bool((await run.describe()).reason)

        await until(says_why)
        release.set()
        await reached(run, RunStatus.SLEEPING)
        assert (await run.describe()).reason is None
        frozen.advance("1h")
        assert await run.result() == "done"

    assert len(tops) == 2


async def test_a_step_at_work_keeps_the_run_until_it_is_done(frozen: VirtualClock) -> None:
    release = asyncio.Event()
    bodies: list[int] = []

    async def work() -> str:
        bodies.append(1)
        await release.wait()
        return "worked"

    @workflow
    async def flow() -> list[Any]:
        return await asyncio.gather(step("work", work), step.sleep("nap", "1h"))

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await until(lambda: bool(bodies))
        await settle(50)
        assert await run.status() == RunStatus.RUNNING
        release.set()
        await reached(run, RunStatus.SLEEPING)
        frozen.advance("1h")
        assert await run.result() == ["worked", None]

    assert len(bodies) == 1


async def test_a_foreign_task_made_inside_a_run_is_neither_waited_for_nor_cancelled(frozen: VirtualClock) -> None:
    keep_alives: list[asyncio.Task[Any]] = []
    hang_up = asyncio.Event()

    @workflow
    async def flow() -> str:
        if not keep_alives:
            keep_alives.append(asyncio.create_task(hang_up.wait()))
        await step.sleep("nap", "1h")
        return "done"

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await reached(run, RunStatus.SLEEPING)
        frozen.advance("1h")
        assert await run.result() == "done"
        assert not keep_alives[0].done()
        hang_up.set()
        assert await keep_alives[0] is True


async def test_a_suspended_run_holds_neither_memory_nor_tasks(frozen: VirtualClock) -> None:
    class Big:
        pass

    held: list[weakref.ref[Big]] = []

    async def hold() -> None:
        big = Big()
        held.append(weakref.ref(big))
        await step.sleep("nap", "1d")
        del big

    @workflow
    async def flow() -> None:
        await asyncio.gather(step("parent", hold), hold(), asyncio.shield(step.listen("event")))

    tasks = len(asyncio.all_tasks())
    async with opened(flow, clock=frozen) as runtime:
        runs = [await runtime.start(flow) for _ in range(20)]
        for run in runs:
            await reached(run, RunStatus.LISTENING)
        await settle()
        gc.collect()
        alive = sum(ref() is not None for ref in held)
        assert len(asyncio.all_tasks()) <= tasks + 1

    assert len(held) == 40
    assert alive <= 2  # What the last of them left behind may linger.


async def test_statuses_of_several_waits_are_listening_over_waiting_over_sleeping(frozen: VirtualClock) -> None:
    @workflow
    async def child() -> None:
        await step.sleep("long", "9d")

    @workflow
    async def flow() -> None:
        await asyncio.gather(
            step.sleep("nap", "3h"),
            step.listen("event", timeout="1h"),
            step.execute_workflow("child", child),
            return_exceptions=True,
        )

    async with opened(flow, child, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await reached(run, RunStatus.LISTENING)
        assert sorted(wait.kind for wait in (await run.describe()).waits) == ["listen", "sleep", "workflow"]
        frozen.advance("1h")
        await reached(run, RunStatus.WAITING)
        assert sorted(wait.kind for wait in (await run.describe()).waits) == ["sleep", "workflow"]
        frozen.advance("2h")
        await until(lambda: _waits(run, 1))
        await reached(run, RunStatus.WAITING)
        frozen.advance("9d")
        await run.result()


async def _waits(run: Any, number: int) -> bool:
    return len((await run.describe()).waits) == number


async def test_a_run_wakes_for_each_of_its_waits_in_turn(clock: VirtualClock) -> None:
    woke: list[tuple[str, float]] = []
    start = clock.now()

    async def one(name: str, hours: int) -> None:
        await step.sleep(name, f"{hours}h")
        await step(f"after {name}", lambda: woke.append((name, (clock.now() - start).total_seconds() / 3_600)))

    @workflow
    async def flow() -> None:
        await asyncio.gather(one("c", 3), one("a", 1), one("b", 2))

    await result_of(flow, clock=clock)

    assert [(name, round(hours, 2)) for name, hours in woke] == [("a", 1), ("b", 2), ("c", 3)]


# What code can do about a suspension: nothing -------------------------------------------------------------------------


async def swallow() -> Any:
    with contextlib.suppress(BaseException):
        return await nap()
    return "swallowed"


async def swallow_and_return() -> Any:
    try:
        return await nap()
    except BaseException:
        return "swallowed"
    finally:
        await asyncio.sleep(0)


async def return_in_finally() -> Any:
    result = "swallowed"
    try:
        result = await nap()
    finally:
        return result


async def raise_another_error() -> Any:
    try:
        return await nap()
    except BaseException:
        raise ValueError("instead") from None


async def gather_and_look() -> Any:
    [result] = await asyncio.gather(nap(), return_exceptions=True)
    return result if result == 0 else "swallowed"


async def look_at_the_task() -> Any:
    task = asyncio.create_task(nap())
    await asyncio.wait([task])
    return task.result() if task.exception() is None else "swallowed"


async def except_star() -> Any:
    result = "swallowed"
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(nap())
        result = task.result()
    except* BaseException:
        pass
    return result


async def swallow_in_a_background_task() -> Any:
    result: list[Any] = []

    async def background() -> None:
        try:
            result.append(await nap(1))
        except BaseException:
            result.append("swallowed")

    task = asyncio.create_task(background())
    first = await nap()
    await task
    return first if result == [1] else "swallowed"


async def swallow_in_a_step() -> Any:
    return await step("parent", swallow)


async def swallow_and_fail_in_a_step() -> Any:
    return await step("parent", raise_another_error, max_attempts=1)


async def swallow_in_an_item() -> Any:
    return (await step.map("items", lambda _: swallow(), [1]))[0]


async def swallow_and_call_steps() -> Any:
    try:
        return await nap()
    except BaseException:
        for number in range(3):
            with contextlib.suppress(BaseException):
                await step(f"more-{number}", lambda: "ran")
        return "swallowed"


SWALLOWING: list[Shape] = [
    swallow, swallow_and_return, return_in_finally, raise_another_error, gather_and_look, look_at_the_task, except_star,
    swallow_in_a_background_task, swallow_in_a_step, swallow_and_fail_in_a_step, swallow_in_an_item,
    swallow_and_call_steps,
]  # fmt: skip


@pytest.mark.parametrize("shape", SWALLOWING, ids=lambda shape: shape.__name__)
async def test_code_that_swallows_a_suspension_cannot_complete_the_run_in_that_claim(
    shape: Shape, frozen: VirtualClock
) -> None:
    outcomes: list[Any] = []

    @workflow
    async def flow() -> Any:
        result = await shape()
        outcomes.append(result)
        return result

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await reached(run, RunStatus.SLEEPING, *(status for status in RunStatus if status.finished))
        assert await run.status() == RunStatus.SLEEPING
        assert {each.kind for each in steps_of(await run.describe()).values()} <= {"sleep", "step", "map"}
        assert not [each for each in steps_of(await run.describe()).values() if each.state in {"completed", "failed"}]
        frozen.advance("1h")
        assert await run.result() == 0

    assert outcomes[-1] == 0


async def test_except_exception_does_not_see_a_suspension() -> None:
    seen: list[Exception] = []

    @workflow
    async def flow() -> str:
        try:
            await step.sleep("nap", "1h")
        except Exception as error:
            seen.append(error)
        return "awake"

    assert await result_of(flow) == "awake"
    assert seen == []


async def test_finally_runs_at_every_suspension_and_may_await() -> None:
    cleaned: list[str] = []

    @workflow
    async def flow() -> str:
        try:
            await step.sleep("one", "1h")
            await step.sleep("two", "1h")
        finally:
            await asyncio.sleep(0.001)
            cleaned.append("cleaned")
        return "awake"

    assert await result_of(flow) == "awake"
    assert cleaned == ["cleaned"] * 3


async def test_a_step_in_finally_does_not_run_at_a_suspension() -> None:
    bodies: list[str] = []
    raised: list[type[BaseException]] = []

    @workflow
    async def flow() -> str:
        try:
            await step.sleep("nap", "1h")
        finally:
            try:
                await step("cleanup", lambda: bodies.append("cleanup"))
            except BaseException as error:
                raised.append(type(error))
                raise
        return "awake"

    assert await result_of(flow) == "awake"
    assert bodies == ["cleanup"]
    assert len(raised) == 1
    assert not issubclass(raised[0], Exception)


@pytest.mark.parametrize(
    "call",
    [
        lambda: step("more", nothing),
        lambda: step.sleep("more", 1),
        lambda: step.listen("more"),
        lambda: step.map("more", nothing, [1]),
        lambda: step.progress("more"),
        lambda: step.start_workflow("more", "child"),
        lambda: step.execute_workflow("more", "child"),
        lambda: step.wait_for_workflow("more", "some run"),
    ],
)
async def test_after_a_suspension_every_further_call_raises_the_same_again(
    call: Callable[[], Awaitable[Any]], frozen: VirtualClock
) -> None:
    raised: list[str] = []

    @workflow
    async def flow() -> None:
        try:
            await step.sleep("nap", "1h")
        except BaseException as first:
            for _ in range(2):
                try:
                    await call()
                except BaseException as again:
                    raised.append(f"{type(again) is type(first)} {isinstance(again, Exception)}")
            raise

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await reached(run, RunStatus.SLEEPING)
        assert [each.path for each in (await run.describe()).steps] == ["nap"]

    assert raised == ["True False"] * 2


async def test_a_run_that_refuses_to_be_suspended_does_not_stop_the_others(frozen: VirtualClock) -> None:
    finished = False
    tries: Counter[str] = Counter()

    @workflow
    async def headstrong() -> str:
        while not finished and tries["headstrong"] < 100_000:
            try:
                await step.sleep("nap", "1h")
                break
            except BaseException:
                tries["headstrong"] += 1
        return "gave in"

    @workflow
    async def other() -> str:
        return await step("work", lambda: "worked")

    async with opened(headstrong, other, clock=frozen) as runtime:
        first = await runtime.start(headstrong)
        await until(lambda: bool(tries["headstrong"]))
        assert await runtime.run(other) == "worked"
        assert tries["headstrong"] < 100_000
        finished = True
        await reached(first, RunStatus.SLEEPING)


async def test_code_that_catches_a_suspension_and_waits_for_something_else_is_cancelled_in_the_end(
    frozen: VirtualClock,
) -> None:
    waits: list[str] = []

    @workflow
    async def flow() -> str:
        try:
            await step.sleep("nap", "1h")
        except BaseException:
            waits.append("forever")
            await asyncio.Event().wait()
        return "awake"

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await reached(run, RunStatus.SLEEPING)
        frozen.advance("1h")
        assert await run.result() == "awake"

    assert waits == ["forever"]


async def test_a_swallowed_suspension_in_a_gather_runs_no_sibling_twice() -> None:
    bodies: Counter[str] = Counter()

    async def careless() -> str:
        with contextlib.suppress(BaseException):
            await step.sleep("nap", "1h")
        return "careless"

    async def careful() -> str:
        first = await step("one", lambda: bodies.update(["one"]) or "one")
        await step.sleep("other nap", "2h")
        return first + await step("two", lambda: bodies.update(["two"]) or "two")

    @workflow
    async def flow() -> list[str]:
        return await asyncio.gather(careless(), careful())

    assert await result_of(flow) == ["careless", "onetwo"]
    assert bodies == {"one": 1, "two": 1}


async def test_a_handler_may_not_turn_a_suspension_into_a_failure_of_its_step(frozen: VirtualClock) -> None:
    @workflow
    async def flow() -> str:
        try:
            return str(await step("parent", raise_another_error, max_attempts=1))
        except StepFailed:
            return "failed"

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await reached(run, RunStatus.SLEEPING)
        frozen.advance("1h")
        assert await run.result() == "0"


async def test_closing_async_generators_at_a_suspension_harms_nothing() -> None:
    closed: list[str] = []

    async def naps() -> AsyncIterator[int]:
        try:
            for number in range(2):
                await step.sleep(f"nap-{number}", "1h")
                yield number
        finally:
            closed.append("closed")

    @workflow
    async def flow() -> list[int]:
        return [number async for number in naps()]

    assert await result_of(flow) == [0, 1]
    assert closed == ["closed"] * 3


def test_all_shapes_are_coroutine_functions() -> None:
    assert all(inspect.iscoroutinefunction(shape) for shape, _ in SUSPENDING)
    assert all(map(inspect.iscoroutinefunction, [*RESIDENT, *SWALLOWING]))
