"""The stores that the suites run over: a new store has only to be added to `STORES`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flowgraph.model import Store
from flowgraph.stores import open_store
from tests.stores.rig import Rig

STORES: dict[str, Callable[[Path], str]] = {
    "file": lambda folder: f"sqlite:///{folder}/flows.db",
    "memory": lambda folder: "sqlite:///:memory:",
}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    store = open_store(STORES[request.param](tmp_path))
    store.open()
    yield store
    store.close()


@pytest.fixture
def rig(store: Store) -> Rig:
    return Rig(store)


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store in a file that does not exist yet."""
    return f"sqlite:///{tmp_path}/flows.db"
