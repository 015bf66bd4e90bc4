"""The options of the step calls: one list of them, and one check of each.

A bad option raises where it is written, before anything is awaited, so that the traceback points at the line.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from flowgraph.errors import InvalidName, InvalidOption
from flowgraph.model import NO_OPTIONS, RetryPolicy, StepOptions, checked_name, count, seconds

if TYPE_CHECKING:
    from concurrent.futures import Executor


class StepOptionsDict(TypedDict, total=False):
    """The options of a step call, as they are written; see `step` for what they mean."""

    max_attempts: int | None
    retry: RetryPolicy | None
    timeout: float | timedelta | str | None
    returns: Any
    executor: Executor | str | None
    at_most_once: bool


NAMES = tuple(StepOptionsDict.__annotations__)
DEFAULT = NO_OPTIONS
MAX_RUN_ID_LENGTH = 255


def step_options(call: str, options: Mapping[str, Any], others: Iterable[str] = ()) -> StepOptions:
    """Check the options of a call.

    Args:
        call: the call as text, for the error.
        options: the keyword arguments that it was given.
        others: the options that `call` has beside those of a step, for the error.
    """
    if not options:
        return DEFAULT
    for option in options:
        if option not in NAMES:
            raise TypeError(_unknown(call, option, (*others, *NAMES)))
    return StepOptions(
        max_attempts=_optional(count, options, "max_attempts"),
        retry=policy(options.get("retry"), "retry"),
        timeout=_optional(seconds, options, "timeout"),
        returns=options.get("returns"),
        executor=_executor(options.get("executor")),
        at_most_once=flag(options.get("at_most_once", False), "at_most_once"),
    )


def policy(value: object, option: str) -> RetryPolicy | None:
    """Return a retry policy or None; anything else is an InvalidOption."""
    if value is None or isinstance(value, RetryPolicy):
        return value
    raise InvalidOption(option, value, f"it is a RetryPolicy, not {type(value).__name__}")


def flag(value: object, option: str) -> bool:
    """Return a bool; anything else is an InvalidOption, so that no text such as "false" counts as true."""
    if isinstance(value, bool):
        return value
    raise InvalidOption(option, value, f"it is True or False, not {type(value).__name__}")


def amount(value: object, option: str) -> float | None:
    """Return a finite number from 0, or None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidOption(option, value, f"it is a number, not {type(value).__name__}")
    if not 0 <= value < math.inf:
        raise InvalidOption(option, value, "it is finite and not negative")
    return value


def checked_event(event: object) -> str:
    """Return the name of an event; it follows the rule of names, and breaking that is an InvalidOption.

    `listen` and `send` share this, so that every event that can be waited for can be sent.
    """
    try:
        return checked_name(event)
    except InvalidName as error:
        raise InvalidOption("event", event, error.reason) from None


def checked_run_id(run_id: object, option: str = "run_id") -> str:
    """Return a run's id, or the id of a sent event: up to 255 printable characters; else raise InvalidOption.

    Starting and waiting share this, so that every run that can be started can be waited for.
    """
    if not isinstance(run_id, str):
        raise InvalidOption(option, run_id, f"it is text, not {type(run_id).__name__}")
    if not run_id or run_id.isspace():
        raise InvalidOption(option, run_id, "it is empty")
    if len(run_id) > MAX_RUN_ID_LENGTH:
        raise InvalidOption(option, run_id, f"it has {len(run_id)} characters, and {MAX_RUN_ID_LENGTH} is the most")
    if not run_id.isprintable():
        raise InvalidOption(option, run_id, "it has a character that cannot be printed")
    return str.__str__(run_id)


def _optional(check: Callable[[Any, str], Any], options: Mapping[str, Any], option: str) -> Any:
    value = options.get(option)
    return None if value is None else check(value, option)


def _executor(value: object) -> object:
    if value is None or (isinstance(value, str) and value) or callable(getattr(value, "submit", None)):
        return value
    raise InvalidOption("executor", value, "it is a concurrent.futures.Executor, or the name of one of the Runtime's")


def _unknown(call: str, option: str, known: Iterable[str]) -> str:
    return (
        f"{call} got an unknown option {option!r}. Its options are {', '.join(known)}. "
        f"To pass a keyword argument to the handler, write functools.partial(handler, {option}=…)."
    )
