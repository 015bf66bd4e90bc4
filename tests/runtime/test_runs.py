"""Starting runs and asking for them: handles, ids, records, lists, several runtimes on one store (R15, R16, R18)."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

import flowgraph
from flowgraph import (
    Client,
    DefinitionError,
    InvalidOption,
    RunExists,
    RunFailed,
    RunNotFound,
    RunQuery,
    RunStatus,
    Runtime,
    SerializationError,
    StoreError,
    Worker,
    step,
    workflow,
)
from flowgraph.testing import VirtualClock
from tests.runtime.support import Flaky, ended, nothing, opened, reached, record_of, settle, steps_of, until


@attrs.frozen
class Order:
    id: int
    lines: tuple[str, ...] = ()


@workflow
async def adding(first: int, second: int = 2, *, third: int = 0) -> int:
    return await step("add", lambda: first + second + third)


@workflow
async def listening() -> Any:
    return await step.listen("go")


@workflow
async def ordering(order: Order) -> Order:
    return attrs.evolve(order, lines=(*order.lines, "checked"))


# Starting -------------------------------------------------------------------------------------------------------------


async def test_a_run_is_durable_when_start_returns(store: str) -> None:
    async with Client(store, workflows=[adding]) as client, Client(store, workflows=()) as other:
        run = await client.start(adding, 1, run_id="r")
        seen = await other.get("r")

        assert (run.id, run.workflow) == ("r", "adding")
        assert await seen.status() == RunStatus.PENDING
        assert (await seen.describe()).input == {"args": [1], "kwargs": {}}


async def test_runs_without_an_id_get_ids_of_their_own() -> None:
    async with opened(adding) as runtime:
        runs = await asyncio.gather(*(runtime.start(adding, 1) for _ in range(50)))

    assert len({run.id for run in runs}) == 50
    assert all(0 < len(run.id) <= 255 for run in runs)


@pytest.mark.parametrize("run_id", ["r", "order/42", "x" * 255, "ünïcode 日本", "a b", "%", "'; drop table run; --"])
async def test_a_run_id_may_be_any_visible_text(run_id: str) -> None:
    async with opened(adding) as runtime:
        run = await runtime.start(adding, 1, run_id=run_id)
        assert run.id == run_id
        assert await run.result() == 3
        assert (await runtime.get(run_id)).id == run_id


@pytest.mark.parametrize("run_id", ["", " ", "x" * 256, 7, b"r", "a\nb", "a\x00"])
async def test_other_run_ids_are_refused(run_id: Any) -> None:
    async with opened(adding) as runtime:
        with pytest.raises(InvalidOption):
            await runtime.start(adding, 1, run_id=run_id)
        assert await runtime.list() == []


async def test_starting_the_same_run_again_gives_that_run() -> None:
    bodies: list[int] = []
    release = asyncio.Event()

    async def hold() -> str:
        bodies.append(1)
        await release.wait()
        return "done"

    @workflow
    async def flow(number: int) -> str:
        return await step("hold", hold)

    async with opened(flow) as runtime:
        runs = await asyncio.gather(*(runtime.start(flow, 1, run_id="r") for _ in range(10)))
        runs.append(await runtime.start(flow, number=1, run_id="r"))
        release.set()
        assert [await run.result() for run in runs] == ["done"] * 11
        assert await runtime.run(flow, 1, run_id="r") == "done"
        assert len(await runtime.list()) == 1

    assert bodies == [1]


async def test_a_finished_run_started_again_gives_its_result_without_running(store: str) -> None:
    bodies: list[int] = []

    @workflow
    async def flow() -> str:
        bodies.append(1)
        return "done"

    for _ in range(3):
        async with opened(flow, store=store) as runtime:
            assert await runtime.run(flow, run_id="r") == "done"

    assert bodies == [1]


async def test_a_failed_run_started_again_fails_the_same() -> None:
    @workflow
    async def flow() -> None:
        raise ValueError("the reason")

    async with opened(flow) as runtime:
        errors: list[RunFailed] = []
        for _ in range(2):
            with pytest.raises(RunFailed) as failed:
                await runtime.run(flow, run_id="r")
            errors.append(failed.value)

    assert errors[0].args == errors[1].args


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((2,), {}), ((1, 3), {}), ((1,), {"third": 5}), ((1.0,), {}), (("1",), {}), ((True,), {})],
    ids=str,
)
async def test_the_same_run_id_with_other_input_is_refused(args: Any, kwargs: Any) -> None:
    async with opened(adding) as runtime:
        await runtime.start(adding, 1, run_id="r")
        with pytest.raises(RunExists) as exists:
            await runtime.start(adding, *args, run_id="r", **kwargs)

    assert exists.value.run_id == "r"
    assert "input" in exists.value.difference
    assert "'r'" in str(exists.value)


async def test_the_same_run_id_for_another_workflow_is_refused() -> None:
    async with opened(adding, listening) as runtime:
        await runtime.start(listening, run_id="r")
        with pytest.raises(RunExists) as exists:
            await runtime.start(adding, 1, run_id="r")

    assert "workflow" in exists.value.difference
    assert "listening" in str(exists.value)
    assert "adding" in str(exists.value)


async def test_the_same_input_is_the_same_however_it_is_passed() -> None:
    async with opened(adding) as runtime:
        run = await runtime.start(adding, 1, second=3, third=4, run_id="r")
        again = await runtime.start(adding, second=3, first=1, third=4, run_id="r")
        assert await run.result() == await again.result() == 8


async def test_a_start_by_name_without_the_code_is_the_same_run_as_one_with_it(store: str) -> None:
    async with Client(store, workflows=()) as client:
        await client.start("adding", first=1, second=5, run_id="r")
    async with opened(adding, store=store) as runtime:
        run = await runtime.start(adding, 1, 5, run_id="r")
        assert await run.result() == 6


async def test_arguments_that_the_workflow_does_not_take_are_refused_before_anything_is_stored() -> None:
    async with opened(adding) as runtime:
        for args, kwargs in [((), {}), ((1, 2, 3), {}), ((1,), {"first": 1}), ((1,), {"fourth": 4})]:
            with pytest.raises(TypeError, match="adding"):
                await runtime.start(adding, *args, **kwargs)
            with pytest.raises(TypeError, match="adding"):
                await runtime.start("adding", *args, **kwargs)
        assert await runtime.list() == []


async def test_arguments_are_restored_by_the_annotations_of_the_workflow() -> None:
    async with opened(ordering) as runtime:
        result = await runtime.run(ordering, Order(7, ("a",)))

    assert result == Order(7, ("a", "checked"))


async def test_an_argument_that_cannot_be_saved_is_refused_with_its_name() -> None:
    async with opened(adding) as runtime:
        with pytest.raises(SerializationError, match="first"):
            await runtime.start(adding, object())
        assert await runtime.list() == []


async def test_a_workflow_may_be_started_by_its_name() -> None:
    async with opened(adding) as runtime:
        assert await runtime.run("adding", 1, third=4) == 7


async def test_a_workflow_whose_code_is_elsewhere_waits_for_who_has_it(store: str) -> None:
    async with opened(store=store) as runtime:
        run = await runtime.start("adding", 1, run_id="r")
        await settle(50)
        assert await run.status() == RunStatus.PENDING
    async with opened(adding, store=store) as runtime:
        assert await (await runtime.get("r")).result() == 3


@pytest.mark.parametrize(
    "thing", [nothing, None, 7, "", "a\nb", lambda: None], ids=["function", "None", "7", "empty", "line", "lambda"]
)
async def test_what_is_no_workflow_cannot_be_started(thing: Any) -> None:
    async with opened(adding) as runtime:
        with pytest.raises((DefinitionError, InvalidOption, ValueError)):
            await runtime.start(thing)
        assert await runtime.list() == []


async def test_a_parameter_may_have_any_name_that_is_no_option() -> None:
    @workflow
    async def flow(self: int, workflow: int, args: int, kwargs: int, name: int, fn: int) -> int:
        return self + workflow + args + kwargs + name + fn

    async with opened(flow) as runtime:
        assert await runtime.run(flow, self=1, workflow=2, args=3, kwargs=4, name=5, fn=6) == 21


async def test_parameters_of_every_kind_are_passed_on(store: str) -> None:
    @workflow
    async def flow(a: int, /, b: int = 2, *more: int, c: int = 3, **rest: int) -> list[Any]:
        return [a, b, list(more), c, rest]

    async with opened(flow, store=store) as runtime:
        first = await runtime.run(flow, 1, 2, 3, 4, c=5, d=6, a=7, run_id="r")
        again = await runtime.run(flow, 1, 2, 3, 4, a=7, d=6, c=5, run_id="r")

    assert first == again == [1, 2, [3, 4], 5, {"a": 7, "d": 6}]


async def test_a_child_may_have_parameters_of_any_name_too() -> None:
    @workflow
    async def child(self: int, name: int, child: int, path: int) -> int:
        return self + name + child + path

    @workflow
    async def flow() -> int:
        run_id = await step.start_workflow("start", child, self=1, name=2, child=3, path=4)
        return int(await step.wait_for_workflow("wait", run_id)) + await step.execute_workflow(
            "run", child, self=1, name=2, child=3, path=4
        )

    async with opened(flow, child) as runtime:
        assert await runtime.run(flow) == 20


async def test_workflows_that_the_runtime_was_not_given_are_executed_when_they_are_started_there() -> None:
    async with opened(listening) as runtime:
        assert await runtime.run(adding, 1) == 3


async def test_a_runtime_without_a_list_knows_every_decorated_workflow() -> None:
    @workflow(name="decorated-somewhere-in-test-runs")
    async def flow() -> str:
        return "found"

    async with Runtime("sqlite:///:memory:") as runtime:
        assert await runtime.run("decorated-somewhere-in-test-runs") == "found"


async def test_decorating_the_same_function_again_replaces_it() -> None:
    def edition(number: int) -> Any:
        @workflow(name="edited-in-test-runs")
        async def flow() -> int:
            return number

        return flow

    edition(1)
    async with Runtime("sqlite:///:memory:") as runtime:
        assert await runtime.run("edited-in-test-runs") == 1
        edition(2)
        assert await runtime.run("edited-in-test-runs") == 2


async def test_two_workflows_of_one_name_are_an_error_when_one_runtime_is_given_both() -> None:
    @workflow(name="twice")
    async def one() -> None: ...

    @workflow(name="twice")
    async def two() -> None: ...

    with pytest.raises(DefinitionError, match="twice"):
        Runtime("sqlite:///:memory:", workflows=[one, two])
    async with opened(one) as runtime:
        with pytest.raises(DefinitionError, match="twice"):
            await runtime.start(two)


# Results and handles --------------------------------------------------------------------------------------------------


async def test_a_result_may_be_asked_for_often_and_by_many() -> None:
    async with opened(ordering) as runtime:
        run = await runtime.start(ordering, Order(1))
        first = await asyncio.gather(*(run.result() for _ in range(5)))
        second = await (await runtime.get(run.id)).result()

    assert [*first, second] == [Order(1, ("checked",))] * 6


async def test_a_result_is_typed_where_the_code_is_known(store: str) -> None:
    async with opened(ordering, store=store) as runtime:
        await runtime.run(ordering, Order(1), run_id="r")
    async with Client(store, workflows=[ordering]) as client:
        assert await (await client.get("r")).result() == Order(1, ("checked",))


async def test_result_raises_the_builtin_timeout_error_and_the_run_goes_on(clock: VirtualClock) -> None:
    @workflow
    async def flow() -> str:
        await step.sleep("long", "2h")
        return "done"

    start = clock.now()
    async with opened(flow, clock=clock) as runtime:
        run = await runtime.start(flow)
        with pytest.raises(TimeoutError) as timeout:
            await run.result(timeout="1h")
        assert type(timeout.value) is TimeoutError
        assert clock.now() - start == timedelta(hours=1)
        assert await run.result(timeout="3h") == "done"


@pytest.mark.parametrize("timeout", [-1, float("nan"), "soon"])
async def test_a_bad_timeout_of_result_is_refused(timeout: Any) -> None:
    async with opened(adding) as runtime:
        run = await runtime.start(adding, 1)
        with pytest.raises(InvalidOption):
            await run.result(timeout=timeout)


async def test_result_of_no_time_asks_whether_it_is_there() -> None:
    async with opened(listening) as runtime:
        run = await runtime.start(listening)
        with pytest.raises(TimeoutError):
            await run.result(timeout=0)
        await run.send("go", "gone")
        assert await run.result() == "gone"
        assert await run.result(timeout=0) == "gone"


async def test_a_run_that_does_not_exist_is_not_found() -> None:
    async with opened(adding) as runtime:
        with pytest.raises(RunNotFound) as unknown:
            await runtime.get("nobody")

    assert unknown.value.run_id == "nobody"
    assert isinstance(unknown.value, LookupError)


async def test_a_client_gives_the_handle_of_a_run_whose_workflow_name_is_ambiguous_here(store: str) -> None:
    def decorated() -> list[Any]:
        @workflow(name="ambiguous-in-test-runs")
        async def one() -> str:
            return "one"

        @workflow(name="ambiguous-in-test-runs")
        async def two() -> str:
            return "two"

        return [one, two]

    one, _ = decorated()
    async with opened(one, store=store) as runtime:
        await runtime.run(one, run_id="r")
    async with Client(store) as client:
        assert await (await client.get("r")).result() == "one"


# Records and lists ----------------------------------------------------------------------------------------------------


async def test_a_record_tells_all_about_a_run(clock: VirtualClock) -> None:
    start = clock.now()
    flaky = Flaky(ValueError("first try"), result="fine")

    async def parent() -> str:
        return await step("child", flaky, retry=flowgraph.RetryPolicy(initial=0))

    @workflow
    async def flow(order: Order, *, note: str) -> str:
        await step.progress("halfway", done=1, total=2)
        result = await step("parent", parent)
        await step.sleep("pause", "1h")
        return result

    async with opened(flow, clock=clock) as runtime:
        run = await runtime.start(flow, Order(7), note="hi", tags={"team": "blue"})
        await run.result()
        record = await run.describe()

    assert (record.id, record.workflow, record.status) == (run.id, "flow", RunStatus.COMPLETED)
    assert record.tags == {"team": "blue"}
    assert record.output == "fine"
    assert (record.error, record.reason, record.parent_id, record.recoveries) == (None, None, None, 0)
    assert record.created_at == start
    assert record.started_at is not None
    assert record.started_at >= start
    assert record.finished_at is not None
    assert record.finished_at >= start + timedelta(hours=1)
    assert 0 <= record.executing_s < 60
    assert record.waits == ()
    assert "7" in str(record.input)
    assert "hi" in str(record.input)
    steps = steps_of(record)
    assert [
        (each.path, each.kind, each.state, each.attempts) for each in steps.values() if each.kind != "progress"
    ] == [
        ("parent", "step", "completed", 1),
        ("parent/child", "step", "completed", 2),
        ("pause", "sleep", "completed", 0),
    ]
    [failure] = steps["parent/child"].failures
    assert failure.error is not None
    assert (failure.number, failure.error.type, failure.error.message) == (1, "ValueError", "first try")
    assert steps["parent/child"].name == "child"
    assert steps["parent"].children == (steps["parent/child"],)


async def test_progress_is_told_with_its_last_numbers_and_keeps_its_name_space() -> None:
    @workflow
    async def flow() -> None:
        for number in range(3):
            await step.progress("importing", done=number, total=3)
            await step.sleep(f"pause-{number}", "1h")
        await step.progress("importing", done=3, total=3)
        await step.progress("exporting")

    record = await record_of(flow)

    progress = {each.name: each.result for each in record.steps if each.kind == "progress"}
    assert progress == {"importing": {"done": 3, "total": 3}, "exporting": {"done": None, "total": None}}
    assert [each.name for each in record.steps if each.kind == "sleep"] == [f"pause-{number}" for number in range(3)]


async def test_progress_does_not_go_back_on_replay(frozen: VirtualClock) -> None:
    seen: list[Any] = []

    @workflow
    async def flow() -> None:
        await step.progress("importing", done=1, total=2)
        await step("look", look)
        await step.progress("importing", done=2, total=2)
        await step.sleep("pause", "1h")
        await step("look again", look)

    async def look() -> None:
        record = await (await runtime.get("r")).describe()
        seen.append([each.result["done"] for each in record.steps if each.kind == "progress"])

    async with opened(flow, clock=VirtualClock()) as runtime:
        await runtime.run(flow, run_id="r")

    assert seen == [[1], [2]]


async def test_a_failed_step_in_a_record_tells_its_error_and_all_its_attempts() -> None:
    @workflow
    async def flow() -> None:
        await step("fail", Flaky(ValueError("one"), KeyError("two")), max_attempts=2)

    record = await record_of(flow)

    [failed] = record.steps
    assert (failed.state, failed.attempts, failed.result) == ("failed", 2, None)
    assert failed.error is not None
    assert failed.error.type == "KeyError"
    assert [(each.number, each.error.type) for each in failed.failures if each.error] == [
        (1, "ValueError"),
        (2, "KeyError"),
    ]
    assert record.error is not None
    assert "two" in record.error.message


async def test_lists_are_newest_first_and_paged(frozen: VirtualClock) -> None:
    async with opened(adding, clock=frozen) as runtime:
        for number in range(7):
            await runtime.run(adding, number, run_id=f"r-{number}")
            frozen.advance("1s")
        pages: list[list[str]] = []
        after: str | None = None
        while page := await runtime.list(RunQuery(limit=3, after=after)):
            pages.append([record.id for record in page])
            after = page[-1].id

    assert pages == [["r-6", "r-5", "r-4"], ["r-3", "r-2", "r-1"], ["r-0"]]


async def test_pages_lose_no_run_that_was_started_at_the_same_moment(frozen: VirtualClock) -> None:
    names = ["d", "a", "g", "b", "f", "c", "e"]
    async with opened(adding, clock=frozen) as runtime:
        for name in names:
            await runtime.start(adding, 1, run_id=name)
        seen: list[str] = []
        while page := await runtime.list(RunQuery(limit=2, after=seen[-1] if seen else None)):
            seen += [record.id for record in page]

    assert seen == names[::-1]


async def test_a_list_is_filtered_by_workflow_status_time_and_tags(frozen: VirtualClock) -> None:
    async with opened(adding, listening, clock=frozen) as runtime:
        start = frozen.now()
        await runtime.run(adding, 1, run_id="a", tags={"team": "blue", "kind": "x"})
        frozen.advance("1h")
        await runtime.run(adding, 1, run_id="b", tags={"team": "red"})
        frozen.advance("1h")
        await reached(await runtime.start(listening, run_id="c", tags={"team": "blue"}), RunStatus.LISTENING)

        async def ids(**query: Any) -> list[str]:
            return [record.id for record in await runtime.list(RunQuery(**query))]

        assert await ids() == ["c", "b", "a"]
        assert await ids(workflow="adding") == ["b", "a"]
        assert await ids(workflow="nobody") == []
        assert await ids(status=RunStatus.LISTENING) == ["c"]
        assert await ids(status="completed") == ["b", "a"]
        assert await ids(tags={"team": "blue"}) == ["c", "a"]
        assert await ids(tags={"team": "blue", "kind": "x"}) == ["a"]
        assert await ids(since=start + timedelta(hours=1)) == ["c", "b"]
        assert await ids(until=start + timedelta(hours=1)) == ["a"]
        assert await ids(since=start, until=start + timedelta(hours=2), workflow="adding", limit=1) == ["b"]


async def test_tags_with_odd_characters_are_found() -> None:
    tags = {"a.b": "c", 'quo"te': "it's", "": "empty", "per%cent": "_", "$": "[0]", "日本": "🎉"}
    async with opened(adding) as runtime:
        await runtime.start(adding, 1, run_id="r", tags=tags)
        await runtime.start(adding, 1, run_id="other")
        for key, value in tags.items():
            assert [record.id for record in await runtime.list(RunQuery(tags={key: value}))] == ["r"]
        assert (await (await runtime.get("r")).describe()).tags == tags


async def test_records_in_a_list_have_no_steps() -> None:
    async with opened(adding) as runtime:
        await runtime.run(adding, 1)
        [record] = await runtime.list()

    assert (record.steps, record.output) == ((), 3)


async def test_statuses_are_text() -> None:
    async with opened(adding) as runtime:
        run = await runtime.start(adding, 1)
        await run.result()
        status = await run.status()

    assert status == "completed"
    assert f"{status}" == "completed"
    assert isinstance(status, str)


async def test_an_observer_hears_of_attempts_and_rows_in_order_and_may_fail() -> None:
    heard: list[Any] = []

    def observe(run_id: str, what: Any) -> None:
        heard.append((run_id, what if isinstance(what, tuple) else (what.path, what.state)))
        raise ValueError("an observer's own trouble")

    @workflow
    async def flow() -> str:
        return await step("work", Flaky(ValueError("no")), retry=flowgraph.RetryPolicy(initial=0))

    async with opened(flow) as runtime:
        runtime.observe(observe)
        assert await runtime.run(flow, run_id="r") == "done"

    assert heard == [
        ("r", ("work", 1)),
        ("r", ("work", "retrying")),
        ("r", ("work", 2)),
        ("r", ("work", "completed")),
    ]


# Several on one store -------------------------------------------------------------------------------------------------


async def test_a_client_executes_nothing(store: str) -> None:
    tops: list[int] = []

    @workflow
    async def flow() -> None:
        tops.append(1)

    async with Client(store, workflows=[flow]) as client:
        run = await client.start(flow)
        await settle(100)
        assert await run.status() == RunStatus.PENDING

    assert tops == []


async def test_a_client_starts_and_asks_while_a_runtime_executes(store: str) -> None:
    async with opened(ordering, store=store), Client(store, workflows=[ordering]) as client:
        assert await client.run(ordering, Order(3)) == Order(3, ("checked",))
        [record] = await client.list()

    assert record.status == RunStatus.COMPLETED


async def test_two_runtimes_on_one_store_execute_each_run_once(store: str) -> None:
    bodies: Counter[int] = Counter()

    @workflow
    async def flow(number: int) -> int:
        await step("body", lambda: bodies.update([number]))
        return number

    async with opened(flow, store=store) as one, opened(flow, store=store) as two:
        runs = [await (one if number % 2 else two).start(flow, number) for number in range(30)]
        assert [await run.result() for run in runs] == list(range(30))

    assert bodies == dict.fromkeys(range(30), 1)


async def test_one_runtime_sees_the_end_of_a_run_that_another_executes(store: str) -> None:
    async with opened(store=store) as asking, opened(adding, store=store):
        run = await asking.start("adding", 1)
        assert await run.result() == 3


async def test_one_runtime_cancels_a_run_that_another_executes(store: str) -> None:
    begun = asyncio.Event()

    @workflow
    async def flow() -> None:
        begun.set()
        await asyncio.Event().wait()

    async with opened(flow, store=store) as one, opened(flow, store=store) as two:
        run = await one.start(flow, run_id="r")
        await begun.wait()
        await (await two.get("r")).cancel()
        assert await ended(run) == RunStatus.CANCELLED


async def test_a_step_may_start_a_run_and_wait_for_it() -> None:
    async with opened(adding) as runtime:

        async def inside() -> int:
            return await runtime.run(adding, 4)

        @workflow
        async def flow() -> int:
            return await step("inside", inside)

        assert await runtime.run(flow) == 6


async def test_a_run_that_one_runtime_holds_is_not_taken_by_another(store: str) -> None:
    bodies: list[int] = []
    release = asyncio.Event()

    async def hold() -> str:
        bodies.append(1)
        await release.wait()
        return "held"

    @workflow
    async def flow() -> str:
        return await step("hold", hold)

    async with opened(flow, store=store) as one:
        run = await one.start(flow, run_id="r")
        await until(lambda: bool(bodies))
        for _ in range(3):
            async with opened(flow, store=store):
                await settle(100)
        release.set()
        assert await run.result() == "held"
        assert (await run.describe()).recoveries == 0

    assert bodies == [1]


async def test_a_runtime_that_leaves_hands_its_runs_to_the_one_that_stays(store: str) -> None:
    bodies: list[str] = []
    release = asyncio.Event()

    async def hold() -> str:
        bodies.append("hold")
        await release.wait()
        return "held"

    @workflow
    async def flow() -> str:
        return await step("hold", hold)

    async with opened(store=store, concurrency=1) as asking:
        async with opened(flow, store=store) as first:
            await first.start(flow, run_id="r")
            await until(lambda: bool(bodies))
        async with opened(flow, store=store):
            await until(lambda: len(bodies) == 2)
            release.set()
            assert await (await asking.get("r")).result() == "held"


async def test_so_many_runs_are_executed_at_once() -> None:
    at_work = most = 0
    full = asyncio.Event()

    async def work() -> None:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        if at_work == 3:
            full.set()
        await full.wait()
        await settle(5)
        at_work -= 1

    @workflow
    async def flow() -> None:
        await step("work", work)

    async with opened(flow, concurrency=3) as runtime:
        runs = [await runtime.start(flow) for _ in range(20)]
        for run in runs:
            await run.result()

    assert most == 3


async def test_runs_that_wait_for_a_slot_are_pending() -> None:
    release = asyncio.Event()

    @workflow
    async def flow() -> None:
        await step("hold", release.wait)

    async with opened(flow, concurrency=2) as runtime:
        runs = [await runtime.start(flow) for _ in range(5)]
        await until(lambda: _counted(runtime, {"running": 2, "pending": 3}))
        release.set()
        for run in runs:
            await run.result()


async def _counted(runtime: Any, counts: dict[str, int]) -> bool:
    return Counter(record.status for record in await runtime.list()) == counts


async def test_hundreds_of_runs_at_once() -> None:
    @workflow
    async def flow(number: int) -> int:
        return sum([await step(f"step-{part}", lambda part=part: number + part) for part in range(3)])

    async with opened(flow) as runtime:
        results = await asyncio.gather(*(runtime.run(flow, number) for number in range(200)))

    assert results == [3 * number + 3 for number in range(200)]


async def test_two_stores_have_nothing_to_do_with_each_other() -> None:
    async with opened(adding) as one, opened(adding) as two:
        await one.run(adding, 1, run_id="r")
        with pytest.raises(RunNotFound):
            await two.get("r")
        assert await two.run(adding, 5, run_id="r") == 7


async def test_a_worker_executes_until_it_is_told_to_stop(store: str) -> None:
    worker = Worker(store, workflows=[adding], concurrency=2)
    working = asyncio.create_task(worker.run())
    async with Client(store, workflows=[adding]) as client:
        assert await client.run(adding, 1) == 3
        worker.stop()
        await working
        run = await client.start(adding, 2)
        await settle(50)
        assert await run.status() == RunStatus.PENDING


async def test_a_worker_that_is_cancelled_gives_its_runs_back(store: str) -> None:
    begun = asyncio.Event()

    @workflow
    async def flow() -> None:
        begun.set()
        await asyncio.Event().wait()

    async with Client(store, workflows=[flow]) as client:
        run = await client.start(flow)
        working = asyncio.create_task(Worker(store, workflows=[flow]).run())
        await begun.wait()
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
        assert await run.status() == RunStatus.PENDING


async def test_a_runtime_keeps_the_task_factory_of_its_user() -> None:
    made: list[str] = []

    def factory(loop: Any, coro: Any, **options: Any) -> asyncio.Task[Any]:
        made.append(getattr(coro, "__name__", ""))
        return asyncio.Task(coro, loop=loop, **options)

    loop = asyncio.get_running_loop()
    loop.set_task_factory(factory)

    async def in_a_task() -> str:
        return await step("work", lambda: "worked")

    @workflow
    async def flow() -> str:
        return await asyncio.create_task(in_a_task())

    async with opened(flow) as runtime:
        assert await runtime.run(flow) == "worked"

    assert "in_a_task" in made
    assert loop.get_task_factory() is factory


async def test_runtimes_that_close_in_any_order_leave_the_loop_as_it_was() -> None:
    loop = asyncio.get_running_loop()
    one, two = opened(adding), opened(adding)
    await one.__aenter__()
    await two.__aenter__()
    await one.__aexit__(None, None, None)
    assert await two.run(adding, 1) == 3
    await two.__aexit__(None, None, None)

    assert loop.get_task_factory() is None


# Not open, or no more ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [lambda: opened(adding), lambda: Client("sqlite:///:memory:", workflows=[adding])])
async def test_a_runtime_or_client_that_is_not_open_says_so(make: Any) -> None:
    closed = make()
    for _ in range(2):
        for call in (closed.start(adding, 1), closed.run(adding, 1), closed.get("r"), closed.list()):
            with pytest.raises((InvalidOption, StoreError), match="open"):
                await call
        async with closed:
            pass


async def test_a_runtime_may_be_opened_again_or_says_that_it_may_not(store: str) -> None:
    for url in (store, "sqlite:///:memory:"):
        runtime = opened(adding, store=url)
        async with runtime:
            assert await runtime.run(adding, 1) == 3
        try:
            async with runtime:
                assert await runtime.run(adding, 2) == 4
        except InvalidOption as error:
            assert "again" in str(error)  # noqa: PT017


async def test_what_is_open_already_is_not_opened_again() -> None:
    async with opened(adding) as runtime:
        with pytest.raises(InvalidOption, match="open already"):
            await runtime.__aenter__()
        assert await runtime.run(adding, 1) == 3


async def test_a_handle_of_a_closed_runtime_says_so() -> None:
    async with opened(listening) as runtime:
        run = await runtime.start(listening)
    for call in (run.status(), run.describe(), run.send("go"), run.cancel(), run.result()):
        with pytest.raises((InvalidOption, StoreError), match=r"open|closed"):
            await call


# Where the store is ---------------------------------------------------------------------------------------------------


def test_the_environment_names_the_store(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWGRAPH_STORE", store)

    assert flowgraph.run(adding, 1, run_id="r") == 3
    assert asyncio.run(_ids(store)) == ["r"]


def test_the_project_names_the_store(tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text(f'[tool.flowgraph]\nstore = "{store}"\n')
    folder = tmp_path / "below"
    folder.mkdir()
    monkeypatch.delenv("FLOWGRAPH_STORE", raising=False)
    monkeypatch.chdir(folder)

    assert flowgraph.run(adding, 1, run_id="r") == 3
    assert asyncio.run(_ids(store)) == ["r"]


@pytest.mark.parametrize(
    ("text", "message"),
    [("tool = 3", r"\[tool\] is 3, not a table"), ("[tool]\nflowgraph = 1", r"\[tool.flowgraph\] is 1, not a table")],
)
def test_settings_that_are_no_table_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    monkeypatch.delenv("FLOWGRAPH_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidOption, match=message):
        Client()


def test_without_a_name_the_store_is_a_file_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.delenv("FLOWGRAPH_STORE", raising=False)
    monkeypatch.chdir(tmp_path)

    assert flowgraph.run(adding, 1) == 3
    assert (tmp_path / ".flowgraph" / "flowgraph.db").is_file()


async def _ids(store: str) -> list[str]:
    async with Client(store, workflows=()) as client:
        return [record.id for record in await client.list()]


async def test_relaxed_durability_keeps_every_promise_but_the_power_cut(store: str) -> None:
    bodies: list[str] = []

    @workflow
    async def flow() -> list[Any]:
        first = await step("first", lambda: bodies.append("first") or 1)
        await step.sleep("pause", "1h")
        return [first, await step.listen("event"), await step.map("items", lambda item: item, range(20))]

    async with opened(flow, store=store, durability="relaxed") as runtime:
        run = await runtime.start(flow, run_id="r")
        await reached(run, RunStatus.LISTENING)
    async with opened(flow, store=store, durability="relaxed") as runtime:
        run = await runtime.get("r")
        await run.send("event", 2)
        assert await run.result() == [1, 2, list(range(20))]

    assert bodies == ["first"]


# For scripts ----------------------------------------------------------------------------------------------------------


def test_run_executes_a_workflow_from_a_script(store: str) -> None:
    assert flowgraph.run(adding, 1, third=4, store=store) == 7


def test_run_goes_on_with_an_unfinished_run(store: str) -> None:
    bodies: list[str] = []
    interrupted = True

    def interrupt() -> str:
        bodies.append("second")
        if interrupted:
            raise KeyboardInterrupt
        return "done"

    @workflow(name="interrupted-in-test-runs")
    async def flow() -> str:
        await step("first", lambda: bodies.append("first"))
        return await step("second", interrupt)

    with pytest.raises(KeyboardInterrupt):
        flowgraph.run(flow, store=store, run_id="r")
    interrupted = False
    assert flowgraph.run(flow, store=store, run_id="r") == "done"
    assert bodies == ["first", "second", "second"]


def test_run_raises_how_the_run_ended(store: str) -> None:
    @workflow(name="failing-in-test-runs")
    async def flow() -> None:
        raise ValueError("the reason")

    with pytest.raises(RunFailed, match="the reason"):
        flowgraph.run(flow, store=store)


async def test_run_inside_a_loop_says_what_to_write(store: str) -> None:
    with pytest.raises(DefinitionError, match="await"):
        flowgraph.run(adding, 1, store=store)


def test_run_in_two_threads_at_once(store: str) -> None:
    results: list[int] = []
    threads = [
        threading.Thread(target=lambda number=number: results.append(flowgraph.run(adding, number, store=store)))
        for number in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert sorted(results) == [2, 3, 4]


async def test_strict_and_tags_do_not_get_lost_on_the_way() -> None:
    async with opened(adding) as runtime:
        assert await runtime.run(adding, 1, tags={"a": "b"}, run_id="r") == 3
        assert [record.id for record in await runtime.list(RunQuery(tags={"a": "b"}))] == ["r"]
        assert await ended(await runtime.get("r")) == RunStatus.COMPLETED
