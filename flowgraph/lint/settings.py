"""What is checked: the settings of `[tool.flowgraph.lint]`."""

from __future__ import annotations

import attrs


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
    """

    select: tuple[str, ...] | None = None
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    exclude: tuple[str, ...] = ()
    extend_io: tuple[str, ...] = ()
