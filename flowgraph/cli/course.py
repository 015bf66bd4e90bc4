"""How far a run has come along its graph, and what it may still do. No I/O.

A step of the graph counts once, however often a loop, or the items of a map, come past it. What is still to come is
what can be reached from where the run is: both arms of a branch until one is taken, a handler only after a failure. So
the total is what is still possible, and it shrinks on the way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flowgraph.model import Checkpoint
from flowgraph.model.checkpoint import COMPLETED, FAILED, PROGRESS, STEP
from flowgraph.model.graph import Edge, Graph, Node
from flowgraph.model.plan import Plan


class Course:
    """One run on its graph: rows go in, counts come out."""

    def __init__(self, graph: Graph) -> None:
        self.fingerprint = graph.fingerprint
        self._plan = Plan(graph.nodes)
        self._map = _Map(graph)
        self._entered: set[str] = set()
        self._finished: set[str] = set()
        self._failed: set[str] = set()
        self._possible: list[Node] | None = None

    def take(self, row: Checkpoint) -> None:
        """Take in a row of the run."""
        node = self._plan.node(row.path, row.kind)
        if node:
            is_over = row.state in (COMPLETED, FAILED) and not row.path.endswith("]")
            self._note(node, self._finished if is_over else self._entered)
            if is_over and row.state == FAILED:
                self._note(node, self._failed)

    def begin(self, path: str) -> None:
        """Take in that an attempt of a step begins."""
        node = self._plan.node(path, STEP)
        if node:
            self._note(node, self._entered)

    def _note(self, node: str, of: set[str]) -> None:
        if node in of:
            return
        of.add(node)
        self._possible = None
        around = self._map.scope_of[node]
        if around is not None:  # A step with steps of its own has no row before it ends.
            self._note(around, self._entered)

    def counts(self) -> tuple[int, int]:
        """How many steps have ended, and how many there are as far as can be said now."""
        done = {node.id for node in self._map.counted if node.id in self._finished}
        return len(done), len(done | {node.id for node in self._still_possible()})

    def to_come(self) -> list[Node]:
        """The steps of the workflow itself that have not begun and may still, in the order of the source."""
        seen = self._entered | self._finished
        return [node for node in self._still_possible() if node.id not in seen and self._map.scope_of[node.id] is None]

    def _still_possible(self) -> list[Node]:
        if self._possible is None:
            seen = self._entered | self._finished
            reached = {*self._map.reached(None, seen, self._finished, self._failed), *self._entered}
            self._possible = [node for node in self._map.counted if node.id in reached]
        return self._possible


class _Map:
    """A graph by scopes: what belongs to the workflow, and to each step with steps of its own."""

    def __init__(self, graph: Graph) -> None:
        self.counted = [node for node in graph.steps if node.kind != PROGRESS]
        self.scope_of = {node.id: _scope(graph, node) for node in graph.nodes}
        self._loops = {node.id: _loops(graph, node) for node in graph.nodes}
        self._members: dict[str | None, list[Node]] = {}
        for node in graph.nodes:
            self._members.setdefault(self.scope_of[node.id], []).append(node)
        self._out: dict[str, list[Edge]] = {}
        self._in: dict[str, list[str]] = {}
        for edge in graph.edges:
            if edge.kind != "data":
                self._out.setdefault(edge.source, []).append(edge)
            if edge.kind == "control":
                self._in.setdefault(edge.target, []).append(edge.source)

    def reached(self, scope: str | None, seen: set[str], finished: set[str], failed: set[str]) -> Iterator[str]:
        """The nodes of a scope, and of the scopes in it, that a run may come to; `seen` have begun."""
        members = self._members.get(scope, [])
        begun = {node.id for node in members if node.id in seen}
        first = self._frontier(members, begun) if begun else [node.id for node in members if node.kind == "start"]
        for id_ in self._onwards(first, failed):
            yield id_
            if id_ in self._members and id_ not in finished:
                yield from self.reached(id_, seen, finished, failed)

    def _frontier(self, members: list[Node], begun: set[str]) -> list[str]:
        """Where a run is: the last steps that have begun, and the forks that it has not left."""
        before = self._before(begun)
        forks = [node.id for node in members if node.kind == "fork" and node.id in before]
        here = [*(begun - before), *(fork for fork in forks if not self._left(fork, begun))]
        return [id_ for id_ in here if not any(self._loop_is_left(loop, begun) for loop in self._loops[id_])]

    def _loop_is_left(self, loop: str, begun: set[str]) -> bool:
        """Tell whether something has begun that comes after a loop: from its body, only back edges lead there."""
        return loop in self._before({id_ for id_ in begun if loop not in self._loops[id_]})

    def _before(self, begun: set[str]) -> set[str]:
        """All nodes from which a forward way leads to one that has begun."""
        waiting = [source for id_ in begun for source in self._in.get(id_, ())]
        found: set[str] = set()
        while waiting:
            id_ = waiting.pop()
            if id_ not in found:
                found.add(id_)
                waiting.extend(self._in.get(id_, ()))
        return found

    def _left(self, fork: str, begun: set[str]) -> bool:
        """Tell whether something has begun that comes after all ways of a fork."""
        ways = [self._forward(edge.target) for edge in self._out.get(fork, ())]
        return bool(begun.intersection(*ways)) if ways else True

    def _forward(self, first: str) -> set[str]:
        waiting, found = [first], {first}
        while waiting:
            for edge in self._out.get(waiting.pop(), ()):
                if edge.kind == "control" and edge.target not in found:
                    found.add(edge.target)
                    waiting.append(edge.target)
        return found

    def _onwards(self, first: Iterable[str], failed: set[str]) -> list[str]:
        waiting = list(first)
        found = dict.fromkeys(waiting)
        while waiting:
            id_ = waiting.pop()
            for edge in self._out.get(id_, ()):
                if edge.target not in found and (edge.kind != "exception" or id_ in failed):
                    found[edge.target] = None
                    waiting.append(edge.target)
        return list(found)


def _scope(graph: Graph, node: Node) -> str | None:
    """The step that a node is inside; None for the workflow. Loops are no scopes of their own."""
    return next((parent.id for parent in graph.parents(node) if parent.is_step), None)


def _loops(graph: Graph, node: Node) -> frozenset[str]:
    """The loops that a node is in, inside its scope."""
    found = []
    for parent in graph.parents(node):
        if parent.is_step:
            break
        found.append(parent.id)
    return frozenset(found)
