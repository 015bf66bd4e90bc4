"""What decides on the way of a run, compared in two graphs: branches, the headers of loops, and handlers.

Those of each scope are laid side by side in the order of the source, as the lines of two texts are.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher

import attrs

from flowgraph.model.difference.outline import Outline, Site
from flowgraph.model.graph import Node

_PLAIN = ("yes", "no", "else")
"""What stands on the ways of a branch where its name says what is tested."""


@attrs.frozen(eq=False)
class Condition:
    """Something that decides: as text, and the step that is next in the source."""

    text: str
    leads_to: Site | None


Turn = tuple[Condition | None, Condition | None]


def changed_conditions(old: Outline, new: Outline, scope: tuple[Site, Site]) -> Iterator[Turn]:
    """What decides in a scope of the old graph, and what does in its place in the new one; None for nothing."""
    before, after = _conditions(old, scope[0]), _conditions(new, scope[1])
    letters = SequenceMatcher(None, [one.text for one in before], [one.text for one in after], autojunk=False)
    for tag, first, last, other_first, other_last in letters.get_opcodes():
        if tag != "equal":
            yield from _turns(before[first:last], after[other_first:other_last])


def _turns(before: list[Condition], after: list[Condition]) -> Iterator[Turn]:
    for place in range(max(len(before), len(after))):
        yield (
            before[place] if place < len(before) else None,
            after[place] if place < len(after) else None,
        )


def _conditions(outline: Outline, scope: Site) -> list[Condition]:
    return [Condition(_text(outline, node), leads_to) for node, leads_to in outline.deciding(scope)]


def _text(outline: Outline, node: Node) -> str:
    """As it reads in the source; tests and cases stand on the ways that lead on."""
    if node.kind != "branch":
        return node.name
    tests = ", ".join(label for label in dict.fromkeys(outline.labels(node)) if label not in _PLAIN)
    if not node.name:
        return f"if {tests}"
    return f"match {node.name}: {tests}" if tests else f"if {node.name}"
