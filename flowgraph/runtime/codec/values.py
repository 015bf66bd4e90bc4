"""Values to text and back: `dump` and `load`, for results, arguments and events.

The promise: what `dump` hands back equals the value in value *and* type, and is exactly what `load` gives for the text
and the annotation. Whatever cannot keep it raises `Unsaveable`, at once. So a step returns the same the first time and
on every replay.

How it works
    The text is JSON that a database can query. Data that JSON holds is plain JSON; the rest carries marks, and
    they say what a value is (`saving` has the form). So the *annotation* is never needed to write, and to read
    it is needed only for users' classes: no class is looked up by a name from the store, and nothing is pickled.
    `annotations` compiles an annotation to a plan, once, and `plans` reads by it.

    dump = save, load what was saved, and compare (`comparing`). If the annotation does not fit the value (it
    says int, and the handler returned a text), data that needs no annotation is saved under the mark `$any`, which
    tells `load` to leave the annotation aside; an instance of a class is refused. Fields are treated in the same way.

The short cut
    Walking a value in Python costs four times as much as encoding it in C, so plain data is never walked:

    1. `marshal.dumps(value)` succeeds: it refuses every subclass, so all types are exact builtins (or buffers)
    2. the text, decoded, equals the value: so there are no tuples, sets, bytes, NaN, or keys that are no text
    3. the text has no mark: a user's key that looks like one takes the long way

    JSON keeps apart what `==` does not: `1`, `true` and `1.0` are different texts, so are `0.0` and `-0.0`. Hence these
    three prove that value and copy are the same in type as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from inspect import Parameter
from marshal import dumps as assert_builtin
from typing import Any, TypeVar, cast

import msgspec

from flowgraph.runtime.codec.annotations import plan_for
from flowgraph.runtime.codec.callables import parameters_of, return_annotation
from flowgraph.runtime.codec.comparing import Difference, difference
from flowgraph.runtime.codec.plans import ANY, REPAIRING, ROOT, Plan
from flowgraph.runtime.codec.restoring import Misfit, has_instance, restore
from flowgraph.runtime.codec.saving import Refused, save, text_of, where

__all__ = ["Unfit", "Unsaveable", "dump", "dump_arguments", "load", "load_arguments", "return_annotation"]


class Unsaveable(Exception):
    """A value that cannot be saved and restored exactly (`.type_name` of the innermost offender, `.reason`)."""

    def __init__(self, type_name: str, reason: str) -> None:
        super().__init__(type_name, reason)
        self.type_name = type_name
        self.reason = reason

    def __str__(self) -> str:
        return f"A value of type {self.type_name} cannot be saved: {self.reason}"


class Unfit(Exception):
    """A saved text that does not fit the annotation (`.reason`)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


# Dumping and loading --------------------------------------------------------------------------------------------------

Advice = Callable[[str], str]
_T = TypeVar("_T")

_encode = msgspec.json.encode
_decode = msgspec.json.decode


def dump(value: object, annotation: object = Any) -> tuple[str, object]:
    """The JSON text of a value, and the copy that `load` makes of it under the same annotation.

    Raises `Unsaveable` unless the copy equals the value in value and type, all the way down.
    """
    return _dump(value, plan_for(annotation), _advice_for_results)


def load(text: str, annotation: object = Any) -> object:
    """The value of a text. Raises `Unfit`, if the text does not fit the annotation.

    Plain JSON that a person wrote is read by the annotation: a text as a UUID, an object as an instance.
    """
    return _load_by(plan_for(annotation), text)


def _load_by(plan: Plan, text: str) -> object:
    try:
        return _load(text, plan)
    except Misfit as misfit:
        raise Unfit(where(misfit.path) + misfit.reason) from misfit
    except RecursionError:
        return _load_on_a_fresh_stack(text, plan)


def _advice_for_results(type_name: str) -> str:
    return f"Annotate the handler's return type, or pass returns={type_name}"


def _dump(value: object, plan: Plan, advice: Advice) -> tuple[str, object]:
    if type(value) in plan.scalars and (text := _scalar_text(value)):
        return text, value
    try:
        return (type(value) in _JSON_CONTAINERS and _dump_plain(value, plan)) or _dump_marked(value, plan, advice)
    except RecursionError:
        return _dump_on_a_fresh_stack(value, plan, advice)


