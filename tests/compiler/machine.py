"""Follows what a run did through a graph."""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Iterable

from flowgraph.model.graph import Graph, Node
from tests.compiler.programs import Trace


class Machine:
    """Follows traces through a graph, taking every way that fits at once."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._after: dict[str, list[Node]] = defaultdict(list)
        for edge in graph.edges:
            if edge.kind != "data":
                self._after[edge.source].append(graph.node(edge.target))
        self._starts: dict[str, list[Node]] = defaultdict(list)
        self._branches: dict[str, list[Node]] = defaultdict(list)
        """Where tasks begin: behind a fork, or with a pass of a loop whose passes run side by side."""
        for node in graph.nodes:
            step = next((parent for parent in graph.parents(node) if parent.is_step), None)
            path = "" if step is None else step.path
            if node.kind == "start":
                self._starts[path].append(node)
            elif node.kind in ("fork", "loop"):
                self._branches[path] += self._after[node.id]
        parents = {node.parent for node in graph.nodes if node.kind == "start"}
        self._leaves = {node.path for node in graph.steps if node.id not in parents}
        joins = [node for node in graph.nodes if node.kind == "join"]
        for fork in [node for node in graph.nodes if node.kind in ("fork", "loop")]:
            # The task that gathers goes straight on, or gets the exception of a branch.
            self._after[fork.id] += [one for one in joins if (one.line, one.parent) == (fork.line, fork.parent)]
            self._after[fork.id] += self._caught_from(fork)
        self._patterns = {node.id: pattern(node.name) for node in graph.steps}

    def refusal(self, path: str, trace: Trace) -> str | None:
        """Why a trace of the scope of `path` is no walk; None if it is one."""
        scopes = self._starts if trace.main else self._branches
        starts = [node for scope, nodes in scopes.items() if pattern(scope).fullmatch(path) for node in nodes]
        if not trace.names and any(pattern(leaf).fullmatch(path) for leaf in self._leaves):
            return None
        if not starts:
            return f"the scope of {path!r} is not in the graph: {trace.names}" if trace.names else None
        places = self._reached(starts)
        for at, name in enumerate(trace.names):
            found = [node for node in places if node.is_step and self._patterns[node.id].fullmatch(name)]
            if not found:
                return f"in {path!r} {name!r} does not follow {trace.names[:at]}"
            places = self._reached(after for node in found for after in self._after[node.id])
        if trace.main and trace.complete and not any(node.kind == "end" for node in places):
            return f"{path!r} ended after {trace.names}, and the graph goes on"
        return None

    def _caught_from(self, fork: Node) -> list[Node]:
        """Where the exceptions of a fork's branches lead."""
        branch, stack, caught = {fork.id}, [fork.id], []
        while stack:
            source = stack.pop()
            for edge in self._graph.edges:
                if edge.source != source or edge.kind == "data":
                    continue
                if edge.kind == "exception":
                    caught.append(self._graph.node(edge.target))
                elif edge.target not in branch and self._graph.node(edge.target).kind != "join":
                    branch.add(edge.target)
                    stack.append(edge.target)
        return caught

    def _reached(self, nodes: Iterable[Node]) -> list[Node]:
        """The steps and ends that can come next."""
        seen: dict[str, Node] = {}
        stack = list(nodes)
        while stack:
            node = stack.pop()
            if node.id in seen:
                continue
            seen[node.id] = node
            if not node.is_step and node.kind != "end":
                stack.extend(self._after[node.id])
        return [node for node in seen.values() if node.is_step or node.kind == "end"]


@functools.cache
def pattern(template: str) -> re.Pattern[str]:
    """What a name or a path with holes can be in a run."""
    parts = re.split(r"(\{[^}]*\})", template)
    return re.compile("".join("[^/]*" if part.startswith("{") else re.escape(part) for part in parts), re.DOTALL)
