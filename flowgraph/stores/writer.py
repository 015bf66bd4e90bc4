"""The journal's thread: it takes all that is queued, applies it as one transaction, and hands the answers to the loop.

Besides, it does what has to happen whether or not the loop is free: heartbeats, looking for what others have
committed, moving the write-ahead log. `lock` is held while the store is in use, by this thread or by the loop, so that
the loop can tell whether the store is free without waiting.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from flowgraph.errors import StoreError, StoreUnavailable
from flowgraph.model.store import Cancel, Command, Question, Send, Start, Store

Answered = Callable[[Any], None]
Entry = tuple[Command | Question | None, Answered]
"""What is to be done (nothing, for an entry that only waits for its turn), and who wants to know the answer."""

MAX_BATCH = 1_000
"""Beyond so many commands a batch gains nothing, and the first of them wait for the last."""

TEND_EVERY = 250
"""After so many commands the store is asked to tend itself."""

GIVE_UP_S = 30.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 2.0

AGAIN_S = 1.0
"""After this time at most, a duty that could not be done is tried again."""

QUICK_SYNC_S = 0.001
_SYNC_DECAY = 0.9

_log = logging.getLogger("flowgraph.stores")


class Writer:
    """Applies entries to a store, in order.

    `deliver` gets entries and their answers; `trip` is told before and after each commit that writes.
    """

    def __init__(
        self,
        store: Store,
        *,
        full: bool,
        deliver: Callable[[Sequence[Entry], list[Any]], None],
        trip: Callable[[str, int], None],
    ) -> None:
        self.lock = threading.Lock()
        self._store = store
        self._full = full
        self._deliver = deliver
        self._trip = trip
        self._commits = 0
        self._untended = 0
        self._queue: queue.SimpleQueue[Sequence[Entry] | None] = queue.SimpleQueue()
        self._backlog: deque[Entry] = deque()
        self._stopping = False
        self.syncs = Syncs()
        self._duties: list[Duty] = []
        self._thread: threading.Thread | None = None

    # Called from the loop ---------------------------------------------------------------------------------------------

    def start(self, opened: Answered, closed: Callable[[], None]) -> None:
        """Open the store in the thread. There, `opened` gets None or the error; `closed` is called at the end."""
        self._thread = threading.Thread(target=self._run, args=(opened, closed), name="flowgraph-journal", daemon=True)
        self._thread.start()

    def put(self, entries: Sequence[Entry]) -> None:
        """Queue entries; an empty list only wakes the thread."""
        self._queue.put(entries)

    def stop(self) -> None:
        """Let the thread end when it has applied what is queued."""
        self._queue.put(None)

    def join(self, timeout_s: float) -> None:
        """Wait for the thread to end."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def add(self, duty: Duty) -> None:
        """Let the thread do something again and again."""
        self._duties.append(duty)
        self.put(())

    def is_synced(self, commands: Sequence[Command | Question | None]) -> bool:
        """Tell whether a batch has to be on disk before it is answered."""
        return self._full or any(map(is_acknowledged, commands))

    def wants_tending(self) -> bool:
        """Tell whether so much was applied that the store should be tended."""
        return self._untended >= TEND_EVERY

    def apply(self, commands: Sequence[Command], *, patient: bool) -> list[Any]:
        """Apply commands under the lock, and measure how long a sync takes."""
        synced = self.is_synced(commands)
        self._untended += len(commands)
        self._trip("before-commit", self._commits + 1)
        began = time.perf_counter()
        answers = self._store.apply(commands, synced=synced, patient=patient)
        if synced:
            self.syncs.note(time.perf_counter() - began)
        if self._store.wrote:
            self._commits += 1
            self._trip("after-commit", self._commits)
        return answers

    # The thread -------------------------------------------------------------------------------------------------------

    def _run(self, opened: Answered, closed: Callable[[], None]) -> None:
        try:
            with self.lock:
                self._store.open()
        except Exception as error:  # noqa: BLE001 - whoever opens the journal gets it
            opened(as_store_error(error))
            return
        opened(None)
        while not self._stopping or self._backlog:
            self._receive()
            entries = [self._backlog.popleft() for _ in range(min(len(self._backlog), MAX_BATCH))]
            if entries:
                with self.lock:
                    answers = self._settled(entries)
                self._deliver(entries, answers)  # Without the lock: whoever is answered may want the store at once.
            self._attend()
        closed()

    def _receive(self) -> None:
        """Wait until there is something to do, and take all that is there."""
        try:
            self._accept(self._queue.get(timeout=self._until_duty_s()))
            while len(self._backlog) < MAX_BATCH:
                self._accept(self._queue.get_nowait())
        except queue.Empty:
            pass

    def _until_duty_s(self) -> float | None:
        if self._backlog or self._stopping:
            return 0.0
        now = time.monotonic()
        return min((max(duty.due_s - now, 0.0) for duty in self._duties), default=None)

    def _accept(self, entries: Sequence[Entry] | None) -> None:
        if entries is None:
            self._stopping = True
        else:
            self._backlog.extend(entries)

    def _settled(self, entries: Sequence[Entry]) -> list[Any]:
        """The answers to entries; whatever happens, there are some, since somebody waits for each."""
        try:
            return self._settle([item for item, _ in entries])
        except BaseException as error:  # noqa: BLE001 - this thread must go on
            _log.exception("The journal could not apply a batch")
            failure = StoreError(f"The store failed in an unexpected way: {type(error).__name__}: {error}.")
            return [failure] * len(entries)

    def _settle(self, items: Sequence[Command | Question | None]) -> list[Any]:
        """Answer commands and questions in order; the commands between two questions are one transaction."""
        answers: list[Any] = []
        commands: list[Command | None] = []
        for item in items:
            if isinstance(item, Question):
                answers += self._commit_some(commands)
                answers.append(asked(self._store, item))
                commands = []
            else:
                commands.append(item)
        return answers + self._commit_some(commands)

    def _commit_some(self, items: Sequence[Command | None]) -> list[Any]:
        """Commit what is a command; what only waits for its turn does not cut the transaction in two."""
        answers = iter(self._commit([item for item in items if item is not None]))
        return [None if item is None else next(answers) for item in items]

    def _commit(self, commands: list[Command]) -> list[Any]:
        """Apply commands, again and again while the store is unavailable; an error is the answer of all of them."""
        give_up_s, pause_s = time.monotonic() + GIVE_UP_S, FIRST_PAUSE_S
        while commands:
            try:
                return self.apply(commands, patient=True)
            except StoreUnavailable as error:
                if time.monotonic() + pause_s > give_up_s:
                    return [error] * len(commands)
            except StoreError as error:
                return [error] * len(commands)
            except Exception as error:  # noqa: BLE001 - a bug in the store must not take the thread down
                return self._apart(commands, error)
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        return []

    def _apart(self, commands: list[Command], error: Exception) -> list[Any]:
        """After an error that should not be, find the command that it comes from."""
        if len(commands) > 1:
            return [answer for command in commands for answer in self._commit([command])]
        _log.error("%s could not be applied", type(commands[0]).__name__, exc_info=error)
        return [as_store_error(error)]

    def _attend(self) -> None:
        for duty in self._duties:
            if duty.due_s <= time.monotonic():
                with self.lock:
                    done = _done(duty.purpose, duty.perform)
                duty.due_s = time.monotonic() + (duty.every_s if done else min(duty.every_s, AGAIN_S))
        if self.wants_tending():
            self._untended = 0
            with self.lock:
                _done("tend the store", self._store.tend)


