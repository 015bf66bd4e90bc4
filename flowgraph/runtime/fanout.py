"""map, for_each and batch: each item, or each batch, is a step of its own.

Rows. A header says what the items are, where that can be known before they are used (their number and a digest); a
resume with other items is refused. Each item has the rows of a step, under ``name[3]`` or ``name["key"]``. A last row
says that all are done, how many there were, and their keys; with it a replay needs no items, and gives the results in
their order from the items' rows. The last row of a map that failed holds the failures.

Execution. `concurrency` workers take items from one iterator, each performs one item at a time, and waits for its
commit before it takes the next. So memory is bounded by the concurrency and the results, whatever the iterator holds.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Sized
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from flowgraph.errors import InvalidOption, ItemFailure, ItemsChanged, StepError
from flowgraph.model import FanOut, checked_key, failure_of, failure_text, item_path
from flowgraph.model.checkpoint import COMPLETED, FAILED, STARTED
from flowgraph.runtime import attempts, codec, failures
from flowgraph.runtime.calls import Call
from flowgraph.runtime.history import AT_MOST_ONCE, UNSET, Entry
from flowgraph.runtime.tasks import Join

if TYPE_CHECKING:
    from flowgraph.runtime.execution import Execution


class Header(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of the items before they are used; `digest` is None where they have no JSON form.

    `batch_size` is there for a batch: other sizes would give the same numbers to other batches.
    """

    count: int
    digest: str | None
    batch_size: int | None = None


