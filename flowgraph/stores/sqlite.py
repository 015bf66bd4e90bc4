"""SQLite: the driver, and what is special to a store in a file or in memory.

A file has two connections: one that writes, and one that answers questions from what is committed, so that a long
answer does not hold up commits. It uses a write-ahead log: a commit appends to it, and is on disk when that is synced;
the log is moved into the file by `tend`, never by a commit. A store in memory has one connection.
"""

from __future__ import annotations

import itertools
import os
import re
import sqlite3
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from flowgraph.errors import StoreError, StoreUnavailable
from flowgraph.model.store import Question, WorkerRow
from flowgraph.stores.driver import Unfit, read_sql
from flowgraph.stores.locks import FileLocks, this_host
from flowgraph.stores.mounts import network_file_system
from flowgraph.stores.schema import migrate
from flowgraph.stores.sql import SqlStore

PATIENCE_S = 5.0
"""How long a patient call waits while another process writes."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.0002, 0.005

LEAST_VERSION = (3, 35)
"""The first that knows RETURNING."""

PAGE_BYTES = 8192
"""Seven rows of 1 KB fit into it (1,170 bytes each). Into 4,096 go three (1,365 bytes); a commit of one row is then a
sixth faster without a sync, and the same with one. 16,384 is no smaller, and slower."""

_TEND_SYNCED = 250
"""After so many synced commits the log is moved into the file. Syncing what was appended to a log costs a fifth more
than syncing what was written over its old content, so a log that is synced often is kept short."""

_LOOK_AGAIN_S = 0.02
_TEND_CHANGES = 4_000
_TEND_BYTES = 16 << 20
"""A log that is not synced may grow longer: moving it costs two syncs."""

_values = re.compile(r"(?<=\bVALUES )\([^()]*\)")
_parameter = re.compile(r":\w+")
_memory_numbers = itertools.count(1)


class Connection:
    """A connection to SQLite, as the store logic wants it (`Driver`)."""

    def __init__(self, path: Path | None, *, reads_only: bool = False) -> None:
        self._path = path
        self._synced: bool | None = None
        self.synced_commits = 0
        try:
            self._connection = sqlite3.connect(
                ":memory:" if path is None else path,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
                timeout=PATIENCE_S if reads_only else 0,
            )
        except sqlite3.Error as error:
            raise explained(error, path) from error
        self._cursor = self._connection.cursor()
        self._texts = _texts()
        if reads_only:
            self.run("PRAGMA query_only = 1")

    def begin(self, *, synced: bool, patient: bool) -> None:
        """Begin a write transaction: the lock is taken now, so that nothing later finds the store busy."""
        self.rollback()  # A transaction is open here only where the disk failed so badly that its end failed too.
        if synced is not self._synced:
            self.run(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}")
            self._synced = synced
        if patient:
            self._begin_in_time()
        else:
            self.run("BEGIN IMMEDIATE")

    def _begin_in_time(self) -> None:
        """Try again and again: SQLite's own pauses, of up to 100 ms, let a writer starve beside busy ones."""
        give_up_s, pause_s = time.monotonic() + PATIENCE_S, _FIRST_PAUSE_S
        while True:
            try:
                return self.run("BEGIN IMMEDIATE")
            except StoreUnavailable:
                if time.monotonic() > give_up_s:
                    raise
            time.sleep(pause_s)
            pause_s = min(1.1 * pause_s, _LONGEST_PAUSE_S)

    def commit(self) -> None:
        """Commit. After an error SQLite has rolled back, or left the transaction open and `rollback` ends it."""
        self.run("COMMIT")
        if self._synced:
            self.synced_commits += 1

    def rollback(self) -> None:
        """Undo the transaction, if there is one."""
        if self._connection.in_transaction:
            with suppress(sqlite3.Error):
                self._cursor.execute("ROLLBACK")

    def rows(self, query: str, /, **values: Any) -> list[Any]:
        """Run a named query and return its rows."""
        try:
            return self._cursor.execute(self._texts[query], values).fetchall()
        except (sqlite3.Error, ValueError, OverflowError) as error:
            raise explained(error, self._path) from error

    def change(self, query: str, rows: Sequence[tuple[Any, ...]], /) -> int:
        """Run a named query that takes rows, many at once, and return how many rows it changed."""
        before = self._connection.total_changes
        self._each_part(query, rows)
        return self._connection.total_changes - before

    def select(self, query: str, rows: Sequence[tuple[Any, ...]], /) -> list[Any]:
        """Run a named query that takes rows, many at once, and return what it finds."""
        return self._each_part(query, rows)

    def _each_part(self, query: str, rows: Sequence[tuple[Any, ...]]) -> list[Any]:
        found: list[Any] = []
        text = self._texts[query]
        execute = self._cursor.execute
        try:
            if len(rows) == 1:
                return execute(_repeated(text, 1), rows[0]).fetchall()
            for first, size in _parts(len(rows)):
                values = tuple(itertools.chain.from_iterable(rows[first : first + size]))
                found += execute(_repeated(text, size), values).fetchall()
        except (sqlite3.Error, ValueError, OverflowError) as error:
            raise explained(error, self._path) from error
        return found

    def run(self, statement: str, /) -> None:
        """Run one statement without parameters, to its end: an unfinished one would go on holding a snapshot."""
        try:
            self._cursor.execute(statement).fetchall()
        except sqlite3.Error as error:
            raise explained(error, self._path) from error

    def value(self, statement: str) -> Any:
        """The first column of the first row of a statement."""
        try:
            return self._cursor.execute(statement).fetchall()[0][0]
        except sqlite3.Error as error:
            raise explained(error, self._path) from error

    @property
    def changes(self) -> int:
        """How many rows this connection has changed."""
        return self._connection.total_changes

    def close(self) -> None:
        """Close. The last one to close a file moves the log into it."""
        with suppress(sqlite3.Error):
            self._cursor.close()
            self._connection.close()


