"""The codec keeps value and type, or refuses."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import datetime as dt
import enum
import functools
import ipaddress
import json
import math
import pathlib
import sqlite3
import struct
import subprocess
import sys
import threading
import typing
import uuid
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Awaitable, Coroutine, Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, Optional, TypedDict, TypeVar, Union
from zoneinfo import ZoneInfo

import attrs
import msgspec
import pydantic
import pytest

from flowgraph.runtime import codec
from flowgraph.runtime.codec import (
    Unfit,
    Unsaveable,
    dump,
    dump_arguments,
    load,
    load_arguments,
    return_annotation,
)

T = TypeVar("T")


def alike(one: Any, other: Any) -> bool:
    """Equal in value and type, decided without the codec."""
    if type(one) is not type(other):
        return False
    match one:
        case float():
            return struct.pack("d", one) == struct.pack("d", other) or (math.isnan(one) and math.isnan(other))
        case complex():
            return alike(one.real, other.real) and alike(one.imag, other.imag)
        case dict():
            return len(one) == len(other) and all(
                alike(a, b) and alike(one[a], other[b]) for a, b in zip(one, other, strict=True)
            )
        case deque():
            return one.maxlen == other.maxlen and alike(list(one), list(other))
        case list() | tuple():
            return len(one) == len(other) and all(map(alike, one, other))
        case set() | frozenset():
            return len(one) == len(other) and all(any(alike(a, b) for b in other) for a in one)
        case Decimal():
            return str(one) == str(other)
        case dt.datetime() | dt.time():
            return (
                repr(one) == repr(other)
                and type(one.tzinfo) is type(other.tzinfo)
                and one.utcoffset() == other.utcoffset()
                and one.tzname() == other.tzname()
            )
    if attrs.has(type(one)):
        return all(alike(getattr(one, a.name), getattr(other, a.name)) for a in attrs.fields(type(one)))
    if dataclasses.is_dataclass(one):
        return all(alike(getattr(one, f.name), getattr(other, f.name)) for f in dataclasses.fields(one))
    if isinstance(one, msgspec.Struct):
        return all(alike(getattr(one, name), getattr(other, name)) for name in one.__struct_fields__)
    if isinstance(one, pydantic.BaseModel):
        return alike(one.__dict__, other.__dict__) and one.model_fields_set == other.model_fields_set
    return bool(one == other)


def check_exact(value: Any, annotation: Any = Any) -> str:
    text, copy = dump(value, annotation)
    json.loads(text)
    assert alike(copy, value), (copy, value)
    assert alike(load(text, annotation), value)
    return text


# Without an annotation ------------------------------------------------------------------------------------------------

BERLIN = ZoneInfo("Europe/Berlin")

PLAIN = [
    (None, "null"),
    (True, "true"),
    (3, "3"),
    (-0.0, "-0.0"),
    (1.5, "1.5"),
    ("", '""'),
    ("naïve ☃ 𝄞 \x00 \u2028", None),
    ([], "[]"),
    ({}, "{}"),
    ([1, 1.0, True, None, "1"], '[1,1.0,true,null,"1"]'),
    ({"b": 1, "a": [{"c": None}]}, '{"b":1,"a":[{"c":null}]}'),
    ({"": 0, "price $": 1, "a$": 2}, None),
    (["$tuple", '{"$tuple":1}', '{"$any":'], None),
    ({"a": {"b": 1, "$c": 2}}, None),
    (2**63, "9223372036854775808"),
    (-(2**200), None),
    ([10**400], None),
]

MARKED = [
    (float("nan"), '{"$float":"nan"}'),
    ([math.inf, -math.inf], '[{"$float":"inf"},{"$float":"-inf"}]'),
    ((), '{"$tuple":[]}'),
    ((1, (2, [3])), '{"$tuple":[1,{"$tuple":[2,[3]]}]}'),
    ({3, 1, 2}, '{"$set":[1,2,3]}'),
    (frozenset({"b", "a"}), '{"$frozenset":["a","b"]}'),
    ({True}, None),
    ({(1, "a"), (2, frozenset({1.0}))}, None),
    (b"\x00\xff", '{"$bytes":"AP8="}'),
    (bytearray(b"ab"), None),
    ({1: "a", None: 2, (1, 2): {3}, True if False else 2.5: 0, b"k": 0}, None),
    ({"$": 1}, '{"$dict":[["$",1]]}'),
    ({"$tuple": [1, 2]}, '{"$dict":[["$tuple",[1,2]]]}'),
    ({"$dict": [["a", 1]]}, None),
    ({"$any": 1}, None),
    ({"$as": "Order", "id": 1}, None),
    ([{"$decimal": "1"}], None),
    (Decimal("1.50"), '{"$decimal":"1.50"}'),
    ([Decimal("-0"), Decimal("NaN"), Decimal("sNaN123"), Decimal("-Infinity"), Decimal("1E+999999")], None),
    (uuid.UUID(int=7), '{"$uuid":"00000000-0000-0000-0000-000000000007"}'),
    (uuid.uuid1(), None),
    (Fraction(-1, 3), '{"$fraction":"-1/3"}'),
    ([complex(1, -0.0), complex(float("nan"), math.inf)], None),
    (range(5), '{"$range":[0,5,1]}'),
    (range(10, -(10**30), -3), None),
    (deque([1, 2]), '{"$deque":[1,2]}'),
    (deque([1, (2,)], maxlen=3), '{"$deque":[1,{"$tuple":[2]}],"maxlen":3}'),
    (deque(maxlen=0), None),
    (OrderedDict(b=1, a=2), '{"$ordereddict":[["b",1],["a",2]]}'),
    (Counter({"a": 2, 3: -1}), '{"$counter":[["a",2],[3,-1]]}'),
    (dt.date(2024, 2, 29), '{"$date":"2024-02-29"}'),
    (dt.timedelta(days=1, seconds=2, microseconds=3), '{"$timedelta":"P1DT2.000003S"}'),
    ([dt.timedelta.max, dt.timedelta.min, dt.timedelta(microseconds=-1), dt.timedelta()], None),
    (dt.datetime(2024, 1, 2, 3, 4, 5, 6), '{"$datetime":"2024-01-02T03:04:05.000006"}'),
    (dt.datetime(2024, 1, 2, tzinfo=dt.UTC), '{"$datetime":"2024-01-02T00:00:00+00:00"}'),
    (dt.datetime(2024, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=-3, seconds=1))), None),
    (dt.datetime(2024, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=1), "CET")), None),
    (dt.datetime(2024, 1, 2, tzinfo=BERLIN), None),
    (dt.datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN), None),
    (dt.datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=BERLIN), None),
    (dt.datetime(2024, 1, 2, tzinfo=ZoneInfo("UTC")), None),
    (dt.datetime(2024, 1, 2, fold=1), '{"$datetime":"2024-01-02T00:00:00","fold":1}'),
    ([dt.datetime.max, dt.datetime.min], None),
    (dt.time(1, 2, 3, 4), '{"$time":"01:02:03.000004"}'),
    ([dt.time(1, tzinfo=dt.UTC), dt.time(1, fold=1), dt.time(1, tzinfo=BERLIN)], None),
    ([dt.UTC, dt.timezone(dt.timedelta(hours=2)), dt.timezone(dt.timedelta(0), "Z")], None),
    (BERLIN, '{"$zoneinfo":"Europe/Berlin"}'),
    (pathlib.PurePosixPath("/a/b"), '{"$pureposixpath":"/a/b"}'),
    ([pathlib.Path("a"), pathlib.PureWindowsPath(r"c:\x")], None),
    ([ipaddress.ip_address("10.0.0.1"), ipaddress.ip_address("fe80::1%eth0")], None),
    ([ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_interface("::1/64")], None),
    ("lone \ud800 surrogate", None),
    ([{"\udcff": "\udcff\\u0041\n"}, {"a": "\ud83d"}], None),
    (pathlib.PurePosixPath("\udcff"), None),
    ({"now": dt.datetime(2024, 1, 1), "rows": [{"id": uuid.UUID(int=1), "n": (1, 2)}]}, None),
]


@pytest.mark.parametrize(("value", "text"), PLAIN + MARKED)
def test_builtins_come_back_exactly_and_have_a_readable_text(value: Any, text: str | None) -> None:
    saved = check_exact(value)
    if text is not None:
        assert saved == text


@pytest.mark.parametrize(("value", "text"), PLAIN)
def test_plain_data_has_no_marks(value: Any, text: str | None) -> None:
    assert '{"$' not in dump(value)[0]


def test_integers_are_as_large_as_they_like() -> None:
    """Python does not write more than 4300 digits, so pytest could not name them in a table."""
    for number in (10**4_299, 10**5_000, -(10**5_000)):
        for value in (number, [number], {"a": number}, {number: (number,)}):
            check_exact(value)
            check_exact(value, int)


def test_what_python_calls_equal_is_kept_apart() -> None:
    for one in (1, True, 1.0, Decimal(1), Fraction(1), 1 + 0j, 0, False, 0.0, -0.0, Decimal("-0")):
        check_exact(one)
        check_exact([one])
        check_exact({"k": [one]})
        check_exact({one: one})
        check_exact({one})


def test_the_texts_of_different_values_differ() -> None:
    values: list[Any] = [value for value, _ in PLAIN + MARKED]
    texts = [dump(value)[0] for value in values]
    assert len(set(texts)) == len(texts)


def test_a_set_has_the_same_text_however_it_was_built() -> None:
    words = [f"word {number}" for number in range(50)]
    assert dump(set(words))[0] == dump({*reversed(words)})[0]


def test_the_copy_is_another_object() -> None:
    value: dict[str, Any] = {"a": [1], "b": [(1, [2])]}
    _, copy = dump(value)
    value["a"].append(2)
    value["b"][0][1].append(3)
    assert copy == {"a": [1], "b": [(1, [2])]}


def test_a_database_reads_plain_data() -> None:
    text, _ = dump({"order": {"lines": [{"sku": "x"}], "total": Decimal("1.5")}})
    query = """SELECT json_extract(:text, '$.order.lines[0].sku'), json_extract(:text, '$.order.total."$decimal"')"""
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        assert database.execute(query, {"text": text}).fetchone() == ("x", "1.5")


# What is refused ------------------------------------------------------------------------------------------------------


class Text(str):
    __slots__ = ()


class Whole(int):
    pass


class Real(float):
    pass


class Row(dict[str, Any]):
    pass


class Rows(list[Any]):
    pass


class Twice(tuple[Any, ...]):
    __slots__ = ()


class Moment(dt.datetime):
    pass


class Cents(Decimal):
    pass


class Opaque:
    pass


class Zone(dt.tzinfo):
    def utcoffset(self, when: dt.datetime | None) -> dt.timedelta:
        return dt.timedelta(hours=1)


class Shade(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


REFUSED = [
    (Text("a"), "Text"),
    (Whole(1), "Whole"),
    (Real(1.0), "Real"),
    (Row(a=1), "Row"),
    (Rows([1]), "Rows"),
    (Twice((1,)), "Twice"),
    (Moment(2024, 1, 1), "Moment"),
    (Cents(1), "Cents"),
    (defaultdict(list, a=[1]), "defaultdict"),
    (Opaque(), "Opaque"),
    (object(), "object"),
    (..., "ellipsis"),
    (int, "type"),
    (len, "builtin_function_or_method"),
    (memoryview(b"a"), "memoryview"),
    ((number for number in ()), "generator"),
    (ValueError("x"), "ValueError"),
    (compile("1", "", "eval"), "code"),
    (threading.Lock(), "lock"),
    (Shade.RED, "Shade"),
    (Level.LOW, "Level"),
    (Point(1), "Point"),
    (dt.datetime(2024, 1, 1, tzinfo=Zone()), "Zone"),
]


@pytest.mark.parametrize(("value", "type_name"), REFUSED)
def test_what_would_come_back_as_something_else_is_refused_wherever_it_is(value: Any, type_name: str) -> None:
    for holder in (value, [value], {"a": value}, (value,), {"a": [{"b": value}]}, {"a": deque([value])}):
        with pytest.raises(Unsaveable) as caught:
            dump(holder)
        assert caught.value.type_name == type_name
    if type(value).__hash__ is not None:
        for holder in ({value: 1}, {value}):
            with pytest.raises(Unsaveable):
                dump(holder)


def test_numbers_of_numpy_are_refused() -> None:
    """A stand-in with numpy's traits: a subclass of float that marshal would take for a buffer."""
    numpy = pytest.importorskip("numpy", reason="numpy is not installed")
    for value in (numpy.float64(1.5), numpy.int64(1), numpy.array([1]), numpy.bool_(True)):
        for holder in (value, [value], {"a": value}):
            with pytest.raises(Unsaveable):
                dump(holder)


