"""Graphs from files: Python files, and what holds the JSON form of graphs."""

from __future__ import annotations

import sys
from importlib.util import decode_source
from pathlib import Path
from typing import Any

import msgspec

from flowgraph.cli.inputs import parse_json
from flowgraph.cli.trouble import Trouble
from flowgraph.compiler import compile_source
from flowgraph.errors import CompileError
from flowgraph.model.graph import VERSION, Graph

FORMS = "a Python file, or a file of graphs as JSON"


def graphs_of(place: str) -> list[Graph]:
    """The graphs of the workflows in a file, or of what comes from stdin for ``-``.

    A file of graphs has one of the forms ``{graph}``, ``[{graph}, …]`` and ``{"graphs": [{graph}, …]}``.

    Raises:
        Trouble: it cannot be read, is no Python, or has no graphs of a version that is known.
    """
    content = _content(place)
    is_json = not place.endswith(".py") and content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"["))
    return _from_json(content, place) if is_json or place.endswith(".json") else _from_python(content, place)


def _content(place: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if place == "-" else Path(place).read_bytes()
    except IsADirectoryError:
        raise Trouble(f"{place} is a folder. Name {FORMS}.") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name.
        reason = error.strerror if isinstance(error, OSError) else error
        raise Trouble(f"{place} cannot be read: {reason}.") from None


def _from_python(content: bytes, place: str) -> list[Graph]:
    try:
        return compile_source(decode_source(content), place)
    except CompileError as error:
        found = error.diagnostics[0]
        raise Trouble(f"{place}:{found.line}:{found.column} is no valid Python: {found.message}.") from None
    except (SyntaxError, UnicodeDecodeError) as error:
        raise Trouble(f"{place} is no valid Python: {error}.") from None


def _from_json(content: bytes, place: str) -> list[Graph]:
    try:
        values = parse_json(content.decode("utf-8-sig"), place)
    except UnicodeDecodeError as error:
        raise Trouble(f"{place} is no UTF-8 text (byte {error.start}).") from None
    listed = values.get("graphs", [values]) if isinstance(values, dict) else values
    if not isinstance(listed, list):
        raise Trouble(f'{place} has no list of graphs under "graphs". Make it anew from the source.')
    return [_graph(value, place) for value in listed]


def _graph(value: Any, place: str) -> Graph:
    version = value.get("version") if isinstance(value, dict) else None
    if version is None:
        raise Trouble(f"{place} has something that is no graph. Name {FORMS}.")
    if version != VERSION:
        raise Trouble(
            f"{place} has a graph of version {version!r}, and this flowgraph reads version {VERSION}. Make it anew."
        )
    try:
        graph = msgspec.convert(value, Graph)
    except msgspec.ValidationError as error:
        raise Trouble(f"{place} has a graph that cannot be read: {error}.") from None
    _check(graph, place)
    return graph


def _check(graph: Graph, place: str) -> None:
    """Refuse a graph whose edges lead nowhere, or whose nodes are inside what does not come before them."""
    known: set[str | None] = {None}
    for node in graph.nodes:
        if node.parent not in known:
            raise Trouble(f"{place} has a graph that cannot be read: node {node.id!r} is inside {node.parent!r}.")
        known.add(node.id)
    for edge in graph.edges:
        if not {edge.source, edge.target} <= known:
            raise Trouble(
                f"{place} has a graph that cannot be read: an edge leads from {edge.source!r} to {edge.target!r}."
            )
