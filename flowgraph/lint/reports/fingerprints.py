"""Telling findings apart over time: their fingerprints stay when lines move."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator

from flowgraph.lint.reports.page import Page
from flowgraph.model.diagnostic import Diagnostic


def fingerprinted(page: Page) -> Iterator[tuple[Diagnostic, str]]:
    """The findings with fingerprints: of the file, the code, the text of the line, and how many such came before."""
    lines: dict[str, list[str]] = {}
    seen: Counter[tuple[str, str, str]] = Counter()
    for found in page.report.findings:
        if found.path not in lines:
            lines[found.path] = page.sources.lines(found.path)
        own = lines[found.path][found.line - 1 : found.line]
        rests_on = (found.path.replace("\\", "/"), found.code, " ".join("".join(own).split()))
        parts = "\0".join([*rests_on, str(seen[rests_on])])
        seen[rests_on] += 1
        yield found, hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()[:32]
