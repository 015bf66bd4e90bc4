"""FG206."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from flowgraph.compiler import FunctionNode
from flowgraph.lint.analysis.handlers import function_of
from flowgraph.lint.analysis.iterations import Comprehension, outlived
from flowgraph.lint.rule import Rule, related

if TYPE_CHECKING:
    from flowgraph.lint.module import Module, StepCall
    from flowgraph.model.diagnostic import Diagnostic

Closure = ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef


class LateBindingHandler(Rule):
    """A handler takes the variable of a loop, and runs when the loop has moved on.

    ## What it does

    Looks for lambdas and nested functions that are handlers of steps in a loop or a comprehension, and that use its
    variable, where the step runs after the iteration: it is gathered, spawned as a task, or collected. A step that is
    awaited at once is fine, and so is a variable that is bound as a default or passed as an argument.

    ## Why is this bad?

    A function looks a variable up when it runs. By then the loop has ended, so that every step works on the last item,
    and each saves the result under the name of another one.

    ## Example

    ```python
    await asyncio.gather(*[step(f"fetch-{url}", lambda: fetch(url)) for url in urls])
    ```

    ## Use instead

    ```python
    await asyncio.gather(*[step(f"fetch-{url}", fetch, url) for url in urls])
    ```
    """

    code = "FG206"
    name = "late-binding-handler"
    severity = "error"
    VALID = (
        """
        from functools import partial

        @workflow
        async def flow(urls: list[str], limit: int) -> None:
            for url in urls:
                await step(f"a-{url}", lambda: work(url))
            results = [await step(f"b-{url}", lambda: work(url)) for url in urls]
            await asyncio.gather(*[step(f"c-{url}", work, url) for url in urls])
            await asyncio.gather(*[step(f"d-{url}", lambda url=url: work(url)) for url in urls])
            await asyncio.gather(*[step(f"e-{url}", partial(work, url)) for url in urls])
            await asyncio.gather(*[step(f"f-{url}", lambda: work(limit)) for url in urls])
            await asyncio.gather(*[step(f"g-{url}", lambda one: work(one), url) for url in urls])
            await asyncio.gather(*[step(f"h-{i}", lambda: [work(i) for i in urls]) for i in urls])
            for call in (step(f"i-{url}", lambda: work(url)) for url in urls):
                await call
        """,
        """
        @workflow
        async def flow(groups: list[list[str]]) -> None:
            for group in groups:
                await asyncio.gather(*[step(f"a-{name}", lambda: work(group)) for name in group])
                tasks = []
                for name in group:
                    tasks.append(step(f"b-{name}", lambda: work(group)))
                await asyncio.gather(*tasks)
                async with asyncio.TaskGroup() as tasks_of_group:
                    tasks_of_group.create_task(step(f"c-{group}", lambda: work(group)))
                task = asyncio.create_task(step(f"d-{group}", lambda: work(group)))
                await task
            done = []
            for group in groups:
                call = step(f"i-{group}", lambda: work(group))
                done.append(await call)
            count = 0
            report = []
            for group in groups:
                count += len(group)
                report.append(step(f"h-{group}", lambda: work(count)))
            await asyncio.gather(*report)
            shared = []
            for group in groups:
                shared.append(step(f"e-{group}", lambda: work(group)))
                await shared[-1]
            for group in groups:
                asyncio.create_task(step(f"f-{group}", lambda: work(group)))
                await step(f"g-{group}", work)
        """,
    )
    INVALID = (
        """
        @workflow
        async def flow(urls: list[str]) -> None:
            await asyncio.gather(*[step(f"a-{url}", lambda: work(url)) for url in urls])  # FG206
            await asyncio.gather(*(step(f"b-{url}", lambda: work(url)) for url in urls))  # FG206
            calls = {url: step(f"c-{url}", lambda: work(url)) for url in urls}  # FG206
            await asyncio.gather(*calls.values())
            tasks = []
            for url in urls:
                tasks.append(step(f"d-{url}", lambda: work(url)))  # FG206
            for number, url in enumerate(urls):
                tasks.append(asyncio.create_task(step(f"e-{number}", lambda: work(number))))  # FG206
            for url in urls:
                clean = url.strip()
                tasks += [step(f"f-{url}", lambda: work(clean))]  # FG206
            await asyncio.gather(*tasks)
            for url in urls:
                task = asyncio.create_task(step(f"h-{url}", lambda: work(url)))  # FG206
                tasks.append(task)
            async with asyncio.TaskGroup() as group:
                for url in urls:
                    group.create_task(step(f"g-{url}", lambda: work(url)))  # FG206
        """,
        """
        import flowgraph as fg

        @fg.workflow
        async def flow(urls: list[str]) -> None:
            tasks = []
            number = 0
            while number < 3:
                tasks.append(fg.step(f"a-{number}", lambda: work(number)))  # FG206
                number += 1
            waiting = {}
            for url in urls:

                async def fetch() -> object:
                    return await work(url)

                waiting[url] = fg.step(f"b-{url}", fetch)  # FG206
            for url in urls:
                tasks.append(
                    fg.step.map(
                        f"c-{url}",  # FG206
                        lambda item: work(item, url),
                        [1, 2],
                    )
                )
            await asyncio.gather(*tasks, *waiting.values())
        """,
    )

    def check(self, module: Module) -> Iterator[Diagnostic]:
        """The handlers that are functions of their place."""
        for call in module.calls:
            found = None if call.handler is None else function_of(call.handler, call.names)
            if found is None or found[1].unit is not module.unit:
                continue
            handler, taken = found[0], _taken(found[0])
            for loop, changing in outlived(module, call.node, call.names):
                if taken & changing and _is_inside(module, handler, loop, call):
                    yield self._late(module, call, handler, min(taken & changing), loop)
                    break

    def _late(self, module: Module, call: StepCall, handler: Closure, name: str, loop: ast.AST) -> Diagnostic:
        kind = "comprehension" if isinstance(loop, Comprehension) else "loop"
        message = f"the handler of {call.label} takes {name!r} when it runs, and by then the {kind} has moved on"
        what = "the lambda" if isinstance(handler, ast.Lambda) else f"{handler.name}()"
        places = [related(module.unit, handler, f"{what} takes {name!r}")] if _is_apart(handler, call) else []
        return self.of_call(module, call, message, help=_help(handler, name), related=places)


def _taken(function: Closure) -> frozenset[str]:
    """The names that a function takes from around it when it runs; its defaults are evaluated before."""
    body: list[ast.AST] = [function.body] if isinstance(function, ast.Lambda) else list(function.body)
    used = [node for part in body for node in ast.walk(part) if isinstance(node, ast.Name)]
    own = {argument.arg for argument in ast.walk(function.args) if isinstance(argument, ast.arg)}
    own |= {node.id for node in used if isinstance(node.ctx, ast.Store)}
    return frozenset(node.id for node in used) - own


def _is_inside(module: Module, handler: Closure, loop: ast.AST, call: StepCall) -> bool:
    """Tell whether a name of the loop is the same in the handler: it is written there, or in the same function."""
    if isinstance(loop, Comprehension):
        return any(parent is loop for parent in module.around(handler))
    scope = next((parent for parent in module.around(handler) if isinstance(parent, FunctionNode)), None)
    return scope is not None and scope is call.function


def _is_apart(handler: Closure, call: StepCall) -> bool:
    return handler.lineno != call.place.lineno


def _help(handler: Closure, name: str) -> str:
    match handler:
        case ast.Lambda(body=ast.Call(func=func, args=args, keywords=[]), args=ast.arguments(args=[])) if args:
            return f"Pass the function and its arguments: {', '.join(map(ast.unparse, [func, *args]))}."
        case ast.Lambda():
            return f"Bind the value when the lambda is made, with the default {name}={name}, or pass it as an argument."
    return f"Give {handler.name} the parameter {name}, and pass the value to the step after the handler."
