"""FG501."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from flowgraph.compiler import Foreign, words
from flowgraph.lint.analysis.constants import constant
from flowgraph.lint.analysis.options import options, refusal, stand_in
from flowgraph.lint.analysis.trials import RETRY_POLICY, WORKFLOW, is_known, options_of
from flowgraph.lint.rule import Rule, related

if TYPE_CHECKING:
    from flowgraph.compiler import Names
    from flowgraph.lint.module import Module, StepCall
    from flowgraph.model.diagnostic import Diagnostic

_POLICIES = frozenset({"flowgraph.RetryPolicy", "flowgraph.model.RetryPolicy", "flowgraph.model.policy.RetryPolicy"})


_COUNT = "Give it a whole number, 1 or more."
_DURATION = 'Give it seconds, a timedelta, or text such as "500ms", "30s", "5m", "2h" or "1d".'
_HELP = {
    "max_attempts": _COUNT,
    "concurrency": _COUNT,
    "batch_size": _COUNT,
    "timeout": _DURATION,
    "duration": _DURATION,
    "initial": _DURATION,
    "cap": _DURATION,
    "executor": "Leave executor= out, or make the handler a plain function.",
    "on_error": 'Write on_error="fail" or on_error="collect".',
    "retry": "Write retry=RetryPolicy(…).",
    "step_retry": "Write step_retry=RetryPolicy(…).",
    "moment": "Give it an aware datetime, or use step.sleep for a duration.",
    "items": "Pass a list of the items.",
    "key": "Give it a plain function of one item.",
}


class BadOption(Rule):
    """An option has a value that it cannot have, or there is no such option.

    ## What it does

    Looks at the options of steps, of `@workflow` and of `RetryPolicy` whose values are known without a run, and asks
    the checks of the runtime whether they are allowed: counts are at least 1, durations are not negative and can be
    read, `on_error` is "fail" or "collect", an async handler has no `executor`, and so on.

    ## Why is this bad?

    The call raises `InvalidOption` or `TypeError` when the run reaches it, which may be hours after its start.

    ## Example

    ```python
    await step("fetch-data", fetch, url, max_attempts=0)
    ```

    ## Use instead

    ```python
    await step("fetch-data", fetch, url, max_attempts=1)
    ```
    """

    code = "FG501"
    name = "bad-option"
    severity = "error"
    VALID = (
        """
        from datetime import datetime, timedelta
        from flowgraph import RetryPolicy

        TIMES = 3

        def plain(item: int) -> int:
            return item

        @step("pay", max_attempts=TIMES, timeout="5m")
        async def pay(max_attempts: int = 0) -> None: ...

        @workflow(name="orders", timeout="1h", step_retry=RetryPolicy(max_attempts=1, initial=0, cap="1m"), strict=None)
        async def flow(items: list[int], n: int, pool: object, options: dict[str, int]) -> None:
            await step("a", work, max_attempts=1, timeout=timedelta(seconds=3), retry=None, returns=int)
            await step("b", work, max_attempts=n, timeout=n - 1, **options)
            await step("c", plain, 1, executor="cpu", at_most_once=True)
            await step("d", work, executor=pool)
            await step.map("e", plain, items, concurrency=1, key=str, on_error="collect")
            await step.for_each("f", work, items, key=lambda item: item, max_attempts=2)
            await step.batch("g", work, items, batch_size=500)
            await step.sleep("h", 0)
            await step.sleep("i", duration="1.5h")
            await step.sleep("j", timedelta(days=-1) + timedelta(days=2))
            await step.sleep_until("k", datetime.now())
            await step.progress("l", done=1, total=2.5)
            await step.listen("m", event="go", timeout="3d", returns=int)
            await step.execute_workflow("n", "child", anything=-1)
            run_id = await step.start_workflow("o", "child", timeout=-1, detached=True)
            await step.wait_for_workflow("p", run_id, timeout=5)
            await pay(max_attempts=0)
            n = -5
            await step.sleep("q", n)

        def unrelated(step: object) -> None:
            step("a", work, max_attempts=0)
        """,
    )
    INVALID = (
        """
        from concurrent.futures import ProcessPoolExecutor
        from datetime import timedelta
        from functools import partial

        NEVER = 0
        pool = ProcessPoolExecutor()

        @workflow
        async def flow(items: list[int]) -> None:
            await step("a", work, max_attempts=0)  # FG501
            await step("b", work, max_attempts=NEVER)  # FG501
            await step("c", work, max_attempts=1.5)  # FG501
            await step("d", work, timeout="5 minutes")  # FG501
            await step("e", work, timeout=-1)  # FG501
            await step("f", work, retries=3)  # FG501
            await step("g", work, retry=3)  # FG501
            await step("h", work, at_most_once="yes")  # FG501
            await step("i", work, executor="cpu")  # FG501
            await step("j", partial(work, 1), executor=pool)  # FG501
            await step.map("k", work, items, concurrency=0)  # FG501
            await step.map("l", work, items, on_error="ignore")  # FG501
            await step.for_each("m", work, items, batch_size=5)  # FG501
            await step.batch("n", work, items, batch_size=-1)  # FG501
            await step.batch("o", work, items, concurrency=5)  # FG501
            await step.map("p", work, items, key=3)  # FG501
            await step.map("q", work, "abc")  # FG501
            await step.sleep("r", -5)  # FG501
            await step.sleep("s", timedelta(seconds=-1))  # FG501
            await step.sleep("t", float("inf"))  # FG501
            await step.sleep("u", duration="soon")  # FG501
            await step.sleep_until("v", 5)  # FG501
            await step.progress("w", done=-1)  # FG501
            await step.listen("x", event="")  # FG501
            await step.listen("y", timout=5)  # FG501
            await step.start_workflow("z", "child", detached=1)  # FG501
            await step.wait_for_workflow("za", "", timeout=5)  # FG501
            await step("zb", handler=work)  # FG501
        """,
        """
        import flowgraph as fg

        @fg.step("pay", max_attempts=0)  # FG501
        async def pay() -> None: ...

        @fg.step("ship", executor="cpu")  # FG501
        async def ship() -> None: ...

        @fg.step("pack", executor="cpu")
        def pack() -> None: ...

        @fg.workflow(timeout=0)  # FG501
        async def flow() -> None:
            await fg.step("a", pay, executor="cpu")  # FG501
            await fg.step(
                "b",  # FG501
                work,
                max_attempts=-1,
            )

        @fg.workflow(
            timeout="1h",
            retry=fg.RetryPolicy(  # FG501
                factor=0.5,  # FG501
            ),
        )
        async def other() -> None: ...
        """,
    )

    def check(self, module: Module) -> Iterator[Diagnostic]:
        """The options of steps, and those of workflows and policies, in the order of the source."""
        found = [*self._steps(module), *self._makers(module)]
        yield from sorted(found, key=lambda one: (one.line, one.column))

    def _steps(self, module: Module) -> Iterator[Diagnostic]:
        for call in module.calls:
            for option, node in options(call):
                reason = refusal(call.kind, option, node, call.names, stand_in(module, call))
                if reason is not None:
                    yield self._bad(module, call, option, node, reason)

    def _bad(self, module: Module, call: StepCall, option: str, node: ast.expr, reason: str) -> Diagnostic:
        message = f"{call.label}: {_written(option, node, call.names)}: {reason}"
        help_ = _help(call.kind, option)
        places = [related(module.unit, node, f"{option} is given here")] if node.lineno != call.place.lineno else []
        return self.of_call(module, call, message, help=help_, related=places)

    def _makers(self, module: Module) -> Iterator[Diagnostic]:
        """The options of ``@workflow(…)`` and of ``RetryPolicy(…)``."""
        for node, names, _ in module.each(ast.Call):
            if node.keywords and (kind := _maker(node, names)) is not None:
                yield from self._made(module, node, kind, names)

    def _made(self, module: Module, node: ast.Call, kind: str, names: Names) -> Iterator[Diagnostic]:
        for option, value in ((keyword.arg, keyword.value) for keyword in node.keywords):
            reason = None if option is None else refusal(kind, option, value, names)
            if option is not None and reason is not None:
                message = f"{_written(option, value, names)}: {reason}"
                yield self.found(module.unit, value, message, help=_help(kind, option))


def _maker(node: ast.Call, names: Names) -> str | None:
    meaning = names.meaning_of(node.func)
    if not isinstance(meaning, Foreign):
        return None
    if words.is_workflow_decorator(meaning.name):
        return WORKFLOW
    return RETRY_POLICY if meaning.name in _POLICIES else None


def _written(option: str, node: ast.expr, names: Names) -> str:
    text, value = ast.unparse(node), constant(node, names)
    folded = isinstance(node, ast.Name | ast.Attribute) and isinstance(value, str | int | float)
    return f"{option}={text} ({value!r})" if folded else f"{option}={text}"


def _help(kind: str, option: str) -> str:
    if option == "handler" and kind == "step":
        return "Write the handler by position, after the name."
    if is_known(kind, option):
        return _HELP.get(option) or f"Give {option} a value that it may have: the call raises InvalidOption."
    known = ", ".join(options_of(kind)) or "none"
    partial = f" To pass a keyword argument to the handler, write functools.partial(handler, {option}=…)."
    return f"The options are {known}.{partial if kind in words.WITH_HANDLER else ''}"