def test_a_value_that_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    ring: dict[str, Any] = {}
    ring["a"] = [(ring,)]
    node = Point(1)
    node.x = node  # type: ignore[assignment]
    for value in (loop, ring, node):
        with pytest.raises(Unsaveable, match="contains itself"):
            dump(value, Point)


def nested(depth: int, wrap: Any) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = wrap(value)
    return value


@pytest.mark.parametrize(
    "wrap", [lambda v: [v], lambda v: {"a": v}, lambda v: (v,), lambda v: {1: v}, lambda v: deque([v])]
)
def test_a_value_that_is_too_deep_is_refused_and_never_crashes(wrap: Any) -> None:
    check_exact(nested(140, wrap))
    for depth in (5_000, 100_000):
        with pytest.raises(Unsaveable, match="nested more than"):
            dump(nested(depth, wrap))


def test_depth_is_judged_alike_however_deep_the_caller_is() -> None:
    value = nested(140, lambda v: (v,))
    text, _ = dump(value)
    plain, _ = dump(nested(300, lambda v: [v]))

    def at_depth(left: int) -> list[Any]:
        return at_depth(left - 1) if left else [dump(value)[0], load(text), load(plain)]

    assert at_depth(sys.getrecursionlimit() - 150) == [text, value, load(plain)]


