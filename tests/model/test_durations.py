"""Durations and moments: what is understood, what is refused, and that no wait is rounded down."""

import math
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowgraph.errors import InvalidOption
from flowgraph.model import count, microseconds, moment, moment_us, seconds

_LONGEST = timedelta(days=365_000)
_UNITS = {"ms": Fraction(1, 1000), "s": 1, "m": 60, "h": 3_600, "d": 86_400}


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        (0, 0.0),
        (2, 2.0),
        (0.25, 0.25),
        ("500ms", 0.5),
        ("0s", 0.0),
        ("30s", 30.0),
        ("1.5m", 90.0),
        ("2h", 7_200.0),
        ("1d", 86_400.0),
        (" 5 m ", 300.0),
        (timedelta(0), 0.0),
        (timedelta(minutes=1), 60.0),
        (timedelta(microseconds=1), 0.000_001),
    ],
)
def test_durations_are_seconds(duration: float | timedelta | str, expected: float) -> None:
    assert seconds(duration) == expected


@pytest.mark.parametrize(
    "duration",
    [
        -1, -0.001, math.nan, math.inf, -math.inf, 10**400, -(10**400), 1e308, timedelta(seconds=-1), timedelta.max,
        "", "5", "s", "-5s", "5 minutes", "1h30m", "1e3s", "½h", "nan s", "inf s", "9" * 400 + "d", "5S", "1,5s",
        None, True, False, b"5s", [5], object(), 1j,
    ],
)  # fmt: skip
def test_a_bad_duration_is_refused_by_the_name_of_the_option(duration: object) -> None:
    with pytest.raises(InvalidOption) as caught:
        seconds(duration, "patience")  # type: ignore[arg-type]
    assert caught.value.option == "patience"
    assert str(caught.value).startswith("patience=")
    assert isinstance(caught.value, ValueError)


@given(st.timedeltas(min_value=timedelta(0), max_value=_LONGEST))
@example(timedelta(days=364_999, microseconds=1))
def test_a_timedelta_is_never_rounded_down(duration: timedelta) -> None:
    exact = duration // timedelta(microseconds=1)
    assert exact <= microseconds(duration) <= exact + 8


@given(st.integers(0, 10**6), st.integers(0, 999), st.sampled_from(sorted(_UNITS)))
def test_text_is_never_rounded_down(whole: int, thousandths: int, unit: str) -> None:
    exact = (whole + Fraction(thousandths, 1000)) * _UNITS[unit] * 1_000_000
    if exact > 365_000 * 86_400 * 10**6:
        return
    got = microseconds(f"{whole}.{thousandths:03d}{unit}")
    assert got >= math.floor(exact)
    assert got - exact <= max(1, exact * Fraction(1, 10**12))


@given(st.floats(0, 1e9, allow_nan=False))
def test_a_number_is_never_rounded_down(number: float) -> None:
    assert microseconds(number) >= math.floor(Fraction(number) * 1_000_000)


@given(st.one_of(st.text(max_size=8), st.floats(), st.integers(), st.none(), st.booleans(), st.timedeltas()))
def test_anything_is_a_duration_or_an_invalid_option(value: object) -> None:
    try:
        found = seconds(value)  # type: ignore[arg-type]
    except InvalidOption:
        return
    assert 0 <= found <= _LONGEST.total_seconds()


_zones = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(timezones=_zones))
@example(datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
@example(datetime(1, 1, 1, tzinfo=UTC))
@example(datetime(9999, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-12))))
@example(datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=12))))
def test_every_aware_datetime_is_a_moment_that_can_be_shown_or_refused_at_once(value: datetime) -> None:
    try:
        us = moment_us(value)
    except InvalidOption:
        return
    assert moment(us) == value
    assert moment(us).tzinfo is UTC


@pytest.mark.parametrize("value", [datetime(2030, 1, 1), None, 0, "2030-01-01", datetime(2030, 1, 1).date()])
def test_a_naive_datetime_is_refused(value: object) -> None:
    with pytest.raises(InvalidOption) as caught:
        moment_us(value)
    assert caught.value.option == "until"


def test_moments_count_from_the_epoch() -> None:
    assert moment_us(datetime(1970, 1, 1, tzinfo=UTC)) == 0
    assert moment_us(datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))) == 0
    assert moment_us(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == -1


@pytest.mark.parametrize("value", [0, -1, True, 1.0, "3", None])
def test_a_count_is_a_whole_number_from_one(value: object) -> None:
    with pytest.raises(InvalidOption):
        count(value, "max_attempts")


def test_a_count_is_returned() -> None:
    assert count(1, "max_attempts") == 1
    assert count(0, "skip", least=0) == 0
