"""FG204."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from flowgraph.compiler import words
from flowgraph.lint.analysis.awaitables import WITHOUT_LOOP, fate
from flowgraph.lint.analysis.handlers import handlers
from flowgraph.lint.rule import Rule
from flowgraph.model.placement import LOOP

if TYPE_CHECKING:
    from flowgraph.lint.module import Module, StepCall
    from flowgraph.model.diagnostic import Diagnostic


class StepInSyncFunction(Rule):
    """A step is called where nothing can be awaited: in a plain function, a generator or a default argument.

    ## What it does

    Looks for calls of steps in functions that are not `async def`, in lambdas, and in the defaults of arguments. A
    plain function may return the awaitable of a step, yield it, or give it to a task, since others can await it then;
    `asyncio.run` and `run_until_complete` cannot, since they have a loop of their own. `step.fail` and `step.abort`
    need no `await`.

    ## Why is this bad?

    The call only makes a coroutine. Nobody awaits it, so the step never runs; a default is evaluated once, when the
    function is defined.

    ## Example

    ```python
    def charge_all(order: Order) -> None:
        step("charge-card", charge, order)
    ```

    ## Use instead

    ```python
    async def charge_all(order: Order) -> None:
        await step("charge-card", charge, order)
    ```
    """

    code = "FG204"
    name = "step-in-sync-function"
    severity = "error"
    VALID = (
        """
        def fetch(url: str) -> object:
            return step(f"fetch-{url}", work, url)

        def either(first: bool) -> object:
            call = step("first", work) if first else step("second", work)
            return call

        def all_of(urls: list[str]) -> list[object]:
            return [step(f"all-{url}", work, url) for url in urls]

        def one_by_one(urls: list[str]):
            for url in urls:
                yield step(f"one-{url}", work, url)

        def spawned(group: asyncio.TaskGroup, tasks: list[object]) -> None:
            group.create_task(step("spawned", work))
            tasks.append(asyncio.create_task(step("appended", work)))

        def stop(message: str) -> None:
            if message:
                step.fail(message)
            step.abort()

        @workflow
        async def flow() -> None:
            await fetch("a")
            await step("b", lambda: step("c", work))
        """,
        """
        @step("pay")
        def pay() -> int:
            return 1

        refund = step("refund")

        def both() -> object:
            return asyncio.gather(pay(), pay.named("again")())

        def with_inner() -> object:
            async def inner(default: int = 1) -> None:
                await step("inner", work)

            return inner()

        def unrelated(step: object) -> None:
            step("a", work)

        def queued(runner: object) -> None:
            runner.run(pay())  # Who knows what it does.

        def main(flow: object) -> None:
            asyncio.run(flow())
        """,
        """
        def handler() -> None:
            step("in-a-thread", work)  # What runs in a thread is FG202's.

        @workflow
        async def flow() -> None:
            await step("a", handler)
        """,
    )
    INVALID = (
        """
        import flowgraph as fg

        def charge() -> None:
            step("charge", work)  # FG204
            _ = fg.step.sleep("pause", 5)  # FG204
            rows = step.map("rows", work, [1])  # FG204
            print(len(rows))

        @workflow
        async def flow() -> None:
            charge()

            def inner() -> int:
                return step("count", work) + 1  # FG204

            inner()
        """,
        """
        def generator(items: list[str]):
            for item in items:
                step.progress(item)  # FG204
                yield item

        def with_default(call: object = step("default", work)) -> object:  # FG204
            return call

        class Orders:
            @step("ship")
            async def ship(self) -> None: ...

            def all(self) -> None:
                self.ship()  # FG204

            @property
            def shipped(self) -> bool:
                return bool(step("shipped", work))  # FG204

        late = lambda call=step("late", work): call  # FG204
        """,
        """
        def awaits() -> object:
            return await step("awaited", work)  # FG204

        @workflow
        def flow() -> None:
            [step(f"each-{i}", work) for i in range(3)]  # FG204
        """,
        """
        from asyncio import run

        async def inner() -> None:
            await step("inner", work)

        def runs(loop: object) -> None:
            asyncio.run(step("a", work))  # FG204
            print(run(step("b", work), debug=True))  # FG204
            loop.run_until_complete(step("c", work))  # FG204
            asyncio.get_event_loop().run_until_complete(asyncio.wait_for(step("d", work), 5))  # FG204
            with asyncio.Runner() as runner:
                call = step("e", work)  # FG204
                runner.run(call)

        @workflow
        async def flow() -> None:
            runs(asyncio.get_running_loop())
        """,
    )

    def check(self, module: Module) -> Iterator[Diagnostic]:
        """The steps in the file, one after the other."""
        elsewhere = {handler.node for handler in handlers(module) if handler.place != LOOP}
        for call in module.calls:
            if call.kind in words.WITHOUT_NAME or call.is_decorator:
                continue
            if _is_default(module, call.node):
                yield self._default(module, call)
                continue
            scope = module.scope_of(call.node)
            if not isinstance(scope, ast.FunctionDef | ast.Lambda) or scope in elsewhere:
                continue
            if fate(module, call.node, call.names) in WITHOUT_LOOP:
                yield self._in_plain(module, call, scope)

    def _default(self, module: Module, call: StepCall) -> Diagnostic:
        message = f"{call.label} is called in a default argument, once, when the function is defined"
        return self.of_call(module, call, message, help="Call it in the function's body.")

    def _in_plain(self, module: Module, call: StepCall, scope: ast.FunctionDef | ast.Lambda) -> Diagnostic:
        name = "a lambda" if isinstance(scope, ast.Lambda) else f"{scope.name}(), which is a plain function"
        message = f"{call.label} is called in {name}, and cannot be awaited there"
        return self.of_call(module, call, message, help=_help(scope))


def _is_default(module: Module, node: ast.AST) -> bool:
    for parent in module.around(node):
        if isinstance(parent, ast.stmt | ast.Lambda):
            return False
        if isinstance(parent, ast.arguments):
            return True
    return False


def _help(scope: ast.FunctionDef | ast.Lambda) -> str:
    if isinstance(scope, ast.Lambda):
        return "Return the step's awaitable from the lambda, or write an `async def` function."
    return f"Write `async def {scope.name}` and await the step, or return the step's awaitable."
