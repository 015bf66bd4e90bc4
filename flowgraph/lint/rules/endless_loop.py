"""FG304."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from flowgraph.lint.rule import Rule
from flowgraph.model.graph import STEP_KINDS, Span

if TYPE_CHECKING:
    from flowgraph.compiler import Flow, Point
    from flowgraph.lint.module import Module
    from flowgraph.model.diagnostic import Diagnostic

_WAITS = frozenset({"sleep", "sleep_until", "listen", "execute_workflow", "wait_for_workflow"})


class EndlessLoop(Rule):
    """A loop that nothing leaves, and in which nothing waits.

    ## What it does

    Finds `while True` loops with steps in them, but without `break`, `return`, `raise`, `step.fail` or `step.abort`,
    and without a durable wait.

    ## Why is this bad?

    The run goes on until its timeout, saves a checkpoint in every pass, and its history grows without end.

    ## Example

    ```python
    while True:
        await step(f"poll-{next(numbers)}", poll)
    ```

    ## Use instead

    ```python
    for number in itertools.count():
        if await step(f"poll-{number}", poll):
            break
        await step.sleep(f"wait-{number}", "1m")
    ```
    """

    code = "FG304"
    name = "endless-loop"
    severity = "warning"
    VALID = (
        """
        @workflow
        async def flow() -> None:
            number = 0
            while True:
                number += 1
                await step(f"a-{number}", work)
                await step.sleep(f"b-{number}", 60)
            await step("never", work)

        async def leaves() -> None:
            await step.fail("no")

        @workflow
        async def other(c: bool) -> None:
            number = 0
            while True:
                number += 1
                await step(f"a-{number}", work)
                if c:
                    raise ValueError
            while number:
                await step(f"b-{number}", work)

        @workflow
        async def third(c: bool) -> None:
            number = 0
            while True:
                number += 1
                await step(f"a-{number}", work)
                if c:
                    await leaves()
        """,
    )
    INVALID = (
        """
        @workflow
        async def flow() -> None:
            number = 0
            while True:  # FG304
                number += 1
                try:
                    await step(f"a-{number}", work)
                except StepFailed:
                    continue
        """,
    )

    def check(self, module: Module) -> Iterator[Diagnostic]:
        """The loops of the workflows of the file."""
        seen: set[tuple[str, int]] = set()
        for flow in module.flows:
            for loop in flow.control.points:
                place = (loop.file, loop.span.line)
                if loop.endless and place not in seen and loop.file == module.path and _is_endless(flow, loop):
                    seen.add(place)
                    header = Span(loop.span.line, loop.span.column, loop.span.line, loop.span.column + len(loop.name))
                    message = f"nothing leaves `{loop.name}`, and nothing in it waits"
                    help_ = "Leave it at some time, or let it sleep or listen in each pass."
                    yield self.found(module.unit, header, message, help=help_, workflow=flow.graph.workflow)


def _is_endless(flow: Flow, loop: Point) -> bool:
    inside = {loop.number}
    for point in flow.control.points[loop.number + 1 :]:
        if point.parent in inside:
            inside.add(point.number)
    points = [flow.control.points[number] for number in inside]
    return not any(point.kind in _WAITS or _leaves(point, inside) for point in points)


def _leaves(point: Point, inside: set[int]) -> bool:
    """Tell whether a way leads out; that a step may fail is none."""
    return any(
        arrow.target not in inside
        for arrow in point.arrows
        if arrow.kind != "exception" or point.kind not in STEP_KINDS | {"try", "bind"}
    )
