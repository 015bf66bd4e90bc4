"""Replay delivers results in the order of their commits, so that "first completed" picks the same winner (R3)."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from flowgraph import ListenTimeout, RunStatus, StepError, StepFailed, step, workflow
from flowgraph.testing import VirtualClock
from tests.runtime.support import Flaky, failing, opened, reached, result_of, until

NAMES = ["a", "b", "c", "d", "e"]


class Gates:
    """Handlers that end when the test lets them, in the order that it wants."""

    def __init__(self) -> None:
        self.open: dict[str, asyncio.Event] = {}

    async def __call__(self, name: str) -> str:
        await self.open.setdefault(name, asyncio.Event()).wait()
        return name

    async def let_through(self, names: list[str]) -> None:
        await until(lambda: all(name in self.open for name in names))
        for name in names:
            self.open[name].set()

    async def let_through_one_by_one(self, run: Any, names: list[str]) -> None:
        await until(lambda: all(name in self.open for name in names))
        for name in names:
            self.open[name].set()
            await until(lambda name=name: _is_saved(run, name))


async def _is_saved(run: Any, name: str) -> bool:
    return any(each.path == name and each.state == "completed" for each in (await run.describe()).steps)


async def _wait_in_turn(tasks: list[asyncio.Task[str]]) -> list[Any]:
    order: list[Any] = []
    pending = set(tasks)
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        order.append(sorted(task.result() for task in done))
    return order


async def _as_completed(tasks: list[asyncio.Task[str]]) -> list[Any]:
    return [await future for future in asyncio.as_completed(tasks)]


async def _callbacks(tasks: list[asyncio.Task[str]]) -> list[Any]:
    order: list[Any] = []
    for task in tasks:
        task.add_done_callback(lambda task: order.append(task.result()))
    await asyncio.wait(tasks)
    await asyncio.sleep(0)
    return order


async def _appended(tasks: list[asyncio.Task[str]]) -> list[Any]:
    order: list[Any] = []

    async def follow(task: asyncio.Task[str]) -> None:
        order.append(await task)

    await asyncio.gather(*map(follow, tasks))
    return order


async def _queued(tasks: list[asyncio.Task[str]]) -> list[Any]:
    queue: asyncio.Queue[str] = asyncio.Queue()

    async def follow(task: asyncio.Task[str]) -> None:
        await queue.put(await task)

    followers = [asyncio.create_task(follow(task)) for task in tasks]
    order = [await queue.get() for _ in followers]
    await asyncio.gather(*followers)
    return order


WATCHERS = [_wait_in_turn, _as_completed, _callbacks, _appended, _queued]


@pytest.mark.parametrize("watch", WATCHERS)
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_the_order_of_completion_is_the_same_on_replay(
    watch: Callable[[list[asyncio.Task[str]]], Awaitable[list[Any]]], seed: int
) -> None:
    gates = Gates()
    shuffled = random.Random(seed).sample(NAMES, len(NAMES))
    orders: list[list[Any]] = []

    @workflow
    async def flow() -> None:
        orders.append(await watch([asyncio.create_task(step(name, gates, name)) for name in NAMES]))
        await step.sleep("one", "1h")
        await step.sleep("two", "1h")

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        await gates.let_through_one_by_one(run, shuffled)
        await run.result()

    flat = [name for entry in orders[0] for name in entry]
    assert flat == shuffled
    assert orders == [orders[0]] * 3


@pytest.mark.parametrize("watch", WATCHERS)
async def test_the_order_within_one_commit_is_the_same_on_replay(
    watch: Callable[[list[asyncio.Task[str]]], Awaitable[list[Any]]],
) -> None:
    gates = Gates()
    orders: list[list[Any]] = []
    names = [f"step-{number}" for number in range(20)]
    shuffled = random.Random(4).sample(names, len(names))

    @workflow
    async def flow() -> None:
        orders.append(await watch([asyncio.create_task(step(name, gates, name)) for name in names]))
        await step.sleep("one", "1h")
        await step.sleep("two", "1h")

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        await gates.let_through(shuffled)
        await run.result()

    assert orders == [orders[0]] * 3


async def test_the_first_completed_step_is_the_same_though_the_others_are_finished_by_then(store: str) -> None:
    gates = Gates()
    winners: list[str] = []

    @workflow
    async def flow() -> str:
        tasks = [asyncio.create_task(step(name, gates, name)) for name in NAMES]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        [winner] = done
        winners.append(winner.result())
        await asyncio.gather(*tasks)
        await step.listen("go")
        return winner.result()

    async with opened(flow, store=store) as runtime:
        run = await runtime.start(flow, run_id="r")
        await gates.let_through_one_by_one(run, ["d", "b", "e", "a", "c"])
        await reached(run, RunStatus.LISTENING)
    async with opened(flow, store=store) as runtime:
        run = await runtime.get("r")
        await run.send("go")
        assert await run.result() == "d"

    assert winners == ["d", "d"]


@pytest.mark.parametrize("is_async", [True, False])
async def test_steps_that_all_end_at_once_complete_in_the_same_order_on_replay(is_async: bool) -> None:
    orders: list[list[str]] = []

    async def coroutine(name: str) -> str:
        return name

    def plain(name: str) -> str:
        return name

    @workflow
    async def flow() -> None:
        order: list[str] = []

        async def call(name: str) -> None:
            order.append(await step(name, coroutine if is_async else plain, name))

        await asyncio.gather(*(call(f"step-{number}") for number in range(30)))
        orders.append(order)
        await step.sleep("pause", "1h")

    await result_of(flow)

    assert orders[0] == orders[1]


async def test_an_approval_beats_its_deadline_on_replay_long_after_the_deadline(frozen: VirtualClock) -> None:
    winners: list[str] = []

    @workflow
    async def flow() -> None:
        approval = asyncio.create_task(step.listen("approval"))
        deadline = asyncio.create_task(step.sleep("deadline", "1d"))
        done, pending = await asyncio.wait({approval, deadline}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()  # A suspension is raised here.
        winners.append("approval" if approval in done else "deadline")
        for task in pending:
            task.cancel()
        await step.sleep("long", "30d")

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await reached(run, RunStatus.LISTENING)
        await run.send("approval")
        await reached(run, RunStatus.SLEEPING)
        frozen.advance("30d")
        await run.result()

    assert winners == ["approval"] * 2


async def test_a_deadline_beats_an_approval_that_came_after_it_on_replay(frozen: VirtualClock) -> None:
    winners: list[str] = []

    @workflow
    async def flow() -> None:
        approval = asyncio.create_task(step.listen("approval"))
        deadline = asyncio.create_task(step.sleep("deadline", "1d"))
        done, _ = await asyncio.wait({approval, deadline}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()  # A suspension is raised here.
        winners.append("approval" if approval in done else "deadline")
        await approval

    async with opened(flow, clock=frozen) as runtime:
        run = await runtime.start(flow)
        await reached(run, RunStatus.LISTENING)
        frozen.advance("1d")
        await until(lambda: bool(winners))
        await reached(run, RunStatus.LISTENING)
        await run.send("approval")
        await run.result()

    assert winners == ["deadline"] * 2


async def test_of_two_sleeps_that_are_over_the_earlier_one_is_first(store: str, frozen: VirtualClock) -> None:
    winners: list[list[str]] = []

    async def nap(name: str, duration: str) -> str:
        await step.sleep(name, duration)
        return name

    @workflow
    async def flow() -> None:
        tasks = [asyncio.create_task(nap("late", "3h")), asyncio.create_task(nap("early", "1h"))]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        winners.append([task.result() for task in done])
        await asyncio.gather(*tasks)
        await step.sleep("pause", "1h")

    async with opened(flow, store=store, clock=frozen) as runtime:
        await reached(await runtime.start(flow, run_id="r"), RunStatus.SLEEPING)
    frozen.advance("1d")
    async with opened(flow, store=store, clock=frozen) as runtime:
        run = await runtime.get("r")
        await until(lambda: len(winners) == 1)
        await reached(run, RunStatus.SLEEPING)
        frozen.advance("1h")
        await run.result()

    assert winners == [["early"], ["early"]]


async def test_failures_and_results_keep_their_common_order() -> None:
    orders: list[list[str]] = []
    gates = Gates()

    async def fail(name: str) -> None:
        await gates(name)
        raise ValueError(name)

    @workflow
    async def flow() -> None:
        order: list[str] = []

        async def call(name: str) -> None:
            try:
                await step(name, fail if name in "bd" else gates, name, max_attempts=1)
            except StepFailed as error:
                order.append(f"{error.cause_message} failed")
            else:
                order.append(name)

        await asyncio.gather(*map(call, NAMES))
        orders.append(order)
        await step.sleep("pause", "1h")

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        await gates.let_through(["d", "a", "b", "e", "c"])
        await run.result()

    assert orders == [orders[0]] * 2
    assert sorted(orders[0]) == ["a", "b failed", "c", "d failed", "e"]


async def test_the_first_failure_of_a_task_group_is_the_same_on_replay() -> None:
    seen: list[list[str]] = []
    gates = Gates()

    async def fail(name: str) -> None:
        await gates(name)
        raise ValueError(name)

    @workflow
    async def flow() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for name in NAMES:
                    group.create_task(step(name, fail, name, max_attempts=1))
        except* StepFailed as errors:
            seen.append([str(error) for error in errors.exceptions])
        await step.sleep("pause", "1h")

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        await until(lambda: len(gates.open) == len(NAMES))
        gates.open["c"].set()
        await run.result()

    assert len(seen) == 2
    assert seen[0] == seen[1]
    assert "'c'" in seen[0][0]


async def test_a_race_of_children_has_the_same_winner_on_replay() -> None:
    winners: list[str] = []

    @workflow
    async def child(name: str, hours: int) -> str:
        await step.sleep("nap", f"{hours}h")
        return name

    @workflow
    async def flow() -> None:
        tasks = [
            asyncio.create_task(step.execute_workflow(name, child, name, hours))
            for name, hours in [("slow", 3), ("quick", 1), ("middling", 2)]
        ]
        order = [await future for future in asyncio.as_completed(tasks)]
        winners.append(" ".join(order))
        await step.sleep("pause", "1d")

    await result_of(flow, also=(child,))

    assert winners == ["quick middling slow"] * len(winners)
    assert len(winners) >= 2


async def test_a_race_inside_a_step_has_the_same_winner_on_replay() -> None:
    winners: list[str] = []
    gates = Gates()

    async def race() -> str:
        tasks = [asyncio.create_task(step(name, gates, name)) for name in NAMES]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        winners.append(min(task.result() for task in done))
        await asyncio.gather(*tasks)
        await step.sleep("pause", "1h")
        return winners[-1]

    @workflow
    async def flow() -> str:
        return await step("race", race)

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        await until(lambda: len(gates.open) == len(NAMES))
        gates.open["d"].set()
        await until(lambda: bool(winners))
        for gate in gates.open.values():
            gate.set()
        assert await run.result() == "d"

    assert winners == ["d", "d"]


async def test_a_loser_that_was_cancelled_loses_on_replay_too() -> None:
    outcomes: list[list[str]] = []
    gates = Gates()

    @workflow
    async def flow() -> None:
        tasks = {name: asyncio.create_task(step(name, gates, name)) for name in NAMES}
        _, pending = await asyncio.wait(tasks.values(), return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        outcomes.append([name for name, task in tasks.items() if not task.cancelled()])
        await step.sleep("pause", "1h")

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        await until(lambda: len(gates.open) == len(NAMES))
        gates.open["c"].set()
        await until(lambda: bool(outcomes))
        for gate in gates.open.values():
            gate.set()  # On replay the losers could end at once.
        await run.result()

    assert outcomes == [["c"], ["c"]]


async def test_a_step_beats_a_sleep_that_is_over_on_replay() -> None:
    winners: list[str] = []

    @workflow
    async def flow() -> None:
        work = asyncio.create_task(step("work", lambda: "work"))
        nap = asyncio.create_task(step.sleep("nap", "1h"))
        done, _ = await asyncio.wait({work, nap}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        winners.append("work" if work in done else "nap")
        await nap
        await step.sleep("pause", "5h")

    await result_of(flow)

    assert set(winners) == {"work"}
    assert len(winners) == 3


async def test_results_that_several_tasks_take_in_turn_are_the_same_on_replay() -> None:
    """Workers that share an iterator: who takes which item depends on the order in which steps end."""
    seen: list[dict[int, list[int]]] = []

    async def work(item: int) -> int:
        for _ in range(item % 5):
            await asyncio.sleep(0)
        return item

    @workflow
    async def flow() -> None:
        items = iter(range(30))
        taken: dict[int, list[int]] = {}

        async def worker(number: int) -> None:
            for item in items:
                taken.setdefault(number, []).append(await step(f"item-{item}", work, item))

        await asyncio.gather(*(worker(number) for number in range(4)))
        seen.append(taken)
        await step.sleep("pause", "1h")

    await result_of(flow)

    assert seen[0] == seen[1]


async def test_a_failing_and_retried_step_keeps_its_place() -> None:
    orders: list[list[str]] = []
    flaky = Flaky(ValueError("no"), result="flaky")

    @workflow
    async def flow() -> None:
        order: list[str] = []

        async def call(name: str, work: Awaitable[Any]) -> None:
            await work
            order.append(name)

        await asyncio.gather(
            call("flaky", step("flaky", flaky)),
            call("nap", step.sleep("nap", "1h")),
            call("quick", step("quick", lambda: None)),
        )
        orders.append(order)
        await step.sleep("pause", "1h")

    await result_of(flow)

    assert orders == [["quick", "flaky", "nap"]] * 2


async def test_timeouts_and_failures_of_waits_keep_their_place() -> None:
    orders: list[list[str]] = []

    @workflow
    async def failing_child() -> None:
        await step.sleep("nap", "2h")
        raise ValueError("no")

    @workflow
    async def flow() -> None:
        order: list[str] = []

        async def call(name: str, work: Awaitable[Any]) -> None:
            try:
                await work
            except ListenTimeout:
                order.append(f"{name} timed out")
            except StepError:
                order.append(f"{name} failed")
            else:
                order.append(name)

        await asyncio.gather(
            call("child", step.execute_workflow("child", failing_child)),
            call("step", step("step", failing(), max_attempts=1)),
            call("nap", step.sleep("nap", "1h")),
            call("listen", step.listen("event", timeout="3h")),
        )
        orders.append(order)
        await step.sleep("pause", "1h")

    await result_of(flow, also=(failing_child,))

    assert orders == [["step failed", "nap", "child failed", "listen timed out"]] * 2


@pytest.mark.parametrize("with_naps", [False, True])
async def test_a_pool_of_workers_over_a_queue_runs_each_step_once(with_naps: bool) -> None:
    bodies: Counter[int] = Counter()
    seen: list[list[int]] = []

    async def work(number: int) -> int:
        bodies[number] += 1
        return number * number

    @workflow
    async def flow() -> list[int]:
        queue: asyncio.Queue[int] = asyncio.Queue()
        results: dict[int, int] = {}

        async def worker() -> None:
            while True:
                number = await queue.get()
                if with_naps and number % 5 == 0:
                    await step.sleep(f"nap-{number}", "1h")
                results[number] = await step(f"work-{number}", work, number)
                queue.task_done()

        for number in range(20):
            queue.put_nowait(number)
        workers = [asyncio.create_task(worker()) for _ in range(3)]
        await queue.join()
        for task in workers:
            task.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        seen.append(list(results))
        await step.sleep("pause", "1h")
        return [results[number] for number in range(20)]

    assert await result_of(flow) == [number * number for number in range(20)]
    assert set(bodies.values()) == {1}
    assert seen == [seen[0]] * 2


async def test_steps_behind_a_semaphore_keep_their_order_on_replay() -> None:
    seen: list[list[str]] = []

    async def work(number: int) -> int:
        for _ in range(number % 4):
            await asyncio.sleep(0)
        return number

    @workflow
    async def flow() -> None:
        semaphore = asyncio.Semaphore(3)
        order: list[str] = []

        async def one(number: int) -> None:
            async with semaphore:
                order.append(f"{number} begins")
                await step(f"step-{number}", work, number)
                order.append(f"{number} ends")

        await asyncio.gather(*(one(number) for number in range(20)))
        seen.append(order)
        await step.sleep("pause", "1h")

    await result_of(flow)

    assert seen[0] == seen[1]
