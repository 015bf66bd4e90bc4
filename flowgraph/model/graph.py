"""The graph of a workflow: what it may do, as nodes and edges, with the places in its source.

A graph has a scope for the workflow and one for each step whose handler has steps of its own. Every scope begins at a
``start`` node and ends at an ``end`` node, and each run of it is a walk from one to the other. The only edges that lead
back are those of kind ``back``.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import attrs

from flowgraph.errors import InvalidOption
from flowgraph.model.checkpoint import (
    BATCH,
    EXECUTE_WORKFLOW,
    FAN_OUTS,
    FOR_EACH,
    LISTEN,
    MAP,
    PROGRESS,
    SLEEP,
    SLEEP_UNTIL,
    START_WORKFLOW,
    STEP,
    WAIT_FOR_WORKFLOW,
)

if TYPE_CHECKING:
    import networkx

EdgeKind = Literal["control", "back", "exception", "data"]

DRAWN_BY = "flowgraph.render"
"""What draws graphs: it is above this package, and is loaded when the first picture is asked for."""

VERSION = 1
"""Of the JSON form."""

FINGERPRINT_LENGTH = 20
"""80 bits of a SHA-256: every run has one in its row, and no store will have 2^40 graphs."""

STEP_KINDS = FAN_OUTS | {
    STEP,
    SLEEP,
    SLEEP_UNTIL,
    PROGRESS,
    LISTEN,
    EXECUTE_WORKFLOW,
    START_WORKFLOW,
    WAIT_FOR_WORKFLOW,
    "transaction",
}
"""The kinds of nodes that are steps. The others are start, end, fail, abort, branch, loop, try, handler, finally, fork,
join, return, raise and unknown."""


@attrs.frozen
class Span:
    """A place in a source file. Lines and columns count from 1; the end is the column after the last character."""

    line: int
    column: int
    end_line: int
    end_column: int


@attrs.frozen
class Node:
    """One node.

    Attributes:
        id: its number in the graph, as text.
        kind: see `STEP_KINDS`.
        name: a step's name, with ``{expression}`` for what is known only in a run; else a condition, a loop's header,
            an exception, or the reason of what is unknown.
        path: a step's path; "" for other nodes.
        parent: the id of the step or loop that it is inside; None at the top.
        line: where it is written, from 1; for what is in another file, the line of the call that leads there.
        options: the options of a step, as Python writes them.
        handler: the handler of a step, as Python writes it; "" where there is none.
        file: the file that it is in, where that is not the workflow's; "" else.
        span: its place in that file; None in a graph that was made without.
        region: the id of the node that it is directly inside: a step, loop, try, fork, branch, handler or finally. The
            handlers of a try are beside it. None at the top.
        arm: on which of a branch's ways it is, by the label of the edge there; "else" for what is in the else of a loop
            or a try, and so is not inside it.
        arguments: what a step is given by position behind its name and its handler, as Python writes it: the items of a
            map, a duration, a child workflow with its arguments.
    """

    id: str
    kind: str
    name: str
    path: str = ""
    parent: str | None = None
    line: int = 0
    options: dict[str, str] = attrs.field(factory=dict)
    handler: str = ""
    file: str = ""
    span: Span | None = None
    region: str | None = None
    arm: str = ""
    arguments: tuple[str, ...] = ()

    @property
    def is_step(self) -> bool:
        """Whether it is a step, which has a path and a checkpoint."""
        return self.kind in STEP_KINDS


@attrs.frozen
class Edge:
    """`target` may follow `source`; `label` is the condition or the exception."""

    source: str
    target: str
    kind: EdgeKind = "control"
    label: str = ""


@attrs.frozen(slots=False)
class Graph:
    """What a workflow may do.

    Attributes:
        workflow: the workflow's name.
        path: the file, as it was given.
        line: where the workflow is defined, from 1.
        nodes: all nodes, in the order of the source.
        edges: all edges.
    """

    workflow: str
    path: str
    line: int
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    @cached_property
    def steps(self) -> tuple[Node, ...]:
        """The nodes that are steps."""
        return tuple(node for node in self.nodes if node.is_step)

    @cached_property
    def is_complete(self) -> bool:
        """Whether all steps are known: the graph has no ``unknown`` node."""
        return all(node.kind != "unknown" for node in self.nodes)

    @cached_property
    def fingerprint(self) -> str:
        """A digest of the meaning: steps, names, order, nesting, and options that change a replay.

        Comments, formatting, places, conditions and the bodies of handlers do not count.
        """
        parts = {
            "version": VERSION,
            "workflow": self.workflow,
            "nodes": [[node.id, node.kind, node.path, node.parent, _replayed(node)] for node in self.nodes],
            "edges": sorted([edge.source, edge.target, edge.kind] for edge in self.edges if edge.kind != "data"),
        }
        text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:FINGERPRINT_LENGTH]

    def node(self, id_: str) -> Node:
        """The node of an id; InvalidOption if there is none."""
        found = self._by_id.get(id_)
        if found is None:
            raise InvalidOption("id", id_, f"the graph of {self.workflow!r} has no such node")
        return found

    def parents(self, node: Node) -> Iterator[Node]:
        """The steps and loops that a node is inside, from the nearest outwards."""
        while node.parent is not None:
            node = self.node(node.parent)
            yield node

    @cached_property
    def _by_id(self) -> dict[str, Node]:
        return {node.id: node for node in self.nodes}

    def dag(self, inside: str | None = None) -> networkx.DiGraph[str]:
        """The step DAG of the workflow, or of the step or loop whose id is `inside`.

        A loop, and a step with steps of its own, is one node in it. It is acyclic, since Python has no goto.
        """
        import networkx

        if inside is not None:
            self.node(inside)
        members = {node.id for node in self.nodes if node.parent == inside}
        made: networkx.DiGraph[str] = networkx.DiGraph()
        made.add_nodes_from(node.id for node in self.nodes if node.id in members)
        for edge in self.edges:
            source, target = self._lifted(edge.source, members), self._lifted(edge.target, members)
            if edge.kind in ("control", "exception") and source and target and source != target:
                made.add_edge(source, target)
        return made

    def _lifted(self, id_: str, members: set[str]) -> str | None:
        """The member that is a node or holds it."""
        if id_ in members:
            return id_
        return next((parent.id for parent in self.parents(self.node(id_)) if parent.id in members), None)

    def generations(self, inside: str | None = None) -> list[list[Node]]:
        """The nodes of the step DAG in layers: those of each come after some of the layer before."""
        import networkx

        layers = networkx.topological_generations(self.dag(inside))
        return [[self.node(id_) for id_ in layer] for layer in layers]

    def critical_path(self, inside: str | None = None) -> list[Node]:
        """The steps and loops of the longest chain in the step DAG."""
        import networkx

        dag = self.dag(inside)
        for _, target, values in dag.edges(data=True):
            values["weight"] = int(self._counts(target))
        path = networkx.dag_longest_path(dag, weight="weight", default_weight=0)
        return [self.node(id_) for id_ in path if self._counts(id_)]

    def _counts(self, id_: str) -> bool:
        node = self.node(id_)
        return node.is_step or node.kind == "loop"

    def to_networkx(self) -> networkx.MultiDiGraph[str]:
        """The graph with all nodes and edges; their attributes are the fields of `Node` and `Edge`."""
        import networkx

        made: networkx.MultiDiGraph[str] = networkx.MultiDiGraph(workflow=self.workflow, path=self.path)
        for node in self.nodes:
            made.add_node(node.id, **{key: value for key, value in attrs.asdict(node).items() if key != "id"})
        for edge in self.edges:
            made.add_edge(edge.source, edge.target, kind=edge.kind, label=edge.label)
        return made

    def render(self, path: str | os.PathLike[str], **options: Any) -> Path:
        """Draw the workflow into a file.

        Args:
            path: the file; its ending says the format: .svg, .png, .dot, .mmd (Mermaid), .json or .txt.
            options: depth, focus, hops, data, legend, link and theme, as `flowgraph draw` has them.

        Raises:
            InvalidOption: the format, or an option, is not known.
            GraphvizError: for .svg and .png, Graphviz is not there.
        """
        drawing = import_module(DRAWN_BY)
        written: Path = drawing.write(self, path, drawing.View(**options))
        return written

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """The workflow as notebooks show it: a picture, or without Graphviz a text tree."""
        bundle: dict[str, str] = import_module(DRAWN_BY).bundle_of(self)
        return bundle

    def to_json(self) -> dict[str, Any]:
        """The graph as JSON values; `Graph.from_json` reads it."""
        return {
            "version": VERSION,
            "workflow": self.workflow,
            "path": self.path,
            "line": self.line,
            "fingerprint": self.fingerprint,
            "nodes": [attrs.asdict(node) for node in self.nodes],
            "edges": [attrs.asdict(edge) for edge in self.edges],
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Graph:
        """Read what `to_json` made; InvalidOption for anything else, and for another version of the form."""
        if not isinstance(values, dict):
            raise InvalidOption("graph", values, "it is the JSON object that Graph.to_json gives")
        if values.get("version") != VERSION:
            raise InvalidOption("version", values.get("version"), f"this flowgraph reads graphs of version {VERSION}")
        try:
            nodes = tuple(_node(node) for node in values["nodes"])
            edges = tuple(Edge(**edge) for edge in values["edges"])
            return cls(values["workflow"], values["path"], values["line"], nodes, edges)
        except (KeyError, TypeError, AttributeError) as error:
            raise InvalidOption("graph", values, f"it is not what Graph.to_json gives ({error})") from None


def _node(values: dict[str, Any]) -> Node:
    span = values.get("span")
    arguments = tuple(values.get("arguments", ()))
    return Node(**{**values, "span": None if span is None else Span(**span), "arguments": arguments})


_REPLAYED = {
    STEP: ("at_most_once",),
    BATCH: ("batch_size",),
    MAP: ("key",),
    FOR_EACH: ("key",),
    LISTEN: ("event",),
    START_WORKFLOW: ("detached",),
}


_DEFAULTS = {"at_most_once": "False", "batch_size": "20", "key": "None", "detached": "False"}


def _replayed(node: Node) -> dict[str, str]:
    """What of a node's options and arguments changes what a replay does; not what is as it would be without."""
    defaults = {**_DEFAULTS, "event": repr(node.name)}
    options = {option: node.options[option] for option in _REPLAYED.get(node.kind, ()) if option in node.options}
    found = {option: value for option, value in options.items() if value != defaults[option]}
    if node.kind in (EXECUTE_WORKFLOW, START_WORKFLOW) and node.arguments:
        found["workflow"] = node.arguments[0]
    return found
