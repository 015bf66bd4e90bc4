"""Workflows for several processes on one store, and the lives of those processes.

A *gate* is a file: a body that is gated goes on when somebody makes the file, so that tests need no sleeping.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from flowgraph import Client, FlowgraphError, Runtime, StepFailed, Worker, step, workflow
from tests.scenarios.support import log_to, note, write_line

LOOK_S = 0.005

_folder = Path()


def settle_in(folder: str) -> None:
    """Let the bodies of this process log and look for gates in this folder."""
    global _folder
    _folder = Path(folder)
    log_to(_folder / "bodies.log")


# Bodies ---------------------------------------------------------------------------------------------------------------


async def gated(gate: str) -> str:
    note()
    while not (_folder / gate).exists():
        await asyncio.sleep(LOOK_S)
    note("end")
    return gate


def gated_in_thread(gate: str) -> str:
    note()
    while not (_folder / gate).exists():
        time.sleep(LOOK_S)
    note("end")
    return gate


def gated_in_pool(gate: str, folder: str) -> str:
    """A body in another process, which a kill of the worker leaves behind."""
    settle_in(folder)
    return gated_in_thread(gate)


async def passed(value: Any) -> Any:
    note()
    await asyncio.sleep(0)
    note("end")
    return value


def dying(value: str) -> str:
    """Take the process down, unless the gate `mercy` is open."""
    note()
    if not (_folder / "mercy").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    return value


def exiting() -> str:
    """End the program, unless the gate `mercy` is open."""
    note()
    if not (_folder / "mercy").exists():
        sys.exit(3)
    return "stayed"


async def exiting_on_the_loop() -> str:
    return exiting()


async def unlucky() -> None:
    note()
    raise ConnectionError(f"attempt {step.info().attempt}")


# Workflows ------------------------------------------------------------------------------------------------------------


@workflow
async def parcel(number: int) -> int:
    await step("weigh", passed, number)
    if number % 10 == 0:
        await step.sleep("customs", "1.05s")
    await asyncio.gather(step("label", passed, number), step("insure", passed, number))
    return await step("deliver", passed, number)


@workflow
async def guarded(gate: str, kind: str = "async") -> list[str]:
    first = await step("first", passed, "first")
    if kind == "pool":
        second = await step("second", gated_in_pool, gate, str(_folder), executor="pool")
    else:
        second = await step("second", gated_in_thread if kind == "thread" else gated, gate)
    return [first, second, await step("third", passed, "third")]


@workflow
async def crowd(gate: str) -> list[str]:
    return list(await asyncio.gather(*(step(f"member-{index}", gated, gate) for index in range(5))))


@workflow
async def correspondence() -> list[Any]:
    first = await step.listen("first letter", event="letter")
    await step("read", passed, first)
    return [first, await step.listen("second letter", event="letter")]


@workflow
async def collector(count: int) -> list[Any]:
    return [await step.listen(f"letter {number}", event="letter") for number in range(count)]


@workflow
async def leaver(kind: str) -> str:
    await step("first", passed, "first")
    return await step("exit", exiting if kind == "thread" else exiting_on_the_loop)


@workflow
async def sleeper(seconds: float | str) -> str:
    await step("before", passed, "before")
    await step.sleep("nap", seconds)
    return await step("after", passed, "after")


@workflow
async def deadly() -> str:
    return await step("die", dying, "lived")


@workflow
async def once() -> dict[str, Any]:
    try:
        return {"result": await step("charge", dying, "charged", at_most_once=True)}
    except StepFailed as error:
        return {
            "path": error.path, "attempts": error.attempts, "cause": error.cause_type,
            "message": error.cause_message, "cause is set": error.__cause__ is not None,
        }  # fmt: skip


@workflow
async def single_attempt() -> str:
    return await step("die", dying, "lived", max_attempts=1)


@workflow(timeout="3s")
async def impatient() -> str:
    return await step("endless", gated, "never")


@workflow
async def mother(gate: str) -> Any:
    return await step.execute_workflow("child", guarded, gate)


@workflow
async def stubborn() -> None:
    """It fails, and its second attempt is far away."""
    await step("fail", unlucky, retry=_IN_AN_HOUR)


def _policy() -> Any:
    from flowgraph import RetryPolicy

    return RetryPolicy(initial="1h", cap="1h", jitter=False)


_IN_AN_HOUR = _policy()


# Lives ----------------------------------------------------------------------------------------------------------------


async def work(
    store: str, folder: str, gate: str = "closing time", only: list[str] | None = None, **options: Any
) -> str:
    """A worker that works until a gate is opened."""
    settle_in(folder)
    if only is not None:
        options["workflows"] = [globals()[name] for name in only]
    worker = Worker(store, **options)
    working = asyncio.create_task(worker.run())
    while not (Path(folder) / gate).exists() and not working.done():
        await asyncio.sleep(LOOK_S)
    worker.stop()
    for _ in range(10):
        await asyncio.sleep(0)
    (Path(folder) / "leaving").touch()
    await working
    return "closed"


async def run(
    store: str, folder: str, name: str, arguments: list[Any], run_id: str = "run-1", pool: bool = False, **options: Any
) -> Any:
    """Run one workflow to its end; an error is returned as its class's name and text."""
    settle_in(folder)
    if pool:
        options["executors"] = {"pool": ProcessPoolExecutor(1, mp_context=get_context("fork"))}
    return await _told(lambda: _run(store, name, arguments, run_id, options))


