"""Store URLs."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowgraph.errors import StoreError
from flowgraph.model.store import Find, Start
from flowgraph.stores import open_store, store_file
from tests.stores.rig import NOW

FORMS = "sqlite:///relative/path.db, sqlite:////absolute/path.db or sqlite:///:memory:"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_memory_has_two_forms(url: str) -> None:
    store = open_store(url)
    store.open()
    assert (store.shared, store.url) == (False, url)
    store.close()


def test_two_stores_in_memory_are_two() -> None:
    one, two = open_store("sqlite://"), open_store("sqlite://")
    one.open()
    two.open()
    one.apply([Start("r", "wf", "{}", NOW)], synced=True)
    assert (one.ask(Find("r")) is None, two.ask(Find("r")) is None) == (False, True)
    one.close()
    two.close()


def test_the_file_of_a_store_is_known_without_opening_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert store_file("sqlite:///new/flows.db") == tmp_path / "new" / "flows.db"
    assert store_file(f"sqlite:///{tmp_path}/flows.db") == tmp_path / "flows.db"
    assert [store_file(url) for url in ("sqlite://", "sqlite:///:memory:")] == [None, None]
    assert list(tmp_path.iterdir()) == []


def test_three_slashes_are_a_path_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store("sqlite:///new/folder/flows.db")
    monkeypatch.chdir("/")
    store.open()
    store.close()
    assert (tmp_path / "new" / "folder" / "flows.db").is_file()
    assert store.shared is True


def test_four_slashes_are_a_path_from_the_root(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/deep/er/flows.db")
    store.open()
    store.close()
    assert (tmp_path / "deep" / "er" / "flows.db").is_file()


@pytest.mark.parametrize("name", ["it's.db", "ß €.db", "a%20b.db", "no-ending", "a#b.db"])
def test_a_file_may_be_called_anything(tmp_path: Path, name: str) -> None:
    store = open_store(f"sqlite:///{tmp_path}/{name}")
    store.open()
    store.apply([Start("r", "wf", "{}", NOW)], synced=True)
    assert store.ask(Find("r")) is not None
    store.hold_lock()
    store.close()
    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("url", ["", "flows.db", "/tmp/flows.db", "sqlite:flows.db", "sqlite:/flows.db"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(StoreError) as raised:
        open_store(url)
    assert str(raised.value) == f"{url!r} is no store URL that flowgraph knows; write {FORMS}."


@pytest.mark.parametrize("url", ["mysql://host/db", "postgresql://host/db", "SQLITE:///x.db", "sqlite+aiosqlite:///x"])
def test_another_database_is_refused(url: str) -> None:
    with pytest.raises(StoreError, match="is no store URL that flowgraph knows; write sqlite:///relative"):
        open_store(url)


@pytest.mark.parametrize("url", ["sqlite:///", "sqlite://flows.db", "sqlite:///x.db?mode=ro", "sqlite:///a\0b"])
def test_a_url_without_a_usable_path_is_refused(url: str) -> None:
    with pytest.raises(StoreError) as raised:
        open_store(url)
    assert str(raised.value) == f"{url!r} names no SQLite file; write {FORMS}."


@pytest.mark.parametrize("url", [None, 5, Path("flows.db"), b"sqlite://"])
def test_what_is_no_text_is_refused(url: object) -> None:
    with pytest.raises(StoreError) as raised:
        open_store(url)  # type: ignore[arg-type]
    assert str(raised.value) == f"{url!r} is no store URL; write {FORMS}."


def test_naming_a_store_touches_nothing(tmp_path: Path) -> None:
    open_store(f"sqlite:///{tmp_path}/folder/flows.db")
    assert list(tmp_path.iterdir()) == []