_JSON_CONTAINERS = frozenset({dict, list})


def _scalar_text(value: object) -> str:
    """The text of a scalar, or an empty one if JSON has no room for it: NaN, a lone surrogate, 10**5000."""
    if type(value) is float and value - value != 0.0:
        return ""
    try:
        return _encode(value).decode()
    except ValueError:
        return ""


def _dump_plain(value: object, plan: Plan) -> tuple[str, object] | None:
    """The short cut. None, if it does not prove that the copy is exact."""
    try:
        assert_builtin(cast("Any", value))
        text = _encode(value).decode()
        if _has_mark(text):
            return None
        if plan.decode is not None:
            copy = plan.decode(text)
            return (text, copy) if copy == value else None
        tree = _decode(text)
        if tree != value:
            return None  # The annotation may bring it back, but the text would not say what it is.
        copy = _read(tree, plan, ROOT)
        if copy is not tree:
            assert_builtin(cast("Any", copy))
        return (text, copy) if copy is tree or copy == value else None
    except (ValueError, TypeError, OverflowError, msgspec.MsgspecError, Misfit, BytesWarning):
        return None


def _has_mark(text: str) -> bool:
    return "$" in text and '{"$' in text  # One character is found much faster than three.


def _dump_marked(value: object, plan: Plan, advice: Advice) -> tuple[str, object]:
    """The long way, for everything."""
    text = _saved_text(value)
    copy, problem = _loaded(text, value, plan)
    if problem is not None:
        text = _beside_the_annotation(text, plan)
        copy, problem = _loaded(text, value, plan)
    if problem is not None:
        raise _unsaveable(value, problem, advice)
    return text, copy


def _beside_the_annotation(text: str, plan: Plan) -> str:
    """The text with `$any` before what the annotation excludes but does not need to know: all, or some fields."""
    tree = _decode(text)
    if not has_instance(tree):
        return text_of({"$any": tree})
    with suppress(Misfit):  # Which the next attempt to load will find again.
        _read(tree, plan, ROOT | REPAIRING)
    return text_of(tree)


def _saved_text(value: object) -> str:
    try:
        return text_of(save(value))
    except Refused as refusal:
        raise Unsaveable(refusal.type_name, where(refusal.path) + refusal.reason) from refusal
    except RecursionError:
        raise
    except Exception as error:  # Attributes may be properties.
        raise Unsaveable(type(value).__name__, f"reading it raised {type(error).__name__}: {error}") from error


def _loaded(text: str, value: object, plan: Plan) -> tuple[object, Misfit | Difference | None]:
    try:
        copy = _load(text, plan)
        return copy, difference(value, copy)
    except Misfit as misfit:
        return None, misfit
    except RecursionError:
        raise
    except Exception as error:  # noqa: BLE001 - attributes of the copy may be properties, too.
        return None, Misfit(f"comparing it with its copy raised {type(error).__name__}: {error}")


def _load(text: str, plan: Plan) -> object:
    decode = plan.decode
    if decode is not None and not _has_mark(text):
        try:
            return decode(text)
        except msgspec.DecodeError:
            pass  # Perhaps the plan can; at least it can say why not.
    try:
        tree = _decode(text)
    except (ValueError, msgspec.MsgspecError) as error:
        raise Misfit(f"the saved text is no JSON: {error}") from error
    return restore(tree) if text.startswith('{"$any":') else _read(tree, plan, ROOT)


def _read(tree: Any, plan: Plan, mode: int) -> object:
    try:
        return plan.load(tree, mode)
    except (Misfit, RecursionError):
        raise
    except Exception as error:
        raise Misfit(f"the saved text is damaged: {type(error).__name__}: {error}") from error


def _unsaveable(value: object, problem: Misfit | Difference, advice: Advice) -> Unsaveable:
    reason = f"{where(problem.path)}{problem.reason}."
    if problem.owner:
        reason += f" {advice(problem.owner)}{', or a type that names it' if problem.path else ''}."
    type_name = problem.type_name if isinstance(problem, Difference) else type(value).__name__
    return Unsaveable(problem.owner or type_name, reason)