async def _run(store: str, name: str, arguments: list[Any], run_id: str, options: dict[str, Any]) -> Any:
    async with Runtime(store, **options) as runtime:
        return await runtime.run(globals()[name], *arguments, run_id=run_id)


async def wait(store: str, run_id: str) -> Any:
    """Wait, as a Runtime that has no workflows, for the result of a run that others execute."""

    async def waited() -> Any:
        async with Runtime(store, workflows=[]) as runtime:
            return await (await runtime.get(run_id)).result(timeout="20s")

    return await _told(waited)


async def _told(act: Callable[[], Any]) -> Any:
    try:
        return {"result": await act()}
    except (FlowgraphError, OSError) as error:
        return {"error": type(error).__name__, "text": str(error)}


async def stay_open(store: str, folder: str, first: str, second: str) -> Any:
    """A Runtime that runs one workflow, waits for a gate, and runs another: is it whole after what happened to it?"""
    settle_in(folder)
    async with Runtime(store, workflows=[guarded, crowd, parcel], lease="1s") as runtime:
        lost = await runtime.start(guarded, first, run_id="lost")
        other = await runtime.start(crowd, second, run_id="other")
        results = [await lost.result(), await other.result()]
        return [*results, await runtime.run(parcel, 7, run_id="later")]


def blocking(seconds: float) -> str:
    time.sleep(seconds)
    return "blocked"


async def block_the_loop(store: str, folder: str, seconds: float) -> Any:
    """A Runtime whose user code does not let the loop go."""
    settle_in(folder)
    async with Runtime(store, workflows=[blocker], lease="1s") as runtime:
        return await runtime.run(blocker, seconds, run_id="run-1")


@workflow
async def blocker(seconds: float) -> str:
    return await step("block", blocking_async, seconds)


async def blocking_async(seconds: float) -> str:
    note()
    return blocking(seconds)


@workflow
async def mother_by_name(gate: str) -> Any:
    return await step.execute_workflow("child", "guarded", gate)


async def acknowledge(store: str, folder: str, what: str) -> None:
    """Start runs, or send events, without end; each that was acknowledged is written to the log."""
    settle_in(folder)
    async with Client(store) as client:
        run = await client.start("correspondence", run_id="letterbox")

        async def one(number: int) -> None:
            if what == "start":
                await client.start("parcel", number, run_id=f"parcel-{number}")
            else:
                await run.send("letter", number, id=f"letter-{number}")
            write_line({"event": "acknowledged", "number": number})

        for first in range(0, 1_000_000, 20):
            await asyncio.gather(*(one(number) for number in range(first, first + 20)))


async def write_letters(store: str, sender: str, count: int) -> None:
    """Send so many letters to the collector, one after the other."""
    async with Client(store) as client:
        run = await client.get("run-1")
        for number in range(count):
            await run.send("letter", [sender, number], id=f"{sender}-{number}")
