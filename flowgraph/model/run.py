"""A run's life: its statuses, and the one table of transitions between them.

Rule 1: everything that decides which status may follow which lives here. Stores perform transitions and ask this table
first; no other module changes a status. Rule 2: a finished run never changes again (a retry, which an operator asks
for, is a transition of its own).
"""

from __future__ import annotations

from enum import StrEnum


class RunStatus(StrEnum):
    """Where a run stands."""

    PENDING = "pending"
    """It waits for a worker."""
    RUNNING = "running"
    """A worker executes it."""
    SLEEPING = "sleeping"
    """It is a row in the store until its wake time."""
    LISTENING = "listening"
    """It is a row in the store until an event comes."""
    WAITING = "waiting"
    """It is a row in the store until another run ends."""
    PAUSED = "paused"
    """Something has to change before it can go on; `reason` says what."""
    COMPLETED = "completed"
    FAILED = "failed"
    ABORTED = "aborted"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"

    @property
    def finished(self) -> bool:
        """Tell whether the run has ended."""
        return self in FINISHED

    @property
    def suspended(self) -> bool:
        """Tell whether the run waits as a row, without a worker."""
        return self in SUSPENDED


_S = RunStatus
FINISHED = frozenset({_S.COMPLETED, _S.FAILED, _S.ABORTED, _S.CANCELLED, _S.TIMED_OUT})
SUSPENDED = frozenset({_S.SLEEPING, _S.LISTENING, _S.WAITING})

TRANSITIONS: dict[str, tuple[frozenset[RunStatus], frozenset[RunStatus]]] = {
    # name: (from, to)
    "claim": (frozenset({_S.PENDING}) | SUSPENDED, frozenset({_S.RUNNING})),
    "suspend": (frozenset({_S.RUNNING}), SUSPENDED),
    "release": (frozenset({_S.RUNNING}), frozenset({_S.PENDING})),
    "recover": (frozenset({_S.RUNNING}), frozenset({_S.PENDING, _S.PAUSED})),
    "finish": (frozenset({_S.RUNNING}), FINISHED),
    "cancel": (frozenset({_S.PENDING, _S.PAUSED}) | SUSPENDED, frozenset({_S.CANCELLED})),
    "pause": (frozenset({_S.RUNNING}), frozenset({_S.PAUSED})),
    "resume": (frozenset({_S.PAUSED}), frozenset({_S.PENDING})),
}


def allows(transition: str, source: RunStatus, target: RunStatus) -> bool:
    """Tell whether `transition` leads from `source` to `target`.

    >>> allows("claim", RunStatus.SLEEPING, RunStatus.RUNNING), allows("claim", RunStatus.FAILED, RunStatus.RUNNING)
    (True, False)
    """
    sources, targets = TRANSITIONS[transition]
    return source in sources and target in targets


class PauseReason(StrEnum):
    """Why a run is paused."""

    OPERATOR = "operator"
    INCOMPATIBLE = "incompatible code"
    RECOVERIES = "too many recoveries"
