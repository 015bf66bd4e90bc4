"""What the looks of a picture mean."""

from __future__ import annotations

from flowgraph.render.picture import Picture

_MEANINGS = {
    "step": "step",
    "map": "map: each item is a step",
    "for_each": "for each item a step",
    "batch": "batch: each batch is a step",
    "sleep": "durable sleep",
    "sleep_until": "durable sleep until a time",
    "listen": "waits for an event",
    "child": "child workflow",
    "wait_for_workflow": "waits for a workflow",
    "progress": "progress message",
    "branch": "condition",
    "loop": "loop",
    "handler": "exception handler",
    "finally": "always runs",
    "fork": "side by side",
    "fail": "the run fails",
    "abort": "the run is aborted",
    "raise": "exception",
    "unknown": "not known before the run",
    "unplanned": "ran, and is not in the graph",
}


def legend_rows(picture: Picture) -> list[tuple[str, str]]:
    """The looks that are in use, each with its meaning, in a fixed order."""
    looks = {shape.look for shape in picture.shapes()}
    return [(look, meaning) for look, meaning in _MEANINGS.items() if look in looks]
