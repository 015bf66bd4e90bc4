"""What the codec knows of users' classes: their fields, how to rebuild an instance, and what hides beside the fields.

A `Shape` describes one class. Dataclasses, attrs classes, msgspec structs, pydantic models, named tuples, enums and
pydantic's URLs have one; every other class has none, and its instances are refused. Shapes are found by looking at the
class in hand, so neither attrs nor pydantic is imported here, and no name that was read from a store is ever looked up.

Dataclasses and attrs classes are rebuilt through their constructor, so that validators guard what a person typed and
private state is set up; what the constructor changes is found by the comparison that follows every dump. Pydantic
models come from `model_construct`: their validators accept raw input and often reject the finished value.
"""

from __future__ import annotations

import enum
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from operator import attrgetter
from typing import Any, Final, TypeVar, get_args, get_origin, get_type_hints

import msgspec

UNSET: Final = object()
_NO_STATE: dict[str, object] = {}
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: set for classes made by a class statement.


class Field(msgspec.Struct, frozen=True):
    """One saved attribute: `key` names it in the saved object, `parameter` in the constructor, if it has one.

    A person may write `alias` for the key.
    """

    attribute: str
    key: str
    alias: str
    parameter: str | None
    required: bool


class Shape(msgspec.Struct, frozen=True):
    """How instances of one class are taken apart and put together.

    `values_of` gives the values of all fields of an instance; UNSET for an attribute that it lacks. `build` takes
    restored values by key; `read`, where there is one, takes what a person wrote. `besides` gives what
    is saved beside the fields, under some of the keys `more`; `hidden` gives state that is not saved, which the copy
    must have by itself. Each is None where there is no such thing.
    """

    cls: type
    fields: tuple[Field, ...]
    values_of: Callable[[Any], tuple[Any, ...]]
    build: Callable[[Mapping[str, Any]], object]
    read: Callable[[Any], object] | None = None
    more: tuple[str, ...] = ()
    besides: Callable[[Any], dict[str, object]] | None = None
    hidden: Callable[[Any], dict[str, object]] | None = None


def _values_of(fields: tuple[Field, ...]) -> Callable[[Any], tuple[Any, ...]]:
    names = tuple(field.attribute for field in fields)
    get_all: Callable[[Any], Any]
    get_all = attrgetter(*names) if len(names) > 1 else lambda instance: tuple(getattr(instance, n) for n in names)

    def values(instance: Any) -> tuple[Any, ...]:
        try:
            found: tuple[Any, ...] = get_all(instance)
        except AttributeError:
            found = tuple(getattr(instance, name, UNSET) for name in names)
        return found

    return values


def describe(cls: type) -> Shape | None:
    """The shape of a user's class, or None for a class whose instances cannot be restored."""
    if hasattr(cls, "__struct_fields__"):
        return _struct_shape(cls)
    if _is_url(cls):
        return _url_shape(cls)
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return _named_tuple_shape(cls)
    if _inherits_native_state(cls):
        return None
    if hasattr(cls, "__dataclass_fields__"):
        return _dataclass_shape(cls)
    if hasattr(cls, "__attrs_attrs__"):
        return _attrs_shape(cls)
    if hasattr(cls, "__pydantic_fields_set__"):
        return _pydantic_shape(cls)
    return None


def _is_url(cls: type) -> bool:
    return cls.__module__.startswith(("pydantic.", "pydantic_core.")) and hasattr(cls, "unicode_string")


def _url_shape(cls: type) -> Shape:
    return Shape(
        cls,
        (),
        _values_of(()),
        lambda values: cls(values["value"]),
        read=cls,
        more=("value",),
        besides=lambda url: {"value": str(url)},
    )


def _inherits_native_state(cls: type) -> bool:
    """Whether a base is written in C (dict, int, Exception ...): the fields are then not all there is."""
    return any(base is not object and not base.__flags__ & _HEAP_TYPE for base in cls.__mro__)


# The kinds of classes -------------------------------------------------------------------------------------------------


def _dataclass_shape(cls: Any) -> Shape:
    import dataclasses

    def required(field: dataclasses.Field[Any]) -> bool:
        return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING

    fields = tuple(
        Field(field.name, field.name, field.name, field.name if field.init else None, field.init and required(field))
        for field in dataclasses.fields(cls)
    )
    return Shape(cls, fields, _values_of(fields), _constructor(cls, fields), hidden=_hidden_state(cls, fields))


