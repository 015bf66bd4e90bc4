"""Where the store is, when nobody says: the environment, the project's file, or a file in the working folder."""

from __future__ import annotations

import os
from pathlib import Path

from flowgraph.errors import InvalidOption

DEFAULT_STORE = "sqlite:///.flowgraph/flowgraph.db"


def store_url(store: str | None = None) -> str:
    """The store's URL: `store`, then FLOWGRAPH_STORE, then ``[tool.flowgraph] store``, then `DEFAULT_STORE`."""
    if store is not None:
        if not isinstance(store, str):
            raise InvalidOption("store", store, f"it is a URL such as {DEFAULT_STORE!r}")
        return store
    return os.environ.get("FLOWGRAPH_STORE") or _from_project(Path.cwd()) or DEFAULT_STORE


def _from_project(folder: Path) -> str | None:
    """The setting of the nearest ``pyproject.toml``, from `folder` upwards."""
    for place in (folder, *folder.parents):
        file = place / "pyproject.toml"
        if file.is_file():
            return _setting(file)
    return None


def _setting(file: Path) -> str | None:
    import tomllib

    try:
        settings = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {}).get("flowgraph", {})
    except (OSError, ValueError) as error:
        raise InvalidOption("pyproject.toml", str(file), f"it cannot be read: {error}") from None
    store = settings.get("store")
    if store is not None and not isinstance(store, str):
        raise InvalidOption("tool.flowgraph.store", store, f"it is a URL such as {DEFAULT_STORE!r}")
    return store
