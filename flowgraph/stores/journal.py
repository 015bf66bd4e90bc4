"""The journal: it owns a store's write connection, and turns commands into group commits.

Theory of operation. The loop collects the commands that are submitted in one of its iterations and hands them over at
the end of it. A thread (`writer.py`) takes all that is there, applies it as one transaction, commits, and hands all
answers back in one call. So a run pays one sync for a step, and a thousand runs share it. A command that comes alone
while the thread has nothing to do is committed on the loop itself where that is shorter than two changes of threads:
with relaxed durability always, synced as long as syncs are quick. There it never waits: a busy store sends it to the
thread. Questions are answered from what is committed, by a thread of their own (`reader.py`); a store that only this
process can see has one connection, and its questions take their turn among the commands.

Order. Commands are committed, and answered, in the order of their submission: the loop commits only when everything
before is answered. A question is asked when every command submitted before it is answered, so it sees them.

Crash points. Before a commit nothing of its batch is there, after it everything; a caller that has no answer yet knows
neither, and finds out by asking. A batch whose commit failed is not there: SQLite has rolled it back, or it is rolled
back before anything else. Nothing is answered before its commit.

Errors. While the store is unavailable a batch is tried again, for half a minute; then each of its commands is answered
with the error. A command that the store cannot take is answered with a StoreError, and its batch goes on without it.
"""

from __future__ import annotations

import asyncio
import atexit
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Literal

from flowgraph.errors import StoreError
from flowgraph.model.store import Claim, Command, Finish, Note, Question, Release, Save, Send, Start, Store, Suspend
from flowgraph.stores.reader import Inquiry, Reader
from flowgraph.stores.writer import Answered, Duty, Entry, Writer, asked

Durability = Literal["full", "relaxed"]

_PAYLOADS: dict[type[Command], Callable[[Any], str | None]] = {
    Start: lambda command: command.input,
    Save: lambda command: command.row.payload,
    Finish: lambda command: command.output,
    Send: lambda command: command.payload,
    Claim: lambda _: None,
    Note: lambda _: None,
    Release: lambda _: None,
    Suspend: lambda _: None,
}
"""The commands that are short enough for the loop, and what can be long in them."""

_LONG_PAYLOAD = 64_000

_EXIT_S = 5.0
"""How long the end of the interpreter waits for what is queued."""


