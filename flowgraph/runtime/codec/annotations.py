"""From an annotation to its plan: `plan_for`, and what a callable's annotations say.

Every annotation has a plan. What nothing is known of (a name that does not resolve, a callable, a protocol, a class
without a shape) allows all data that needs no annotation. Classes and aliases compile their parts on first use, so
that they may refer to themselves.
"""

from __future__ import annotations

import collections
import types
import typing
from collections import abc
from collections.abc import Callable
from enum import Enum
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from flowgraph.runtime.codec.classes import UNSET, Shape, describe, enum_shape, field_types, substitute
from flowgraph.runtime.codec.plans import (
    ANY,
    LENIENT,
    RENAMED,
    REPAIRING,
    SCALAR_PLANS,
    Plan,
    abstract_plan,
    atom_plan,
    deque_plan,
    dict_plan,
    fixed_tuple_plan,
    list_plan,
    marked_items_plan,
    marked_mapping_plan,
    misfit,
    reader_of,
    union_plan,
)
from flowgraph.runtime.codec.restoring import Misfit, has_instance, made, mark_of, restore, restore_entries

_MOST_PLANS = 4_096  # `returns=list[Order]` at a call makes a new object each time.

# By identity first: the hash of a typing.Union costs more than saving a small value. The annotation is kept beside its
# plan, so that no other object is given its id.
_by_identity: dict[int, tuple[Any, Plan]] = {}
_by_equality: dict[Any, Plan] = {}


def plan_for(annotation: Any) -> Plan:
    """The plan of an annotation, compiled once."""
    known = _by_identity.get(id(annotation))
    if known is not None:
        return known[1]
    plan = _equal_plan(annotation)
    if len(_by_identity) >= _MOST_PLANS:
        _by_identity.clear()
    _by_identity[id(annotation)] = (annotation, plan)
    return plan


def _equal_plan(annotation: Any) -> Plan:
    try:
        if annotation in _by_equality:
            return _by_equality[annotation]
    except TypeError:  # Annotated[int, {"an": "unhashable"}]
        return _compiled(annotation)
    plan = _compiled(annotation)
    if len(_by_equality) >= _MOST_PLANS:
        _by_equality.clear()
    _by_equality[annotation] = plan
    return plan


def _compiled(annotation: Any) -> Plan:
    origin, arguments = get_origin(annotation), get_args(annotation)
    kind = origin or annotation
    if origin in _QUALIFIERS:
        return plan_for(arguments[0])
    if origin is Union or origin is types.UnionType:
        return union_plan([plan_for(member) for member in arguments])
    if origin is Literal:
        return _literal_plan(arguments)
    if isinstance(annotation, TypeVar):
        return plan_for(_meaning(annotation))
    if isinstance(annotation, typing.NewType):
        return plan_for(annotation.__supertype__)
    if type(kind).__name__ == "TypeAliasType":  # typing's own, or the one of typing_extensions.
        return _alias_plan(kind, arguments)
    if isinstance(kind, type):
        return _class_plan(kind, arguments)
    return SCALAR_PLANS[type(None)] if annotation is None else ANY


_QUALIFIERS = (
    typing.Annotated,
    typing.Required,
    typing.NotRequired,
    typing.Final,
    typing.ClassVar,
    getattr(typing, "ReadOnly", typing.Required),
)


def _meaning(variable: TypeVar) -> Any:
    if variable.__constraints__:
        return Union[variable.__constraints__]  # noqa: UP007 - a tuple of types.
    return Any if variable.__bound__ is None else variable.__bound__


def _class_plan(cls: Any, arguments: tuple[Any, ...]) -> Plan:
    if cls in SCALAR_PLANS:
        return SCALAR_PLANS[cls]
    if cls in _CONTAINERS:
        return _CONTAINERS[cls](arguments)
    if cls in _ABSTRACT:
        return _abstract_plan(cls, arguments)
    if issubclass(cls, Enum):
        return _instance_plan(enum_shape(cls), ())
    if dict in cls.__bases__ and hasattr(cls, "__required_keys__"):
        return _typed_dict_plan(cls, arguments)
    if read := reader_of(cls):
        return atom_plan(cls, read)
    shape = describe(cls)
    return _instance_plan(shape, arguments) if shape else ANY


