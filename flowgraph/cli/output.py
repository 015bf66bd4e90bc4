"""stdout, which belongs to the result alone, and the JSON that goes there."""

from __future__ import annotations

import base64
import json
import os
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date, datetime, time
from enum import Enum
from typing import Any

from flowgraph.cli.wording import json_text, plain


@contextmanager
def stdout_kept_free() -> Iterator[None]:
    """Send to stderr what anything prints meanwhile: Python code, extensions, and processes that are started."""
    kept = sys.stdout
    kept.flush()
    descriptor = _moved_to_stderr(kept)
    sys.stdout = sys.stderr
    try:
        yield
    finally:
        sys.stdout = kept
        if descriptor is not None:
            os.dup2(descriptor, 1)
            os.close(descriptor)


def _moved_to_stderr(stdout: Any) -> int | None:
    """Let descriptor 1 lead to stderr; returns what it led to, or None where there is nothing to move."""
    with suppress(OSError, ValueError, AttributeError):
        if stdout.fileno() == 1:
            descriptor = os.dup(1)
            os.dup2(2, 1)
            return descriptor
    return None


def print_json(value: Any) -> None:
    """Print one JSON value: indented on a terminal, in one line elsewhere."""
    print(json_text(value, pretty=sys.stdout.isatty(), encoding=sys.stdout.encoding), flush=True)


def natural(value: Any, saved: Any) -> Any:
    """A workflow's result as the JSON that a reader expects; `saved` is its saved form, for what has none."""
    try:
        return json.loads(json.dumps(value, default=_builtin, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        return plain(saved)


def plain_record(record: Any) -> Any:
    """A record as plain JSON data, its fields in their order and its moments as ISO 8601."""
    import attrs

    def plain(_: type, __: Any, value: Any) -> Any:
        return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value

    return attrs.asdict(record, value_serializer=plain)


def _builtin(value: Any) -> Any:
    """A value that JSON does not know, one level down."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, set | frozenset):
        return sorted(value, key=lambda item: json.dumps(item, default=_builtin, sort_keys=True))
    if isinstance(value, range | deque):
        return list(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    fields = _fields(value)
    if fields is not None:
        return fields
    import msgspec

    return msgspec.to_builtins(value, str_keys=True, enc_hook=str)


def _fields(value: Any) -> dict[str, Any] | None:
    """The fields of an instance of a dataclass, an attrs or msgspec class or a pydantic model."""
    kind = type(value)
    names = getattr(kind, "__struct_fields__", None) or getattr(kind, "model_fields", None)
    if names is None:
        names = getattr(kind, "__dataclass_fields__", None)
    if names is None and hasattr(kind, "__attrs_attrs__"):
        names = [attribute.name for attribute in kind.__attrs_attrs__]
    return None if names is None else {name: getattr(value, name) for name in names if hasattr(value, name)}
