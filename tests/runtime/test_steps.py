"""A step runs once, its result is committed before the next line, and a resume does not run it again (R1, R2, R3)."""

from __future__ import annotations

import asyncio
import functools
import operator
import threading
from typing import Any

import pytest

from flowgraph import (
    Client,
    DefinitionError,
    NotInWorkflow,
    RunStatus,
    SerializationError,
    StepFailed,
    step,
    workflow,
)
from flowgraph.testing import VirtualClock
from tests.runtime.support import opened, reached, record_of, result_of, steps_of, until


async def double(number: int) -> int:
    return number * 2


def plain_double(number: int) -> int:
    return number * 2


class Doubler:
    factor = 2

    async def __call__(self, number: int) -> int:
        return number * self.factor

    async def method(self, number: int) -> int:
        return number * self.factor

    def plain_method(self, number: int) -> int:
        return number * self.factor

    @classmethod
    async def class_method(cls, number: int) -> int:
        return number * cls.factor

    @staticmethod
    def static_method(number: int) -> int:
        return number * 2


class PlainDoubler:
    def __call__(self, number: int) -> int:
        return number * 2


@step("decorated")
async def decorated_double(number: int) -> int:
    return number * 2


@functools.wraps(double)
async def wrapper(*args: Any, **kwargs: Any) -> Any:
    return await double(*args, **kwargs)


@pytest.mark.parametrize(
    "handler",
    [
        double,
        plain_double,
        lambda number: number * 2,
        lambda number: double(number),
        functools.partial(operator.mul, 2),
        functools.partial(double),
        functools.partial(functools.partial(lambda factor, number: factor * number), 2),
        Doubler(),
        Doubler().method,
        Doubler().plain_method,
        Doubler.class_method,
        Doubler.static_method,
        PlainDoubler(),
        (21).__add__,
        functools.lru_cache(plain_double),
        wrapper,
        decorated_double,
        decorated_double.fn,
        decorated_double.named("another"),
    ],
    ids=lambda handler: getattr(handler, "__qualname__", type(handler).__name__),
)
async def test_whatever_can_be_called_is_a_handler(handler: Any) -> None:
    @workflow
    async def flow() -> Any:
        return await step("double", handler, 21)

    assert await result_of(flow) == 42


async def test_keyword_arguments_reach_the_handler_through_a_partial() -> None:
    async def greet(name: str, *, greeting: str) -> str:
        return f"{greeting}, {name}!"

    @workflow
    async def flow() -> str:
        return await step("greet", functools.partial(greet, greeting="Good day"), "world")

    assert await result_of(flow) == "Good day, world!"


async def test_a_class_is_a_handler_that_makes_an_instance() -> None:
    @workflow
    async def flow() -> complex:
        return await step("make", complex, 1, 2)

    assert await result_of(flow) == complex(1, 2)


async def test_a_plain_handler_does_not_block_the_loop() -> None:
    released = threading.Event()

    def wait_for_the_loop() -> bool:
        return released.wait(10)

    async def release() -> None:
        released.set()

    @workflow
    async def flow() -> bool:
        waiting, _ = await asyncio.gather(step("wait", wait_for_the_loop), step("release", release))
        return waiting

    assert await result_of(flow) is True


async def test_thirty_plain_handlers_run_at_once() -> None:
    together = threading.Barrier(30)

    @workflow
    async def flow() -> int:
        return len(await asyncio.gather(*(step(f"meet-{n}", lambda: together.wait(10) >= 0) for n in range(30))))

    assert await result_of(flow) == 30


async def test_the_next_line_runs_only_after_the_commit(store: str) -> None:
    seen: list[Any] = []

    async with opened(store=store) as runtime, Client(store, workflows=()) as client:

        @workflow
        async def flow() -> None:
            for number in range(5):
                await step(f"step-{number}", double, number)
                record = await (await client.get("r")).describe()
                seen.append([(each.state, each.result) for each in record.steps])

        await runtime.run(flow, run_id="r")

    assert seen == [[("completed", 2 * number) for number in range(most + 1)] for most in range(5)]


