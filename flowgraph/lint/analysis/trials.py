"""The language itself, asked whether it takes an option: the checks of the runtime, made without a run.

Every call of `step` checks its options before it looks for a run, so a call outside a run says whether they are right:
`NotInWorkflow` means that they are. So the lint and the runtime cannot disagree.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextvars import Context
from datetime import UTC, datetime
from typing import Any

from flowgraph.dsl import StepOptionsDict, step, workflow
from flowgraph.errors import DefinitionError, FlowgraphError, InvalidName, InvalidOption, NotInWorkflow
from flowgraph.model import RetryPolicy


def plain(*_: object) -> None:
    """Stands for a plain handler."""


async def coroutine(*_: object) -> None:
    """Stands for a handler that is ``async def``."""


class Pool:
    """Stands for an executor."""

    def submit(self) -> None:
        """What an executor is told by."""


decorated = step("decorated")(coroutine)
"""Stands for a handler that is a step."""

WORKFLOW = "workflow"
RETRY_POLICY = "RetryPolicy"
"""The kinds of what takes options beside the calls of `step`."""

_WITH_STEP_OPTIONS = frozenset({"step", "map", "for_each", "batch"})

_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "step": ("name", "handler"),
    "map": ("name", "handler", "items"),
    "for_each": ("name", "handler", "items"),
    "batch": ("name", "handler", "items"),
    "sleep": ("name", "duration"),
    "sleep_until": ("name", "moment"),
    "progress": ("message",),
    "listen": ("name",),
    "start_workflow": ("name", "child"),
    "wait_for_workflow": ("name", "run_id"),
}
"""The arguments that each kind of call needs, in their order. execute_workflow has no options."""

_FITTING: dict[str, Any] = {
    "name": "a",
    "message": "a",
    "handler": plain,
    "items": (),
    "duration": 0,
    "moment": datetime(2000, 1, 1, tzinfo=UTC),
    "child": "a",
    "run_id": "a",
}


def argument_name(kind: str, place: int) -> str | None:
    """What a positional argument of a call is, where it is checked; None for any other."""
    names = _ARGUMENTS.get(kind, ())
    known = place < len(names) and names[place] in ("items", "duration", "moment", "run_id")
    return names[place] if known else None


def options_of(kind: str) -> tuple[str, ...]:
    """The options of a kind of call, of ``@workflow`` or of ``RetryPolicy``."""
    if kind == "start_workflow":
        return ("detached",)  # The others are arguments of the child.
    if kind == RETRY_POLICY:
        return RetryPolicy.__struct_fields__
    parameters = inspect.signature(_callable(kind)).parameters.values()
    own = tuple(one.name for one in parameters if one.kind is one.KEYWORD_ONLY)
    return (*own, *StepOptionsDict.__annotations__) if kind in _WITH_STEP_OPTIONS else own


def is_known(kind: str, option: str) -> bool:
    """Tell whether a call of a kind takes an argument of a name."""
    by_position = () if kind == "step" else _ARGUMENTS.get(kind, ())
    return option in by_position or option in options_of(kind)


def refused(kind: str, option: str, value: object, handler: Callable[..., Any] = plain) -> str | None:
    """Why a call of a kind refuses the value of an option; None where it takes it."""
    names = _ARGUMENTS.get(kind, ())
    given = _FITTING | {"handler": handler, option: value}
    options = {} if option in names else {option: value}
    call = _callable(kind)
    return _refused(lambda: call(*(given[name] for name in names), **options), option)


def _callable(kind: str) -> Any:
    if kind == RETRY_POLICY:
        return RetryPolicy
    if kind == WORKFLOW:
        return workflow
    return step if kind == "step" else getattr(step, kind)


def _refused(call: Callable[[], object], option: str) -> str | None:
    try:
        Context().run(call)  # Without the scope of a run, if the lint should be called in one.
    except NotInWorkflow:
        return None
    except (InvalidOption, InvalidName) as error:
        return error.reason
    except DefinitionError as error:
        return str(error) if option == "items" else None
    except FlowgraphError:
        return None
    return None
