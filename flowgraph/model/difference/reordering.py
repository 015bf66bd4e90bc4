"""Steps that come before one now that they came after, as few of them as tell of it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from flowgraph.model.difference.outline import Outline, Site
from flowgraph.model.difference.pairing import Pair, Pairing


def reordered(before: Outline, after: Outline, pairing: Pairing) -> Iterator[Pair]:
    """The steps that have another place among those beside them; the arms of a branch may change places freely."""
    scopes: dict[Site | None, list[Pair]] = {}
    for pair in pairing.pairs:
        if pair.how == "same":
            scopes.setdefault(pair.old.parent, []).append(pair)
    for pairs in scopes.values():
        for pair in _out_of_order(pairs):
            if any(_swapped(before, after, pair, other) for other in pairs):
                yield pair


def _out_of_order(pairs: list[Pair]) -> list[Pair]:
    """Those to move so that the others are in the same order: all but a longest rising sequence."""
    lasts: list[int] = []
    lengths = []
    for pair in pairs:
        place = bisect_left(lasts, pair.new.order)
        lasts[place : place + 1] = [pair.new.order]
        lengths.append(place)
    wanted, left = len(lasts) - 1, list[Pair]()
    for pair, length in zip(reversed(pairs), reversed(lengths), strict=True):
        if length == wanted:
            wanted -= 1
        else:
            left.append(pair)
    return left[::-1]


def _swapped(before: Outline, after: Outline, one: Pair, other: Pair) -> bool:
    """Tell whether runs only came from the one to the other, and come only from the other to the one."""
    came, comes = _comes(before, one.old, other.old), _comes(after, one.new, other.new)
    return came != 0 and came == -comes


def _comes(outline: Outline, one: Site, other: Site) -> int:
    """1 where the one only comes before the other, -1 where it only comes after it, else 0."""
    return outline.can_follow(one, other) - outline.can_follow(other, one)
