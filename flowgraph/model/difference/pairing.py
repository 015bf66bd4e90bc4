"""Which steps of two graphs are the same one, by rules that leave nothing to chance.

In this order, and each step at most once:

1. Those with the same path.
2. Those with steps of their own: same parent, same kind, and at least half of their steps have the same names.
3. Those that have moved: another parent, but the same name and the same kind.
4. Those that have another name: same parent, same kind, and two points of the following. In the source they come after
   the same step (1), and before the same step (1), where those that are new or gone themselves count as the same; the
   same variables lead into and out of them (1); the same options are given (1); they, and no other step, run the same
   function (2), or different ones (one less); their names are alike (1), or equal but for the values in them (2). The
   most points come first, then the nearest in the order of the source.

What is inside two such steps goes along with them where it has the same name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import attrs

from flowgraph.model.difference.likeness import Look, looks
from flowgraph.model.difference.outline import Outline, Site

How = Literal["same", "along", "moved", "renamed"]

ENOUGH = 2
"""So many points make two steps the same."""
NEAR = 10
"""Steps further from each other, counted in those that are new or gone, are not compared."""


@attrs.frozen(eq=False)
class Pair:
    """A step of the old graph and what it is in the new one.

    `how`: with the same path; along with a parent that is another; moved under another parent; or renamed.
    """

    old: Site
    new: Site
    how: How


class Pairing:
    """The pairs of two graphs; `lost` and `gained` are the steps that only one of them has."""

    def __init__(self, old: Outline, new: Outline) -> None:
        self._old = old
        self._new = new
        self._pairs: dict[Site, Pair] = {}
        self._taken: dict[Site, Pair] = {}
        self._pair(old.root, new.root, "same")
        scopes = [pair for pair in self._pairs.values() if _is_same_place(pair.how, pair.old, pair.new)]
        for scope in scopes:
            self._pair_parents(scope)
        self._pair_moved()
        for scope in scopes:
            self._pair_renamed(scope)

    @property
    def pairs(self) -> Iterator[Pair]:
        """The pairs of steps, in the order of the old graph."""
        return (self._pairs[site] for site in self._old.root.below() if site in self._pairs)

    @property
    def lost(self) -> Iterator[Site]:
        """The steps of the old graph that the new one does not have."""
        return (site for site in self._old.root.below() if site not in self._pairs)

    @property
    def gained(self) -> Iterator[Site]:
        """The steps of the new graph that the old one does not have."""
        return (site for site in self._new.root.below() if site not in self._taken)

    def goes_with_parent(self, pair: Pair) -> bool:
        """Tell whether a pair that moved is only where its parent is now."""
        return pair.old.parent is not None and self._partner(pair.old.parent) is pair.new.parent

    def _partner(self, old: Site) -> Site | None:
        pair = self._pairs.get(old)
        return None if pair is None else pair.new

    def _pair(self, old: Site, new: Site, how: How) -> None:
        self._pairs[old] = self._taken[new] = Pair(old, new, how)
        below: How = "same" if _is_same_place(how, old, new) else "along"
        for key, child in old.children.items():
            other = new.children.get(key)
            if other is not None and child not in self._pairs and other not in self._taken:
                self._pair(child, other, below)

    def _left(self, scope: Pair) -> tuple[list[Site], list[Site]]:
        """The steps of a scope that are in no pair yet."""
        lost = [site for site in scope.old.children.values() if site not in self._pairs and not site.is_progress]
        gained = [site for site in scope.new.children.values() if site not in self._taken and not site.is_progress]
        return lost, gained

    def _pair_parents(self, scope: Pair) -> None:
        lost, gained = ([site for site in sites if site.children] for sites in self._left(scope))
        for old in lost:
            candidates = [new for new in gained if new not in self._taken and new.kinds == old.kinds]
            best = max(candidates, key=lambda new: _in_common(old, new), default=None)
            if best is not None and 2 * _in_common(old, best) >= max(len(old.children), len(best.children)):
                self._pair(old, best, "renamed")

    def _pair_moved(self) -> None:
        places: dict[tuple[str, frozenset[str]], list[Site]] = {}
        for site in self.gained:
            if not site.is_progress:
                places.setdefault((site.name, site.kinds), []).append(site)
        for old in list(self.lost):
            candidates = places.get((old.name, old.kinds), ())
            new = next((site for site in candidates if site not in self._taken), None)
            if new is not None and old not in self._pairs:
                self._pair(old, new, "moved")

    def _pair_renamed(self, scope: Pair) -> None:
        lost, gained = self._looks(scope)
        found = []
        for place, look in enumerate(lost):
            for other in range(max(0, place - NEAR), min(len(gained), place + NEAR + 1)):
                points = look.points_with(gained[other])
                if points >= ENOUGH:
                    found.append((-points, abs(place - other), place, other))
        for _, _, place, other in sorted(found):
            old, new = lost[place].site, gained[other].site
            if old not in self._pairs and new not in self._taken:
                self._pair(old, new, "renamed")

    def _looks(self, scope: Pair) -> tuple[list[Look], list[Look]]:
        """How the steps of a scope look that are in no pair yet."""
        before, after = (site.children.values() for site in (scope.old, scope.new))
        known = {site: self._partner(site) for site in before if not site.is_progress}
        taken = {site: site if site in self._taken else None for site in after if not site.is_progress}
        return looks(self._old, known), looks(self._new, taken)


def _is_same_place(how: How, old: Site, new: Site) -> bool:
    """Tell whether what is inside two steps has the paths that it had."""
    return how == "same" and old.kinds <= new.kinds


def _in_common(old: Site, new: Site) -> int:
    return len(old.children.keys() & new.children.keys())
