"""What a changed option of a step means for a run in flight.

Most options hold from the next attempt on. A few say what the items of a step are called, or how many of them make one:
a run that is in the middle of them cannot go on with others.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from flowgraph.model.checkpoint import BATCH, EXECUTE_WORKFLOW, FOR_EACH, LISTEN, MAP, START_WORKFLOW
from flowgraph.model.graph import Node

_GIVEN_ALIKE = {"key": "None", "batch_size": "20", "at_most_once": "False", "detached": "False", "returns": "None"}
"""What the options are that are not given."""

_BATCHES = "a run that is in the middle of it fails with ItemsChanged: its batches would be others"
_KEY_LOST = "a run that is in the middle of it fails with ItemsChanged, or does again what came from an iterator"
_KEY_GAINED = "a run that is in the middle of it does again the items that are done: they have no keys yet"
_KEY_OTHER = "a run that is in the middle of it does again the items whose keys are other texts now"
_EVENT = "events that were sent under the old name are not taken any more"
_RETURNS = "saved results are read as what it is now; one that does not fit pauses its run"
_ONCE = "an attempt that is under way as the code changes may run twice"
_NOT_ONCE = "an attempt that a crash cuts off runs again"
_CHILD = "a child run that has started stays as it is; one that has not is of the other workflow"
_CHILDREN = (EXECUTE_WORKFLOW, START_WORKFLOW)
_DETACHED = "child runs that are under way stay as they were started"


@attrs.frozen
class OptionChange:
    """One option: as it was written and as it is ("" where it was not), what follows, and whether that breaks runs."""

    option: str
    old: str
    new: str
    meaning: str = ""
    breaks: bool = False


def changed_options(old: Node, new: Node) -> Iterator[OptionChange]:
    """The options that differ between two nodes of one kind."""
    children = [one.arguments[0] if one.kind in _CHILDREN and one.arguments else "" for one in (old, new)]
    if children[0] != children[1]:
        yield OptionChange("workflow", children[0], children[1], _CHILD)
    for option in dict.fromkeys((*old.options, *new.options)):
        was, now = _value(old, option), _value(new, option)
        if was != now:
            meaning, breaks = _meaning(old.kind, option, was, now)
            yield OptionChange(option, old.options.get(option, ""), new.options.get(option, ""), meaning, breaks)


def _value(node: Node, option: str) -> str:
    default = repr(node.name) if (node.kind, option) == (LISTEN, "event") else _GIVEN_ALIKE.get(option, "")
    return node.options.get(option, default)


def _meaning(kind: str, option: str, was: str, now: str) -> tuple[str, bool]:
    match kind, option:
        case (str() as fan_out, "key") if fan_out in (MAP, FOR_EACH):
            return (_KEY_GAINED if was == "None" else _KEY_LOST if now == "None" else _KEY_OTHER), True
        case (str() as fan_out, "batch_size") if fan_out == BATCH:
            return _BATCHES, True
        case (_, "event"):
            return _EVENT, False
        case (_, "returns"):
            return _RETURNS, False
        case (_, "at_most_once"):
            return (_NOT_ONCE if now == "False" else _ONCE), False
        case (_, "detached"):
            return _DETACHED, False
    return "", False