def test_a_text_that_is_too_deep_does_not_fit() -> None:
    for text in ("[" * 100_000 + "]" * 100_000, '{"$tuple":[' * 5_000 + "]}" * 5_000):
        with pytest.raises(Unfit):
            load(text)


@pytest.mark.parametrize(
    ("value", "annotation", "message"),
    [
        (
            Point(1),
            Any,
            (
                "A value of type Point cannot be saved: it is an instance of Point, which no annotation names. "
                "Annotate the handler's return type, or pass returns=Point."
            ),
        ),
        (
            {"orders": [0, {"at": Point(1)}]},
            dict,
            (
                "A value of type Point cannot be saved: at ['orders'][1]['at'], it is an instance of Point, which no "
                "annotation names. Annotate the handler's return type, or pass returns=Point, or a type that names it."
            ),
        ),
        (
            [Text("a")],
            Any,
            (
                "A value of type Text cannot be saved: at [0], it is a subclass of str, and would come back as that. "
                "Convert it to str first."
            ),
        ),
        (
            {"rows": defaultdict(int)},
            Any,
            (
                "A value of type defaultdict cannot be saved: at ['rows'], its default factory is code. "
                "Return dict(value) instead."
            ),
        ),
        (
            Opaque(),
            Opaque,
            (
                "A value of type Opaque cannot be saved: its class is no dataclass, attrs or msgspec class, pydantic "
                "model, NamedTuple or Enum. Return plain data, or an instance of such a class, instead."
            ),
        ),
        (
            dt.datetime(2024, 1, 1, tzinfo=Zone()),
            Any,
            (
                "A value of type Zone cannot be saved: at .tzinfo, its time zone cannot be rebuilt; use "
                "datetime.timezone or zoneinfo.ZoneInfo instead."
            ),
        ),
    ],
)
def test_a_refusal_says_where_why_and_what_to_do(value: Any, annotation: Any, message: str) -> None:
    with pytest.raises(Unsaveable) as caught:
        dump(value, annotation)
    assert str(caught.value) == message


# Users' classes -------------------------------------------------------------------------------------------------------


@attrs.frozen
class Line:
    sku: str
    price: Decimal
    quantity: int = 1


@dataclasses.dataclass
class Order:
    id: int
    lines: list[Line]
    at: dt.datetime | None = None
    shade: Shade = Shade.RED
    tags: set[str] = dataclasses.field(default_factory=set)
    meta: Any = None


@attrs.define
class Account:
    _secret: str
    __key: int = 0
    balance: Decimal = attrs.field(init=False, default=Decimal(0))


@attrs.frozen(kw_only=True)
class Converted:
    path: pathlib.PurePosixPath = attrs.field(converter=pathlib.PurePosixPath)
    positive: int = attrs.field(default=1, validator=attrs.validators.gt(0))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    width: float
    area: float = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "area", self.width**2)


@dataclasses.dataclass(eq=False)
class Incomparable:
    value: Any


@dataclasses.dataclass
class Liar:
    value: Any

    def __eq__(self, other: object) -> bool:
        return True


class Size(NamedTuple):
    width: int
    height: Decimal = Decimal(1)


Pair = collections.namedtuple("Pair", "left right")


class Movie(TypedDict, total=False):
    title: typing.Required[str]
    released: dt.date
    size: Size


class Model(pydantic.BaseModel):
    id: uuid.UUID
    amount: Decimal = Decimal(0)
    points: list[Point] = []
    at: dt.datetime | None = None


