"""Every rule, by its own cases: what it accepts, and the lines that it complains of."""

from __future__ import annotations

import re

import pytest

from flowgraph.compiler import compile_source
from flowgraph.lint import Rule, Settings, all_rules, lint
from flowgraph.lint.against import against_graphs
from flowgraph.lint.rule import CommentRule, source_of
from flowgraph.model.diagnostic import Diagnostic


def findings(rule: Rule, text: str) -> list[Diagnostic]:
    """What one rule says; those about comments need the findings of the others."""
    settings = Settings(select=("FG",) if isinstance(rule, CommentRule) else (rule.code,))
    old = getattr(rule, "OLD", None)
    against = None if old is None else against_graphs(compile_source(source_of(old), "old.py"))
    contents = {"case.py": text.encode("utf-8", "surrogatepass")}
    report = lint(["case.py"], settings, contents=contents, against=against)
    assert report.failures == ()
    return [found for found in report.findings if found.code == rule.code]


def cases(kind: str) -> list[object]:
    return [
        pytest.param(rule, source_of(case), id=f"{rule.code}-{number}")
        for rule in all_rules()
        for number, case in enumerate(getattr(rule, kind))
    ]


@pytest.mark.parametrize(("rule", "text"), cases("VALID"))
def test_a_rule_accepts_what_is_valid(rule: Rule, text: str) -> None:
    assert [str(found) for found in findings(rule, text)] == []


@pytest.mark.parametrize(("rule", "text"), cases("INVALID"))
def test_a_rule_complains_of_each_marked_line_and_of_no_other(rule: Rule, text: str) -> None:
    marked = [
        line for line, content in enumerate(text.split("\n"), 1) for _ in re.findall(rf"# .*\b{rule.code}\b", content)
    ]
    assert [found.line for found in findings(rule, text)] == marked, [str(found) for found in findings(rule, text)]
    assert marked, "an invalid case marks no line"


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.code)
def test_a_rule_explains_itself(rule: Rule) -> None:
    """Its page has all sections, and it has cases of both kinds."""
    sections = re.findall(r"^## (.*)$", rule.explanation(), re.MULTILINE)
    assert sections == ["What it does", "Why is this bad?", "Example", "Use instead"]
    assert rule.VALID
    assert rule.INVALID
    assert re.fullmatch(r"FG[1-69]\d\d", rule.code)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.name)


def test_codes_and_names_are_used_once() -> None:
    codes = [rule.code for rule in all_rules()]
    names = [rule.name for rule in all_rules()]
    assert len(set(codes)) == len(codes)
    assert len(set(names)) == len(names)
