"""The contents of files: from the disk, or what an editor has not saved yet."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Mapping
from importlib.util import decode_source


class Sources:
    """Reads files; `contents` stand for the files at their paths."""

    def __init__(self, contents: Mapping[str, bytes] | None = None) -> None:
        self.contents = dict(contents or {})

    def read(self, path: str) -> bytes:
        """The bytes of a file.

        Raises:
            OSError: it cannot be read, or is no file but a pipe, a device or a socket, which may have no end.
        """
        if path in self.contents:
            return self.contents[path]
        with io.FileIO(path, opener=_opened_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError(errno.EINVAL, "it is a pipe, a device or a socket", path)
            return file.readall()

    def lines(self, path: str) -> list[str]:
        """The lines of a file without their ends, as the compiler counts them; none where it cannot be read."""
        try:
            text = decode_source(self.read(path))
        except (OSError, SyntaxError, ValueError):
            return []
        return text.replace("\r", "\n").split("\n")  # Other breaks end no line of Python.


def _opened_at_once(path: str, flags: int) -> int:
    """Open a file; a pipe without a writer would not open before there is one."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
