"""FG205."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from flowgraph.lint.analysis.handlers import transactions
from flowgraph.lint.analysis.results import CALLED_WORKFLOW, COROUTINE, result_of
from flowgraph.lint.rule import Rule, related
from flowgraph.model.diagnostic import Edit, Fix
from flowgraph.model.graph import Span

if TYPE_CHECKING:
    from flowgraph.lint.module import Module, StepCall
    from flowgraph.model.diagnostic import Diagnostic


class CalledHandler(Rule):
    """A step is given what its handler returned, instead of the handler.

    ## What it does

    Looks for steps whose handler is written as a call that cannot give a function: the call of an `async def` function,
    of a step, of a workflow, or of a function that returns a plain value or nothing. Calls that may return a function,
    such as `functools.partial(…)` or one that makes handlers, are not reported. In the place of a child workflow
    (`step.execute_workflow`, `step.start_workflow`) it looks for coroutines and called workflows only, since a call may
    give a workflow's name.

    ## Why is this bad?

    The handler runs before the step, on every replay again, and the step then raises `DefinitionError`, because what it
    was given cannot be called. A workflow that is called raises it itself.

    ## Example

    ```python
    await step("fetch-data", fetch(url))
    ```

    ## Use instead

    ```python
    await step("fetch-data", fetch, url)
    ```
    """

    code = "FG205"
    name = "called-handler"
    severity = "error"
    VALID = (
        """
        from functools import partial
        from operator import itemgetter

        def maker(n: int):
            def handler() -> int:
                return n

            return handler

        def unknown(n: int) -> object:
            return work

        class Sender:
            def __call__(self) -> None: ...

            def handler(self):
                return work

        @step("pay")
        async def pay() -> None: ...

        @workflow
        async def flow(things: list[object]) -> None:
            await step("a", work)
            await step("b", partial(work, 1))
            await step("c", maker(3))
            await step("d", unknown(3))
            await step("e", Sender())
            await step("f", pay.named("again"))
            await step("g", lambda: work(1))
            await step.map("h", itemgetter(1), things)
            await step("i", Sender().handler())
            await step("j", things.pop())
            await step("k", await things[0]())
            await step("l", work, work(1))
            await step.transaction("m", work)
            await step.transaction("n", maker(3))
        """,
        """
        def pick(kind: str) -> str:
            return f"order-{kind}"

        def build() -> object:
            return child

        @workflow
        async def child(order: int) -> None: ...

        @workflow
        async def flow(things: list[object]) -> None:
            await step.execute_workflow("a", child, 1)
            await step.execute_workflow("b", "order-small", 1)
            await step.execute_workflow("c", pick("small"), 1)
            await step.start_workflow("d", str(things[0]))
            await step.start_workflow("e", await step("pick", pick, "small"))
            await step.start_workflow("f", build())
            await step.start_workflow("g", things.pop())
        """,
    )
    INVALID = (
        """
        async def fetch(url: str, times: int = 1) -> str:
            return url

        def save(data: str) -> None:
            print(data)

        def count(data: str):
            return {"n": 1}

        def rows():
            yield 1

        @step("pay")
        async def pay() -> None: ...

        @workflow
        async def flow(url: str) -> None:
            await step("a", fetch(url))  # FG205
            await step("b", fetch(url, times=2), max_attempts=3)  # FG205
            await step("c", save(url))  # FG205
            await step("d", count("x"))  # FG205
            await step("e", rows())  # FG205
            await step("f", pay())  # FG205
            await step("g", step("h", work))  # FG205
            await step("i", await fetch(url))  # FG205
            await step("j", await step("k", work))  # FG205
            await step.map("l", fetch(url), [1])  # FG205
            await step("m", print("hello"))  # FG205
            await step("n", asyncio.sleep(1))  # FG205
        """,
        """
        import time as clock

        import flowgraph as fg

        class Orders:
            async def load(self) -> int:
                return 1

            async def all(self) -> None:
                await fg.step("load", self.load())  # FG205
                await fg.step("wait", clock.sleep(1))  # FG205
                await fg.step(
                    "long",  # FG205
                    self.load(),
                    timeout="5s",
                )
        """,
        """
        async def save(connection: object) -> None: ...

        async def plain(order: int) -> None: ...

        @workflow
        async def child(order: int) -> None: ...

        @workflow
        async def flow(order: int) -> None:
            await step.transaction("a", save(order))  # FG205
            await step.execute_workflow("b", child(order))  # FG205
            await step.start_workflow("c", child(order=order), detached=True)  # FG205
            await step.start_workflow("d", plain(order))  # FG205
            await step.execute_workflow("e", step("f", work))  # FG205
            await step("g", child(order))  # FG205
        """,
    )

    def check(self, module: Module) -> Iterator[Diagnostic]:
        """The calls that stand where a handler should."""
        found = [*self._handlers(module), *self._children(module)]
        yield from sorted(found, key=lambda one: (one.line, one.column))

    def _handlers(self, module: Module) -> Iterator[Diagnostic]:
        for call in (*module.calls, *transactions(module)):
            given = None if call.handler is None else result_of(call.handler, call.names, call.function)
            if call.handler is not None and given is not None:
                yield self._called(module, call, call.handler, given)

    def _children(self, module: Module) -> Iterator[Diagnostic]:
        """A child may be the name of a workflow, which a call may give."""
        for call in module.calls:
            if call.kind in _STARTING and len(call.node.args) > 1:
                child = call.node.args[1]
                given = result_of(child, call.names, call.function)
                if given in (COROUTINE, CALLED_WORKFLOW):
                    yield self._called(module, call, child, given)

    def _called(self, module: Module, call: StepCall, handler: ast.expr, given: str) -> Diagnostic:
        called = handler.value if isinstance(handler, ast.Await) else handler
        assert isinstance(called, ast.Call)
        name = ast.unparse(called.func)
        message = f"{call.label} is given {given}: {name}() is called before the step, which cannot run it"
        elsewhere = handler.lineno != call.place.lineno
        places = [related(module.unit, handler, f"{name}() is called here")] if elsewhere else []
        help_ = f"Pass the function and its arguments: {_instead(call, called)}."
        return self.of_call(module, call, message, help=help_, related=places, fix=_fix(module, call, called))


_STARTING = frozenset({"execute_workflow", "start_workflow"})


def _instead(call: StepCall, called: ast.Call) -> str:
    """How the call is written with the function and its arguments."""
    function = ast.unparse(called.func)
    named = [ast.unparse(keyword) for keyword in called.keywords]
    if call.kind in _STARTING:
        name = "" if call.name_node is None else ast.unparse(call.name_node)
        return f"step.{call.kind}({', '.join([name, function, *map(ast.unparse, called.args), *named])})"
    if call.kind != "step" or named:
        given = ", ".join([function, *map(ast.unparse, called.args), *named])
        return f"functools.partial({given})" if called.args or named else function
    name = "" if call.name_node is None else ast.unparse(call.name_node)
    return f"step({', '.join([name, function, *map(ast.unparse, called.args)])})"


def _fix(module: Module, call: StepCall, called: ast.Call) -> Fix | None:
    """The function and its arguments in the place of its call; None where more than commas would have to move."""
    unit, handler = module.unit, call.handler
    if call.kind != "step" or call.name_node is None or handler is None or len(call.node.args) != 2 or called.keywords:
        return None
    if not all(isinstance(argument, ast.Name | ast.Attribute | ast.Constant) for argument in called.args):
        return None
    spans = [unit.span(node) for node in (called.func, *called.args)]
    opening = _between(spans[0], spans[1]) if called.args else _between(spans[0], _end(unit.span(called)))
    closing = _between(spans[-1], _end(unit.span(called)))
    before = _between(unit.span(call.name_node), unit.span(handler))
    start = _between(_start(unit.span(handler)), spans[0])
    if "(" in unit.written(before) or unit.written(start).strip() not in ("", "await"):
        return None
    if unit.written(opening).strip() != ("(" if called.args else "()"):
        return None
    if called.args and unit.written(closing).replace(",", "").strip() != ")":
        return None
    edits = [_edit(start, "")] if isinstance(handler, ast.Await) else []
    edits += [_edit(opening, ", "), _edit(closing, "")] if called.args else [_edit(opening, "")]
    return Fix("Pass the function and its arguments.", tuple(edits))


def _between(first: Span, second: Span) -> Span:
    return Span(first.end_line, first.end_column, second.line, second.column)


def _start(span: Span) -> Span:
    return Span(span.line, span.column, span.line, span.column)


def _end(span: Span) -> Span:
    return Span(span.end_line, span.end_column, span.end_line, span.end_column)


def _edit(span: Span, text: str) -> Edit:
    return Edit(span.line, span.column, span.end_line, span.end_column, text)
