"""For people: each finding with the lines that it is about, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

import attrs

from flowgraph.lint.reports.cells import cells, shown
from flowgraph.lint.reports.page import Page, Paint
from flowgraph.model.diagnostic import Diagnostic, Severity

_NEAR = 20
"""Another place that is so many lines away, or less, is shown in the same frame."""
_STYLES: dict[Severity, str] = {"error": "bold red", "warning": "bold yellow", "info": "bold cyan"}
_QUIET = "bold blue"
_EXPRESSION = re.compile(r"""[rRbBuUfF]{0,2}(?:"[^"]*"|'[^']*')|@?[\w.]+""")


def written(page: Page) -> str:
    """Every finding in full, and the summary."""
    lines: dict[str, list[str]] = {}
    text = []
    for found in page.report.findings:
        for path in {found.path, *(other.path for other in found.related)} - lines.keys():
            lines[path] = page.sources.lines(path)
        text += [*_Finding(found, lines, page.paint).lines(), ""]
    return "\n".join([*text, page.summary, ""])


@attrs.frozen
class _Mark:
    """A place in a line that is underlined, and what is written beside it."""

    path: str
    line: int
    column: int
    end_column: int
    text: str
    is_first: bool


class _Finding:
    """One finding as lines."""

    def __init__(self, found: Diagnostic, sources: dict[str, list[str]], paint: Paint) -> None:
        self._found = found
        self._sources = sources
        self._paint = paint
        self._marks = [self._mark(), *self._others()]
        self._width = max(len(str(mark.line)) for mark in self._marks)

    def lines(self) -> Iterator[str]:
        """The head, the frames, and the help."""
        found, paint = self._found, self._paint
        level = "" if found.severity == "error" else f" ({found.severity})"
        yield f"{paint(found.code, _STYLES[found.severity])} {paint(found.name, 'bold')}{level}: {shown(found.message)}"
        for frame in self._frames():
            yield from self._frame(frame)
        if found.help:
            yield f"{paint('help', 'bold cyan')}: {shown(found.help)}"
        if found.fix:
            yield f"{paint('fix', 'bold cyan')}: {shown(found.fix.message)} (--fix does it)"

    def _frames(self) -> Iterator[list[_Mark]]:
        """The marks that are shown together, the finding's own first."""
        first, *others = self._marks
        near = [mark for mark in others if mark.path == first.path and abs(mark.line - first.line) <= _NEAR]
        yield [first, *near]
        far = [mark for mark in others if mark not in near]
        yield from ([mark] for mark in far)

    def _frame(self, marks: Sequence[_Mark]) -> Iterator[str]:
        head = marks[0]
        margin, bar = " " * self._width, self._paint("|", _QUIET)
        arrow = self._paint("-->" if head.is_first else ":::", _QUIET)
        yield f"{margin}{arrow} {shown(head.path)}:{head.line}:{head.column}"
        in_order = sorted(marks, key=lambda mark: (mark.line, mark.column))
        if not self._line(head):
            yield from (f"{margin} {self._paint('=', _QUIET)} {shown(mark.text)}" for mark in in_order if mark.text)
            return
        yield f"{margin} {bar}"
        for line, group in groupby(in_order, key=lambda mark: mark.line):
            own = list(group)
            number = self._paint(f"{line:>{self._width}}", _QUIET)
            yield f"{number} {bar} {shown(self._line(own[0]))}".rstrip()
            yield from (f"{margin} {bar} {self._underlined(mark)}" for mark in own)

    def _underlined(self, mark: _Mark) -> str:
        text = self._line(mark)
        before, inside = text[: mark.column - 1], text[mark.column - 1 : mark.end_column - 1]
        under = ("^" if mark.is_first else "-") * max(cells(before + inside) - cells(before), 1)
        style = _STYLES[self._found.severity] if mark.is_first else _QUIET
        painted = self._paint(f"{under} {shown(mark.text)}".rstrip(), style)
        return " " * cells(before) + painted

    def _line(self, mark: _Mark) -> str:
        lines = self._sources[mark.path]
        return lines[mark.line - 1] if 0 < mark.line <= len(lines) else ""

    def _mark(self) -> _Mark:
        found = self._found
        end = found.end_column if found.end_line == found.line else None
        if found.end_line is not None and found.end_line > found.line:
            end = 1 + len(self._sources[found.path][found.line - 1 : found.line][0].rstrip())
        return _Mark(found.path, found.line, found.column, end or found.column + 1, found.label, is_first=True)

    def _others(self) -> Iterator[_Mark]:
        for other in self._found.related:
            mark = _Mark(other.path, other.line, other.column, other.column + 1, other.message, is_first=False)
            expression = _EXPRESSION.match(self._line(mark), other.column - 1)
            yield attrs.evolve(mark, end_column=expression.end() + 1) if expression else mark
