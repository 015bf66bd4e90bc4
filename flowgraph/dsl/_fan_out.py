"""Many steps from one call: map, for_each and batch."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, Literal, TypeVar, Unpack, overload

from flowgraph.dsl._calls import call_text, entered
from flowgraph.dsl._handlers import check_executor, check_handler, is_async
from flowgraph.dsl._options import StepOptionsDict, step_options
from flowgraph.errors import DefinitionError, InvalidOption, ItemFailure
from flowgraph.model import FanOut, count

A = TypeVar("A")
B = TypeVar("B")
Items = Iterable[A] | AsyncIterable[A]
OnError = Literal["fail", "collect"]

_OWN_OPTIONS = {
    "map": ("concurrency", "key", "on_error"),
    "for_each": ("concurrency", "key", "on_error"),
    "batch": ("batch_size", "on_error"),
}


class FanOutCalls:
    """The part of `step` about many items."""

    __slots__ = ()

    @overload
    def map(
        self,
        name: str,
        handler: Callable[[A], Awaitable[B]],
        items: Items[A],
        *,
        concurrency: int = 10,
        key: Callable[[A], object] | None = None,
        on_error: Literal["fail"] = "fail",
        **options: Unpack[StepOptionsDict],
    ) -> Coroutine[object, None, list[B]]: ...
    @overload
    def map(
        self,
        name: str,
        handler: Callable[[A], B],
        items: Items[A],
        *,
        concurrency: int = 10,
        key: Callable[[A], object] | None = None,
        on_error: Literal["fail"] = "fail",
        **options: Unpack[StepOptionsDict],
    ) -> Coroutine[object, None, list[B]]: ...
    @overload
    def map(
        self,
        name: str,
        handler: Callable[[A], Awaitable[B]],
        items: Items[A],
        *,
        concurrency: int = 10,
        key: Callable[[A], object] | None = None,
        on_error: OnError,
        **options: Unpack[StepOptionsDict],
    ) -> Coroutine[object, None, list[B | ItemFailure]]: ...
    @overload
    def map(
        self,
        name: str,
        handler: Callable[[A], B],
        items: Items[A],
        *,
        concurrency: int = 10,
        key: Callable[[A], object] | None = None,
        on_error: OnError,
        **options: Unpack[StepOptionsDict],
    ) -> Coroutine[object, None, list[B | ItemFailure]]: ...
    def map(
        self,
        name: str,
        handler: Callable[[Any], Any],
        items: Items[Any],
        *,
        concurrency: int = 10,
        key: Callable[[Any], object] | None = None,
        on_error: OnError = "fail",
        **options: Any,
    ) -> Coroutine[object, None, list[Any]]:
        """Call `handler` with each item, each as a step of its own, and return the results in the order of the items.

        Args:
            name: the name; an item's step is ``name[3]``, or ``name["user-7"]`` with `key`.
            handler: a function of one item, async or plain.
            items: an iterable or an async iterable; it is read no faster than the items are worked on.
            concurrency: how many items are worked on at once.
            key: gives each item an identity that stays when other items come or go; unique as text. Without it the
                index is the identity, and other items on a resume are an error.
            on_error: "fail" starts no further item after the first that fails for good, and raises MapFailed;
                "collect" puts an ItemFailure in the place of the result.
            **options: the options of a step, for each item.

        Raises:
            MapFailed: items failed for good.
            ItemsChanged: the items differ from those with which the run began.

        Example:
            users = await step.map("fetch-users", fetch_user, ids, concurrency=20, key=str)
        """
        return _fanned(name, handler, items, FanOut("map", concurrency, key=key, on_error=on_error), options)

    def for_each(
        self,
        name: str,
        handler: Callable[[A], object],
        items: Items[A],
        *,
        concurrency: int = 10,
        key: Callable[[A], object] | None = None,
        on_error: OnError = "fail",
        **options: Unpack[StepOptionsDict],
    ) -> Coroutine[object, None, None]:
        """Like `map`, without results, so that memory stays bounded by `concurrency`.

        With ``on_error="collect"`` failures stay in the run's record and nothing is raised.

        Example:
            await step.for_each("notify", notify, users, concurrency=50)
        """
        return _fanned(name, handler, items, FanOut("for_each", concurrency, key=key, on_error=on_error), options)

    @overload
    def batch(
        self,
        name: str,
        handler: Callable[[list[A]], Awaitable[B]],
        items: Items[A],
        *,
        batch_size: int = 20,
        on_error: Literal["fail"] = "fail",
        **options: Unpack[StepOptionsDict],
    ) -> Coroutine[object, None, list[B]]: ...
    @overload
    def batch(
        self,
        name: str,
        handler: Callable[[list[A]], B],
        items: Items[A],
        *,
        batch_size: int = 20,
        on_error: Literal["fail"] = "fail",
        **options: Unpack[StepOptionsDict],
    ) -> Coroutine[object, None, list[B]]: ...
    @overload
    def batch(
        self,
        name: str,
        handler: Callable[[list[A]], Awaitable[B]],
        items: Items[A],
        *,
        batch_size: int = 20,
        on_error: OnError,
        **options: Unpack[StepOptionsDict],
    ) -> Coroutine[object, None, list[B | ItemFailure]]: ...
    @overload
    def batch(
        self,
        name: str,
        handler: Callable[[list[A]], B],
        items: Items[A],
        *,
        batch_size: int = 20,
        on_error: OnError,
        **options: Unpack[StepOptionsDict],
    ) -> Coroutine[object, None, list[B | ItemFailure]]: ...
    def batch(
        self,
        name: str,
        handler: Callable[[list[Any]], Any],
        items: Items[Any],
        *,
        batch_size: int = 20,
        on_error: OnError = "fail",
        **options: Any,
    ) -> Coroutine[object, None, list[Any]]:
        """Call `handler` with one list of items after the other, each list as a step; return one result per list.

        Args:
            name: the name; a batch's step is ``name[number]``, from 0, which is also `step.info().index`.
            handler: a function of a list of items, async or plain.
            items: an iterable or an async iterable.
            batch_size: how many items a list has; the last one may have fewer.
            on_error: as for `map`.
            **options: the options of a step, for each batch.

        Raises:
            MapFailed: a batch failed for good.
            ItemsChanged: the items differ from those with which the run began.

        Example:
            counts = await step.batch("insert", insert_rows, rows, batch_size=500)
        """
        return _fanned(name, handler, items, FanOut("batch", 1, batch_size, on_error=on_error), options)


def _fanned(
    name: object, handler: Callable[..., Any], items: Items[Any], fan: FanOut, options: Mapping[str, Any]
) -> Coroutine[object, None, Any]:
    call = call_text(fan.kind, name)
    check_handler(call, handler)
    _check_items(call, items)
    checked = step_options(call, options, _OWN_OPTIONS[fan.kind])
    check_executor(handler, checked.executor)
    _check_fan_out(fan)
    scope, name = entered(fan.kind, name)
    return scope.fan_out(name, handler, items, fan, checked)


def _check_fan_out(fan: FanOut) -> None:
    count(fan.concurrency, "concurrency")
    count(fan.batch_size, "batch_size")
    if fan.on_error not in ("fail", "collect"):
        raise InvalidOption("on_error", fan.on_error, 'it is "fail" or "collect"')
    if fan.key is None:
        return
    if not callable(fan.key):
        raise InvalidOption("key", fan.key, f"it is a function of one item, not {type(fan.key).__name__}")
    if is_async(fan.key):
        raise InvalidOption("key", fan.key, "it is a plain function of one item, not an async one")


def _check_items(call: str, items: object) -> None:
    if isinstance(items, str | bytes | bytearray):
        raise DefinitionError(
            f"{call} got a {type(items).__name__} as its items, and would go through it character by character. "
            f"Pass a list, or list(…) if that is what you mean."
        )
    if isinstance(items, Iterable | AsyncIterable) or hasattr(type(items), "__getitem__"):
        return
    hint = "Pass an iterable or an async iterable."
    if inspect.iscoroutine(items):
        if inspect.getcoroutinestate(items) == inspect.CORO_CREATED:
            items.close()
        hint = f"Await it first: items = await {items.__name__}(…)."
    elif inspect.isgeneratorfunction(items) or inspect.isasyncgenfunction(items):
        hint = f"Call it: {items.__name__}(…)."
    raise DefinitionError(f"{call} got items of type {type(items).__name__}, which cannot be iterated over. {hint}")
