"""Plans: how a saved tree becomes a value of a given type. `annotations` puts them together from annotations.

A plan reads two kinds of trees. What `save` wrote describes itself by its marks. What a person or another program wrote
(`--input`, an event from a web hook, an argument sent by a client that has no code) is plain JSON: there a text is read
as a Decimal, an object as an Order, a list as a tuple, where the annotation says so.

The *mode* says how much of that is allowed, in bits:

    LENIENT    what a person wrote is read; without it, only what `save` wrote for just this type
    RENAMED    an instance may carry another name than the class has, because only one class is in question
    REPAIRING  a field of an instance may hold what its annotation excludes, as `name: str = None` does: it is marked
               with `$any` in the tree, and read as if it had no annotation

A whole text is read by ROOT, which is LENIENT and RENAMED. Inside of an instance that `save` wrote nothing is LENIENT.
A union tries its members without LENIENT first, so the value that was saved wins over one that could be read into the
text, whatever the order of the members; and always without RENAMED, because there is a choice.

A plan also knows two short cuts. `scalars` are the types of JSON scalars that it takes verbatim. `plain` is a type with
which msgspec decodes a text without marks to what `load` would give, in C; None, where there is no such type.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec

from flowgraph.runtime.codec.restoring import (
    SCALARS,
    Misfit,
    made,
    mark_of,
    restore,
    restore_entries,
    restore_items,
    restore_marked,
    restore_pairs,
    restore_span,
)

LENIENT: Final = 1
RENAMED: Final = 2
REPAIRING: Final = 4
ROOT: Final = LENIENT | RENAMED

Load = Callable[[Any, int], Any]
Decode = Callable[[str | bytes], Any]


class Plan:
    """How trees become values of one type. `owner` is the name of the user's class that it restores, if it is one.

    `decode` is the short cut for texts without marks; None, where there is none.
    """

    __slots__ = ("decode", "load", "owner", "plain", "scalars")

    def __init__(self, load: Load, scalars: Iterable[type] = (), plain: Any = None, owner: str = "") -> None:
        self.load = load
        self.scalars = frozenset(scalars)
        self.plain = plain
        self.owner = owner
        self.decode = None if plain is None else _decoder(plain)


def _decoder(plain: Any) -> Decode | None:
    try:
        return msgspec.json.Decoder(plain).decode
    except TypeError:  # msgspec takes no union of two lists, for one.
        return None


def misfit(tree: Any, wanted: str) -> Misfit:
    """The exception for a tree that is nothing of what is wanted."""
    mark = mark_of(tree) if type(tree) is dict else ""
    if mark == "$as":
        return Misfit(f"it is an instance of {tree[mark]}, and the annotation says {wanted}", tree[mark])
    return Misfit(f"the annotation says {wanted}, and what was saved is {mark[1:] or _described(tree)}")


def _described(tree: Any) -> str:
    """A short text: most misfits only send a union to its next member."""
    match tree:
        case dict():
            return "an object"
        case list():
            return "a list"
        case str():
            return f"the text {tree[:40]!r}"
        case _:
            return repr(tree)


# Scalars --------------------------------------------------------------------------------------------------------------

_MARKED_SCALARS = frozenset({"$str", "$int", "$float", "$complex"})

ANY = Plan(lambda tree, _mode: restore(tree), SCALARS, Any)


def _scalar_plan(wanted: type, *accepted: type, plain: Any) -> Plan:
    kinds = frozenset((wanted, *accepted))
    name = "None" if wanted is type(None) else wanted.__name__

    def load(tree: Any, _mode: int) -> Any:
        if type(tree) in kinds:
            return tree
        mark = mark_of(tree) if type(tree) is dict else ""
        if mark in _MARKED_SCALARS:  # NaN, or a text or an integer that JSON has no room for.
            value = restore_marked(tree, mark)
            if type(value) in kinds:
                return value
        raise misfit(tree, name)

    return Plan(load, kinds & SCALARS, plain)


# Where Python says float, an int will do; it stays what it is.
SCALAR_PLANS: dict[type, Plan] = {
    object: ANY,
    str: _scalar_plan(str, plain=str),
    bool: _scalar_plan(bool, plain=bool),
    int: _scalar_plan(int, bool, plain=int),
    float: _scalar_plan(float, int, bool, plain=int | float),
    complex: _scalar_plan(complex, float, int, bool, plain=int | float),
    type(None): _scalar_plan(type(None), plain=type(None)),
}


# Builtins that are written with a mark --------------------------------------------------------------------------------

Read = Callable[[Any], Any]


def atom_plan(cls: type, read: Read) -> Plan:
    """The plan of a type that is restored by its mark, or read from a person's text by `read`."""
    name = cls.__name__

    def load(tree: Any, mode: int) -> Any:
        mark = mark_of(tree) if type(tree) is dict else ""
        if mark == "$as" or (not mark and not mode & LENIENT):
            raise misfit(tree, name)
        value = restore_marked(tree, mark) if mark else made(name, read, tree)
        if not isinstance(value, cls):
            raise misfit(tree, name)
        return value

    return Plan(load)


