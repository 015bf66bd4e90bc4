"""Random programs are compiled and run: every run is a walk through the graph.

A run takes random branches, and its steps fail at random. Set FLOWGRAPH_PROGRAMS for more programs than the usual ones.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable

import pytest

from flowgraph.compiler import compile_source
from flowgraph.model.graph import Graph, Node
from tests.compiler.programs import Programs, Run, Trace

PROGRAMS = int(os.environ.get("FLOWGRAPH_PROGRAMS", "1600"))
PARTS = 8
RUNS = 6


@pytest.mark.parametrize("part", range(PARTS))
def test_every_run_of_a_random_program_is_a_walk_through_its_graph(part: int) -> None:
    for seed in range(part * PROGRAMS // PARTS, (part + 1) * PROGRAMS // PARTS):
        text = Programs(seed).program()
        [graph] = compile_source(text, f"program-{seed}.py")
        namespace: dict[str, object] = {"__name__": f"program_{seed}"}
        exec(compile(text, f"program-{seed}.py", "exec"), namespace)
        machine = Machine(graph)
        for number in range(RUNS):
            for path, trace in Run(namespace["flow"].fn, seed * 1_000 + number).traces:  # type: ignore[attr-defined]
                problem = machine.refusal(path, trace)
                assert problem is None, f"program {seed}, run {number}: {problem}\n{text}"


class Machine:
    """Follows traces through a graph, taking every way that fits at once."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._after: dict[str, list[Node]] = defaultdict(list)
        for edge in graph.edges:
            self._after[edge.source].append(graph.node(edge.target))
        self._starts: dict[str, list[Node]] = defaultdict(list)
        for node in graph.nodes:
            if node.kind == "start":
                step = next((parent for parent in graph.parents(node) if parent.is_step), None)
                self._starts["" if step is None else step.path].append(node)

    def refusal(self, path: str, trace: Trace) -> str | None:
        """Why a trace of the scope of `path` is no walk; None if it is one."""
        starts = self._starts.get(path)
        if starts is None:
            return f"the scope of {path!r} is not in the graph: {trace.names}" if trace.names else None
        places = self._reached(starts)
        for at, name in enumerate(trace.names):
            found = [node for node in places if node.is_step and node.name == name]
            if not found:
                return f"in {path!r} {name!r} does not follow {trace.names[:at]}"
            places = self._reached(after for node in found for after in self._after[node.id])
        if trace.complete and not any(node.kind == "end" for node in places):
            return f"{path!r} ended after {trace.names}, and the graph goes on"
        return None

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
