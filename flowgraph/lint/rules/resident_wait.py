"""FG307."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from flowgraph.lint.analysis.origins import origin, shown
from flowgraph.lint.analysis.reach import Spot, spots_of
from flowgraph.lint.rule import Rule

if TYPE_CHECKING:
    from flowgraph.lint.module import Module
    from flowgraph.model.diagnostic import Diagnostic

_EVENT = "Wait for an event with `step.listen`, which lets the run suspend and survives a crash."
_QUEUE = "Take what comes from outside with `step.listen`, and hand results over as values."
_LOCK = "Limit how many go on at once with `concurrency=` of `step.map`, or take the lock inside a handler."
_TIMER = "Use `timeout=` of the step, of `step.listen` or of the workflow, which are saved."
_SLEEP = "Wait with `step.sleep`, which lets the run suspend and is saved."

_AWAITED = {
    "asyncio.Event().wait": _EVENT,
    "anyio.Event().wait": _EVENT,
    "asyncio.Condition().wait": _EVENT,
    "asyncio.Condition().wait_for": _EVENT,
    "anyio.Condition().wait": _EVENT,
    "asyncio.Barrier().wait": _EVENT,
    **dict.fromkeys((f"asyncio.{kind}().get" for kind in ("Queue", "LifoQueue", "PriorityQueue")), _QUEUE),
    **dict.fromkeys((f"asyncio.{kind}().join" for kind in ("Queue", "LifoQueue", "PriorityQueue")), _QUEUE),
    **dict.fromkeys(
        (
            f"{library}.{kind}().acquire"
            for library in ("asyncio", "anyio")
            for kind in ("Lock", "Semaphore", "BoundedSemaphore", "Condition", "CapacityLimiter")
        ),
        _LOCK,
    ),
    "asyncio.sleep": _SLEEP,
    "anyio.sleep": _SLEEP,
    "anyio.sleep_until": _SLEEP,
}
_ENTERED = {name.removesuffix(".acquire"): text for name, text in _AWAITED.items() if name.endswith(".acquire")}
_TIMERS = {
    "asyncio.timeout": 0, "asyncio.timeout_at": 0, "asyncio.wait_for": 1, "anyio.fail_after": 0,
    "anyio.move_on_after": 0, "async_timeout.timeout": 0,
}  # fmt: skip
"""With the position of the time."""


class ResidentWait(Rule):
    """A workflow waits for something that is not durable, so its run cannot suspend.

    ## What it does

    Looks for waits of asyncio in the function of a workflow and in the functions that it calls: `Event`, `Queue`,
    `Lock`, `Semaphore`, `Condition`, `asyncio.sleep`, and the timers `asyncio.timeout` and `asyncio.wait_for`. Handlers
    of steps may wait as they like.

    ## Why is this bad?

    While a run waits so, or while such a timer runs around a step, it stays in the memory of its worker, and its waits
    count as executing. After a crash the wait begins anew. It is allowed, and `describe` says what keeps the run.

    ## Example

    ```python
    async with asyncio.timeout(3600):
        approval = await step.listen("approval")
    ```

    ## Use instead

    ```python
    approval = await step.listen("approval", timeout="1h")
    ```
    """

    code = "FG307"
    name = "resident-wait"
    severity = "info"
    VALID = (
        """
        async def handler() -> None:
            await asyncio.sleep(5)
            async with asyncio.timeout(1):
                await asyncio.Event().wait()

        @workflow
        async def flow(seconds: float) -> None:
            await step("a", handler)
            await step.sleep("b", 5)
            await step.listen("c", timeout=5)
            await asyncio.sleep(0)
            await asyncio.wait_for(step("d", work), None)
            await asyncio.wait_for(step("e", work), timeout=None)
            async with asyncio.timeout(None):
                await step("f", work)
            async with asyncio.TaskGroup() as group:
                group.create_task(step("g", work))
            event = asyncio.Event()
            event.set()
            queue: asyncio.Queue[int] = asyncio.Queue()
            queue.put_nowait(1)
            queue.get_nowait()
        """,
        """
        class Event:
            async def wait(self) -> None: ...

        async def elsewhere() -> None:
            await asyncio.sleep(5)

        @workflow
        async def flow(queue: dict[str, int]) -> None:
            event = Event()
            await event.wait()
            queue.get("a")
        """,
    )
    INVALID = (
        """
        import asyncio as aio
        from asyncio import Event, wait_for

        LIMIT = asyncio.Semaphore(3)

        async def limited() -> None:
            async with LIMIT:  # FG307
                await step("inner", work)

        @workflow
        async def flow(event: asyncio.Event) -> None:
            await event.wait()  # FG307
            other = Event()
            await other.wait()  # FG307
            queue: asyncio.Queue[int] = aio.Queue()
            await queue.get()  # FG307
            await queue.join()  # FG307
            lock = aio.Lock()
            async with lock:  # FG307
                await step("a", work)
            await lock.acquire()  # FG307
            await aio.sleep(5)  # FG307
            async with asyncio.timeout(5):  # FG307
                await step("b", work)
            await wait_for(step("c", work), 5)  # FG307
            await wait_for(step("d", work), timeout=5)  # FG307
            await limited()
            await asyncio.gather(asyncio.sleep(1), step("e", work))  # FG307
        """,
    )

    def check(self, module: Module) -> Iterator[Diagnostic]:
        """What the bodies of the file's workflows wait for, in this file and in others."""
        found = [
            self._resident(workflow, spot, place, help_)
            for workflow, spot in spots_of(module)
            for place, help_ in _waits(spot)
        ]
        yield from sorted(found, key=lambda one: (one.path, one.line, one.column))

    def _resident(self, workflow: str, spot: Spot, place: ast.expr, help_: str) -> Diagnostic:
        where = f", through {spot.function.name}()," if spot.chain else ""
        text = shown(place)
        return self.found(
            spot.unit, place, f"`{text}` in the body of workflow {workflow!r}{where} keeps the run in memory",
            help=help_, workflow=workflow, related=spot.reasons(),
        )  # fmt: skip


def _waits(spot: Spot) -> Iterator[tuple[ast.expr, str]]:
    """The waits that a node is, each with what to do."""
    match spot.node:
        case ast.Call(func=func) as call:
            name = origin(func, spot.names) or ""
            if name in _TIMERS and _is_timed(call, _TIMERS[name]):
                yield call, _TIMER
            elif name in _AWAITED and not _is_instant(call, name):
                yield call, _AWAITED[name]
        case ast.AsyncWith(items=items):
            for item in items:
                if (lock := origin(item.context_expr, spot.names) or "") in _ENTERED:
                    yield item.context_expr, _ENTERED[lock]


def _is_timed(call: ast.Call, position: int) -> bool:
    """Tell whether a timer is given a time."""
    given = [
        *call.args[position:][:1],
        *(one.value for one in call.keywords if one.arg in ("timeout", "delay", "when")),
    ]
    return bool(given) and not (isinstance(given[0], ast.Constant) and given[0].value is None)


def _is_instant(call: ast.Call, name: str) -> bool:
    """Tell whether it is ``asyncio.sleep(0)``, which lets others go on."""
    match call.args:
        case [ast.Constant(value=0 | 0.0)]:
            return name.endswith(".sleep")
    return False
