"""Checking many files: in this process, or side by side in others where there are enough of them to pay for that.

The other processes are forked when everything is loaded, so that they begin at once; where Python cannot fork, and in
programs with threads, all is checked here.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from flowgraph.lint.checking import Checked, Read, check
from flowgraph.lint.settings import Settings

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

    from flowgraph.lint.rule import Rule

FEW = 8
"""So many files are checked here, in less time than it takes to begin other processes."""


@attrs.frozen
class Result:
    """A file that was checked, with the digests of the other files that were read for it."""

    checked: Checked
    read: Read


class Checks:
    """Files that are being checked."""

    def __init__(self, rules: Callable[[], Sequence[Rule]], settings: Settings, jobs: int) -> None:
        self._rules = rules
        self._settings = settings
        self._jobs = jobs if _can_fork() else 1
        self._waiting: list[tuple[str, bytes]] = []
        self._pool: ProcessPoolExecutor | None = None
        self._begun: list[tuple[str, bytes, Future[Result]]] = []

    def add(self, path: str, content: bytes) -> None:
        """Let a file be checked; from a certain number on that begins at once."""
        self._waiting.append((path, content))
        if self._jobs > 1 and (self._pool is not None or len(self._waiting) > FEW):
            self._begin()

    def results(self) -> Iterator[Result]:
        """What came out for each of the files that were added since the last time."""
        begun, self._begun = self._begun, []
        for path, content, future in begun:
            yield self._result(path, content, future)
        waiting, self._waiting = self._waiting, []
        for path, content in waiting:
            yield checked_here(path, content, self._rules(), self._settings)

    def close(self) -> None:
        """End the other processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _begin(self) -> None:
        if self._pool is None:
            self._pool = _pool(self._jobs, self._rules(), self._settings)
        self._begun += [(path, content, self._pool.submit(_check, path, content)) for path, content in self._waiting]
        self._waiting = []

    def _result(self, path: str, content: bytes, future: Future[Result]) -> Result:
        from concurrent.futures.process import BrokenProcessPool

        try:
            return future.result()
        except BrokenProcessPool:  # It was killed, for want of memory as a rule: one at a time needs less.
            return checked_here(path, content, self._rules(), self._settings)


def checked_here(path: str, content: bytes, rules: Sequence[Rule], settings: Settings) -> Result:
    """Check a file in this process."""
    read: Read = {}
    return Result(check(path, content, rules, settings, read), read)


def _can_fork() -> bool:
    return sys.platform == "linux" and threading.active_count() == 1


def _pool(jobs: int, rules: Sequence[Rule], settings: Settings) -> ProcessPoolExecutor:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    import flowgraph.lint.module  # noqa: F401 (loaded before the fork, so that each process has it)

    return ProcessPoolExecutor(jobs, get_context("fork"), _begin_process, (rules, settings))


_choice: list[tuple[Sequence[Rule], Settings]] = []
"""In a process that was forked: what it checks by."""


def _begin_process(rules: Sequence[Rule], settings: Settings) -> None:
    _choice[:] = [(rules, settings)]


def _check(path: str, content: bytes) -> Result:
    [(rules, settings)] = _choice
    return checked_here(path, content, rules, settings)
