"""What a report is made from."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from flowgraph.lint.report import Report
from flowgraph.lint.sources import Sources

Paint = Callable[[str, str], str]
"""Gives a text a style, for a terminal: ``bold red``."""


def unpainted(text: str, style: str) -> str:
    """Text as it is, for a file or a pipe."""
    del style
    return text


@attrs.frozen
class Page:
    """A report, the sources that it speaks of, and how to paint."""

    report: Report
    sources: Sources
    paint: Paint = unpainted

    @property
    def summary(self) -> str:
        """How it went, in one sentence."""
        report = self.report
        counts = [_counted(report.count(severity), severity) for severity in ("error", "warning")]
        counts.append(f"{report.count('info')} of info" if report.count("info") else "")
        found = ", ".join(count for count in counts if count)
        if found:
            return (
                f"Found {found} in {_counted(max(report.files, len({one.path for one in report.findings})), 'file')}."
            )
        if report.workflows == 0:
            return f"All checks passed: no workflows in {_counted(report.scanned, 'file') or 'no files'}."
        return f"All checks passed: {_counted(report.workflows, 'workflow')} in {_counted(report.files, 'file')}."


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}" if number else ""
