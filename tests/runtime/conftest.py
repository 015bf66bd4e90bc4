"""Async tests run on a loop of their own, under a watchdog: a run that hangs is a failure, not a pause."""

from __future__ import annotations

import asyncio
import inspect
import os
from pathlib import Path
from typing import Any

import pytest

from flowgraph.testing import VirtualClock

WATCHDOG_S = float(os.environ.get("WATCHDOG_S", "20"))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    test = pyfuncitem.obj
    if not inspect.iscoroutinefunction(test):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(test).parameters}
    asyncio.run(_watched(test(**arguments)))
    return True


async def _watched(test: Any) -> None:
    async with asyncio.timeout(WATCHDOG_S):
        await test


@pytest.fixture
def store(tmp_path: Path) -> str:
    """The URL of a store in a file, which outlives a Runtime."""
    return f"sqlite:///{tmp_path}/flows.db"


@pytest.fixture
def clock() -> VirtualClock:
    """Time jumps to the next wake time when all runs only wait."""
    return VirtualClock()


@pytest.fixture
def frozen() -> VirtualClock:
    """Time stands still until the test advances it."""
    return VirtualClock(autojump=False)
