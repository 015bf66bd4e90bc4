"""Bad input gets a clear error at once, where it is written, and nothing is lost."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from flowgraph import (
    Client,
    DefinitionError,
    FlowgraphError,
    InvalidName,
    InvalidOption,
    RetryPolicy,
    RunNotFound,
    RunQuery,
    RunStatus,
    Runtime,
    StoreError,
    step,
    workflow,
)
from tests.runtime.support import nothing, opened, result_of, until

BAD_DURATIONS = [
    -1,
    -0.001,
    math.nan,
    math.inf,
    -math.inf,
    "",
    "soon",
    "5",
    "-5s",
    "5 parsecs",
    "1h30m",
    None,
    True,
    [],
    timedelta(-1),
    1e20,
]
BAD_COUNTS = [0, -1, 1.5, "3", True, math.inf]


async def _in_a_workflow(call: Callable[[], Any]) -> Exception:
    """What `call` raises inside a workflow, at once: before anything is awaited."""
    raised: list[Exception] = []

    @workflow
    async def flow() -> None:
        try:
            left = call()
        except Exception as error:
            raised.append(error)
        else:
            if asyncio.iscoroutine(left):
                left.close()

    await result_of(flow)
    assert raised, "it was let pass"
    return raised[0]


@pytest.mark.parametrize("duration", BAD_DURATIONS, ids=repr)
async def test_durations_that_cannot_be_are_refused(duration: Any) -> None:
    calls: list[Callable[[], Any]] = [lambda: step.sleep("x", duration)]
    if duration is not None:  # There, None means no limit.
        calls += [
            lambda: step("x", nothing, timeout=duration),
            lambda: step.listen("x", timeout=duration),
            lambda: step.wait_for_workflow("x", "id", timeout=duration),
            lambda: step.map("x", nothing, [1], timeout=duration),
        ]
    for call in calls:
        error = await _in_a_workflow(call)
        assert isinstance(error, InvalidOption)
        assert isinstance(error, ValueError)
        assert error.value is duration


@pytest.mark.parametrize("count", BAD_COUNTS, ids=repr)
@pytest.mark.parametrize(
    "call",
    [
        lambda count: step("x", nothing, max_attempts=count),
        lambda count: step.map("x", nothing, [1], concurrency=count),
        lambda count: step.batch("x", nothing, [1], batch_size=count),
        lambda count: RetryPolicy(max_attempts=count),
        lambda count: RunQuery(limit=count),
        lambda count: Runtime("sqlite:///:memory:", concurrency=count),
        lambda count: Runtime("sqlite:///:memory:", max_recoveries=count),
    ],
    ids=["max_attempts", "concurrency", "batch_size", "policy", "limit", "runs", "recoveries"],
)
async def test_counts_below_one_or_no_whole_numbers_are_refused(call: Callable[[Any], Any], count: Any) -> None:
    error = await _in_a_workflow(partial(call, count))

    assert isinstance(error, InvalidOption)
    assert str(count) in str(error)


@pytest.mark.parametrize(
    ("call", "kind", "said"),
    [
        (lambda: step("x", nothing()), DefinitionError, "coroutine"),
        (lambda: step("x", None), DefinitionError, "None"),
        (lambda: step("x", 7), DefinitionError, "called"),
        (lambda: step("x", "handler"), DefinitionError, "called"),
        (lambda: step("x", _generator), DefinitionError, "generator"),
        (lambda: step("x", _async_generator), DefinitionError, "generator"),
        (lambda: step("x", partial(_generator, 1)), DefinitionError, "generator"),
        (lambda: step.map("x", None, [1]), DefinitionError, "None"),
        (lambda: step.batch("x", _generator, [1]), DefinitionError, "generator"),
        (lambda: step("x", nothing, retry=3), InvalidOption, "RetryPolicy"),
        (lambda: step("x", nothing, retry="5 times"), InvalidOption, "RetryPolicy"),
        (lambda: step("x", nothing, at_most_once="yes"), InvalidOption, "at_most_once"),
        (lambda: step("x", nothing, at_most_once=1), InvalidOption, "at_most_once"),
        (lambda: step("x", nothing, tries=3), TypeError, "tries"),
        (lambda: step("x", nothing, url="https://…"), TypeError, "partial"),
        (lambda: step(nothing), DefinitionError, "name"),
        (lambda: step.progress("x", done=-1), InvalidOption, "done"),
        (lambda: step.progress("x", total=math.nan), InvalidOption, "total"),
        (lambda: step.progress("x", done="half"), InvalidOption, "done"),
        (lambda: step.sleep_until("x", datetime(2030, 1, 1)), InvalidOption, "naive"),
        (lambda: step.sleep_until("x", 5), InvalidOption, "datetime"),
        (lambda: RetryPolicy(initial=-1), InvalidOption, "initial"),
        (lambda: RetryPolicy(cap="soon"), InvalidOption, "cap"),
        (lambda: RetryPolicy(factor=0.5), InvalidOption, "factor"),
        (lambda: RetryPolicy(retry_on="ValueError"), InvalidOption, "exception"),
        (lambda: RetryPolicy(give_up_on=(1,)), InvalidOption, "exception"),
    ],
)
async def test_what_a_call_cannot_mean_is_refused_where_it_is_written(
    call: Callable[[], Any], kind: type[Exception], said: str
) -> None:
    error = await _in_a_workflow(call)

    assert isinstance(error, kind)
    assert said in str(error)


def _generator(*_: Any) -> Any:
    yield 1


async def _async_generator(*_: Any) -> Any:
    yield 1


async def test_a_step_without_a_handler_explains_itself_when_it_is_awaited() -> None:
    @workflow
    async def flow() -> str:
        try:
            await step("fetch-data")
        except DefinitionError as error:
            return str(error)
        return "let pass"

    text = await result_of(flow)

    assert "fetch-data" in text
    assert "handler" in text


@pytest.mark.parametrize(
    "error",
    [InvalidName("x", "y"), InvalidOption("x", 1, "y"), DefinitionError("x")],
    ids=lambda error: type(error).__name__,
)
def test_errors_of_bad_input_share_a_base_with_all_others(error: Exception) -> None:
    assert isinstance(error, FlowgraphError)


async def test_a_bad_option_in_a_workflow_nobody_catches_fails_the_run() -> None:
    @workflow
    async def flow() -> None:
        await step.sleep("x", "soon")

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        with pytest.raises(FlowgraphError, match="soon"):
            await run.result()
        assert await run.status() == RunStatus.FAILED


# Workflows ------------------------------------------------------------------------------------------------------------


class Callable_:
    async def __call__(self) -> None: ...


@pytest.mark.parametrize(
    "thing", [lambda: None, _generator, _async_generator, print, int, None, 7, Callable_(), partial(nothing)],
    ids=["lambda", "generator", "async generator", "builtin", "class", "None", "number", "callable", "partial"],
)  # fmt: skip
def test_a_workflow_must_be_an_async_function(thing: Any) -> None:
    with pytest.raises(DefinitionError, match="async def") as refused:
        workflow(name="x")(thing)

    assert isinstance(refused.value, TypeError)


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"name": ""}, InvalidName), ({"name": "a\nb"}, InvalidName), ({"name": "x" * 513}, InvalidName),
        ({"name": 7}, InvalidName), ({"timeout": 0}, InvalidOption), ({"timeout": -1}, InvalidOption),
        ({"timeout": "soon"}, InvalidOption),
        ({"timeout": math.inf}, InvalidOption), ({"step_retry": 5}, InvalidOption), ({"strict": "yes"}, InvalidOption),
    ],
    ids=str,
)  # fmt: skip
def test_bad_options_of_a_workflow_are_refused_where_it_is_decorated(options: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):

        @workflow(**options)
        async def flow() -> None: ...


@pytest.mark.parametrize("name", ["run_id", "tags", "store", "priority", "detached", "start_at", "concurrency_key"])
def test_a_parameter_with_an_options_name_is_refused(name: str) -> None:
    scope: dict[str, Any] = {}
    exec(f"async def flow({name}): ...", scope)

    with pytest.raises(DefinitionError, match=name):
        workflow(scope["flow"])


def test_a_name_given_as_a_positional_argument_is_explained() -> None:
    with pytest.raises(DefinitionError, match="name="):
        workflow("my-flow")  # type: ignore[call-overload]


# Runtimes and stores --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"durability": "none"}, "durability"), ({"lease": 0}, "lease"), ({"lease": "soon"}, "lease"),
        ({"lease": -5}, "lease"), ({"executors": {"a": 1}}, "executors"), ({"strict": "yes"}, "strict"),
    ],
    ids=str,
)  # fmt: skip
def test_bad_options_of_a_runtime_are_refused(options: Any, option: str) -> None:
    with pytest.raises(InvalidOption, match=option):
        Runtime("sqlite:///:memory:", **options)


@pytest.mark.parametrize("workflows", [[nothing], [None], ["name"], 7], ids=["function", "None", "name", "number"])
def test_what_is_no_workflow_is_not_given_to_a_runtime(workflows: Any) -> None:
    with pytest.raises((DefinitionError, TypeError)):
        Runtime("sqlite:///:memory:", workflows=workflows)


@pytest.mark.parametrize("url", ["", "flows.db", "mysql://x", "sqlite:", "http://x/y.db", 7])
@pytest.mark.parametrize("kind", [Runtime, Client])
async def test_a_url_of_no_known_store_is_refused(kind: Any, url: Any) -> None:
    with pytest.raises((InvalidOption, StoreError)) as refused:
        async with kind(url, workflows=()):
            pass

    assert isinstance(refused.value, FlowgraphError)


async def test_a_store_that_cannot_be_opened_is_a_store_error(tmp_path: Path) -> None:
    file = tmp_path / "no-database.db"
    file.write_text("this is no database, and long enough to have a header" * 100)
    folder = tmp_path / "a-folder"
    folder.mkdir()
    for place in (file, folder):
        with pytest.raises(StoreError) as refused:
            async with Runtime(f"sqlite:///{place}", workflows=()):
                pass
        assert place.name in str(refused.value)
    assert file.read_text().startswith("this is no database")


async def test_a_store_that_cannot_be_opened_leaves_no_thread_behind(tmp_path: Path) -> None:
    file = tmp_path / "no-database.db"
    file.write_text("this is no database, and long enough to have a header" * 100)
    before = threading.active_count()
    for _ in range(5):
        with pytest.raises(StoreError):
            await Runtime(f"sqlite:///{file}", workflows=()).__aenter__()
    await until(lambda: threading.active_count() <= before)


async def test_the_folder_of_a_store_is_made(tmp_path: Path) -> None:
    place = tmp_path / "new" / "folder" / "flows.db"

    @workflow
    async def flow() -> str:
        return "done"

    assert await result_of(flow, store=f"sqlite:///{place}") == "done"
    assert place.is_file()


@pytest.mark.parametrize("tags", [{"a": 1}, {1: "a"}, ["a"], "a=b", {"a": None}], ids=str)
async def test_tags_are_text(tags: Any) -> None:
    @workflow
    async def flow() -> None: ...

    async with opened(flow) as runtime:
        with pytest.raises(InvalidOption):
            await runtime.start(flow, tags=tags)
        assert await runtime.list() == []


@pytest.mark.parametrize("tags", [{"a": "\ud800"}, {"\ud800": "a"}, {"a\x00": "b"}], ids=ascii)
async def test_tags_that_no_store_takes_break_nothing(tags: Any) -> None:
    @workflow
    async def flow() -> str:
        return "done"

    async with opened(flow) as runtime:
        try:
            await runtime.start(flow, tags=tags, run_id="tagged")
        except FlowgraphError:
            assert await runtime.list() == []
        assert await runtime.run(flow) == "done"


@pytest.mark.parametrize(
    "send_id", ["", 7, b"x", "\ud800", "x" * 10_000], ids=["empty", "number", "bytes", "surrogate", "long"]
)
async def test_a_send_id_that_no_store_takes_breaks_nothing(send_id: Any) -> None:
    @workflow
    async def flow() -> Any:
        return await step.listen("event")

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        try:
            await run.send("event", "first", id=send_id)
        except FlowgraphError:
            await run.send("event", "first")
        assert await run.result() == "first"


@pytest.mark.parametrize(
    "run_id", ["", "x" * 300, None, 7, "\ud800", "a\x00b"], ids=["empty", "long", "None", "number", "surrogate", "nul"]
)
async def test_asking_for_a_run_by_what_is_no_run_id_is_a_clear_error(run_id: Any) -> None:
    async with opened() as runtime:
        with pytest.raises(FlowgraphError):
            await runtime.get(run_id)


@pytest.mark.parametrize(
    "query",
    [
        {"status": "done"}, {"since": datetime(2030, 1, 1)}, {"until": "today"}, {"limit": 0}, {"limit": "10"},
    ],
    ids=str,
)  # fmt: skip
def test_a_bad_query_is_refused(query: Any) -> None:
    with pytest.raises(InvalidOption):
        RunQuery(**query)


@pytest.mark.parametrize("filters", [{}, {"workflow": "none"}, {"tags": {"a": "b"}}, {"limit": 1}], ids=str)
async def test_a_page_after_a_run_that_does_not_exist_is_refused(filters: dict[str, Any]) -> None:
    @workflow
    async def flow() -> None: ...

    async with opened(flow) as runtime:
        await runtime.run(flow, run_id="r")
        with pytest.raises(RunNotFound, match=r"There is no run 'nobody' in this store"):
            await runtime.list(RunQuery(after="nobody", **filters))
        assert await runtime.list(RunQuery(after="r", **filters)) == []


async def test_workflows_that_are_broken_do_not_break_the_others() -> None:
    @workflow
    async def broken() -> None:
        raise BaseException("out of order")

    @workflow
    async def healthy(number: int) -> int:
        return await step("work", lambda: number)

    async with opened(broken, healthy) as runtime:
        runs = [
            await runtime.start(broken) if number % 2 else await runtime.start(healthy, number) for number in range(20)
        ]
        results = await asyncio.gather(*(run.result() for run in runs), return_exceptions=True)

    assert [result for result in results if isinstance(result, int)] == list(range(0, 20, 2))
