"""The last word on a run in this process: from why it stopped to the command that says so to the store."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from flowgraph.model import Failure, RunStatus, failure_text
from flowgraph.model.store import Command, Finish, Pause, Release, Suspend
from flowgraph.runtime import failures
from flowgraph.runtime.halt import (
    Aborting,
    Breaking,
    Cancelling,
    Completing,
    Failing,
    Halt,
    Pausing,
    Releasing,
    Suspending,
    TimingOut,
)

if TYPE_CHECKING:
    from flowgraph.runtime.execution import Execution

logger = logging.getLogger("flowgraph")


def last_command(run: Execution, halt: Halt) -> Command | None:
    """The command that ends, suspends, pauses or gives back a run; None where the run is no longer ours."""
    now_us, executed_us = run.clock.now_us(), run.stopwatch.us()
    match halt:
        case Suspending():
            status, wake_us = run.waiting.standing()
            return Suspend(run.no, run.epoch, status, wake_us, run.waiting.signals, executed_us, now_us)
        case Pausing(reason=reason, detail=detail):
            logger.warning("run %r is paused: %s: %s", run.id, reason, detail)
            return Pause(run.no, run.epoch, reason, detail, executed_us, now_us)
        case Releasing() | Breaking():
            return Release(run.no, run.epoch, executed_us, now_us)
    status_of_end = _STATUS.get(type(halt))
    if status_of_end is None:
        return None
    output = halt.output if isinstance(halt, Completing) else None
    return Finish(run.no, run.epoch, status_of_end, output, error_text(halt), executed_us, now_us)


def error_text(halt: Halt | None) -> str | None:
    """The error of a run that ended so, as it is saved."""
    failure: Failure | None = None
    match halt:
        case Failing(failure=found):
            failure = found
        case TimingOut(timeout=timeout):
            failure = failures.run_timeout(timeout)
    return None if failure is None else failure_text(failure)


_STATUS: dict[type[Halt], RunStatus] = {
    Completing: RunStatus.COMPLETED,
    Failing: RunStatus.FAILED,
    Aborting: RunStatus.ABORTED,
    Cancelling: RunStatus.CANCELLED,
    TimingOut: RunStatus.TIMED_OUT,
}
