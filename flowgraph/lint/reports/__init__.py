"""What a lint has found, written out: one file for each format, each with a function ``written``."""

from __future__ import annotations

import importlib

from flowgraph.lint.reports.page import Page

FORMATS = ("full", "concise", "json", "github", "gitlab", "sarif", "junit")


def written(output_format: str, page: Page) -> str:
    """A report in one of the `FORMATS`, with a line break at its end; nothing where there is nothing to say."""
    module = importlib.import_module(f"{__name__}.{output_format}")
    text: str = module.written(page)
    return text


__all__ = ["FORMATS", "Page", "written"]
