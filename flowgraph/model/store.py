"""The port to durable state: commands, questions, and the Store protocol.

A command is a small frozen value. The journal collects commands, a store applies a batch of them in one transaction,
and each command gets an answer. No command raises for what its values say: a write whose epoch is stale answers
``False``, one whose values a store cannot hold answers a StoreError, and the others of its batch are committed. A store
raises only StoreError, and then nothing of the batch was committed.

Fencing: each claim raises the run's epoch, and so does taking a run away from a dead worker. `Save`, `Suspend`,
`Finish`, `Release`, `Pause`, `Note` and `Bind` carry the epoch and change nothing where it is stale.

Waking: `wake_us` is the moment from which a run without a worker may be claimed; NULL means not before a signal. A
signal (an event, the end of a run that is waited for, a cancellation) raises `signals`, and gives a suspended run that
waits for such a thing a wake time of now. A wake is a hint: whoever claims the run looks whether a wait is over. A
`Suspend` carries the number of signals that its worker has seen; if there are more by now, the run is to be woken at
once. So no signal is lost, and no wait is polled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from flowgraph.model.checkpoint import Checkpoint
from flowgraph.model.run import RunStatus

if TYPE_CHECKING:
    from flowgraph.model.record import RunQuery


class Command(msgspec.Struct, frozen=True, gc=False):
    """Something to be written."""


class Question(msgspec.Struct, frozen=True, gc=False):
    """Something to be read."""


# Runs -----------------------------------------------------------------------------------------------------------------


class Start(Command, frozen=True, gc=False):
    """Insert a run, once: a run with this id stays as it is. Answer: `Started`. Always synced.

    With `worker`, the run is inserted as running, claimed by that worker with epoch 1; else, and where that worker is
    no longer registered, as pending (`Started.status` says which).
    `parent_no` and `parent_epoch` belong to a child: the parent's epoch fences the start (answer False).
    `fingerprint` is that of the graph by which the worker executes the run, where it knows it already.
    """

    id: str
    workflow: str
    input: str
    now_us: int
    tags: dict[str, str] | None = None
    worker: int | None = None
    parent_no: int | None = None
    parent_epoch: int | None = None
    detached: bool = False
    fingerprint: str | None = None


class Started(msgspec.Struct, frozen=True, gc=False):
    """The answer to `Start`: the run's number; where it existed, `created` is False and the rest says how it is."""

    no: int
    created: bool
    workflow: str
    input: str
    status: RunStatus


class Claim(Command, frozen=True, gc=False):
    """Claim up to `limit` runs of these workflows that are due, the longest due first. Answer: `Claimed`.

    `fingerprints` are those of the graphs, by workflow, that the worker has; the runs are executed by them.
    """

    worker: int
    workflows: tuple[str, ...]
    limit: int
    now_us: int
    fingerprints: dict[str, str] = {}


class ClaimedRun(msgspec.Struct, frozen=True, gc=False):
    """A run that this worker owns now. `epoch` is the raised one; a run with epoch 1 has no history.

    `fingerprint` is what its row says; where the worker executes it by another graph, it has to `Bind` it.
    """

    no: int
    id: str
    workflow: str
    input: str
    epoch: int
    signals: int
    cancel_requested: bool
    executed_us: int
    fingerprint: str | None = None
    parent_id: str | None = None


class Claimed(msgspec.Struct, frozen=True, gc=False):
    """The answer to `Claim`; `next_wake_us` is when the next run of these workflows is due (None: none is known)."""

    runs: tuple[ClaimedRun, ...]
    next_wake_us: int | None


class Bind(Command, frozen=True, gc=False):
    """Say by which graph an owned run is executed. Answer: True, or False where the epoch is stale."""

    run_no: int
    epoch: int
    fingerprint: str


class Save(Command, frozen=True, gc=False):
    """Append a row to the history of an owned run. Answer: True, or False where the epoch is stale.

    `take` is the id of the event that this row consumes. `watch` is the id of another run whose end is to signal this
    one; the answer is then that run's `Outcome` (status None where there is no such run). The watch lasts until a row
    ends the wait at the same path, or the run ends.
    """

    run_no: int
    epoch: int
    row: Checkpoint
    take: int | None = None
    watch: str | None = None


