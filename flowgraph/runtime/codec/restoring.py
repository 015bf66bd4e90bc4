"""Reading the saved form where no annotation is needed: JSON's own types, and every mark but `$as`.

`Misfit` is what a tree raises that cannot become a value; the path in it grows on the way out, innermost step first.
"""

from __future__ import annotations

from binascii import a2b_base64
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from importlib import import_module
from typing import Any, Final
from uuid import UUID

import msgspec

from flowgraph.runtime.codec.saving import LATE_TYPES, MARK

SCALARS: Final[frozenset[type]] = frozenset({str, int, float, bool, type(None)})


class Misfit(Exception):
    """A tree does not fit (`.reason`); `.owner` is the class it was saved from, if no annotation names that."""

    def __init__(self, reason: str, owner: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.owner = owner
        self.path: list[str] = []


def restore(tree: Any) -> Any:
    """The value of a tree, where no annotation says what it is. Raises `Misfit`."""
    kind = type(tree)
    if kind is list:
        return tree if SCALARS.issuperset(map(type, tree)) else restore_items(tree, restore)
    if kind is not dict:
        return tree
    mark = mark_of(tree)
    if mark:
        return restore_marked(tree, mark)
    return tree if SCALARS.issuperset(map(type, tree.values())) else restore_entries(tree, _restore_entry)


def _restore_entry(_key: str, item: Any) -> Any:
    return item if type(item) in SCALARS else restore(item)


def mark_of(tree: dict[str, Any]) -> str:
    """The mark of a tree that was written with one, or an empty text."""
    first = next(iter(tree), "")
    return first if first[:1] == MARK else ""


def has_instance(tree: Any) -> bool:
    """Whether a tree holds an instance of a user's class, so that an annotation is needed to read it."""
    return b'{"$as":' in msgspec.json.encode(tree)


def restore_items(trees: list[Any], load: Callable[[Any], Any]) -> list[Any]:
    values: list[Any] = []
    try:
        for tree in trees:
            values.append(load(tree))  # noqa: PERF401 - the length tells where it failed.
    except Misfit as misfit:
        misfit.path.append(f"[{len(values)}]")
        raise
    return values


def restore_entries(tree: dict[str, Any], load: Callable[[str, Any], Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    key = ""
    try:
        for key, item in tree.items():
            values[key] = load(key, item)
    except Misfit as misfit:
        misfit.path.append(f"[{key!r}]")
        raise
    return values


def restore_marked(tree: dict[str, Any], mark: str) -> Any:
    restorer = _RESTORERS.get(mark)
    if restorer is None:
        raise Misfit(*_why_unrestorable(tree, mark))
    try:  # Not by `made`, whose frames would add to those of each level.
        return restorer(tree[mark], tree)
    except (Misfit, RecursionError):
        raise
    except Exception as error:
        raise _unmade(mark[1:], error) from error


def made(wanted: str, make: Callable[[Any], Any], parts: Any) -> Any:
    """What `make` makes of the parts. It may be the user's code, so it may raise anything."""
    try:
        return make(parts)
    except (Misfit, RecursionError):
        raise
    except Exception as error:
        raise _unmade(wanted, error) from error


def _unmade(wanted: str, error: Exception) -> Misfit:
    return Misfit(f"{wanted} cannot be made of what was saved: {type(error).__name__}: {error}")


def _why_unrestorable(tree: dict[str, Any], mark: str) -> tuple[str, str | None]:
    if mark == "$as":
        return f"it is an instance of {tree[mark]}, which no annotation names", tree[mark]
    return f"this version of flowgraph does not know the mark {mark}", None


def restore_pairs(
    pairs: list[list[Any]], load_key: Callable[[Any], Any], load: Callable[[Any], Any]
) -> Iterator[tuple[Any, Any]]:
    for pair in pairs:
        key = load_key(pair[0])
        try:
            value = load(pair[1])
        except Misfit as misfit:
            misfit.path.append(f"[{key!r}]")
            raise
        yield key, value


def _restore_datetime(text: str, tree: dict[str, Any]) -> datetime:
    value = datetime.fromisoformat(text)
    zone = _restore_zone(tree["zone"]) if "zone" in tree else value.tzinfo
    return value.replace(tzinfo=zone, fold=tree.get("fold", 0))


def _restore_time(text: str, tree: dict[str, Any]) -> time:
    value = time.fromisoformat(text)
    zone = _restore_zone(tree["zone"]) if "zone" in tree else value.tzinfo
    return value.replace(tzinfo=zone, fold=tree.get("fold", 0))


def _restore_zone(saved: Any) -> tzinfo:
    if isinstance(saved, str):
        from zoneinfo import ZoneInfo

        return ZoneInfo(saved)
    if "pydantic" in saved:
        from pydantic_core import TzInfo  # Only where a value was saved that came out of pydantic.

        zone: tzinfo = TzInfo(restore_span(saved["pydantic"]).total_seconds())
        return zone
    offset = restore_span(saved["offset"])
    return timezone(offset, saved["name"]) if "name" in saved else timezone(offset)


def restore_span(text: str) -> timedelta:
    return msgspec.convert(text, timedelta)


def _restore_int(text: str, _tree: Any) -> int:
    return int(text, 16)


def _restore_str(text: str, _tree: Any) -> str:
    return text.encode("ascii").decode("unicode_escape")


def _restorer_in(module: str, name: str) -> Callable[[Any, Any], Any]:
    def restore_late(text: Any, _tree: Any) -> Any:
        # Both names are constants of the table above; nothing comes from the text.
        return getattr(import_module(module), name)(restore(text))

    return restore_late


_RESTORERS: dict[str, Callable[[Any, dict[str, Any]], Any]] = {
    "$any": lambda tree, _: restore(tree),
    "$str": _restore_str,
    "$int": _restore_int,
    "$float": lambda text, _: float(text),
    "$complex": lambda parts, _: complex(restore(parts[0]), restore(parts[1])),
    "$bytes": lambda text, _: a2b_base64(text),
    "$bytearray": lambda text, _: bytearray(a2b_base64(text)),
    "$tuple": lambda trees, _: tuple(restore_items(trees, restore)),
    "$dict": lambda pairs, _: dict(restore_pairs(pairs, restore, restore)),
    "$set": lambda trees, _: set(restore_items(trees, restore)),
    "$frozenset": lambda trees, _: frozenset(restore_items(trees, restore)),
    "$deque": lambda trees, tree: deque(restore_items(trees, restore), tree.get("maxlen")),
    "$ordereddict": lambda pairs, _: OrderedDict(restore_pairs(pairs, restore, restore)),
    "$counter": lambda pairs, _: Counter(dict(restore_pairs(pairs, restore, restore))),
    "$range": lambda numbers, _: range(*map(restore, numbers)),
    "$datetime": _restore_datetime,
    "$date": lambda text, _: date.fromisoformat(text),
    "$time": _restore_time,
    "$timedelta": lambda text, _: restore_span(text),
    "$timezone": lambda saved, _: _restore_zone(saved),
    "$decimal": lambda text, _: Decimal(text),
    "$uuid": lambda text, _: UUID(text),
} | {MARK + name.lower(): _restorer_in(module, name) for module, names in LATE_TYPES.items() for name in names}
