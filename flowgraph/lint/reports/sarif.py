"""SARIF 2.1.0, which GitHub's code scanning and many editors read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

from flowgraph.lint.reports.fingerprints import fingerprinted
from flowgraph.lint.reports.page import Page
from flowgraph.lint.rules import Rule, all_rules
from flowgraph.model.diagnostic import Diagnostic, Fix, Related

_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def written(page: Page) -> str:
    """One run of one tool, with all rules and their explanations."""
    rules = all_rules()
    numbers = {rule.code: number for number, rule in enumerate(rules)}
    run = {
        "tool": {
            "driver": {"name": "flowgraph", "version": version("flowgraph"), "rules": [_rule(rule) for rule in rules]}
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(page)],
        "results": [_result(found, print_, numbers) for found, print_ in fingerprinted(page)],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(rule: Rule) -> dict[str, Any]:
    text = rule.explanation()
    head, _, rest = text.partition("\n\n")
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": head},
        "fullDescription": {"text": _paragraph(rest, "What it does") or head},
        "help": {"text": text, "markdown": text},
        "defaultConfiguration": {"level": _LEVELS[rule.severity], "enabled": rule.is_on},
    }


def _paragraph(text: str, heading: str) -> str:
    found = re.search(rf"## {re.escape(heading)}\n\n(.*?)\n\n", text, re.DOTALL)
    return " ".join(found[1].split()) if found else ""


def _invocation(page: Page) -> dict[str, Any]:
    notes = [{"level": "error", "message": {"text": str(failure)}} for failure in page.report.failures]
    return {"executionSuccessful": not notes, "toolExecutionNotifications": notes}


def _result(found: Diagnostic, fingerprint: str, numbers: dict[str, int]) -> dict[str, Any]:
    text = f"{found.message}. {found.help}" if found.help else found.message
    result: dict[str, Any] = {
        "ruleId": found.code,
        "level": _LEVELS[found.severity],
        "message": {"text": text},
        "locations": [{"physicalLocation": _place(found.path, _region(found))}],
        "partialFingerprints": {"primaryLocationLineHash": fingerprint},
    }
    if found.code in numbers:
        result["ruleIndex"] = numbers[found.code]
    if found.related:
        result["relatedLocations"] = list(_others(found.related))
    if found.fix:
        result["fixes"] = [_fix(found.path, found.fix)]
    return result


def _others(related: Iterable[Related]) -> Iterable[dict[str, Any]]:
    for number, other in enumerate(related, 1):
        region = {"startLine": other.line, "startColumn": other.column}
        yield {
            "id": number,
            "message": {"text": other.message},
            "physicalLocation": _place(other.path, region),
        }


def _region(found: Diagnostic) -> dict[str, int]:
    region = {"startLine": found.line, "startColumn": found.column}
    if found.end_line is not None and found.end_column is not None:
        region |= {"endLine": found.end_line, "endColumn": found.end_column}
    return region


def _place(path: str, region: dict[str, int]) -> dict[str, Any]:
    return {"artifactLocation": {"uri": _uri(path)}, "region": region}


def _uri(path: str) -> str:
    place = PurePath(path)
    return Path(path).as_uri() if place.is_absolute() else quote(place.as_posix())


def _fix(path: str, fix: Fix) -> dict[str, Any]:
    replacements = [
        {
            "deletedRegion": {
                "startLine": edit.line,
                "startColumn": edit.column,
                "endLine": edit.end_line,
                "endColumn": edit.end_column,
            },
            "insertedContent": {"text": edit.text},
        }
        for edit in fix.edits
    ]
    changes = [{"artifactLocation": {"uri": _uri(path)}, "replacements": replacements}]
    return {"description": {"text": fix.message}, "artifactChanges": changes}