class Aliased(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow", frozen=True)
    identity: int = pydantic.Field(alias="id")
    words: list[str]
    site: pydantic.HttpUrl | None = None
    _cache: dict[str, int] = pydantic.PrivateAttr(default_factory=dict)

    @pydantic.field_validator("words", mode="before")
    @classmethod
    def split(cls, value: str) -> list[str]:
        return value.split(",")

    @functools.cached_property
    def count(self) -> int:
        return len(self.words)


class Numbers(pydantic.RootModel[list[int]]):
    pass


class Packet(msgspec.Struct, rename="camel", frozen=True, tag=True):
    body_bytes: bytes
    retry_count: int = 0


class Colour(enum.Enum):
    RED = (255, 0, 0)
    BLUE = "blue"
    ONE = 1
    ALIAS = 1  # noqa: PIE796


class Access(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()


class Box(Generic[T]):
    pass


@dataclasses.dataclass
class Carton(Box[T]):
    content: T
    spare: list[T]


@dataclasses.dataclass
class LineCarton(Carton[Line]):
    label: str


@attrs.define
class Node:
    name: str
    children: list[Node] = attrs.Factory(list)
    parent_names: dict[tuple[str, ...], Node | None] = attrs.Factory(dict)


class Tree(TypedDict):
    kids: dict[str, Tree]
    at: dt.date


@dataclasses.dataclass
class Base:
    x: int


@dataclasses.dataclass
class Derived(Base):
    y: int = 0


class Undecorated(Base):
    def double(self) -> int:
        return self.x * 2


LINE = Line("a", Decimal("1.50"))
ORDER = Order(7, [LINE, Line("b", Decimal("NaN"), 2**70)], dt.datetime(2024, 1, 1, tzinfo=BERLIN), tags={"x"})
UserId = NewType("UserId", int)
Lines = NewType("Lines", list[Line])
Bounded = TypeVar("Bounded", bound=Line)
Constrained = TypeVar("Constrained", Line, Point)


def drawn_account() -> Account:
    account = Account("s", 3)
    account.balance = Decimal(-5)
    return account


TYPED = [
    (LINE, Line),
    (ORDER, Order),
    (Order(1, [], meta={"plain": (1, 2)}), Order),
    (drawn_account(), Account),
    (Converted(path="/a"), Converted),
    (Measured(width=1.5), Measured),
    (Size(1, Decimal(2)), Size),
    (Size(1), tuple[int, ...] | Size),
    (Pair(1, "x"), Pair),
    ({"title": "x", "released": dt.date(2024, 1, 1), "size": Size(1)}, Movie),
    ({"title": "x", "unknown": (1,)}, Movie),
    (Model(id=uuid.UUID(int=1), points=[Point(1)], at="2024-01-01T00:00:00+02:00"), Model),
    (Model(id=uuid.UUID(int=1)), Model),
    (Aliased(id=1, words="a,b", more=(1, 2)), Aliased),
    (Aliased(id=1, words="a,b", site="https://example.org/x"), Aliased),
    (Numbers([1, 2]), Numbers),
    (Packet(b"\x00", 3), Packet),
    (Shade.RED, Shade),
    (Level.LOW, Level),
    ([Colour.RED, Colour.BLUE, Colour.ALIAS], list[Colour]),
    (Access.READ | Access.WRITE, Access),
    ({Shade.RED: Level.LOW}, dict[Shade, Level]),
    ([LINE], list[Line]),
    ((LINE, 1), tuple[Line, int]),
    ((LINE, LINE), tuple[Line, ...]),
    ((), tuple[()]),
    ((1, 2), tuple),
    ({LINE}, set[Line]),
    (frozenset({LINE}), frozenset[Line]),
    (deque([LINE], 2), deque[Line]),
    ({"a": LINE}, dict[str, Line]),
    ({1: LINE}, Mapping[int, Line]),
    (OrderedDict(a=LINE), OrderedDict[str, Line]),
    (Counter({LINE: 2}), Counter[Line]),
    ([LINE], Sequence[Line]),
    ((LINE,), Sequence[Line]),
    ({LINE}, Iterable[Line]),
    ("text", Sequence[str]),
    ({"a": LINE}, Mapping[str, Line]),
    (LINE, Line | None),
    (None, Optional[Line]),  # noqa: UP045
    ([LINE, Point(1), None], list[Line | Point | None]),
    ([Point(1)], list[Line] | list[Point]),
    ([], list[Line] | list[Point]),
    ({"a": [Point(1)]}, dict[str, list[Line]] | dict[str, list[Point]]),
    (uuid.UUID(int=1), uuid.UUID | str),
    (str(uuid.UUID(int=1)), uuid.UUID | str),
    ("1.5", Decimal | str),
    (Decimal("1.5"), Union[str, Decimal]),  # noqa: UP007
    ("red", Shade | str),
    (Shade.RED, str | Shade),
    (b"abc", bytes | str),
    ("YWJj", bytes | str),
    ("a", Literal["a", "b", 1, None]),
    (None, Literal["a", None]),
    (True, Literal[True, 2]),
    (b"a", Literal[b"a"]),
    ([Shade.RED, "x"], list[Literal[Shade.RED, "x"]]),
    (LINE, Annotated[Line, {"unhashable": []}]),
    (3, UserId),
    ([LINE], Lines),
    (LINE, Bounded),
    (Point(1), Constrained),
    ((1, {2}), T),
    (Carton(LINE, [LINE]), Carton[Line]),
    (Carton(1, [(1, 2)]), Carton),
    ([Carton(Point(1), [])], list[Carton[Point]]),
    (LineCarton(LINE, [LINE], "x"), LineCarton),
    (Node("a", [Node("b", [Node("c")])], {("a", "b"): Node("d"), (): None}), Node),
    ({"kids": {"a": {"kids": {}, "at": dt.date(2024, 1, 1)}}, "at": dt.date(2024, 1, 1)}, Tree),
    (Undecorated(1), Undecorated),
    (Derived(1, 2), Base | Derived),
    ({"a": 1, "$as": "Point", "x": 1}, dict[str, Any] | Point),
    ({"a": 1, "$as": [], "$any": 2}, Point | dict[str, Any]),
    (Incomparable({"a": 1, "$as": [], "$any": 2}), Incomparable | Point),
    (Incomparable(1), Incomparable),
    (Liar([1]), Liar),
    (3, float),
    (True, int),
    (float("nan"), float),
    (2.5, complex),
    (pathlib.Path("a"), pathlib.Path),
    (pathlib.PurePosixPath("a"), pathlib.PurePath),
    (dt.datetime(2024, 1, 1), dt.date),
    ([dt.UTC, BERLIN], list[dt.tzinfo]),
    ({"$as": "Line", "sku": "x"}, dict[str, str]),
    ({"a": [1, None, 2.5]}, dict[str, list[int | float | None]]),
    (None, None),
    (None, type(None)),
    ({"a": 1}, Awaitable[int]),
    (5, "SomeUnresolvedName"),
]


@pytest.mark.parametrize(("value", "annotation"), TYPED)
def test_an_annotation_restores_exactly(value: Any, annotation: Any) -> None:
    assert '{"$any":' not in check_exact(value, annotation)


@pytest.mark.parametrize(("value", "annotation"), TYPED)
def test_the_same_goes_for_values_inside_of_others(value: Any, annotation: Any) -> None:
    if not isinstance(annotation, str):
        check_exact([value], list[annotation])
        check_exact({"a": (value, None)}, dict[str, tuple[annotation, None]])
        check_exact(Carton(value, [value]), Carton[annotation])


def test_the_text_of_an_instance_names_the_class_and_its_fields() -> None:
    assert dump(Order(1, [LINE]), Order)[0] == (
        '{"$as":"Order","id":1,"lines":[{"$as":"Line","sku":"a","price":{"$decimal":"1.50"},"quantity":1}],'
        '"at":null,"shade":{"$as":"Shade","value":"red"},"tags":{"$set":[]},"meta":null}'
    )
    assert dump(Account("s"), Account)[0].startswith('{"$as":"Account","secret":"s",')
    assert dump(Colour.RED, Colour)[0] == '{"$as":"Colour","name":"RED"}'


def test_a_class_that_two_modules_have_is_not_mistaken() -> None:
    other = dataclasses.make_dataclass("Point", [("x", int), ("y", int, 0)])
    with pytest.raises(Unsaveable):
        dump(other(1), Point)
    with pytest.raises(Unsaveable):
        dump(other(1), Point | other)
    check_exact(Point(1), Point | other)


SLICED = [
    (Derived(1, 2), Base),
    (Derived(1), Base),
    (Undecorated(1), Base),
    ([Base(1), Derived(1)], list[Base]),
    (Size(1), tuple[int, Decimal]),
    (Shade.RED, str),
    (Level.LOW, int),
    (Text("a"), str),
    (Text("a"), Text),
    (Row(a=1), dict[str, int]),
    (Row(a=1), Row),
    (Order(1, [], meta=Point(1)), Order),
    (Order(1, [Point(1)]), Order),  # type: ignore[list-item]
    (Order(Whole(1), []), Order),
    (Carton(LINE, []), Carton[Point]),
    (Carton(LINE, []), Carton),
    (Model.model_construct(id=Text("x")), Model),
    ({"title": Text("a")}, Movie),
    (Point(1), Line | None),
    (Point(1), Line | Order),
]


@pytest.mark.parametrize(("value", "annotation"), SLICED)
def test_what_the_annotation_does_not_cover_is_never_sliced(value: Any, annotation: Any) -> None:
    with pytest.raises(Unsaveable):
        dump(value, annotation)


def test_an_instance_of_a_subclass_is_named_in_the_refusal() -> None:
    with pytest.raises(Unsaveable) as caught:
        dump([Derived(1)], list[Base])
    assert caught.value.type_name == "Derived"
    assert caught.value.reason == (
        "at [0], it would come back as one of type Base. "
        "Annotate the handler's return type, or pass returns=Derived, or a type that names it."
    )


def test_a_converter_or_validator_that_changes_the_value_is_found() -> None:
    @attrs.define
    class Doubled:
        number: int = attrs.field(converter=lambda number: number * 2)

    @attrs.define(on_setattr=[])
    class Listed:
        items: Any = attrs.field(converter=list)

    @dataclasses.dataclass
    class Grown:
        number: int

        def __post_init__(self) -> None:
            self.number += 1

    @dataclasses.dataclass
    class Needy:
        number: int
        seed: dataclasses.InitVar[int]

        def __post_init__(self, seed: int) -> None: ...

    listed = Listed([])
    listed.items = (1, 2)
    for value in (Doubled(1), listed, Grown(1), Needy(1, 2)):
        with pytest.raises(Unsaveable):
            dump(value, type(value))
    check_exact(Listed([1]), Listed)


def test_a_validator_that_fails_on_the_way_back_is_a_refusal() -> None:
    value = Converted(path="/a")
    object.__setattr__(value, "positive", -1)
    with pytest.raises(Unsaveable, match="Converted cannot be made of what was saved: ValueError"):
        dump(value, Converted)


def test_attributes_that_are_no_fields_are_not_lost_silently() -> None:
    point = Point(1)
    point.extra = 1  # type: ignore[attr-defined]
    with pytest.raises(Unsaveable, match="its attribute 'extra' is no field of Point, so it would be lost"):
        dump(point, Point)
    model = Aliased(id=1, words="a")
    model._cache["x"] = 1
    with pytest.raises(Unsaveable, match="_cache"):
        dump(model, Aliased)


def test_attributes_that_the_copy_has_by_itself_are_no_obstacle() -> None:
    @dataclasses.dataclass
    class Guarded:
        number: int

        def __post_init__(self) -> None:
            self.lock = threading.Lock()
            self.double = self.number * 2

        @functools.cached_property
        def triple(self) -> int:
            return self.number * 3

    guarded = Guarded(1)
    assert guarded.triple == 3
    check_exact(guarded, Guarded)
    guarded.double = 5
    with pytest.raises(Unsaveable, match="double"):
        dump(guarded, Guarded)
    model = Aliased(id=1, words="a")
    assert model.count == 1
    dump(model, Aliased)


def test_a_cached_property_of_a_slotted_attrs_class_is_no_obstacle() -> None:
    @attrs.define
    class Cached:
        number: int

        @functools.cached_property
        def double(self) -> int:
            return self.number * 2

    cached = Cached(2)
    assert cached.double == 4
    check_exact(cached, Cached)


def test_an_attribute_that_was_never_set_stays_unset() -> None:
    @attrs.define
    class Lazy:
        number: int
        later: int = attrs.field(init=False)

    _, copy = dump(Lazy(1), Lazy)
    assert isinstance(copy, Lazy)
    assert not hasattr(copy, "later")
    lazy = Lazy(1)
    lazy.later = 2
    check_exact(lazy, Lazy)


def test_types_that_attrs_is_told_as_arguments_count() -> None:
    Told = attrs.make_class("Told", {"line": attrs.field(type=Line)})  # type: ignore[call-overload]
    check_exact(Told(LINE), Told)


def test_a_set_whose_items_change_is_refused() -> None:
    @attrs.frozen
    class Lowered:
        text: str = attrs.field(converter=str.lower)

    value = Lowered("a")
    object.__setattr__(value, "text", "A")
    for holder in ({value}, {value: 1}, {"a": value}, Carton(value, [])):
        annotation = {set: set[Lowered], dict: dict[Any, Any], Carton: Carton[Lowered]}[type(holder)]
        with pytest.raises(Unsaveable):
            dump(holder, annotation)


def test_a_property_that_raises_is_a_refusal() -> None:
    @dataclasses.dataclass
    class Broken:
        number: int

    broken = Broken(1)
    Broken.number = property(lambda self: 1 / 0)  # type: ignore[assignment]
    with pytest.raises(Unsaveable, match="reading it raised ZeroDivisionError"):
        dump(broken, Broken)


def test_classes_that_refer_to_unknown_names_are_restored_as_far_as_they_are_known() -> None:
    @dataclasses.dataclass
    class Partly:
        known: Decimal
        itself: list[Partly]
        unknown: Missing  # type: ignore[name-defined]  # noqa: F821

    check_exact(Partly(Decimal(1), [], (1, 2)), Partly)
    check_exact(Partly(Decimal(1), [Partly(Decimal(2), [], None)], 1), Partly)
    with pytest.raises(Unsaveable):
        dump(Partly(Decimal(1), [], Point(1)), Partly)


def test_fixed_offsets_of_pydantic_stay_what_they_are() -> None:
    value = Model(id=uuid.UUID(int=1), at="2024-01-01T00:00:00+02:00")
    check_exact(value.at)
    check_exact({"at": value.at})


def test_classes_and_annotations_without_number_do_not_fill_the_memory() -> None:
    for number in range(5_000):
        assert load(str(number), Literal[number]) == number  # type: ignore[valid-type]
    for number in range(3_000):
        made = dataclasses.make_dataclass(f"Made{number}", ["x"])
        assert dump(made(1), made)[1] == made(1)
    check_exact(ORDER, Order)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="`type` statements are younger")
def test_type_statements_are_followed() -> None:
    names: dict[str, Any] = {"Line": Line}
    exec(
        "type Json = dict[str, Json] | list[Json] | str | int | None\ntype Two[T] = tuple[T, T]\ntype Id = Line", names
    )
    check_exact({"a": [{"b": [1, None]}]}, names["Json"])
    check_exact((LINE, LINE), names["Two"][Line])
    check_exact(LINE, names["Id"])


# When the annotation does not fit -------------------------------------------------------------------------------------

MISFITS = [
    ("x", int, '{"$any":"x"}'),
    (None, int, '{"$any":null}'),
    (1, bool, '{"$any":1}'),
    (3, Decimal, '{"$any":3}'),
    ("1.5", Decimal, '{"$any":"1.5"}'),
    ("2024-01-01", dt.date, '{"$any":"2024-01-01"}'),
    (str(uuid.UUID(int=1)), uuid.UUID, None),
    ("red", Shade, '{"$any":"red"}'),
    ([1], tuple[int, ...], '{"$any":[1]}'),
    ((1,), list[int], '{"$any":{"$tuple":[1]}}'),
    ((1, 2), tuple[int], None),
    ([1], set[int], None),
    ({"x": 1}, Point, '{"$any":{"x":1}}'),
    ([{"x": 1}], list[Point], None),
    ({"id": uuid.UUID(int=1)}, Model, None),
    ({"released": None}, Movie, None),
    ({"a": "x"}, dict[str, int], '{"$any":{"a":"x"}}'),
    ({1: 2}, dict[str, int], None),
    ({"1": 2}, dict[int, int], None),
    ({"a": 1}, OrderedDict[str, int], None),
    ({"a": 1}, Counter[str], None),
    ([1], Mapping[str, int], None),
    (5, Sequence[int], None),
    ("c", Literal["a", "b"], None),
    (1, Literal[True], None),
    (1.0, Literal[1], None),
    (5, None, '{"$any":5}'),
    (5, uuid.UUID | str, None),
    ("https://example.org", pydantic.HttpUrl, None),
]


@pytest.mark.parametrize(("value", "annotation", "text"), MISFITS)
def test_plain_data_is_saved_beside_an_annotation_that_is_wrong(value: Any, annotation: Any, text: str | None) -> None:
    saved = check_exact(value, annotation)
    assert saved.startswith('{"$any":')
    if text is not None:
        assert saved == text
    assert alike(load(saved), value)


def test_a_field_may_hold_plain_data_that_its_annotation_excludes() -> None:
    sloppy = Point(None, "2")  # type: ignore[arg-type]
    assert check_exact(sloppy, Point) == '{"$as":"Point","x":{"$any":null},"y":{"$any":"2"}}'
    check_exact([Order(1, [LINE], at="2024-01-01", tags=()), ORDER], list[Order])  # type: ignore[arg-type]
    check_exact(Line("a", "1.50"), Line | Point)  # type: ignore[arg-type]
    check_exact(Model.model_construct(id="x"), Model)
    with pytest.raises(Unfit):
        load('{"$as":"Point","x":null}', Point)


def test_many_fields_that_do_not_fit_cost_no_more_than_one() -> None:
    points = [Point(None) for _ in range(2_000)]  # type: ignore[arg-type]
    check_exact(points, list[Point])


def test_the_text_says_what_it_is_without_the_annotation() -> None:
    for value, annotation in [
        ([b"x"], list[bytes]),
        ({1: "a"}, dict[int, str]),
        ([(1, 2)], list[tuple[int, int]]),
        ({"a": {1}}, dict[str, set[int]]),
    ]:
        assert dump(value, annotation)[0] == dump(value)[0]


# Reading what a person wrote, or an older version ---------------------------------------------------------------------

WRITTEN = [
    ("3", float, 3),
    ('"1.5"', Decimal, Decimal("1.5")),
    ("1.5", Decimal, Decimal("1.5")),
    ('"00000000-0000-0000-0000-000000000007"', uuid.UUID, uuid.UUID(int=7)),
    ('"2024-01-01T00:00:00Z"', dt.datetime, dt.datetime(2024, 1, 1, tzinfo=dt.UTC)),
    ('"2024-01-01"', dt.date, dt.date(2024, 1, 1)),
    ('"01:02"', dt.time, dt.time(1, 2)),
    ('"PT1M"', dt.timedelta, dt.timedelta(minutes=1)),
    ("90", dt.timedelta, dt.timedelta(seconds=90)),
    ('"YWI="', bytes, b"ab"),
    ('"/a"', pathlib.PurePosixPath, pathlib.PurePosixPath("/a")),
    ('"1/3"', Fraction, Fraction(1, 3)),
    ('"::1"', ipaddress.IPv6Address, ipaddress.IPv6Address("::1")),
    ('"Europe/Berlin"', ZoneInfo, BERLIN),
    ('"red"', Shade, Shade.RED),
    ('"RED"', Colour, Colour.RED),
    ("1", Colour, Colour.ONE),
    ("[1, 2]", tuple[int, ...], (1, 2)),
    ("[1, 2]", tuple[int, float], (1, 2)),
    ("[2, 1, 2]", set[int], {1, 2}),
    ("[1]", deque[int], deque([1])),
    ('{"1": "a"}', dict[int, str], {1: "a"}),
    ('{"red": 1}', dict[Shade, int], {Shade.RED: 1}),
    ('{"a": 1}', OrderedDict[str, int], OrderedDict(a=1)),
    ('{"a": 1}', Counter[str], Counter(a=1)),
    ('{"x": 1}', Point, Point(1)),
    ('[{"x": 1, "y": 2}]', list[Point], [Point(1, 2)]),
    ('{"sku": "a", "price": "1.50"}', Line, LINE),
    ('{"sku": "a", "price": "1.50"}', Line | None, LINE),
    ('{"sku": "a", "price": "1.50"}', Point | Line, LINE),
    ('{"_secret": "s"}', Account, Account("s")),
    ('{"secret": "s"}', Account, Account("s")),
    ('{"bodyBytes": "YWI="}', Packet, Packet(b"ab")),
    ('{"width": 1}', Size, Size(1)),
    ('[1, "2"]', Size, Size(1, Decimal(2))),
    ('{"title": "x", "released": "2024-01-01"}', Movie, {"title": "x", "released": dt.date(2024, 1, 1)}),
    ('{"id": 3, "words": "a,b"}', Aliased, Aliased(id=3, words="a,b")),
    ("[1, 2]", Numbers, Numbers([1, 2])),
    ('"https://example.org/"', pydantic.HttpUrl, pydantic.HttpUrl("https://example.org/")),
    ('{"content": {"x": 1}, "spare": []}', Carton[Point], Carton(Point(1), [])),
    ('"1.5"', Decimal | str, "1.5"),
    ('"1.5"', Optional[Decimal], Decimal("1.5")),  # noqa: UP045
    ('"red"', Literal[Shade.RED], Shade.RED),
]


@pytest.mark.parametrize(("text", "annotation", "value"), WRITTEN)
def test_plain_json_is_read_by_the_annotation(text: str, annotation: Any, value: Any) -> None:
    assert alike(load(text, annotation), value)


def test_what_a_client_without_code_sent_is_read_by_the_annotation() -> None:
    text, _ = dump({"id": 1, "lines": [{"sku": "a", "price": Decimal("1.50")}], "tags": ["x"]})
    assert load(text, Order) == Order(1, [LINE], tags={"x"})


def test_a_removed_field_and_a_new_one_with_a_default_fit() -> None:
    @dataclasses.dataclass
    class Old:
        kept: int
        removed: str = ""

    @dataclasses.dataclass
    class New:
        kept: int
        added: list[int] = dataclasses.field(default_factory=list)

    text, _ = dump([Old(1, "x")], list[Old])
    assert load(text, list[New]) == [New(1)]


def test_a_renamed_class_fits_where_no_other_is_meant() -> None:
    text, _ = dump(Point(1, 2), Point)
    renamed = dataclasses.make_dataclass("Location", [("x", int), ("y", int)])
    assert load(text, renamed) == renamed(1, 2)
    assert load(text, renamed | None) == renamed(1, 2)
    with pytest.raises(Unfit, match="an instance of Point"):
        load(text, renamed | Line)


UNFIT = [
    ("3", uuid.UUID, "UUID"),
    ('"x"', uuid.UUID, "UUID cannot be made of what was saved: ValueError"),
    ('"x"', int, "the annotation says int, and what was saved is the text 'x'"),
    ("null", int, "the annotation says int, and what was saved is None"),
    ("[1]", int, "a list"),
    ('{"$decimal":"1"}', str, "the annotation says str, and what was saved is decimal"),
    ('{"$decimal":"x"}', Any, "decimal cannot be made of what was saved"),
    ('{"$tuple":[1,2]}', tuple[int], "a tuple of 1, and what was saved has 2 items"),
    ('{"$as":"Point","x":1}', Any, "an instance of Point, which no annotation names"),
    ('{"$as":"Point","x":1}', dict[str, Any], "an instance of Point, and the annotation says dict"),
    ('{"$as":"Point"}', Point, "Point needs 'x', which was not saved"),
    ('[{"$as":"Point","x":"1"}]', list[Point], r"at \[0\]\.x, the annotation says int, and what was saved is the text"),
    ('{"$as":"Shade","value":"green"}', Shade, "Shade cannot be made of what was saved"),
    ('{"$as":"Line","sku":"a"}', Line | Point, "Line needs 'price'"),
    ('{"released":"x"}', Movie, "Movie needs 'title'"),
    ('{"a":{"b":[1,"x"]}}', dict[str, dict[str, list[int]]], r"at \['a'\]\['b'\]\[1\], the annotation says int"),
    ('{"$dict":[[1,{"$unheard":1}]]}', Any, r"at \[1\], this version of flowgraph does not know the mark"),
    ('{"$set":[1]}', OrderedDict[str, int], "the annotation says OrderedDict, and what was saved is set"),
    ('{"$float":"nan"}', str, "the annotation says str, and what was saved is float"),
    ('{"$unheard":1}', Any, r"does not know the mark \$unheard"),
    ('{"$datetime":"2024-01-01T00:00:00","zone":"No/Where"}', Any, "datetime cannot be made of what was saved"),
    ('"c"', Literal["a", "b"], "one of 'a', 'b'"),
    ('{"$as":["unhashable"]}', Line | Point, "damaged"),
    ('{"$tuple":3}', tuple[int, ...], "damaged"),
    ("{", Any, "no JSON"),
    ("", int, "no JSON"),
]


@pytest.mark.parametrize(("text", "annotation", "reason"), UNFIT)
def test_a_text_that_does_not_fit_any_more_says_why(text: str, annotation: Any, reason: str) -> None:
    with pytest.raises(Unfit, match=reason):
        load(text, annotation)


def test_a_changed_annotation_is_noticed_even_if_the_json_would_do() -> None:
    for value, before, after in [
        (Decimal("1.5"), Decimal, str),
        (dt.timedelta(seconds=5), dt.timedelta, int),
        ((1, 2), tuple[int, ...], list[int]),
        (Point(1), Point, dict[str, int]),
        (Shade.RED, Shade, str),
        (3, int, str),
        (3, int, uuid.UUID),
    ]:
        with pytest.raises(Unfit):
            load(dump(value, before)[0], after)


def test_nothing_is_imported_by_a_name_from_the_text() -> None:
    for text in ('{"$as":"antigravity"}', '{"$antigravity":1}', '{"$as":"os.system","value":"true"}'):
        with pytest.raises(Unfit):
            load(text)
    assert "antigravity" not in sys.modules


# Return annotations ---------------------------------------------------------------------------------------------------


class Callable_:
    def __call__(self) -> Point:
        return Point(1)

    def method(self) -> Line:
        return LINE

    @classmethod
    def made(cls) -> Size:
        return Size(1)

    @staticmethod
    def loose() -> Shade:
        return Shade.RED


def annotated() -> Point:
    return Point(1)


async def asynchronous() -> list[Line]:
    return [LINE]


def awaiting() -> Awaitable[Point]: ...  # type: ignore[empty-body]


def starting() -> Coroutine[Any, Any, Line]: ...  # type: ignore[empty-body]


def unresolved() -> Missing: ...  # type: ignore[name-defined]  # noqa: F821


def partly_unresolved(argument: Missing) -> Point: ...  # type: ignore[name-defined, empty-body]  # noqa: F821


def metadata() -> Annotated[int, "m"]:
    return 1


def nothing() -> None: ...


def generic(value: T) -> T:
    return value


@functools.wraps(annotated)
def wrapper(*args: Any) -> Any:
    return annotated(*args)


@pytest.mark.parametrize(
    ("handler", "annotation"),
    [
        (annotated, Point),
        (asynchronous, list[Line]),
        (awaiting, Point),
        (starting, Line),
        (unresolved, Any),
        (partly_unresolved, Point),
        (metadata, Annotated[int, "m"]),
        (nothing, type(None)),
        (generic, T),
        (wrapper, Point),
        (lambda: 1, Any),
        (functools.partial(functools.partial(annotated)), Point),
        (Callable_(), Point),
        (Callable_().method, Line),
        (Callable_.made, Size),
        (Callable_.loose, Shade),
        (functools.partial(Callable_().method), Line),
        (Point, Point),
        (functools.partial(Point, 1), Point),
        (int, int),
        (len, Any),
        (functools.lru_cache(annotated), Point),
    ],
)
def test_the_return_annotation_is_found(handler: Any, annotation: Any) -> None:
    for _ in range(2):
        assert return_annotation(handler) == annotation


def test_local_classes_are_found_where_the_function_uses_them() -> None:
    @dataclasses.dataclass
    class Local:
        x: int

    def made() -> Local:
        return Local(1)

    assert return_annotation(made) is Local


def test_asking_for_an_annotation_does_not_keep_the_function() -> None:
    import gc
    import weakref

    def ephemeral() -> Point: ...  # type: ignore[empty-body]

    return_annotation(ephemeral)
    dump_arguments(ephemeral, (), {})
    gone = weakref.ref(ephemeral)
    del ephemeral
    gc.collect()
    assert gone() is None


# Arguments ------------------------------------------------------------------------------------------------------------


def workflow(order: Order, count: int = 1, *rest: Point, flag: bool = False, **more: Line) -> None: ...


def test_arguments_come_back_by_the_annotations_of_their_parameters() -> None:
    text = dump_arguments(workflow, (ORDER, 2, Point(1), Point(2)), {"flag": True, "b": LINE, "a": LINE})
    args, kwargs = load_arguments(workflow, text)
    assert alike(args, (ORDER, 2, Point(1), Point(2)))
    assert kwargs == {"a": LINE, "b": LINE, "flag": True}


def test_the_same_call_has_the_same_text_however_it_is_written() -> None:
    def plain(a: int, b: int = 2, c: int = 3, *, d: int = 4) -> None: ...

    one = dump_arguments(plain, (1, 5), {"d": 7, "c": 6})
    assert one == dump_arguments(plain, (), {"c": 6, "b": 5, "a": 1, "d": 7})
    assert one == '{"args":[1,5,6],"kwargs":{"d":7}}'
    assert dump_arguments(plain, (1,), {"c": 9}) == '{"args":[1],"kwargs":{"c":9}}'
    assert load_arguments(plain, '{"args":[1],"kwargs":{"c":9}}') == ((1,), {"c": 9})


def test_without_the_function_arguments_keep_their_builtin_types() -> None:
    text = dump_arguments(None, ((1, 2), Decimal(1)), {"b": {1}, "a": None})
    assert text == '{"args":[{"$tuple":[1,2]},{"$decimal":"1"}],"kwargs":{"a":null,"b":{"$set":[1]}}}'
    assert alike(load_arguments(None, text), (((1, 2), Decimal(1)), {"a": None, "b": {1}}))
    with pytest.raises(Unsaveable, match="in the argument 0, it is an instance of Point"):
        dump_arguments(None, (Point(1),), {})


def test_arguments_that_a_client_sent_by_name_are_read_by_the_annotations() -> None:
    text = dump_arguments(None, ({"id": 1, "lines": []},), {"rest_is": {"sku": "a", "price": "1.50"}})
    assert load_arguments(workflow, text) == ((Order(1, []),), {"rest_is": LINE})
    assert load_arguments(workflow, '{"kwargs": {"order": {"id": 1, "lines": []}}}') == ((Order(1, []),), {})


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, "workflow() missing a required argument: 'order'"),
        ((1,), {"order": 2}, "workflow() multiple values for argument 'order'"),
    ],
)
def test_arguments_that_do_not_fit_the_signature_are_a_type_error(args: Any, kwargs: Any, message: str) -> None:
    with pytest.raises(TypeError) as caught:
        dump_arguments(workflow, args, kwargs)
    assert str(caught.value) == message


