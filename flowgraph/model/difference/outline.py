"""The steps of a graph as runs tell them apart: one for each path, with those below it and those beside it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import attrs

from flowgraph.model.checkpoint import PROGRESS
from flowgraph.model.graph import Edge, Graph, Node

Key = tuple[bool, str]
"""By which a step is known among its siblings: whether it is a progress message, which has a name space of its own, and
its part of the path."""

ROOT: Key = (False, "")

DECIDING = frozenset({"branch", "loop", "handler"})
"""The kinds of nodes that decide on the way of a run."""


@attrs.frozen(eq=False)
class Site:
    """A step, wherever it is called: exclusive branches may call the same one.

    Attributes:
        key: by which it is known among its siblings.
        path: its path; "" for the workflow itself.
        order: its place among all steps of the graph, in the order of the source.
        parent: the step that it is inside, or the workflow.
        nodes: its nodes.
        children: the steps inside it.
    """

    key: Key
    path: str
    order: int
    parent: Site | None = None
    nodes: list[Node] = attrs.field(factory=list)
    children: dict[Key, Site] = attrs.field(factory=dict)

    @property
    def name(self) -> str:
        """Its part of the path."""
        return self.key[1]

    @property
    def is_progress(self) -> bool:
        """Whether it is a message, which is told and not done."""
        return self.key[0]

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of its nodes: one, in all but odd workflows."""
        return frozenset(node.kind for node in self.nodes)

    def below(self) -> Iterator[Site]:
        """The steps inside it, at any depth."""
        for child in self.children.values():
            yield child
            yield from child.below()


class Outline:
    """The steps of a graph, from the workflow (`root`) inwards."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.root = Site(ROOT, "", 0)
        self._by_id: dict[str, Site] = {}
        for node in graph.steps:
            self._add(node)

    def _add(self, node: Node) -> None:
        parent = self.around(node)
        rest = node.path.removeprefix(parent.path).removeprefix("[{index}]")
        key = (node.kind == PROGRESS, rest.removeprefix("/"))
        if key not in parent.children:
            parent.children[key] = Site(key, node.path, len(self._by_id) + 1, parent)
        parent.children[key].nodes.append(node)
        self._by_id[node.id] = parent.children[key]

    def around(self, node: Node) -> Site:
        """The step that a node is inside, or the workflow."""
        return next((self._by_id[one.id] for one in self.graph.parents(node) if one.is_step), self.root)

    def deciding(self, scope: Site) -> list[tuple[Node, Site | None]]:
        """The branches, loops and handlers inside a step, but for those inside its own steps.

        Each comes with the step that is next in the source; None where there is no other in the scope.
        """
        return self._deciding.get(scope, [])

    @cached_property
    def _deciding(self) -> dict[Site, list[tuple[Node, Site | None]]]:
        found: dict[Site, list[tuple[Node, Site | None]]] = {}
        nexts: dict[Site, Site] = {}
        for node in reversed(self.graph.nodes):
            scope = self.around(node)
            if node.id in self._by_id:
                nexts[scope] = self._by_id[node.id]
            elif node.kind in DECIDING:
                found.setdefault(scope, []).insert(0, (node, nexts.get(scope)))
        return found

    def labels(self, node: Node) -> list[str]:
        """What is written on the ways that lead on from a node."""
        return [edge.label for edge in self._onwards.get(node.id, ()) if edge.label]

    def values(self, site: Site) -> frozenset[tuple[str, str]]:
        """The variables through which results go into a step and out of it."""
        return frozenset(label for node in site.nodes for label in self._data.get(node.id, ()))

    def can_follow(self, first: Site, then: Site) -> bool:
        """Tell whether a run may come from one step to another, the next passes of loops left aside."""
        return any(self._after[node.id] >> then.order & 1 for node in first.nodes)

    @cached_property
    def _onwards(self) -> dict[str, list[Edge]]:
        found: dict[str, list[Edge]] = {}
        for edge in self.graph.edges:
            if edge.kind in ("control", "exception"):
                found.setdefault(edge.source, []).append(edge)
        return found

    @cached_property
    def _data(self) -> dict[str, list[tuple[str, str]]]:
        found: dict[str, list[tuple[str, str]]] = {}
        for edge in self.graph.edges:
            if edge.kind == "data":
                found.setdefault(edge.source, []).append(("out of", edge.label))
                found.setdefault(edge.target, []).append(("into", edge.label))
        return found

    @cached_property
    def _after(self) -> dict[str, int]:
        """By node, the steps that may come after it, as bits: a set of them for each would be too large."""
        found: dict[str, int] = {}
        for node in self.graph.nodes:
            waiting = [node.id]
            while waiting:
                id_ = waiting[-1]
                targets = [edge.target for edge in self._onwards.get(id_, ())]
                left = [target for target in targets if target not in found]
                if id_ in found or not left:
                    waiting.pop()
                    found[id_] = self._bits(targets, found)
                else:
                    found[id_] = 0
                    waiting.extend(left)
        return found

    def _bits(self, targets: list[str], found: dict[str, int]) -> int:
        bits = 0
        for target in targets:
            bits |= found[target] | (1 << self._by_id[target].order if target in self._by_id else 0)
        return bits
