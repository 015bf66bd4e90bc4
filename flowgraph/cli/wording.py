"""How times, durations and values read on a terminal. Pure functions."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Any

from flowgraph.model import MICROSECONDS, failure_of, moment, waiting

_MARK = "$"


def soon(due_us: int | None, now_us: int) -> str:
    """When something comes, in seconds rounded up.

    >>> soon(3_200_000, 1_000_000), soon(5, 10)
    ('in 3s', 'now')
    """
    left_us = (due_us or 0) - now_us
    return f"in {waiting(left_us + MICROSECONDS - 1)}" if left_us > 0 else "now"


def clock_time(at_us: int, now_us: int, zone: tzinfo | None = None) -> str:
    """A moment near now, in a zone (None: this machine's): the time of day, with the date if that is not today."""
    at, now = moment(at_us).astimezone(zone), moment(now_us).astimezone(zone)
    return f"{at:%H:%M:%S}" if at.date() == now.date() else f"{at:%Y-%m-%d %H:%M}"


def full_time(at: datetime | None, zone: tzinfo | None = None) -> str:
    """A moment in full, in the zone given (None: this machine's)."""
    return "" if at is None else f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def one_line(text: str, limit: int = 300) -> str:
    r"""Text in one line without control characters, at most so long.

    >>> one_line("a\n  b\x1b[1m")
    'a b�[1m'
    """
    line = " ".join(text[: 4 * limit].split())
    line = "".join(char if char.isprintable() else "�" for char in line)
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def counted(number: int, noun: str) -> str:
    """A number and its noun.

    >>> counted(1, "step"), counted(1_200, "batch")
    ('1 step', '1,200 batches')
    """
    plural = f"{noun}es" if noun.endswith("ch") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def amount(number: float) -> str:
    """A number of a progress message.

    >>> amount(40), amount(2.50), amount(12_000)
    ('40', '2.5', '12,000')
    """
    return f"{number:,.0f}" if number == int(number) else f"{number:,.6g}"


def failure_line(saved: str | None) -> str:
    """A saved failure in one line, without what is said around it anyway (which step, how many attempts)."""
    if saved is None:
        return ""
    failure = failure_of(saved)
    extra, message = failure.extra, failure.cause_message
    match failure.type:
        case "ListenTimeout":
            return f"no event {extra['event']!r} came within {extra['timeout']:g} s"
        case "ChildFailed":
            return one_line(f"run {extra['run_id']} is {extra['status'].replace('_', ' ')}{message and ': '}{message}")
    cause = failure.cause_type.rpartition(".")[2]
    return one_line(": ".join(filter(None, (cause, message))))


# Values ---------------------------------------------------------------------------------------------------------------


def plain(saved: Any) -> Any:
    """Saved data as the JSON that a reader expects: without the marks by which the store tells types apart.

    >>> plain({"$tuple": [1, {"$decimal": "2.50"}]}), plain({"$as": "Order", "id": 7})
    ([1, '2.50'], {'id': 7})
    """
    if isinstance(saved, list):
        return [plain(item) for item in saved]
    if not isinstance(saved, dict):
        return saved
    mark = next(iter(saved), "")
    if not mark.startswith(_MARK):
        return {key: plain(value) for key, value in saved.items()}
    if mark == "$as":
        return _instance(saved)
    read = _MARKS.get(mark)
    return plain(saved[mark]) if read is None else read(saved[mark])


def _instance(saved: dict[str, Any]) -> Any:
    """An instance is an object of its fields; one with only a `value` is most likely the member of an enum."""
    fields = {key: plain(value) for key, value in saved.items() if key != "$as"}
    return fields["value"] if set(fields) == {"value"} else fields


def _pairs(pairs: list[list[Any]]) -> Any:
    plain_pairs = [[plain(key), plain(value)] for key, value in pairs]
    if all(isinstance(key, str | int | float | None) for key, _ in plain_pairs):
        return {key if isinstance(key, str) else json.dumps(key): value for key, value in plain_pairs}
    return plain_pairs


_MARKS: dict[str, Callable[[Any], Any]] = {
    "$dict": _pairs,
    "$ordereddict": _pairs,
    "$counter": _pairs,
    "$int": lambda text: int(text, 16),
    "$str": lambda text: text.encode().decode("unicode_escape"),
}


def json_text(value: Any, *, pretty: bool = False, encoding: str = "utf-8") -> str:
    """A JSON value as text: in one line, or for people. What the encoding has not is escaped, as JSON does it."""
    indent, separators = (2, None) if pretty else (None, (",", ":"))
    text = json.dumps(value, ensure_ascii=False, indent=indent, separators=separators)
    return text if _encodable(text, encoding) else json.dumps(value, indent=indent, separators=separators)


def _encodable(text: str, encoding: str) -> bool:
    """Tell whether an encoding has all characters; none has lone surrogates."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def arguments_text(saved: Any, limit: int = 200) -> str:
    """A run's input as a call reads: ``("a", 2, mode="fast")``, shortened."""
    args = [json_text(plain(value)) for value in saved.get("args", ())]
    kwargs = [f"{name}={json_text(plain(value))}" for name, value in saved.get("kwargs", {}).items()]
    return one_line(f"({', '.join([*args, *kwargs])})", limit)
