"""Commands by which a GitHub workflow annotates the lines of a change."""

from __future__ import annotations

from flowgraph.lint.reports.page import Page
from flowgraph.model.diagnostic import Diagnostic

_COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}


def written(page: Page) -> str:
    """One command for each finding."""
    return "".join(f"{_command(found)}\n" for found in page.report.findings)


def _command(found: Diagnostic) -> str:
    where = {"file": found.path, "line": found.line, "col": found.column}
    if found.end_line is not None:
        where["endLine"] = found.end_line
        if found.end_line == found.line and found.end_column is not None:  # GitHub takes columns within a line only.
            where["endColumn"] = found.end_column
    title = f"{found.code} {found.name}"
    properties = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in {"title": title, **where}.items())
    text = f"{found.message}\n{found.help}".strip()
    return f"::{_COMMANDS[found.severity]} {properties}::{_escaped(text)}"


def _escaped(value: object, also: str = "") -> str:
    text = str(value)
    for character in f"%\r\n{also}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text