class Suspend(Command, frozen=True, gc=False):
    """Give up the worker while the run waits. Answer: True, or False where the epoch is stale."""

    run_no: int
    epoch: int
    status: RunStatus
    wake_us: int | None
    signals: int
    executed_us: int
    now_us: int


class Finish(Command, frozen=True, gc=False):
    """End an owned run, signal those that wait for it, and, unless it completed, cancel its children.

    Answer: the status in which it ended (CANCELLED where a cancellation had been acknowledged), or False where the
    epoch is stale. Children that are detached, or finished, stay as they are.
    """

    run_no: int
    epoch: int
    status: RunStatus
    output: str | None
    error: str | None
    executed_us: int
    now_us: int


class Release(Command, frozen=True, gc=False):
    """Give an unfinished run back: pending, due now. Answer: True, or False where the epoch is stale."""

    run_no: int
    epoch: int
    executed_us: int
    now_us: int


class Pause(Command, frozen=True, gc=False):
    """Pause an owned run, saying why: `reason` is a PauseReason, `detail` a sentence. Answer: True or False.

    The run's row says "reason: detail". A run whose cancellation was acknowledged is cancelled instead.
    """

    run_no: int
    epoch: int
    reason: str
    detail: str
    executed_us: int
    now_us: int


class Reopen(Command, frozen=True, gc=False):
    """Make the runs of these workflows that are paused for `reason` pending again. Answer: how many."""

    workflows: tuple[str, ...]
    reason: str
    now_us: int


class Note(Command, frozen=True, gc=False):
    """Say in the run's row why it stays resident (None: no longer). Answer: True, or False where the epoch is stale."""

    run_no: int
    epoch: int
    reason: str | None


class Send(Command, frozen=True, gc=False):
    """Store an event. Answer: the run's status, None where there is no such run. Always synced.

    A finished run takes no event. The same `send_id` for the same run is stored once.
    """

    run_id: str
    event: str
    payload: str
    now_us: int
    send_id: str | None = None


class Cancel(Command, frozen=True, gc=False):
    """Cancel a run. Answer: its status before, None where there is no such run. Always synced.

    A run without a worker is cancelled at once, and its children with it; an owned one is flagged and signalled, and
    its worker ends it. A finished run stays as it is.
    """

    run_id: str
    now_us: int


# Graphs ---------------------------------------------------------------------------------------------------------------

UNKNOWN_GRAPH = "unknown"
"""In the place of the fingerprint of a run whose worker had no graph for it."""


class GraphRow(msgspec.Struct, frozen=True, gc=False):
    """A graph as it is kept: its JSON form, its diagnostics and what it was compiled from, each as JSON text."""

    fingerprint: str
    workflow: str
    graph: str
    diagnostics: str = "[]"
    dependencies: str = "[]"


class KeepGraph(Command, frozen=True, gc=False):
    """Keep a graph under its fingerprint; what is kept already is brought up to date. Answer: True."""

    row: GraphRow
    now_us: int


# Workers --------------------------------------------------------------------------------------------------------------


class Enlist(Command, frozen=True, gc=False):
    """Register a worker. Answer: its number. `host` names the machine's boot, `lock` the worker's lock."""

    host: str
    pid: int
    lock: str
    lease_until_us: int
    now_us: int


class Beat(Command, frozen=True, gc=False):
    """Renew a worker's lease, and save its runs' executing times: (run number, epoch, microseconds).

    Answer: True, or False where the worker is no longer registered.
    """

    worker: int
    lease_until_us: int
    executed: tuple[tuple[int, int, int], ...] = ()


class Recover(Command, frozen=True, gc=False):
    """Take the runs of a dead worker away from it, and strike the worker off. Answer: how many runs.

    Each becomes pending, due now, with its epoch raised; one that was recovered `max_recoveries` times is paused.
    With `leave`, a worker strikes itself off: its runs are given back without counting as recoveries.
    """

    worker: int
    max_recoveries: int
    now_us: int
    leave: bool = False


# Questions ------------------------------------------------------------------------------------------------------------


