"""Words for times, values and errors."""

from __future__ import annotations

import doctest
import json
from datetime import UTC
from importlib import import_module
from typing import Any

import pytest

from flowgraph.cli.wording import arguments_text, clock_time, failure_line, json_text, one_line, plain
from flowgraph.model import Failure, failure_text, lasting, waiting
from tests.cli.rows import us


@pytest.mark.parametrize("module", ["board", "inputs", "target", "wording"])
def test_the_examples_in_the_docstrings_are_right(module: str) -> None:
    result = doctest.testmod(import_module(f"flowgraph.cli.{module}"))
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize(
    ("seconds", "done", "going"),
    [
        (0, "0ms", "0s"),
        (0.0994, "99ms", "0s"),
        (0.0996, "0.1s", "0s"),
        (9.94, "9.9s", "9s"),
        (9.96, "9s", "9s"),
        (59.99, "59s", "59s"),
        (60, "1m 00s", "1m 00s"),
        (3_599.9, "59m 59s", "59m 59s"),
        (86_399, "23h 59m", "23h 59m"),
        (400 * 86_400, "400d 00h", "400d 00h"),
        (-5, "0ms", "0s"),
    ],
)
def test_durations(seconds: float, done: str, going: str) -> None:
    assert (lasting(us(seconds)), waiting(us(seconds))) == (done, going)


def test_a_moment_of_another_day_has_its_date() -> None:
    assert clock_time(us(3_600), us(60), UTC) == "01:00:00"
    assert clock_time(us(90_000), us(60), UTC) == "1970-01-02 01:00"


def test_text_of_many_lines_becomes_one() -> None:
    assert one_line("first\n\n  second\tthird\x1b[31m\x00") == "first second third�[31m�"
    assert one_line("x" * 400, 10) == "xxxxxxxxx…"


@pytest.mark.parametrize(
    ("failure", "line"),
    [
        (Failure("StepFailed", 5, "http.client.BadStatusLine", "no\nline"), "BadStatusLine: no line"),
        (Failure("StepFailed", 5, "KeyError", ""), "KeyError"),
        (Failure("run", cause_message="the account is closed"), "the account is closed"),
        (Failure("ListenTimeout", extra={"event": "go", "timeout": 90.0}), "no event 'go' came within 90 s"),
        (Failure("ChildFailed", extra={"run_id": "r", "status": "timed_out"}), "run r is timed out"),
        (
            Failure("ChildFailed", cause_message="why", extra={"run_id": "r", "status": "failed"}),
            "run r is failed: why",
        ),
        (Failure("MapFailed", cause_message="2 items failed", extra={"count": 2, "failures": []}), "2 items failed"),
        (Failure("PayloadTooLarge", cause_message="'a' is too large"), "'a' is too large"),
    ],
)
def test_a_failure_in_one_line(failure: Failure, line: str) -> None:
    assert failure_line(failure_text(failure)) == line


def test_no_failure_has_no_words() -> None:
    assert failure_line(None) == ""


@pytest.mark.parametrize(
    ("saved", "read"),
    [
        ({"a": [1, None, True, "x"]}, {"a": [1, None, True, "x"]}),
        ({"$any": {"$set": [1, 2]}}, [1, 2]),
        ({"$datetime": "2030-01-01T00:00:00+01:00", "zone": "Europe/Paris"}, "2030-01-01T00:00:00+01:00"),
        ({"$bytes": "aGk="}, "aGk="),
        ({"$float": "nan"}, "nan"),
        ({"$int": "0xff"}, 255),
        ({"$dict": [[1, "one"], [None, 2]]}, {"1": "one", "null": 2}),
        ({"$dict": [[{"$tuple": [1, 2]}, "pair"]]}, [[[1, 2], "pair"]]),
        ({"$as": "Order", "id": 7, "total": {"$decimal": "1.50"}}, {"id": 7, "total": "1.50"}),
        ({"$as": "Colour", "value": "red"}, "red"),
        ({"": 1}, {"": 1}),
    ],
)
def test_saved_values_without_marks(saved: Any, read: Any) -> None:
    assert plain(saved) == read


def test_json_keeps_what_no_encoding_can_write() -> None:
    assert json_text({"é": 1}) == '{"é":1}'
    assert json_text(["\ud800"]) == '["\\ud800"]'
    assert json.loads(json_text({"a": [1]}, pretty=True)) == {"a": [1]}


def test_arguments_read_as_a_call() -> None:
    saved = {"args": ["x", {"$tuple": [1]}], "kwargs": {"mode": "fast"}}
    assert arguments_text(saved) == '("x", [1], mode="fast")'
    assert arguments_text({"args": ["y" * 500]}, 20) == '("yyyyyyyyyyyyyyyyy…'
