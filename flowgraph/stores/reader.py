"""The thread that answers questions, over a connection of its own, so that a long answer does not hold up commits."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

from flowgraph.model.store import Question, Store
from flowgraph.stores.writer import Answered, asked

Inquiry = tuple[Question, Answered]

MAX_ANSWERS = 64
"""Questions answered before the loop is told."""


class Reader:
    """Answers questions in order; the thread starts with the first."""

    def __init__(self, store: Store, deliver: Callable[[Sequence[Inquiry], list[Any]], None]) -> None:
        self._store = store
        self._deliver = deliver
        self._queue: queue.SimpleQueue[Inquiry | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def put(self, entry: Inquiry) -> None:
        """Queue a question."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="flowgraph-questions", daemon=True)
            self._thread.start()
        self._queue.put(entry)

    def close(self) -> None:
        """Answer what is queued, and wait for the thread to end."""
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            entries = self._receive()
            if not entries:
                return
            self._deliver(entries, [asked(self._store, item) for item, _ in entries])

    def _receive(self) -> list[Inquiry]:
        """All that is there, up to the end; nothing at the end."""
        entry = self._queue.get()
        entries: list[Inquiry] = []
        try:
            while entry is not None:
                entries.append(entry)
                if len(entries) == MAX_ANSWERS:
                    return entries
                entry = self._queue.get_nowait()
            if entries:
                self._queue.put(None)
        except queue.Empty:
            pass
        return entries
