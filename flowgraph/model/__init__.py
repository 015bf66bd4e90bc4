"""Values without input or output: names, durations, policies, runs, checkpoints, and the ports to store and scope.

The records of runs are loaded when they are first asked for, so that a start does not pay for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowgraph.model import checkpoint, store
from flowgraph.model.checkpoint import Checkpoint, Failure, checkpoint_id, failure_of, failure_text
from flowgraph.model.durations import (
    MICROSECONDS,
    Duration,
    count,
    lasting,
    microseconds,
    moment,
    moment_us,
    seconds,
    waiting,
)
from flowgraph.model.holes import doubled, name_parts
from flowgraph.model.names import (
    checked_key,
    checked_name,
    child_path,
    escaped,
    is_below,
    item_path,
    leaf_name,
    parent_path,
)
from flowgraph.model.policy import DEFAULT_MAX_ATTEMPTS, RetryPolicy, retry_delay
from flowgraph.model.run import FINISHED, SUSPENDED, TRANSITIONS, PauseReason, RunStatus, allows
from flowgraph.model.scope import CURRENT, NO_OPTIONS, FanOut, Scope, StepInfo, StepOptions, current_scope
from flowgraph.model.store import Store

if TYPE_CHECKING:
    from flowgraph.model.record import AttemptRecord, ErrorRecord, RunQuery, RunRecord, StepRecord, WaitRecord

_RECORDS = ("AttemptRecord", "ErrorRecord", "RunQuery", "RunRecord", "StepRecord", "WaitRecord")

__all__ = [
    "CURRENT",
    "DEFAULT_MAX_ATTEMPTS",
    "FINISHED",
    "MICROSECONDS",
    "NO_OPTIONS",
    "SUSPENDED",
    "TRANSITIONS",
    "AttemptRecord",
    "Checkpoint",
    "Duration",
    "ErrorRecord",
    "Failure",
    "FanOut",
    "PauseReason",
    "RetryPolicy",
    "RunQuery",
    "RunRecord",
    "RunStatus",
    "Scope",
    "StepInfo",
    "StepOptions",
    "StepRecord",
    "Store",
    "WaitRecord",
    "allows",
    "checked_key",
    "checked_name",
    "checkpoint",
    "checkpoint_id",
    "child_path",
    "count",
    "current_scope",
    "doubled",
    "escaped",
    "failure_of",
    "failure_text",
    "is_below",
    "item_path",
    "lasting",
    "leaf_name",
    "microseconds",
    "moment",
    "moment_us",
    "name_parts",
    "parent_path",
    "retry_delay",
    "seconds",
    "store",
    "waiting",
]


def __getattr__(name: str) -> Any:
    if name in _RECORDS:
        from flowgraph.model import record

        return getattr(record, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