async def test_finished_steps_do_not_run_again_after_a_suspension() -> None:
    bodies: list[str] = []

    @workflow
    async def flow() -> list[str]:
        first = await step("first", lambda: bodies.append("first") or "one")
        await step.sleep("pause", "1h")
        second = await step("second", lambda: bodies.append("second") or "two")
        await step.sleep("pause again", "1h")
        return [first, second]

    assert await result_of(flow) == ["one", "two"]
    assert bodies == ["first", "second"]


async def test_a_long_history_is_replayed_without_running_anything() -> None:
    bodies = 0

    async def body(number: int) -> int:
        nonlocal bodies
        bodies += 1
        return number

    @workflow
    async def flow() -> int:
        total = sum([await step(f"step-{number}", body, number) for number in range(600)])
        await step.sleep("pause", "1h")
        return total

    assert await result_of(flow) == sum(range(600))
    assert bodies == 600


async def test_the_body_of_the_workflow_is_replayed_from_the_top() -> None:
    tops = 0

    @workflow
    async def flow() -> None:
        nonlocal tops
        tops += 1
        await step.sleep("one", "1h")
        await step.sleep("two", "1h")

    await result_of(flow)

    assert tops == 3


async def test_a_run_given_back_goes_on_from_its_last_finished_step(store: str) -> None:
    bodies: list[str] = []
    held = asyncio.Event()

    async def hold() -> str:
        bodies.append("hold")
        await held.wait()
        return "held"

    @workflow
    async def flow() -> str:
        await step("done", lambda: bodies.append("done"))
        return await step("hold", hold)

    async with opened(flow, store=store) as runtime:
        await runtime.start(flow, run_id="r")
        await until(lambda: "hold" in bodies)
    held.set()
    async with opened(flow, store=store) as runtime:
        assert await (await runtime.get("r")).result() == "held"

    assert bodies == ["done", "hold", "hold"]


async def test_a_body_that_a_give_back_cut_off_runs_again_under_the_same_number(store: str) -> None:
    attempts: list[int] = []
    held = asyncio.Event()

    async def hold() -> int:
        attempts.append(step.info().attempt)
        await held.wait()
        return step.info().attempt

    @workflow
    async def flow() -> int:
        return await step("hold", hold, max_attempts=1)

    for _ in range(3):
        async with opened(flow, store=store) as runtime:
            seen = len(attempts)
            await runtime.start(flow, run_id="r")
            await until(lambda seen=seen: len(attempts) > seen)
    held.set()
    async with opened(flow, store=store) as runtime:
        assert await runtime.run(flow, run_id="r") == 1

    assert attempts == [1, 1, 1, 1]


async def test_steps_may_be_added_removed_and_reordered_while_a_run_is_under_way(
    store: str, clock: VirtualClock
) -> None:
    bodies: list[str] = []

    def work(name: str) -> str:
        bodies.append(name)
        return name.upper()

    @workflow(name="evolving")
    async def before() -> None:
        await step("a", work, "a")
        await step("b", work, "b")
        await step("removed", work, "removed")
        await step.listen("go")

    @workflow(name="evolving")
    async def after() -> list[str]:
        results = [await step("new", work, "new"), await step("b", work, "b"), await step("a", work, "a")]
        await step.listen("go")
        return [*results, await step("last", work, "last")]

    async with opened(before, store=store, clock=clock) as runtime:
        run = await runtime.start(before, run_id="r")
        await reached(run, RunStatus.LISTENING)
    async with opened(after, store=store, clock=clock) as runtime:
        run = await runtime.get("r")
        await run.send("go")
        assert await run.result() == ["NEW", "B", "A", "LAST"]

    assert bodies == ["a", "b", "removed", "new", "last"]


async def test_the_result_is_a_copy_which_the_handler_no_longer_changes() -> None:
    made: list[list[int]] = []

    async def make() -> list[int]:
        made.append([1])
        return made[0]

    @workflow
    async def flow() -> list[int]:
        result = await step("make", make)
        made[0].append(2)
        return result

    assert await result_of(flow) == [1]


async def test_a_result_changed_by_the_workflow_is_as_it_was_on_replay() -> None:
    @workflow
    async def flow() -> list[list[int]]:
        result = await step("make", lambda: [1])
        seen = list(result)
        result.append(2)
        await step.sleep("pause", "1h")
        return [seen, result]

    assert await result_of(flow) == [[1], [1, 2]]


