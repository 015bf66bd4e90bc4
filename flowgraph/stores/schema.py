"""Schema migrations: numbered, applied in one transaction, recorded in table ``migration``."""

from __future__ import annotations

from flowgraph.errors import SchemaMismatch
from flowgraph.stores.driver import Driver, read_sql

MIGRATIONS = ("0001_tables",)
"""In order; the number is the position, from 1. A released migration never changes."""


def migrate(driver: Driver, url: str, dialect: str, *, exists: bool, upto: int = len(MIGRATIONS)) -> None:
    """Bring a store to version `upto`; SchemaMismatch where it is newer than this code."""
    if exists and _version(driver, url) == upto:
        return
    driver.begin(synced=True, patient=True)
    try:
        driver.run("CREATE TABLE IF NOT EXISTS migration (no INTEGER PRIMARY KEY, name TEXT NOT NULL)")
        for no in range(_version(driver, url) + 1, upto + 1):
            _apply(driver, no, MIGRATIONS[no - 1], dialect)
    except BaseException:
        driver.rollback()
        raise
    driver.commit()


def _version(driver: Driver, url: str) -> int:
    """The version that the store has; another process may have raised it meanwhile, so ask under the lock too."""
    [(found,)] = driver.rows("schema_version")
    if found > len(MIGRATIONS):
        raise SchemaMismatch(url, found, len(MIGRATIONS))
    return int(found)


def _apply(driver: Driver, no: int, name: str, dialect: str) -> None:
    for statement in read_sql(f"migrations/{name}.sql", dialect).values():
        driver.run(statement)
    driver.rows("record_migration", no=no, name=name)
