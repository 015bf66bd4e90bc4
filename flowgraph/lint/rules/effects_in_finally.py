"""FG306."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from flowgraph.lint.analysis.durable import WAITS, Reached, own_nodes, reached
from flowgraph.lint.analysis.effects import acts_at_its_end, effects, removes
from flowgraph.lint.analysis.origins import shown
from flowgraph.lint.rule import Rule, related
from flowgraph.model.graph import Span

if TYPE_CHECKING:
    from flowgraph.compiler import FunctionNode, Names, Unit
    from flowgraph.lint.module import Module
    from flowgraph.model.diagnostic import Diagnostic

_TRIES: tuple[type[ast.Try | ast.TryStar], ...] = (ast.Try, ast.TryStar)
_WITHS: tuple[type[ast.With | ast.AsyncWith], ...] = (ast.With, ast.AsyncWith)
_HELP = "Do it in a step after the wait, or put the block into a step's handler that has no durable wait in it."


class EffectsInFinally(Rule):
    """A `finally` or `async with` around a durable wait acts whenever the run suspends.

    ## What it does

    Looks for a `finally` that calls something, and for an `async with`, around `step.sleep`, `step.listen` and the
    other waits for which a run suspends; also for a `with` whose temporary files are deleted at its end.

    ## Why is this bad?

    A run that suspends is unwound: each `finally` and each `__aexit__` runs when the wait *begins*, and again at the
    end. What they remove or close is gone while the run sleeps, and also when it goes on.

    ## Example

    ```python
    try:
        await step("upload", upload, path)
        await step.sleep("pause", "1h")
    finally:
        os.remove(path)
    ```

    ## Use instead

    ```python
    await step("upload", upload, path)
    await step.sleep("pause", "1h")
    await step("clean-up", os.remove, path)
    ```
    """

    code = "FG306"
    name = "effects-in-finally"
    severity = "warning"
    VALID = (
        """
        import os

        @workflow
        async def flow(path: str) -> None:
            try:
                await step("a", work)
            finally:
                os.remove(path)
            await step.sleep("pause", "1h")
            try:
                await step.sleep("b", "1h")
            finally:
                await step("clean-up", os.remove, path)
        """,
        """
        import contextvars
        import logging
        import time

        log = logging.getLogger(__name__)
        current = contextvars.ContextVar("current")

        async def tidy() -> None:
            await step("tidy", work)

        @workflow
        async def flow(names: list[str]) -> None:
            token = current.set(1)
            lock = asyncio.Lock()
            try:
                await step.listen("go")
            finally:
                log.info("over at %s", time.monotonic())
                logging.debug("over")
                names.append("x")
                current.reset(token)
                print(len(names))
                busy = False
                await tidy()
            async with asyncio.TaskGroup() as group:
                group.create_task(step.sleep("a", 1))
            async with lock, asyncio.timeout(5):
                await step.sleep("b", 1)
        """,
        """
        # Only where all went well, which a suspension is not; or where the wait is in a handler of its own.
        import os
        import tempfile

        async def send(path: str) -> None: ...

        @workflow
        async def flow(path: str) -> None:
            done = False
            try:
                await step.sleep("a", 1)
                done = True
            finally:
                if done:
                    os.remove(path)
            try:
                task = asyncio.create_task(step.sleep("b", 1))
            finally:
                os.remove(path)
            await task
            with tempfile.TemporaryDirectory() as folder:
                await step("send", send, folder)
            with open(path) as file:
                await step.sleep("c", 1)

        async def elsewhere(path: str) -> None:
            try:
                await asyncio.sleep(1)
            finally:
                os.remove(path)
        """,
        """
        import contextlib

        @contextlib.asynccontextmanager
        async def quiet():
            print("begin")
            try:
                yield
            finally:
                print("end")

        @workflow
        async def flow() -> None:
            async with quiet():
                await step.sleep("a", 1)
        """,
    )
    INVALID = (
        """
        import os

        @workflow
        async def flow(path: str) -> None:
            try:
                await step.sleep("a", "1h")
            finally:  # FG306
                os.remove(path)
            try:
                await step("b", work)
            except StepFailed:
                await step.listen("repaired")
            # The words of a comment: finally:
            finally:  # FG306
                if os.path.exists(path):
                    os.unlink(path)
        """,
        """
        import flowgraph as fg
        from pathlib import Path

        class Client:
            async def __aenter__(self) -> "Client": ...
            async def __aexit__(self, *rest: object) -> None: ...
            async def close(self) -> None: ...

        def clean_up(path: str) -> None:
            Path(path).unlink()

        async def nap() -> None:
            await fg.step.sleep("nap", 5)

        @fg.workflow
        async def flow(path: str, client: Client, child: str) -> None:
            async with Client() as other:  # FG306
                await nap()
            async with client:  # FG306
                await fg.step.execute_workflow("child", child)
            try:
                await fg.step.listen("go")
            finally:  # FG306
                clean_up(path)
            try:
                await asyncio.gather(fg.step.sleep("a", 1), fg.step.sleep("b", 1))
            finally:  # FG306
                await client.close()
        """,
        """
        # In handlers that wait, and with a step whose handler waits.
        import contextlib
        import os
        import tempfile

        async def parent(path: str) -> None:
            try:
                await step.sleep("inner", "1d")
            finally:  # FG306
                os.remove(path)

        @contextlib.asynccontextmanager
        async def rented():
            await work()
            try:
                yield
            finally:
                await work("give back")

        @workflow
        async def flow(path: str) -> None:
            async with rented():  # FG306
                await step("outer", parent, path)
            with tempfile.TemporaryDirectory() as folder:  # FG306
                await step("fill", work, folder)
                await step.sleep("a", "1d")
            async with asyncio.timeout(10), rented():  # FG306
                await step.sleep_until("b", work)
        """,
    )

    def check(self, module: Module) -> Iterator[Diagnostic]:
        """Every ``try`` with a ``finally``, and every ``with``, of the file."""
        found = [*self._finals(module), *self._managers(module)]
        yield from sorted(found, key=lambda one: (one.line, one.column))

    def _finals(self, module: Module) -> Iterator[Diagnostic]:
        for kind in _TRIES:
            for node, names, function in module.each(kind):
                if not node.finalbody or function is None:
                    continue
                effect = next(effects(_always(node), names, function), None)
                before = [*node.body, *node.handlers, *node.orelse]
                if effect is not None and (wait := _wait(before, names, function)) is not None:
                    what = f"this `finally` calls {shown(effect.func)}()"
                    yield self._acting(module, _word_finally(module.unit, node), what, node, wait)

    def _managers(self, module: Module) -> Iterator[Diagnostic]:
        for kind in _WITHS:
            acts = acts_at_its_end if kind is ast.AsyncWith else removes
            for node, names, function in module.each(kind):
                if function is None:
                    continue
                item = next((item.context_expr for item in node.items if acts(item.context_expr, names)), None)
                if item is not None and (wait := _wait(node.body, names, function)) is not None:
                    word = "async with" if isinstance(node, ast.AsyncWith) else "with"
                    what = f"`{word} {shown(item)}` is left"
                    yield self._acting(module, _head(module.unit, node, item), what, node, wait)

    def _acting(self, module: Module, place: Span, what: str, node: ast.AST, wait: Reached) -> Diagnostic:
        when = f"whenever the run suspends at step {wait.step.label}, not only at the end"
        return self.found(
            module.unit, place, f"{what} {when}", help=_HELP, workflow=module.workflow_of(node),
            step=str(wait.step.template or "") or None,
            related=[related(module.unit, wait.node, "the run suspends here")],
        )  # fmt: skip


def _wait(body: Iterable[ast.AST], names: Names, function: FunctionNode) -> Reached | None:
    return next((found for found in reached(body, names, function, WAITS) if found.awaited), None)


def _always(node: ast.Try | ast.TryStar) -> Iterator[ast.AST]:
    """What a ``finally`` does, without what it does only if the block came to its end."""
    flags = {
        target.id
        for one in own_nodes([*node.body, *node.orelse])
        if isinstance(one, ast.Assign) and isinstance(one.value, ast.Constant)
        for target in one.targets
        if isinstance(target, ast.Name)
    }
    for statement in node.finalbody:
        guarded = isinstance(statement, ast.If) and isinstance(statement.test, ast.Name) and statement.test.id in flags
        if not guarded:
            yield statement


def _word_finally(unit: Unit, node: ast.Try | ast.TryStar) -> Span:
    """The place of the word ``finally``: the last one at the indentation of the ``try`` before what it holds."""
    column = unit.span(node).column
    first = node.finalbody[0].lineno
    for line in range(first, node.lineno, -1):
        text = unit.line(line)
        if text.startswith("finally", column - 1) and not text[: column - 1].strip():
            return Span(line, column, line, column + len("finally"))
    return unit.span(node.finalbody[0])


def _head(unit: Unit, node: ast.With | ast.AsyncWith, item: ast.expr) -> Span:
    """The place of ``async with`` and the context manager."""
    whole, last = unit.span(node), unit.span(item)
    return Span(whole.line, whole.column, last.end_line, last.end_column)
