"""A run's history, folded: what is known of each path.

Rows are added in the order of their commits, when a run is claimed and then as the run's own rows are committed, by
the same code, so that a replay knows exactly what the first execution knew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flowgraph.model import Checkpoint, parent_path
from flowgraph.model.checkpoint import (
    CANCELLED,
    COMPLETED,
    FAILED,
    FAN_OUTS,
    MAX_SEQUENCE,
    PROGRESS,
    RETRYING,
    STARTED,
)

UNSET = object()


class Entry:
    """The last state of one path.

    `copy` is the decoded result on its way to the first caller; `header` says what the items of a map are.
    """

    __slots__ = (
        "attempt",
        "copy",
        "detail",
        "due_us",
        "header",
        "kind",
        "path",
        "payload",
        "sequence",
        "started_us",
        "state",
    )

    def __init__(self, row: Checkpoint) -> None:
        self.path = row.path
        self.kind = row.kind
        self.started_us = row.started_us
        self.copy: object = UNSET
        self.header: str | None = None
        self.update(row)

    def update(self, row: Checkpoint) -> None:
        self.state = row.state
        self.attempt = row.attempt
        self.payload = row.payload
        self.due_us = row.due_us
        if row.state == STARTED and row.kind in FAN_OUTS:
            self.header = row.payload
        self.detail = row.detail
        self.sequence = row.id & MAX_SEQUENCE

    @property
    def finished(self) -> bool:
        return self.state in {COMPLETED, FAILED}


class History:
    """The entries of a run by path, and the number of its last row."""

    def __init__(self, rows: Iterable[Checkpoint] = ()) -> None:
        self.entries: dict[str, Entry] = {}
        self.sequence = 0
        self.executed_us = 0
        self.progress: dict[str, list[str]] = {}
        """The reports of each progress message in order: a name space of its own."""
        self.generations: dict[str, int] = {}
        """How often a failure of a path was forgotten."""
        self._failed_below: dict[str, set[str]] = {}
        for row in rows:
            self.add(row)
            self.executed_us = row.executed_us

    def add(self, row: Checkpoint) -> Entry:
        """Take a committed row in. A failed attempt forgets the failures below it, never the successes."""
        if row.kind == PROGRESS:
            self.progress.setdefault(row.path, []).append(row.payload or "")
            self.sequence = max(self.sequence, row.id & MAX_SEQUENCE)
            return Entry(row)
        entry = self.entries.get(row.path)
        if entry is None:
            entry = self.entries[row.path] = Entry(row)
        else:
            entry.update(row)
        self.sequence = max(self.sequence, entry.sequence)
        if row.state in {FAILED, RETRYING}:
            self._note_failure(row)
        elif row.state == CANCELLED:
            del self.entries[row.path]
        return entry

    def _note_failure(self, row: Checkpoint) -> None:
        if row.state == RETRYING:
            for path in self._failed_below.pop(row.path, ()):
                below = self.entries.get(path)
                if below is not None and below.state in {FAILED, RETRYING} and below.detail != AT_MOST_ONCE:
                    self._forget(below)
        for ancestor in ancestors(row.path):
            self._failed_below.setdefault(ancestor, set()).add(row.path)

    def _forget(self, entry: Entry) -> None:
        """Let a failure count no longer. What the items of a map are stays, since results of them do."""
        self.generations[entry.path] = self.generations.get(entry.path, 0) + 1
        if entry.header is None:
            del self.entries[entry.path]
        else:
            entry.state = STARTED
            entry.payload = entry.header


AT_MOST_ONCE = "at most once"
SUSPENDED = "suspended"
"""The detail of a row that says when a suspended attempt times out."""


def ancestors(path: str) -> Iterator[str]:
    """The paths that hold `path`, from the nearest outwards.

    >>> list(ancestors("a/m[3]/c"))
    ['a/m[3]', 'a/m', 'a']
    """
    while path := parent_path(path):
        yield path
