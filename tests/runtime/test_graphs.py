"""A run executes its graph: its checkpoints name the nodes, and strict refuses what the graph forbids (R20)."""

from __future__ import annotations

import logging
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest

from flowgraph import (
    Client,
    CompileError,
    RunFailed,
    RunNotFound,
    RunStatus,
    Runtime,
    UnplannedStep,
    Workflow,
    step,
    workflow,
)
from flowgraph.compiler import compiling as compiling_module
from flowgraph.model.store import UNKNOWN_GRAPH, GraphsOf
from flowgraph.testing import VirtualClock
from tests.runtime.support import AnyWorkflow, ended, nothing, opened, reached, record_of, steps_of, until

NAME = "as-written"


async def item_of(_: Any) -> None:
    await step("inside", nothing)


async def outer() -> None:
    await step("child", nothing)


def without_source(name: str, body: str) -> AnyWorkflow:
    """A workflow as a REPL makes it."""
    namespace: dict[str, Any] = {"__name__": "nowhere"}
    text = f"from flowgraph import step, workflow\n@workflow(name={name!r})\nasync def flow():\n"
    exec(text + textwrap.indent(textwrap.dedent(body), "    "), namespace)
    found: AnyWorkflow = namespace["flow"]
    return found


@pytest.fixture
def renamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A constant that is not what the source says: no compiler can know of that."""
    monkeypatch.setitem(globals(), "NAME", "surprise")


# Binding --------------------------------------------------------------------------------------------------------------


async def test_every_checkpoint_names_its_node() -> None:
    @workflow
    async def flow() -> None:
        await step("first", nothing)
        await step.sleep("pause", "1h")
        for number in range(2):
            await step(f"page-{number}", nothing)
        await step.map("items", item_of, ["a", "b"], key=str)
        await step("outer", outer)
        await step.progress("half")

    record = await record_of(flow)
    by_id = {node.id: node.path for node in flow.graph.nodes}
    assert {path: by_id[str(one.node)] for path, one in steps_of(record).items()} == {
        "first": "first",
        "pause": "pause",
        "page-0": "page-{number}",
        "page-1": "page-{number}",
        "items": "items",
        'items["a"]': "items",
        'items["b"]': "items",
        'items["a"]/inside': "items[{index}]/inside",
        'items["b"]/inside': "items[{index}]/inside",
        "outer": "outer",
        "outer/child": "outer/child",
        "half": "half",
    }
    assert {one.planned for one in steps_of(record).values()} == {True}


async def test_the_run_has_the_fingerprint_and_the_store_the_graph(store: str) -> None:
    @workflow
    async def flow() -> None:
        await step("one", nothing)

    async with opened(flow, store=store) as runtime:
        first = await runtime.start(flow)
        await first.result()
        second = await runtime.start(flow)
        await second.result()
        assert [(await run.describe()).fingerprint for run in (first, second)] == [flow.graph.fingerprint] * 2
    async with Client(store, workflows=[]) as client:
        assert await client.graph(first.id) == flow.graph
        assert [record.fingerprint for record in await client.list()] == [flow.graph.fingerprint] * 2


async def test_a_run_that_nobody_executed_has_no_graph_yet(store: str) -> None:
    async with Client(store, workflows=[]) as client:
        run = await client.start("somewhere-else")
        assert (await run.describe()).fingerprint is None
        assert await client.graph(run.id) is None
        with pytest.raises(RunNotFound):
            await client.graph("nowhere")


async def test_a_run_that_waits_for_a_worker_is_bound_when_it_is_claimed(store: str) -> None:
    @workflow
    async def flow() -> None:
        await step("one", nothing)

    async with Client(store, workflows=[flow]) as client:
        runs = [await client.start(flow) for _ in range(3)]
    async with opened(flow, store=store):
        async with Client(store, workflows=[flow]) as client:
            for run in runs:
                handle = await client.get(run.id)
                await ended(handle)
                assert (await handle.describe()).fingerprint == flow.graph.fingerprint


@pytest.mark.usefixtures("renamed")
async def test_a_step_that_the_graph_does_not_know_is_recorded_as_unplanned() -> None:
    @workflow
    async def flow() -> None:
        await step("known", nothing)
        await step(NAME, nothing)

    record = await record_of(flow)
    assert record.status is RunStatus.COMPLETED
    assert {one.path: (one.planned, one.node is None) for one in record.steps} == {
        "known": (True, False),
        "surprise": (False, True),
    }


async def test_a_changed_graph_is_bound_when_the_run_goes_on(store: str) -> None:
    def version(number: int) -> AnyWorkflow:
        if number == 1:

            @workflow(name="versioned")
            async def flow() -> None:
                await step("one", nothing)
                await step.listen("go")

            return flow

        @workflow(name="versioned")
        async def newer() -> None:
            await step("one", nothing)
            await step.listen("go")
            await step("two", nothing)

        return newer

    old, new = version(1), version(2)
    async with opened(old, store=store) as runtime:
        run = await runtime.start(old)
        await reached(run, "listening")
        assert (await run.describe()).fingerprint == old.graph.fingerprint
    async with opened(new, store=store) as runtime:
        run = await runtime.get(run.id)
        await run.send("go")
        await run.result()
        record = await run.describe()
        assert record.fingerprint == new.graph.fingerprint != old.graph.fingerprint
        assert await runtime.graph(run.id) == new.graph


# Where there is no graph ----------------------------------------------------------------------------------------------


async def test_without_source_a_run_works_and_says_once_that_its_graph_is_unknown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    flow = without_source("typed-in", "await step('one', print)\nreturn 7")
    with caplog.at_level(logging.INFO, "flowgraph"):
        for _ in range(2):
            record = await record_of(flow)
    assert (record.output, record.fingerprint) == (7, UNKNOWN_GRAPH)
    assert [(one.node, one.planned) for one in record.steps] == [(None, None)]
    assert [message for message in caplog.messages if "graph" in message] == [
        "the graph of workflow 'typed-in' is unknown: its source is not available"
    ]


async def test_a_compiler_that_crashes_stops_no_run(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    @workflow
    async def flow() -> int:
        return await step("one", lambda: 7)

    def crash(*_: Any) -> None:
        raise ZeroDivisionError("in the compiler")

    monkeypatch.setattr("flowgraph.compiler.compiling._compile_loaded", crash)
    record = await record_of(flow)
    assert (record.output, record.fingerprint) == (7, UNKNOWN_GRAPH)
    [report] = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert "the compiler failed on workflow 'flow'" in report.getMessage()
    assert "please report this" in report.getMessage()
    assert report.exc_info is not None


async def test_a_cancellation_that_comes_while_the_graph_is_compiled_is_heard() -> None:
    @workflow
    async def flow() -> None:
        await step.listen("never")

    async with opened(flow) as runtime:
        run = await runtime.start(flow)
        await run.cancel()
        assert await ended(run) is RunStatus.CANCELLED


async def test_a_run_whose_graph_takes_long_is_not_taken_for_one_that_got_lost(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []
    compiling, go_on = threading.Event(), threading.Event()

    @workflow
    async def flow() -> None:
        await step("one", lambda: begun.append(1))

    def slow(*values: Any) -> Any:
        compiling.set()
        assert go_on.wait(15)
        return compile_at_once(*values)

    compile_at_once = compiling_module._compile_loaded
    monkeypatch.setattr(compiling_module, "_compile_loaded", slow)
    async with opened(flow, store=store) as runtime:
        run = await runtime.start(flow)
        await until(compiling.is_set)
        for _ in range(3):
            await runtime._engine._membership._release_strays()
        go_on.set()
        await run.result()
        assert begun == [1]
        assert (await runtime._row(run.id)).epoch == 1


# Errors and strict ----------------------------------------------------------------------------------------------------


def duplicating(strict: bool | None = None) -> Workflow[[], None]:
    @workflow(name="duplicating", strict=strict)
    async def flow() -> None:
        await step("same", nothing)
        await step("same", nothing)
        await step("", nothing)

    return flow


async def test_errors_are_told_once_in_a_process(caplog: pytest.LogCaptureFixture) -> None:
    @workflow
    async def flow() -> None:
        await step("same", nothing)
        await step("same", nothing)

    for _ in range(2):
        await record_of(flow)
    told = [message for message in caplog.messages if "FG101" in message]
    assert len(told) == 1
    assert told[0].startswith("workflow 'flow': ")


@pytest.mark.parametrize("where", ["runtime", "workflow", "client"])
async def test_strict_refuses_errors_before_anything_is_stored(where: str, store: str) -> None:
    flow = duplicating(strict=None if where == "runtime" else True)
    if where == "client":
        opening: Any = Client(store, workflows=[flow])
    else:
        opening = opened(flow, store=store, strict=where == "runtime")
    async with opening as client:
        with pytest.raises(CompileError, match="FG101") as refused:
            await client.start(flow)
        assert refused.value.workflow == "duplicating"
        assert [one.severity for one in refused.value.diagnostics] == ["error"] * len(refused.value.diagnostics)
        with pytest.raises(CompileError):
            await client.start("duplicating")
        assert await client.list() == []


async def test_a_workflow_may_be_lenient_in_a_strict_runtime() -> None:
    flow = duplicating(strict=False)
    async with opened(flow, strict=True) as runtime:
        run = await runtime.start(flow)
        assert await ended(run) is RunStatus.FAILED  # The empty name is refused at its call.


async def test_a_client_without_the_code_starts_what_it_cannot_check(store: str) -> None:
    duplicating(strict=True)
    async with Client(store, workflows=[]) as client:
        run = await client.start("duplicating")
        assert await run.status() is RunStatus.PENDING


@pytest.mark.usefixtures("renamed")
async def test_strict_raises_at_a_step_that_the_graph_does_not_know() -> None:
    ran = []

    @workflow(strict=True)
    async def flow() -> None:
        await step("known", nothing)
        try:
            await step(NAME, nothing)
        except UnplannedStep as error:
            ran.append(error.path)
        await step("known-too", nothing)

    record = await record_of(flow)
    assert record.status is RunStatus.COMPLETED
    assert ran == ["surprise"]
    assert [one.path for one in record.steps] == ["known", "known-too"]


@pytest.mark.usefixtures("renamed")
async def test_an_unplanned_step_below_another_is_not_tried_again() -> None:
    async def parent() -> None:
        await step("known", nothing)
        await step(NAME, nothing)

    @workflow
    async def flow() -> None:
        await step("parent", parent)

    async with opened(flow, strict=True) as runtime:
        run = await runtime.start(flow)
        with pytest.raises(RunFailed, match="Step 'parent/surprise' is not in the workflow's graph"):
            await run.result()
        assert steps_of(await run.describe())["parent"].attempts == 1


async def test_a_step_inside_what_a_handler_awaits_out_of_sight_is_not_refused() -> None:
    class Service:
        async def work(self) -> None:
            await step("hidden", nothing)

    services = [Service()]

    @workflow
    async def flow() -> None:
        await step("outer", lambda: services[0].work())

    async with opened(flow, strict=True) as runtime:
        run = await runtime.start(flow)
        await run.result()
        [outer] = (await run.describe()).steps
        assert [(one.path, one.planned) for one in outer.children] == [("outer/hidden", False)]


async def test_where_something_is_unknown_no_step_is_refused() -> None:
    def handler_for(_: str) -> Any:
        return outer

    @workflow(strict=True)
    async def flow() -> None:
        await step("made", handler_for("x"))

    assert not flow.graph.is_complete
    record = await record_of(flow)
    assert record.status is RunStatus.COMPLETED
    assert steps_of(record)["made/child"].planned is False


async def test_without_source_strict_refuses_nothing() -> None:
    flow = without_source("typed-in-strict", "await step('one', print)\nreturn 7")
    async with opened(flow, strict=True) as runtime:
        assert await runtime.run(flow) == 7


# Another kind ---------------------------------------------------------------------------------------------------------


async def test_the_same_path_with_another_kind_pauses_the_run_and_leaves_what_is_saved(store: str) -> None:
    @workflow(name="kinds")
    async def old() -> None:
        await step("first", nothing)
        await step.listen("go")

    @workflow(name="kinds")
    async def new() -> None:
        await step.sleep("first", "1h")
        await step.listen("go")

    async with opened(old, store=store) as runtime:
        run = await runtime.start(old)
        await reached(run, "listening")
        before = (await run.describe()).steps
    async with opened(new, store=store) as runtime:
        run = await runtime.get(run.id)
        await run.send("go")
        await reached(run, "paused")
        record = await run.describe()
        assert record.reason == ("incompatible code: step 'first': it was a step when it ran, and now it is a sleep")
        assert record.steps[0] == before[0]
    async with opened(old, store=store) as runtime:
        await (await runtime.get(run.id)).result()


# Other processes ------------------------------------------------------------------------------------------------------

FLOWS = """
from flowgraph import step, workflow
from helpers import prefix, work

