"""What is checked: the settings of `[tool.flowgraph.lint]`."""

from __future__ import annotations

import os
from pathlib import Path, PurePath

import attrs

from flowgraph.errors import FlowgraphError
from flowgraph.lint.patterns import matches


class BadSettings(FlowgraphError):
    """A setting, an option or a path that cannot be meant (`.where`, `.reason`)."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(where, reason)
        self.where = where
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


@attrs.frozen
class Settings:
    """The settings of one lint.

    Attributes:
        select: the codes, or beginnings of codes, that are checked; None for those that are on by default.
        extend_select: further ones.
        ignore: those that are not.
        per_file_ignores: patterns of paths, and what is ignored in the files that match.
        exclude: patterns of paths that are not looked at.
        extend_io: further modules and functions that FG402 takes for input and output, as full names.
        root: the folder from which patterns count; None for the working folder.
        against: the graphs of the workflows are kept for a comparison with what they were.
    """

    select: tuple[str, ...] | None = None
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    exclude: tuple[str, ...] = ()
    extend_io: tuple[str, ...] = ()
    root: Path | None = None
    against: bool = False

    def is_excluded(self, path: str) -> bool:
        """Tell whether a file or a folder is not looked at."""
        return bool(self.exclude) and self._match(self.exclude, path)

    def ignored_in(self, path: str) -> tuple[str, ...]:
        """What is ignored in one file, as it is written in the settings."""
        return tuple(
            code for pattern, codes in self.per_file_ignores if self._match((pattern,), path) for code in codes
        )

    def _match(self, patterns: tuple[str, ...], path: str) -> bool:
        place = PurePath(os.path.relpath(path, self.root or "."))
        return any(matches(pattern, place) for pattern in patterns)
