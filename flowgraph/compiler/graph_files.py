"""Graphs as they are kept: as rows of a store, and in the files that `flowgraph build` writes.

A graph file is one JSON object, ``{"version": 1, "graphs": [...]}``. Each graph has the JSON form of `Graph`, and
beside it ``diagnostics`` and ``dependencies``. Reading one needs neither libcst nor networkx.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from flowgraph.errors import InvalidOption
from flowgraph.model.store import GraphRow

if TYPE_CHECKING:
    from flowgraph.compiler.compiling import Compiled

FILE_VERSION = 1


class _GraphFile(msgspec.Struct):
    version: int
    graphs: list[dict[str, msgspec.Raw]]


def kept(compiled: Compiled) -> GraphRow:
    """A compiled graph as a store keeps it."""
    import attrs

    return GraphRow(
        compiled.graph.fingerprint,
        compiled.graph.workflow,
        _text(compiled.graph.to_json()),
        _text([attrs.asdict(diagnostic) for diagnostic in compiled.diagnostics]),
        msgspec.json.encode(compiled.dependencies).decode(),
    )


def graph_file_text(rows: Iterable[GraphRow]) -> str:
    """The text of a graph file: one graph a line, in the order of their workflows' names."""
    graphs = []
    for row in sorted(rows, key=lambda row: row.workflow):
        beside = {"diagnostics": json.loads(row.diagnostics), "dependencies": json.loads(row.dependencies)}
        graphs.append(_text({**json.loads(row.graph), **beside}))
    listed = ",\n".join(graphs)
    return f'{{"version": {FILE_VERSION}, "graphs": [\n{listed}\n]}}\n'


def read_graph_file(content: bytes, name: str) -> list[GraphRow]:
    """The graphs of a graph file.

    Raises:
        InvalidOption: it is none, or of another version.
    """
    try:
        found = msgspec.json.decode(content, type=_GraphFile)
        if found.version != FILE_VERSION:
            raise InvalidOption(
                "graphs", name, f"it is of version {found.version}; make it anew with `flowgraph build`"
            )
        return [_row(graph) for graph in found.graphs]
    except (msgspec.MsgspecError, KeyError) as error:
        raise InvalidOption("graphs", name, f"it is no file that `flowgraph build` wrote: {error}") from None


def _row(graph: dict[str, msgspec.Raw]) -> GraphRow:
    fingerprint, workflow = (msgspec.json.decode(graph[key], type=str) for key in ("fingerprint", "workflow"))
    form = {key: value for key, value in graph.items() if key not in ("diagnostics", "dependencies")}
    beside = (bytes(graph[key]).decode() for key in ("diagnostics", "dependencies"))
    return GraphRow(fingerprint, workflow, msgspec.json.encode(form).decode(), *beside)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))
