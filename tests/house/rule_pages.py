"""The pages of the rules, made from the rules.

python tests/house/rule_pages.py      # writes them into docs/reference/rules
"""

from __future__ import annotations

from pathlib import Path

from flowgraph.lint import Rule, all_rules

FOLDER = Path(__file__).parents[2] / "docs" / "reference" / "rules"
FAMILIES = {
    "1": "Names of steps",
    "2": "Calls of steps",
    "3": "Ways through a workflow",
    "4": "What a replay needs",
    "5": "Options",
    "6": "The project",
    "9": "The lint itself",
}


def pages() -> dict[str, str]:
    """The texts of all pages by their names."""
    return {"index.md": index(), **{f"{rule.code}.md": page(rule) for rule in all_rules()}}


def index() -> str:
    """All rules, by families."""
    parts = ["# The rules\n\nMade from the rules themselves; [the lint](../lint.md) says how to choose among them.\n"]
    for digit, family in FAMILIES.items():
        rules = [rule for rule in all_rules() if rule.code[2] == digit]
        rows = [
            f"| [{rule.code}]({rule.code}.md) | `{rule.name}` | {level(rule)} | {rule.summary()} |" for rule in rules
        ]
        if rows:
            parts.append(
                "\n".join([f"\n## {family}\n", "| code | name | severity | finds |", "|---|---|---|---|", *rows, ""])
            )
    return "".join(parts)


def page(rule: Rule) -> str:
    """The page of one rule; its examples are not run, since they show what is wrong."""
    text = rule.explanation().replace("```python\n", "```python no-run\n")
    return f"# {rule.code} {rule.name}\n\nSeverity: {level(rule)}.\n\n{text}\n"


def level(rule: Rule) -> str:
    """The severity, and when it is not checked."""
    if rule.is_on:
        return rule.severity
    return f"{rule.severity}, shown when selected" if rule.on else f"{rule.severity}, off until selected"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.md"):
        old.unlink()
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
