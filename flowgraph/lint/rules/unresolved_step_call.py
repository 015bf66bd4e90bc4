"""FG210."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING

from flowgraph.compiler import Defined, Foreign, Value, words
from flowgraph.lint.analysis.displays import chosen_from
from flowgraph.lint.rule import Rule
from flowgraph.model.graph import STEP_KINDS

if TYPE_CHECKING:
    from flowgraph.compiler import Names
    from flowgraph.lint.module import Module
    from flowgraph.model.diagnostic import Diagnostic

_WORDS = STEP_KINDS | words.WITHOUT_NAME
_OTHER_ATTRIBUTES = frozenset({"info", "transaction", "continue_as_new"})


class UnresolvedStepCall(Rule):
    """A call looks like a step, and it cannot be proved that it is one.

    ## What it does

    Looks, in files with workflows or steps, for calls of something named `step`, or made of `step`, that the compiler
    cannot follow: a parameter, an attribute of an object, a name that is bound in several ways, an item of a dict or a
    list, the result of `getattr` or `functools.partial`, and words that `step` does not have.

    ## Why is this bad?

    A step that the compiler does not see is not in the graph: its name is not checked, and a run records it as
    unplanned.

    ## Example

    ```python
    async def charge_all(step, orders):
        await step("charge", charge, orders)
    ```

    ## Use instead

    ```python
    from flowgraph import step

    async def charge_all(orders):
        await step("charge", charge, orders)
    ```
    """

    code = "FG210"
    name = "unresolved-step-call"
    severity = "info"
    VALID = (
        """
        import flowgraph as fg

        s = step

        class Machine:
            def step(self, name: str) -> None:
                print(name)

            def run(self) -> None:
                self.step("forward")

        def stepper(name: str) -> None: ...

        @workflow
        async def flow(machine: Machine) -> None:
            await step("a", work)
            await s("b", work)
            await fg.step.sleep("c", 5)
            stepper("d")
            await step("e", lambda: step.info())
            machine.walk("step")
            {"a": print}["a"]("f")
            {"a": print, "s": step}["a"]("g")
            handlers["print"]("h")

        handlers = {"print": print, "charge": stepper}
        """,
        """
        from behave import step as given

        @given("a user")
        def user(context: object) -> None: ...

        @workflow
        async def flow() -> None:
            await step("a", work)
        """,
    )
    INVALID = (
        """
        from functools import partial

        import flowgraph as fg
        from toolbox import step as foreign

        later = partial(step, "later", work)

        async def helper(step: object, context: object) -> None:
            await step("a", work)  # FG210
            await step.sleep("b", 5)  # FG210
            await context.step("c", work)  # FG210
            await context.flow.step.map("d", work, [])  # FG210

        @workflow
        async def flow(fast: bool) -> None:
            await foreign("e", work)  # FG210
            chosen = step if fast else helper
            await chosen("f", work)  # FG210
            await getattr(step, "sleep")("g", 5)  # FG210
            await later()  # FG210
            await fg.step.slep("h", 5)  # FG210
            await (step if fast else helper)("i", work)  # FG210
        """,
        """
        from flowgraph import step as s

        table = {"s": s, "w": work}
        ways = [s.sleep, work]

        @workflow
        async def flow(way: str) -> None:
            await table["s"]("a", work)  # FG210
            await table[way]("b", work)  # FG210
            await ways[0]("c", 5)  # FG210
            await {"s": s}[way]("d", work)  # FG210
            await table.get(way)("e", work)  # FG210
        """,
    )

    def check(self, module: Module) -> Iterator[Diagnostic]:
        """The calls of a file that has to do with workflows."""
        if not module.calls and not any(True for _ in module.unit.workflows()):
            return
        found = [(node, names) for node, names, function in module.each(ast.Call) if function is not None]
        for node, names in sorted(found, key=lambda one: (one[0].lineno, one[0].col_offset)):
            if (reason := _reason(node, names)) is not None:
                place = node.args[0] if node.args and not isinstance(node.args[0], ast.Starred) else node
                message = f"{_shortened(ast.unparse(node.func))}(…) looks like a step: {reason}"
                flow = module.workflow_of(node)
                yield self.found(module.unit, place, message, help=_help(node, names), workflow=flow)


def _reason(node: ast.Call, names: Names) -> str | None:
    """Why a call looks like a step and is not known to be one; None where it is, or looks like nothing of the kind."""
    meaning = names.meaning_of(node.func)
    if isinstance(meaning, Defined):
        return None
    if isinstance(meaning, Foreign):
        return _of_foreign(meaning.name, node)
    if isinstance(meaning, Value):
        return _made_of_step(meaning.node, meaning.names)
    if _is_named_step(node.func) and _has_name(node):
        return "what it stands for is known in a run only"
    if any(_is_step(value, around) for value, around in chosen_from(node.func, names)):
        return "it is among the values that this chooses from"
    return _made_of_step(node.func, names) if isinstance(node.func, ast.Call | ast.IfExp) else None


def _is_step(node: ast.expr, names: Names) -> bool:
    meaning = names.meaning_of(node)
    return isinstance(meaning, Foreign) and words.step_kind(meaning.name) is not None


def _of_foreign(name: str, node: ast.Call) -> str | None:
    package = name.partition(".")[0]
    if package == "flowgraph":
        place, _, word = name.rpartition(".")
        unknown = words.step_kind(place) == "step" and word not in _OTHER_ATTRIBUTES
        return f"`step` has no word {word!r}" if unknown and words.step_kind(name) is None else None
    if package in sys.stdlib_module_names or not _has_name(node):
        return None
    parts = name.split(".")
    is_step = parts[-1] == "step" or (parts[-2:-1] == ["step"] and parts[-1] in _WORDS)
    return f"it is {name}, which is not among the files of the project" if is_step else None


def _is_named_step(node: ast.expr) -> bool:
    if isinstance(node, ast.Attribute) and node.attr in _WORDS - {"step"}:
        node = node.value
    return (node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")) == "step"


def _has_name(node: ast.Call) -> bool:
    """Tell whether the first argument is text."""
    first = node.args[0] if node.args else None
    return isinstance(first, ast.JoinedStr) or (isinstance(first, ast.Constant) and isinstance(first.value, str))


def _made_of_step(node: ast.expr, names: Names) -> str | None:
    """Tell of an expression that gives `step`, or a part of it: a choice, a partial, ``getattr``."""
    parts: list[ast.expr] = []
    match node:
        case ast.IfExp(body=body, orelse=orelse):
            parts = [body, orelse]
        case ast.BoolOp(values=values):
            parts = values
        case ast.Call(func=func, args=[first, *_]) if _gives_it(func, names):
            parts = [first]
    is_step = any(_is_step(part, names) for part in parts)
    return f"it is `{_shortened(ast.unparse(node))}`" if is_step else None


def _gives_it(func: ast.expr, names: Names) -> bool:
    meaning = names.meaning_of(func)
    if isinstance(meaning, Foreign):
        return meaning.name == words.PARTIAL
    return isinstance(func, ast.Name) and func.id == "getattr" and not names.binds("getattr")


def _shortened(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"


def _help(node: ast.Call, names: Names) -> str:
    meaning = names.meaning_of(node.func)
    if isinstance(meaning, Foreign) and meaning.name.startswith("flowgraph."):
        close = get_close_matches(meaning.name.rpartition(".")[2], _WORDS, 1)
        return f"Write step.{close[0]}." if close else f"Its words are {', '.join(sorted(_WORDS - {'step'}))}."
    return "Import `step` from flowgraph and call it by that name."
