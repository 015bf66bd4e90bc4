"""FG108."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from flowgraph.compiler import Defined, Foreign, FunctionNode, words
from flowgraph.lint.analysis.constants import UNKNOWN, constant
from flowgraph.lint.rule import Rule

if TYPE_CHECKING:
    from flowgraph.compiler import Names
    from flowgraph.lint.module import Module, StepCall
    from flowgraph.model.diagnostic import Diagnostic

_NOT_TEXT = frozenset(
    {
        "bool",
        "bytearray",
        "bytes",
        "dict",
        "float",
        "frozenset",
        "id",
        "int",
        "len",
        "list",
        "range",
        "round",
        "set",
        "sorted",
        "sum",
        "tuple",
    }
)
"""Builtins that give no text."""

_NO_ARTICLE = {"NoneType": "None"}


class MissingName(Rule):
    """A step has no name, or one that is not text.

    ## What it does

    Looks for calls of `step` and its words whose first argument is missing, or is something else than text: a function,
    a number, a list. `step`, `step.execute_workflow` and `step.start_workflow` take the name by position only, so
    `step(name="…")` has none.

    ## Why is this bad?

    A step is known by its name. The call raises `InvalidName` or another error when the run reaches it.

    ## Example

    ```python
    await step(fetch, url)
    ```

    ## Use instead

    ```python
    await step("fetch-data", fetch, url)
    ```
    """

    code = "FG108"
    name = "missing-name"
    severity = "error"
    VALID = (
        """
        from enum import StrEnum

        NAME = "a"
        LATER: str

        class Kind(StrEnum):
            PAY = "pay"

        @step("pay")
        async def pay() -> None: ...

        @workflow
        async def flow(name: str, number: int, names: list[str], args: list[object], options: dict[str, str]) -> None:
            await step(NAME, work)
            await step(Kind.PAY, work)
            await step(name, work)
            await step(names[0], work)
            await step(f"{number}", work)
            await step("n-" + str(number), work)
            await step(name.upper(), work)
            await step(*args)
            await step.sleep(name="b", duration=5)
            await step.sleep(**options)
            await step.progress(message="c", done=1)
            await step.map(name="d", handler=work, items=names)
            await step.listen("e")
            await pay()
            await pay.named("f")()
            number = str(number)
            await step(number, work)
            step.fail("no")
        """,
        """
        def other(step: object, steps: list[object]) -> None:
            step()
            step(work)

        def hidden(all: list[object]) -> None:
            print([step(work) for step in all], sorted(all, key=lambda step: step(5)))

        async def fetch() -> None: ...

        named = step("fetch")(fetch)
        """,
    )
    INVALID = (
        """
        from functools import partial
        import flowgraph as fg

        LIMIT = 5

        @step("pay")
        async def pay() -> None: ...

        @workflow
        async def flow(number: int, items: list[str]) -> None:
            await step()  # FG108
            await step(work)  # FG108
            await step(work, 1)  # FG108
            await step(lambda: 1)  # FG108
            await step(5, work)  # FG108
            await step(LIMIT, work)  # FG108
            await step(None, work)  # FG108
            await step(b"a", work)  # FG108
            await step(["a"], work)  # FG108
            await step(number, work)  # FG108
            await step(len(items), work)  # FG108
            await step(name="a", handler=work)  # FG108
            await step.sleep()  # FG108
            await step.sleep(5)  # FG108
            await step.map(work, items)  # FG108
            await step.progress(done=1)  # FG108
            await step.listen(event="go")  # FG108
            await step.start_workflow(name="a", child="b")  # FG108
            await step(pay)  # FG108
            await pay.named()()  # FG108
            await pay.named(3)()  # FG108
            await fg.step([item for item in items], work)  # FG108
        """,
        """
        import flowgraph as fg

        @step  # FG108
        async def pay() -> None: ...

        class Orders:
            @fg.step()  # FG108
            async def ship(self) -> None: ...

            @fg.step  # FG108
            async def pack(self) -> None: ...
        """,
    )

    def check(self, module: Module) -> Iterator[Diagnostic]:
        """The calls, and the decorators that are written without parentheses."""
        found = [*self._calls(module), *self._decorators(module)]
        yield from sorted(found, key=lambda one: (one.line, one.column))

    def _calls(self, module: Module) -> Iterator[Diagnostic]:
        for call in module.calls:
            if call.kind in words.WITHOUT_NAME or (call.decorated is not None and not _is_renamed(call)):
                continue
            if call.name_node is not None:
                if (kind := _not_text(call.name_node, call.names)) is not None:
                    message = f"the name of {_word(call)} is {kind}, not text: {ast.unparse(call.name_node)}"
                    yield self.of_call(module, call, message, help=_help(call))
            elif not _may_have_one(call):
                given = call.option("name")
                why = f"{_word(call)} has no name" if given is None else f"{_word(call)} takes its name by position"
                flow = module.workflow_of(call.node)
                yield self.found(module.unit, given or call.node, why, help=_help(call), workflow=flow)

    def _decorators(self, module: Module) -> Iterator[Diagnostic]:
        for node, names, _ in module.functions():
            for decorator in node.decorator_list:
                meaning = names.meaning_of(decorator)
                if isinstance(meaning, Foreign) and words.step_kind(meaning.name) == "step":
                    text = f'Write @{ast.unparse(decorator)}("{node.name.replace("_", "-")}").'
                    yield self.found(module.unit, decorator, f"the step {node.name}() has no name", help=text)


def _is_renamed(call: StepCall) -> bool:
    return call.decorated is not None and isinstance(call.node.func, ast.Call)


def _may_have_one(call: StepCall) -> bool:
    """Tell whether the name may be among arguments that are unpacked."""
    node = call.node.func if _is_renamed(call) and isinstance(call.node.func, ast.Call) else call.node
    if node.args and isinstance(node.args[0], ast.Starred):
        return True
    return call.kind not in words.POSITIONAL and any(keyword.arg is None for keyword in node.keywords)


def _not_text(node: ast.expr, names: Names) -> str | None:
    """What a name is that is no text; None where it may be text."""
    value = constant(node, names)
    if value is not UNKNOWN:
        kind = type(value).__name__
        return None if isinstance(value, str) else _NO_ARTICLE.get(kind, f"a value of type {kind}")
    match node:
        case ast.Lambda():
            return "a function"
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            return "a collection"
        case ast.Compare() | ast.UnaryOp(op=ast.Not()):
            return "a value of type bool"
        case ast.Call(func=ast.Name(id=name)) if name in _NOT_TEXT and not names.binds(name):
            return f"what {name}() gives"
    meaning = names.meaning_of(node)
    if isinstance(meaning, Defined):
        return None if meaning.member else "a function"
    return _of_parameter(node.id, names) if isinstance(node, ast.Name) and meaning is None else None


def _of_parameter(name: str, names: Names) -> str | None:
    """What a parameter is by its annotation, if nothing else is given its name."""
    if not isinstance(names.node, FunctionNode):
        return None
    arguments = names.node.args
    stored = any(
        isinstance(node, ast.Name) and node.id == name and not isinstance(node.ctx, ast.Load)
        for node in ast.walk(names.node)
    )
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        annotation = argument.annotation
        if argument.arg == name and isinstance(annotation, ast.Name) and not stored:
            is_plain = annotation.id in ("int", "float", "bool", "bytes") and not names.binds(annotation.id)
            return f"a value of type {annotation.id}" if is_plain else None
    return None


def _word(call: StepCall) -> str:
    if _is_renamed(call):
        return f"{ast.unparse(call.node.func.func)}(…)" if isinstance(call.node.func, ast.Call) else "named(…)"
    return "step(…)" if call.kind == "step" else f"step.{call.kind}(…)"


def _help(call: StepCall) -> str:
    if _is_renamed(call):
        return "Give it a name as text."
    function = "step" if call.kind == "step" else f"step.{call.kind}"
    example = {"progress": "half-done", "sleep": "cool-down", "listen": "approval"}.get(call.kind, "fetch-data")
    return f'Write the name first: {function}("{example}", …).'
