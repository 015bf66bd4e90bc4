"""The saved form of values: how each type is written, read back without an annotation, and compared.

The saved form is a tree of what JSON holds: None, bool, int, float, str, list, and dict with str keys. What JSON cannot
hold is written as an object whose first key begins with `$`, the mark:

    {"$decimal": "1.50"}    {"$tuple": [1, 2]}    {"$dict": [[1, "one"]]}    {"$as": "Order", "id": 7}

Rule 1: the form depends on the value alone, never on an annotation, and two values that differ in value or type differ
in form. So a text describes itself, and a changed annotation is noticed instead of obeyed.
Rule 2: `$as` carries the bare name of a user's class. It is compared with the classes that an annotation names; nothing
is ever looked up by it.
Rule 3: a user's dict whose first key begins with the mark is written as `$dict`; so a mark is always ours. msgspec
writes no white space, so the characters `{"$` stand in a text if and only if it has a mark.

`save` writes; `restoring` reads what needs no annotation, `plans` what does. The table holds the types
that are loaded anyway; `fractions`, `pathlib` and the like join it when they are met.
"""

from __future__ import annotations

import math
import sys
from binascii import b2a_base64
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

import msgspec

from flowgraph.runtime.codec.classes import UNSET, Shape, describe, enum_shape

MAX_DEPTH: Final = 150  # Each level takes up to six frames of Python's default 1000, on a fresh stack if need be.
VERBATIM: Final = frozenset({str, int, bool, type(None)})
_TEXT: Final = frozenset({str})
MARK: Final = "$"

encode = msgspec.json.encode


class Refused(Exception):
    """A value has no saved form (`.type_name`, `.reason`); `.path` leads to it, innermost step first."""

    def __init__(self, type_name: str, reason: str, *path: str) -> None:
        super().__init__(type_name, reason)
        self.type_name = type_name
        self.reason = reason
        self.path = list(path)


def where(path: list[str]) -> str:
    """`at ['orders'][3].total, ` as the start of a sentence, or nothing for the value itself."""
    steps = path[::-1] if len(path) <= 12 else [*path[:-9:-1], " ... ", *path[3::-1]]
    return f"at {''.join(steps)}, " if path else ""


# Saving ---------------------------------------------------------------------------------------------------------------

Saver = Callable[[Any, int], Any]


def save(value: Any, depth: int = 0) -> Any:
    """The tree of a value. Raises `Refused`."""
    kind = type(value)
    if kind in VERBATIM:
        return value
    return (_SAVERS.get(kind) or _saver_for(kind))(value, depth)


def text_of(tree: Any) -> str:
    """The tree as JSON text. Lone surrogates and the hugest integers, which msgspec refuses, are marked."""
    try:
        return encode(tree).decode()
    except ValueError:  # Of which UnicodeEncodeError is one.
        return encode(_escaped(tree)).decode()


def _escaped(tree: Any) -> Any:
    match tree:
        case list():
            return [_escaped(item) for item in tree]
        case dict() if all(map(_is_text, tree)):
            return {key: _escaped(item) for key, item in tree.items()}
        case dict():
            return {"$dict": [[_escaped(key), _escaped(item)] for key, item in tree.items()]}
        case str() if not _is_text(tree):
            return {"$str": tree.encode("unicode_escape").decode()}
        case int() if tree.bit_length() > 4_096:
            return {"$int": hex(tree)}
        case _:
            return tree


def _is_text(text: str) -> bool:
    return text.isascii() or text.encode(errors="ignore").decode() == text


def _too_deep(value: Any) -> Refused:
    return Refused(type(value).__name__, f"it contains itself, or is nested more than {MAX_DEPTH} levels deep.")


def _save_list(value: list[Any], depth: int) -> list[Any]:
    return value if VERBATIM.issuperset(map(type, value)) else _save_items(value, depth)


def _save_items(value: Iterable[Any], depth: int) -> list[Any]:
    if depth >= MAX_DEPTH:
        raise _too_deep(value)
    depth += 1
    saved: list[Any] = []
    try:
        for item in value:
            kind = type(item)
            saved.append(item if kind in VERBATIM else (_SAVERS.get(kind) or _saver_for(kind))(item, depth))
    except Refused as refusal:
        refusal.path.append(f"[{len(saved)}]")
        raise
    return saved


