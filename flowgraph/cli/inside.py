"""What the command line asks of the runtime beyond its public surface, all in one place.

A public call would be no use to programs: they have `describe`, which builds the whole tree of a run each time.
"""

from __future__ import annotations

from typing import Any

import msgspec

from flowgraph.cli.trouble import Trouble
from flowgraph.dsl import Workflow
from flowgraph.errors import RunNotFound
from flowgraph.model import Checkpoint, RunRecord
from flowgraph.model.graph import Graph
from flowgraph.model.store import History, RunRow
from flowgraph.runtime import Client, Runtime, codec
from flowgraph.runtime.records import run_record


async def run_row(client: Client, run_id: str) -> RunRow:
    """A run's row, without its history; RunNotFound if there is none."""
    row: RunRow = await client._row(run_id)
    return row


async def find_row(client: Client, run_id: str) -> RunRow | None:
    """A run's row; None if there is none."""
    try:
        return await run_row(client, run_id)
    except RunNotFound:
        return None


async def history(client: Client, row: RunRow) -> list[Checkpoint]:
    """The rows of a run's history."""
    rows: list[Checkpoint] = await client._journal.ask(History(row.no))
    return rows


async def graph_here(runtime: Runtime, workflow: Workflow[..., Any]) -> Graph | None:
    """The graph by which this process executes a workflow; None where it is unknown."""
    bound = await runtime._graphs.get(workflow)
    return None if bound.row is None else Graph.from_json(msgspec.json.decode(bound.row.graph))


def is_executed_here(runtime: Runtime, run_id: str) -> bool:
    """Tell whether this process executes the run now."""
    return runtime._engine is not None and run_id in runtime._engine.resident_ids


def record_of(row: RunRow) -> RunRecord:
    """The record of a run without its steps."""
    return run_record(row, None)


def typed_arguments(
    workflow: Workflow[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Plain JSON arguments as the workflow's annotations want them: an object as an instance, a text as a datetime."""
    try:
        workflow.check_arguments(args, kwargs)
        text = msgspec.json.encode({"args": args, "kwargs": kwargs}).decode()
        return codec.load_arguments(workflow.fn, text)
    except TypeError as error:
        raise Trouble(f"{str(error).rstrip('.')}. {_example(workflow)}") from error
    except codec.Unfit as error:
        raise Trouble(f"The input does not fit {workflow.name!r} {workflow.signature}: {error.reason}.") from error


def _example(workflow: Workflow[..., Any]) -> str:
    fields = ", ".join(f'"{name}": …' for name in workflow.signature.parameters)
    return f"Give the arguments with --input '{{{fields}}}'." if fields else "It takes no input."
