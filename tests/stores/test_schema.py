"""Migrations, from every version."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from flowgraph.errors import SchemaMismatch
from flowgraph.model.store import Find, Start
from flowgraph.stores import open_store, schema
from flowgraph.stores.driver import read_sql
from flowgraph.stores.schema import MIGRATIONS, migrate
from flowgraph.stores.sqlite import Connection
from tests.stores.rig import NOW

Schema = list[tuple[str, str]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "flows.db"


def schema_of(path: Path) -> Schema:
    with closing(sqlite3.connect(path)) as connection:
        return sorted(connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))


def applied(path: Path) -> list[tuple[int, str]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT no, name FROM migration ORDER BY no").fetchall()


def opened_and_closed(path: Path) -> None:
    store = open_store(f"sqlite:///{path}")
    store.open()
    store.close()


@pytest.mark.parametrize("version", range(len(MIGRATIONS) + 1))
def test_a_store_of_every_version_becomes_the_present_one(tmp_path: Path, path: Path, version: int) -> None:
    connection = Connection(path)
    migrate(connection, "url", "sqlite", exists=False, upto=version)
    connection.close()
    opened_and_closed(path)
    opened_and_closed(tmp_path / "fresh.db")
    assert schema_of(path) == schema_of(tmp_path / "fresh.db")
    assert applied(path) == list(enumerate(MIGRATIONS, 1))


def test_opening_again_changes_nothing(path: Path) -> None:
    opened_and_closed(path)
    before = path.read_bytes()
    opened_and_closed(path)
    assert path.read_bytes() == before


def test_a_newer_store_is_refused_and_left_as_it_is(path: Path) -> None:
    opened_and_closed(path)
    newer = len(MIGRATIONS) + 1
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO migration VALUES (?, 'from the future')", (newer,))
    before = applied(path)
    with pytest.raises(SchemaMismatch) as raised:
        opened_and_closed(path)
    assert (raised.value.found, raised.value.known) == (newer, len(MIGRATIONS))
    assert f"sqlite:///{path} has schema version {newer}" in str(raised.value)
    assert applied(path) == before


def test_a_migration_that_fails_leaves_nothing_behind(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened_and_closed(path)
    before = schema_of(path)
    broken = {"good": "CREATE TABLE extra (no INTEGER)", "bad": "CREATE TABLE run (no INTEGER)"}
    monkeypatch.setattr(schema, "MIGRATIONS", (*MIGRATIONS, "broken"))
    monkeypatch.setattr(schema, "read_sql", lambda file, dialect: broken)
    connection = Connection(path)
    with pytest.raises(Exception, match="table run already exists"):
        migrate(connection, "url", "sqlite", exists=True, upto=len(MIGRATIONS) + 1)
    connection.close()
    assert schema_of(path) == before
    assert applied(path) == list(enumerate(MIGRATIONS, 1))


def test_a_migration_keeps_what_is_stored(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(f"sqlite:///{path}")
    store.open()
    store.apply([Start("r", "wf", "{}", NOW)], synced=True)
    store.close()
    monkeypatch.setattr(schema, "MIGRATIONS", (*MIGRATIONS, "next"))
    monkeypatch.setattr(schema, "read_sql", lambda file, dialect: {"add": "ALTER TABLE run ADD COLUMN extra TEXT"})
    connection = Connection(path)
    migrate(connection, "url", "sqlite", exists=True, upto=len(MIGRATIONS) + 1)
    connection.close()
    monkeypatch.undo()
    monkeypatch.setattr(schema, "MIGRATIONS", (*MIGRATIONS, "next"))
    store = open_store(f"sqlite:///{path}")
    store.open()
    assert store.ask(Find("r")).id == "r"
    store.close()


def test_every_migration_file_is_listed_and_named_by_its_number() -> None:
    folder = Path(schema.__file__).parent / "migrations"
    assert sorted(file.stem for file in folder.glob("*.sql")) == list(MIGRATIONS)
    assert [int(name[:4]) for name in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


def test_a_block_for_a_dialect_replaces_the_common_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flowgraph.stores import driver

    text = """\
-- About the file.

-- name: one
-- Says something.
SELECT 1;

-- name: two
SELECT :a -- not a comment line
FROM x;

-- name: two for postgresql
-- Differs, because it does.
SELECT 2;

-- name: three for postgresql
SELECT 3;
"""
    monkeypatch.setattr(driver, "_text_of", lambda file: text)
    two = "SELECT :a -- not a comment line\nFROM x"
    assert read_sql("any", "sqlite") == {"one": "SELECT 1", "two": two}
    assert read_sql("any", "postgresql") == {"one": "SELECT 1", "two": "SELECT 2", "three": "SELECT 3"}


def test_every_query_can_be_prepared_and_says_what_it_is_for(path: Path) -> None:
    opened_and_closed(path)
    text = (Path(schema.__file__).parent / "queries.sql").read_text()
    with closing(sqlite3.connect(path)) as connection:
        for name, query in read_sql("queries.sql", "sqlite").items():
            connection.execute(f"EXPLAIN {query}", parameters(query))
            assert f"-- name: {name}\n-- " in text


def parameters(query: str) -> dict[str, None]:
    return dict.fromkeys(re.findall(r":(\w+)", query))


@pytest.mark.parametrize(
    ("query", "plan"),
    [
        ("due_runs", "USING COVERING INDEX run_due (workflow=? AND wake_us<?)"),
        ("next_wake", "USING COVERING INDEX run_due"),
        ("requeue_recovered_runs", "USING COVERING INDEX run_worker"),
        ("cancel_children", "USING INDEX run_parent"),
        ("reopen_runs", "USING INDEX run_paused"),
        ("history", "USING INTEGER PRIMARY KEY"),
        ("mail_events", "USING INDEX event_untaken"),
        ("signal_watchers", "USING COVERING INDEX watch_target"),
        ("owned_runs", "USING INDEX run_worker"),
        ("list_tagged_runs", "USING COVERING INDEX run_tag_value (key=? AND value=?)"),
    ],
)
def test_a_query_that_runs_often_uses_its_index(path: Path, query: str, plan: str) -> None:
    opened_and_closed(path)
    text = read_sql("queries.sql", "sqlite")[query]
    with closing(sqlite3.connect(path)) as connection:
        steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", parameters(text))]
    assert any(plan in step for step in steps), steps
    assert not [step for step in steps if step.startswith("SCAN run")], steps