def _attrs_shape(cls: Any) -> Shape:
    nothing = sys.modules["attr"].NOTHING
    attributes = cls.__attrs_attrs__
    aliases = [attribute.alias for attribute in attributes]
    distinct = len(set(aliases)) == len(aliases)  # `x` and `_x` may stand side by side if one is no parameter.
    fields = tuple(
        Field(
            attribute.name,
            attribute.alias if distinct else attribute.name,
            attribute.name,
            attribute.alias if attribute.init else None,
            attribute.init and attribute.default is nothing,
        )
        for attribute in attributes
    )
    return Shape(cls, fields, _values_of(fields), _constructor(cls, fields), hidden=_hidden_state(cls, fields))


def _struct_shape(cls: Any) -> Shape:
    names, defaults = cls.__struct_fields__, cls.__struct_defaults__
    optional = {
        name
        for name, default in zip(reversed(names), reversed(defaults), strict=False)
        if default is not msgspec.NODEFAULT
    }
    fields = tuple(
        Field(name, name, alias, name, name not in optional)
        for name, alias in zip(names, cls.__struct_encode_fields__, strict=True)
    )
    return Shape(cls, fields, _values_of(fields), _constructor(cls, fields), hidden=_hidden_state(cls, fields))


def _named_tuple_shape(cls: Any) -> Shape:
    optional = getattr(cls, "_field_defaults", {})
    fields = tuple(Field(name, name, name, name, name not in optional) for name in cls._fields)
    return Shape(cls, fields, _values_of(fields), _constructor(cls, fields), hidden=_hidden_state(cls, fields))


def _pydantic_shape(cls: Any) -> Shape:
    models = cls.model_fields
    fields = tuple(Field(name, name, name, name, field.is_required()) for name, field in models.items())
    attribute_state = _hidden_state(
        cls, fields, "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__"
    )

    def build(values: Mapping[str, Any]) -> object:
        unset = set(values.get("$unset", ()))
        present = {field.key: values[field.key] for field in fields if field.key in values}
        extra = values.get("$extra", {})
        return cls.model_construct(_fields_set={*present, *extra} - unset, **present, **extra)

    def besides(model: Any) -> dict[str, object]:
        unset = [name for name in models if name not in model.__pydantic_fields_set__]
        extra = getattr(model, "__pydantic_extra__", None)  # A root model has none.
        found: dict[str, object] = {"$extra": extra, "$unset": unset}
        return {key: value for key, value in found.items() if value}

    def hidden(model: Any) -> dict[str, object]:
        state = attribute_state(model) if attribute_state else {}
        return state | (getattr(model, "__pydantic_private__", None) or {})

    return Shape(cls, fields, _values_of(fields), build, cls.model_validate, ("$extra", "$unset"), besides, hidden)


def enum_shape(cls: type[enum.Enum]) -> Shape:
    """Enums are saved by value where JSON can hold it, and by name elsewhere."""

    def build(values: Mapping[str, Any]) -> object:
        return cls(values["value"]) if "value" in values else cls[values["name"]]

    def besides(member: enum.Enum) -> dict[str, object]:
        plain = type(member._value_) in (str, int)
        return {"value": member._value_} if plain else {"name": member._name_}

    def read(tree: Any) -> object:
        by_name = isinstance(tree, str) and tree in cls.__members__ and all(tree != member._value_ for member in cls)
        return cls[tree] if by_name else cls(tree)

    return Shape(cls, (), _values_of(()), build, read, ("value", "name"), besides)


def _constructor(cls: type, fields: tuple[Field, ...]) -> Callable[[Mapping[str, Any]], object]:
    arguments = [(field.key, field.parameter) for field in fields if field.parameter is not None]
    later = [(field.key, field.attribute) for field in fields if field.parameter is None]
    if not later and all(key == parameter for key, parameter in arguments):
        return lambda values: cls(**values)

    def build(values: Mapping[str, Any]) -> object:
        instance = cls(**{parameter: values[key] for key, parameter in arguments if key in values})
        for key, attribute in later:
            if key in values:
                object.__setattr__(instance, attribute, values[key])  # Frozen classes too.
        return instance

    return build


