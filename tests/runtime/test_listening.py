"""Events: stored, delivered once, to one wait, first sent first taken; and the timeout of a wait (R10)."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from flowgraph import (
    Client,
    InvalidOption,
    ListenTimeout,
    PayloadTooLarge,
    RunFinished,
    RunStatus,
    SerializationError,
    StepError,
    step,
    workflow,
)
from flowgraph.testing import VirtualClock
from tests.runtime.support import opened, reached, result_of, settle, steps_of, until


@attrs.frozen
class Approval:
    by: str
    at: datetime
    amount: int = 0


@workflow
async def listener() -> Any:
    return await step.listen("approval")


async def test_a_run_that_listens_says_for_what(frozen: VirtualClock) -> None:
    @workflow
    async def flow() -> Any:
        return await step.listen("decision", event="approval", timeout="3d")

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        assert await reached(run, RunStatus.LISTENING) == "listening"
        [wait] = (await run.describe()).waits

    assert (wait.kind, wait.path, wait.event) == ("listen", "decision", "approval")
    assert (wait.since, wait.until) == (frozen.now(), frozen.now() + timedelta(days=3))


async def test_an_event_ends_the_wait_with_its_payload() -> None:
    async with opened(listener) as runtime:
        run = await runtime.start(listener)
        await reached(run, RunStatus.LISTENING)
        await run.send("approval", {"by": "me", "amount": 3})
        assert await run.result() == {"by": "me", "amount": 3}


async def test_an_event_without_a_payload_is_none() -> None:
    async with opened(listener) as runtime:
        run = await runtime.start(listener)
        await run.send("approval")
        assert await run.result() is None


async def test_an_event_sent_before_the_wait_is_delivered() -> None:
    release = asyncio.Event()

    @workflow
    async def flow() -> Any:
        await step("hold", release.wait)
        return await step.listen("approval")

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        await run.send("approval", "early")
        release.set()
        assert await run.result() == "early"


async def test_events_are_taken_in_the_order_in_which_they_were_sent() -> None:
    @workflow
    async def flow() -> list[Any]:
        return [await step.listen(f"wait-{number}", event="e") for number in range(5)]

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        for number in range(5):
            await run.send("e", number)
        assert await run.result() == [0, 1, 2, 3, 4]


async def test_one_event_ends_one_wait() -> None:
    @workflow
    async def flow() -> list[Any]:
        return await asyncio.gather(step.listen("one", event="e"), step.listen("two", event="e"))

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        await reached(run, RunStatus.LISTENING)
        await run.send("e", "first")
        await settle(100)
        await reached(run, RunStatus.LISTENING)
        assert len((await run.describe()).waits) == 1
        await run.send("e", "second")
        assert sorted(await run.result()) == ["first", "second"]


async def test_an_event_of_another_name_ends_no_wait() -> None:
    async with opened(listener) as runtime:
        run = await runtime.start(listener)
        await reached(run, RunStatus.LISTENING)
        for name in ("Approval", "approval ", "approvals", "refusal"):
            await run.send(name, "wrong")
        await settle(100)
        await reached(run, RunStatus.LISTENING)
        await run.send("approval", "right")
        assert await run.result() == "right"


async def test_events_of_several_names_go_each_to_its_wait() -> None:
    @workflow
    async def flow() -> list[Any]:
        return await asyncio.gather(*(step.listen(f"event-{number}") for number in range(5)))

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        for number in reversed(range(5)):
            await run.send(f"event-{number}", number)
        assert await run.result() == [0, 1, 2, 3, 4]


async def test_an_event_goes_to_the_run_that_it_was_sent_to() -> None:
    async with opened(listener) as runtime:
        one, two = await runtime.start(listener), await runtime.start(listener)
        await two.send("approval", 2)
        assert await two.result() == 2
        assert await reached(one, RunStatus.LISTENING) == RunStatus.LISTENING
        await one.send("approval", 1)
        assert await one.result() == 1


async def test_the_same_send_id_is_delivered_once() -> None:
    @workflow
    async def flow() -> list[Any]:
        return [await step.listen("one", event="e"), await step.listen("two", event="e")]

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        await run.send("e", "first", id="s-1")
        await run.send("e", "again", id="s-1")
        await reached(run, RunStatus.LISTENING)
        await run.send("e", "and again", id="s-1")
        await run.send("e", "second", id="s-2")
        assert await run.result() == ["first", "second"]


async def test_the_same_send_id_for_another_run_is_another_event() -> None:
    async with opened(listener) as runtime:
        runs = [await runtime.start(listener) for _ in range(2)]
        for number, run in enumerate(runs):
            await run.send("approval", number, id="same")
        assert [await run.result() for run in runs] == [0, 1]


async def test_a_taken_event_is_not_taken_again_on_replay() -> None:
    @workflow
    async def flow() -> list[Any]:
        first = await step.listen("one", event="e")
        await step.sleep("pause", "1h")
        second = await step.listen("two", event="e")
        return [first, second]

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        await run.send("e", 1)
        await run.send("e", 2)
        assert await run.result() == [1, 2]


async def test_events_sent_while_nobody_works_are_delivered(store: str) -> None:
    async with opened(listener, store=store) as runtime:
        await reached(await runtime.start(listener, run_id="r"), RunStatus.LISTENING)
    async with Client(store, workflows=()) as client:
        await (await client.get("r")).send("approval", "by post")
    async with opened(listener, store=store) as runtime:
        assert await (await runtime.get("r")).result() == "by post"


async def test_a_client_beside_the_runtime_wakes_a_listening_run(store: str) -> None:
    async with opened(listener, store=store) as runtime, Client(store, workflows=()) as client:
        run = await runtime.start(listener, run_id="r")
        await reached(run, RunStatus.LISTENING)
        await (await client.get("r")).send("approval", "from beside")
        assert await run.result() == "from beside"


async def test_the_payload_is_restored_by_its_annotation() -> None:
    approval = Approval("me", datetime(2030, 1, 1, tzinfo=UTC), 7)
    seen: list[Any] = []

    @workflow
    async def flow() -> int:
        seen.append(await step.listen("approval", returns=Approval))
        await step.sleep("pause", "1h")
        return seen[-1].amount

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        await run.send("approval", {"by": "me", "at": "2030-01-01T00:00:00Z", "amount": 7})
        assert await run.result() == 7

    assert seen == [approval, approval]


async def test_a_payload_of_builtins_needs_no_annotation() -> None:
    payload = {"when": datetime(2030, 1, 1, tzinfo=UTC), "tags": {"a", "b"}, "raw": b"\x00\xff", "pair": (1, 2)}
    seen: list[Any] = []

    @workflow
    async def flow() -> None:
        seen.append(await step.listen("event"))
        await step.sleep("pause", "1h")

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        await run.send("event", payload)
        await run.result()

    assert seen == [payload, payload]
    assert [type(value) for value in seen[0].values()] == [datetime, set, bytes, tuple]


async def test_a_payload_that_does_not_fit_the_annotation_is_never_handed_over() -> None:
    seen: list[Any] = []

    @workflow
    async def flow() -> None:
        seen.append(await step.listen("approval", returns=Approval))

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        await run.send("approval", "no approval at all")
        status = await reached(run, RunStatus.PAUSED, RunStatus.FAILED, RunStatus.COMPLETED)
        record = await run.describe()

    assert seen == []
    assert status != RunStatus.COMPLETED
    assert "approval" in str(record.reason or record.error)


async def test_a_payload_that_cannot_be_saved_is_refused_where_it_is_sent() -> None:
    async with opened(listener) as runtime:
        run = await runtime.start(listener)
        with pytest.raises(SerializationError, match="object"):
            await run.send("approval", object())
        with pytest.raises(PayloadTooLarge):
            await run.send("approval", "x" * 9_000_000)
        await run.send("approval", "fine")
        assert await run.result() == "fine"


@pytest.mark.parametrize("event", ["", " ", None, 7, "x" * 513, "a\nb"])
async def test_a_bad_event_name_is_refused_by_send_and_by_listen(event: Any) -> None:
    @workflow
    async def flow() -> str:
        if event is not None:
            with pytest.raises(InvalidOption):
                step.listen("x", event=event)
        return "refused"

    async with opened(listener, flow) as runtime:
        run = await runtime.start(listener)
        with pytest.raises(InvalidOption):
            await run.send(event)
        assert await runtime.run(flow) == "refused"


async def test_a_finished_run_takes_no_events() -> None:
    async with opened(listener) as runtime:
        run = await runtime.start(listener)
        await run.send("approval")
        await run.result()
        with pytest.raises(RunFinished) as finished:
            await run.send("approval")

    assert (finished.value.run_id, finished.value.status) == (run.id, "completed")


# Timeouts -------------------------------------------------------------------------------------------------------------


async def test_a_wait_without_an_event_times_out_with_a_typed_error(clock: VirtualClock) -> None:
    start = clock.now()

    @workflow
    async def flow() -> list[Any]:
        with pytest.raises(ListenTimeout) as timeout:
            await step.listen("decision", event="approval", timeout="3d")
        error = timeout.value
        assert isinstance(error, TimeoutError)
        assert isinstance(error, StepError)
        assert "decision" in str(error)
        assert "approval" in str(error)
        return [error.path, error.event, error.timeout, (clock.now() - start).days]

    assert await result_of(flow, clock=clock) == ["decision", "approval", 3 * 86_400, 3]


async def test_the_timeout_is_raised_the_same_on_replay() -> None:
    seen: list[ListenTimeout] = []

    @workflow
    async def flow() -> None:
        try:
            await step.listen("approval", timeout="3d")
        except ListenTimeout as error:
            seen.append(error)
        await step.sleep("one", "1h")
        await step.sleep("two", "1h")

    await result_of(flow)

    assert len(seen) == 3
    assert [(type(error), error.args, error.__cause__, error.__context__) for error in seen] == [
        (ListenTimeout, seen[0].args, None, None)
    ] * 3


async def test_an_event_after_the_timeout_is_left_for_the_next_wait(frozen: VirtualClock) -> None:
    @workflow
    async def flow() -> list[Any]:
        try:
            first = await step.listen("one", event="e", timeout="1h")
        except ListenTimeout:
            first = "timed out"
        await step.sleep("pause", "1h")
        return [first, await step.listen("two", event="e")]

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await reached(run, RunStatus.LISTENING)
        frozen.advance("1h")
        await reached(run, RunStatus.SLEEPING)
        await run.send("e", "late")
        frozen.advance("1h")
        assert await run.result() == ["timed out", "late"]


async def test_an_event_in_time_beats_a_timeout_that_passed_while_nobody_worked(
    store: str, frozen: VirtualClock
) -> None:
    @workflow
    async def flow() -> Any:
        return await step.listen("approval", timeout="1h")

    async with opened(flow, store=store, clock=frozen) as runtime:
        await reached(await runtime.start(flow, run_id="r"), RunStatus.LISTENING)
    async with Client(store, workflows=(), clock=frozen) as client:
        await (await client.get("r")).send("approval", "in time")
    frozen.advance("2h")
    async with opened(flow, store=store, clock=frozen) as runtime:
        assert await (await runtime.get("r")).result() == "in time"


async def test_the_timeout_does_not_begin_anew_on_resume(store: str, frozen: VirtualClock) -> None:
    @workflow
    async def flow() -> str:
        try:
            return await step.listen("approval", timeout="2h")
        except ListenTimeout:
            return "timed out"

    async with opened(flow, store=store, clock=frozen) as runtime:
        await reached(await runtime.start(flow, run_id="r"), RunStatus.LISTENING)
    frozen.advance("90m")
    async with opened(flow, store=store, clock=frozen) as runtime:
        run = await runtime.get("r")
        frozen.advance("30m")
        assert await run.result() == "timed out"


@pytest.mark.parametrize("timeout", [0, "0s"])
async def test_a_timeout_of_no_time_asks_whether_the_event_is_there(frozen: VirtualClock, timeout: Any) -> None:
    release = asyncio.Event()

    @workflow
    async def flow() -> list[Any]:
        await step("hold", release.wait)
        first = await step.listen("one", event="e", timeout=timeout)
        with pytest.raises(ListenTimeout):
            await step.listen("two", event="e", timeout=timeout)
        return [first]

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await run.send("e", "there")
        release.set()
        assert await run.result() == ["there"]


async def test_an_uncaught_listen_timeout_in_a_step_is_not_tried_again() -> None:
    async def parent() -> None:
        await step.listen("approval", timeout="1h")

    @workflow
    async def flow() -> list[Any]:
        with pytest.raises(StepError) as failed:
            await step("parent", parent)
        return [failed.value.attempts, failed.value.caused_by(ListenTimeout), failed.value.caused_by(TimeoutError)]

    assert await result_of(flow) == [1, True, True]


async def test_a_listen_below_a_failed_attempt_may_time_out_again_and_keeps_what_it_got() -> None:
    async def parent() -> list[Any]:
        got = await step.listen("got", event="e")
        try:
            second = await step.listen("missed", event="e", timeout="1h")
        except ListenTimeout:
            raise ValueError("again") from None
        return [got, second, step.info().attempt]

    @workflow
    async def flow() -> list[Any]:
        return await step("parent", parent)

    async with opened(flow, clock=VirtualClock()) as runtime:
        run = await runtime.start(flow)
        await run.send("e", "first")

        async def is_tried_again() -> bool:
            parent = steps_of(await run.describe()).get("parent")
            return parent is not None and bool(parent.failures)

        await until(is_tried_again)
        await run.send("e", "second")
        got, second, attempt = await run.result()

    assert (got, second) == ("first", "second")
    assert attempt >= 2


@workflow
async def dropper() -> Any:
    task = asyncio.create_task(step.listen("dropped", event="e"))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    return await step.listen("kept", event="e")


async def test_a_listen_that_user_code_cancels_takes_no_event() -> None:
    async with opened(dropper) as runtime:
        run = await runtime.start(dropper)
        await reached(run, RunStatus.LISTENING)
        await run.send("e", "kept")
        assert await run.result() == "kept"


async def test_a_wait_that_lost_a_race_takes_no_event_on_replay() -> None:
    @workflow
    async def flow() -> list[Any]:
        first = asyncio.create_task(step.listen("first", event="e"))
        deadline = asyncio.create_task(step.sleep("deadline", "1h"))
        done, pending = await asyncio.wait({first, deadline}, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        return [done == {deadline}, await step.listen("second", event="e")]

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        await reached(run, RunStatus.LISTENING)

        async def second_is_awaited() -> bool:
            return "second" in [wait.path for wait in (await run.describe()).waits]

        await until(second_is_awaited)
        await reached(run, RunStatus.LISTENING)
        await run.send("e", "for the second")
        assert await run.result() == [True, "for the second"]


async def test_a_wait_that_user_code_cancelled_is_not_told_of() -> None:
    async with opened(dropper) as runtime:
        run = await runtime.start(dropper)
        await reached(run, RunStatus.LISTENING)
        assert [wait.path for wait in (await run.describe()).waits] == ["kept"]


async def test_a_hundred_events_at_once_are_all_taken_in_order() -> None:
    @workflow
    async def flow() -> list[Any]:
        return [await step.listen(f"wait-{number}", event="e") for number in range(100)]

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        sent = await asyncio.gather(*(run.send("e", number) for number in range(100)))
        assert sent == [None] * 100
        assert await run.result() == list(range(100))


@pytest.mark.parametrize("seed", range(4))
async def test_no_event_is_lost_whatever_the_run_is_doing_when_it_comes(seed: int) -> None:
    moments = random.Random(seed)

    @workflow
    async def flow() -> list[Any]:
        return [await step.listen(f"wait-{number}", event="e") for number in range(40)]

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        for number in range(40):
            for _ in range(moments.choice([0, 0, 1, 2, 3, 5, 10, 30])):
                await asyncio.sleep(0)
            if moments.random() < 0.2:
                await reached(run, RunStatus.LISTENING)
            await run.send("e", number)
        assert await run.result() == list(range(40))
