"""All walks through a graph, as the names of the steps that they pass: what the pictures and the rules rest on."""

from __future__ import annotations

from collections.abc import Iterator

from flowgraph.compiler import compile_source
from flowgraph.model.graph import Graph, Node

HEAD = "import asyncio, contextlib, functools\nfrom flowgraph import step, workflow\n"


def graph_of(body: str, before: str = "") -> Graph:
    """The graph of a workflow with this body; `before` is what stands above it in the module."""
    lines = "".join(f"    {line}\n" for line in body.strip("\n").splitlines())
    [graph] = compile_source(f"{HEAD}{before}\n@workflow\nasync def flow(c, n, xs):\n{lines}")
    return graph


def walks(graph: Graph, inside: str | None = None) -> set[str]:
    """The ways from the start to the end of a scope, each back edge taken at most once.

    A step is named, a way out is in brackets. A walk takes one branch of a fork.
    """
    scope = [node for node in graph.nodes if _scope(graph, node) == inside]
    [start] = [node for node in scope if node.kind == "start"]
    return {" ".join(walk) for walk in _from(graph, start, frozenset())}


def _from(graph: Graph, node: Node, taken: frozenset[object]) -> Iterator[tuple[str, ...]]:
    word = _word(node)
    if node.kind == "end":
        yield ()
        return
    for edge in graph.edges:
        if edge.source != node.id or (edge.kind == "back" and edge in taken):
            continue
        seen = taken | {edge} if edge.kind == "back" else taken
        for rest in _from(graph, graph.node(edge.target), seen):
            yield (*word, *rest)


def _word(node: Node) -> tuple[str, ...]:
    if node.is_step:
        return (node.name,)
    return (f"[{node.kind}]",) if node.kind in {"return", "raise", "fail", "abort", "unknown"} else ()


def _scope(graph: Graph, node: Node) -> str | None:
    return next((parent.id for parent in graph.parents(node) if parent.is_step), None)
