"""Plain handlers in threads, and handlers in executors: what they see, and how they end."""

from __future__ import annotations

import asyncio
import contextvars
import multiprocessing
import os
import re
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from flowgraph import (
    InvalidOption,
    NonRetryable,
    RetryPolicy,
    RunAborted,
    RunFailed,
    RunStatus,
    SerializationError,
    StepFailed,
    StepInfo,
    StepTimeout,
    step,
    workflow,
)
from flowgraph.testing import VirtualClock
from tests.runtime.support import nothing, opened, reached, record_of, result_of, settle, until

REQUEST: contextvars.ContextVar[str] = contextvars.ContextVar("request", default="none")


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4, thread_name_prefix="ours") as threads:
        yield threads


# Threads --------------------------------------------------------------------------------------------------------------


async def test_a_plain_handler_runs_beside_the_loop_and_an_async_one_on_it() -> None:
    async def on_the_loop() -> int:
        return threading.get_ident()

    @workflow
    async def flow() -> list[bool]:
        here = threading.get_ident()
        return [await step("plain", threading.get_ident) == here, await step("async", on_the_loop) == here]

    assert await result_of(flow) == [False, True]


async def test_info_is_known_in_threads_too() -> None:
    def where() -> list[Any]:
        info = step.info()
        return [info.run_id, info.workflow, info.path, info.attempt, info.index]

    async def parent() -> list[Any]:
        return await step("child", where)

    @workflow
    async def flow() -> list[Any]:
        items = await step.map("items", lambda _: step.info().index, ["a", "b"])
        return [await step("parent", parent), items]

    async with opened(flow) as runtime:
        result = await runtime.run(flow, run_id="r")

    assert result == [["r", "flow", "parent/child", 1, None], [0, 1]]


async def test_context_variables_reach_handlers_and_stay_where_they_are_set() -> None:
    def plain() -> str:
        before = REQUEST.get()
        REQUEST.set("changed by the handler")
        return before

    async def coroutine() -> str:
        return plain()

    @workflow
    async def flow() -> list[str]:
        REQUEST.set("of this run")
        return [await step("plain", plain), await step("async", coroutine), REQUEST.get()]

    assert await result_of(flow) == ["of this run", "of this run", "of this run"]


async def test_context_variables_of_one_run_do_not_reach_another() -> None:
    @workflow
    async def flow(name: str) -> str:
        before = REQUEST.get()
        REQUEST.set(name)
        await step("work", nothing)
        return before

    async with opened(flow) as runtime:
        assert [await runtime.run(flow, name) for name in "abc"] == ["none"] * 3


async def test_a_step_cannot_be_called_from_a_thread() -> None:
    def handler() -> None:
        asyncio.run(_call_a_step())

    @workflow
    async def flow() -> str:
        try:
            await step("handler", handler, max_attempts=1)
        except StepFailed as failed:
            return failed.cause_message
        return "let pass"

    assert "async def" in await result_of(flow)


async def _call_a_step() -> None:
    await step("inner", nothing)


async def test_a_plain_handler_that_returns_a_coroutine_has_it_awaited_on_the_loop() -> None:
    async def later() -> list[Any]:
        return [threading.get_ident(), await step("nested", lambda: "nested")]

    def handler() -> Any:
        return later()

    @workflow
    async def flow() -> list[Any]:
        thread, nested = await step("handler", handler)
        return [thread == threading.get_ident(), nested]

    assert await result_of(flow) == [True, "nested"]


async def test_a_lambda_that_calls_a_step_nests_it() -> None:
    @workflow
    async def flow() -> str:
        return await step("outer", lambda: step("inner", lambda: step.info().path))

    assert await result_of(flow) == "outer/inner"


async def test_an_awaitable_that_is_no_coroutine_is_awaited_too() -> None:
    class Later:
        def __await__(self) -> Any:
            yield from asyncio.sleep(0).__await__()
            return "awaited"

    @workflow
    async def flow() -> str:
        return await step("later", Later)

    assert await result_of(flow) == "awaited"


async def test_errors_of_threads_are_failed_attempts_like_others() -> None:
    calls: list[int] = []

    def fail() -> None:
        calls.append(step.info().attempt)
        raise NonRetryable("no") if step.info().attempt == 2 else ValueError("again")

    @workflow
    async def flow() -> list[Any]:
        with pytest.raises(StepFailed) as failed:
            await step("fail", fail)
        return [failed.value.attempts, failed.value.caused_by(NonRetryable)]

    assert await result_of(flow) == [2, True]
    assert calls == [1, 2]


