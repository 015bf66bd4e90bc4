"""Checking the sources of workflows before they run.

`runner` looks at all files and asks `checking` about those that have to do with workflows; the `rules` are one file
each, and ask `analysis` what the code does; `suppressions` are the comments that accept findings. `reports` write out
what was found, `fixes` mend it, `against` holds workflows against what they were.
"""

from __future__ import annotations

from flowgraph.lint.cache import DEFAULT_FOLDER
from flowgraph.lint.configuration import settings_for
from flowgraph.lint.report import Failure, Report
from flowgraph.lint.reports import FORMATS, Page, written
from flowgraph.lint.rule import Rule
from flowgraph.lint.rules import all_rules
from flowgraph.lint.runner import lint
from flowgraph.lint.settings import BadSettings, Settings
from flowgraph.lint.sources import Sources

__all__ = [
    "DEFAULT_FOLDER",
    "FORMATS",
    "BadSettings",
    "Failure",
    "Page",
    "Report",
    "Rule",
    "Settings",
    "Sources",
    "all_rules",
    "lint",
    "settings_for",
    "written",
]
