"""Comparing an original with its copy, in value *and* type, all the way down.

Equality of Python is not enough: `1 == True == 1.0`, `0.0 == -0.0`, `Decimal("1.0") == Decimal("1.00")`, a StrEnum
equals its text, a defaultdict equals a dict, and a user's `__eq__` may say anything. So types are compared first,
containers item by item in their order, instances field by field, and all other values by their saved form.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any

import msgspec

from flowgraph.runtime.codec.classes import UNSET, Shape
from flowgraph.runtime.codec.restoring import SCALARS
from flowgraph.runtime.codec.saving import VERBATIM, Refused, save, shape_of, text_of


class Difference(msgspec.Struct):
    """Where a copy differs from its original: `path`, innermost step first, and the original's type there.

    `owner` is that type, if it is a user's class that came back as another type.
    """

    type_name: str
    reason: str
    path: list[str]
    owner: str | None = None


def difference(value: Any, copy: Any) -> Difference | None:
    """The first difference in value or type, or None."""
    kind = type(value)
    if kind is not type(copy):
        return _other_type(kind, type(copy))
    if kind in VERBATIM:
        return None if value == copy else _changed(value)
    compare = _COMPARERS.get(kind)
    if compare is not None:
        return compare(value, copy)
    shape = shape_of(kind)
    if shape is None:
        return None if save(value) == save(copy) else _changed(value)
    if issubclass(kind, Enum):
        return None if value is copy else _changed(value)
    return _instance_difference(shape, value, copy)


def _other_type(kind: type, other: type) -> Difference:
    owner = kind.__name__ if shape_of(kind) else None
    return Difference(kind.__name__, f"it would come back as {_described(other)}", [], owner)


def _described(kind: type) -> str:
    return "None" if kind is type(None) else f"one of type {kind.__name__}"


def _changed(value: Any) -> Difference:
    return Difference(type(value).__name__, "it would come back changed", [])


def _by_repr(value: Any, copy: Any) -> Difference | None:
    return None if repr(value) == repr(copy) else _changed(value)


def _by_equality(value: Any, copy: Any) -> Difference | None:
    return None if value == copy else _changed(value)


def _items_difference(value: Any, copy: Any) -> Difference | None:
    """For lists, tuples and deques."""
    if _are_same_scalars(value, copy):
        return None
    if len(value) != len(copy):
        return _changed(value)
    for index, (item, other) in enumerate(zip(value, copy, strict=True)):
        if found := difference(item, other):
            found.path.append(f"[{index}]")
            return found
    return None


def _are_same_scalars(items: Any, others: Any) -> bool:
    """Whether two lists or tuples hold scalars alike: the usual case, decided in C. False decides nothing."""
    kinds = list(map(type, items))
    return (
        SCALARS.issuperset(kinds)
        and kinds == list(map(type, others))
        and items == others
        and (float not in kinds or 0.0 not in items or repr(items) == repr(others))  # Zero has two signs.
    )


def _deque_difference(value: Any, copy: Any) -> Difference | None:
    return _items_difference(value, copy) if value.maxlen == copy.maxlen else _changed(value)


def _dict_difference(value: Any, copy: Any) -> Difference | None:
    if len(value) != len(copy):
        return _changed(value)
    if _are_same_scalars((*value, *value.values()), (*copy, *copy.values())):
        return None
    for (key, item), (other_key, other) in zip(value.items(), copy.items(), strict=True):
        if found := difference(key, other_key) or difference(item, other):
            found.path.append(f"[{key!r}]")
            return found
    return None


def _set_difference(value: Iterable[Any], copy: Iterable[Any]) -> Difference | None:
    # Looking the items up would find 1 for True.
    found = _items_difference(sorted(value, key=_text), sorted(copy, key=_text))
    if found:
        found.path.pop()  # An index into a set says nothing.
    return found


def _text(value: Any) -> str:
    return text_of(save(value))


_COMPARERS: dict[type, Callable[[Any, Any], Difference | None]] = {
    float: _by_repr,
    complex: _by_repr,
    bytes: _by_equality,
    bytearray: _by_equality,
    list: _items_difference,
    tuple: _items_difference,
    deque: _deque_difference,
    dict: _dict_difference,
    OrderedDict: _dict_difference,
    Counter: _dict_difference,
    set: _set_difference,
    frozenset: _set_difference,
}


def _instance_difference(shape: Shape, value: Any, copy: Any) -> Difference | None:
    items, others = shape.values_of(value), shape.values_of(copy)
    if not _are_same_scalars(items, others):
        for field, item, other in zip(shape.fields, items, others, strict=True):
            if item is not other and (found := difference(item, other)):
                found.path.append(f".{field.attribute}")
                return found
    if shape.besides and (found := _dict_difference(shape.besides(value), shape.besides(copy))):
        return found
    return _hidden_difference(value, shape.hidden(value), shape.hidden(copy)) if shape.hidden else None


def _hidden_difference(value: Any, state: dict[str, object], other: dict[str, object]) -> Difference | None:
    for name in state.keys() | other.keys() if state or other else ():
        if not _is_alike(state.get(name, UNSET), other.get(name, UNSET)):
            kind = type(value).__name__
            return Difference(kind, f"its attribute {name!r} is no field of {kind}, so it would be lost", [])
    return None


def _is_alike(value: object, other: object) -> bool:
    """State beside the fields may be anything; what cannot be saved (a lock, a logger) is compared by type."""
    try:
        return difference(value, other) is None
    except Refused:
        return type(value) is type(other)
