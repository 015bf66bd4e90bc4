"""What the type checkers know of starting runs: positional arguments are checked here, keywords at the call."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, assert_type

import flowgraph
from flowgraph import Client, Run, RunQuery, RunRecord, RunStatus, Runtime, Worker, workflow
from flowgraph.testing import VirtualClock


@workflow
async def order(number: int, note: str = "", *, express: bool = False) -> list[str]:
    return [f"{number} {note} {express}"]


@workflow
async def ship(number: int, *, carrier: str) -> bytes:
    return f"{number} {carrier}".encode()


@workflow
async def tally(*numbers: int, **names: str) -> int:
    return len(numbers) + len(names)


@workflow
async def wide(a: int, b: str, c: bytes, d: float, e: int) -> None: ...


@workflow
async def lenient(number: int | str, extra: Mapping[str, object]) -> None: ...


@workflow
async def nothing() -> int:
    return 1


async def start_gives_a_handle_of_the_result(runtime: Runtime, client: Client) -> None:
    assert_type(await runtime.start(order, 1), Run[list[str]])
    assert_type(await client.start(order, 1, "x"), Run[list[str]])
    assert_type(await runtime.start(order, 1, express=True), Run[list[str]])
    assert_type(await runtime.start(order, number=1), Run[list[str]])
    assert_type(await runtime.start(ship, 1, carrier="x"), Run[bytes])
    assert_type(await runtime.start(tally, 1, 2, 3, 4, 5, 6, name="x"), Run[int])
    assert_type(await runtime.start(wide, 1, "b", b"", 1.0, 5), Run[None])
    assert_type(await runtime.start(lenient, 1, {"a": 1}), Run[None])
    assert_type(await runtime.start(nothing), Run[int])


async def start_takes_options_beside_the_arguments(runtime: Runtime) -> None:
    assert_type(await runtime.start(order, 1, run_id="r"), Run[list[str]])
    assert_type(await runtime.start(order, 1, "x", run_id="r", tags={"a": "b"}), Run[list[str]])
    assert_type(await runtime.start(order, 1, "x", run_id=None, express=True), Run[list[str]])
    assert_type(await runtime.start(order, number=1, run_id="r"), Run[list[str]])
    assert_type(await runtime.start(ship, 1, run_id="r", carrier="x"), Run[bytes])
    assert_type(await runtime.start(tally, 1, 2, run_id="r"), Run[int])
    assert_type(await runtime.start(nothing, run_id="r"), Run[int])


async def start_takes_the_name_of_a_workflow(runtime: Runtime) -> None:
    assert_type(await runtime.start("their-workflow", 1, two=2, run_id="r"), Run[Any])
    assert_type(await runtime.run("their-workflow", 1, two=2, run_id="r"), Any)


async def run_gives_the_result(runtime: Runtime) -> None:
    assert_type(await runtime.run(order, 1), list[str])
    assert_type(await runtime.run(order, 1, "x", express=True, run_id="r"), list[str])
    assert_type(await runtime.run(wide, 1, "b", b"", 1.0, 5, run_id="r"), None)
    assert_type(await runtime.run(nothing), int)


def run_in_a_script_gives_the_result() -> None:
    assert_type(flowgraph.run(order, 1), list[str])
    assert_type(flowgraph.run(order, 1, "x", express=True, store="sqlite:///x.db", run_id="r"), list[str])
    assert_type(flowgraph.run(nothing, store=None), int)


async def handles_keep_the_result_type(runtime: Runtime) -> None:
    run = await runtime.start(order, 1)
    assert_type(await run.result(), list[str])
    assert_type(await run.result(timeout="5s"), list[str])
    assert_type(await run.status(), RunStatus)
    assert_type(await run.describe(), RunRecord)
    assert_type(run.id, str)
    assert_type(await runtime.get("r"), Run[Any])
    assert_type(await runtime.list(RunQuery(workflow="order", limit=5)), list[RunRecord])


async def a_worker_takes_the_options_of_a_runtime() -> None:
    executors = {"io": ThreadPoolExecutor()}
    Runtime("sqlite:///x.db", workflows=[order], concurrency=5, executors=executors, durability="relaxed", strict=True)
    Runtime(None, workflows=None, lease="1m", max_recoveries=3, clock=VirtualClock())
    Worker("sqlite:///x.db", workflows=[order], concurrency=5, executors=executors, durability="relaxed", strict=True)
    Worker(None, workflows=None, lease="1m", max_recoveries=3, clock=VirtualClock())
    assert_type(await Worker().run(), None)


def wrong_options_are_refused() -> None:
    Runtime(concurrency="5")  # type: ignore[arg-type]
    Runtime(concurency=5)  # type: ignore[call-arg]
    Worker(concurrency="5")  # type: ignore[arg-type]
    Worker(concurency=5)  # type: ignore[call-arg]
    Worker(durability="half")  # type: ignore[arg-type]
    Worker(workflows=[order.fn])  # type: ignore[list-item]
    Worker(workflows=order)  # type: ignore[arg-type]


async def wrong_arguments_are_refused(runtime: Runtime) -> None:
    await runtime.start(order, "1")  # type: ignore[arg-type]
    await runtime.start(order, 1, 2)  # type: ignore[arg-type]
    await runtime.start(order, 1, "", 2)  # type: ignore[arg-type]
    await runtime.start(order, "1", run_id="r")  # type: ignore[arg-type]
    await runtime.start(order, 1, 2, run_id="r")  # type: ignore[arg-type]
    await runtime.start(order, 1, "", 2, run_id="r")  # type: ignore[arg-type]
    await runtime.start(nothing, 1)  # type: ignore[arg-type]
    await runtime.start(tally, "1")  # type: ignore[arg-type]
    await runtime.start(lenient, 1, {1: 1})  # type: ignore[arg-type]
    await runtime.start(wide, 1, "b", "c", 1.0, 5)  # type: ignore[arg-type]
    await runtime.start(order, 1, run_id=5)  # type: ignore[call-overload]
    await runtime.start(order, 1, tags="a")  # type: ignore[call-overload]
    await runtime.start(order.fn, 1)  # type: ignore[call-overload]
    await runtime.run(order, "1")  # type: ignore[arg-type]
    await runtime.run(order, 1, 2, run_id="r")  # type: ignore[arg-type]
    flowgraph.run(order, "1")  # type: ignore[arg-type]
    flowgraph.run(order, 1, store=5)  # type: ignore[call-overload]
