"""The contents of files: from the disk, or what an editor has not saved yet."""

from __future__ import annotations

import io
from collections.abc import Mapping
from importlib.util import decode_source


class Sources:
    """Reads files; `contents` stand for the files at their paths."""

    def __init__(self, contents: Mapping[str, bytes] | None = None) -> None:
        self.contents = dict(contents or {})

    def read(self, path: str) -> bytes:
        """The bytes of a file.

        Raises:
            OSError: it cannot be read.
        """
        if path in self.contents:
            return self.contents[path]
        with io.FileIO(path) as file:
            return file.readall()

    def lines(self, path: str) -> list[str]:
        """The lines of a file without their ends, as the compiler counts them; none where it cannot be read."""
        try:
            text = decode_source(self.read(path))
        except (OSError, SyntaxError, ValueError):
            return []
        return text.replace("\r", "\n").split("\n")  # Other breaks end no line of Python.
