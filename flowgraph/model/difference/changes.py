"""What became of the steps of a workflow, one change for each, with what it means for a run in flight.

What is inside a step that has another name or another place goes along with it: it is counted in the note of that step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import attrs

from flowgraph.model.difference.likeness import without_values
from flowgraph.model.difference.option_changes import OptionChange, changed_options
from flowgraph.model.difference.outline import Site
from flowgraph.model.difference.pairing import Pair, Pairing

ChangeKind = Literal["added", "removed", "renamed", "moved", "reordered", "kind-changed", "options", "condition"]


@attrs.frozen
class Change:
    """One change of a workflow.

    Attributes:
        kind: what was done.
        path_old: the step in the old graph; "" for the workflow itself, None where there is none.
        path_new: the step in the new graph.
        breaks: whether a run that has done the step, or is in the middle of it, is harmed.
        note: what it means for such a run.
    """

    kind: ChangeKind
    path_old: str | None
    path_new: str | None
    breaks: bool = False
    note: str = ""


def of_pairs(pairing: Pairing) -> Iterator[Change]:
    """The changes of the steps that both graphs have."""
    for pair in pairing.pairs:
        match pair.how:
            case "renamed":
                yield _change("renamed", pair, f"{_renamed(pair.old.name, pair.new.name)}{_with_inner(pair.old)}")
            case "moved" if not pairing.goes_with_parent(pair):
                yield _change("moved", pair, f"it runs again {_place(pair.new)}{_with_inner(pair.old)}")
            case "same" if pair.old.kinds != pair.new.kinds:
                yield _kind_changed(pair)
            case "same":
                yield from _options(pair)
            case _:
                pass


def of_lost(pairing: Pairing, *, is_complete: bool) -> Iterator[Change]:
    """The steps that are gone; `is_complete` says that all steps of the new graph are known."""
    lost = list(pairing.lost)
    gone = set(lost)
    for site in _topmost(lost):
        note = "nobody is told it any more"
        if not site.is_progress:
            inner = sum(below in gone and not below.is_progress for below in site.below())
            also = f", with {_those(inner)} inside it" if inner else ""
            unless = "" if is_complete else ", unless it is in what is unknown"
            note = f"its saved result is orphaned{also}{unless}"
        yield Change("removed", site.path, None, note=note)


def of_gained(pairing: Pairing) -> Iterator[Change]:
    """The steps that are new."""
    for site in _topmost(pairing.gained):
        yield Change("added", None, site.path)


def _change(kind: ChangeKind, pair: Pair, note: str, *, breaks: bool = True) -> Change:
    return Change(kind, pair.old.path, pair.new.path, breaks, note)


def _renamed(old: str, new: str) -> str:
    """What another name means, by what became of the values in it."""
    had, has = ("{}" in without_values(name) for name in (old, new))
    if had and has and without_values(old) == without_values(new):
        return "another value is in its name; where that is another text, it runs again"
    if had != has:
        how = "has a value in it now" if has else "has no value in it any more"
        return f"its name {how}; where it is another text, it runs again"
    return "it runs again under its new name"


def _place(site: Site) -> str:
    return f"inside {site.parent.path!r}" if site.parent is not None and site.parent.path else "outside of other steps"


def _with_inner(site: Site) -> str:
    count = sum(not below.is_progress for below in site.below())
    steps = "the step" if count == 1 else f"the {count} steps"
    return f", with {steps} inside it" if count else ""


def _those(count: int) -> str:
    return "that of the step" if count == 1 else f"those of the {count} steps"


def _kind_changed(pair: Pair) -> Change:
    was, now = (" or ".join(sorted(site.kinds)) for site in (pair.old, pair.new))
    is_gone = not pair.old.kinds <= pair.new.kinds
    then = "a run that has it is paused as incompatible" if is_gone else "what is done stays done"
    return _change("kind-changed", pair, f"it was {was} and is {now}; {then}", breaks=is_gone)


def _options(pair: Pair) -> Iterator[Change]:
    nodes = zip(pair.old.nodes, pair.new.nodes, strict=False)
    alike = [(old, new) for old, new in nodes if old.kind == new.kind]
    found = dict.fromkeys(change for old, new in alike for change in changed_options(old, new))
    if found:
        note = "; ".join(map(_option, found))
        yield _change("options", pair, note, breaks=any(change.breaks for change in found))


def _option(change: OptionChange) -> str:
    was, now = change.old or "not given", change.new or "not given"
    meaning = f" ({change.meaning})" if change.meaning else ""
    return f"{change.option} was {was}, is {now}{meaning}"


def _topmost(sites: Iterable[Site]) -> list[Site]:
    """The sites that are inside none of the others."""
    listed = list(sites)
    inside = {below for site in listed for below in site.children.values()}
    return [site for site in listed if site not in inside]
