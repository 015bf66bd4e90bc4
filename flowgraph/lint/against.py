"""What a lint is held against: the workflows as they were, or the runs of a store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import attrs

from flowgraph.model.difference import Change, differences
from flowgraph.model.graph import Graph


@attrs.frozen
class Breakage:
    """A change of a workflow that harms runs in flight; `runs` are their ids, where they are known.

    `path` is the file of the workflow as it was.
    """

    workflow: str
    change: Change
    path: str
    runs: tuple[str, ...] = ()


Against = Callable[[Sequence[Graph]], Iterable[Breakage]]
"""Gives what the graphs of the new code would break."""


def against_graphs(old: Sequence[Graph]) -> Against:
    """Hold the code against the graphs of its workflows as they were."""
    paths = {graph.workflow: graph.path for graph in old}

    def breakages(new: Sequence[Graph]) -> Iterator[Breakage]:
        for difference in differences(old, new):
            for change in difference.breaking:
                yield Breakage(difference.workflow, change, paths[difference.workflow])

    return breakages
