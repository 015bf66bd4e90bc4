"""Findings as JSON values, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from flowgraph.model.diagnostic import Diagnostic, Edit, Fix, Related


def plain(found: Diagnostic) -> dict[str, Any]:
    """A finding as JSON values: all its fields."""
    return attrs.asdict(found)


def restored(record: Mapping[str, Any]) -> Diagnostic:
    """What `plain` gave.

    >>> mend = Fix("Await it", (Edit(3, 5, 3, 5, "await "),))
    >>> found = Diagnostic("FG203", "unawaited-step", "error", "it is not awaited", "a.py", 3, fix=mend)
    >>> restored(plain(found)) == found
    True
    """
    fix = record["fix"]
    related = tuple(Related(**other) for other in record["related"])
    return Diagnostic(**{**record, "related": related, "fix": None if fix is None else _fix(fix)})


def _fix(record: Mapping[str, Any]) -> Fix:
    return Fix(record["message"], tuple(Edit(**edit) for edit in record["edits"]))
