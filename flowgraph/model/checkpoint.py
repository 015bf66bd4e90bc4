"""A run's history: rows that are only ever appended.

Each row says one thing about one path. The history of a run is its rows in the order of their ids, and an id is the
run's number and the row's number in the run in one 64-bit integer, so that one index serves (`checkpoint_id`). What
rows say, by state:

- ``started``: an at-most-once body is about to run; or a map began, with the number and the digest of its items.
- ``waiting``: a durable wait, with its wake time, its event, or the run that it waits for.
- ``retrying``: an attempt failed, and the next one comes at ``due_us``.
- ``cancelled``: user code cancelled a wait, which counts no longer.
- ``completed``: the result, which never changes.
- ``failed``: the failure, which is raised again on every replay, until the parent's attempt is given up.
"""

from __future__ import annotations

from typing import Any

import msgspec

SEQUENCE_BITS = 24
MAX_SEQUENCE = (1 << SEQUENCE_BITS) - 1

STARTED = "started"
WAITING = "waiting"
RETRYING = "retrying"
CANCELLED = "cancelled"
COMPLETED = "completed"
FAILED = "failed"

STEP = "step"
MAP = "map"
FOR_EACH = "for_each"
BATCH = "batch"
SLEEP = "sleep"
SLEEP_UNTIL = "sleep_until"
PROGRESS = "progress"
LISTEN = "listen"
EXECUTE_WORKFLOW = "execute_workflow"
START_WORKFLOW = "start_workflow"
WAIT_FOR_WORKFLOW = "wait_for_workflow"

FAN_OUTS = frozenset({MAP, FOR_EACH, BATCH})
"""The kinds whose items are steps of their own."""


def checkpoint_id(run_no: int, sequence: int) -> int:
    """The key of row number `sequence` (from 1) of run number `run_no`."""
    return (run_no << SEQUENCE_BITS) | sequence


class Checkpoint(msgspec.Struct, frozen=True, gc=False):
    """One row of a run's history. The fields are the columns of table ``checkpoint``, in their order.

    `payload` is JSON text: the result (completed), a `Failure` (failed, retrying), the progress, or a map's header.
    `detail` is the event's name (listen); the id of the other run (the workflow kinds), or its workflow's name where
    wait_for_workflow has ended; "at most once" or "suspended" (steps); or the digest of a streamed item (items).
    `executed_us` is the run's executing time so far.
    """

    id: int
    path: str
    kind: str
    state: str
    attempt: int
    started_us: int
    finished_us: int
    executed_us: int
    payload: str | None = None
    due_us: int | None = None
    detail: str | None = None
    node: str | None = None


class Failure(msgspec.Struct, frozen=True, omit_defaults=True):
    """A failure as it is saved: enough to raise the same error on every replay.

    `type` is the class of the StepError (or "run" for the error of a whole run); `extra` holds what only that class
    has; `cause_names` are the names of the cause's class and its bases; `traceback` is text.
    """

    type: str
    attempts: int = 0
    cause_type: str = ""
    cause_message: str = ""
    cause_names: tuple[str, ...] = ()
    traceback: str = ""
    extra: dict[str, Any] = {}


_encode = msgspec.json.Encoder().encode
_decode_failure = msgspec.json.Decoder(Failure).decode


def failure_text(failure: Failure) -> str:
    """A failure as JSON text."""
    return _encode(failure).decode()


def failure_of(text: str) -> Failure:
    """The failure that `failure_text` wrote."""
    return _decode_failure(text)


def total_of(row: Checkpoint) -> int | None:
    """How many items, or batches, a map has; None where `row` is not its header, and for items that come one by one."""
    if row.kind not in FAN_OUTS or row.state != STARTED:
        return None
    header: dict[str, Any] = msgspec.json.decode(row.payload or "{}")
    count, size = header.get("count"), header.get("batch_size")
    if row.kind != BATCH or count is None:
        return count
    return -(-count // size) if size else None
