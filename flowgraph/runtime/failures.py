"""Errors to `Failure` values, and back to the same errors on every replay."""

from __future__ import annotations

import traceback as traceback_module
from collections.abc import Iterator
from typing import Any

from flowgraph.errors import (
    ChildFailed,
    FlowgraphError,
    ItemFailure,
    ItemsChanged,
    ListenTimeout,
    MapFailed,
    PayloadTooLarge,
    SerializationError,
    StepError,
    StepFailed,
    StepTimeout,
    class_name,
)
from flowgraph.model import Failure

MOST_FAILURES = 100
"""Of so many items a failed map tells how they failed; so its row stays below the limit of a payload."""
_LONGEST_MESSAGE = 10_000
_LONGEST_TRACEBACK = 20_000


def step_failure(path: str, error: BaseException, attempts: int, *, timed_out: bool = False) -> Failure:
    """Describe what an attempt of step `path` ended with; `attempts` counts those that have ended."""
    if isinstance(error, SerializationError) and error.path == path:
        extra: dict[str, Any] = {"type_name": error.type_name, "reason": error.reason}
        return Failure("SerializationError", attempts, cause_message=str(error), extra=extra)
    if isinstance(error, PayloadTooLarge) and error.path == path:
        extra = {"size": error.size, "limit": error.limit}
        return Failure("PayloadTooLarge", attempts, cause_message=str(error), extra=extra)
    return Failure("StepTimeout" if timed_out else "StepFailed", attempts, *_cause(error))


def run_failure(error: BaseException) -> Failure:
    """Describe the error that left a workflow."""
    return Failure("run", 0, *_cause(error))


def listen_timeout(event: str, timeout: float) -> Failure:
    """Describe that no event came in time; `timeout` in seconds."""
    return Failure("ListenTimeout", extra={"event": event, "timeout": timeout})


def wait_timeout(run_id: str, timeout: float) -> Failure:
    """Describe that another run did not end in time; `timeout` in seconds."""
    message = f"run {run_id!r} did not end within {timeout:g} s"
    return Failure("StepTimeout", 1, "TimeoutError", message, ("TimeoutError",))


def run_timeout(timeout: float) -> Failure:
    """Describe that a run was executing for longer than its workflow's timeout, in seconds."""
    return Failure("run", cause_type="RunTimedOut", cause_message=f"it was executing for more than {timeout:g} s")


def stopped(message: str) -> Failure:
    """Describe that ``step.fail(message)`` was called."""
    return Failure("run", cause_message=_clean(message, _LONGEST_MESSAGE))


def unsaveable_result(workflow: str, error: Any) -> Failure:
    """Describe that a workflow's own result cannot be saved."""
    return run_failure(SerializationError(workflow, error.type_name, error.reason))


def history_full(most: int) -> Failure:
    """Describe that a run has as many rows as a run can have."""
    message = f"its history has {most:,} rows, which is the most; split the work over child workflows"
    return Failure("run", cause_type="HistoryFull", cause_message=message)


def child_failure(run_id: str, status: str, error: Failure | None) -> Failure:
    """Describe that a run which was waited for ended without a result."""
    message, cause = (error.cause_message, error.cause_type) if error else ("", "")
    return Failure("ChildFailed", cause_type=cause, cause_message=message, extra={"run_id": run_id, "status": status})


def map_failure(failures: list[tuple[int, str | None, str, Failure]], count: int) -> Failure:
    """Describe that `count` items failed: (index, key, path, failure) of the first, without the items' tracebacks."""
    import msgspec

    items = [
        [index, key, path, msgspec.to_builtins(msgspec.structs.replace(failure, traceback=""))]
        for index, key, path, failure in failures
    ]
    message = "1 item failed" if count == 1 else f"{count:,} items failed"
    return Failure("MapFailed", cause_message=message, extra={"count": count, "failures": items})


def step_error(path: str, failure: Failure) -> StepError:
    """The error that a saved failure stands for: a new one each time, always the same in its values."""
    extra = failure.extra
    match failure.type:
        case "ListenTimeout":
            return ListenTimeout(path, extra["event"], extra["timeout"])
        case "ChildFailed":
            return ChildFailed(path, extra["run_id"], extra["status"], failure.cause_message, failure.cause_type)
        case "SerializationError":
            return SerializationError(path, extra["type_name"], extra["reason"])
        case "PayloadTooLarge":
            return PayloadTooLarge(path, extra["size"], extra["limit"])
        case "MapFailed":
            return MapFailed(path, [_item_failure(*item) for item in extra["failures"]], extra["count"])
    cls = StepTimeout if failure.type == "StepTimeout" else StepFailed
    return cls(path, failure.attempts, failure.cause_type, failure.cause_message, failure.cause_names)


def _item_failure(index: int, key: str | None, path: str, failure: dict[str, Any]) -> ItemFailure:
    import msgspec

    return ItemFailure(index, key, step_error(path, msgspec.convert(failure, Failure)))


def _cause(error: BaseException) -> tuple[str, str, tuple[str, ...], str]:
    """The cause's type, message, class names and traceback; a group of one speaks for its only member."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    names = dict.fromkeys(name for leaf in _with_members(error) for name in _names(type(leaf)))
    if isinstance(error, StepFailed):
        names.update(dict.fromkeys(error.cause_names))
    return _type_name(error), _text(error), tuple(names), _traceback(error)


def _names(cls: type) -> Iterator[str]:
    return (class_name(base) for base in cls.__mro__ if base is not object)


def _with_members(error: BaseException) -> Iterator[BaseException]:
    yield error
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from _with_members(member)


def _type_name(error: BaseException) -> str:
    return type(error).__name__ if isinstance(error, FlowgraphError) else type(error).__qualname__


def _text(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception as failed:  # noqa: BLE001 (an exception whose text cannot be made is still an exception)
        text = f"(its text could not be made: {type(failed).__name__})"
    return _clean(text, _LONGEST_MESSAGE)


def _traceback(error: BaseException) -> str:
    try:
        lines = traceback_module.format_exception(error)
    except Exception:  # noqa: BLE001 (as above)
        return ""
    text = "".join(lines)
    return _clean(text if len(text) <= _LONGEST_TRACEBACK else "…" + text[-_LONGEST_TRACEBACK:])


def _clean(text: str, limit: int | None = None) -> str:
    """Text that any store takes: no lone surrogates, no NUL; at most `limit` characters."""
    clean = text.encode("utf-8", "replace").decode().replace("\x00", "�")
    return clean if limit is None or len(clean) <= limit else clean[:limit] + "…"


def is_permanent(error: BaseException) -> bool:
    """Tell whether trying again cannot help, whatever the policy says."""
    return isinstance(error, SerializationError | PayloadTooLarge | ItemsChanged)
