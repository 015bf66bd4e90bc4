"""Whatever a value is, the codec keeps value and type, or refuses; whatever a text is, it loads or does not fit."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import enum
import json
import math
import pathlib
import struct
import uuid
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple, Optional, TypedDict, Union
from zoneinfo import ZoneInfo

import attrs
import msgspec
from hypothesis import given
from hypothesis import strategies as st

from flowgraph.runtime.codec import Unfit, Unsaveable, dump, dump_arguments, load, load_arguments

# Values ---------------------------------------------------------------------------------------------------------------

ZONES = [None, dt.UTC, dt.timezone(dt.timedelta(minutes=-90)), dt.timezone(dt.timedelta(hours=1), "X"), ZoneInfo("UTC")]
ZONES += [ZoneInfo("Europe/Berlin"), ZoneInfo("America/St_Johns")]
TEXTS = st.text() | st.sampled_from(["$", "$as", "$dict", "$any", "$tuple", '{"$', "\\", '"', "1", "true"])

json_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
plain = st.recursive(
    json_scalars | st.sampled_from([0, 1, 0.0, 1.0, -0.0, True, False, 2**63, 2**64]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)

atoms = st.one_of(
    json_scalars,
    st.floats(),
    st.integers(-(2**300), 2**300),
    st.text(st.characters(codec=None, exclude_categories=())),  # Lone surrogates too.
    st.complex_numbers(),
    st.binary(max_size=8),
    st.decimals() | st.sampled_from([Decimal("sNaN1"), Decimal("-0.00"), Decimal("1E+20")]),
    st.fractions(),
    st.uuids(),
    st.dates(),
    st.timedeltas(),
    st.datetimes(timezones=st.sampled_from(ZONES)),
    st.builds(lambda moment, fold: moment.replace(fold=fold), st.datetimes(), st.integers(0, 1)),
    st.times(timezones=st.sampled_from(ZONES)),
    st.sampled_from(ZONES[1:]),
    st.ip_addresses(),
    st.builds(range, st.integers(), st.integers(), st.integers(1)),
    st.builds(pathlib.PurePosixPath, st.text(st.characters(exclude_characters="\0"))),
)
decimals = st.decimals().filter(lambda number: not number.is_snan())  # Those have no hash.
hashables = st.recursive(
    atoms.filter(lambda atom: not (isinstance(atom, Decimal) and atom.is_snan())),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=4,
)


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(hashables, inner, max_size=3),
        st.dictionaries(TEXTS, inner, max_size=3),
        st.dictionaries(hashables, inner, max_size=3).map(OrderedDict),
        st.dictionaries(hashables, st.integers(), max_size=3).map(Counter),
        st.sets(hashables, max_size=3),
        st.frozensets(hashables, max_size=3),
        st.builds(deque, st.lists(inner, max_size=3), st.none() | st.integers(0, 4)),
        st.binary(max_size=3).map(bytearray),
    )


builtins = st.recursive(atoms, containers, max_leaves=10)


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
                alike(a, b) and alike(x, y) for (a, x), (b, y) in zip(one.items(), other.items(), strict=True)
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
            return repr(one) == repr(other) and type(one.tzinfo) is type(other.tzinfo)
    if attrs.has(type(one)):
        return all(alike(getattr(one, a.name), getattr(other, a.name)) for a in attrs.fields(type(one)))
    if dataclasses.is_dataclass(one):
        return all(alike(getattr(one, f.name), getattr(other, f.name)) for f in dataclasses.fields(one))
    if isinstance(one, msgspec.Struct):
        return all(alike(getattr(one, name), getattr(other, name)) for name in one.__struct_fields__)
    return bool(one == other)


def check_exact(value: Any, annotation: Any = Any) -> str:
    text, copy = dump(value, annotation)
    json.loads(text)
    assert alike(copy, value)
    assert alike(load(text, annotation), value)
    return text


@given(builtins)
def test_builtins_come_back_exactly(value: Any) -> None:
    check_exact(value)


@given(plain)
def test_the_short_cut_never_changes_a_type(value: Any) -> None:
    text = check_exact(value)
    if '{"$' not in text:
        assert alike(json.loads(text), value)


@given(builtins, builtins)
def test_values_with_the_same_text_are_the_same(one: Any, other: Any) -> None:
    if dump(one)[0] == dump(other)[0]:
        assert alike(one, other)


@given(st.sets(hashables, max_size=6), st.randoms())
def test_the_text_of_a_set_does_not_depend_on_how_it_was_built(value: set[Any], random: Any) -> None:
    items = list(value)
    random.shuffle(items)
    assert dump(set(items))[0] == dump(value)[0]


# Subclasses -----------------------------------------------------------------------------------------------------------


class Text(str):
    __slots__ = ()


class Whole(int):
    pass


class Real(float):
    pass


class Row(dict[Any, Any]):
    pass


class Rows(list[Any]):
    pass


class Twice(tuple[Any, ...]):
    __slots__ = ()


class Bag(set[Any]):
    pass


class Shade(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


def disguised(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    items = st.lists(inner, max_size=3)
    entries = st.dictionaries(TEXTS | st.builds(Text, TEXTS) | st.sampled_from(Shade), inner, max_size=3)
    return st.one_of(
        items,
        entries,
        items.map(tuple),
        items.map(Rows),
        items.map(Twice),
        entries.map(Row),
        entries.map(lambda entry: defaultdict(list, entry)),
        st.sets(st.integers()).map(Bag),
    )


mixed = st.recursive(
    st.one_of(
        json_scalars,
        st.builds(Text, TEXTS),
        st.builds(Whole, st.integers()),
        st.builds(Real, st.floats(allow_nan=False)),
        st.sampled_from([Shade.RED, Level.LOW]),
    ),
    disguised,
    max_leaves=8,
)


@given(mixed)
def test_a_subclass_is_refused_wherever_it_hides(value: Any) -> None:
    try:
        text, copy = dump(value)
    except Unsaveable:
        return
    assert alike(copy, value)
    assert alike(load(text), value)


# Annotations ----------------------------------------------------------------------------------------------------------


@attrs.frozen
class Line:
    sku: str
    price: Decimal
    _note: Any = None


@dataclasses.dataclass
class Order:
    lines: list[Line]
    at: dt.datetime | None
    parent: Order | None = None
    shade: Shade | str = "none"


class Size(NamedTuple):
    width: float
    height: float = 1.0


class Packet(msgspec.Struct, frozen=True):
    body: bytes
    size: Size | None = None


class Movie(TypedDict, total=False):
    title: str
    made: dt.date
    size: Size


lines = st.builds(Line, TEXTS, st.decimals(), builtins)
wrong = st.builds(Order, builtins, builtins, builtins, builtins)
orders = st.deferred(
    lambda: st.builds(
        Order,
        st.lists(lines, max_size=2),
        st.none() | st.datetimes(timezones=st.sampled_from(ZONES)),
        st.none() | orders,
        st.just(Shade.RED) | TEXTS,
    )
)
sizes = st.builds(Size, st.floats(), st.floats() | st.integers())
packets = st.builds(Packet, st.binary(), st.none() | sizes)
movies = st.fixed_dictionaries({}, optional={"title": TEXTS, "made": st.dates(), "size": sizes, "more": builtins})

Typed = tuple[Any, st.SearchStrategy[Any]]

LEAVES: list[Typed] = [
    (Any, builtins),
    (int, st.integers() | st.booleans()),
    (float, st.floats() | st.integers()),
    (str, TEXTS),
    (bool, st.booleans()),
    (None, st.none()),
    (bytes, st.binary()),
    (Decimal, decimals),
    (Fraction, st.fractions()),
    (uuid.UUID, st.uuids()),
    (dt.date, st.dates()),
    (dt.datetime, st.datetimes(timezones=st.sampled_from(ZONES))),
    (dt.timedelta, st.timedeltas()),
    (Shade, st.sampled_from(Shade)),
    (Level, st.sampled_from(Level)),
    (Line, lines),
    (Order, orders),
    (Size, sizes),
    (Packet, packets),
    (Movie, movies),
]
HASHABLE = [leaf for leaf in LEAVES if leaf[0] not in (Any, Line, Order, Movie)]


def small_lists(typed: Typed) -> st.SearchStrategy[list[Any]]:
    return st.lists(typed[1], max_size=3)


def wrapped(typed: Typed, other: Typed, key: Typed) -> list[Typed]:
    items = small_lists(typed)
    mapping = st.dictionaries(key[1], typed[1], max_size=3)
    either = typed[1] | other[1]
    return [
        (list[typed[0]], items),  # type: ignore[name-defined]
        (tuple[typed[0], ...], items.map(tuple)),  # type: ignore[name-defined]
        (tuple[typed[0], other[0]], st.tuples(typed[1], other[1])),  # type: ignore[name-defined]
        (deque[typed[0]], items.map(deque)),  # type: ignore[name-defined]
        (Sequence[typed[0]], items | items.map(tuple)),  # type: ignore[name-defined]
        (set[key[0]], st.sets(key[1], max_size=3)),  # type: ignore[name-defined]
        (frozenset[key[0]], st.frozensets(key[1], max_size=3)),  # type: ignore[name-defined]
        (dict[key[0], typed[0]], mapping),  # type: ignore[name-defined]
        (Mapping[key[0], typed[0]], mapping | mapping.map(OrderedDict)),  # type: ignore[name-defined]
        (Optional[typed[0]], st.none() | typed[1]),  # noqa: UP045
        (Union[typed[0], other[0]], either),  # noqa: UP007
        (list[Union[typed[0], other[0]]], st.lists(either, max_size=3)),  # type: ignore[name-defined]  # noqa: UP007
    ]


@st.composite
def typed_values(draw: st.DrawFn, depth: int = 2) -> Typed:
    typed = draw(st.sampled_from(LEAVES))
    for _ in range(draw(st.integers(0, depth))):
        typed = draw(st.sampled_from(wrapped(typed, draw(st.sampled_from(LEAVES)), draw(st.sampled_from(HASHABLE)))))
    return typed


@given(typed_values(), st.data())
def test_a_value_of_its_annotation_comes_back_exactly(typed: Typed, data: st.DataObject) -> None:
    annotation, values = typed
    assert '{"$any":' not in check_exact(data.draw(values), annotation)


@given(typed_values(), builtins)
def test_builtins_come_back_exactly_whatever_the_annotation_says(typed: Typed, value: Any) -> None:
    text = check_exact(value, typed[0])
    plain = dump(value)[0]
    assert text in (plain, f'{{"$any":{plain}}}')  # It says what it is without the annotation.


@given(st.lists(wrong | orders, max_size=2))
def test_fields_may_hold_builtins_that_their_annotations_exclude(value: list[Order]) -> None:
    check_exact(value, list[Order])


@given(typed_values(), typed_values(), st.data())
def test_a_value_of_another_annotation_comes_back_exactly_or_is_refused(
    typed: Typed, other: Typed, data: st.DataObject
) -> None:
    value = data.draw(other[1])
    try:
        text, copy = dump(value, typed[0])
    except Unsaveable:
        return
    assert alike(copy, value)
    assert alike(load(text, typed[0]), value)


@given(typed_values(), typed_values(), st.data())
def test_a_text_loads_or_does_not_fit_under_any_annotation(typed: Typed, other: Typed, data: st.DataObject) -> None:
    text, _ = dump(data.draw(typed[1]), typed[0])
    with contextlib.suppress(Unfit):
        load(text, other[0])


MARKS = st.sampled_from(
    "$any $str $int $float $complex $bytes $bytearray $tuple $dict $set $frozenset $deque $ordereddict $counter $range "
    "$datetime $date $time $timedelta $timezone $decimal $uuid $fraction $posixpath $windowspath $ipv4address "
    "$zoneinfo $as $new $".split()
)
marked = st.recursive(
    json_scalars | st.sampled_from(["Order", "Line", "1", "2024-01-01", "P1D", "red"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.builds(lambda mark, item, rest: {mark: item, **rest}, MARKS, inner, st.dictionaries(TEXTS, inner)),
        st.fixed_dictionaries({"$as": st.sampled_from(["Order", "Line", "Shade"])}, optional={"value": inner}),
        st.fixed_dictionaries({}, optional={"sku": inner, "price": inner, "lines": inner, "at": inner}),
    ),
    max_leaves=8,
)


@given(marked, typed_values())
def test_a_text_from_anywhere_loads_or_does_not_fit(tree: Any, typed: Typed) -> None:
    text = json.dumps(tree, separators=(",", ":"))
    for annotation in (Any, typed[0]):
        with contextlib.suppress(Unfit):
            load(text, annotation)


# Arguments ------------------------------------------------------------------------------------------------------------


def takes_all(a: Any, b: Any = None, *rest: Any, c: Any = None, **more: Any) -> None: ...


@given(builtins, builtins, st.dictionaries(st.text(min_size=1), builtins, max_size=3))
def test_arguments_come_back_and_the_same_call_has_the_same_text(one: Any, two: Any, named: dict[str, Any]) -> None:
    named = {f"x{name}": value for name, value in named.items()}
    text = dump_arguments(takes_all, (one, two), {**named, "c": one})
    assert text == dump_arguments(takes_all, (), {"c": one, **dict(reversed(named.items())), "b": two, "a": one})
    args, kwargs = load_arguments(takes_all, text)
    assert alike(args, (one, two))
    assert alike(kwargs, {"c": one, **{name: named[name] for name in sorted(named)}})
