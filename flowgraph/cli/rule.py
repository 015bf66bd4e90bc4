"""``flowgraph rule``: what the rules of the lint are about."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flowgraph.cli.trouble import Trouble
from flowgraph.lint import all_rules

if TYPE_CHECKING:
    from flowgraph.lint import Rule


def explain(name: str | None, *, is_for_all: bool, as_json: bool) -> int:
    """Explain one rule, or all of them, or list them."""
    chosen = all_rules() if name is None else (_found(name),)
    if as_json:
        records = [_record(rule) for rule in chosen]
        print(json.dumps(records if name is None else records[0], indent=2, ensure_ascii=False))
    elif name is None and not is_for_all:
        _list(chosen)
    else:
        _print("\n\n".join(_page(rule) for rule in chosen))
    return 0


def _found(name: str) -> Rule:
    for rule in all_rules():
        if name.upper() == rule.code or name == rule.name:
            return rule
    words = [word for rule in all_rules() for word in (rule.code, rule.name)]
    raise Trouble(f"There is no rule {name!r}{_suggested(name, words)} `flowgraph rule` lists them all.")


def _suggested(name: str, words: list[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, words, 1)
    return f"; did you mean {close[0]}?" if close else "."


def _record(rule: Rule) -> dict[str, Any]:
    return {
        "code": rule.code,
        "name": rule.name,
        "severity": rule.severity,
        "on": rule.is_on,
        "summary": rule.summary(),
        "explanation": rule.explanation(),
    }


def _list(rules: Iterable[Rule]) -> None:
    for rule in rules:
        print(f"{rule.code}  {rule.severity:<7}  {rule.name:<26}  {rule.summary()}")


def _page(rule: Rule) -> str:
    state = "" if rule.is_on else ", off unless it is selected"
    return f"# {rule.name} ({rule.code}, {rule.severity}{state})\n\n{rule.explanation()}"


def _print(markdown: str) -> None:
    """Markdown: set on a terminal, as it is elsewhere."""
    if not sys.stdout.isatty():
        print(markdown)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console(highlight=False).print(Markdown(markdown))
