"""A store with one registered worker, and short words for what tests do to it."""

from __future__ import annotations

from typing import Any

from flowgraph.model import Checkpoint, RunStatus, checkpoint_id
from flowgraph.model.store import (
    Beat,
    Cancel,
    Claim,
    Claimed,
    Command,
    Enlist,
    Find,
    Finish,
    History,
    Inbox,
    Mail,
    Note,
    Outcomes,
    Owned,
    Pause,
    Recover,
    Release,
    Reopen,
    RunRow,
    Save,
    Send,
    Start,
    Started,
    Store,
    Suspend,
    WorkerRow,
    Workers,
)

NOW = 1_700_000_000_000_000
LATER = NOW + 60_000_000
LEASE = NOW + 30_000_000


class Rig:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.host, self.lock = store.hold_lock()
        self.worker = self.enlist()

    def do(self, *commands: Command) -> Any:
        """The answer to a command, or the answers to several in one batch."""
        answers = self.store.apply(commands, synced=False)
        return answers[0] if len(commands) == 1 else answers

    # Workers

    def enlist(self, host: str | None = None, lock: str | None = None) -> int:
        return self.do(Enlist(host or self.host, 4711, lock or self.lock, LEASE, NOW))

    def beat(self, *executed: tuple[int, int, int], worker: int | None = None) -> bool:
        return self.do(Beat(worker or self.worker, LATER, executed))

    def recover(self, worker: int | None = None, limit: int = 50, leave: bool = False) -> int:
        return self.do(Recover(worker or self.worker, limit, LATER, leave))

    def workers(self) -> dict[int, WorkerRow]:
        return {row.no: row for row in self.store.ask(Workers())}

    # Runs

    def pending(self, run_id: str = "r", workflow: str = "wf", now_us: int = NOW, **options: Any) -> Started:
        return self.do(Start(run_id, workflow, "{}", now_us, **options))

    def running(self, run_id: str = "r", workflow: str = "wf", **options: Any) -> int:
        return self.do(Start(run_id, workflow, "{}", NOW, worker=self.worker, **options)).no

    def child(self, parent_no: int, run_id: str = "child", epoch: int = 1, **options: Any) -> Any:
        return self.do(Start(run_id, "wf", "{}", NOW, parent_no=parent_no, parent_epoch=epoch, **options))

    def running_child(self, parent_no: int, run_id: str = "child", **options: Any) -> int:
        return self.child(parent_no, run_id, worker=self.worker, **options).no

    def suspended(self, run_id: str = "r", status: RunStatus = RunStatus.SLEEPING, wake_us: int | None = LATER) -> int:
        no = self.running(run_id)
        assert self.suspend(no, status, wake_us) is True
        return no

    def finished(self, run_id: str = "r", status: RunStatus = RunStatus.COMPLETED) -> int:
        no = self.running(run_id)
        assert self.finish(no, status) is status
        return no

    def paused(self, run_id: str = "r", reason: str = "operator", detail: str = "") -> int:
        no = self.running(run_id)
        assert self.pause(no, reason, detail) is True
        return no

    def in_status(self, status: RunStatus, run_id: str = "r") -> int:
        """A run that has this status."""
        if status is RunStatus.PENDING:
            return self.pending(run_id).no
        if status is RunStatus.RUNNING:
            return self.running(run_id)
        if status is RunStatus.PAUSED:
            return self.paused(run_id)
        if status.suspended:
            return self.suspended(run_id, status)
        return self.finished(run_id, status)

    def claim(self, *workflows: str, worker: int | None = None, limit: int = 10, now_us: int = LATER) -> Claimed:
        return self.do(Claim(worker or self.worker, workflows or ("wf",), limit, now_us))

    def save(self, run_no: int, sequence: int = 1, epoch: int = 1, **options: Any) -> Any:
        return self.do(saved(run_no, sequence, epoch, **options))

    def suspend(
        self,
        run_no: int,
        status: RunStatus = RunStatus.SLEEPING,
        wake_us: int | None = LATER,
        signals: int = 0,
        epoch: int = 1,
    ) -> Any:
        return self.do(Suspend(run_no, epoch, status, wake_us, signals, 7, NOW))

    def finish(
        self, run_no: int, status: RunStatus = RunStatus.COMPLETED, epoch: int = 1, output: str | None = '"done"'
    ) -> Any:
        return self.do(Finish(run_no, epoch, status, output, None, 9, LATER))

    def release(self, run_no: int, epoch: int = 1) -> bool:
        return self.do(Release(run_no, epoch, 5, NOW))

    def pause(self, run_no: int, reason: str = "operator", detail: str = "", epoch: int = 1) -> bool:
        return self.do(Pause(run_no, epoch, reason, detail, 5, NOW))

    def reopen(self, reason: str = "operator", *workflows: str) -> int:
        return self.do(Reopen(workflows or ("wf",), reason, LATER))

    def note(self, run_no: int, reason: str | None, epoch: int = 1) -> bool:
        return self.do(Note(run_no, epoch, reason))

    def send(self, run_id: str = "r", event: str = "paid", payload: str = "1", send_id: str | None = None) -> Any:
        return self.do(Send(run_id, event, payload, NOW, send_id))

    def cancel(self, run_id: str = "r") -> Any:
        return self.do(Cancel(run_id, NOW))

    # What is there

    def row(self, run_id: str = "r") -> RunRow:
        found = self.store.ask(Find(run_id))
        assert found is not None
        return found

    def status(self, run_id: str = "r") -> RunStatus:
        return self.row(run_id).status

    def history(self, run_no: int) -> list[Checkpoint]:
        return self.store.ask(History(run_no))

    def mail(self, run_no: int) -> Mail:
        return self.store.ask(Inbox(run_no))

    def signals(self, run_no: int) -> int:
        return self.mail(run_no).signals

    def outcomes(self, *run_ids: str) -> dict[str, Any]:
        return {outcome.run_id: outcome for outcome in self.store.ask(Outcomes(run_ids))}

    def owned(self, worker: int | None = None) -> list[tuple[int, int, int]]:
        return self.store.ask(Owned(worker or self.worker))


def row(run_no: int, sequence: int = 1, **values: Any) -> Checkpoint:
    defaults: dict[str, Any] = {
        "path": f"step-{sequence}",
        "kind": "step",
        "state": "completed",
        "attempt": 1,
        "started_us": NOW,
        "finished_us": NOW + 5,
        "executed_us": sequence,
    }
    return Checkpoint(checkpoint_id(run_no, sequence), **(defaults | values))


def saved(
    run_no: int,
    sequence: int = 1,
    epoch: int = 1,
    take: int | None = None,
    watch: str | None = None,
    **values: Any,
) -> Save:
    return Save(run_no, epoch, row(run_no, sequence, **values), take, watch)
