"""map, for_each and batch: each item is a step of its own (R13)."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sqlite3
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import attrs
import pytest

from flowgraph import (
    DefinitionError,
    InvalidOption,
    ItemFailure,
    ItemsChanged,
    ListenTimeout,
    MapFailed,
    RetryPolicy,
    RunFailed,
    RunStatus,
    StepError,
    StepFailed,
    step,
    workflow,
)
from flowgraph.testing import VirtualClock
from tests.runtime.support import (
    Flaky,
    failing,
    nothing,
    opened,
    reached,
    record_of,
    result_of,
    settle,
    steps_of,
    until,
)


async def square(number: int) -> int:
    return number * number


def plain_square(number: int) -> int:
    return number * number


async def numbers(most: int) -> AsyncIterator[int]:
    for number in range(most):
        await asyncio.sleep(0)
        yield number


class OldSequence:
    """Iterable by its ``__getitem__`` alone."""

    def __getitem__(self, index: int) -> int:
        if index >= 4:
            raise IndexError
        return index


class OwnAsyncIterable:
    def __aiter__(self) -> AsyncIterator[int]:
        return numbers(4)


ITEMS: list[Callable[[], Any]] = [
    lambda: [0, 1, 2, 3], lambda: (0, 1, 2, 3), lambda: range(4), lambda: iter([0, 1, 2, 3]),
    lambda: {0: "a", 1: "b", 2: "c", 3: "d"}, lambda: {0: "a", 1: "b", 2: "c", 3: "d"}.keys(), lambda: map(int, "0123"),
    lambda: (number for number in range(4)), lambda: numbers(4), OldSequence, OwnAsyncIterable, lambda: bytes_of(4),
]  # fmt: skip


def bytes_of(most: int) -> memoryview:
    return memoryview(bytes(range(most)))


# Results --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("items", ITEMS)
@pytest.mark.parametrize("handler", [square, plain_square, lambda number: number**2, lambda number: square(number)])
async def test_a_map_takes_any_iterable_and_any_handler_and_keeps_the_order(
    items: Callable[[], Any], handler: Any
) -> None:
    @workflow
    async def flow() -> list[int]:
        return await step.map("squares", handler, items())

    assert await result_of(flow) == [0, 1, 4, 9]


@pytest.mark.parametrize("items", ITEMS)
async def test_a_map_is_replayed_without_running_anything(items: Callable[[], Any]) -> None:
    bodies: Counter[int] = Counter()
    seen: list[list[int]] = []

    async def work(number: int) -> int:
        bodies[number] += 1
        return number * number

    @workflow
    async def flow() -> None:
        seen.append(await step.map("squares", work, items()))
        await step.sleep("pause", "1h")

    await result_of(flow)

    assert seen == [[0, 1, 4, 9]] * 2
    assert set(bodies.values()) == {1}


async def test_the_results_are_in_the_order_of_the_items_whoever_is_first() -> None:
    gates = [asyncio.Event() for _ in range(5)]
    ended: list[int] = []

    async def work(number: int) -> int:
        await gates[number].wait()
        ended.append(number)
        if number:
            gates[number - 1].set()
        return number

    @workflow
    async def flow() -> list[int]:
        gates[4].set()
        return await step.map("items", work, range(5))

    assert await result_of(flow) == [0, 1, 2, 3, 4]
    assert ended == [4, 3, 2, 1, 0]


@pytest.mark.parametrize("items", [[], (), iter([]), {}, range(0)], ids=lambda items: type(items).__name__)
async def test_no_items_are_no_steps(items: Any) -> None:
    bodies: list[Any] = []

    @workflow
    async def flow() -> list[Any]:
        return [
            await step.map("map", bodies.append, items),
            await step.for_each("for_each", bodies.append, items),
            await step.batch("batch", bodies.append, items),
            await step.map("async", bodies.append, numbers(0)),
        ]

    assert await result_of(flow) == [[], None, [], []]
    assert bodies == []


async def test_for_each_gives_nothing_and_runs_each_item_once() -> None:
    bodies: Counter[int] = Counter()

    @workflow
    async def flow() -> Any:
        result = await step.for_each("items", lambda number: bodies.update([number]) or number, range(20))
        await step.sleep("pause", "1h")
        return result

    assert await result_of(flow) is None
    assert bodies == dict.fromkeys(range(20), 1)


async def test_batches_are_lists_in_sequence_with_a_rest_at_the_end() -> None:
    at_work = 0
    batches: list[list[int]] = []
    indexes: list[int | None] = []

    async def work(items: list[int]) -> int:
        nonlocal at_work
        at_work += 1
        assert at_work == 1
        await asyncio.sleep(0)
        batches.append(items)
        indexes.append(step.info().index)
        at_work -= 1
        return sum(items)

    @workflow
    async def flow() -> list[int]:
        return await step.batch("sums", work, range(7), batch_size=3)

    record = await record_of(flow)

    assert record.output == [3, 12, 6]
    assert batches == [[0, 1, 2], [3, 4, 5], [6]]
    assert indexes == [0, 1, 2]
    assert list(steps_of(record)) == ["sums", "sums[0]", "sums[1]", "sums[2]"]


@pytest.mark.parametrize(("count", "size", "batches"), [(20, None, 1), (21, None, 2), (5, 1, 5), (3, 100, 1)])
async def test_the_size_of_batches(count: int, size: int | None, batches: int) -> None:
    @workflow
    async def flow() -> int:
        options = {} if size is None else {"batch_size": size}
        return len(await step.batch("batches", len, numbers(count), **options))

    assert await result_of(flow) == batches


async def test_results_of_items_are_typed_and_copies() -> None:
    @attrs.frozen
    class User:
        id: int

    async def user(number: int) -> User:
        return User(number)

    seen: list[Any] = []

    @workflow
    async def flow() -> None:
        seen.append(await step.map("users", user, [1, 2]))
        seen.append(await step.map("pairs", lambda number: (number, number), [1, 2], returns=tuple[int, int]))
        await step.sleep("pause", "1h")

    await result_of(flow)

    assert seen == [[User(1), User(2)], [(1, 1), (2, 2)]] * 2


async def test_items_need_no_json_form() -> None:
    class Thing:
        def __init__(self, number: int) -> None:
            self.number = number

    @workflow
    async def flow() -> list[int]:
        result = await step.map("things", lambda thing: thing.number, [Thing(1), Thing(2)])
        await step.sleep("pause", "1h")
        return result

    assert await result_of(flow) == [1, 2]


# Paths, info, keys ----------------------------------------------------------------------------------------------------


async def test_an_items_path_is_its_index_and_info_tells_it() -> None:
    async def item(number: int) -> list[Any]:
        info = step.info()
        nested = await step("nested", lambda: step.info().index)
        return [info.path, info.index, info.attempt, nested]

    @workflow
    async def flow() -> list[Any]:
        return await step.map("items", item, ["a", "b"])

    record = await record_of(flow)

    assert record.output == [["items[0]", 0, 1, None], ["items[1]", 1, 1, None]]
    assert sorted(steps_of(record)) == ["items", "items[0]", "items[0]/nested", "items[1]", "items[1]/nested"]


async def test_a_key_is_the_identity_of_an_item_and_index_is_its_number() -> None:
    async def item(user: dict[str, Any]) -> list[Any]:
        return [step.info().path, step.info().index]

    @workflow
    async def flow() -> list[Any]:
        return await step.map("users", item, [{"id": 7}, {"id": 8}], key=lambda user: user["id"])

    assert await result_of(flow) == [['users["7"]', 0], ['users["8"]', 1]]


async def test_with_keys_items_may_come_go_and_move_on_resume(store: str) -> None:
    bodies: Counter[str] = Counter()
    items = ["a", "b", "c"]
    held = True

    async def work(name: str) -> str:
        bodies[name] += 1
        if held and name == "c":
            await asyncio.Event().wait()
        return name.upper()

    @workflow
    async def flow() -> list[str]:
        return await step.map("items", work, items, key=str, concurrency=1)

    async with opened(flow, store=store) as runtime:
        await runtime.start(flow, run_id="r")
        await until(lambda: bodies["c"] == 1)
    items = ["new", "c", "b", "a"]
    held = False
    async with opened(flow, store=store) as runtime:
        assert await (await runtime.get("r")).result() == ["NEW", "C", "B", "A"]

    assert bodies == {"a": 1, "b": 1, "c": 2, "new": 1}


@pytest.mark.parametrize("keys", [["same", "same"], [1, "1"], [None, "None"]], ids=str)
async def test_keys_that_are_the_same_as_text_are_refused(keys: list[Any]) -> None:
    @workflow
    async def flow() -> str:
        try:
            await step.map("items", nothing, keys, key=lambda key: key)
        except InvalidOption as error:
            return str(error)
        return "let pass"

    text = await result_of(flow)

    assert str(keys[0]) in text
    assert "items" in text


async def test_duplicate_keys_are_refused_in_an_async_iterator_too() -> None:
    @workflow
    async def flow() -> str:
        with pytest.raises(InvalidOption):
            await step.map("items", square, numbers(10), key=lambda number: number % 5)
        return "refused"

    assert await result_of(flow) == "refused"


@pytest.mark.parametrize(
    "key", ["\ud800", "a\nb", "a\x00b", "x" * 100_000, ""], ids=["surrogate", "line", "nul", "long", "empty"]
)
async def test_a_key_that_cannot_be_part_of_a_path_is_refused_or_escaped_but_breaks_nothing(key: str) -> None:
    @workflow
    async def flow() -> str:
        try:
            results = await step.map("items", square, [3], key=lambda _: key)
        except (InvalidOption, StepError):
            return "refused"
        await step.sleep("pause", "1h")
        return f"ran: {results}"

    record = await record_of(flow)

    assert record.status == RunStatus.COMPLETED
    assert record.output in {"refused", "ran: [9]"}


async def test_an_error_of_the_key_function_is_raised_in_the_workflow() -> None:
    @workflow
    async def flow() -> str:
        try:
            await step.map("items", square, [1, 0], key=lambda number: 1 / number)
        except ZeroDivisionError:
            return "raised"
        return "swallowed"

    assert await result_of(flow) == "raised"


@pytest.mark.parametrize("as_async", [True, False])
async def test_an_error_of_the_items_themselves_is_raised_in_the_workflow(as_async: bool) -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise LookupError("no more")

    async def broken_async() -> AsyncIterator[int]:
        yield 1
        raise LookupError("no more")

    @workflow
    async def flow() -> str:
        try:
            await step.map("items", square, broken_async() if as_async else broken())
        except LookupError as error:
            return str(error)
        return "swallowed"

    assert await result_of(flow) == "no more"


# Concurrency and memory -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 3, 10])
@pytest.mark.parametrize("items", [lambda: list(range(30)), lambda: numbers(30), lambda: iter(range(30))])
async def test_so_many_items_are_worked_on_at_once(concurrency: int, items: Callable[[], Any]) -> None:
    at_work = most = 0
    full = asyncio.Event()

    async def work(number: int) -> int:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        if at_work == concurrency:
            full.set()
        await full.wait()
        await settle(3)
        at_work -= 1
        return number

    @workflow
    async def flow() -> int:
        return len(await step.map("items", work, items(), concurrency=concurrency))

    assert await result_of(flow) == 30
    assert most == concurrency


async def test_the_default_concurrency_is_ten() -> None:
    at_work = most = 0

    def work(number: int) -> int:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        together.wait(10)
        with lock:
            at_work -= 1
        return number

    lock = threading.Lock()
    together = threading.Barrier(10)

    @workflow
    async def flow() -> int:
        return len(await step.map("items", work, range(20)))

    assert await result_of(flow) == 20
    assert most == 10


@pytest.mark.parametrize("as_async", [True, False])
async def test_items_are_read_no_faster_than_they_are_worked_on(as_async: bool) -> None:
    read = done = 0
    ahead: list[int] = []

    def items() -> Iterator[int]:
        nonlocal read
        for number in range(50):
            read += 1
            ahead.append(read - done)
            yield number

    async def async_items() -> AsyncIterator[int]:
        for number in items():
            yield number

    async def work(number: int) -> None:
        nonlocal done
        await asyncio.sleep(0)
        done += 1

    @workflow
    async def flow() -> None:
        await step.for_each("items", work, async_items() if as_async else items(), concurrency=3)

    await result_of(flow)

    assert (read, done) == (50, 50)
    assert max(ahead) <= 4


async def test_an_async_iterator_is_closed_when_the_map_fails() -> None:
    closed: list[str] = []

    async def items() -> AsyncIterator[int]:
        try:
            for number in range(100):
                yield number
        finally:
            closed.append("closed")

    @workflow
    async def flow() -> str:
        with pytest.raises(MapFailed):
            await step.map("items", failing(), items(), max_attempts=1, concurrency=2)
        gc.collect()
        await asyncio.sleep(0)
        return "caught"

    assert await result_of(flow) == "caught"
    assert closed == ["closed"]


async def test_an_async_iterator_may_call_steps() -> None:
    async def pages() -> AsyncIterator[int]:
        for page in range(3):
            for number in await step(f"page-{page}", lambda page=page: [page * 10, page * 10 + 1]):
                yield number

    @workflow
    async def flow() -> list[int]:
        result = await step.map("items", square, pages())
        await step.sleep("pause", "1h")
        return result

    assert await result_of(flow) == [0, 1, 100, 121, 400, 441]


async def test_an_async_iterator_may_sleep(clock: VirtualClock) -> None:
    bodies: Counter[int] = Counter()

    async def slow_numbers() -> AsyncIterator[int]:
        for number in range(3):
            await step.sleep(f"wait-{number}", "1h")
            yield number

    async def work(number: int) -> int:
        bodies[number] += 1
        return number

    @workflow
    async def flow() -> list[int]:
        return await step.map("items", work, slow_numbers())

    assert await result_of(flow, clock=clock) == [0, 1, 2]
    assert bodies == {0: 1, 1: 1, 2: 1}


# Waiting items --------------------------------------------------------------------------------------------------------


async def test_a_waiting_item_keeps_its_place() -> None:
    order: list[str] = []

    async def work(number: int) -> int:
        await step("begin", lambda: order.append(f"{number} begins"))
        await step.sleep("nap", "1h")
        await step("end", lambda: order.append(f"{number} ends"))
        return number

    @workflow
    async def flow() -> list[int]:
        return await step.map("items", work, range(3), concurrency=1)

    assert await result_of(flow) == [0, 1, 2]
    assert order == ["0 begins", "0 ends", "1 begins", "1 ends", "2 begins", "2 ends"]


async def test_a_map_whose_items_all_wait_suspends_the_run(frozen: VirtualClock) -> None:
    async def work(number: int) -> Any:
        if number % 2:
            await step.sleep("nap", "1h")
        return number

    @workflow
    async def flow() -> list[int]:
        return await step.map("items", work, range(6), concurrency=3)

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await reached(run, RunStatus.SLEEPING)
        record = await run.describe()
        assert [wait.path for wait in record.waits] == ["items[1]/nap", "items[3]/nap", "items[5]/nap"]
        frozen.advance("1h")
        assert await run.result() == list(range(6))


async def test_items_that_listen_get_their_events_in_turn() -> None:
    async def work(number: int) -> Any:
        return await step.listen("answer", event=f"answer-{number}")

    @workflow
    async def flow() -> list[Any]:
        return await step.map("items", work, range(3))

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        for number in (2, 0, 1):
            await reached(run, RunStatus.LISTENING)
            await run.send(f"answer-{number}", number * 10)
        assert await run.result() == [0, 10, 20]


async def test_finished_items_are_not_done_again_when_the_others_wait() -> None:
    bodies: Counter[int] = Counter()

    async def work(number: int) -> int:
        if number == 5:
            await step.sleep("nap", "1h")
        bodies[number] += 1
        return number

    @workflow
    async def flow() -> list[int]:
        return await step.map("items", work, range(10), concurrency=3)

    assert await result_of(flow) == list(range(10))
    assert bodies == dict.fromkeys(range(10), 1)


async def test_an_item_in_a_long_backoff_keeps_its_place_and_suspends_the_run() -> None:
    flaky = Flaky(ValueError("no"))
    calls: Counter[int] = Counter()

    async def work(number: int) -> int:
        calls[number] += 1
        if number == 1:
            await flaky()
        return number

    @workflow
    async def flow() -> list[int]:
        policy = RetryPolicy(initial="1h", cap="1h", jitter=False)
        return await step.map("items", work, range(4), concurrency=2, retry=policy)

    assert await result_of(flow) == [0, 1, 2, 3]
    assert calls == {0: 1, 1: 2, 2: 1, 3: 1}


# Failures -------------------------------------------------------------------------------------------------------------


async def work_or_fail(number: int) -> int:
    if number in {2, 4}:
        raise ValueError(f"item {number}")
    return number


async def test_map_failed_tells_which_items_failed_and_why() -> None:
    seen: list[MapFailed] = []

    @workflow
    async def flow() -> None:
        try:
            await step.map("items", work_or_fail, range(3), max_attempts=2)
        except MapFailed as error:
            seen.append(error)
        await step.sleep("pause", "1h")

    await result_of(flow)

    error = seen[0]
    assert isinstance(error, StepError)
    assert error.path == "items"
    [failure] = error.failures
    assert (failure.index, failure.key) == (2, None)
    assert isinstance(failure.error, StepFailed)
    assert (failure.error.path, failure.error.attempts, failure.error.cause_message) == ("items[2]", 2, "item 2")
    assert "items" in str(error)
    assert "item 2" in str(error)
    assert [(type(each), str(each), each.failures, each.__cause__) for each in seen] == [
        (MapFailed, str(error), error.failures, None)
    ] * 2


async def test_a_failure_tells_the_key_where_there_are_keys() -> None:
    @workflow
    async def flow() -> list[Any]:
        with pytest.raises(MapFailed) as failed:
            await step.map("items", work_or_fail, [1, 2], max_attempts=1, key=lambda number: f"user-{number}")
        [failure] = failed.value.failures
        return [failure.index, failure.key, failure.error.path]

    assert await result_of(flow) == [1, "user-2", 'items["user-2"]']


async def test_after_the_first_failure_no_new_item_starts_and_running_ones_finish() -> None:
    begun: list[int] = []
    ended: list[int] = []
    release = asyncio.Event()

    async def work(number: int) -> int:
        begun.append(number)
        if number == 0:
            await until(lambda: len(begun) == 3)
            raise ValueError("no")
        await release.wait()
        ended.append(number)
        return number

    @workflow
    async def flow() -> int:
        with pytest.raises(MapFailed) as failed:
            await step.map("items", work, range(20), concurrency=3, max_attempts=1)
        return len(failed.value.failures)

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        await until(lambda: len(begun) == 3)
        await until(lambda: _has_failed(run, "items[0]"))
        await settle(50)
        assert begun == [0, 1, 2]
        release.set()
        assert await run.result() == 1
        steps = steps_of(await run.describe())

    assert sorted(begun) == [0, 1, 2]
    assert sorted(ended) == [1, 2]
    assert (steps["items[1]"].state, steps["items[2]"].state, steps["items"].state) == (
        "completed",
        "completed",
        "failed",
    )


async def _has_failed(run: Any, path: str) -> bool:
    found = steps_of(await run.describe()).get(path)
    return found is not None and found.state == "failed"


async def test_several_items_that_fail_at_once_are_all_told_of_in_order() -> None:
    begun: list[int] = []

    async def work(number: int) -> int:
        begun.append(number)
        await until(lambda: len(begun) == 3)
        raise ValueError(number)

    @workflow
    async def flow() -> list[int]:
        with pytest.raises(MapFailed) as failed:
            await step.map("items", work, range(3), max_attempts=1)
        return [failure.index for failure in failed.value.failures]

    assert await result_of(flow) == [0, 1, 2]


async def test_a_map_of_which_many_items_fail_saves_how_the_first_did_and_how_many(store: str) -> None:
    together = asyncio.Event()
    begun = 0
    seen: list[MapFailed] = []

    async def work(number: int) -> int:
        nonlocal begun
        begun += 1
        if begun == 300:
            together.set()
        await together.wait()
        raise ValueError(f"item {number}\n" + "\x1b" * 50_000)

    @workflow
    async def flow() -> None:
        try:
            await step.map("items", work, range(300), concurrency=300, max_attempts=1)
        except MapFailed as error:
            seen.append(error)
            if len(seen) == 2:
                raise
        await step.sleep("pause", "1h")

    async with opened(flow, store=store) as runtime:
        run = await runtime.start(flow)
        with pytest.raises(RunFailed) as failed:
            await run.result()
        items = steps_of(await run.describe())["items"]

    for error in seen:
        assert error.count == 300
        assert [failure.index for failure in error.failures] == list(range(100))
        assert str(error).startswith("300 items of 'items' failed; the first: Step 'items[0]' failed after 1 attempt")
        assert len(str(error).splitlines()) == 1
    assert failed.value.message.startswith(str(seen[0])[:1_000])
    assert items.error is not None
    assert (items.error.type, items.error.message) == ("MapFailed", "300 items failed")
    with contextlib.closing(sqlite3.connect(store.removeprefix("sqlite:///"))) as database:
        [[size]] = database.execute("SELECT length(payload) FROM checkpoint WHERE path = 'items' AND state = 'failed'")
    assert size < 8 * 1024 * 1024


async def test_collect_gives_failures_in_their_places_and_the_same_on_replay() -> None:
    seen: list[list[Any]] = []

    @workflow
    async def flow() -> None:
        seen.append(await step.map("items", work_or_fail, range(5), max_attempts=1, on_error="collect"))
        await step.sleep("pause", "1h")

    await result_of(flow)

    results = seen[0]
    assert seen[1] == results
    assert [result for result in results if isinstance(result, int)] == [0, 1, 3]
    assert [index for index, result in enumerate(results) if isinstance(result, ItemFailure)] == [2, 4]
    assert [(each.index, each.key, each.error.path) for each in (results[2], results[4])] == [
        (2, None, "items[2]"),
        (4, None, "items[4]"),
    ]
    assert all(isinstance(each.error, StepFailed) for each in (results[2], results[4]))


async def test_collect_tries_every_item_even_if_all_fail() -> None:
    @workflow
    async def flow() -> int:
        results = await step.map("items", failing(), range(30), max_attempts=1, on_error="collect", concurrency=4)
        return sum(isinstance(result, ItemFailure) for result in results)

    assert await result_of(flow) == 30


async def test_for_each_and_batch_collect_too() -> None:
    @workflow
    async def flow() -> list[Any]:
        nothing_raised = await step.for_each("each", work_or_fail, range(5), max_attempts=1, on_error="collect")
        batches = await step.batch("batches", failing(), range(5), batch_size=3, max_attempts=1, on_error="collect")
        return [nothing_raised, [type(batch).__name__ for batch in batches], [batch.index for batch in batches]]

    assert await result_of(flow) == [None, ["ItemFailure", "ItemFailure"], [0, 1]]


@pytest.mark.parametrize("word", ["for_each", "batch"])
async def test_for_each_and_batch_raise_map_failed_by_default(word: str) -> None:
    begun: list[Any] = []

    async def work(item: Any) -> None:
        begun.append(item)
        raise ValueError("no")

    @workflow
    async def flow() -> list[int]:
        options: dict[str, Any] = {"batch_size": 1} if word == "batch" else {"concurrency": 1}
        with pytest.raises(MapFailed) as failed:
            await getattr(step, word)("items", work, range(5), max_attempts=1, **options)
        return [failure.index for failure in failed.value.failures]

    assert await result_of(flow) == [0]
    assert len(begun) == 1


async def test_each_item_has_its_own_attempts() -> None:
    calls: Counter[int] = Counter()

    async def flaky(number: int) -> int:
        calls[number] += 1
        if calls[number] <= number:
            raise ValueError("again")
        return number

    @workflow
    async def flow() -> list[int]:
        return await step.map("items", flaky, range(4), retry=RetryPolicy(initial=0))

    record = await record_of(flow)

    assert record.output == [0, 1, 2, 3]
    assert calls == {0: 1, 1: 2, 2: 3, 3: 4}
    assert {path: each.attempts for path, each in steps_of(record).items() if "[" in path} == {
        f"items[{number}]": number + 1 for number in range(4)
    }


async def test_other_errors_of_items_are_collected_too() -> None:
    async def work(number: int) -> Any:
        match number:
            case 0:
                return object()
            case 1:
                return await step.listen("never", timeout="1h")
            case 2:
                return await step("child", failing(), max_attempts=1)
        return number

    @workflow
    async def flow() -> list[str]:
        results = await step.map("items", work, range(4), on_error="collect")
        assert results[1].error.caused_by(ListenTimeout)
        assert results[2].error.caused_by(ValueError)
        return [type(result.error).__name__ if isinstance(result, ItemFailure) else "fine" for result in results]

    assert await result_of(flow) == ["SerializationError", "StepFailed", "StepFailed", "fine"]


# Changed items --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "now",
    [[1, 2, 3, 4], [1, 2], [3, 2, 1], [1, 2, 30], [], [True, 2, 3], ["1", 2, 3], [1.0, 2, 3]],
    ids=str,
)
@pytest.mark.parametrize("shape", [list, iter])
async def test_a_changed_item_list_on_resume_is_an_error_and_not_a_silent_mix(
    store: str, now: list[Any], shape: Callable[[list[Any]], Any]
) -> None:
    items: list[Any] = [1, 2, 3]
    bodies: list[Any] = []
    held = True

    async def work(number: Any) -> Any:
        bodies.append(number)
        if held and number == 3:
            await asyncio.Event().wait()
        return number

    @workflow
    async def flow() -> str:
        try:
            results = await step.map("items", work, shape(items))
        except ItemsChanged as error:
            return f"changed: {error.path}"
        return f"mixed: {results}"

    async with opened(flow, store=store) as runtime:
        run = await runtime.start(flow, run_id="r")
        await until(lambda: len(bodies) == 3)
        await until(lambda: _done(run, 2))
    items, held = now, False
    async with opened(flow, store=store) as runtime:
        result = await (await runtime.get("r")).result()

    if shape is iter and now == [1, 2, 30]:
        assert result in {"changed: items", "mixed: [1, 2, 30]"}  # The third was not done: nothing is mixed.
    elif shape is iter and now in ([1, 2, 3, 4], [1, 2]):
        assert result.startswith(("changed", "mixed: [1, 2"))
    else:
        assert result == "changed: items"


async def _done(run: Any, number: int) -> bool:
    return sum(each.state == "completed" for each in steps_of(await run.describe()).values()) == number


async def test_the_same_items_as_another_sequence_are_the_same_items(store: str) -> None:
    shapes: list[Callable[[Any], Any]] = [tuple, list]
    begun: list[int] = []
    held = True

    async def work(number: int) -> int:
        begun.append(number)
        if held and number == 3:
            await asyncio.Event().wait()
        return number

    @workflow
    async def flow() -> list[int]:
        return await step.map("items", work, shapes[0]([1, 2, 3]))

    async with opened(flow, store=store) as runtime:
        await runtime.start(flow, run_id="r")
        await until(lambda: 3 in begun)
    shapes.pop(0)
    held = False
    async with opened(flow, store=store) as runtime:
        assert await (await runtime.get("r")).result() == [1, 2, 3]


async def test_a_finished_map_does_not_mind_other_items(store: str) -> None:
    items = [1, 2, 3]

    @workflow
    async def flow() -> list[int]:
        results = await step.map("items", square, items)
        await step.listen("go")
        return results

    async with opened(flow, store=store) as runtime:
        await reached(await runtime.start(flow, run_id="r"), RunStatus.LISTENING)
    items = [7, 8]
    async with opened(flow, store=store) as runtime:
        run = await runtime.get("r")
        await run.send("go")
        assert await run.result() == [1, 4, 9]


@pytest.mark.parametrize(
    ("items", "now", "said"),
    [
        (lambda: list(range(6)), 3, "batches of 2 then, of 3 now"),
        (lambda: list(range(6)), 1, "batches of 2 then, of 1 now"),
        (lambda: list(range(6)), 20, "batches of 2 then, of 20 now"),
        (lambda: [object() for _ in range(6)], 3, "batches of 2 then, of 3 now"),
        (lambda: iter(range(6)), 3, "batch 0 is another one"),
        (lambda: numbers(6), 1, "batch 0 is another one"),
    ],
)
async def test_a_batch_that_is_resumed_with_another_batch_size_is_an_error_too(
    store: str, items: Callable[[], Any], now: int, said: str
) -> None:
    size = 2
    begun: list[list[Any]] = []
    held = True

    async def work(batch: list[int]) -> int:
        begun.append(batch)
        if held and len(begun) == 2:
            await asyncio.Event().wait()
        return len(batch)

    @workflow
    async def flow() -> str:
        try:
            return str(await step.batch("batches", work, items(), batch_size=size))
        except ItemsChanged as error:
            return f"changed: {error}"

    async with opened(flow, store=store) as runtime:
        await runtime.start(flow, run_id="r")
        await until(lambda: len(begun) == 2)
    size, held = now, False
    async with opened(flow, store=store) as runtime:
        result = await (await runtime.get("r")).result()

    assert len(begun) == 2
    assert result == (
        f"changed: The items of 'batches' are not the ones that it began with ({said}). Make them in a step, so that "
        f"they are saved, and keep the batch_size."
    )


async def test_an_uncaught_items_changed_fails_the_run_and_overwrites_nothing(store: str) -> None:
    items = [1, 2]
    begun: list[int] = []

    async def work(number: int) -> int:
        begun.append(number)
        if number == 2:
            await asyncio.Event().wait()
        return number

    @workflow
    async def flow() -> list[int]:
        return await step.map("items", work, items)

    async with opened(flow, store=store) as runtime:
        run = await runtime.start(flow, run_id="r")
        await until(lambda: len(begun) == 2)
        await until(lambda: _done(run, 1))
    items = [3]
    async with opened(flow, store=store) as runtime:
        run = await runtime.get("r")
        with pytest.raises(RunFailed) as failed:
            await run.result()
        assert steps_of(await run.describe())["items[0]"].result == 1

    assert failed.value.cause_type == "ItemsChanged"


# Nesting and resuming -------------------------------------------------------------------------------------------------


async def test_maps_in_maps() -> None:
    async def outer(row: list[int]) -> list[int]:
        return await step.map("cells", square, row)

    @workflow
    async def flow() -> list[list[int]]:
        return await step.map("rows", outer, [[1, 2], [3], []])

    record = await record_of(flow)

    assert record.output == [[1, 4], [9], []]
    assert "rows[0]/cells[1]" in steps_of(record)


async def test_several_maps_side_by_side() -> None:
    @workflow
    async def flow() -> list[list[int]]:
        return await asyncio.gather(*(step.map(f"map-{n}", square, range(n)) for n in range(5)))

    assert await result_of(flow) == [[i * i for i in range(n)] for n in range(5)]


async def test_a_map_that_is_given_back_goes_on_with_what_is_not_done(store: str) -> None:
    bodies: Counter[int] = Counter()
    held = True

    async def work(number: int) -> int:
        bodies[number] += 1
        if held and number == 7:
            await asyncio.Event().wait()
        return number

    @workflow
    async def flow() -> list[int]:
        return await step.map("items", work, range(20), concurrency=2)

    async with opened(flow, store=store) as runtime:
        run = await runtime.start(flow, run_id="r")
        await until(lambda: _done(run, 19))
    held = False
    async with opened(flow, store=store) as runtime:
        assert await (await runtime.get("r")).result() == list(range(20))

    assert bodies == {**dict.fromkeys(range(20), 1), 7: 2}


@pytest.mark.parametrize("as_async", [True, False])
async def test_an_iterator_is_walked_again_on_resume_and_done_items_are_skipped(store: str, as_async: bool) -> None:
    bodies: Counter[int] = Counter()
    held = True

    async def work(number: int) -> int:
        bodies[number] += 1
        if held and number == 7:
            await asyncio.Event().wait()
        return number

    @workflow
    async def flow() -> list[int]:
        return await step.map("items", work, numbers(10) if as_async else iter(range(10)), concurrency=2)

    async with opened(flow, store=store) as runtime:
        run = await runtime.start(flow, run_id="r")
        await until(lambda: _done(run, 9))
    held = False
    async with opened(flow, store=store) as runtime:
        assert await (await runtime.get("r")).result() == list(range(10))

    assert bodies == {**dict.fromkeys(range(10), 1), 7: 2}


async def test_a_map_that_user_code_cancels_cancels_its_items() -> None:
    begun: list[int] = []
    cancelled: list[int] = []

    async def work(number: int) -> None:
        begun.append(number)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(number)
            raise

    @workflow
    async def flow() -> str:
        task = asyncio.create_task(step.map("items", work, range(20), concurrency=4))
        await until(lambda: len(begun) == 4)
        task.cancel()
        await asyncio.wait([task])
        return "cancelled" if task.cancelled() else "went on"

    assert await result_of(flow) == "cancelled"
    assert sorted(begun) == sorted(cancelled) == [0, 1, 2, 3]


async def test_an_option_of_steps_holds_for_each_item() -> None:
    @workflow
    async def flow() -> list[Any]:
        at_most_once = await step.map("once", failing(), [1], at_most_once=True, on_error="collect")
        retried = await step.map(
            "retried", failing(), [1], max_attempts=3, on_error="collect", retry=RetryPolicy(initial=0)
        )
        return [at_most_once[0].error.attempts, retried[0].error.attempts]

    assert await result_of(flow) == [1, 3]


# Bad calls ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda: step.map("x", square, [1], concurrency=0),
        lambda: step.map("x", square, [1], concurrency=-1),
        lambda: step.map("x", square, [1], concurrency=1.5),
        lambda: step.map("x", square, [1], concurrency=True),
        lambda: step.map("x", square, [1], on_error="ignore"),
        lambda: step.map("x", square, [1], key="id"),
        lambda: step.map("x", square, [1], key=square),
        lambda: step.map("x", square, [1], max_attempts=0),
        lambda: step.batch("x", len, [1], batch_size=0),
        lambda: step.for_each("x", square, [1], timeout=-1),
        lambda: step.map("x", square, [1], executor=object()),
    ],
)
async def test_options_out_of_range_are_refused_at_the_call(call: Callable[[], Any]) -> None:
    @workflow
    async def flow() -> str:
        with pytest.raises(InvalidOption) as refused:
            call()
        assert isinstance(refused.value, ValueError)
        return "refused"

    assert await result_of(flow) == "refused"


@pytest.mark.parametrize(
    "items", ["text", b"bytes", 7, None, numbers, object()], ids=["str", "bytes", "int", "None", "function", "object"]
)
@pytest.mark.parametrize("word", ["map", "for_each", "batch"])
async def test_what_is_no_collection_of_items_is_refused_at_the_call(word: str, items: Any) -> None:
    @workflow
    async def flow() -> str:
        with pytest.raises(DefinitionError) as refused:
            getattr(step, word)("x", square, items)
        assert isinstance(refused.value, TypeError)
        return "refused"

    assert await result_of(flow) == "refused"


async def test_a_coroutine_of_items_is_refused_with_advice() -> None:
    async def items() -> list[int]:
        return [1]

    @workflow
    async def flow() -> str:
        with pytest.raises(DefinitionError, match=r"[Aa]wait"):
            step.map("x", square, items())
        return "refused"

    assert await result_of(flow) == "refused"


@pytest.mark.parametrize("option", ["batch_size", "concurency", "name"])
async def test_an_option_that_a_map_does_not_have_is_a_type_error(option: str) -> None:
    @workflow
    async def flow() -> str:
        with pytest.raises(TypeError, match=option):
            step.map("x", square, [1], **{option: 1})
        return "refused"

    assert await result_of(flow) == "refused"