def _hidden_state(cls: type, fields: tuple[Field, ...], *ours: str) -> Callable[[Any], dict[str, object]] | None:
    """A function that gives the attributes of an instance that are no fields; cached properties do not count."""
    known = {field.attribute for field in fields}
    slots = tuple(name for name in _slots(cls) if name not in known and name not in ours)
    if not slots and not cls.__dictoffset__:
        return None

    def hidden(instance: Any) -> dict[str, object]:
        state = getattr(instance, "__dict__", _NO_STATE)
        if not slots and state.keys() <= known:
            return _NO_STATE
        found = {name: state[name] for name in state.keys() - known}
        found |= {name: getattr(instance, name) for name in slots if hasattr(instance, name)}
        return {name: value for name, value in found.items() if not _is_cached(cls, name)}

    return hidden


def _slots(cls: type) -> Iterator[str]:
    for base in cls.__mro__:
        slots = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__"):
                yield f"_{base.__name__.lstrip('_')}{name}" if _is_mangled(name) else name


def _is_mangled(name: str) -> bool:
    return name.startswith("__") and not name.endswith("__")


def _is_cached(cls: type, name: str) -> bool:
    return isinstance(inspect.getattr_static(cls, name, None), cached_property)


# The types of fields --------------------------------------------------------------------------------------------------


def field_types(cls: Any, arguments: tuple[Any, ...] = ()) -> dict[str, Any]:
    """The annotation of each attribute; type variables are replaced by the arguments, of generic bases too."""
    hints = _hints(cls)
    environments = _environments(cls, arguments)
    if environments:
        owners = {name: _owner(cls, name) for name in hints}
        hints = {name: substitute(hint, environments.get(owners[name], {})) for name, hint in hints.items()}
    for name, field in getattr(cls, "model_fields", {}).items() if hasattr(cls, "__pydantic_fields_set__") else ():
        hints[name] = field.annotation  # Pydantic has resolved it, with names that are out of reach here.
    for attribute in getattr(cls, "__attrs_attrs__", ()):
        if attribute.name not in hints and attribute.type is not None:
            hints[attribute.name] = attribute.type
    return hints


def _hints(cls: type) -> dict[str, Any]:
    try:
        return get_type_hints(cls, include_extras=True)
    except Exception:  # noqa: BLE001 - evaluating an annotation runs the user's code.
        return _hints_one_by_one(cls)


def _hints_one_by_one(cls: type) -> dict[str, Any]:
    hints: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        names = {**vars(base), base.__name__: base, cls.__name__: cls}
        module = sys.modules.get(base.__module__)
        for name, annotation in own_annotations(base).items():
            hints[name] = resolve(annotation, dict(vars(module)) if module else {}, names)
    return hints


def own_annotations(holder: Any) -> dict[str, Any]:
    """The annotations that a class or a function itself declares, as they stand there."""
    if sys.version_info >= (3, 14):
        import annotationlib

        return annotationlib.get_annotations(holder, format=annotationlib.Format.FORWARDREF)
    return inspect.get_annotations(holder)


def resolve(annotation: Any, global_names: dict[str, Any], local_names: Mapping[str, Any]) -> Any:
    """The annotation with its strings evaluated; Any, if that fails."""

    def holder() -> None: ...

    holder.__annotations__ = {"it": annotation}
    try:
        return get_type_hints(holder, global_names, dict(local_names), include_extras=True)["it"]
    except Exception:  # noqa: BLE001 - evaluating an annotation runs the user's code.
        return Any


def _owner(cls: type, name: str) -> type:
    return next((base for base in cls.__mro__ if name in own_annotations(base)), cls)


def _environments(cls: Any, arguments: tuple[Any, ...]) -> dict[type, dict[Any, Any]]:
    """For each generic class in the ancestry, what its type variables stand for."""
    environment = dict(zip(_parameters(cls), arguments, strict=False))
    found: dict[type, dict[Any, Any]] = {cls: environment} if environment else {}
    for base in getattr(cls, "__orig_bases__", ()):
        origin = get_origin(base)
        if isinstance(origin, type) and _parameters(origin):
            found |= _environments(origin, tuple(substitute(argument, environment) for argument in get_args(base)))
    return found


def substitute(annotation: Any, environment: Mapping[Any, Any]) -> Any:
    """The annotation with type variables replaced."""
    if isinstance(annotation, TypeVar):
        return environment.get(annotation, annotation)
    parameters = _parameters(annotation)
    if not environment or not parameters or isinstance(annotation, type):
        return annotation
    return annotation[tuple(environment.get(parameter, parameter) for parameter in parameters)]


def _parameters(generic: Any) -> tuple[Any, ...]:
    return getattr(generic, "__parameters__", None) or ()