def _reader(*readers: tuple[type | tuple[type, ...], Read]) -> Read:
    def read(tree: Any) -> Any:
        for accepted, convert in readers:
            if isinstance(tree, accepted) and not isinstance(tree, bool):
                return convert(tree)
        return None  # Of no type that has an atom plan.

    return read


def _base64(text: str) -> bytes:
    decoded: bytes = msgspec.convert(text, bytes)
    return decoded


_NUMBER = (int, float)
_READERS: dict[type, Read] = {
    bytes: _reader((str, _base64)),
    bytearray: _reader((str, lambda text: bytearray(_base64(text)))),
    datetime: _reader((str, datetime.fromisoformat)),
    date: _reader((str, date.fromisoformat)),
    time: _reader((str, time.fromisoformat)),
    timedelta: _reader((str, restore_span), (_NUMBER, lambda seconds: timedelta(seconds=seconds))),
    timezone: _reader(),
    tzinfo: _reader(),
    range: _reader(),
    Decimal: _reader((str, Decimal), (_NUMBER, lambda number: Decimal(repr(number)))),
    UUID: _reader((str, UUID)),
}


def reader_of(cls: type) -> Read | None:
    """The reader of a marked type of the standard library; those that are not imported here are made from text."""
    if cls.__module__.partition(".")[0] in ("fractions", "pathlib", "ipaddress", "zoneinfo"):
        return _reader(((str, int) if cls.__name__ == "Fraction" else str, cls))
    return _READERS.get(cls)


# Containers of items --------------------------------------------------------------------------------------------------


def list_plan(item: Plan) -> Plan:
    def load(tree: Any, mode: int) -> Any:
        if type(tree) is not list:
            raise misfit(tree, "list")
        return _items(tree, item, mode)

    return Plan(load, plain=None if item.plain is None else list[item.plain])  # type: ignore[name-defined]


def _items(trees: list[Any], item: Plan, mode: int) -> list[Any]:
    if item.scalars.issuperset(map(type, trees)):
        return trees
    load = item.load
    return restore_items(trees, lambda tree: load(tree, mode))


def marked_items_plan(kind: type, item: Plan) -> Plan:
    """The plan of a container that is written as a list behind a mark; a person writes a bare list."""
    name = kind.__name__

    def load(tree: Any, mode: int) -> Any:
        return made(name, kind, _items(_trees(tree, name, mode), item, mode))

    return Plan(load)


def _trees(tree: Any, name: str, mode: int) -> list[Any]:
    if type(tree) is list and mode & LENIENT:
        return tree
    if type(tree) is not dict or mark_of(tree) != "$" + name:
        raise misfit(tree, name)
    trees: list[Any] = tree["$" + name]
    return trees


def deque_plan(item: Plan) -> Plan:
    def load(tree: Any, mode: int) -> Any:
        trees = _trees(tree, "deque", mode)
        return deque(_items(trees, item, mode), tree.get("maxlen") if type(tree) is dict else None)

    return Plan(load)


def fixed_tuple_plan(plans: list[Plan]) -> Plan:
    def load(tree: Any, mode: int) -> Any:
        trees = _trees(tree, "tuple", mode)
        if len(trees) != len(plans):
            raise Misfit(f"the annotation says a tuple of {len(plans)}, and what was saved has {len(trees)} items")
        following = iter(plans)
        return tuple(restore_items(trees, lambda item: next(following).load(item, mode)))

    return Plan(load)


# Mappings -------------------------------------------------------------------------------------------------------------


