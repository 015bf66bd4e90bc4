"""What users type as values: JSON, tags, moments."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

from flowgraph.cli.trouble import Trouble
from flowgraph.errors import InvalidOption
from flowgraph.model import seconds


def read_json(text: str, option: str) -> Any:
    """The JSON value of an argument: JSON itself, ``@file``, or ``-`` for stdin. `option` names it in errors."""
    if text == "-":
        return parse_json(sys.stdin.read(), f"{option} from stdin")
    if text.startswith("@"):
        return parse_json(_content(Path(text[1:]), option), f"{option} from {text[1:]}")
    return parse_json(text, option)


def parse_json(text: str, source: str) -> Any:
    """The value of JSON text; `source` says in errors where it is from."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Trouble(f"{source} is no valid JSON: {error.msg} at {place}.{_hint(text)}") from error
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Trouble(f"{source} is no valid JSON: {reason}.") from error


def arguments(value: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments that an input stands for: an object is keyword arguments, an array positional ones.

    >>> arguments({"a": 1}), arguments([1, 2]), arguments("text")
    (((), {'a': 1}), ((1, 2), {}), (('text',), {}))
    """
    if isinstance(value, dict):
        return (), value
    return (tuple(value), {}) if isinstance(value, list) else ((value,), {})


def tags_of(pairs: tuple[str, ...]) -> dict[str, str]:
    """The tags of ``--tag name=value`` options."""
    tags = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise Trouble(f"--tag {pair}: write it as name=value.")
        tags[name] = value
    return tags


def moment_of(text: str | None, option: str, now: datetime | None = None) -> datetime | None:
    """A moment: ISO 8601 (without a zone: this machine's), or a duration, which counts back from now.

    >>> moment_of("2h", "--since", datetime(2030, 1, 1, 12, tzinfo=UTC)).isoformat()
    '2030-01-01T10:00:00+00:00'
    """
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError, OSError):
        pass
    try:
        return (now or datetime.now(UTC)) - timedelta(seconds=seconds(text))
    except (InvalidOption, OverflowError):
        form = 'a moment such as 2030-01-31T09:00 or a duration such as "2h", which counts back from now'
        raise Trouble(f"{option} {text}: write {form}.") from None


def _content(file: Path, option: str) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Trouble(f"{option} @{file}: the file cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise Trouble(f"{option} @{file}: the file is no UTF-8 text (byte {error.start}).") from error


def _hint(text: str) -> str:
    """A word on its own is most likely meant as text, which the shell has robbed of its quotes."""
    word = text.strip()
    return f" For text, quote it twice: '\"{word}\"'." if word.isidentifier() else ""


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")