async def test_a_workflow_without_steps_is_a_run_too() -> None:
    @workflow
    async def flow(text: str) -> str:
        return text

    record = await record_of(flow, "hello")

    assert (record.status, record.output, record.steps) == (RunStatus.COMPLETED, "hello", ())


async def test_a_step_that_is_never_awaited_does_not_run() -> None:
    bodies: list[int] = []

    @workflow
    async def flow() -> str:
        step("forgotten", lambda: bodies.append(1)).close()
        return "done"

    record = await record_of(flow)

    assert (record.status, record.steps, bodies) == (RunStatus.COMPLETED, (), [])


async def test_steps_run_under_gather_and_task_groups_side_by_side() -> None:
    barrier = asyncio.Barrier(4)

    async def meet(number: int) -> int:
        await barrier.wait()
        return number

    @workflow
    async def flow() -> list[int]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(step(f"grouped-{n}", meet, n)) for n in range(2)]
            gathered = await asyncio.gather(*(step(f"gathered-{n}", meet, n + 2) for n in range(2)))
        return [*(task.result() for task in tasks), *gathered]

    assert await result_of(flow) == [0, 1, 2, 3]


# Info -----------------------------------------------------------------------------------------------------------------


async def test_info_in_the_workflow_itself() -> None:
    @workflow(name="informed")
    async def flow() -> list[Any]:
        info = step.info()
        return [info.run_id, info.workflow, info.path, info.attempt, info.index]

    async with opened(flow) as runtime:
        assert await runtime.run(flow, run_id="r") == ["r", "informed", "", 1, None]


async def test_the_idempotency_key_is_the_same_for_all_attempts_and_claims_of_a_step() -> None:
    keys: list[str] = []

    async def body() -> str:
        keys.append(step.info().idempotency_key)
        if len(keys) < 3:
            raise ValueError("again")
        await step.sleep("pause", "1h")
        return "done"

    @workflow
    async def flow() -> str:
        return await step("body", body)

    assert await result_of(flow) == "done"
    assert len(keys) >= 4
    assert len(set(keys)) == 1


async def test_the_idempotency_key_differs_from_every_other_steps() -> None:
    keys: list[str] = []

    async def body(*_: Any) -> None:
        keys.append(step.info().idempotency_key)

    async def parent() -> None:
        await step("a", body)

    @workflow
    async def flow() -> None:
        for name in ("a", "b", "a/a", "items[0]"):
            await step(name, body)
        await step("parent", parent)
        await step.map("items", body, [1, 2])
        await step.map("keyed", body, [1, 2], key=str)

    async with opened(flow) as runtime:
        await runtime.run(flow)
        await runtime.run(flow)

    assert len(keys) == 2 * 9
    assert len(set(keys)) == len(keys)


async def test_the_idempotency_key_differs_however_run_ids_and_names_are_chosen() -> None:
    keys: list[str] = []

    @workflow
    async def flow(name: str) -> None:
        await step(name, lambda: keys.append(step.info().idempotency_key))

    async with opened(flow) as runtime:
        await runtime.run(flow, "1:pay", run_id="order")
        await runtime.run(flow, "pay", run_id="order:1")

    assert keys[0] != keys[1]


# Decorated steps ------------------------------------------------------------------------------------------------------


class Service:
    def __init__(self, greeting: str) -> None:
        self.greeting = greeting

    @step("greet", max_attempts=2)
    async def greet(self, name: str, *, mark: str = "!") -> str:
        return f"{self.greeting}, {name}{mark}"

    @step("shout")
    def shout(self, name: str) -> str:
        return f"{self.greeting}, {name}".upper()


async def test_a_decorated_step_runs_under_its_name_when_it_is_called() -> None:
    @workflow
    async def flow() -> int:
        return await decorated_double(4)

    record = await record_of(flow)

    assert (record.output, [each.path for each in record.steps]) == (8, ["decorated"])


async def test_a_decorated_step_takes_keyword_arguments() -> None:
    @workflow
    async def flow() -> int:
        return await decorated_double(number=4)

    assert await result_of(flow) == 8