class Journal:
    """Group commits for one event loop; `open` makes one."""

    fault: Callable[[str, int], None] | None = None
    """For crash injection: called as ("before-commit" or "after-commit", number from 1) around commits that write."""

    def __init__(self, store: Store, durability: Durability) -> None:
        self.store = store
        self._loop = asyncio.get_running_loop()
        self._collected: list[Entry] = []
        self._handed = 0
        self._closed = False
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._writer = Writer(store, full=durability == "full", deliver=self._deliver, trip=_trip)
        self._reader = Reader(store, self._deliver_answers) if store.shared else None

    @classmethod
    async def open(
        cls,
        store: Store,
        *,
        durability: Durability = "full",
        on_change: Callable[[], None] | None = None,
        poll_s: float = 0.2,
    ) -> Journal:
        """Open the store and start the thread.

        `durability` says whether every commit is synced ("full"), or only what is acknowledged to the outside
        ("relaxed"). `on_change` is called on the loop when other processes have committed, at most every `poll_s`.
        """
        if durability not in ("full", "relaxed"):
            raise StoreError(f"durability={durability!r}: it is 'full' or 'relaxed'.")
        journal = cls(store, durability)
        await journal._start()
        if store.shared and on_change is not None:
            journal._poll(on_change, poll_s)
        return journal

    @property
    def pending(self) -> int:
        """How many commands have no answer yet."""
        return len(self._collected) + self._handed

    def submit(self, command: Command, then: Answered, *, at_once: bool = False) -> None:
        """Queue a command; `then` gets the answer, on the loop. A StoreError is the answer where it was not applied.

        With `at_once` the command is committed, and answered, before this returns, where nothing else could share the
        commit: nothing is under way, and the loop has nothing else to do in this round.
        """
        if not (at_once and self._is_idle() and self._settled_here(command, then)):
            self._enter(command, then)

    async def commit(self, command: Command) -> Any:
        """Apply a command and return its answer. Cancelling the caller does not take the command back."""
        return await self._answer_to(command, self._enter)

    async def ask(self, question: Question) -> Any:
        """Answer a question from what is committed, including every command submitted before it."""
        if self._reader is None:
            return await self._answer_to(question, self._enter)
        if self.pending:
            await self._answer_to(None, self._enter)
        return await self._answer_to(question, self._inquire)

    def start_beating(self, make: Callable[[], Command], every_s: float, then: Answered | None = None) -> None:
        """Let the thread make and apply a command every `every_s`, also while user code blocks the loop.

        `make` is called in the thread; `then`, on the loop, gets each answer.
        """

        def beat() -> None:
            self._deliver_beat(then, self._writer.apply([make()], patient=True)[0])

        self._writer.add(Duty("send a heartbeat", every_s, beat))

    async def close(self) -> None:
        """Apply what is queued, then close the store."""
        if not self._closed:
            self._closed = True
            self._hand_over_rest()
            self._writer.stop()
        await asyncio.shield(self._ended)
        _open_journals.discard(self)

    # Within -----------------------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        opened: asyncio.Future[None] = self._loop.create_future()
        self._writer.start(lambda error: self._call(_resolve, opened, error), self._close_store)
        _open_journals.add(self)
        try:
            await opened
        except BaseException:
            self._writer.stop()
            raise

    def _poll(self, on_change: Callable[[], None], poll_s: float) -> None:
        def look() -> None:
            if self.store.changed():
                self._call(on_change)

        self._writer.add(Duty("look for changes", poll_s, look))

    def _answer_to(self, item: Any, enter: Callable[[Any, Answered], None]) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self._loop.create_future()
        enter(item, lambda answer: _resolve(future, answer))
        return future

    def _enter(self, item: Command | Question | None, then: Answered) -> None:
        if self._closed:
            self._refuse(then)
            return
        self._collected.append((item, then))
        if len(self._collected) == 1:
            self._loop.call_soon(self._hand_over)

    def _inquire(self, question: Question, then: Answered) -> None:
        assert self._reader is not None
        if self._closed:
            self._refuse(then)
        else:
            self._reader.put((question, then))

    def _is_idle(self) -> bool:
        if self._collected or self._handed or self._closed:
            return False
        ready = getattr(self._loop, "_ready", None)  # A loop of another make does not show what it has to do.
        return ready is not None and not ready

    def _refuse(self, then: Answered) -> None:
        self._loop.call_soon(self._tell, then, StoreError("The journal is closed."))

    def _hand_over(self) -> None:
        """Settle a lone entry here where that is quicker, else give what was collected to the thread."""
        entries, self._collected = self._collected, []
        if not entries or (len(entries) == 1 and not self._handed and self._settled_here(*entries[0])):
            return
        self._handed += len(entries)
        self._writer.put(entries)

    def _settled_here(self, item: Command | Question | None, then: Answered) -> bool:
        if not self._fits_here(item) or not self._writer.lock.acquire(blocking=False):
            return False
        try:
            if isinstance(item, Command):
                [answer] = self._writer.apply((item,), patient=False)
            else:
                answer = None if item is None else asked(self.store, item)
        except Exception:  # noqa: BLE001 - whatever it is, the thread has the time to try again and to say what is wrong
            return False
        finally:
            self._writer.lock.release()
        if self._writer.wants_tending():
            self._writer.put(())
        self._tell(then, answer)
        return True

    def _fits_here(self, item: Command | Question | None) -> bool:
        """Tell whether something is short enough to be waited for on the loop."""
        if not isinstance(item, Command):
            return True
        payload = _PAYLOADS.get(type(item))
        if payload is None or len(payload(item) or "") > _LONG_PAYLOAD:
            return False
        return not self._writer.is_synced((item,)) or self._writer.syncs.are_quick()

    # From the threads -------------------------------------------------------------------------------------------------

    def _deliver(self, entries: Sequence[Entry], answers: list[Any]) -> None:
        self._call(self._receive, entries, answers)

    def _deliver_answers(self, entries: Sequence[Inquiry], answers: list[Any]) -> None:
        self._call(self._tell_all, entries, answers)

    def _deliver_beat(self, then: Answered | None, answer: Any) -> None:
        if then is not None:
            self._call(self._tell, then, answer)

    def _call(self, function: Callable[..., None], *values: Any) -> None:
        """Call something on the loop; where the loop is closed nobody waits for it any more."""
        try:
            self._loop.call_soon_threadsafe(function, *values)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    def _receive(self, entries: Sequence[Entry], answers: list[Any]) -> None:
        self._handed -= len(entries)
        self._tell_all(entries, answers)

    def _tell_all(self, entries: Sequence[Entry | Inquiry], answers: list[Any]) -> None:
        for (_, then), answer in zip(entries, answers, strict=True):
            self._tell(then, answer)

    def _tell(self, then: Answered, answer: Any) -> None:
        try:
            then(answer)
        except Exception as error:  # noqa: BLE001 - the others are to get their answers
            self._loop.call_exception_handler({"message": "A journal's answer was not taken", "exception": error})

    # Ending -----------------------------------------------------------------------------------------------------------

    def _hand_over_rest(self) -> None:
        if self._collected:
            self._handed += len(self._collected)
            self._writer.put(self._collected)
            self._collected = []

    def _close_store(self) -> None:
        """In the thread, at its end: the questions are answered first."""
        try:
            if self._reader is not None:
                self._reader.close()
            self.store.close()
        finally:
            self._call(_resolve, self._ended, None)

    def _end(self) -> None:
        """At the end of the interpreter: keep what was submitted, where that is quick."""
        self._hand_over_rest()
        self._writer.stop()
        self._writer.join(_EXIT_S)


_open_journals: weakref.WeakSet[Journal] = weakref.WeakSet()


@atexit.register
def _end_journals() -> None:
    for journal in list(_open_journals):
        journal._end()


def _trip(where: str, number: int) -> None:
    if Journal.fault is not None:
        Journal.fault(where, number)


def _resolve(future: asyncio.Future[Any], answer: Any) -> None:
    """Give a future its answer; an error that many get is copied, since each raise adds to its traceback."""
    if future.done():
        return
    if isinstance(answer, Exception):
        error = type(answer)(*answer.args)
        error.__cause__ = answer.__cause__
        future.set_exception(error)
    else:
        future.set_result(answer)
