"""What is told of runs: the query, and the records of runs, steps, attempts and waits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from flowgraph.errors import InvalidOption
from flowgraph.model.durations import count
from flowgraph.model.run import RunStatus


def _tags(tags: Mapping[str, str] | None) -> dict[str, str]:
    if tags is not None and not all(isinstance(part, str) for pair in dict(tags).items() for part in pair):
        raise InvalidOption("tags", tags, "they are a mapping of text to text")
    return dict(tags or {})


def _limit(limit: int) -> int:
    return count(limit, "limit")


@attrs.frozen
class RunQuery:
    """Which runs `list` returns, newest first.

    Args:
        workflow: only runs of this workflow.
        status: only runs of this status.
        since: only runs started at or after this moment (an aware datetime).
        until: only runs started before this moment.
        tags: only runs that have all of these tags.
        limit: at most so many.
        after: the id of the last run of the page before.
    """

    workflow: str | None = None
    status: RunStatus | None = attrs.field(default=None)
    since: datetime | None = None
    until: datetime | None = None
    tags: dict[str, str] = attrs.field(factory=dict, converter=_tags)
    limit: int = attrs.field(default=100, converter=_limit)
    after: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.status is not None and self.status not in list(RunStatus):
            raise InvalidOption("status", self.status, f"it is one of {', '.join(RunStatus)}")
        for option in ("since", "until"):
            moment = getattr(self, option)
            if moment is not None and (not isinstance(moment, datetime) or moment.utcoffset() is None):
                raise InvalidOption(option, moment, "it is an aware datetime, for example datetime.now(UTC)")


@attrs.frozen
class AttemptRecord:
    """One failed attempt of a step: its number from 1, its times, and its error."""

    number: int
    started_at: datetime | None
    finished_at: datetime | None
    error: ErrorRecord | None


@attrs.frozen
class ErrorRecord:
    """A saved error: the class's name, the message, and the traceback as text."""

    type: str
    message: str
    traceback: str = ""


@attrs.frozen
class StepRecord:
    """One step of a run, with its sub-steps (or items) in `children`.

    Attributes:
        name: its own name; an item's is ``name[3]``.
        path: its path.
        kind: step, map, for_each, batch, sleep, sleep_until, progress, listen, execute_workflow, start_workflow or
            wait_for_workflow.
        state: started, waiting, retrying, completed or failed.
        attempts: the number of the last attempt that ended.
        failures: the attempts that failed.
        result: the saved result as plain JSON data; None until it is completed.
        error: the error of a failed step.
        node: the id of its node in the run's graph; None where there is none.
        planned: whether the graph knows the step; None where the graph is unknown.
        total: of a map, for_each or batch, how many items or batches it has; None where that is not known.
    """

    name: str
    path: str
    kind: str
    state: str
    attempts: int
    started_at: datetime | None
    finished_at: datetime | None
    result: Any = None
    error: ErrorRecord | None = None
    failures: tuple[AttemptRecord, ...] = ()
    children: tuple[StepRecord, ...] = ()
    node: str | None = None
    planned: bool | None = None
    total: int | None = None


@attrs.frozen
class WaitRecord:
    """One thing that a run waits for: `kind` is sleep, listen, workflow or retry; `event` or `run_id` say what."""

    kind: str
    path: str
    since: datetime | None
    until: datetime | None = None
    event: str | None = None
    run_id: str | None = None


@attrs.frozen
class RunRecord:
    """All that is known of a run; times are aware datetimes in UTC, None where something has not happened.

    Attributes:
        input: ``{"args": [...], "kwargs": {...}}`` as plain JSON data.
        output: the workflow's result as plain JSON data.
        executing_s: seconds of executing so far, which the workflow's timeout bounds.
        recoveries: how often a worker died while it held the run.
        reason: why it is paused, or why it cannot suspend.
        fingerprint: that of the graph by which it was last executed; "unknown" where there was none, None before.
        waits: all that it waits for.
        steps: the steps of the workflow, in the order in which they began; empty in the records of `list`.
    """

    id: str
    workflow: str
    status: RunStatus
    input: Any
    output: Any
    error: ErrorRecord | None
    tags: dict[str, str]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    wake_at: datetime | None
    executing_s: float
    recoveries: int
    reason: str | None
    parent_id: str | None
    fingerprint: str | None = None
    waits: tuple[WaitRecord, ...] = ()
    steps: tuple[StepRecord, ...] = ()
