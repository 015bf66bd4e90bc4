"""Looking at all files, and checking those that have to do with workflows.

First every file's bytes are looked at; those that mention flowgraph are checked at once, and nothing is kept of the
others. What the checked ones give on decides which others have to do with workflows after all (`exports`). What the
last lint found out about that is a hint by which one look at each file is enough; where it was wrong they are looked
at again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from flowgraph.lint.cache import Cache
from flowgraph.lint.checking import Checked, unreadable
from flowgraph.lint.exports import Exports, mentions
from flowgraph.lint.files import python_files
from flowgraph.lint.inspector import Inspector
from flowgraph.lint.settings import Settings
from flowgraph.lint.sources import Sources


class Survey:
    """The files of one lint.

    Attributes:
        checked: what is known of the files that have to do with workflows.
        scanned: how many files were looked at.
    """

    def __init__(
        self, paths: Sequence[str], settings: Settings, cache: Cache, sources: Sources, inspector: Inspector
    ) -> None:
        self.checked: dict[str, Checked] = {}
        self.scanned = 0
        self._paths = paths
        self._settings = settings
        self._cache = cache
        self._sources = sources
        self._inspector = inspector
        self._exports = Exports()

    def make(self) -> None:
        """Look at all files."""
        key = self._cache.key("exports", *(str(Path(path).absolute()) for path in self._paths))
        looked_for = hint = self._cache.find(key, Exports.restored) or Exports()
        candidates = self._first_look(hint)
        while True:
            self._wait()
            if not self._exports <= looked_for:
                looked_for = self._exports.copy()
                candidates = self._importers(looked_for)
            if not self._check_candidates(candidates):
                break
        if self._exports != hint:
            self._cache.keep(key, self._exports.plain())

    def content(self, path: str) -> bytes:
        """The bytes of a file; none where it cannot be read."""
        try:
            return self._sources.read(path)
        except OSError:
            return b""

    def _first_look(self, hint: Exports) -> list[str]:
        """Check the files that mention flowgraph or are given by name; returns the others that may import from them."""
        candidates = []
        given = {os.path.normpath(path) for path in self._paths}
        for path in self._files():
            self.scanned += 1
            try:
                content = self._sources.read(path)
            except OSError as error:
                self.checked[path] = unreadable(path, b"", error)
                continue
            if mentions(content) or path in given:
                self._check(path, content)
            elif hint.are_used_in(content):
                candidates.append(path)
        return candidates

    def _importers(self, exports: Exports) -> list[str]:
        """The files that are not checked yet, and may import something of what others give on."""
        return [path for path in self._files() if path not in self.checked and exports.are_used_in(self.content(path))]

    def _check_candidates(self, candidates: Iterable[str]) -> bool:
        """Check those that do import something; tells whether there was one."""
        fresh = ((path, self.content(path)) for path in candidates if path not in self.checked)
        chosen = [(path, content) for path, content in fresh if self._exports.are_used_in(content)]
        for path, content in chosen:
            self._check(path, content)
        return bool(chosen)

    def _files(self) -> Iterator[str]:
        return python_files(self._paths, self._settings, self._sources.contents)

    def _check(self, path: str, content: bytes) -> None:
        known = self._inspector.known(path, content)
        if known is not None:
            self._take(known)

    def _wait(self) -> None:
        """Take in what was not known before."""
        for checked in self._inspector.checked():
            self._take(checked)

    def _take(self, checked: Checked) -> None:
        self.checked[checked.path] = checked
        self._exports.add(checked.path, checked.exports)