def test_a_refused_argument_is_named_with_what_to_do() -> None:
    def untyped(order):  # type: ignore[no-untyped-def]
        ...

    with pytest.raises(Unsaveable) as caught:
        dump_arguments(untyped, (Point(1),), {})
    assert caught.value.type_name == "Point"
    assert caught.value.reason == (
        "in the argument 'order', it is an instance of Point, which no annotation names. "
        "Annotate the workflow's parameter with Point."
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"args":[],"kwargs":{}}', "missing a required argument: 'order'"),
        ('{"args":[{"id":1,"lines":[]},"x"]}', "in the argument 'count', the annotation says int"),
        ('{"args":[{"id":1}]}', "in the argument 'order', Order needs 'lines'"),
        ('{"args":1}', "Expected `array`"),
        ("[1]", "Expected `object`"),
        ("", "truncated"),
    ],
)
def test_saved_arguments_that_do_not_fit_any_more_say_why(text: str, reason: str) -> None:
    with pytest.raises(Unfit, match=reason):
        load_arguments(workflow, text)


def test_any_keyword_can_be_saved_except_one_that_is_no_text() -> None:
    def loose(**words: Any) -> None: ...

    odd = {"$as": 1, "ключ": 2, 'a"b': 3, "": 4}
    assert load_arguments(loose, dump_arguments(loose, (), odd)) == ((), odd)
    with pytest.raises(Unsaveable):
        dump_arguments(loose, (), {"\ud800": 1})


# Import cost ----------------------------------------------------------------------------------------------------------


def test_the_codec_imports_little() -> None:
    script = (
        f"import sys, types; sys.path.insert(0, {str(pathlib.Path(codec.__file__).parents[3])!r})\n"
        "for name in ('flowgraph', 'flowgraph.runtime'):\n"
        "    module = sys.modules[name] = types.ModuleType(name)\n"
        f"    module.__path__ = [sys.path[0] + '/' + name.replace('.', '/')]\n"
        "import msgspec; before = set(sys.modules); import flowgraph.runtime.codec\n"
        "print(*(name for name in set(sys.modules) - before if not name.startswith('flowgraph')))"
    )
    found = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    assert set(found.stdout.split()) <= {"binascii", "math", "weakref", "_weakrefset"}