def dict_plan(keys: Plan, values: Plan) -> Plan:
    takes_text = str in keys.scalars

    def load(tree: Any, mode: int) -> Any:
        if takes_text and type(tree) is dict and not mark_of(tree):
            if values.scalars.issuperset(map(type, tree.values())):
                return tree
            return restore_entries(tree, lambda _key, item: values.load(item, mode))
        return made("dict", dict, _pairs(tree, "dict", keys, values, mode))

    is_plain = takes_text and values.plain is not None
    return Plan(load, plain=dict[str, values.plain] if is_plain else None)  # type: ignore[name-defined]


def marked_mapping_plan(kind: type[OrderedDict[Any, Any]] | type[Counter[Any]], keys: Plan, values: Plan) -> Plan:
    name = kind.__name__

    def load(tree: Any, mode: int) -> Any:
        if not mode & LENIENT and not (type(tree) is dict and mark_of(tree)):
            raise misfit(tree, name)
        return made(name, lambda pairs: kind(dict(pairs)), _pairs(tree, name, keys, values, mode))

    return Plan(load)


def _pairs(tree: Any, name: str, keys: Plan, values: Plan, mode: int) -> Iterable[tuple[Any, Any]]:
    found = mark_of(tree) if type(tree) is dict else "no object"
    if found == "$" + name.lower():
        return restore_pairs(tree[found], lambda key: keys.load(key, mode), lambda item: values.load(item, mode))
    if found:
        raise misfit(tree, name)
    pairs = [[key, item] for key, item in tree.items()]
    return restore_pairs(pairs, _key_reader(keys, mode), lambda item: values.load(item, mode))


def _key_reader(keys: Plan, mode: int) -> Read:
    """JSON's keys are text: a person's `{"3": ...}` is read as dict[int, ...]."""

    def read_key(key: str) -> Any:
        try:
            return keys.load(key, mode)
        except Misfit:
            if not mode & LENIENT or not key.removeprefix("-").isdecimal():
                raise
            return keys.load(int(key), mode)

    return read_key


# Choices --------------------------------------------------------------------------------------------------------------


def abstract_plan(cls: type, lists: Plan, objects: Plan, marked: dict[str, Plan]) -> Plan:
    """The plan of Sequence, Mapping and so on: whatever container was saved, if it is one of those."""
    name = cls.__name__
    plain = lists.plain if issubclass(list, cls) else objects.plain if issubclass(dict, cls) else None

    def load(tree: Any, mode: int) -> Any:
        if type(tree) is list:
            value = lists.load(tree, mode)
        elif type(tree) is dict:
            mark = mark_of(tree)
            value = (marked.get(mark, ANY) if mark else objects).load(tree, mode)
        else:
            value = tree
        if not isinstance(value, cls):
            raise misfit(tree, name)
        return value

    return Plan(load, plain=plain)


def union_plan(plans: list[Plan]) -> Plan:
    nothing = SCALAR_PLANS[type(None)]
    others = [plan for plan in dict.fromkeys(plans) if plan is not nothing]
    if not others:
        return nothing
    load, owner = _choice_load(others), ""
    if len(others) == 1:
        load, owner = others[0].load, others[0].owner
    if nothing not in plans:
        return Plan(load, _scalars_of(others), _plain_union(others), owner)
    return Plan(_optional(load), _scalars_of(plans), _plain_union(plans), owner)


def _scalars_of(plans: list[Plan]) -> frozenset[type]:
    return frozenset[type]().union(*(plan.scalars for plan in plans))


def _plain_union(plans: list[Plan]) -> Any:
    plains = [plan.plain for plan in plans]
    if None in plains:
        return None
    union: Any = plains[0]
    for plain in plains[1:]:
        union = Any if Any in (union, plain) else union | plain
    return union


def _optional(load: Load) -> Load:
    return lambda tree, mode: None if tree is None else load(tree, mode)


def _choice_load(plans: list[Plan]) -> Load:
    scalars = _scalars_of(plans)
    by_owner: dict[str, list[Plan]] = {}
    for plan in plans:
        if plan.owner:
            by_owner.setdefault(plan.owner, []).append(plan)

    def load(tree: Any, mode: int) -> Any:
        if type(tree) in scalars:
            return tree
        mark = mark_of(tree) if type(tree) is dict else ""
        candidates = by_owner.get(tree[mark], plans) if mark == "$as" else plans
        failure = misfit(tree, "a union that has no such member")
        strict = mode & REPAIRING
        for attempt in (strict, strict | LENIENT) if mode & LENIENT else (strict,):
            for plan in candidates:
                try:
                    return plan.load(tree, attempt)
                except Misfit as error:
                    if len(candidates) == 1:
                        failure = error
        raise failure

    return load