async def test_more_plain_handlers_than_threads_all_run() -> None:
    @workflow
    async def flow() -> int:
        return sum(await step.map("items", lambda number: number, range(300), concurrency=300))

    assert await result_of(flow) == sum(range(300))


async def test_a_thread_that_timed_out_and_never_ends_does_not_hold_the_run_up(frozen: VirtualClock) -> None:
    begun, release = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        release.wait(60)

    @workflow
    async def flow() -> str:
        with pytest.raises(StepTimeout):
            await step("hang", hang, timeout="10s", max_attempts=1)
        await step.sleep("nap", "1h")
        return "done"

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        try:
            await until(begun.is_set)
            frozen.advance("10s")
            await until(lambda: _waits_for(run, "nap"))
            frozen.advance("1h")
            async with asyncio.timeout(5):
                assert await run.result() == "done"
        finally:
            release.set()


async def _waits_for(run: Any, path: str) -> bool:
    return path in [wait.path for wait in (await run.describe()).waits]


async def test_a_thread_that_timed_out_has_no_say_in_the_run_any_more(frozen: VirtualClock) -> None:
    begun, release, done = threading.Event(), threading.Event(), threading.Event()
    hold = asyncio.Event()

    def zombie() -> None:
        begun.set()
        release.wait(10)
        try:
            step.fail("from the grave")
        finally:
            done.set()

    @workflow
    async def flow() -> str:
        with pytest.raises(StepTimeout):
            await step("zombie", zombie, timeout="5s", max_attempts=1)
        await step("hold", hold.wait)
        return "alive"

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await until(begun.is_set)
        frozen.advance("5s")
        await settle(50)
        release.set()
        await until(done.is_set)
        await settle(50)
        hold.set()
        assert await run.result() == "alive"


async def test_threads_do_not_outlive_many_runtimes() -> None:
    @workflow
    async def flow() -> str:
        return await step("work", lambda: "worked")

    for _ in range(3):
        await result_of(flow)
    before = threading.active_count()
    for _ in range(10):
        await result_of(flow)
    await until(lambda: threading.active_count() <= before)


# Executors ------------------------------------------------------------------------------------------------------------


async def test_a_handler_runs_in_the_executor_that_it_names(threads: ThreadPoolExecutor) -> None:
    def where() -> str:
        return threading.current_thread().name

    @workflow
    async def flow() -> list[str]:
        named = await step("named", where, executor="ours")
        given = await step("given", where, executor=threads)
        mapped = await step.map("mapped", lambda _: where(), [1], executor="ours")
        return [named, given, *mapped]

    assert all(name.startswith("ours") for name in await result_of(flow, executors={"ours": threads}))


async def test_the_executor_of_a_decorated_step(threads: ThreadPoolExecutor) -> None:
    @step("where", executor="ours")
    def where() -> str:
        return threading.current_thread().name

    @workflow
    async def flow() -> str:
        return await where()

    assert (await result_of(flow, executors={"ours": threads})).startswith("ours")


async def test_info_and_context_variables_are_known_in_a_thread_pool_of_the_user(threads: ThreadPoolExecutor) -> None:
    @workflow
    async def flow() -> list[str]:
        REQUEST.set("of this run")
        return await step("where", lambda: [step.info().path, REQUEST.get()], executor=threads)

    assert await result_of(flow) == ["where", "of this run"]


async def test_an_executor_that_the_runtime_was_not_given_is_refused_with_the_known_ones(
    threads: ThreadPoolExecutor,
) -> None:
    @workflow
    async def flow() -> str:
        with pytest.raises(InvalidOption) as refused:
            await step("work", abs, 1, executor="cluster")
        return str(refused.value)

    text = await result_of(flow, executors={"ours": threads})

    assert "cluster" in text
    assert "ours" in text


@pytest.mark.parametrize("executor", [object(), 7, "", ["pool"]], ids=["object", "number", "empty", "list"])
async def test_what_is_no_executor_is_refused_at_the_call(executor: Any) -> None:
    @workflow
    async def flow() -> str:
        with pytest.raises(InvalidOption):
            step("work", abs, 1, executor=executor)
        return "refused"

    assert await result_of(flow) == "refused"


async def test_an_async_handler_with_an_executor_is_refused_at_the_call(threads: ThreadPoolExecutor) -> None:
    @workflow
    async def flow() -> str:
        for handler in (nothing, partial(nothing, 1), decorated_async):
            with pytest.raises(InvalidOption, match=r"async|step"):
                step("work", handler, executor=threads)
            with pytest.raises(InvalidOption):
                step.map("work", handler, [1], executor="ours")
        return "refused"

    assert await result_of(flow, executors={"ours": threads}) == "refused"


