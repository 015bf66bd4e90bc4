"""FG404."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from flowgraph.lint.analysis.durable import reached
from flowgraph.lint.analysis.origins import shown
from flowgraph.lint.analysis.sets import has_equal_kinds, is_set
from flowgraph.lint.rule import Rule, related
from flowgraph.model.diagnostic import Diagnostic, Edit, Fix

if TYPE_CHECKING:
    from flowgraph.compiler import FunctionNode, Names
    from flowgraph.lint.module import Module, StepCall

_FAN_OUTS = frozenset({"map", "for_each", "batch"})
_COMPREHENSIONS: tuple[type[ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp], ...] = (
    ast.ListComp,
    ast.SetComp,
    ast.GeneratorExp,
    ast.DictComp,
)


class UnorderedIteration(Rule):
    """A set says in which order steps run.

    ## What it does

    Looks for loops and comprehensions over a set, or a frozenset, with steps in them, and for a `step.map`,
    `step.for_each` or `step.batch` without `key=` whose items are a set.

    ## Why is this bad?

    The order of a set of texts is another one in each process, so a replay goes through it in another order than the
    first time: the steps come in another order, and what is numbered or stopped at a certain item differs. A map
    without keys knows its items by their place, and refuses them with `ItemsChanged`.

    ## Example

    ```python
    for user in set(users):
        await step(f"notify-{user}", notify, user)
    ```

    ## Use instead

    ```python
    for user in sorted(set(users)):
        await step(f"notify-{user}", notify, user)
    ```
    """

    code = "FG404"
    name = "unordered-iteration"
    severity = "warning"
    VALID = (
        """
        @workflow
        async def flow(users: list[str], tags: set[str], table: dict[str, int]) -> None:
            for user in users:
                await step(f"a-{user}", work, user)
            for tag in sorted(tags):
                await step(f"b-{tag}", work, tag)
            for name in table.keys():
                await step(f"c-{name}", work, name)
            longest = max(len(tag) for tag in tags)
            for tag in tags:
                longest += len(tag)
            for number in range(len(tags)):
                await step(f"d-{number}", work, longest)
            await step.map("e", work, tags, key=str)
            await step.map("f", work, sorted(tags))
            await step("g", work, tags)
            unique = list(dict.fromkeys(users))
            for user in unique:
                await step(f"h-{user}", work)
            for only in {"x"}:
                await step(f"i-{only}", work)
        """,
        """
        # Names of its own, and one that stands for two things.
        def set(values: list[str]) -> list[str]:
            return values

        @workflow
        async def flow(users: list[str], ordered: bool) -> None:
            for user in set(users):
                await step(f"a-{user}", work)
            chosen = frozenset(users)
            if ordered:
                chosen = sorted(users)
            for user in chosen:
                await step(f"b-{user}", work)
        """,
    )
    INVALID = (
        """
        import flowgraph as fg

        async def notify(user: str) -> None:
            await fg.step(f"notify-{user}", work, user)

        @workflow
        async def flow(users: list[str], tags: set[str], others: "frozenset[str]") -> None:
            for user in set(users):  # FG404
                await step(f"a-{user}", work, user)
            for tag in tags:  # FG404
                await step(f"b-{tag}", work, tag)
            for number, tag in enumerate(tags):  # FG404
                await step(f"c-{number}", work, tag)
            for tag in list(tags | others):  # FG404
                await notify(tag)
            await asyncio.gather(*(step(f"d-{tag}", work, tag) for tag in others))  # FG404
            found = [await step(f"e-{tag}", work, tag) for tag in {"x", "y"}]  # FG404
            unique = {user.lower() for user in users}
            for user in unique:  # FG404
                await step(f"f-{user}", work, user)
            async with asyncio.TaskGroup() as group:
                for user in unique - tags:  # FG404
                    group.create_task(notify(user))
            await step.map("g", work, tags)  # FG404
            await step.for_each("h", work, frozenset(users))  # FG404
            await step.batch("i", work, tags.union(users), batch_size=2)  # FG404
        """,
        """
        async def load() -> set[str]: ...

        async def parent(names: set[str]) -> None:
            for name in names:  # FG404
                await step(f"child-{name}", work)

        @workflow
        async def flow() -> None:
            names = await step("load", load)
            for name in names:  # FG404
                await step(f"a-{name}", work)
            others: set[str] = await step("others", work)
            for name in others:  # FG404
                await step(f"b-{name}", work)
            await step("parent", parent, names)
        """,
    )

    def check(self, module: Module) -> Iterator[Diagnostic]:
        """Every loop, comprehension and map of the file."""
        found = [*self._loops(module), *self._comprehensions(module), *self._fan_outs(module)]
        yield from sorted(found, key=lambda one: (one.line, one.column))

    def _loops(self, module: Module) -> Iterator[Diagnostic]:
        for node, names, function in module.each(ast.For):
            if is_set(node.iter, names):
                yield from self._driving(module, node.iter, list(node.body), names, function)

    def _comprehensions(self, module: Module) -> Iterator[Diagnostic]:
        for kind in _COMPREHENSIONS:
            for node, names, function in module.each(kind):
                for clause in node.generators:
                    if is_set(clause.iter, names):
                        parts = [part for part in ast.iter_child_nodes(node) if part is not node.generators[0]]
                        yield from self._driving(module, clause.iter, [*parts, *clause.ifs], names, function)

    def _driving(
        self, module: Module, items: ast.expr, body: list[ast.AST], names: Names, function: FunctionNode | None
    ) -> Iterator[Diagnostic]:
        found = next(reached(body, names, function), None)
        if found is not None:
            message = f"the steps come in the order of the set `{shown(items)}`, which differs when the run is replayed"
            yield self.found(
                module.unit, items, message, help=f"Give it an order: `sorted({shown(items)})`.",
                workflow=module.workflow_of(items), step=str(found.step.template or "") or None,
                related=[related(module.unit, found.node, f"step {found.step.label} is called here")],
                fix=_fix(module, items, names),
            )  # fmt: skip

    def _fan_outs(self, module: Module) -> Iterator[Diagnostic]:
        for call in module.calls:
            items = _items(call)
            if items is not None and call.option("key") is None and is_set(items, call.names):
                text = shown(items)
                keys = "" if call.kind == "batch" else ", or pass `key=`, which gives each item an identity"
                yield self.found(
                    module.unit, items,
                    f"step.{call.kind} {call.label} knows the items of the set `{text}` by their order, which differs "
                    f"when the run is replayed",
                    help=f"Give it an order: `sorted({text})`{keys}.", workflow=module.workflow_of(items),
                    step=str(call.template or "") or None, fix=_fix(module, items, call.names),
                )  # fmt: skip


def _items(call: StepCall) -> ast.expr | None:
    if call.kind not in _FAN_OUTS:
        return None
    if len(call.node.args) > 2 and not any(isinstance(one, ast.Starred) for one in call.node.args[:3]):
        return call.node.args[2]
    return call.option("items")


def _fix(module: Module, items: ast.expr, names: Names) -> Fix | None:
    """Sort them, where all are of one kind that has an order."""
    if not has_equal_kinds(items, names):
        return None
    span = module.unit.span(items)
    before = Edit(span.line, span.column, span.line, span.column, "sorted(")
    after = Edit(span.end_line, span.end_column, span.end_line, span.end_column, ")")
    return Fix(f"Sort `{shown(items)}`", (before, after))
