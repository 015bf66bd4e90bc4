"""The graph files that came with a program: `flowgraph build` wrote them, for where there is no source.

FLOWGRAPH_GRAPHS names files, then ``[tool.flowgraph] graphs``; else a file ``flowgraph-graphs.json`` is looked for
beside the workflow's module and the packages around it, through the module's loader, so that it is found in an archive.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from typing import Any

from flowgraph.compiler import read_graph_file
from flowgraph.errors import InvalidOption
from flowgraph.model.store import GraphRow
from flowgraph.runtime.settings import graph_files

BESIDE = "flowgraph-graphs.json"
"""The name of a graph file that lies beside the program."""


def shipped_graphs(fn: Callable[..., Any]) -> list[GraphRow]:
    """All graphs that came with the program of a function; InvalidOption for a file that cannot be read."""
    named = [(name, _content(name)) for name in graph_files()]
    found = named or list(_beside(fn))
    return [row for name, content in found for row in read_graph_file(content, name)]


def _content(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise InvalidOption("graphs", name, f"it cannot be read: {error.strerror}") from None


def _beside(fn: Callable[..., Any]) -> Iterator[tuple[str, bytes]]:
    names = fn.__globals__
    loader: Any = names.get("__loader__")
    file = names.get("__file__")
    if not isinstance(file, str) or not hasattr(loader, "get_data"):
        return
    folder = PurePath(file).parent
    for _ in range(str(names.get("__name__", "")).count(".") + 1):
        place = os.fspath(folder / BESIDE)
        try:
            content = loader.get_data(place)
        except OSError:
            content = None
        if content is not None:
            yield place, content
        folder = folder.parent