# Deep values on deep stacks -------------------------------------------------------------------------------------------
#
# Whether a value is too deep must not depend on how deep its caller is: what a shallow caller saved, a deep one must be
# able to load. So a RecursionError counts only on a stack that starts empty.


def _dump_on_a_fresh_stack(value: object, plan: Plan, advice: Advice) -> tuple[str, object]:
    try:
        return _on_a_fresh_stack(partial(_dump_marked, value, plan, advice))
    except RecursionError as error:
        raise Unsaveable(type(value).__name__, "it is nested too deeply.") from error


def _load_on_a_fresh_stack(text: str, plan: Plan) -> object:
    try:
        return _on_a_fresh_stack(partial(_load, text, plan))
    except Misfit as misfit:
        raise Unfit(where(misfit.path) + misfit.reason) from misfit
    except RecursionError as error:
        raise Unfit("it is nested too deeply") from error


def _on_a_fresh_stack(work: Callable[[], _T]) -> _T:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


# Arguments ------------------------------------------------------------------------------------------------------------

_Convert = Callable[[object, Plan, Any], Any]


class _Arguments(msgspec.Struct):
    args: list[msgspec.Raw] = []
    kwargs: dict[str, msgspec.Raw] = {}


_decode_arguments = msgspec.json.Decoder(_Arguments).decode


def dump_arguments(fn: Callable[..., Any] | None, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """The text of a call's arguments: `{"args": [...], "kwargs": {...}}`, the same for the same call.

    However they are passed, parameters that may be positional are saved as positional; keywords are sorted, defaults
    are not filled in. Without the function (`fn` is None) the arguments stay as they are passed. Raises TypeError,
    if they do not fit the function, and `Unsaveable`.
    """
    positional, named = _converted(fn, args, kwargs, _dump_argument)
    pairs = [f"{_keyword_text(name)}:{named[name]}" for name in sorted(named)]
    return f'{{"args":[{",".join(positional)}],"kwargs":{{{",".join(pairs)}}}}}'


def load_arguments(fn: Callable[..., Any] | None, text: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a text of `dump_arguments`. Raises `Unfit`, if the function takes them no more."""
    try:
        saved = _decode_arguments(text)
        return _converted(fn, tuple(saved.args), saved.kwargs, _load_argument)
    except (TypeError, ValueError, msgspec.MsgspecError) as error:
        raise Unfit(f"the saved arguments do not fit: {error}") from error


def _dump_argument(name: object, plan: Plan, value: Any) -> str:
    try:
        return _dump(value, plan, _advice_for_arguments)[0]
    except Unsaveable as error:
        raise Unsaveable(error.type_name, f"in the argument {name!r}, {error.reason}") from error


def _advice_for_arguments(type_name: str) -> str:
    return f"Annotate the workflow's parameter with {type_name}"


def _load_argument(name: object, plan: Plan, raw: msgspec.Raw) -> object:
    try:
        return _load_by(plan, bytes(raw).decode())
    except Unfit as error:
        raise Unfit(f"in the argument {name!r}, {error.reason}") from error


def _keyword_text(name: str) -> str:
    try:
        return _encode(name).decode()
    except ValueError as error:
        raise Unsaveable("str", f"the keyword {name!r} is no valid text.") from error


def _converted(
    fn: Callable[..., Any] | None, args: tuple[Any, ...], kwargs: Mapping[str, Any], convert: _Convert
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if fn is None:
        converted = tuple(convert(index, ANY, value) for index, value in enumerate(args))
        return converted, {name: convert(name, ANY, value) for name, value in kwargs.items()}
    signature, plans = parameters_of(fn)
    if not plans and not args and not kwargs:  # Binding costs as much as a step.
        return (), {}
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{getattr(fn, '__qualname__', fn)}() {error}") from None
    for name, value in bound.arguments.items():
        bound.arguments[name] = _convert_parameter(signature.parameters[name], plans[name], value, convert)
    return bound.args, bound.kwargs


def _convert_parameter(parameter: Parameter, plan: Plan, value: Any, convert: _Convert) -> Any:
    if parameter.kind is parameter.VAR_POSITIONAL:
        return tuple(convert(f"*{parameter.name}", plan, item) for item in value)
    if parameter.kind is parameter.VAR_KEYWORD:
        return {name: convert(name, plan, item) for name, item in value.items()}
    return convert(parameter.name, plan, value)
