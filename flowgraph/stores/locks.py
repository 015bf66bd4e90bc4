"""Locks that end with their process: one file per worker beside the database, locked by the operating system.

A worker that dies, however it dies, loses its lock at once, so others need not wait until its lease has run out. The
lock tells the truth only on the same machine since the same start of it; elsewhere the lease decides. A forked child
would share the lock and keep it alive after its parent's death, so it closes it. A file is removed only by whoever
holds its lock, and whoever makes one looks afterwards that it is still there: so no removal hits a living worker.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, cast

try:
    import fcntl
except ImportError:  # Windows: the lease alone tells.
    fcntl = cast(Any, None)

_held: dict[Path, int] = {}
"""The lock files that this process holds, with their descriptors."""


@cache
def this_host() -> str:
    """Name the machine, and the time since it was started."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot = ""
    return f"{socket.gethostname()}/{boot}"


class FileLocks:
    """The worker locks of one database file."""

    def __init__(self, database: Path) -> None:
        self._folder = database.parent
        self._prefix = f"{database.name}-worker-"
        self._mine: set[str] = set()

    def hold(self) -> str:
        """Make and lock a file, and return its name; empty where this system has no such locks."""
        if fcntl is None:
            return ""
        self.sweep()
        while True:
            name = f"{self._prefix}{os.urandom(4).hex()}.lock"
            descriptor = _locked_file(self._folder / name)
            if descriptor is not None:
                _held[self._folder / name] = descriptor
                self._mine.add(name)
                return name

    def is_held(self, name: str) -> bool | None:
        """Tell whether a worker lives that locked this file; None where this system cannot tell."""
        if fcntl is None or not name:
            return None
        try:
            with _opened(self._path(name)) as descriptor:
                return descriptor is not None and not _lock(descriptor, fcntl.LOCK_SH)
        except OSError:  # The file may not be read, or this file system knows no locks.
            return None

    def remove(self, name: str) -> None:
        """Let go of a lock of this process, and remove the file of a lock that nobody holds."""
        if fcntl is None or not name:
            return
        self._mine.discard(name)
        path = self._path(name)
        descriptor = _held.pop(path, None)
        if descriptor is not None:
            os.close(descriptor)
        with _opened(path) as probe:
            if probe is not None and _lock(probe, fcntl.LOCK_EX):
                path.unlink(missing_ok=True)

    def remove_mine(self) -> None:
        """Let go of the locks that were taken here."""
        for name in list(self._mine):
            with suppress(OSError):
                self.remove(name)

    def sweep(self) -> None:
        """Remove the files of dead workers; whether a worker is dead is told by the missing file as well."""
        with suppress(OSError):
            for name in [path.name for path in self._folder.iterdir()]:
                if name.startswith(self._prefix) and name.endswith(".lock") and self._path(name) not in _held:
                    self.remove(name)

    def _path(self, name: str) -> Path:
        return self._folder / Path(name).name


def _locked_file(path: Path) -> int | None:
    """Make and lock a file; None where another process took it for a dead worker's and removed it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    if _lock(descriptor, fcntl.LOCK_EX) and _is_there(path, descriptor):
        return descriptor
    os.close(descriptor)
    return None


def _is_there(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


@contextmanager
def _opened(path: Path) -> Iterator[int | None]:
    """A descriptor of a file; None where there is no such file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _lock(descriptor: int, how: int) -> bool:
    """Try to lock. A shared lock is enough to look: two who look at once must not take each other for the owner."""
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _forget_in_child() -> None:
    for descriptor in _held.values():
        with suppress(OSError):
            os.close(descriptor)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
