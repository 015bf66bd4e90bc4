"""What the tests of the runtime share: opening a Runtime over given workflows, and waiting for what is seen outside."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from flowgraph import Run, RunRecord, RunStatus, Runtime, StepRecord, Workflow
from flowgraph.testing import VirtualClock

MEMORY = "sqlite:///:memory:"
AnyWorkflow = Workflow[..., Any]


def opened(*workflows: AnyWorkflow, store: str = MEMORY, clock: Any = None, **options: Any) -> Runtime:
    """A Runtime that knows these workflows and no others; by a virtual clock unless one is given."""
    return Runtime(store, workflows=workflows, clock=clock or VirtualClock(), **options)


async def result_of(workflow: AnyWorkflow, *args: Any, also: tuple[AnyWorkflow, ...] = (), **options: Any) -> Any:
    """The result of one run in a Runtime of its own."""
    async with opened(workflow, *also, **options) as runtime:
        return await runtime.run(workflow, *args)


async def record_of(workflow: AnyWorkflow, *args: Any, also: tuple[AnyWorkflow, ...] = (), **options: Any) -> RunRecord:
    """The record of one run after its end, however it ended."""
    async with opened(workflow, *also, **options) as runtime:
        run = await runtime.start(workflow, *args)
        await ended(run)
        return await run.describe()


async def until(condition: Callable[[], bool | Awaitable[bool]], within_s: float = 15.0) -> None:
    """Let the loop run until something is the case."""
    deadline = time.monotonic() + within_s
    while True:
        answer = condition()
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return
        assert time.monotonic() < deadline, "it did not come to be in time"
        await asyncio.sleep(0.002)


async def reached(run: Run[Any], *statuses: str) -> RunStatus:
    """Wait until a run has one of these statuses."""
    status = await run.status()

    async def is_there() -> bool:
        nonlocal status
        status = await run.status()
        return status in statuses

    await until(is_there)
    return status


async def ended(run: Run[Any]) -> RunStatus:
    """Wait until a run has ended, however."""
    return await reached(run, *(status.value for status in RunStatus if status.finished))


def steps_of(record: RunRecord) -> dict[str, StepRecord]:
    """All steps of a run's record, by path."""
    return {step.path: step for step in _walk(record.steps)}


def _walk(steps: tuple[StepRecord, ...]) -> Iterator[StepRecord]:
    for step in steps:
        yield step
        yield from _walk(step.children)


async def settle(rounds: int = 20) -> None:
    """Give everything that is ready a few rounds of the loop."""
    for _ in range(rounds):
        await asyncio.sleep(0)


class Flaky:
    """An async handler that raises the given errors, one a call, before it succeeds with its result."""

    def __init__(self, *errors: BaseException, result: Any = "done") -> None:
        self.errors = list(errors)
        self.result = result
        self.calls = 0

    async def __call__(self, *_: Any) -> Any:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.result


def failing(message: str = "no", error: type[BaseException] = ValueError) -> Callable[..., Awaitable[Any]]:
    """An async handler that always raises."""

    async def fail(*_: Any) -> Any:
        raise error(message)

    return fail


async def nothing(*_: Any) -> None:
    """A handler that does nothing."""
