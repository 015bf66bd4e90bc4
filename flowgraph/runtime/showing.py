"""A run as notebooks show it: on its graph, as far as it has come.

A notebook asks for it in the middle of the loop's work, and waits. So the store is asked over a connection of its own,
in a thread with a loop of its own.
"""

from __future__ import annotations

import asyncio
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING, Any

from flowgraph.stores import store_file

if TYPE_CHECKING:
    from flowgraph.model import RunRecord
    from flowgraph.model.graph import Graph


def bundle_of_run(url: str, run_id: str, text: str) -> dict[str, str]:
    """A run by media type; `text` is what it is without a picture: of a store in memory, and before it has begun."""
    found: list[tuple[Graph | None, RunRecord]] = []

    def ask() -> None:
        found.append(asyncio.run(_asked(url, run_id)))

    if store_file(url) is not None:
        thread = Thread(target=ask, name="flowgraph-showing")
        thread.start()
        thread.join()
    graph, record = found[0] if found else (None, None)
    if graph is None:
        return {"text/plain": text}
    from flowgraph.model import graph as graphs

    bundle: dict[str, str] = import_module(graphs.DRAWN_BY).bundle_of(graph, record)
    return bundle


async def _asked(url: str, run_id: str) -> tuple[Any, RunRecord]:
    from flowgraph.runtime.client import Client

    async with Client(url, workflows=[]) as client:
        record = await (await client.get(run_id)).describe()
        return await client.graph(run_id), record
