"""FG202."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from flowgraph.lint.analysis.awaitables import WITHOUT_LOOP, fate
from flowgraph.lint.analysis.durable import ALL, Reached, reached
from flowgraph.lint.analysis.handlers import Handler, handlers
from flowgraph.lint.analysis.loops import needs_a_loop, runs_its_own_loop
from flowgraph.lint.rule import Rule, related
from flowgraph.model.placement import EVERYWHERE, REFUSALS, THREAD

if TYPE_CHECKING:
    from flowgraph.lint.module import Module
    from flowgraph.model.diagnostic import Diagnostic


class MisplacedStep(Rule):
    """A step is called by a handler that runs where steps cannot be called: in a thread, an executor or a transaction.

    ## What it does

    Looks into the handlers that do not run on the workflow's event loop: plain functions and lambdas, which run in a
    thread or with `executor=` elsewhere, and handlers of `step.transaction`. There `step.info`, `step.fail` and
    `step.abort` are allowed and no other word. A plain handler without `executor=` may also return the awaitable of a
    step, which is awaited on the loop.

    ## Why is this bad?

    The runtime refuses such a step when the handler calls it, or it never runs, since a plain function cannot await it.

    ## Example

    ```python
    def bill(order: Order) -> None:
        asyncio.run(step("charge-card", charge, order))

    await step("bill", bill, order)
    ```

    ## Use instead

    ```python
    async def bill(order: Order) -> None:
        await step("charge-card", charge, order)

    await step("bill", bill, order)
    ```
    """

    code = "FG202"
    name = "misplaced-step"
    severity = "error"
    VALID = (
        """
        async def parent() -> None:
            await step("child", work)

        def later() -> object:
            return step("later", work)

        def stops() -> None:
            print(step.info().attempt)
            step.fail("no")

        def plain() -> None:
            async def inner() -> None:
                await step("inner", work)

            print(inner)

        @workflow
        async def flow(pool: object) -> None:
            await step("a", parent)
            await step("b", later)
            await step("c", stops, executor="cpu")
            await step("d", lambda: step("e", work))
            await step("f", plain)
            await step("g", later, executor=pool)
            await step.map("h", lambda item: step(f"i-{item}", work), [1])
        """,
        """
        from concurrent.futures import ThreadPoolExecutor

        def later() -> object:
            return step("later", work)

        @step("pay")
        def pay() -> object:
            return step("charge", work)

        @workflow
        async def flow() -> None:
            await step("a", later, executor=None)
            await step("b", later, executor=ThreadPoolExecutor())
            await pay()
        """,
    )
    INVALID = (
        """
        from concurrent.futures import ProcessPoolExecutor
        from functools import partial

        pool = ProcessPoolExecutor()

        def bill(order: int = 0) -> None:
            step("charge", work)  # FG202

        def runs() -> None:
            asyncio.run(step("run", work))  # FG202

        def sends() -> object:
            return step("sent", work)  # FG202

        async def inner() -> None:
            await step("inner", work)  # FG202

        def hides() -> None:
            asyncio.run(inner())

        def through() -> None:
            helper()

        def helper() -> object:
            return step.sleep("nap", 5)  # FG202

        @workflow
        async def flow() -> None:
            await step("a", bill)
            await step.map("b", partial(bill, order=1), [1])
            await step("c", runs)
            await step("d", sends, executor=pool)
            await step("e", hides)
            await step("f", through, executor="cpu")
            await step("g", lambda: step("h", work), executor="cpu")  # FG202
        """,
        """
        import flowgraph as fg

        @fg.step("pay", executor="cpu")
        def pay() -> object:
            return fg.step("charge", work)  # FG202

        class Orders:
            def ship(self) -> int:
                return 1 + step("parcel", work)  # FG202

            async def all(self) -> None:
                await step("ship", self.ship)

        def awaits() -> None:
            await step("wrong", work)  # FG202

        async def writes(connection: object) -> None:
            await step("inside", work)  # FG202

        @workflow
        async def flow() -> None:
            await step("a", awaits)
            await step.transaction("b", writes)
        """,
    )

    def check(self, module: Module) -> Iterator[Diagnostic]:
        """The steps in the handlers that do not run on the loop, each once."""
        found: dict[tuple[str, int, int], Diagnostic] = {}
        for handler in handlers(module):
            if handler.place in REFUSALS:
                for step in _steps(handler):
                    if handler.place != THREAD or _cannot_work(module, handler, step):
                        one = self._misplaced(module, handler, step)
                        found.setdefault((one.path, one.line, one.column), one)
        yield from (found[place] for place in sorted(found))

    def _misplaced(self, module: Module, handler: Handler, step: Reached) -> Diagnostic:
        refusal, call = REFUSALS[handler.place], step.step
        message = f"{call.label} is called {refusal.where}: {handler.name} is the handler of a step"
        places = [related(module.unit, handler.call, f"{handler.name} is made a handler here")]
        if not step.is_direct:
            places.append(related(handler.names.unit, step.node, "called through here"))
        return self.of_call(module, call, message, help=refusal.advice, related=places)


def _steps(handler: Handler) -> Iterator[Reached]:
    node = handler.node
    body = [node.body] if isinstance(node, ast.Lambda) else node.body
    function = None if isinstance(node, ast.Lambda) else node
    yield from reached(body, handler.names, function, ALL - EVERYWHERE)


def _cannot_work(module: Module, handler: Handler, step: Reached) -> bool:
    """Tell whether a step in a thread is neither returned nor handed to the workflow's loop."""
    parent = next(module.around(step.node), None)
    if isinstance(parent, ast.Call) and runs_its_own_loop(parent, handler.names):
        return True
    if isinstance(parent, ast.Call) and needs_a_loop(parent, handler.names):
        return True
    return step.is_direct and fate(module, step.node, handler.names) in WITHOUT_LOOP