# Containers -----------------------------------------------------------------------------------------------------------


def _item(arguments: tuple[Any, ...]) -> Plan:
    return plan_for(arguments[0]) if arguments else ANY


def _pair(arguments: tuple[Any, ...]) -> tuple[Plan, Plan]:
    return (plan_for(arguments[0]), plan_for(arguments[1])) if len(arguments) == 2 else (ANY, ANY)


def _tuple_plan(arguments: tuple[Any, ...]) -> Plan:
    if len(arguments) == 2 and arguments[1] is ...:
        return marked_items_plan(tuple, plan_for(arguments[0]))
    if not arguments or any(map(_is_unpacked, arguments)):
        return marked_items_plan(tuple, ANY)
    return fixed_tuple_plan([plan_for(argument) for argument in arguments])


def _is_unpacked(argument: Any) -> bool:
    return get_origin(argument) is typing.Unpack or getattr(argument, "__unpacked__", False) is True


_CONTAINERS: dict[type, Callable[[tuple[Any, ...]], Plan]] = {
    list: lambda arguments: list_plan(_item(arguments)),
    tuple: _tuple_plan,
    set: lambda arguments: marked_items_plan(set, _item(arguments)),
    frozenset: lambda arguments: marked_items_plan(frozenset, _item(arguments)),
    collections.deque: lambda arguments: deque_plan(_item(arguments)),
    dict: lambda arguments: dict_plan(*_pair(arguments)),
    collections.OrderedDict: lambda arguments: marked_mapping_plan(collections.OrderedDict, *_pair(arguments)),
    collections.Counter: lambda arguments: marked_mapping_plan(collections.Counter, _item(arguments), ANY),
}

_ABSTRACT: frozenset[Any] = frozenset({
    abc.Container, abc.Iterable, abc.Collection, abc.Sequence, abc.MutableSequence, abc.Reversible, abc.Sized,
    abc.Set, abc.MutableSet, abc.Mapping, abc.MutableMapping,
})  # fmt: skip


def _abstract_plan(cls: type, arguments: tuple[Any, ...]) -> Plan:
    if issubclass(cls, abc.Mapping):
        keys, values = _pair(arguments)
        marked = {
            "$dict": dict_plan(keys, values),
            "$ordereddict": marked_mapping_plan(collections.OrderedDict, keys, values),
            "$counter": marked_mapping_plan(collections.Counter, keys, values),
        }
        return abstract_plan(cls, ANY, marked["$dict"], marked)
    item = _item(arguments)
    kinds: tuple[type, ...] = (tuple, set, frozenset)
    marked = {f"${kind.__name__}": marked_items_plan(kind, item) for kind in kinds}
    return abstract_plan(cls, list_plan(item), ANY, marked | {"$deque": deque_plan(item)})


# Users' classes -------------------------------------------------------------------------------------------------------


_PlannedField = tuple[str, str, bool, Plan]  # key, alias, required, plan


def _instance_plan(shape: Shape, arguments: tuple[Any, ...]) -> Plan:
    name = shape.cls.__name__
    planned: list[list[_PlannedField]] = []

    def load(tree: Any, mode: int) -> Any:
        if type(tree) is dict and mark_of(tree) == "$as":
            if tree["$as"] != name and not mode & RENAMED:
                raise misfit(tree, name)
            mode &= ~LENIENT
        elif not mode & LENIENT:
            raise misfit(tree, name)
        elif shape.read is not None:
            return made(name, shape.read, restore(tree))
        else:
            tree = _as_object(tree, shape)
        if not planned:
            planned.append(_planned_fields(shape, arguments))
        return made(name, shape.build, _field_values(name, planned[0], tree, mode))

    return Plan(load, owner=name)