class SqliteStore(SqlStore[Connection]):
    """A store in a file, or in memory (`path` None)."""

    def __init__(self, url: str, path: Path | None) -> None:
        self.url = url
        self.shared = path is not None
        self._path = path
        self._reader: Connection | None = None
        self._locks = MemoryLocks() if path is None else FileLocks(path)
        self._version = 0
        self._tended = (0, 0, 0)

    def open(self) -> None:
        """Connect, and migrate the schema; a missing folder is made."""
        _check_version(sqlite3.sqlite_version_info)
        if self._path is not None:
            _prepare(self._path)
        give_up_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self._connect()
            except StoreUnavailable:  # SQLite itself does not wait for others that open a new file at the same time.
                if time.monotonic() > give_up_s:
                    raise
            time.sleep(0.02)

    def _connect(self) -> None:
        self._driver = Connection(self._path)
        try:
            self._configure()
            exists = bool(self._driver.value("SELECT count(*) FROM sqlite_master WHERE name = 'migration'"))
            migrate(self._driver, self.url, "sqlite", exists=exists)
            self._version = self._driver.value("PRAGMA data_version")
        except BaseException:
            self._driver.close()
            raise

    def close(self) -> None:
        """Close the connections and let go of the locks."""
        if self._reader is not None:
            self._reader.close()
        self._driver.close()
        self._locks.remove_mine()

    def ask(self, question: Question) -> Any:
        """Answer a question; from a file, over the second connection."""
        if self._path is not None and self._reader is None:
            self._reader = Connection(self._path, reads_only=True)
        return self._answered(self._reader or self._driver, question)

    def changed(self) -> bool:
        """Tell whether another connection has committed since the last call."""
        version = self._driver.value("PRAGMA data_version")
        changed = version != self._version
        self._version = version
        return bool(changed)

    def tend(self) -> None:
        """Move the log into the file when much was written; readers and writers go on meanwhile."""
        if self._path is None:
            return
        written = (self._driver.synced_commits, self._driver.changes, self._log_bytes())
        if all(map(_below, self._tended, written, (_TEND_SYNCED, _TEND_CHANGES, _TEND_BYTES))):
            return
        self._driver.run("PRAGMA wal_checkpoint(PASSIVE)")
        self._tended = written

    def hold_lock(self) -> tuple[str, str]:
        """Take a lock that ends with this process."""
        try:
            return this_host(), self._locks.hold()
        except OSError as error:
            raise StoreError(f"A lock file beside {self._path} cannot be made: {error.strerror}.") from error

    def is_held(self, worker: WorkerRow) -> bool | None:
        """Tell whether a worker's lock is still held; None on another host, or another start of this one."""
        return self._locks.is_held(worker.lock) if worker.host == this_host() else None

    def _configure(self) -> None:
        driver = self._driver
        driver.run(f"PRAGMA page_size = {PAGE_BYTES}")
        self._use_log()
        driver.run("PRAGMA wal_autocheckpoint = 0")
        driver.run("PRAGMA temp_store = MEMORY")

    def _use_log(self) -> None:
        """Turn the write-ahead log on. SQLite does not wait for a busy file when the mode changes, so this does."""
        give_up_s = time.monotonic() + PATIENCE_S
        while self._driver.value("PRAGMA journal_mode") not in ("wal", "memory"):
            try:
                self._driver.run("PRAGMA journal_mode = WAL")
            except StoreUnavailable:
                if time.monotonic() > give_up_s:
                    raise
                time.sleep(_LOOK_AGAIN_S)

    def _log_bytes(self) -> int:
        try:
            return Path(f"{self._path}-wal").stat().st_size
        except OSError:
            return 0

    def _remove_lock(self, lock: str) -> None:
        with suppress(OSError):
            self._locks.remove(lock)


