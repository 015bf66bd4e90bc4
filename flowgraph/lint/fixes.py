"""Mending findings, and nothing else: the text outside of the edits stays as it is, to the last blank.

All files are mended in memory, in rounds: what was mended is checked again, until nothing is left to mend. Edits that
overlap wait for the next round. A round's text counts only if LibCST reads it and gives it back unchanged. Files keep
their encoding, byte order mark and line ends; they are written only at the end, each at once.
"""

from __future__ import annotations

import difflib
import io
import os
import shutil
import tempfile
import tokenize
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import attrs

from flowgraph.lint.report import Report
from flowgraph.model.diagnostic import Edit

MOST_ROUNDS = 20


@attrs.frozen
class Change:
    """A file before and after."""

    path: str
    before: bytes
    after: bytes

    def diff(self) -> str:
        """The change as a unified diff."""
        old, new = (_decoded(content).split("\n") for content in (self.before, self.after))
        lines = difflib.unified_diff(_ended(old), _ended(new), self.path, self.path)
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)

    def write(self) -> None:
        """Put the new content in the place of the old one, in one go; a link stays one."""
        target = Path(os.path.realpath(self.path))
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(self.after)
            shutil.copymode(target, name)
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink()
            raise


@attrs.frozen
class Mended:
    """What mending comes to: the files that change, how many findings that mends, and what is left."""

    changes: tuple[Change, ...]
    count: int
    report: Report


def mended(check: Callable[[Mapping[str, bytes]], Report], read: Callable[[str], bytes]) -> Mended:
    """Mend all that can be mended safely; nothing is written.

    Args:
        check: lints, with these contents for the files at these paths.
        read: reads a file.
    """
    contents: dict[str, bytes] = {}
    before: dict[str, bytes] = {}
    count = 0
    report = check(contents)
    for _ in range(MOST_ROUNDS):
        fresh: dict[str, bytes] = {}
        for path, fixes in _fixes(report):
            old = contents[path] if path in contents else read(path)
            new, number = _with_fixes(old, fixes)
            if number and new not in (old, before.get(path)):
                before.setdefault(path, old)
                fresh[path] = new
                count += number
        if not fresh:
            break
        contents |= fresh
        report = check(contents)
    changes = tuple(Change(path, before[path], contents[path]) for path in sorted(contents))
    return Mended(changes, count, report)


def _fixes(report: Report) -> Iterator[tuple[str, list[Sequence[Edit]]]]:
    """The files with something to mend, and how."""
    for path, findings in groupby(report.findings, key=lambda found: found.path):
        fixes: list[Sequence[Edit]] = [found.fix.edits for found in findings if found.fix is not None]
        if fixes:
            yield path, fixes


def _with_fixes(content: bytes, fixes: Sequence[Sequence[Edit]]) -> tuple[bytes, int]:
    """A file with as many fixes as fit together, and how many these are."""
    text = _Text(content)
    chosen = list(_apart(fixes, text))
    for attempt in (chosen, *([fix] for fix in chosen)):  # If not all together, then one of them.
        new = text.edited([edit for fix in attempt for edit in fix])
        if new is not None:
            return new, len(attempt)
    return content, 0


def _apart(fixes: Sequence[Sequence[Edit]], text: _Text) -> Iterator[Sequence[Edit]]:
    """The fixes from the first on that touch nothing that one before them touches."""
    taken: list[tuple[int, int]] = []
    for fix in fixes:
        places = [text.place(edit) for edit in fix]
        if all(end < start_ or end_ < start for start, end in places for start_, end_ in taken):
            taken += places
            yield fix


class _Text:
    """A file as text with its own line ends, and what is needed to make bytes of it again."""

    def __init__(self, content: bytes) -> None:
        self._encoding = tokenize.detect_encoding(io.BytesIO(content).readline)[0]
        self._text = content.decode(self._encoding)
        self._starts = _line_starts(self._text)
        self._break = "\r\n" if "\r\n" in self._text else "\n"

    def place(self, edit: Edit) -> tuple[int, int]:
        """The characters that an edit takes out, as two offsets."""
        return self._offset(edit.line, edit.column), self._offset(edit.end_line, edit.end_column)

    def edited(self, edits: Sequence[Edit]) -> bytes | None:
        """The file after edits that do not overlap; None where it would not be Python any more."""
        new = self._text
        for edit in sorted(edits, key=self.place, reverse=True):
            start, end = self.place(edit)
            new = f"{new[:start]}{edit.text.replace(chr(10), self._break)}{new[end:]}"
        try:
            return new.encode(self._encoding) if _is_python(new) else None
        except UnicodeEncodeError:
            return None

    def _offset(self, line: int, column: int) -> int:
        if line > len(self._starts):
            return len(self._text)
        return min(self._starts[line - 1] + column - 1, len(self._text))


def _line_starts(text: str) -> list[int]:
    """Where lines begin, as Python counts them: other breaks than these end none."""
    starts, offset = [0], 0
    for line in io.StringIO(text, newline=""):
        offset += len(line)
        starts.append(offset)
    return starts


def _is_python(text: str) -> bool:
    import libcst as cst

    try:
        return cst.parse_module(text).code == text
    except (cst.ParserSyntaxError, RecursionError):
        return False


def _decoded(content: bytes) -> str:
    encoding = tokenize.detect_encoding(io.BytesIO(content).readline)[0]
    return content.decode(encoding)


def _ended(lines: Sequence[str]) -> list[str]:
    return [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
