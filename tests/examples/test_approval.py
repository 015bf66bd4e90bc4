"""The approval waits, escalates, and pays once; a virtual clock lets the days pass."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from flowgraph import RunFailed, RunStatus, Runtime
from flowgraph.testing import VirtualClock

Example = Callable[[str], ModuleType]


def rows(sql: str) -> list[Any]:
    with closing(sqlite3.connect("approval.db")) as connection:
        return connection.execute(sql).fetchall()


def test_it_is_approved_and_paid(example: Example) -> None:
    """An approval in time is paid, and nobody else is asked."""
    approval = example("approval")

    async def main() -> str:
        async with Runtime("sqlite:///:memory:", clock=VirtualClock()) as runtime:
            run = await runtime.start(approval.approval, "a trip", Decimal("120.50"), run_id="trip-7")
            await run.send("decision", {"approved": True, "by": "Ada"})
            return await run.result()

    assert asyncio.run(main()) == "Ada approved; paid as payment 1"
    assert rows("SELECT role FROM request") == [("manager",)]
    assert rows("SELECT * FROM payment") == [("trip-7:pay", "a trip", "120.50")]


def test_it_is_declined(example: Example) -> None:
    """A refusal pays nothing and says who refused."""
    approval = example("approval")

    async def main() -> str:
        async with Runtime("sqlite:///:memory:", clock=VirtualClock()) as runtime:
            run = await runtime.start(approval.approval, "a boat", Decimal(9999))
            await run.send("decision", {"approved": False, "by": "Ada", "note": "too much"})
            return await run.result()

    assert asyncio.run(main()) == "Ada declined: too much"
    assert rows("SELECT name FROM sqlite_master WHERE name = 'payment'") == []


def test_it_escalates_to_the_director(example: Example) -> None:
    """After the manager's hour the director is asked; the run is a row while it waits."""
    approval = example("approval")

    async def main() -> str:
        clock = VirtualClock(autojump=False)
        async with Runtime("sqlite:///:memory:", clock=clock) as runtime:
            run = await runtime.start(approval.approval, "a trip", Decimal("120.50"), run_id="trip-8")
            await until(run, "decision-of-manager")
            clock.advance("1h")
            await until(run, "decision-of-director")
            await run.send("decision", {"approved": True, "by": "Grace"})
            await until(run, "reflection")
            clock.advance("10s")
            return await run.result(timeout=None)

    assert asyncio.run(main()) == "Grace approved; paid as payment 1"
    assert rows("SELECT role FROM request ORDER BY rowid") == [("manager",), ("director",)]


async def until(run: Any, path: str) -> None:
    """Wait until the run has suspended in the wait at `path`."""
    while True:
        record = await run.describe()
        if record.status.suspended and [wait.path for wait in record.waits] == [path]:
            return
        assert record.status in (RunStatus.PENDING, RunStatus.RUNNING) or record.status.suspended
        await asyncio.sleep(0.001)


def test_nobody_decides(example: Example) -> None:
    """When the director's day is over too, the run fails and says what about."""
    approval = example("approval")

    async def main() -> None:
        async with Runtime("sqlite:///:memory:", clock=VirtualClock()) as runtime:
            await runtime.run(approval.approval, "a trip", Decimal("120.50"))

    with pytest.raises(RunFailed, match="nobody decided about 'a trip'"):
        asyncio.run(main())


def test_paying_twice_pays_once(example: Example, tmp_path: Path) -> None:
    """A body that runs again, because a kill came before the checkpoint, finds its payment made."""
    approval = example("approval")

    async def main() -> list[str]:
        from flowgraph import step, workflow

        @workflow(name="paying twice")
        async def twice() -> list[str]:
            async def both() -> list[str]:
                return [approval.pay("a trip", Decimal(1)), approval.pay("a trip", Decimal(1))]

            return await step("pay", both)

        async with Runtime(f"sqlite:///{tmp_path}/flows.db") as runtime:
            return await runtime.run(twice)

    assert asyncio.run(main()) == ["payment 1", "payment 1"]
