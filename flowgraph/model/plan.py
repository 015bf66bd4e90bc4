"""Binding: which node of a graph a step of a run is, by its path and its kind.

A literal path is looked up. A path with holes is a pattern: a hole stands for any text inside one part of a path, since
what separates parts is escaped in the names of a run. The item of a map, and a batch, is the map's node.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Protocol

from flowgraph.model.checkpoint import FAN_OUTS, STEP
from flowgraph.model.holes import name_parts
from flowgraph.model.names import parent_path

UNPLANNED = ""
"""The node of a step that its graph does not know."""


class PlannedNode(Protocol):
    """What is needed of a node."""

    @property
    def id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def path(self) -> str: ...


class Plan:
    """The nodes of one graph, ready to be looked up.

    >>> from flowgraph.model.graph import Node
    >>> plan = Plan([Node("2", "map", "charge", "charge"), Node("4", "step", "mail-{n}", "charge[{index}]/mail-{n}")])
    >>> plan.node("charge", "map"), plan.node("charge[7]", "step"), plan.node("charge[7]/mail-a", "step")
    ('2', '2', '4')
    >>> plan.node("refund", "step")
    ''
    """

    def __init__(self, nodes: Iterable[PlannedNode]) -> None:
        listed = list(nodes)
        self.is_complete = all(node.kind != "unknown" for node in listed)
        """Whether all steps are known."""
        places: dict[str, dict[str, str]] = {}
        for node in listed:
            for path, kind in _places(node):
                places.setdefault(kind, {}).setdefault(path, node.id)
        self._kinds = {kind: _Kind(found) for kind, found in places.items()}
        self._paths = {node.id: node.path for node in listed if node.path}

    def node(self, path: str, kind: str) -> str:
        """The id of the node of a step; `UNPLANNED` where there is none."""
        found = self._kinds.get(kind)
        return UNPLANNED if found is None else found.by_path.get(path) or found.by_pattern(path)

    def is_out_of_sight(self, path: str) -> bool:
        """Tell whether a step is below one whose handler the graph has no step of: what it awaits was not followed."""
        around = parent_path(path)
        around = parent_path(around) if around.endswith("]") else around
        if not around:
            return False
        ids = [id_ for kind in self._kinds if (id_ := self.node(around, kind)) != UNPLANNED]
        below = tuple(f"{self._paths[id_]}{mark}" for id_ in ids for mark in ("/", "["))
        return not any(other.startswith(below) for other in self._paths.values())


class _Kind:
    """The nodes of one kind. All patterns are one, so that a step in a loop costs one search and keeps nothing."""

    __slots__ = ("_ids", "_pattern", "by_path")

    def __init__(self, nodes: dict[str, str]) -> None:
        self.by_path: dict[str, str] = {}
        templates: list[tuple[list[str | None], str]] = []
        for path, id_ in nodes.items():
            parts = list(_parts(path))
            texts = [part for part in parts if part is not None]
            if len(texts) == len(parts):
                self.by_path["".join(texts)] = id_
            else:
                templates.append((parts, id_))
        templates.sort(key=_unknown_share)
        self._ids = [id_ for _, id_ in templates]
        self._pattern = re.compile("|".join(f"({_pattern(parts)})" for parts, _ in templates)) if templates else None

    def by_pattern(self, path: str) -> str:
        found = None if self._pattern is None else self._pattern.fullmatch(path)
        return UNPLANNED if found is None else self._ids[(found.lastindex or 1) - 1]


def _unknown_share(template: tuple[list[str | None], str]) -> int:
    """Templates with more text of their own come first."""
    return -sum(len(part) for part in template[0] if part is not None)


def _places(node: PlannedNode) -> Iterator[tuple[str, str]]:
    """The paths at which a node's steps are, with their kinds."""
    if node.path:
        yield node.path, node.kind
    if node.kind in FAN_OUTS:
        yield f"{node.path}[{{index}}]", STEP


def _pattern(parts: list[str | None]) -> str:
    return "".join(r"[^/\[\]]*" if part is None else re.escape(part) for part in parts)


def _parts(path: str) -> Iterator[str | None]:
    """The texts of a template in order, with None for each hole."""
    return (None if is_hole else part for part, is_hole in name_parts(path))