def _save_dict(value: dict[Any, Any], depth: int) -> dict[str, Any]:
    if not _TEXT.issuperset(map(type, value)) or next(iter(value), "")[:1] == MARK:
        return {"$dict": _save_pairs(value, depth)}
    if VERBATIM.issuperset(map(type, value.values())):
        return value
    if depth >= MAX_DEPTH:
        raise _too_deep(value)
    depth += 1
    saved: dict[str, Any] = {}
    key = ""
    try:
        for key, item in value.items():
            kind = type(item)
            saved[key] = item if kind in VERBATIM else (_SAVERS.get(kind) or _saver_for(kind))(item, depth)
    except Refused as refusal:
        refusal.path.append(f"[{key!r}]")
        raise
    return saved


def _save_pairs(value: dict[Any, Any], depth: int) -> list[list[Any]]:
    if depth >= MAX_DEPTH:
        raise _too_deep(value)
    pairs: list[list[Any]] = []
    key = None
    try:
        for key, item in value.items():
            pairs.append([save(key, depth + 1), save(item, depth + 1)])
    except Refused as refusal:
        refusal.path.append(f"[{key!r}]")
        raise
    return pairs


def _save_set(value: Iterable[Any], depth: int) -> list[Any]:
    """The items in the order of their texts, so that equal sets have equal texts."""
    if depth >= MAX_DEPTH:
        raise _too_deep(value)
    return sorted((save(item, depth + 1) for item in value), key=text_of)


def _save_float(value: float, _depth: int) -> Any:
    return value if math.isfinite(value) else {"$float": repr(value)}


def _save_deque(value: deque[Any], depth: int) -> dict[str, Any]:
    saved: dict[str, Any] = {"$deque": _save_items(value, depth)}
    return saved if value.maxlen is None else saved | {"maxlen": value.maxlen}


def _save_datetime(value: datetime, _depth: int) -> dict[str, Any]:
    return {"$datetime": value.isoformat(), **_save_fold_and_zone(value)}


def _save_time(value: time, _depth: int) -> dict[str, Any]:
    return {"$time": value.isoformat(), **_save_fold_and_zone(value)}


def _save_fold_and_zone(value: datetime | time) -> dict[str, Any]:
    """What ISO 8601 has no room for: the zone behind an offset, and `fold`."""
    fold = {"fold": 1} if value.fold else {}
    return fold if value.tzinfo is None or value.tzinfo is UTC else fold | {"zone": _save_zone(value.tzinfo)}


def _save_zone(zone: tzinfo) -> Any:
    kind = type(zone)
    if kind is timezone:
        return _save_timezone(zone)
    if kind.__module__ == "zoneinfo" and getattr(zone, "key", None):
        return getattr(zone, "key")  # noqa: B009 - tzinfo has no such attribute for a type checker.
    if kind.__module__.startswith("pydantic_core"):
        return {"pydantic": _save_span(zone.utcoffset(None))}
    raise Refused(
        kind.__name__, "its time zone cannot be rebuilt; use datetime.timezone or zoneinfo.ZoneInfo instead.", ".tzinfo"
    )


def _save_timezone(zone: tzinfo) -> dict[str, Any]:
    offset = zone.utcoffset(None)
    name = zone.tzname(None)
    saved = {"offset": _save_span(offset)}
    return saved if timezone(offset or timedelta()).tzname(None) == name else saved | {"name": name}


def _save_span(value: timedelta | None) -> str:
    text: str = msgspec.to_builtins(value)
    return text


def _by_text(tag: str) -> Saver:
    return lambda value, _depth: {tag: str(value)}


