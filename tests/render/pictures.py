"""Reads a DOT source back: nodes, the cluster that each is in, and edges."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from pathlib import Path

from flowgraph import Graph, compile_source
from flowgraph.render import Overlay, View, draw

ROOT = Path(__file__).parents[2]
HEAD = "import asyncio, contextlib, functools\nfrom flowgraph import StepFailed, step, workflow\n"


def graph_of(body: str, before: str = "", parameters: str = "c, n, xs") -> Graph:
    """The graph of a workflow with such a body."""
    lines = "\n    ".join(body.splitlines())
    [graph] = compile_source(f"{HEAD}{before}\n@workflow\nasync def flow({parameters}):\n    {lines}\n", "flows.py")
    return graph


@dataclass
class Drawn:
    """A DOT source, read."""

    nodes: dict[str, dict[str, str]] = field(default_factory=dict)
    inside: dict[str, list[str]] = field(default_factory=dict)
    clusters: dict[str, dict[str, str]] = field(default_factory=dict)
    edges: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def text(self, name: str) -> str:
        """The label of a node, without its markup."""
        return plain(self.nodes[name].get("label", ""))

    def named(self, text: str) -> str:
        """The node whose label begins with a text."""
        [found] = [name for name in self.nodes if self.text(name) == text or self.text(name).startswith(f"{text}\n")]
        return found

    def kinds(self) -> list[str]:
        """The first class of each node, in their order."""
        return [values["class"].split()[0] for values in self.nodes.values()]

    def ways(self) -> set[tuple[str, str, str]]:
        """The edges that are seen, with their labels, by the texts of their ends."""
        seen = [(source, target, values) for source, target, values in self.edges if values.get("style") != "invis"]
        return {
            (self._end(source), self._end(target), values.get("label", "").strip()) for source, target, values in seen
        }

    def _end(self, name: str) -> str:
        return self.text(name).partition("\n")[0] or self.nodes[name]["class"].split()[0]


def plain(label: str) -> str:
    """A label as text."""
    if not label.startswith("<"):
        return label
    return html.unescape(re.sub(r"<[^>]*>", "", re.sub(r"<br[^>]*>", "\n", label[1:-1]))).replace("\\\\", "\\")


def drawn(graph: Graph, view: View | None = None, overlay: Overlay | None = None) -> Drawn:
    """The DOT source of a graph, read."""
    return read(draw(graph, "dot", view, overlay).decode())


_VALUE = r'<(?:[^<>]|<[^<>]*>)*>|"(?:[^"\\]|\\.)*"|[^\s\]"<]+'
_EDGE = re.compile(r"^\s*(\w+) -> (\w+)(?: \[(.*)\])?$")
_NODE = re.compile(r"^\s*(\w+) \[(.*)\]$")
_DEFAULTS = frozenset({"graph", "node", "edge"})


def read(source: str) -> Drawn:
    """Read what the graphviz package writes: one statement a line."""
    found, around = Drawn(), [""]
    for line in source.splitlines()[1:]:
        if begun := re.match(r"^\s*subgraph (\w+) \{$", line):
            around.append(begun[1])
            found.inside[begun[1]] = []
        elif line.strip() == "}":
            around.pop()
        elif edge := _EDGE.match(line):
            found.edges.append((edge[1], edge[2], _attributes(edge[3] or "")))
        elif node := _NODE.match(line):
            if node[1] in _DEFAULTS:
                continue
            found.nodes[node[1]] = _attributes(node[2])
            for cluster in around[1:]:
                found.inside[cluster].append(node[1])
        elif values := re.match(r"^\s*graph \[(.*)\]$", line):
            found.clusters[around[-1]] = _attributes(values[1])
    return found


def _attributes(text: str) -> dict[str, str]:
    pairs = re.findall(rf'(\w+|"\w+")=({_VALUE})', text)
    return {key.strip('"'): value[1:-1].replace('\\"', '"') if value.startswith('"') else value for key, value in pairs}
