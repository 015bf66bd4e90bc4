"""What the store logic asks of a database driver, and the SQL text that a driver is given.

The SQL lives in ``queries.sql`` and ``migrations/``; how a block is headed is said there. No SQL is written anywhere
else, except for what one driver does with its own connection.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any, Protocol

import msgspec

_block = re.compile(r"^-- name: (\w+)(?: for (\w+))?$", re.MULTILINE)
_comment = re.compile(r"^\s*--.*\n", re.MULTILINE)


class Unfit(Exception):
    """A command says what this store cannot hold; it is answered with a StoreError, and its batch goes on."""


class Driver(Protocol):
    """A connection. It raises StoreError for what the database does, and `Unfit` for values that it cannot take."""

    @property
    def changes(self) -> int:
        """How many rows this connection has changed."""
        ...

    def begin(self, *, synced: bool, patient: bool) -> None:
        """Begin a write transaction; its commit is to be on disk when `synced`."""
        ...

    def commit(self) -> None:
        """Commit. Where it raises, nothing of the transaction is there."""
        ...

    def rollback(self) -> None:
        """Undo the transaction, if there is one. Raises nothing."""
        ...

    def rows(self, query: str, /, **values: Any) -> list[Any]:
        """Run a named query and return its rows."""
        ...

    def change(self, query: str, rows: Sequence[tuple[Any, ...]], /) -> int:
        """Run a named query that takes rows, and return how many rows it changed."""
        ...

    def select(self, query: str, rows: Sequence[tuple[Any, ...]], /) -> list[Any]:
        """Run a named query that takes rows, and return what it finds."""
        ...

    def run(self, statement: str, /) -> None:
        """Run one statement without parameters."""
        ...


def read_sql(file: str, dialect: str) -> dict[str, str]:
    """The statements of an SQL file beside this module by name; a block for the dialect replaces the common one."""
    parts = _block.split(_text_of(file))
    common, own = {}, {}
    for name, only, text in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        statement = _comment.sub("", text).strip().removesuffix(";")
        if only is None:
            common[name] = statement
        elif only == dialect:
            own[name] = statement
    return common | own


def json_text(values: Any) -> str:
    """A list or mapping as a parameter of a query."""
    try:
        return msgspec.json.encode(values).decode()
    except ValueError as error:  # A lone surrogate, which is no text that a database could hold.
        raise Unfit(str(error)) from error


def _text_of(file: str) -> str:
    """Read a file of this package through its loader, so that it is found in a zip file too."""
    loader: Any = __loader__  # type: ignore[name-defined]
    data: bytes = loader.get_data(str(PurePath(__file__).parent / file))
    return data.decode()
