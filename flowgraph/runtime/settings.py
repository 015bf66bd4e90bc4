"""What nobody said in the call: the environment, the project's file, or a default decides.

Where the store is, and which files have compiled graphs.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from flowgraph.errors import InvalidOption

DEFAULT_STORE = "sqlite:///.flowgraph/flowgraph.db"


def store_url(store: str | None = None) -> str:
    """The store's URL: `store`, then FLOWGRAPH_STORE, then ``[tool.flowgraph] store``, then `DEFAULT_STORE`."""
    if store is not None:
        if not isinstance(store, str):
            raise InvalidOption("store", store, f"it is a URL such as {DEFAULT_STORE!r}")
        return store
    return os.environ.get("FLOWGRAPH_STORE") or _store_of_project(Path.cwd()) or DEFAULT_STORE


def graph_files() -> list[str]:
    """The files with compiled graphs: FLOWGRAPH_GRAPHS, several with the separator of PATH, then the project's setting.

    The project's setting, ``[tool.flowgraph] graphs``, is one file or a list, from the project's folder.
    """
    named = os.environ.get("FLOWGRAPH_GRAPHS")
    if named:
        return [name for name in named.split(os.pathsep) if name]
    file = _project_file(Path.cwd())
    graphs = None if file is None else _settings(file).get("graphs")
    if file is None or graphs is None:
        return []
    listed = [graphs] if isinstance(graphs, str) else graphs
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise InvalidOption("tool.flowgraph.graphs", graphs, "it is a file that `flowgraph build` wrote, or a list")
    return [str(file.parent / name) for name in listed]


def _store_of_project(folder: Path) -> str | None:
    file = _project_file(folder)
    store = None if file is None else _settings(file).get("store")
    if store is not None and not isinstance(store, str):
        raise InvalidOption("tool.flowgraph.store", store, f"it is a URL such as {DEFAULT_STORE!r}")
    return store


def _project_file(folder: Path) -> Path | None:
    """The nearest ``pyproject.toml``, from `folder` upwards."""
    files = (place / "pyproject.toml" for place in (folder, *folder.parents))
    return next((file for file in files if file.is_file()), None)


def _settings(file: Path) -> dict[str, Any]:
    import tomllib

    try:
        found: Any = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidOption("pyproject.toml", str(file), f"it cannot be read: {error}") from None
    for place, name in (("[tool]", "tool"), ("[tool.flowgraph]", "flowgraph")):
        found = found.get(name, {})
        if not isinstance(found, dict):
            raise InvalidOption("pyproject.toml", str(file), f"{place} is {found!r}, not a table")
    return dict(found)
