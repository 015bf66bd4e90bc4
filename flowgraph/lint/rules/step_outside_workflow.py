"""FG201."""

from __future__ import annotations

import ast
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowgraph.compiler import FunctionNode
from flowgraph.lint.analysis.mentions import Mentions, place_of
from flowgraph.lint.rule import ProjectRule
from flowgraph.model.diagnostic import Diagnostic

if TYPE_CHECKING:
    from flowgraph.lint.module import Module, StepCall


class StepOutsideWorkflow(ProjectRule):
    """A step is called where no workflow comes to: at the top of a module, or in a function that none reaches.

    ## What it does

    Looks for functions with steps that no workflow of the checked files mentions, neither directly nor through other
    functions, tables of handlers or arguments, and for steps that run when the module is imported. It reports a
    function once, at its first step. Where a function is handed around it is silent.

    ## Why is this bad?

    Outside a running workflow there is nothing to save a step in, so that the call raises `NotInWorkflow`.

    ## Example

    ```python
    async def main() -> None:
        await step("fetch-data", fetch)

    asyncio.run(main())
    ```

    ## Use instead

    ```python
    @workflow
    async def main() -> None:
        await step("fetch-data", fetch)

    flowgraph.run(main)
    ```
    """

    code = "FG201"
    name = "step-outside-workflow"
    severity = "warning"
    VALID = (
        """
        import flowgraph as fg

        async def helper() -> None:
            await step("a", work)

        async def deeper() -> None:
            await helper()

        async def listed() -> None:
            await step("b", work)

        HANDLERS = {"listed": listed}

        class Orders:
            async def ship(self) -> None:
                await step("c", work)

        async def parent() -> None:
            await step("d", work)

        @step("pay")
        async def pay() -> None:
            await step("e", work)

        LATER = lambda: step("f", work)

        @fg.workflow
        async def flow(orders: Orders, name: str) -> None:
            await deeper()
            await HANDLERS[name]()
            await orders.ship()
            await step("g", parent)
            await LATER()

            async def inner() -> None:
                await step("h", work)

            await inner()
        """,
        """
        import functools

        durable = workflow(timeout="1h")

        def quick(function):
            return workflow(name="quick")(function)

        @durable
        async def first() -> None:
            await step("a", work)

        @quick
        async def second() -> None:
            await step("b", work)

        async def third() -> None:
            await step("c", work)

        third_workflow = workflow(third)

        async def fourth() -> None:
            await step("d", work)

        fourth_workflow = quick(fourth)

        def make() -> object:
            @workflow
            async def made() -> None:
                await step("e", work)

            return made

        fetch = step("fetch")(work)
        """,
    )
    INVALID = (
        """
        async def main() -> None:
            await step("a", work)  # FG201
            await step("b", work)

        async def helper() -> None:
            await step("c", work)  # FG201

        async def calls_helper() -> None:
            await helper()

        class Orders:
            async def ship(self) -> None:
                await step.sleep("d", 5)  # FG201

        @step("pay")
        async def pay() -> None: ...

        async def pays() -> None:
            await pay()  # FG201

        @workflow
        async def flow() -> None:
            await step("e", work)

        step.progress("loaded")  # FG201

        if __name__ == "__main__":
            asyncio.run(main())
            asyncio.run(step("f", work))  # FG201
        """,
        """
        from fastapi import FastAPI
        import pytest

        app = FastAPI()

        @app.get("/")
        async def endpoint() -> None:
            await step("a", work)  # FG201

        @pytest.mark.asyncio
        async def test_it() -> None:
            def inner() -> object:
                return step("b", work)  # FG201

            await inner()
        """,
    )

    def facts(self, module: Module) -> Any:
        """What the file's workflows come to, what its definitions mention, and where it has steps."""
        mentions = Mentions(module)
        return {
            "reached": sorted([place_of(path, module.path), name] for path, name in mentions.reached),
            "anywhere": sorted(mentions.anywhere),
            "definitions": mentions.names_by_definition(),
            "steps": _steps(module),
        }

    def conclude(self, facts: Mapping[str, Any]) -> Iterator[Diagnostic]:
        """The functions with steps that nothing comes to."""
        reached = {
            (_file(Path(path).parent / place), name) for path, own in facts.items() for place, name in own["reached"]
        }
        anywhere = _closed({name for own in facts.values() for name in own["anywhere"]}, facts)
        for path, own in facts.items():
            here = _file(Path(path))
            for where in own["steps"]:
                if not any((here, name) in reached or name in anywhere for name in where["inside"]):
                    yield self._outside(path, where)

    def _outside(self, path: str, where: Mapping[str, Any]) -> Diagnostic:
        names, label = where["inside"], where["label"]
        if names:
            message = f"{label} is called in {names[0]}(), which no workflow of the checked files comes to"
            help_ = f"Make {names[0]} a workflow with @workflow, or call it from one."
        else:
            message = f"{label} is called at the top of the module, outside of any workflow"
            help_ = "Call it in a function under @workflow, and start that with flowgraph.run(…)."
        line, column, end_line, end_column = where["span"]
        return Diagnostic(
            self.code, self.name, self.severity, message, path, line, column, end_line, end_column,
            step=where["step"], help=help_,
        )  # fmt: skip


def _file(path: Path) -> str:
    return os.path.abspath(path)  # noqa: PTH100 (the other way follows links, and asks the disk)


def _closed(names: set[str], facts: Mapping[str, Any]) -> set[str]:
    """Names, and what is mentioned in any definition of these names."""
    mentioned: dict[str, set[str]] = defaultdict(set)
    for own in facts.values():
        for name, inside in own["definitions"].items():
            mentioned[name].update(inside)
    waiting = list(names)
    while waiting:
        new = mentioned.get(waiting.pop(), set()) - names
        names |= new
        waiting += new
    return names


def _steps(module: Module) -> list[dict[str, Any]]:
    """The steps at the top of the file, and the first one in each of its functions."""
    found: dict[ast.AST, dict[str, Any]] = {}
    for call in module.calls:
        around = list(module.around(call.node))
        if call.is_decorator or any(isinstance(node, ast.arguments) for node in around):
            continue
        functions = [node for node in around if isinstance(node, FunctionNode)]
        names = [node.name for node in reversed(functions)] or _of_lambda(around)
        if names is not None:
            found.setdefault(functions[-1] if functions else call.node, _where(module, call, names))
    return list(found.values())


def _of_lambda(around: list[ast.AST]) -> list[str] | None:
    """The names that a lambda around a step at the top of a file is given; None where it is handed around."""
    if not any(isinstance(node, ast.Lambda) for node in around):
        return []
    targets = [target for node in around if isinstance(node, ast.Assign) for target in node.targets]
    return [target.id for target in targets if isinstance(target, ast.Name)] or None


def _where(module: Module, call: StepCall, names: list[str]) -> dict[str, Any]:
    span = module.unit.span(call.place)
    place = [span.line, span.column, span.end_line, span.end_column]
    return {"inside": names, "span": place, "label": call.label, "step": call.step}