def _planned_fields(shape: Shape, arguments: tuple[Any, ...]) -> list[_PlannedField]:
    annotations = field_types(shape.cls, arguments)
    fields = [
        (field.key, field.alias, field.required, plan_for(annotations.get(field.attribute, Any)))
        for field in shape.fields
    ]
    return fields + [(key, key, False, ANY) for key in shape.more]


def _field_values(name: str, fields: list[_PlannedField], tree: dict[str, Any], mode: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, alias, required, plan in fields:
        item = tree[key] if key in tree else tree.get(alias, UNSET)
        if type(item) in plan.scalars:
            values[key] = item
        elif item is not UNSET:
            values[key] = _field_value(key, plan, tree, item, mode)
        elif required:
            raise Misfit(f"{name} needs {key!r}, which was not saved")
    return values


def _field_value(key: str, plan: Plan, tree: dict[str, Any], item: Any, mode: int) -> Any:
    if type(item) is dict and mark_of(item) == "$any":
        return restore(item)
    try:
        return plan.load(item, mode)
    except Misfit as error:
        if mode & REPAIRING and not has_instance(item):
            tree[key] = {"$any": item}
            return restore(item)
        error.path.append(f".{key}")
        raise


def _as_object(tree: Any, shape: Shape) -> dict[str, Any]:
    """What a person wrote for an instance: an object, or a list for a named tuple."""
    if type(tree) is list and issubclass(shape.cls, tuple) and len(tree) <= len(shape.fields):
        return {field.key: item for field, item in zip(shape.fields, tree, strict=False)}
    if type(tree) is not dict or mark_of(tree):
        raise misfit(tree, shape.cls.__name__)
    return tree


def _typed_dict_plan(cls: Any, arguments: tuple[Any, ...]) -> Plan:
    """A TypedDict is a dict: it carries no class, and keys that it does not name are kept as they are."""
    name = cls.__name__
    compiled: list[tuple[dict[str, Plan], set[str]]] = []

    def load(tree: Any, mode: int) -> Any:
        if type(tree) is not dict or mark_of(tree):
            raise misfit(tree, name)
        if not compiled:
            compiled.append(_planned_keys(cls, arguments))
        plans, required = compiled[0]
        if missing := sorted(required - tree.keys()):
            raise Misfit(f"{name} needs {missing[0]!r}, which was not saved")
        return restore_entries(tree, lambda key, item: plans.get(key, ANY).load(item, mode))

    return Plan(load)


def _planned_keys(cls: Any, arguments: tuple[Any, ...]) -> tuple[dict[str, Plan], set[str]]:
    hints = field_types(cls, arguments)
    required = {key for key, hint in hints.items() if _is_required(cls, key, get_origin(hint))}
    return {key: plan_for(hint) for key, hint in hints.items()}, required


def _is_required(cls: Any, key: str, qualifier: Any) -> bool:
    """The class itself does not know, where its annotations are postponed."""
    if qualifier in (typing.Required, typing.NotRequired):
        return qualifier is typing.Required
    return key in cls.__required_keys__


# Names for other annotations ------------------------------------------------------------------------------------------


def _literal_plan(options: tuple[Any, ...]) -> Plan:
    allowed = {(type(option), option) for option in options}
    plan = union_plan([plan_for(kind) for kind in dict.fromkeys(map(type, options))])

    def load(tree: Any, mode: int) -> Any:
        value = plan.load(tree, mode)
        if (type(value), value) not in allowed:
            raise misfit(tree, f"one of {', '.join(map(repr, options))}")
        return value

    return Plan(load, plain=Literal[options])


def _alias_plan(alias: Any, arguments: tuple[Any, ...]) -> Plan:
    """An alias may stand in its own value, so that is compiled on first use."""
    plans: list[Plan] = []

    def load(tree: Any, mode: int) -> Any:
        if not plans:
            environment = dict(zip(alias.__type_params__, arguments, strict=False))
            plans.append(plan_for(substitute(alias.__value__, environment)))
        return plans[0].load(tree, mode)

    return Plan(load)
