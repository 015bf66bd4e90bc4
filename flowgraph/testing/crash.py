"""Crash injection: kill this process at a commit of its choice."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from flowgraph.errors import InvalidOption
from flowgraph.model import count
from flowgraph.stores import Journal


@contextmanager
def crash_at(commit: int, when: Literal["before", "after"] = "after") -> Iterator[None]:
    """Kill this process with SIGKILL right before or after its commit number `commit`, counted from 1.

    Use it in a process that a test starts, for every number until the process ends by itself; between two commits
    nothing that a run does is durable, so these are all the places where a crash makes a difference.

    Example:
        with crash_at(7):
            flowgraph.run(data_pipeline, "…", store="sqlite:///flows.db", run_id="r-1")
    """
    if when not in ("before", "after"):
        raise InvalidOption("when", when, 'it is "before" or "after"')
    count(commit, "commit")

    def fault(place: str, number: int) -> None:
        if place == f"{when}-commit" and number == commit:
            os.kill(os.getpid(), signal.SIGKILL)

    previous, Journal.fault = Journal.fault, staticmethod(fault)
    try:
        yield
    finally:
        Journal.fault = previous
