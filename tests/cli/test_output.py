"""Results as JSON: what a reader expects, for whatever a workflow returns."""

from __future__ import annotations

import dataclasses
import enum
import math
from collections import deque
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from uuid import UUID

import attrs
import msgspec
import pydantic
import pytest

from flowgraph.cli.output import natural


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Point(NamedTuple):
    x: int
    y: int


@dataclasses.dataclass
class Order:
    id: int
    paid: Decimal
    colour: Colour


@attrs.frozen
class Item:
    order: Order


class Struct(msgspec.Struct):
    when: date


class Model(pydantic.BaseModel):
    item: tuple[int, Colour]


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (None, None),
        ({"a": [1, 2.5, True]}, {"a": [1, 2.5, True]}),
        (10**40, 10**40),
        ((1, (2,)), [1, [2]]),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset({"b", "a"}), ["a", "b"]),
        ({1: "one", None: 0}, {"1": "one", "null": 0}),
        (b"hi", "aGk="),
        (datetime(2030, 1, 1, tzinfo=UTC), "2030-01-01T00:00:00+00:00"),
        (timedelta(seconds=90), "PT90S"),
        (Decimal("1.50"), "1.50"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (PurePosixPath("/tmp"), "/tmp"),
        (range(3), [0, 1, 2]),
        (deque([1]), [1]),
        ([Colour.RED, Level.HIGH, Point(1, 2)], ["red", 3, [1, 2]]),
        (Item(Order(7, Decimal("2.0"), Colour.RED)), {"order": {"id": 7, "paid": "2.0", "colour": "red"}}),
        (Struct(date(2030, 1, 1)), {"when": "2030-01-01"}),
        (Model(item=(1, Colour.RED)), {"item": [1, "red"]}),
    ],
)
def test_values(value: Any, read: Any) -> None:
    assert natural(value, "not looked at") == read


def test_what_json_has_no_form_for_is_shown_as_it_was_saved() -> None:
    assert natural([math.nan], [{"$float": "nan"}]) == ["nan"]
    assert natural({(1, 2): 3}, {"$dict": [[{"$tuple": [1, 2]}, 3]]}) == [[[1, 2], 3]]
