"""How much speaks for a step that is gone and one that is new being the same one, in points."""

from __future__ import annotations

import re
from collections import Counter
from difflib import SequenceMatcher

import attrs

from flowgraph.model.difference.outline import Outline, Site

ALIKE = 0.6
"""Names are alike from this share of common letters on."""

_hole = re.compile(r"\{[^{}]*\}")


@attrs.frozen(eq=False)
class Look:
    """What is compared of a step.

    Its neighbours are steps of the new graph, or None for what is gone or new itself. The handler is "" where other
    steps run the same function, since it tells nothing then.
    """

    site: Site
    before: Site | str | None
    after: Site | str | None
    values: frozenset[tuple[str, str]]
    options: list[dict[str, str]]
    handler: str

    def points_with(self, new: Look) -> int:
        """The points for two steps; 0 where they are of different kinds."""
        if self.site.kinds != new.site.kinds:
            return 0
        points = (self.before == new.before) + (self.after == new.after)
        points += bool(self.values) and self.values == new.values
        points += any(self.options) and self.options == new.options
        points += _points_for_handlers(self.handler, new.handler)
        return points + _points_for_names(self.site.name, new.site.name)


def looks(outline: Outline, sites: dict[Site, Site | None]) -> list[Look]:
    """How those of the steps of one scope look that have no partner (None), in their order."""
    around = ["start", *sites.values(), "end"]
    calls = Counter(map(_handler, sites))
    return [
        Look(
            site,
            around[place],
            around[place + 2],
            outline.values(site),
            [node.options for node in site.nodes],
            _handler(site) if calls[_handler(site)] == 1 else "",
        )
        for place, (site, partner) in enumerate(sites.items())
        if partner is None
    ]


def _handler(site: Site) -> str:
    """The function that a step runs; "" where it is not known by a name."""
    written = {node.handler for node in site.nodes}
    only = written.pop() if len(written) == 1 else ""
    return only if only.replace(".", "").isidentifier() else ""


def _points_for_handlers(old: str, new: str) -> int:
    if not old or not new:
        return 0
    return 2 if old == new else -1


def without_values(name: str) -> str:
    """A name with its values left out.

    >>> without_values("fetch-{user.id}")
    'fetch-{}'
    """
    return _hole.sub("{}", name)


def _points_for_names(old: str, new: str) -> int:
    if without_values(old) == without_values(new):
        return 2
    letters = SequenceMatcher(None, old, new, autojunk=False)
    return int(letters.real_quick_ratio() >= ALIKE and letters.quick_ratio() >= ALIKE and letters.ratio() >= ALIKE)
