"""What earlier lints found out, by the contents that it was found out from.

An entry is a file of JSON whose name is the digest of all that its value rests on: this tool, Python, the settings, and
the bytes of the file. What cannot be part of a name, since it is known only afterwards (the other files that were
read), stands in the entry with its digests. Times of files decide nothing but which entries are thrown away first.
Entries are written under another name and then renamed, so that lints side by side never see half of one.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

MOST_ENTRIES = 10_000
DEFAULT_FOLDER = Path(".flowgraph/cache/lint")
_T = TypeVar("_T")
_ROOM = 0.8
"""So much of the room is left filled when old entries are thrown away."""
_TOOL = ("lint", "lint/rules", "compiler", "model")


class Cache:
    """Entries in a folder. A folder that cannot be written, and entries that cannot be read, are as good as none."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._stamp = b"" if folder is None else _stamp()
        self._is_ready = False
        self._written = 0

    def key(self, *parts: str | bytes) -> str:
        """The name of an entry whose value rests on these, and on the tool."""
        digest = hashlib.sha256(self._stamp)
        for part in parts:
            content = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
            digest.update(b"%d:" % len(content))
            digest.update(content)
        return digest.hexdigest()

    def find(self, key: str, restored: Callable[[Any], _T]) -> _T | None:
        """The value of an entry, made again from its JSON; None where there is none that can be."""
        if self._folder is None:
            return None
        try:
            return restored(json.loads((self._folder / key[:2] / f"{key[2:]}.json").read_bytes()))
        except (OSError, ValueError, RecursionError, TypeError, KeyError, AttributeError):
            return None

    def keep(self, key: str, value: Any) -> None:
        """Write an entry."""
        if self._folder is None:
            return
        with suppress(OSError):
            self._make_ready(self._folder)
            place = self._folder / key[:2]
            place.mkdir(exist_ok=True)
            descriptor, name = tempfile.mkstemp(suffix=".tmp", dir=place)
            with os.fdopen(descriptor, "wb") as file:
                file.write(json.dumps(value, separators=(",", ":")).encode())
            Path(name).replace(place / f"{key[2:]}.json")
            self._written += 1

    def trim(self, most: int = MOST_ENTRIES) -> None:
        """Throw away the oldest entries where there are too many; a lint that wrote nothing has not made it worse."""
        if self._folder is None or not self._written:
            return
        entries = sorted(self._folder.glob("*/*"), key=_age)
        if len(entries) > most:
            for entry in entries[int(most * _ROOM) :]:
                with suppress(OSError):
                    entry.unlink()

    def _make_ready(self, folder: Path) -> None:
        if self._is_ready:
            return
        folder.mkdir(parents=True, exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")
        self._is_ready = True


def _age(entry: Path) -> float:
    try:
        return -entry.stat().st_mtime
    except OSError:
        return 0.0


def _stamp() -> bytes:
    """What the tool and Python are. In a checkout the tool changes without its version, so its files count."""
    digest = hashlib.sha256(f"{sys.version} {sys.implementation.cache_tag}".encode())
    package = Path(__file__).parents[1]
    files = [file for folder in _TOOL for file in sorted((package / folder).glob("*.py"))]
    for file in files:
        digest.update(file.read_bytes())
    if not files:  # It is in an archive.
        from importlib.metadata import version

        digest.update(version("flowgraph").encode())
    return digest.digest()