class MemoryLocks:
    """The locks of a store in memory: nobody else can see it, so they last as long as it does."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def hold(self) -> str:
        """Take a lock and return its name."""
        name = f"memory-{next(_memory_numbers)}"
        self._names.add(name)
        return name

    def is_held(self, name: str) -> bool:
        """Tell whether a lock is held."""
        return name in self._names

    def remove(self, name: str) -> None:
        """Let go of a lock."""
        self._names.discard(name)

    def remove_mine(self) -> None:
        """Let go of all."""
        self._names.clear()


def _below(before: int, now: int, limit: int) -> bool:
    return now - before < limit


def explained(error: Exception, path: Path | None) -> Exception:
    """The error of ours that says what an error of SQLite means, and what to do."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None or isinstance(error, sqlite3.IntegrityError | sqlite3.DataError | sqlite3.ProgrammingError):
        return Unfit(str(error))
    where = "in memory" if path is None else str(path)
    known = _MEANINGS.get(code & 0xFF)
    if known is None:
        return StoreError(f"The store {where} failed: {error}.")
    kind, meaning = known
    return kind(f"The store {where} {meaning} ({error}).")


_MEANINGS: dict[int, tuple[type[StoreError], str]] = {
    sqlite3.SQLITE_BUSY: (StoreUnavailable, "is being written by another process; try again"),
    sqlite3.SQLITE_LOCKED: (StoreUnavailable, "is being written by another connection; try again"),
    sqlite3.SQLITE_PROTOCOL: (StoreUnavailable, "is used by too many processes at once; try again"),
    sqlite3.SQLITE_FULL: (StoreUnavailable, "cannot grow: the disk is full; free some space"),
    sqlite3.SQLITE_IOERR: (StoreUnavailable, "could not be read or written; look at the disk"),
    sqlite3.SQLITE_NOMEM: (StoreUnavailable, "got no memory; free some"),
    sqlite3.SQLITE_READONLY: (StoreError, "is read-only; make the file and its folder writable for this user"),
    sqlite3.SQLITE_PERM: (StoreError, "may not be opened by this user; change its permissions"),
    sqlite3.SQLITE_AUTH: (StoreError, "may not be opened by this user; change its permissions"),
    sqlite3.SQLITE_CANTOPEN: (StoreError, "cannot be opened; look at the permissions of the file and its folder"),
    sqlite3.SQLITE_CORRUPT: (StoreError, "is damaged; restore it from a backup"),
    sqlite3.SQLITE_NOTADB: (StoreError, "is no SQLite database; name another file"),
}


def _check_version(version: tuple[int, ...]) -> None:
    if version < LEAST_VERSION:
        raise StoreError(
            f"This Python has SQLite {'.'.join(map(str, version))}; "
            f"flowgraph needs {'.'.join(map(str, LEAST_VERSION))} or newer."
        )


def _prepare(path: Path) -> None:
    system = network_file_system(path)
    if system is not None:
        raise StoreError(
            f"The store {path} is on a network file system ({system}), where SQLite is unsafe. Use a local disk."
        )
    if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where a folder on the way may not be entered
        raise StoreError(f"The store {path} is a folder; name a file in it, such as {path / 'flowgraph.db'}.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = "a file is in the way" if isinstance(error, FileExistsError | NotADirectoryError) else error.strerror
        raise StoreError(f"The folder of the store {path} cannot be made: {why}.") from error


@cache
def _texts() -> dict[str, str]:
    return read_sql("queries.sql", "sqlite")


@cache
def _repeated(text: str, times: int) -> str:
    """A query for so many rows, its parameters by position."""
    return _values.sub(lambda found: ", ".join([_parameter.sub("?", found[0])] * times), text, count=1)


def _parts(count: int) -> list[tuple[int, int]]:
    """Cut so many rows into pieces whose sizes are powers of two up to 128, so that few texts serve all batches.

    >>> _parts(300)
    [(0, 128), (128, 128), (256, 32), (288, 8), (296, 4)]
    """
    parts, first, size = [], 0, 128
    while first < count:
        while size > count - first:
            size //= 2
        parts.append((first, size))
        first += size
    return parts
