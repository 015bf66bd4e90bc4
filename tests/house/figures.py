"""What the documentation says about statuses, made from the table of transitions.

python tests/house/figures.py      # writes it into docs/reference/statuses.md
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from flowgraph.model.run import FINISHED, TRANSITIONS, RunStatus

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "statuses.md"
MARKED = re.compile(r"(?<=<!-- transitions: begin -->\n).*?(?=<!-- transitions: end -->)", re.DOTALL)


def transitions() -> str:
    """The figure and the table, as Markdown."""
    return f"\n```mermaid\n{figure()}```\n\n{table()}\n"


def figure() -> str:
    """The transitions as a state diagram; those with the same ends share an arrow."""
    arrows: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, (sources, targets) in TRANSITIONS.items():
        for source in _ordered(sources):
            for target in _ordered(targets):
                arrows[source, target].append(name)
    lines = [f"    {source} --> {target}: {', '.join(names)}" for (source, target), names in arrows.items()]
    ends = [f"    {status} --> [*]" for status in _ordered(FINISHED)]
    return "\n".join(["stateDiagram-v2", "    [*] --> pending", *lines, *ends, ""])


def table() -> str:
    """The transitions as a table."""
    rows = [
        f"| {name} | {', '.join(_ordered(sources))} | {', '.join(_ordered(targets))} |"
        for name, (sources, targets) in TRANSITIONS.items()
    ]
    return "\n".join(["| transition | from | to |", "|---|---|---|", *rows])


def _ordered(statuses: frozenset[RunStatus]) -> list[str]:
    return [status.value for status in RunStatus if status in statuses]


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(MARKED.sub(lambda _: transitions(), text), encoding="utf-8")