@step("decorated async")
async def decorated_async() -> None: ...


@pytest.mark.parametrize("executors", [{"x": 1}, {7: None}, {"x": "threads"}], ids=str)
async def test_executors_of_a_runtime_are_checked(executors: Any) -> None:
    with pytest.raises(InvalidOption):
        opened(executors=executors)


async def test_the_result_of_an_executor_is_saved_like_any_other(threads: ThreadPoolExecutor) -> None:
    bodies: list[int] = []

    def work() -> tuple[int, set[str]]:
        bodies.append(1)
        return (1, {"a"})

    seen: list[Any] = []

    @workflow
    async def flow() -> None:
        seen.append(await step("work", work, executor=threads))
        await step.sleep("pause", "1h")
        with pytest.raises(SerializationError):
            await step("bad", object, executor=threads)

    await result_of(flow)

    assert seen == [(1, {"a"})] * 2
    assert bodies == [1]


async def test_an_executor_that_was_shut_down_fails_the_step(threads: ThreadPoolExecutor) -> None:
    closed = ThreadPoolExecutor(1)
    closed.shutdown()

    @workflow
    async def flow() -> str:
        with pytest.raises(StepFailed) as failed:
            await step("work", abs, 1, executor=closed, max_attempts=2, retry=RetryPolicy(initial=0))
        return failed.value.cause_type

    assert await result_of(flow) == "RuntimeError"


async def test_a_timeout_of_a_handler_in_an_executor(threads: ThreadPoolExecutor, frozen: VirtualClock) -> None:
    begun, release = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        release.wait(10)

    @workflow
    async def flow() -> str:
        with pytest.raises(StepTimeout):
            await step("slow", slow, executor=threads, timeout="10s", max_attempts=1)
        return "timed out"

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await until(begun.is_set)
        frozen.advance("10s")
        assert await run.result() == "timed out"
        release.set()


async def test_a_handler_still_queued_in_its_executor_is_taken_back_when_the_run_is_cancelled() -> None:
    begun, release = threading.Event(), threading.Event()
    bodies: list[int] = []

    def slow(number: int) -> None:
        bodies.append(number)
        begun.set()
        release.wait(10)

    with ThreadPoolExecutor(1) as narrow:

        @workflow
        async def flow() -> None:
            await step.map("items", slow, range(5), executor=narrow, concurrency=5)

        async with opened(flow) as runtime:
            run = await runtime.start(flow)
            await until(begun.is_set)
            await settle()
            await run.cancel()
            await reached(run, RunStatus.CANCELLED)
            release.set()

    assert len(bodies) == 1


