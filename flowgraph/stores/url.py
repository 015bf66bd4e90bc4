"""Store URLs."""

from __future__ import annotations

from pathlib import Path

from flowgraph.errors import StoreError
from flowgraph.model.store import Store

FORMS = "sqlite:///relative/path.db, sqlite:////absolute/path.db or sqlite:///:memory:"


def open_store(url: str) -> Store:
    """The store that a URL names. It is not touched before its `open`; a relative path is taken from here.

    >>> open_store("sqlite:///:memory:").shared
    False
    """
    path = store_file(url)
    from flowgraph.stores.sqlite import SqliteStore

    return SqliteStore(url, path)


def store_file(url: str) -> Path | None:
    """The file that a URL names; None where the store is in no file. It is not touched.

    >>> store_file("sqlite:///flows.db").name, store_file("sqlite:///:memory:")
    ('flows.db', None)
    """
    path = _path_of(url)
    return None if path in ("", ":memory:") else Path(path).absolute()


def _path_of(url: object) -> str:
    if not isinstance(url, str):
        raise StoreError(f"{url!r} is no store URL; write {FORMS}.")
    scheme, separator, rest = url.partition("://")
    if scheme != "sqlite" or not separator:
        raise StoreError(f"{url!r} is no store URL that flowgraph knows; write {FORMS}.")
    if rest == "":
        return ""
    path = rest.removeprefix("/")
    if path == rest or not path or "?" in path or "\0" in path:
        raise StoreError(f"{url!r} names no SQLite file; write {FORMS}.")
    return path
