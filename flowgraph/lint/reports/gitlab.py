"""The report of code quality that GitLab shows in merge requests."""

from __future__ import annotations

import json
from typing import Any

from flowgraph.lint.reports.fingerprints import fingerprinted
from flowgraph.lint.reports.page import Page
from flowgraph.model.diagnostic import Diagnostic

_SEVERITIES = {"error": "major", "warning": "minor", "info": "info"}


def written(page: Page) -> str:
    """A JSON array with one object for each finding."""
    return json.dumps([_issue(found, print_) for found, print_ in fingerprinted(page)], indent=2) + "\n"


def _issue(found: Diagnostic, fingerprint: str) -> dict[str, Any]:
    return {
        "description": f"{found.code} {found.name}: {found.message}",
        "check_name": found.code,
        "fingerprint": fingerprint,
        "severity": _SEVERITIES[found.severity],
        "location": {
            "path": found.path.replace("\\", "/"),
            "lines": {"begin": found.line, "end": found.end_line or found.line},
        },
    }