class Summary(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the last row says: how many items there were, and their keys in order, if there are keys."""

    count: int
    keys: list[str] | None = None


class FanOutCall:
    """One call of map, for_each or batch."""

    def __init__(
        self,
        run: Execution,
        path: str,
        handler: Callable[..., Any],
        items: Iterable[Any] | AsyncIterable[Any],
        fan: FanOut,
        options: attempts.Attempting,
    ) -> None:
        self._run = run
        self._path = path
        self._handler = handler
        self._items = items
        self._fan = fan
        self._options = options
        self._annotation = codec.return_annotation(handler) if options.returns is None else options.returns
        self._count = 0
        self._keys: list[str] = []
        self._known_keys: set[str] = set()
        self._failed: dict[int, Entry] = {}
        self._refusal: BaseException | None = None
        self._streamed = not isinstance(items, Sized) or isinstance(items, AsyncIterable)

    async def perform(self) -> None:
        """Perform what is not done yet; the last row is on its way when this returns."""
        run = self._run
        started_us = run.clock.now_us()
        await self._check_header(started_us)
        numbered = _numbered(self._batched())
        size = 1 if self._fan.kind == "batch" else self._fan.concurrency
        if isinstance(self._items, list):
            size = max(1, min(size, len(self._items)))
        await self._work(numbered, size)
        if self._refusal is not None:
            raise self._refusal
        self._check_count()
        if self._failed and self._fan.on_error == "fail":
            failed = sorted(self._failed.items())[: failures.MOST_FAILURES]
            failure = failures.map_failure(
                [(index, self._key_at(index), entry.path, failure_of(entry.payload or "")) for index, entry in failed],
                len(self._failed),
            )
            self._save_last(FAILED, started_us, failure_text(failure))
        else:
            summary = Summary(self._count, self._keys if self._fan.key is not None else None)
            self._save_last(COMPLETED, started_us, msgspec.json.encode(summary).decode())

    def results(self, entry: Entry) -> Any:
        """The results in the order of the items, from the items' rows."""
        if self._fan.kind == "for_each":
            return None
        summary = msgspec.json.decode(entry.payload or "", type=Summary)
        return [self._item_result(index, summary.keys) for index in range(summary.count)]

    # Items ------------------------------------------------------------------------------------------------------------

    async def _check_header(self, started_us: int) -> None:
        """Save what the items are, or compare it with what was saved; an iterator is not looked into."""
        if self._streamed or isinstance(self._items, AsyncIterable):
            return
        self._items = items = list(self._items)
        size = self._fan.batch_size if self._fan.kind == "batch" else None
        header = Header(len(items), _digest(items) if self._fan.key is None else None, size)
        entry = self._run.history.entries.get(self._path)
        if entry is None:
            text = msgspec.json.encode(header).decode()
            await self._run.saved(self._path, self._fan.kind, STARTED, started_us=started_us, payload=text)
            return
        saved = msgspec.json.decode(entry.header or "", type=Header)
        if self._fan.key is None and saved != header:
            raise self._changed(_difference(saved, header))

    def _batched(self) -> Iterable[Any] | AsyncIterable[Any]:
        if self._fan.kind != "batch":
            return self._items
        if isinstance(self._items, AsyncIterable):
            return _async_batches(self._items, self._fan.batch_size)
        return _batches(self._items, self._fan.batch_size)

    def _check_count(self) -> None:
        """Refuse a resume in which items are missing that are done."""
        if self._fan.key is None and not self._failed:
            beyond = item_path(self._path, self._count)
            if beyond in self._run.history.entries:
                noun = "batches" if self._fan.kind == "batch" else "items"
                raise self._changed(f"{self._count} {noun} now, and there were more")

    def _changed(self, detail: str) -> ItemsChanged:
        return ItemsChanged(self._path, detail, self._fan.kind)

    def _key_of(self, item: Any) -> str | None:
        if self._fan.key is None:
            return None
        key = checked_key(str(self._fan.key(item)))
        if key in self._known_keys:
            raise InvalidOption("key", key, f"two items of {self._path!r} have this key; keys are unique")
        self._known_keys.add(key)
        self._keys.append(key)
        return key

    def _key_at(self, index: int) -> str | None:
        return None if self._fan.key is None else self._keys[index]

    # Workers ----------------------------------------------------------------------------------------------------------

    async def _work(self, numbered: AsyncIterator[tuple[int, Any]] | Iterator[tuple[int, Any]], size: int) -> None:
        if size == 1:
            await self._worker(numbered)
            return
        lock = Turn(self._path, self._fan.kind) if isinstance(numbered, AsyncIterator) else None
        run = self._run
        workers = [
            asyncio.Task(self._worker(numbered, lock), loop=run.loop, name=f"{self._path} worker {number}")
            for number in range(size)
        ]
        for worker in workers:
            run.adopt(worker)
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()

    async def _worker(
        self, numbered: AsyncIterator[tuple[int, Any]] | Iterator[tuple[int, Any]], lock: Turn | None = None
    ) -> None:
        worker = asyncio.current_task()
        assert worker is not None
        while not self._stopped():
            if isinstance(numbered, AsyncIterator):
                if lock is None:
                    pair = await anext(numbered, None)
                else:
                    async with lock:
                        pair = None if self._stopped() else await anext(numbered, None)
            else:
                pair = next(numbered, None)
            if pair is None:
                return
            try:
                await self._item(worker, *pair)
            except (InvalidOption, ItemsChanged) as error:
                self._refusal = error

    def _stopped(self) -> bool:
        return self._refusal is not None or (bool(self._failed) and self._fan.on_error == "fail")

    async def _item(self, worker: asyncio.Task[Any], index: int, item: Any) -> None:
        run = self._run
        self._count = max(self._count, index + 1)
        path = item_path(self._path, index, self._key_of(item))
        mark = _digest([item]) if self._streamed and self._fan.key is None else None
        entry = run.history.entries.get(path)
        if entry is None or not entry.finished:
            committed: asyncio.Future[Entry] = run.loop.create_future()

            def then(entry: Entry) -> None:
                if not committed.done():
                    committed.set_result(entry)

            one = attempts.Item(index, mark, then)
            run.bodies[path] = worker
            try:
                await attempts.Attempts(run, path, self._handler, (item,), self._options, self._annotation, one).make()
            finally:
                del run.bodies[path]
            entry = await committed
        elif mark is not None and entry.detail not in (None, mark, AT_MOST_ONCE):
            noun = "batch" if self._fan.kind == "batch" else "item"
            raise self._changed(f"{noun} {index} is another one")
        if entry.state == FAILED:
            self._failed[index] = entry

    def _save_last(self, state: str, started_us: int, payload: str) -> None:
        run = self._run
        call = run.calls.get(self._path)
        if call is not None:
            call.saving = True
        run.save(self._path, self._fan.kind, state, started_us=started_us, payload=payload, then=run.settle)

    def _item_result(self, index: int, keys: list[str] | None) -> Any:
        key = None if keys is None else keys[index]
        entry = self._run.history.entries[item_path(self._path, index, key)]
        if entry.state == FAILED:
            error: StepError = failures.step_error(entry.path, failure_of(entry.payload or ""))
            return ItemFailure(index, key, error)
        copy = entry.copy
        if copy is not UNSET:
            entry.copy = UNSET
            return copy
        try:
            return codec.load(entry.payload or "null", self._annotation)
        except codec.Unfit as unfit:
            raise self._run.pause_incompatible(entry.path, f"its saved result does not fit: {unfit.reason}") from None


def _difference(saved: Header, header: Header) -> str:
    if saved.count != header.count:
        return f"{saved.count} items then, {header.count} now"
    if saved.batch_size != header.batch_size:
        return f"batches of {saved.batch_size} then, of {header.batch_size} now"
    return "same number"


class Turn:
    """A lock around an async iterator that the run knows of, so that it can suspend while the iterator waits."""

    def __init__(self, path: str, kind: str) -> None:
        self._call = Call(path, kind)
        self._queue: deque[tuple[Join, asyncio.Task[Any]]] = deque()

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._call.task is None:
            self._call.task = task
            return
        join = Join()
        join.call = self._call
        self._queue.append((join, task))
        try:
            await join
        except BaseException:
            if join.done() and not join.cancelled():  # It was this one's turn already.
                self._hand_on()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._hand_on()

    def _hand_on(self) -> None:
        self._call.task = None
        while self._queue and self._call.task is None:
            join, task = self._queue.popleft()
            if not join.done():
                self._call.task = task
                join.set_result(None)


def _numbered(
    items: Iterable[Any] | AsyncIterable[Any],
) -> AsyncIterator[tuple[int, Any]] | Iterator[tuple[int, Any]]:
    return _async_numbered(items) if isinstance(items, AsyncIterable) else enumerate(items)


async def _async_numbered(items: AsyncIterable[Any]) -> AsyncIterator[tuple[int, Any]]:
    index = 0
    async for item in items:
        yield index, item
        index += 1


def _batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    iterator = iter(items)
    return iter(lambda: list(islice(iterator, size)), [])


async def _async_batches(items: AsyncIterable[Any], size: int) -> AsyncIterator[list[Any]]:
    batch: list[Any] = []
    async for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _digest(items: Iterable[Any]) -> str | None:
    """A digest of the items' JSON forms; None where an item has none, and only the number is compared."""
    digest = hashlib.blake2b(digest_size=12)
    try:
        for item in items:
            digest.update(codec.dump(item)[0].encode())
            digest.update(b"\n")
    except codec.Unsaveable:
        return None
    return digest.hexdigest()
