"""Identity is the path of names; the same path twice gives the first call's result (R4, R5)."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from flowgraph import DuplicateStep, InvalidName, RunStatus, StepFailed, step, workflow
from flowgraph.testing import VirtualClock
from tests.runtime.support import ended, failing, nothing, opened, reached, record_of, result_of, settle, steps_of

# Names ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "x",
        "fetch data",
        "x" * 512,
        "a/b",
        "a[0]",
        'a["k"]',
        "100%",
        "ä ö 日本語 🎉",
        "naïve/%2F",
        " x ",
        "'",
        "-",
        "\\",
    ],
)
async def test_a_name_may_be_any_visible_text(name: str) -> None:
    @workflow
    async def flow() -> str:
        result = await step(name, lambda: "ran")
        await step.sleep("pause", "1h")
        return result

    record = await record_of(flow)

    assert record.output == "ran"
    assert record.steps[0].name == name


@pytest.mark.parametrize(
    "name", ["", " ", "\t", "\u3000", "x" * 513, "a\nb", "a\x00b", "a\x7f", "\ud800", None, 7, b"x"]
)
async def test_other_names_are_refused_at_the_call(name: Any) -> None:
    @workflow
    async def flow() -> str:
        with pytest.raises(InvalidName) as refused:
            step(name, nothing)
        assert isinstance(refused.value, ValueError)
        for call in (
            lambda: step.sleep(name, 1),
            lambda: step.listen(name),
            lambda: step.progress(name),
            lambda: step.map(name, nothing, [1]),
        ):
            with pytest.raises(InvalidName):
                call()
        return "all refused"

    assert await result_of(flow) == "all refused"


async def test_names_that_look_like_paths_are_other_steps_than_the_paths() -> None:
    bodies: list[str] = []

    async def parent() -> str:
        return await step("b", lambda: bodies.append("nested") or "nested")

    @workflow
    async def flow() -> list[Any]:
        return [
            await step("a", parent),
            await step("a/b", lambda: bodies.append("slash") or "slash"),
            await step("a%2Fb", lambda: bodies.append("escape") or "escape"),
            await step.map("m", lambda item: f"item {item}", [1]),
            await step("m[0]", lambda: bodies.append("bracket") or "bracket"),
            await step.map("k", lambda item: f"item {item}", [1], key=lambda item: 'x"]/y["'),
            await step('k["x"]', lambda: bodies.append("key") or "key"),
        ]

    assert await result_of(flow) == ["nested", "slash", "escape", ["item 1"], "bracket", ["item 1"], "key"]
    assert bodies == ["nested", "slash", "escape", "bracket", "key"]


async def test_the_same_name_under_another_parent_is_another_step() -> None:
    async def parent(number: int) -> int:
        return await step("child", lambda: number)

    @workflow
    async def flow() -> list[int]:
        return [await step("one", parent, 1), await step("two", parent, 2), await step("child", lambda: 3)]

    record = await record_of(flow)

    assert record.output == [1, 2, 3]
    assert sorted(steps_of(record)) == ["child", "one", "one/child", "two", "two/child"]


async def test_identity_is_the_name_and_not_the_order_of_execution(store: str) -> None:
    bodies: list[str] = []
    order = ["a", "b", "c"]

    @workflow
    async def flow() -> list[str]:
        results = [await step(name, lambda name=name: bodies.append(name) or name.upper()) for name in order]
        await step.listen("go")
        return results

    async with opened(flow, store=store) as runtime:
        await reached(await runtime.start(flow, run_id="r"), RunStatus.LISTENING)
    order.reverse()
    async with opened(flow, store=store) as runtime:
        run = await runtime.get("r")
        await run.send("go")
        assert await run.result() == ["C", "B", "A"]

    assert bodies == ["a", "b", "c"]


async def test_a_path_may_be_long_and_deep() -> None:
    async def descend(depth: int) -> int:
        return step.info().path.count("/") if depth == 0 else await step("x" * 512, descend, depth - 1)

    @workflow
    async def flow() -> int:
        result = await step("top", descend, 60)
        await step.sleep("pause", "1h")
        return result

    assert await result_of(flow) == 60


async def test_progress_has_a_name_space_of_its_own() -> None:
    @workflow
    async def flow() -> str:
        await step.progress("import")
        result = await step("import", lambda: "ran")
        await step.progress("import", done=1, total=1)
        await step.sleep("pause", "1h")
        return result

    record = await record_of(flow)

    assert (record.status, record.output) == (RunStatus.COMPLETED, "ran")


# Duplicates -----------------------------------------------------------------------------------------------------------


async def test_the_second_call_of_a_path_gets_the_first_ones_result_without_running() -> None:
    bodies: list[int] = []

    async def body(number: int) -> int:
        bodies.append(number)
        return number

    @workflow
    async def flow() -> list[int]:
        return [await step("same", body, 1), await step("same", body, 2)]

    assert await result_of(flow) == [1, 1]
    assert bodies == [1]


async def test_a_duplicate_in_flight_waits_for_the_first() -> None:
    bodies: list[int] = []
    release = asyncio.Event()

    async def body(number: int) -> int:
        bodies.append(number)
        await release.wait()
        return number

    @workflow
    async def flow() -> list[int]:
        tasks = [asyncio.create_task(step("same", body, number)) for number in range(5)]
        await settle()
        assert not any(task.done() for task in tasks)
        release.set()
        return await asyncio.gather(*tasks)

    assert await result_of(flow) == [0] * 5
    assert bodies == [0]


async def test_a_duplicate_gets_a_copy_of_its_own() -> None:
    @workflow
    async def flow() -> list[list[int]]:
        first = await step("same", lambda: [1])
        first.append(2)
        second, third = await asyncio.gather(*(step("same", lambda: [9]) for _ in range(2)))
        second.append(3)
        return [first, second, third]

    assert await result_of(flow) == [[1, 2], [1, 3], [1]]


async def test_duplicates_in_flight_get_copies_of_their_own() -> None:
    @workflow
    async def flow() -> bool:
        one, two = await asyncio.gather(step("same", lambda: [1]), step("same", lambda: [1]))
        return one is not two and one == two == [1]

    assert await result_of(flow) is True


@pytest.mark.parametrize("at_once", [True, False])
async def test_the_duplicate_of_a_failed_step_fails_alike(at_once: bool) -> None:
    bodies: list[int] = []

    async def fail() -> None:
        bodies.append(1)
        raise ValueError("no")

    @workflow
    async def flow() -> bool:
        calls = [step("same", fail, max_attempts=2) for _ in range(2)]
        if at_once:
            errors = await asyncio.gather(*calls, return_exceptions=True)
        else:
            errors = [(await asyncio.gather(call, return_exceptions=True))[0] for call in calls]
        one, two = errors
        return isinstance(one, StepFailed) and one.args == two.args and one is not two

    assert await result_of(flow) is True
    assert bodies == [1, 1]


async def test_the_body_outlives_its_first_caller_while_a_duplicate_waits() -> None:
    bodies: list[str] = []
    release = asyncio.Event()

    async def body() -> str:
        bodies.append("began")
        await release.wait()
        return "ended"

    @workflow
    async def flow() -> str:
        first = asyncio.create_task(step("same", body))
        second = asyncio.create_task(step("same", body))
        await settle()
        first.cancel()
        await asyncio.wait([first])
        assert first.cancelled()
        assert not second.done()
        release.set()
        return await second

    assert await result_of(flow) == "ended"
    assert bodies == ["began"]


async def test_the_body_is_cancelled_with_its_last_caller() -> None:
    outcome: list[str] = []

    async def body() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            outcome.append("cancelled")
            raise

    @workflow
    async def flow() -> str:
        tasks = [asyncio.create_task(step("same", body)) for _ in range(2)]
        await settle()
        for task in tasks:
            task.cancel()
            await settle()
        await asyncio.wait(tasks)
        return "went on"

    assert await result_of(flow) == "went on"
    assert outcome == ["cancelled"]


async def test_a_duplicate_is_warned_of_once_with_its_path(caplog: pytest.LogCaptureFixture) -> None:
    async def parent() -> None:
        for _ in range(4):
            await step("child", nothing)

    @workflow
    async def flow() -> None:
        await step("parent", parent)

    with caplog.at_level(logging.WARNING, "flowgraph"):
        await result_of(flow)

    [before, warning] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "FG102" in before
    assert "parent/child" in warning


async def test_neither_replay_nor_a_new_attempt_makes_a_duplicate(caplog: pytest.LogCaptureFixture) -> None:
    failures = 2

    async def parent() -> str:
        nonlocal failures
        result = await step("child", lambda: "fine")
        if failures:
            failures -= 1
            raise ValueError("again")
        return result

    @workflow(strict=True)
    async def flow() -> str:
        before = await step("before", lambda: "before")
        await step.sleep("pause", "1h")
        return before + await step("parent", parent)

    with caplog.at_level(logging.WARNING, "flowgraph"):
        assert await result_of(flow) == "beforefine"

    assert not caplog.records


@pytest.mark.parametrize(
    ("of_runtime", "of_workflow", "refused"),
    [(False, None, False), (True, None, True), (True, False, False), (False, True, True), (True, True, True)],
)
async def test_strict_refuses_a_duplicate_at_the_call(
    of_runtime: bool, of_workflow: bool | None, refused: bool
) -> None:
    names = ["same", "same"]  # The graph cannot tell.

    @workflow(strict=of_workflow)
    async def flow() -> str:
        await step(names[0], nothing)
        try:
            await step(names[1], nothing)
        except DuplicateStep as duplicate:
            return f"refused {duplicate.path}"
        return "let pass"

    assert await result_of(flow, strict=of_runtime) == ("refused same" if refused else "let pass")


async def test_strict_refuses_a_duplicate_in_flight_and_lets_the_first_go_on() -> None:
    names = ["same", "same"]

    @workflow(strict=True)
    async def flow() -> list[str]:
        results = await asyncio.gather(*(step(name, lambda: "ran") for name in names), return_exceptions=True)
        return [result if isinstance(result, str) else type(result).__name__ for result in results]

    assert await result_of(flow) == ["ran", "DuplicateStep"]


async def test_a_duplicate_sleep_wakes_with_the_first(clock: VirtualClock) -> None:
    start = clock.now()

    @workflow
    async def flow() -> None:
        await asyncio.gather(step.sleep("nap", "1h"), step.sleep("nap", "5h"))

    await result_of(flow, clock=clock)

    assert (clock.now() - start).total_seconds() == 3_600


async def test_a_duplicate_listen_takes_no_second_event() -> None:
    @workflow
    async def flow() -> list[Any]:
        both = await asyncio.gather(step.listen("same", event="e"), step.listen("same", event="e"))
        return [*both, await step.listen("next", event="e")]

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        await run.send("e", 1)
        await run.send("e", 2)
        assert await run.result() == [1, 1, 2]


async def test_a_duplicate_child_is_one_child() -> None:
    bodies: list[int] = []

    @workflow
    async def child(number: int) -> int:
        bodies.append(number)
        return number

    @workflow
    async def flow() -> list[int]:
        return await asyncio.gather(
            step.execute_workflow("same", child, 1),
            step.execute_workflow("same", child, 2),
        )

    assert await result_of(flow, also=(child,)) == [1, 1]
    assert bodies == [1]


async def test_a_duplicate_map_runs_no_item_twice() -> None:
    bodies: list[int] = []

    @workflow
    async def flow() -> list[list[int]]:
        def work(item: int) -> int:
            bodies.append(item)
            return item

        return await asyncio.gather(step.map("same", work, [1, 2]), step.map("same", work, [1, 2]))

    assert await result_of(flow) == [[1, 2], [1, 2]]
    assert sorted(bodies) == [1, 2]


async def test_a_step_that_waits_for_itself_is_told_so() -> None:
    errors: list[BaseException] = []

    @workflow
    async def flow() -> str:
        async def again() -> str:
            return await step("circle", body)

        later = asyncio.create_task(again())

        async def body() -> str:
            try:
                return await later
            except DuplicateStep as error:
                errors.append(error)
                raise

        try:
            return await step("circle", body, max_attempts=1)
        except StepFailed as failed:
            return failed.cause_type

    assert await result_of(flow) == "DuplicateStep"
    assert "circle" in str(errors[0])


async def test_two_steps_that_wait_for_each_other_are_told_so() -> None:
    @workflow
    async def flow() -> list[str]:
        tasks: dict[str, asyncio.Task[Any]] = {}

        async def call(name: str, other: str) -> Any:
            return await step(name, body, other, max_attempts=1)

        async def body(other: str) -> Any:
            return await tasks[other]

        tasks["a"] = asyncio.create_task(call("a", "b again"))
        tasks["b"] = asyncio.create_task(call("b", "a again"))
        tasks["a again"] = asyncio.create_task(call("a", "b again"))
        tasks["b again"] = asyncio.create_task(call("b", "a again"))
        results = await asyncio.gather(tasks["a"], tasks["b"], return_exceptions=True)
        return [type(result).__name__ for result in results]

    assert await result_of(flow) == ["StepFailed", "StepFailed"]


async def test_the_same_path_as_another_kind_pauses_the_run_and_mixes_nothing() -> None:
    mixed: list[Any] = []

    @workflow
    async def flow() -> None:
        await step("x", lambda: "result of a step")
        mixed.append(await step.listen("x"))

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        await reached(run, RunStatus.PAUSED)
        assert "x" in ((await run.describe()).reason or "")

    assert mixed == []


async def test_the_result_of_a_paused_run_is_waited_for(frozen: VirtualClock) -> None:
    @workflow
    async def flow() -> None:
        await step("x", nothing)
        await step.listen("x")

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await reached(run, RunStatus.PAUSED)
        waiting = asyncio.create_task(run.result(timeout="1h"))
        await settle(50)
        assert not waiting.done()
        frozen.advance("1h")
        with pytest.raises(TimeoutError):
            await waiting


async def test_another_kind_in_flight_under_the_same_path_mixes_nothing() -> None:
    release = asyncio.Event()
    mixed: list[Any] = []

    async def hold() -> str:
        await release.wait()
        return "result of a step"

    @workflow
    async def flow() -> None:
        first = asyncio.create_task(step("x", hold))
        second = asyncio.create_task(step.listen("x", event="e"))
        await settle()
        release.set()
        mixed.extend(await asyncio.gather(first, second, return_exceptions=True))

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        await reached(run, *(status for status in RunStatus if status.finished), RunStatus.PAUSED, RunStatus.LISTENING)

    assert mixed[1:] != ["result of a step"]


async def test_a_duplicate_of_a_step_in_backoff_waits_for_its_last_attempt() -> None:
    bodies: list[int] = []

    async def fail_once() -> str:
        bodies.append(1)
        if len(bodies) == 1:
            raise ValueError("again")
        return "second"

    @workflow
    async def flow() -> list[str]:
        return await asyncio.gather(step("same", fail_once), step("same", fail_once))

    assert await result_of(flow) == ["second", "second"]
    assert len(bodies) == 2


async def test_a_duplicate_that_outlives_a_failing_sibling_keeps_the_run_alive() -> None:
    @workflow
    async def flow() -> str:
        slow = asyncio.create_task(step("slow", lambda: "slow"))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(step("slow", nothing))
                group.create_task(step("fail", failing(), max_attempts=1))
                await asyncio.Event().wait()
        except* StepFailed:
            pass
        return await slow

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        await ended(run)
        assert await run.result() == "slow"
