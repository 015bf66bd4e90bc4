"""New code against the open runs of a store: which runs it would harm, by what they have done."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator

from flowgraph.cli.runs import asked
from flowgraph.lint.against import Against, Breakage
from flowgraph.model import FINISHED, RunQuery, RunRecord, RunStatus, StepRecord
from flowgraph.model.difference import Change, Done, Hazards, OpenRun
from flowgraph.model.graph import Graph
from flowgraph.runtime import Client

_PAGE = 500


def against_store(url: str) -> Against:
    """Hold code against the open runs of a store."""
    return lambda graphs: asked(url, lambda client: harms(client, graphs))


async def harms(client: Client, graphs: Iterable[Graph]) -> list[Breakage]:
    """What the workflows of these graphs would do to the open runs of a store, in the order of workflows and paths.

    Runs of workflows that have no graph here are left alone: they may belong to other programs.

    Args:
        client: an open client of the store.
        graphs: those of the new code.
    """
    listed = list(graphs)
    hazards = Hazards(listed)
    found: dict[tuple[str, Change], dict[str, None]] = {}
    for workflow in sorted({graph.workflow for graph in listed}):
        async for run in open_runs(client, workflow):
            for change in hazards.of(run):
                found.setdefault((workflow, change), {})[run.id] = None  # It may be seen twice, since it goes on.
    return [Breakage(workflow, change, "", tuple(runs)) for (workflow, change), runs in found.items()]


async def open_runs(client: Client, workflow: str) -> AsyncIterator[OpenRun]:
    """The runs of a workflow that are not finished, with what they have done, and their graphs."""
    graphs: dict[str, Graph | None] = {}
    for status in RunStatus:
        if status not in FINISHED:
            async for record in _of_status(client, workflow, status):
                whole = await (await client.get(record.id)).describe()
                fingerprint = whole.fingerprint or ""
                if fingerprint not in graphs:
                    graphs[fingerprint] = await client.graph(record.id)
                yield OpenRun(whole.id, workflow, tuple(_done(whole.steps)), graphs[fingerprint])


async def _of_status(client: Client, workflow: str, status: RunStatus) -> AsyncIterator[RunRecord]:
    after: str | None = None
    while records := await client.list(RunQuery(workflow=workflow, status=status, limit=_PAGE, after=after)):
        for record in records:
            yield record
        after = records[-1].id


def _done(steps: Iterable[StepRecord]) -> Iterator[Done]:
    for one in steps:
        yield Done(one.path, one.kind, one.state)
        yield from _done(one.children)