_SAVERS: dict[type, Saver] = {
    str: lambda value, _depth: value,
    int: lambda value, _depth: value,
    bool: lambda value, _depth: value,
    type(None): lambda value, _depth: value,
    float: _save_float,
    complex: lambda value, depth: {"$complex": [_save_float(value.real, depth), _save_float(value.imag, depth)]},
    bytes: lambda value, _depth: {"$bytes": b2a_base64(value, newline=False).decode()},
    bytearray: lambda value, _depth: {"$bytearray": b2a_base64(value, newline=False).decode()},
    list: _save_list,
    tuple: lambda value, depth: {"$tuple": _save_items(value, depth)},
    dict: _save_dict,
    set: lambda value, depth: {"$set": _save_set(value, depth)},
    frozenset: lambda value, depth: {"$frozenset": _save_set(value, depth)},
    deque: _save_deque,
    OrderedDict: lambda value, depth: {"$ordereddict": _save_pairs(value, depth)},
    Counter: lambda value, depth: {"$counter": _save_pairs(value, depth)},
    range: lambda value, _depth: {"$range": [value.start, value.stop, value.step]},
    datetime: _save_datetime,
    date: lambda value, _depth: {"$date": value.isoformat()},
    time: _save_time,
    timedelta: lambda value, _depth: {"$timedelta": _save_span(value)},
    timezone: lambda value, _depth: {"$timezone": _save_timezone(value)},
    Decimal: _by_text("$decimal"),
    UUID: _by_text("$uuid"),
}

LATE_TYPES: dict[str, tuple[str, ...]] = {
    "fractions": ("Fraction",),
    "pathlib": ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"),
    "ipaddress": ("IPv4Address", "IPv6Address", "IPv4Network", "IPv6Network", "IPv4Interface", "IPv6Interface"),
    "zoneinfo": ("ZoneInfo",),
}
_SHAPES: dict[type, Shape] = {}
_MOST_SHAPES = 1_024  # A handler may define its class inside itself, anew at each call.


def shape_of(kind: type) -> Shape | None:
    """The shape of a user's class, if it has one."""
    shape = _SHAPES.get(kind)
    if shape is None and kind not in _SAVERS:
        shape = enum_shape(kind) if issubclass(kind, Enum) else describe(kind)
    return shape


def _saver_for(kind: type) -> Saver:
    """The saver of a type that was not met before; for one that cannot be saved, a saver that says why."""
    _admit_late_types()
    if kind in _SAVERS:
        return _SAVERS[kind]
    shape = shape_of(kind)
    return _learn(shape) if shape else _refuse


def _learn(shape: Shape) -> Saver:
    if len(_SHAPES) >= _MOST_SHAPES:
        for kind in list(_SHAPES):
            _SAVERS.pop(kind, None)
            _SHAPES.pop(kind, None)
    saver = _saver_of_shape(shape)
    _SAVERS[shape.cls], _SHAPES[shape.cls] = saver, shape
    return saver


def _admit_late_types() -> None:
    for module, names in LATE_TYPES.items():
        if module in sys.modules:
            for name in names:
                tag = MARK + name.lower()
                _SAVERS.setdefault(vars(sys.modules[module])[name], _by_text(tag))


def _saver_of_shape(shape: Shape) -> Saver:
    name = shape.cls.__name__
    values_of = shape.values_of
    attributes = {field.key: field.attribute for field in shape.fields}
    keys = tuple(attributes)

    def save_instance(value: Any, depth: int) -> dict[str, Any]:
        if depth >= MAX_DEPTH:
            raise _too_deep(value)
        saved: dict[str, Any] = {"$as": name}
        key = ""
        try:
            for key, item in zip(keys, values_of(value), strict=True):
                kind = type(item)
                if kind in VERBATIM:
                    saved[key] = item
                elif item is not UNSET:
                    saved[key] = (_SAVERS.get(kind) or _saver_for(kind))(item, depth + 1)
            if shape.besides is not None:
                for key, item in shape.besides(value).items():
                    saved[key] = save(item, depth + 1)
        except Refused as refusal:
            refusal.path.append(f".{attributes.get(key, key)}")
            raise
        return saved

    return save_instance


def _refuse(value: Any, _depth: int) -> Any:
    raise Refused(type(value).__name__, _why_refused(type(value)))


def _why_refused(kind: type) -> str:
    if issubclass(kind, defaultdict):
        return "its default factory is code. Return dict(value) instead."
    base = next((base for base in kind.__mro__ if base in _SAVERS), None)
    if base is not None:
        return f"it is a subclass of {base.__name__}, and would come back as that. Convert it to {base.__name__} first."
    return (
        "its class is no dataclass, attrs or msgspec class, pydantic model, NamedTuple or Enum. "
        "Return plain data, or an instance of such a class, instead."
    )