async def test_named_renames_one_call_of_a_decorated_step() -> None:
    @workflow
    async def flow() -> list[int]:
        return [await decorated_double.named(f"double-{n}")(n) for n in range(3)]

    record = await record_of(flow)

    assert record.output == [0, 2, 4]
    assert [each.path for each in record.steps] == ["double-0", "double-1", "double-2"]
    assert decorated_double.name == "decorated"


async def test_methods_are_decorated_steps_too() -> None:
    service = Service("Hello")

    @workflow
    async def flow() -> list[str]:
        return [
            await service.greet("you", mark="?"),
            await service.shout("you"),
            await service.greet.named("again")("all"),
            await step("as handler", service.greet, "me"),
        ]

    record = await record_of(flow)

    assert record.output == ["Hello, you?", "HELLO, YOU", "Hello, all!", "Hello, me!"]
    assert list(steps_of(record)) == ["greet", "shout", "again", "as handler", "as handler/greet"]


async def test_the_options_of_a_decorated_step_hold_at_each_call() -> None:
    calls: list[int] = []

    @step("fragile", max_attempts=2)
    async def fragile() -> None:
        calls.append(1)
        raise ValueError("no")

    @workflow
    async def flow() -> int:
        with pytest.raises(StepFailed) as failed:
            await fragile()
        return failed.value.attempts

    assert await result_of(flow) == 2
    assert len(calls) == 2


async def test_a_decorated_step_outside_a_workflow_says_so() -> None:
    with pytest.raises(NotInWorkflow, match="decorated"):
        await decorated_double(1)


async def test_the_function_of_a_decorated_step_is_called_without_a_step() -> None:
    assert await decorated_double.fn(4) == 8


async def test_a_plain_decorated_step_is_awaited_and_runs_in_a_thread() -> None:
    @step("where")
    def where() -> bool:
        return threading.current_thread() is threading.main_thread()

    @workflow
    async def flow() -> bool:
        return await where()

    assert await result_of(flow) is False


# What the caller cancels ----------------------------------------------------------------------------------------------


async def test_a_step_cancelled_by_user_code_uses_no_attempt_and_saves_nothing() -> None:
    started = asyncio.Event()
    cancelled: list[int] = []

    async def endless() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(step.info().attempt)
            raise

    @workflow
    async def flow() -> str:
        task = asyncio.create_task(step("endless", endless))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await step("after", lambda: "went on")

    record = await record_of(flow)

    assert (record.output, list(steps_of(record)), cancelled) == ("went on", ["after"], [1])


async def test_a_step_cancelled_by_user_code_may_be_called_again() -> None:
    started = asyncio.Event()
    attempts: list[int] = []

    async def slow_once() -> str:
        attempts.append(step.info().attempt)
        if len(attempts) == 1:
            started.set()
            await asyncio.Event().wait()
        return "second time"

    @workflow
    async def flow() -> str:
        task = asyncio.create_task(step("slow", slow_once, max_attempts=1))
        await started.wait()
        task.cancel()
        await asyncio.wait([task])
        return await step("slow", slow_once, max_attempts=1)

    assert await result_of(flow) == "second time"
    assert attempts == [1, 1]


async def test_a_timeout_of_asyncio_cancels_the_body_of_a_step() -> None:
    ended: list[str] = []

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cleaned up")

    @workflow
    async def flow() -> str:
        try:
            async with asyncio.timeout(0.01):
                await step("endless", endless)
        except TimeoutError:
            return "timed out"
        return "never"

    record = await record_of(flow)

    assert (record.output, record.steps, ended) == ("timed out", (), ["cleaned up"])


async def test_a_failing_sibling_in_a_task_group_cancels_a_step_without_a_trace() -> None:
    started = asyncio.Event()

    async def endless() -> None:
        started.set()
        await asyncio.Event().wait()

    async def fail() -> None:
        await started.wait()
        raise ValueError("sibling")

    @workflow
    async def flow() -> str:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(step("endless", endless))
                group.create_task(step("fail", fail, max_attempts=1))
        except* StepFailed:
            pass
        return await step("after", lambda: "went on")

    record = await record_of(flow)

    assert record.output == "went on"
    assert {path: each.state for path, each in steps_of(record).items()} == {"fail": "failed", "after": "completed"}


