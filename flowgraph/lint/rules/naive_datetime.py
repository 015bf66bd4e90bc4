"""FG502."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from flowgraph.compiler import Value
from flowgraph.lint.analysis.origins import origin
from flowgraph.lint.module import step_call
from flowgraph.lint.rule import Rule, related

if TYPE_CHECKING:
    from flowgraph.compiler import Names
    from flowgraph.lint.module import Module, StepCall
    from flowgraph.model.diagnostic import Diagnostic


class NaiveDatetime(Rule):
    """`step.sleep_until` is given a datetime without a time zone.

    ## What it does

    Looks at the moments of `step.sleep_until`, and where they come from: `datetime.now()`, `datetime.utcnow()`,
    `datetime(2030, 1, 1)`, `datetime.strptime(…)` and others give datetimes without a time zone, unless they are
    given one.

    ## Why is this bad?

    A naive datetime means another moment on a machine in another time zone. The call raises `InvalidOption`.

    ## Example

    ```python
    await step.sleep_until("morning", datetime(2030, 1, 1, 9))
    ```

    ## Use instead

    ```python
    await step.sleep_until("morning", datetime(2030, 1, 1, 9, tzinfo=UTC))
    ```
    """

    code = "FG502"
    name = "naive-datetime"
    severity = "warning"
    VALID = (
        """
        import datetime as dates
        from datetime import UTC, datetime, timedelta

        @workflow
        async def flow(when: datetime, text: str, zone: dates.tzinfo) -> None:
            await step.sleep_until("a", when)
            await step.sleep_until("b", datetime.now(UTC) + timedelta(hours=1))
            await step.sleep_until("c", datetime.now(tz=zone))
            await step.sleep_until("d", datetime(2030, 1, 1, tzinfo=UTC))
            await step.sleep_until("e", datetime(2030, 1, 1, 9, 0, 0, 0, UTC))
            await step.sleep_until("f", datetime.now().astimezone())
            await step.sleep_until("g", datetime(2030, 1, 1).replace(tzinfo=UTC))
            await step.sleep_until("h", datetime.fromisoformat("2030-01-01T00:00:00+00:00"))
            await step.sleep_until("i", datetime.fromisoformat(text))
            await step.sleep_until("j", datetime.strptime(text, "%Y-%m-%d %z"))
            await step.sleep_until("k", dates.datetime.fromtimestamp(0, UTC))
            await step.sleep_until("l", await step("when", lambda: datetime.now(UTC)))
            await step.sleep("m", 5)
            await step("n", work, datetime.now())
            print(datetime.now())
        """,
    )
    INVALID = (
        """
        import datetime as dates
        from datetime import datetime, timedelta

        MORNING = datetime(2030, 1, 1, 9)

        @workflow
        async def flow(text: str) -> None:
            await step.sleep_until("a", datetime.now() + timedelta(hours=1))  # FG502
            await step.sleep_until("b", datetime.utcnow())  # FG502
            await step.sleep_until("c", MORNING)  # FG502
            await step.sleep_until("d", moment=dates.datetime(2030, 1, 1))  # FG502
            later = datetime.today()
            await step.sleep_until("e", timedelta(days=1) + later)  # FG502
            await step.sleep_until("f", datetime.now(None).replace(hour=9))  # FG502
            await step.sleep_until("g", datetime.fromisoformat("2030-01-01"))  # FG502
            await step.sleep_until("h", datetime.strptime(text, "%Y-%m-%d"))  # FG502
            await step.sleep_until("i", dates.datetime.fromtimestamp(0))  # FG502
            await step.sleep_until("j", await step("when", lambda: datetime.now()))  # FG502
            now = await step("now", datetime.utcnow)
            await step.sleep_until("k", now + timedelta(hours=1))  # FG502
            await step.sleep_until("l", datetime.combine(dates.date(2030, 1, 1), dates.time(9)))  # FG502
            await step.sleep_until(
                "m",  # FG502
                datetime.now(dates.UTC).replace(tzinfo=None),
            )
        """,
    )

    def check(self, module: Module) -> Iterator[Diagnostic]:
        """The moments that are slept until."""
        for call in module.calls:
            moment = _moment(call)
            if call.kind == "sleep_until" and moment is not None and is_naive(moment, call.names):
                message = f"{call.label} sleeps until {ast.unparse(moment)}, which has no time zone"
                apart = moment.lineno != call.place.lineno
                places = [related(module.unit, moment, "the moment")] if apart else []
                help_ = _help(moment, call.names)
                yield self.of_call(module, call, message, help=help_, related=places)


def _help(moment: ast.expr, names: Names) -> str:
    """What to write, for the call in the moment that makes it."""
    made = [origin(node.func, names) for node in ast.walk(moment) if isinstance(node, ast.Call)]
    if "datetime.datetime" in made:
        return "Give it a time zone: datetime(…, tzinfo=UTC)."
    return "Give it a time zone: datetime.now(UTC)." if _NOW & set(made) else "Give it a time zone, for example UTC."


def _moment(call: StepCall) -> ast.expr | None:
    given = call.node.args[1] if len(call.node.args) > 1 else call.option("moment")
    return None if isinstance(given, ast.Starred) else given


_DEEPEST = 20


def is_naive(node: ast.expr, names: Names, depth: int = 0) -> bool:
    """Tell whether an expression is a datetime without a time zone for certain."""
    if depth > _DEEPEST:
        return False
    match node:
        case ast.BinOp(op=ast.Add() | ast.Sub(), left=left, right=right):
            return is_naive(left, names, depth + 1) or is_naive(right, names, depth + 1)
        case ast.IfExp(body=body, orelse=orelse):
            return is_naive(body, names, depth + 1) or is_naive(orelse, names, depth + 1)
        case ast.Await(value=ast.Call() as call):
            return _is_naive_result(call, names, depth)
        case ast.Call():
            return _is_naive_call(node, names, depth)
        case ast.Name() | ast.Attribute():
            meaning = names.meaning_of(node)
            if isinstance(meaning, Value):
                return is_naive(meaning.node, meaning.names, depth + 1)
            return origin(node, names) in ("datetime.datetime.min", "datetime.datetime.max")
    return False


def _is_naive_result(call: ast.Call, names: Names, depth: int) -> bool:
    """Tell whether a step gives a naive datetime: its handler is a lambda, or ``datetime.now`` itself."""
    step = step_call(call, names, None)
    if step is None or step.kind != "step" or step.handler is None:
        return False
    if isinstance(step.handler, ast.Lambda):
        return is_naive(step.handler.body, names, depth + 1)
    return len(call.args) == 2 and origin(step.handler, names) in _NOW


_NOW = frozenset(f"datetime.datetime.{name}" for name in ("now", "utcnow", "today"))


def _is_naive_call(node: ast.Call, names: Names, depth: int) -> bool:
    if any(isinstance(argument, ast.Starred) for argument in node.args) or any(
        one.arg is None for one in node.keywords
    ):
        return False
    if isinstance(node.func, ast.Attribute) and node.func.attr == "replace":
        zone = _keyword(node, "tzinfo")
        if zone is not None:
            return _is_none(zone) and (origin(node.func.value, names) or "").startswith("datetime.datetime")
        return is_naive(node.func.value, names, depth + 1)
    name = origin(node.func, names) or ""
    return name.startswith("datetime.datetime") and _is_made_naive(name.removeprefix("datetime.datetime"), node, names)


def _is_made_naive(name: str, node: ast.Call, names: Names) -> bool:
    """Tell whether a call of the class `datetime`, or of one of its methods, is given no time zone."""
    match name:
        case "":
            return _has_no_zone(node, 7, "tzinfo")
        case ".now":
            return _has_no_zone(node, 0, "tz")
        case ".utcnow" | ".today" | ".utcfromtimestamp":
            return True
        case ".fromtimestamp":
            return _has_no_zone(node, 1, "tz")
        case ".strptime":
            return len(node.args) > 1 and "%z" not in (_text(node.args[1]) or "%z")
        case ".fromisoformat":
            return bool(node.args) and _is_naive_text(_text(node.args[0]))
        case ".combine":
            time = node.args[1] if len(node.args) > 1 else None
            is_plain = isinstance(time, ast.Call) and origin(time.func, names) == "datetime.time"
            return is_plain and _has_no_zone(node, 2, "tzinfo") and _has_no_zone(time, 4, "tzinfo")
    return False


def _has_no_zone(node: ast.expr | None, place: int, keyword: str) -> bool:
    """Tell whether an argument, by its place or its name, is left out or None."""
    if not isinstance(node, ast.Call):
        return False
    given = node.args[place] if len(node.args) > place else _keyword(node, keyword)
    return given is None or _is_none(given)


def _keyword(node: ast.Call, name: str) -> ast.expr | None:
    return next((keyword.value for keyword in node.keywords if keyword.arg == name), None)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _is_naive_text(text: str | None) -> bool:
    try:
        return text is not None and datetime.fromisoformat(text).utcoffset() is None
    except ValueError:
        return False
