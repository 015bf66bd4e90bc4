"""A list of objects, for programs."""

from __future__ import annotations

import json
from typing import Any

import attrs

from flowgraph.lint.reports.page import Page
from flowgraph.model.diagnostic import Diagnostic


def written(page: Page) -> str:
    """A JSON array with one object for each finding."""
    return json.dumps([_plain(found) for found in page.report.findings], indent=2) + "\n"


def _plain(found: Diagnostic) -> dict[str, Any]:
    """The fields that are promised: the label is for the layout of frames only."""
    return {name: value for name, value in attrs.asdict(found).items() if name != "label"}