@workflow
async def flow():
    for number in range(2):
        await step(f"{prefix}-{number}", work)
"""
HELPERS = """
prefix = "part"

async def work():
    return 1
"""
EXECUTE = """
import asyncio, sys
from flowgraph import Runtime
import flows

async def main():
    async with Runtime("sqlite:///flows.db") as runtime:
        run = await runtime.start(flows.flow)
        await run.result()
        record = await run.describe()
        print(record.fingerprint, sum(1 for step in record.steps if step.planned))

asyncio.run(main())
print(sorted({"libcst", "networkx", "graphviz"} & set(sys.modules)))
"""


def executed(folder: Path) -> list[str]:
    done = subprocess.run([sys.executable, "-c", EXECUTE], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_second_process_takes_the_graph_from_the_store_and_loads_no_compiler(tmp_path: Path) -> None:
    (tmp_path / "flows.py").write_text(FLOWS)
    (tmp_path / "helpers.py").write_text(HELPERS)
    first, second = executed(tmp_path), executed(tmp_path)
    assert first[0] == second[0]
    assert first[0].endswith(" 2")
    assert (first[1], second[1]) == ("['libcst']", "[]")


def test_a_changed_helper_is_compiled_anew(tmp_path: Path) -> None:
    (tmp_path / "flows.py").write_text(FLOWS)
    (tmp_path / "helpers.py").write_text(HELPERS)
    first = executed(tmp_path)
    (tmp_path / "helpers.py").write_text(HELPERS.replace('"part"', '"another part"'))
    second = executed(tmp_path)
    assert first[0] != second[0]
    assert second[0].endswith(" 2")
    assert second[1] == "['libcst']"


async def test_the_store_keeps_one_graph_for_each_meaning(store: str) -> None:
    @workflow
    async def flow() -> None:
        await step("one", nothing)

    for _ in range(2):
        async with Runtime(store, workflows=[flow], clock=VirtualClock()) as runtime:
            await runtime.run(flow)
            rows = await runtime._journal.ask(GraphsOf("flow", 9))
            assert [row.fingerprint for row in rows] == [flow.graph.fingerprint]
