"""Durations and moments: what users may write, and the microseconds that everything else works with."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

from flowgraph.errors import InvalidOption

Duration = float | int | timedelta | str

MICROSECONDS = 1_000_000
MINUTE_S = 60
HOUR_S = 3_600
DAY_S = 86_400
_LONGEST_S = 1_000 * 365 * 86_400
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_text = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*").fullmatch


def seconds(value: Duration, option: str = "duration") -> float:
    """Turn a duration into seconds; `option` names it in the InvalidOption that a bad one raises.

    >>> seconds("1.5m"), seconds(2), seconds(timedelta(days=1))
    (90.0, 2.0, 86400.0)
    """
    if isinstance(value, timedelta):
        amount = value.total_seconds()
    elif isinstance(value, str):
        found = _text(value)
        if not found:
            raise InvalidOption(option, value, 'write a duration as seconds or as text such as "500ms", "30s" or "2h"')
        amount = float(found[1]) * _UNITS_S[found[2]]
    elif isinstance(value, int | float) and not isinstance(value, bool):
        amount = float(value) if abs(value) < 1e300 else math.inf
    else:
        raise InvalidOption(option, value, f"a duration is a number, a timedelta or text, not {type(value).__name__}")
    if not math.isfinite(amount) or amount < 0:
        raise InvalidOption(option, value, "a duration is finite and not negative")
    if amount > _LONGEST_S:
        raise InvalidOption(option, value, "a duration is at most 1,000 years")
    return amount


def microseconds(value: Duration, option: str = "duration") -> int:
    """Turn a duration into whole microseconds, rounded up so that no wait ends early."""
    amount = seconds(value, option)
    if isinstance(value, timedelta):  # Whole microseconds already, more of them than a float can count.
        return value // timedelta(microseconds=1)
    if isinstance(value, str) and (found := _text(value)):  # Exact, where a float would not be.
        whole, _, part = found[1].partition(".")
        digits = int(whole + part) * round(_UNITS_S[found[2]] * MICROSECONDS)
        return int(-(-digits // 10 ** len(part)))
    return math.ceil(amount * MICROSECONDS)


def moment_us(moment: object, option: str = "until") -> int:
    """Turn an aware datetime into microseconds since the epoch, UTC."""
    if not isinstance(moment, datetime):
        raise InvalidOption(option, moment, f"a moment is an aware datetime, not {type(moment).__name__}")
    if moment.utcoffset() is None:
        raise InvalidOption(option, moment, "the datetime is naive; give it a time zone, for example datetime.now(UTC)")
    try:
        delta = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    except OverflowError:
        raise InvalidOption(
            option, moment, "in UTC it is outside the calendar, which ends with the year 9999"
        ) from None
    return (delta.days * 86_400 + delta.seconds) * MICROSECONDS + delta.microseconds


def moment(us: int) -> datetime:
    """Turn microseconds since the epoch into an aware datetime, UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)


def count(value: object, option: str, least: int = 1) -> int:
    """Return `value` if it is a whole number of at least `least`; else raise InvalidOption."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidOption(option, value, f"it is a whole number, not {type(value).__name__}")
    if value < least:
        raise InvalidOption(option, value, f"it is at least {least}")
    return value


def lasting(us: int) -> str:
    """How long something took.

    >>> lasting(4_200), lasting(1_240_000), lasting(75_000_000), lasting(90_000_000_000)
    ('4ms', '1.2s', '1m 15s', '1d 01h')
    """
    us = max(0, us)
    if us < 99_500:
        return f"{round(us / 1_000)}ms"
    return f"{us / MICROSECONDS:.1f}s" if us < 9_950_000 else waiting(us)


def waiting(us: int) -> str:
    """How long something has been going on, or is still to go on: in whole seconds, so that it reads calmly.

    >>> waiting(900_000), waiting(75_900_000), waiting(3_720_000_000)
    ('0s', '1m 15s', '1h 02m')
    """
    seconds = max(0, us) // MICROSECONDS
    if seconds < MINUTE_S:
        return f"{seconds}s"
    if seconds < HOUR_S:
        return f"{seconds // MINUTE_S}m {seconds % MINUTE_S:02}s"
    if seconds < DAY_S:
        return f"{seconds // HOUR_S}h {seconds % HOUR_S // MINUTE_S:02}m"
    return f"{seconds // DAY_S}d {seconds % DAY_S // HOUR_S:02}h"