class Inline(Executor):
    """The smallest executor of a stranger: it runs the work in `submit`, as Dask's or a test's may."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future


async def test_any_executor_will_do() -> None:
    @workflow
    async def flow() -> list[Any]:
        return [
            await step("add", lambda one, two: one + two, 1, 2, executor=Inline()),
            await step("where", lambda: step.info().path, executor=Inline()),
        ]

    assert await result_of(flow) == [3, "where"]


async def test_fail_in_an_executor_ends_the_run(threads: ThreadPoolExecutor) -> None:
    @workflow
    async def flow() -> None:
        await step("stopping", lambda: step.fail("in a thread"), executor=threads)

    with pytest.raises(RunFailed, match="in a thread"):
        await result_of(flow)


# Other processes ------------------------------------------------------------------------------------------------------


def pid_and_info() -> tuple[int, StepInfo]:
    return os.getpid(), step.info()


def add(one: int, two: int) -> int:
    return one + two


def add_info(one: int) -> str:
    return f"{step.info().path}#{step.info().index}:{one}"


def fail_remotely(message: str) -> None:
    step.fail(message)


def abort_remotely() -> None:
    step.abort()


def call_a_step_remotely() -> Any:
    return step("inner", add, 1, 2)


def raise_value_error() -> None:
    raise ValueError("remote")


def raise_stop_iteration() -> None:
    raise StopIteration


class Unpicklable(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def raise_unpicklable() -> None:
    raise Unpicklable(1, 2)


def die() -> None:
    os._exit(3)


@step("add-decorated")
def add_decorated(one: int, two: int) -> int:
    return one + two


@step("add-elsewhere", executor="cpu")
def add_elsewhere(one: int, two: int) -> list[Any]:
    return [one + two, step.info().path, os.getpid()]


class Adder:
    def __init__(self, base: int) -> None:
        self.base = base

    def add(self, one: int) -> int:
        return self.base + one

    @step("method", executor="cpu")
    def decorated(self, one: int) -> int:
        return self.base + one


async def test_a_process_pool_runs_functions_partials_and_methods(pool: ProcessPoolExecutor) -> None:
    @workflow
    async def flow() -> list[int]:
        return [
            await step("function", add, 1, 2, executor="cpu"),
            await step("partial", partial(add, 3), 4, executor="cpu"),
            await step("keyword", partial(add, two=5), 6, executor=pool),
            await step("method", Adder(7).add, 8, executor="cpu"),
            await step("builtin", abs, -9, executor="cpu"),
            sum(await step.map("items", partial(add, 1), range(5), executor="cpu")),
        ]

    assert await result_of(flow, executors={"cpu": pool}) == [3, 7, 11, 15, 9, 15]


async def test_decorated_steps_run_in_a_process_pool(pool: ProcessPoolExecutor) -> None:
    @workflow
    async def flow() -> list[Any]:
        elsewhere = await add_elsewhere(1, 2)
        return [
            elsewhere[:2],
            elsewhere[2] != os.getpid(),
            await add_elsewhere.named("renamed")(one=3, two=4),
            await step("the function of one", add_decorated.fn, 5, 6, executor="cpu"),
            await Adder(7).decorated(8),
        ]

    result = await result_of(flow, executors={"cpu": pool})

    assert result[:2] == [[3, "add-elsewhere"], True]
    assert result[2][:2] == [7, "renamed"]
    assert result[3:] == [11, 15]


async def test_info_travels_to_other_processes(pool: ProcessPoolExecutor) -> None:
    seen: list[Any] = []

    async def parent() -> None:
        seen.append(await step("child", pid_and_info, executor=pool, returns=tuple[int, StepInfo]))

    @workflow
    async def flow() -> list[str]:
        await step("parent", parent)
        return await step.map("items", add_info, [10, 20], executor=pool)

    async with opened(flow) as runtime:
        assert await runtime.run(flow, run_id="r") == ["items[0]#0:10", "items[1]#1:20"]

    pid, info = seen[0]
    assert pid != os.getpid()
    assert (info.run_id, info.workflow, info.path, info.attempt) == ("r", "flow", "parent/child", 1)


async def test_fail_and_abort_in_another_process_end_the_run(pool: ProcessPoolExecutor) -> None:
    @workflow
    async def failing() -> None:
        await step("stopping", fail_remotely, "from afar", executor=pool)

    @workflow
    async def aborting() -> None:
        await step("stopping", abort_remotely, executor=pool)

    with pytest.raises(RunFailed) as failed:
        await result_of(failing)
    assert failed.value.message == "from afar"
    with pytest.raises(RunAborted):
        await result_of(aborting)


async def test_a_step_in_another_process_explains_itself(pool: ProcessPoolExecutor) -> None:
    @workflow
    async def flow() -> str:
        with pytest.raises(StepFailed) as failed:
            await step("remote", call_a_step_remotely, executor=pool, max_attempts=1)
        return failed.value.cause_message

    assert "executor" in await result_of(flow)


@pytest.mark.parametrize("handler", [raise_value_error, raise_stop_iteration, raise_unpicklable])
async def test_an_error_in_another_process_fails_the_step(pool: ProcessPoolExecutor, handler: Any) -> None:
    @workflow
    async def flow() -> str:
        with pytest.raises(StepFailed) as failed:
            await step("remote", handler, executor=pool, max_attempts=1)
        return failed.value.cause_type

    own = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    with own:  # An exception that does not unpickle breaks the pool.

        @workflow
        async def flow_with_its_own_pool() -> str:
            with pytest.raises(StepFailed) as failed:
                await step("remote", handler, executor=own, max_attempts=1)
            return failed.value.cause_type

        assert await result_of(flow_with_its_own_pool if handler is raise_unpicklable else flow)


async def test_a_handler_that_cannot_be_sent_fails_its_step(pool: ProcessPoolExecutor) -> None:
    @workflow
    async def flow() -> str:
        with pytest.raises(StepFailed) as failed:
            await step("remote", lambda: 1, executor=pool, max_attempts=1)
        return failed.value.cause_message

    assert re.search("pickle|local object", await result_of(flow))


async def test_a_process_that_dies_fails_the_attempt() -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as fragile:

        @workflow
        async def flow() -> str:
            with pytest.raises(StepFailed) as failed:
                await step("dying", die, executor=fragile, max_attempts=1)
            return failed.value.cause_type

        record = await record_of(flow)

    assert record.output == "BrokenProcessPool"