class Find(Question, frozen=True, gc=False):
    """One run by id. Answer: `RunRow`, or None."""

    run_id: str


class List(Question, frozen=True, gc=False):
    """Runs, newest first. Answer: a list of `RunRow`."""

    query: RunQuery


class History(Question, frozen=True, gc=False):
    """A run's rows in order. Answer: a list of `Checkpoint`."""

    run_no: int


class Inbox(Question, frozen=True, gc=False):
    """What came for a run: untaken events, and how the runs that it watches stand. Answer: `Mail`."""

    run_no: int


class Event(msgspec.Struct, frozen=True, gc=False):
    """An event that no wait has taken."""

    id: int
    name: str
    payload: str


class Mail(msgspec.Struct, frozen=True, gc=False):
    """The answer to `Inbox`. `signals` was read together with the rest."""

    signals: int
    cancel_requested: bool
    events: tuple[Event, ...]
    outcomes: tuple[Outcome, ...]


class Outcomes(Question, frozen=True, gc=False):
    """How these runs stand. Answer: a tuple of `Outcome`, those that exist, in any order."""

    run_ids: tuple[str, ...]


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """How a run stands; `output` and `error` are there when it is finished."""

    run_id: str
    status: RunStatus | None
    output: str | None = None
    error: str | None = None
    workflow: str = ""


class GraphsOf(Question, frozen=True, gc=False):
    """The graphs of a workflow, last compiled first, at most so many. Answer: a list of `GraphRow`."""

    workflow: str
    most: int


class GraphOfRun(Question, frozen=True, gc=False):
    """The graph by which a run was last executed. Answer: `GraphRow`, or None."""

    run_id: str


class Owned(Question, frozen=True, gc=False):
    """The runs that a worker owns. Answer: a list of (run number, epoch, signals)."""

    worker: int


class Workers(Question, frozen=True, gc=False):
    """All registered workers. Answer: a list of `WorkerRow`."""


class WorkerRow(msgspec.Struct, frozen=True, gc=False):
    """A registered worker."""

    no: int
    host: str
    pid: int
    lock: str
    lease_until_us: int


class RunRow(msgspec.Struct, frozen=True, gc=False):
    """A run as its row says."""

    no: int
    id: str
    workflow: str
    status: RunStatus
    input: str
    output: str | None
    error: str | None
    reason: str | None
    created_us: int
    started_us: int | None
    finished_us: int | None
    wake_us: int | None
    executed_us: int
    epoch: int
    recoveries: int
    worker: int | None
    fingerprint: str | None
    parent_id: str | None
    tags: dict[str, str]


class Store(Protocol):
    """Durable state behind one write connection. Its calls are synchronous and come from one thread at a time.

    The exception is `ask`: where the store is shared it has a connection of its own, and comes from another thread.
    A store raises only StoreError: StoreUnavailable where trying again may help.
    """

    url: str
    shared: bool
    """Whether other processes can see this store (a file, a server), so that it has to be watched for changes."""
    wrote: bool
    """Whether the last `apply` changed anything."""

    def open(self) -> None:
        """Connect and migrate the schema; SchemaMismatch where it is newer than this code."""
        ...

    def close(self) -> None: ...

    def apply(self, commands: Sequence[Command], *, synced: bool, patient: bool = True) -> list[Any]:
        """Apply commands in one transaction and return their answers, in order.

        With `synced` the commit is on disk when this returns. Without `patient` a store that is busy raises
        StoreUnavailable at once instead of waiting.
        """
        ...

    def ask(self, question: Question) -> Any:
        """Answer a question from what is committed."""
        ...

    def changed(self) -> bool:
        """Tell, cheaply, whether others have committed since the last call."""
        ...

    def tend(self) -> None:
        """Do what keeps the store fast and can take a while, such as moving a write-ahead log into its file."""
        ...

    def hold_lock(self) -> tuple[str, str]:
        """Take a lock that ends with this process, however it ends. Returns (host, lock) for `Enlist`."""
        ...

    def is_held(self, worker: WorkerRow) -> bool | None:
        """Tell whether a worker's lock is still held; None where the lock cannot tell (another host)."""
        ...
