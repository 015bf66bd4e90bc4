"""FG403."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from flowgraph.lint.analysis.changes import Change, changes, matters
from flowgraph.lint.rule import Rule, related

if TYPE_CHECKING:
    from flowgraph.lint.module import Module
    from flowgraph.model.diagnostic import Diagnostic


class MutationInStep(Rule):
    """A handler changes a variable that it captured or was given, and the workflow goes on with it.

    ## What it does

    Looks at the handlers of steps for what they change of the variables around them, and of their arguments: `nonlocal`
    and `global` ones that they assign, lists, dicts and sets with `append`, `update`, `d[k] = …` and the like,
    attributes of objects that the workflow made. It reports those that the workflow reads afterwards.

    ## Why is this bad?

    On a replay the step returns its saved result and its handler does not run, so the change does not happen: the
    workflow goes on with an empty list. A second attempt makes the change twice.

    ## Example

    ```python
    rows = []
    await step("load", lambda: rows.extend(load(source)))
    await step("store", store, rows)
    ```

    ## Use instead

    ```python
    rows = await step("load", load, source)
    await step("store", store, rows)
    ```
    """

    code = "FG403"
    name = "mutation-in-step"
    severity = "error"
    VALID = (
        """
        @workflow
        async def flow(items: list[str], client: object, names: list[str]) -> object:
            results = []
            results.append(await step("a", work))

            async def one(item: str) -> None:
                results.append(await step(f"b-{item}", work, item))

            await asyncio.gather(*(one(item) for item in items))

            def count() -> int:
                local = []
                local.append(1)
                for results_ in [[1]]:
                    results_.append(2)
                return len(local)

            await step("c", count)

            def shadow(results: list[int]) -> None:
                results.append(1)

            await step("d", shadow, [])
            await step("e", lambda results: results.append(1), [])
            await step("f", lambda: client.append(1))
            await step("g", lambda: client.send(results))
            print(client)
            return results
        """,
        """
        # Only the handler looks at it, or it was looked at before; or it may be something that writes to a database.
        class Shelf:
            def append(self, value: int) -> None: ...

        @workflow
        async def flow(shelf: Shelf, fast: bool) -> None:
            attempts = 0
            print(attempts)

            async def flaky() -> None:
                nonlocal attempts
                attempts += 1
                if attempts < 3:
                    raise ValueError("again")

            await step("a", flaky)
            seen: set[int] = set()
            await step("b", lambda: seen.add(1) or len(seen))
            await step("c", lambda: shelf.append(1))
            rows = [] if fast else shelf
            await step("d", lambda: rows.append(1))
            return (shelf, rows)
        """,
        """
        # What is around the workflow is none of its variables: a test looks at what ran.
        CALLS: list[int] = []

        async def test_it() -> None:
            calls = []

            @step("x")
            async def x() -> None:
                calls.append(1)

            async def noted() -> None:
                calls.append(2)
                CALLS.append(2)

            @workflow
            async def flow() -> None:
                await x()
                await step("a", noted)
                await step("b", lambda: calls.append(3))
                print(calls)

            assert calls == [1, 2, 3]
            assert CALLS == [2]
        """,
    )
    INVALID = (
        """
        from functools import partial

        @workflow
        async def flow(items: list[str], given: list[str]) -> object:
            results = []
            await step("a", lambda: results.append(1))  # FG403
            table: dict[str, int] = {}

            async def fill() -> None:
                table["a"] = 1  # FG403
                del table["b"]  # FG403
                table["c"] += 1  # FG403
                table.update(d=1)  # FG403

            await step("b", fill)
            total = 0

            def add(item: str) -> None:
                nonlocal total
                total += len(item)  # FG403

            await step.map("c", add, items)
            await step("d", results.append, 1)  # FG403
            await step("e", partial(results.extend, items))  # FG403
            await step("f", lambda: given.sort())  # FG403
            loaded = await step("load", work)

            async def mend() -> None:
                loaded.name = "x"  # FG403

            await step("g", mend)
            return results, table, total, given, loaded
        """,
        """
        def fill(rows: list[int], more: int, copy: list[int]) -> None:
            rows.append(more)  # FG403
            copy = list(copy)
            copy.append(more)

        @step("sort")
        async def sort(rows: list[int]) -> list[int]:
            rows.sort()  # FG403
            return rows

        @step("tidy")
        async def tidy(rows: list[int]) -> None:
            rows.clear()

        @workflow
        async def flow(items: list[int]) -> object:
            rows, more = [], 3
            first: list[int] = []
            await step("fill", fill, first, more, items)
            await sort(items)
            rows = [1]
            await tidy(rows)
            return first, items
        """,
        """
        import collections
        from types import SimpleNamespace

        import flowgraph as fg

        class State:
            count = 0

        COUNT = 0

        async def parent() -> int:
            found = set()

            async def child() -> None:
                found.add(1)  # FG403

            await fg.step("child", child)
            return len(found)

        def count() -> None:
            global COUNT
            COUNT += 1  # FG403

        @fg.workflow
        async def flow(items: list[str]) -> object:
            state = State()
            groups = collections.defaultdict(list)
            space = SimpleNamespace(x=1)

            def note(item: str) -> None:
                groups[item].append(item)  # FG403

            async def change(item: str) -> None:
                state.count += 1  # FG403
                note(item)

            @fg.step("decorated")
            async def decorated() -> None:
                space.x = 2  # FG403

            for item in items:
                print(groups)
                await fg.step(f"change-{item}", change, item)
            await decorated()
            await fg.step("parent", parent)
            await fg.step("count", count)
            return state.count, space, COUNT
        """,
    )

    def check(self, module: Module) -> Iterator[Diagnostic]:
        """Every handler that is known, and methods of containers that are handlers themselves."""
        found: dict[ast.AST, Diagnostic] = {}
        for change in changes(module):
            if change.mutation.node not in found and matters(module, change):
                found[change.mutation.node] = self._changed(module, change)
        yield from sorted(found.values(), key=lambda one: (one.line, one.column))

    def _changed(self, module: Module, change: Change) -> Diagnostic:
        variable, call = change.mutation.variable, module.call_at(change.call)
        template = None if call is None else call.template
        return self.found(
            module.unit, change.mutation.node,
            f"{change.handler} changes {variable!r}, which does not happen when the run is replayed and step "
            f"{_label(change.call)} is finished",
            help=f"Return the value from the handler, and change {variable!r} in the workflow with the step's result.",
            workflow=module.workflow_of(change.call), step=None if template is None else str(template),
            related=[related(module.unit, change.call, "the step is here")],
        )  # fmt: skip


def _label(call: ast.Call) -> str:
    return ast.unparse(call.args[0]) if call.args else "this"