# What is no handler, and where no step is -----------------------------------------------------------------------------


async def test_calling_a_workflow_directly_says_how_to_run_it() -> None:
    @workflow
    async def flow() -> None: ...

    with pytest.raises(DefinitionError, match=r"runtime\.run"):
        flow()


@pytest.mark.parametrize(
    "call",
    [
        lambda: step("x", double, 1),
        lambda: step.sleep("x", 1),
        lambda: step.listen("x"),
        lambda: step.progress("x"),
        lambda: step.map("x", double, [1]),
        lambda: step.for_each("x", double, [1]),
        lambda: step.batch("x", double, [1]),
        lambda: step.execute_workflow("x", "child"),
        lambda: step.start_workflow("x", "child"),
        lambda: step.wait_for_workflow("x", "id"),
        lambda: step.fail("x"),
        lambda: step.abort(),
        lambda: step.info(),
    ],
)
async def test_steps_outside_a_workflow_are_refused_with_a_runtime_error(call: Any) -> None:
    with pytest.raises(NotInWorkflow) as refused:
        call()

    assert isinstance(refused.value, RuntimeError)


async def test_a_step_in_the_task_of_a_finished_run_is_refused() -> None:
    release = asyncio.Event()
    left: list[asyncio.Task[Any]] = []

    async def late() -> Any:
        await release.wait()
        return await step("late", double, 1)

    @workflow
    async def flow() -> str:
        left.append(asyncio.create_task(late()))
        return "done"

    async with opened(flow) as runtime:
        assert await runtime.run(flow) == "done"
        release.set()
        with pytest.raises((NotInWorkflow, asyncio.CancelledError)):
            await left[0]


# Errors that are not plain exceptions ---------------------------------------------------------------------------------


class Odd(BaseException):
    pass


@pytest.mark.parametrize("error", [StopIteration("stop"), StopAsyncIteration("stop"), GeneratorExit(), Odd("odd")])
@pytest.mark.parametrize("is_async", [True, False])
async def test_a_handler_that_raises_what_is_no_ordinary_exception_fails_its_step(
    error: BaseException, is_async: bool
) -> None:
    def plain() -> None:
        raise error

    async def coroutine() -> None:
        raise error

    @workflow
    async def flow() -> str:
        try:
            await step("odd", coroutine if is_async else plain, max_attempts=1)
        except StepFailed as failed:
            return failed.cause_type
        return "no failure"

    assert await result_of(flow) in {type(error).__name__, "RuntimeError"}


async def test_a_handler_that_raises_cancelled_error_by_itself_fails_its_step() -> None:
    calls: list[int] = []

    async def pretend() -> None:
        calls.append(1)
        raise asyncio.CancelledError("not by you")

    @workflow
    async def flow() -> list[Any]:
        try:
            await step("pretend", pretend, max_attempts=3)
        except StepFailed as failed:
            return [failed.cause_type, failed.attempts]
        return []

    assert await result_of(flow) == ["CancelledError", 3]
    assert len(calls) == 3


async def test_system_exit_in_a_step_ends_the_process_and_leaves_the_run_unfinished(store: str) -> None:
    exits = True

    async def leave() -> str:
        if exits:
            raise SystemExit(3)
        return "stayed"

    @workflow
    async def flow() -> str:
        return await step("leave", leave)

    def script() -> Any:
        async def main() -> Any:
            async with opened(flow, store=store) as runtime:
                return await runtime.run(flow, run_id="r")

        return asyncio.run(main())

    with pytest.raises(SystemExit):
        await asyncio.to_thread(script)
    exits = False
    assert await asyncio.to_thread(script) == "stayed"


async def test_a_result_that_cannot_be_saved_is_refused_with_the_name_of_the_step() -> None:
    @workflow
    async def flow() -> str:
        with pytest.raises(SerializationError) as refused:
            await step("bad result", lambda: object())
        return f"{refused.value.path}: {refused.value.type_name}"

    assert await result_of(flow) == "bad result: object"
