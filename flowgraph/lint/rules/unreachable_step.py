"""FG301."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from flowgraph.lint.rule import Rule

if TYPE_CHECKING:
    from flowgraph.compiler import Point
    from flowgraph.lint.module import Module
    from flowgraph.model.diagnostic import Diagnostic


class UnreachableStep(Rule):
    """No run can come to a step.

    ## What it does

    Finds steps behind a `return`, a `raise`, `step.fail`, `step.abort`, or a loop that nothing leaves.

    ## Why is this bad?

    The step never runs. Most often the way out before it was meant for one case only, or the step was left over.

    ## Example

    ```python
    await step.fail("no stock")
    await step("notify", notify)
    ```

    ## Use instead

    ```python
    await step("notify", notify)
    await step.fail("no stock")
    ```
    """

    code = "FG301"
    name = "unreachable-step"
    severity = "error"
    VALID = (
        """
        @workflow
        async def flow(c: bool) -> None:
            if c:
                return
            await step("a", work)
            try:
                raise ValueError
            except ValueError:
                await step("b", work)
            while True:
                if await step("c", work):
                    break
            await step("d", work)
        """,
        """
        import contextlib

        @workflow
        async def flow() -> None:
            with contextlib.suppress(ValueError):
                raise ValueError
            await step("a", work)
            with swallowing():
                raise ValueError
            await step("b", work)
        """,
    )
    INVALID = (
        """
        @workflow
        async def flow(c: bool) -> None:
            if c:
                await step.fail("no")
                await step("a", work)  # FG301
            else:
                step.abort()
            await step("b", work)  # FG301
        """,
        """
        @workflow
        async def flow(c: bool) -> None:
            while True:
                await step.sleep("a", 1)
            await step("b", work)  # FG301

        @workflow
        async def third() -> None:
            while True:
                pass
            await step("c", work)  # FG301

        @workflow
        async def other(c: bool) -> None:
            raise ValueError
            for x in range(3):
                await step(f"a-{x}", work)  # FG301
        """,
    )

    def check(self, module: Module) -> Iterator[Diagnostic]:
        """The steps to which no way leads, in none of the places where their function is called."""
        dead: dict[tuple[str, int, int], tuple[Point, str]] = {}
        alive: set[tuple[str, int, int]] = set()
        for flow in module.flows:
            for point, is_reachable in flow.steps():
                place = (point.file, point.span.line, point.span.column)
                if is_reachable:
                    alive.add(place)
                else:
                    dead.setdefault(place, (point, flow.graph.workflow))
        for place, (point, workflow) in dead.items():
            if place in alive or point.file != module.path or _is_perhaps_swallowed(module.unit.tree, point):
                continue
            message = f'step "{point.template}" can never run: every way to it has ended before'
            help_ = "Remove it, or put it before the way out."
            yield self.found(
                module.unit, point.name_span or point.span, message, help=help_, workflow=workflow, step=point.path
            )


def _is_perhaps_swallowed(tree: ast.Module, point: Point) -> bool:
    """Tell whether a ``with`` before a step may have ended an exception that was raised in it."""
    return any(
        isinstance(node, ast.With | ast.AsyncWith)
        and (node.end_lineno or 0) < point.span.line
        and any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
        for node in ast.walk(tree)
    )
