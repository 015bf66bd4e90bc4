"""What a process does on a store that makes trouble."""

from __future__ import annotations

import asyncio
import ctypes
import os
import resource
import struct
from pathlib import Path
from typing import Any

from flowgraph import Runtime, StoreError, step, workflow
from flowgraph.stores import sqlite, writer
from tests.scenarios.fleet import gated, passed, settle_in

STEPS = 6


@workflow
async def ledger(gate: str) -> list[Any]:
    first = await step("first", gated, gate)
    return [first, *[await step(f"entry {number}", passed, f"{number}" * 5_000) for number in range(STEPS)]]


EXPECTED_LENGTHS = [4, *[5_000] * STEPS]


def be_nobody_special() -> None:
    """Give up what root may do beyond other users: files that are not writable are then not writable."""
    header, data = struct.pack("Ii", 0x20080522, 0), bytes(24)
    if os.getuid() == 0 and ctypes.CDLL(None, use_errno=True).capset(header, data) != 0:
        raise OSError(ctypes.get_errno(), "the capabilities could not be given up")


def lose_patience(give_up_s: float) -> None:
    """Give up after so long what is otherwise tried for half a minute."""
    writer.GIVE_UP_S = give_up_s
    sqlite.PATIENCE_S = give_up_s / 4


async def keep_ledger(store: str, folder: str, nobody_special: bool = False, give_up_s: float | None = None) -> Any:
    """Run the workflow; an error of the store is returned as its class's name and text."""
    settle_in(folder)
    if nobody_special:
        be_nobody_special()
    if give_up_s is not None:
        lose_patience(give_up_s)
    try:
        async with Runtime(store) as runtime:
            return {"lengths": lengths(await runtime.run(ledger, "gate", run_id="run-1"))}
    except StoreError as error:
        return {"error": type(error).__name__, "text": str(error)}


async def keep_ledger_with_a_file_limit(store: str, folder: str, seconds: float, give_up_s: float | None = None) -> Any:
    """Run it while no file can grow for a while: the disk is full, as far as this process can tell."""
    settle_in(folder)
    if give_up_s is not None:
        lose_patience(give_up_s)
    try:
        async with Runtime(store) as runtime:
            run = await runtime.start(ledger, "gate", run_id="run-1")
            while not (Path(folder) / "bodies.log").exists():
                await asyncio.sleep(0.005)
            _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (Path(f"{folder}/flows.db-wal").stat().st_size, hard))
            asyncio.get_running_loop().call_later(seconds, resource.setrlimit, resource.RLIMIT_FSIZE, (hard, hard))
            (Path(folder) / "gate").touch()
            return {"lengths": lengths(await run.result())}
    except StoreError as error:
        return {"error": type(error).__name__, "text": str(error)}


async def keep_ledger_and_wait(store: str, folder: str, give_up_s: float) -> Any:
    """One Runtime that outlives the trouble: what the first wait raises, and what the second returns."""
    settle_in(folder)
    lose_patience(give_up_s)
    async with Runtime(store) as runtime:
        run = await runtime.start(ledger, "gate", run_id="run-1")
        told = []
        for _ in range(2):
            try:
                told.append(lengths(await run.result(timeout="10s")))
            except (StoreError, TimeoutError) as error:
                told.append(type(error).__name__)
                (Path(folder) / "noticed").touch()
                while not (Path(folder) / "over").exists():
                    await asyncio.sleep(0.005)
        return told


def lengths(result: list[Any]) -> list[int]:
    return [len(entry) for entry in result]
