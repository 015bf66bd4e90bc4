"""Rows of a run's history, written down shortly: times in seconds, and nothing that a test does not say."""

from __future__ import annotations

from typing import Any

import msgspec

from flowgraph.cli.board import Board
from flowgraph.model import Checkpoint, Failure, failure_text

RUN = "r-1"


class Rows:
    """Makes rows with growing ids."""

    def __init__(self) -> None:
        self._id = 0

    def __call__(
        self, path: str, state: str = "completed", kind: str = "step", *, at: float = 1.0, took: float = 0.5,
        attempt: int = 1, payload: Any = None, due: float | None = None, detail: str | None = None,
    ) -> Checkpoint:  # fmt: skip
        self._id += 1
        text = payload if isinstance(payload, str | None) else msgspec.json.encode(payload).decode()
        due_us = None if due is None else us(due)
        return Checkpoint(self._id, path, kind, state, attempt, us(at), us(at + took), 0, text, due_us, detail)

    def failed(self, path: str, message: str = "boom", state: str = "failed", **values: Any) -> Checkpoint:
        """A failed attempt: the last one, or with state "retrying" one before it."""
        failure = Failure("StepFailed", values.get("attempt", 1), "ConnectionError", message, ("ConnectionError",))
        return self(path, state, payload=failure_text(failure), **values)


def us(seconds: float) -> int:
    return round(seconds * 1e6)


def board_of(*rows: Checkpoint, keep: int = 100) -> Board:
    board = Board(RUN, keep)
    board.restore(RUN, rows)
    return board