class Syncs:
    """How long syncs have taken lately: a maximum that fades, so that one slow sync counts for the next ones."""

    def __init__(self) -> None:
        self._peak_s = 2 * QUICK_SYNC_S

    def note(self, took_s: float) -> None:
        """Count one sync."""
        self._peak_s = max(took_s, self._peak_s * _SYNC_DECAY)

    def are_quick(self) -> bool:
        """Tell whether the loop can wait for one."""
        return self._peak_s < QUICK_SYNC_S


class Duty:
    """Something that the thread does every `every_s` seconds; `purpose` says what, as in "could not …"."""

    def __init__(self, purpose: str, every_s: float, perform: Callable[[], None]) -> None:
        self.purpose = purpose
        self.every_s = every_s
        self.perform = perform
        self.due_s = time.monotonic() + every_s


def asked(store: Store, question: Question) -> Any:
    """The answer to a question; an error is an answer too."""
    try:
        return store.ask(question)
    except Exception as error:  # noqa: BLE001 - whoever asks gets it
        return as_store_error(error)


def as_store_error(error: Exception) -> StoreError:
    """An error as the journal answers it."""
    if isinstance(error, StoreError):
        return error
    wrapped = StoreError(f"The store failed in an unexpected way: {type(error).__name__}: {error}.")
    wrapped.__cause__ = error
    return wrapped


def is_acknowledged(command: object) -> bool:
    """Tell whether somebody outside relies on a command from its answer on: it is synced whatever the durability."""
    if isinstance(command, Start):
        return command.parent_no is None
    return isinstance(command, Send | Cancel)


def _done(purpose: str, perform: Callable[[], None]) -> bool:
    try:
        perform()
    except StoreError as error:
        _log.warning("The journal could not %s: %s", purpose, error)
    except Exception:  # noqa: BLE001 - nor a bug in a heartbeat
        _log.exception("The journal could not %s", purpose)
    else:
        return True
    return False
