"""One line for each finding."""

from __future__ import annotations

from flowgraph.lint.reports.page import Page
from flowgraph.model.diagnostic import Diagnostic

_STYLES = {"error": "bold red", "warning": "bold yellow", "info": "bold cyan"}


def written(page: Page) -> str:
    """``path:line:column: code message``; ``[*]`` marks what ``--fix`` mends."""
    return "".join(f"{_line(found, page)}\n" for found in page.report.findings) + f"{page.summary}\n"


def _line(found: Diagnostic, page: Page) -> str:
    mark = f" {page.paint('[*]', 'cyan')}" if found.fix else ""
    place = f"{page.paint(found.path, 'bold')}:{found.line}:{found.column}:"
    return f"{place} {page.paint(found.code, _STYLES[found.severity])}{mark} {' '.join(found.message.split())}"
