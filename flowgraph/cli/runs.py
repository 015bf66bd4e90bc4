"""``flowgraph runs``: list and show runs, send to them, cancel them. It executes nothing, and makes no store."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from flowgraph.cli import inside
from flowgraph.cli.inputs import moment_of, read_json, tags_of
from flowgraph.cli.output import plain_record, print_json
from flowgraph.cli.trouble import Trouble
from flowgraph.model import RunQuery, RunRecord, RunStatus
from flowgraph.runtime import Client, store_url

T = TypeVar("T")


def list_runs(
    *,
    workflow: str | None,
    status: str | None,
    since: str | None,
    until: str | None,
    tags: tuple[str, ...],
    limit: int,
    after: str | None,
    store: str | None,
    as_json: bool,
) -> int:
    """Print runs, newest first."""
    query = RunQuery(
        workflow=workflow,
        status=None if status is None else RunStatus(status),
        since=moment_of(since, "--since"),
        until=moment_of(until, "--until"),
        tags=tags_of(tags),
        limit=limit,
        after=after,
    )
    url = store_url(store)
    records = asked(url, lambda client: client.list(query))
    if as_json:
        print_json([plain_record(record) for record in records])
    elif not records:
        what = "no runs" if query == RunQuery(limit=limit) else "no such runs"
        print(f"There are {what} in {url}.", file=sys.stderr)
    else:
        _print_table(records, limit)
    return 0


def show_run(run_id: str, store: str | None, *, tracebacks: bool, as_json: bool) -> int:
    """Print all that is known of a run."""
    if as_json:
        record = asked(store_url(store), lambda client: _record(client, run_id))
        print_json(plain_record(record))
    else:
        row, rows = asked(store_url(store), lambda client: _history(client, run_id))
        from flowgraph.cli.show import print_run

        print_run(row, rows, store, tracebacks=tracebacks)
    return 0


def send_event(run_id: str, event: str, payload: str | None, send_id: str | None, store: str | None) -> int:
    """Send an event to a run."""
    value = None if payload is None else read_json(payload, "the payload")
    asked(store_url(store), lambda client: _send(client, run_id, event, value, send_id))
    print(f"Sent {event!r} to run {run_id}.", file=sys.stderr)
    return 0


def cancel_run(run_id: str, store: str | None) -> int:
    """Cancel a run."""
    status = asked(store_url(store), lambda client: _cancel(client, run_id))
    done = "is cancelled" if status is RunStatus.CANCELLED else "will be cancelled by the worker that executes it"
    print(f"Run {run_id} {done}.", file=sys.stderr)
    return 0


# Asking ---------------------------------------------------------------------------------------------------------------


def asked(url: str, ask: Callable[[Client], Awaitable[T]]) -> T:
    """Open a store that exists, ask it, and close it."""

    async def asking() -> T:
        async with Client(url) as client:
            return await ask(client)

    _check_exists(url)
    return asyncio.run(asking())


def _check_exists(url: str) -> None:
    from flowgraph.stores import store_file

    place = store_file(url)
    if place is not None and not place.exists():
        raise Trouble(f"There is no store at {place}. Name the one you mean with --store or FLOWGRAPH_STORE.")


async def _record(client: Client, run_id: str) -> RunRecord:
    return await (await client.get(run_id)).describe()


async def _history(client: Client, run_id: str) -> tuple[Any, Any]:
    row = await inside.run_row(client, run_id)
    return row, await inside.history(client, row)


async def _send(client: Client, run_id: str, event: str, value: Any, send_id: str | None) -> None:
    await (await client.get(run_id)).send(event, value, id=send_id)


async def _cancel(client: Client, run_id: str) -> RunStatus:
    run = await client.get(run_id)
    await run.cancel()
    return await run.status()


# Printing -------------------------------------------------------------------------------------------------------------


def _print_table(records: list[RunRecord], limit: int) -> None:
    from flowgraph.cli.listing import print_runs

    print_runs(records, limit)
