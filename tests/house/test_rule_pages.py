"""The pages of the rules are those that the rules make; and what the project ships passes its own lint."""

from __future__ import annotations

from pathlib import Path

import pytest
import rule_pages

from flowgraph.lint import Settings, lint

ROOT = Path(__file__).parents[2]


def test_the_pages_of_the_rules_are_up_to_date() -> None:
    """`python tests/house/rule_pages.py` writes them."""
    written = {file.name: file.read_text(encoding="utf-8") for file in rule_pages.FOLDER.glob("*.md")}
    assert written == rule_pages.pages()


def test_every_rule_has_a_family() -> None:
    listed = rule_pages.index()
    assert all(f"({name})" in listed for name in rule_pages.pages() if name != "index.md")


@pytest.mark.parametrize("settings", [Settings(), Settings(select=("FG",))], ids=["default", "all"])
def test_the_examples_lint_clean(settings: Settings) -> None:
    """Not even a warning, nor what is shown on request only."""
    report = lint([str(ROOT / "examples")], settings)
    assert report.failures == ()
    assert [str(found) for found in report.findings] == []
    assert report.workflows >= 3
