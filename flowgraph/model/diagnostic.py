"""What the compiler and the lint have to say about a place in the source."""

from __future__ import annotations

from typing import Literal

import attrs

Severity = Literal["error", "warning", "info"]


@attrs.frozen
class Related:
    """Another place that a diagnostic is about."""

    path: str
    line: int
    column: int
    message: str


@attrs.frozen
class Edit:
    """Text in the place of what stands from one place to another; the end is the column after the last character."""

    line: int
    column: int
    end_line: int
    end_column: int
    text: str


@attrs.frozen
class Fix:
    """How to mend a finding without changing what else the source means."""

    message: str
    edits: tuple[Edit, ...]


@attrs.frozen
class Diagnostic:
    """One finding.

    Lines and columns count from 1; the end is the column after the last character. `code` and `name` are those of the
    rule, `workflow` and `step` say where in the graph it is, `help` says what to do, and `fix` does it.
    `label` is what a report writes beside the place.
    """

    code: str
    name: str
    severity: Severity
    message: str
    path: str
    line: int
    column: int = 1
    end_line: int | None = None
    end_column: int | None = None
    workflow: str | None = None
    step: str | None = None
    help: str = ""
    related: tuple[Related, ...] = ()
    fix: Fix | None = None
    label: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.code} {self.message}"
