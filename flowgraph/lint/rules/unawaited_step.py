"""FG203."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeGuard

from flowgraph.compiler import Defined, words
from flowgraph.lint.analysis.awaitables import Fate, fate, is_returned_inside
from flowgraph.lint.analysis.durable import reached
from flowgraph.lint.analysis.handlers import handlers
from flowgraph.lint.rule import Rule
from flowgraph.model.diagnostic import Edit, Fix

if TYPE_CHECKING:
    from flowgraph.compiler import FunctionNode
    from flowgraph.lint.module import Module, StepCall
    from flowgraph.model.diagnostic import Diagnostic


class UnawaitedStep(Rule):
    """A step is called, and its coroutine is thrown away.

    ## What it does

    Looks for calls of steps in `async def` functions, and of functions with steps, whose coroutine is never awaited:
    it is dropped at once, kept in a name that nobody reads, used as if it were the result, or returned by a workflow or
    a handler, alone or in a list, whose result has to be saved. Coroutines that are given to `gather`, to a task or to
    something else that may await them are not reported.

    ## Why is this bad?

    A coroutine that is not awaited does nothing: the step does not run, and nothing fails.

    ## Example

    ```python
    step("charge-card", charge, order)
    ```

    ## Use instead

    ```python
    await step("charge-card", charge, order)
    ```
    """

    code = "FG203"
    name = "unawaited-step"
    severity = "error"
    VALID = (
        """
        @workflow
        async def flow(items: list[str]) -> object:
            await step("a", work)
            later = step("b", work)
            both = step("c", work), step("d", work)
            await later
            await asyncio.gather(*both)
            async with asyncio.TaskGroup() as group:
                group.create_task(step("e", work))
            task = asyncio.create_task(step("f", work))
            calls = [step(f"g-{item}", work) for item in items]
            await asyncio.gather(*calls, *(step(f"h-{item}", work) for item in items))
            asyncio.gather(step("i", work))
            await asyncio.wait_for(step("j", work), 5)
            return await (step("k", work) if items else step("l", work))
        """,
        """
        @step("pay")
        async def pay() -> int:
            return 1

        class Orders:
            @step("ship")
            async def ship(self) -> None: ...

            async def both(self) -> None:
                self.later = self.ship()
                await self.later

        async def helper() -> object:
            return step("a", work)  # Its caller may await twice.

        @workflow
        async def flow(last: bool) -> object:
            if last:
                await step.fail("no")
                step.abort()
            await asyncio.gather(pay(), pay.named("again")())
            await (await helper())
            waiting = {"a": step("b", work)}
            for call in waiting.values():
                await call
            await (call := step("c", work))
            return await step("d", lambda: step("e", work))
        """,
        """
        async def waits(call: object) -> None:
            await call

        @workflow
        async def flow(log: list[object]) -> None:
            call = step("a", work)
            log.append(call)
            await step("b", waits, step("c", work))
            await step("d", work, step("e", work))
            print(call is None, call in log)

        def other(step: object) -> None:
            step("f", work)
        """,
        """
        @workflow
        async def flow() -> None:
            later = step("a", work)

            async def finish() -> None:
                nonlocal later
                await later

            await finish()
        """,
        """
        # A helper's caller may gather them; a list may be filled with results before it is returned.
        def both() -> object:
            return step("a", work), step("b", work)

        async def more() -> object:
            return {"c": step("c", work), "d": [step("d", work)]}

        @workflow
        async def flow() -> object:
            found = await more()
            await asyncio.gather(*both(), found["c"], *found["d"])
            results = [step("e", work), step("f", work)]
            for place, call in enumerate(results):
                results[place] = await call
            return results

        @workflow
        async def other() -> object:
            async def later() -> object:
                return [step("g", work)]

            return [await step("h", work), *await asyncio.gather(*await later())]
        """,
    )
    INVALID = (
        """
        @workflow
        async def flow(last: bool) -> object:
            step("a", work)  # FG203
            step.sleep("b", 5)  # FG203
            result = step("c", work)  # FG203
            _ = step.map("d", work, [1])  # FG203
            last and step("e", work)  # FG203
            step("f", work) if last else None  # FG203
            None if last else step("g", work)  # FG203
            [step(f"h-{i}", work) for i in range(3)]  # FG203
            step("i", work), last  # FG203
            asyncio.wait_for(step("k", work), 5)  # FG203
            step.progress("half", done=1, total=2)  # FG203
            return step("l", work)  # FG203
        """,
        """
        import flowgraph as fg
        from flowgraph import step as s

        durable = fg.step

        @fg.step("pay")
        async def pay() -> int:
            return 1

        class Orders:
            @s("ship")
            async def ship(self) -> None: ...

            async def both(self) -> None:
                self.ship()  # FG203
                if pay():  # FG203
                    fg.step.listen("go")  # FG203
                durable("a", work)  # FG203
                s("b", work)  # FG203
                pay.named("again")()  # FG203
        """,
        """
        async def process(data: dict[str, int]) -> int:
            return data["total"]

        async def load() -> object:
            return step("rows", work)  # FG203

        @workflow
        async def flow() -> int:
            await step("load", load)
            data = step("fetch", work)  # FG203
            total = await step("process", process, data)
            rows = step("rows", work)  # FG203
            print(f"{rows} of {total}")
            for row in step.map("all", work, [1]):  # FG203
                print(row)
            name = step("name", work).upper()  # FG203
            a, b = step("pair", work)  # FG203
            async with asyncio.TaskGroup():
                step("inside", work)  # FG203
            return step("one", work) + 1  # FG203
        """,
        """
        @step("pay")
        async def pay() -> object:
            return step("bill", work), 1  # FG203

        async def load() -> object:
            rows = [step("rows", work)]  # FG203
            return rows

        @workflow
        async def flow(way: int) -> object:
            assert step("a", work)  # FG203
            assert way, step("b", work)  # FG203
            await step("load", load)
            if way == 1:
                return {"r": step("c", work)}  # FG203
            if way == 2:
                return [1, {"e": (step("e", work),)}]  # FG203
            if way == 3:
                return {number: step(f"f-{number}", work) for number in range(3)}  # FG203
            if way == 4:
                return [*[step(f"g-{number}", work) for number in range(3)]]  # FG203
            return way, (step("h", work) if way else None)  # FG203
        """,
        """
        async def inner() -> None:
            await step("a", work)

        async def outer() -> None:
            await inner()

        async def quiet() -> None:
            print("nothing durable")

        @workflow
        async def flow() -> None:
            outer()  # FG203
            quiet()

            async def nested() -> None:
                inner()  # FG203

            await nested()
        """,
    )

    def check(self, module: Module) -> Iterator[Diagnostic]:
        """The coroutines of steps, then those of functions with steps."""
        returning = _where_results_are_saved(module)
        for call in module.calls:
            if _gives_coroutine(module, call):
                found = fate(module, call.node, call.names)
                if found in (Fate.LOST, Fate.TAKEN_FOR_RESULT):
                    yield self._step(module, call, _SAID[found])
                elif module.scope_of(call.node) in returning and _is_returned(module, call, found):
                    yield self._step(module, call, "is returned instead of its result, and cannot be saved")
        yield from self._helpers(module)

    def _step(self, module: Module, call: StepCall, what: str) -> Diagnostic:
        message = f"the coroutine of {call.label} {what}"
        fix = _await_it(module, call.node)
        return self.of_call(module, call, message, help=_HELP, fix=fix)

    def _helpers(self, module: Module) -> Iterator[Diagnostic]:
        for node, helper in sorted(_lost_helpers(module), key=lambda found: (found[0].lineno, found[0].col_offset)):
            message = f"the coroutine of {helper.node.name}() is thrown away, so that its steps never run"
            fix, flow = _await_it(module, node), module.workflow_of(node)
            yield self.found(module.unit, node, message, help=_HELP, workflow=flow, fix=fix)


_SAID = {
    Fate.LOST: "is thrown away, so that the step never runs",
    Fate.TAKEN_FOR_RESULT: "is used as if it were the result",
}
_HELP = "Write `await` before the call."


def _where_results_are_saved(module: Module) -> set[ast.AST]:
    """The async functions whose results are saved: workflows and handlers."""
    found: set[ast.AST] = {source.node for source in module.unit.workflows()}
    found.update(handler.node for handler in handlers(module))
    return {node for node in found if isinstance(node, ast.AsyncFunctionDef)}


def _is_returned(module: Module, call: StepCall, found: Fate) -> bool:
    return found is Fate.RETURNED or (found is Fate.HANDED_ON and is_returned_inside(module, call.node))


def _gives_coroutine(module: Module, call: StepCall) -> bool:
    return call.kind not in words.WITHOUT_NAME and not call.is_decorator and _awaits(module, call.node, call.function)


def _awaits(module: Module, node: ast.Call, function: FunctionNode | None) -> bool:
    """Tell whether an await can stand before a call: it is in the body of an async function itself."""
    return isinstance(function, ast.AsyncFunctionDef) and module.scope_of(node) is function


def _lost_helpers(module: Module) -> Iterator[tuple[ast.Call, Defined]]:
    """The calls of functions with steps whose coroutine is thrown away."""
    for node, names, function in module.each(ast.Call):
        helper = names.meaning_of(node.func) if isinstance(function, ast.AsyncFunctionDef) else None
        if not _is_plain_coroutine(helper) or not _awaits(module, node, function) or module.call_at(node):
            continue
        if fate(module, node, names) is Fate.LOST and _has_steps(helper):
            yield node, helper


def _is_plain_coroutine(meaning: object) -> TypeGuard[Defined]:
    if not isinstance(meaning, Defined) or meaning.member or meaning.node.decorator_list:
        return False
    return isinstance(meaning.node, ast.AsyncFunctionDef) and not any(
        isinstance(node, ast.Yield) for node in ast.walk(meaning.node)
    )


def _has_steps(function: Defined) -> bool:
    names = function.names.of_function(function.node, function.owner)
    return next(iter(reached(function.node.body, names, function.node)), None) is not None


def _await_it(module: Module, node: ast.Call) -> Fix:
    """An `await` before the call, in parentheses where something binds more tightly."""
    span = module.unit.span(node)
    parent = next(module.around(node), None)
    tight = isinstance(parent, ast.Attribute | ast.Subscript | ast.BinOp) or (
        isinstance(parent, ast.Call) and parent.func is node
    )
    before = Edit(span.line, span.column, span.line, span.column, "(await " if tight else "await ")
    after = Edit(span.end_line, span.end_column, span.end_line, span.end_column, ")")
    return Fix("Await the call.", (before, after) if tight else (before,))
