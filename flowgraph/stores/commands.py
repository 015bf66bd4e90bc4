"""How each command is applied: inside the transaction of a batch, by named queries.

`apply_one` applies one command and returns its answer. `apply_many` applies a group of the same class in a few
statements, on the assumption that all will be accepted; where that turns out wrong it raises `NotAll`, and the batch is
applied again one by one. Neither knows which database is behind the driver.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flowgraph.model.checkpoint import Checkpoint
from flowgraph.model.run import FINISHED, PauseReason, RunStatus, allows
from flowgraph.model.store import (
    Beat,
    Bind,
    Cancel,
    Claim,
    Claimed,
    ClaimedRun,
    Command,
    Enlist,
    Finish,
    KeepGraph,
    Note,
    Outcome,
    Pause,
    Recover,
    Release,
    Reopen,
    Save,
    Send,
    Start,
    Started,
    Suspend,
)
from flowgraph.stores.batches import ends_watch
from flowgraph.stores.driver import Driver, Unfit, json_text

_RUNNING = RunStatus.RUNNING
_STATUS = {status.value: status for status in RunStatus}


class NotAll(Exception):
    """Some command of a group was refused; which one, only applying them one by one can tell."""


def apply_one(driver: Driver, command: Command) -> Any:
    """Apply one command and return its answer."""
    handler = _ONE.get(type(command))
    if handler is None:
        raise Unfit(f"{type(command).__name__} is no command that a store knows")
    return handler(driver, command)


def apply_many(driver: Driver, kind: type[Command], group: Sequence[Any]) -> list[Any]:
    """Apply simple commands of one class and return their answers, in order."""
    handler = _MANY.get(kind)
    if handler is None:
        return [apply_one(driver, command) for command in group]
    return handler(driver, group)


# Starting -------------------------------------------------------------------------------------------------------------


def _start(driver: Driver, command: Start) -> Started | bool:
    try:
        [started] = _starts(driver, [command])
    except NotAll:
        if command.parent_no is not None and not _is_owned(driver, command.parent_no, command.parent_epoch):
            return False
        [(no, workflow, input_, status)] = driver.rows("run_by_id", run_id=command.id)
        return Started(no, False, workflow, input_, _STATUS[status])
    return started


def _starts(driver: Driver, group: Sequence[Start]) -> list[Started]:
    [(first_no,)] = driver.rows("next_run_no")
    registered = {worker: _is_registered(driver, worker) for worker in {start.worker for start in group}}
    rows, answers = [], []
    for no, start in enumerate(group, first_no):
        status = _RUNNING if registered[start.worker] else RunStatus.PENDING
        rows.append(_run_row(no, start, status))
        answers.append(Started(no, True, start.workflow, start.input, status))
    _all(driver, "start_runs", rows)
    tags = [(no, *tag) for no, start in enumerate(group, first_no) for tag in (start.tags or {}).items()]
    if tags:
        driver.change("tag_runs", tags)
    return answers


def _run_row(no: int, start: Start, status: RunStatus) -> tuple[Any, ...]:
    claimed = status is _RUNNING
    return (
        no,
        start.id,
        start.workflow,
        status.value,
        int(claimed),
        start.worker if claimed else None,
        start.input,
        None if claimed else start.now_us,
        start.now_us,
        start.now_us if claimed else None,
        start.parent_no,
        start.parent_epoch,
        int(start.detached),
        start.fingerprint if claimed else None,
    )


def _is_registered(driver: Driver, worker: int | None) -> bool:
    """A worker that was struck off must not own a run: nobody would take the run away from it."""
    return worker is not None and bool(driver.rows("is_registered", worker=worker))


def _is_owned(driver: Driver, run_no: int, epoch: int | None) -> bool:
    return bool(driver.rows("is_owned", run_no=run_no, epoch=epoch))


# Claiming -------------------------------------------------------------------------------------------------------------


def _claim(driver: Driver, command: Claim) -> Claimed:
    worker, now_us, workflows = command.worker, command.now_us, json_text(command.workflows)
    most = max(command.limit, 0)
    due = [no for (no,) in driver.rows("due_runs", worker=worker, workflows=workflows, most=most, now_us=now_us)]
    rows = driver.rows("claim_runs", **_claim_values(command, due)) if due else []
    place = {no: place for place, no in enumerate(due)}
    [(next_wake_us,)] = driver.rows("next_wake", workflows=workflows)
    return Claimed(tuple(_claimed_run(row) for row in sorted(rows, key=lambda row: place[row[0]])), next_wake_us)


def _claim_values(command: Claim, due: list[int]) -> dict[str, Any]:
    return {
        "worker": command.worker,
        "run_nos": json_text(due),
        "now_us": command.now_us,
        "fingerprints": json_text(command.fingerprints),
    }


def _claimed_run(row: tuple[Any, ...]) -> ClaimedRun:
    no, run_id, workflow, input_, epoch, signals, cancel_requested, *rest = row
    return ClaimedRun(no, run_id, workflow, input_, epoch, signals, bool(cancel_requested), *rest)


def _bind(driver: Driver, command: Bind) -> bool:
    return bool(driver.change("bind_runs", [(command.run_no, command.epoch, command.fingerprint)]))


def _binds(driver: Driver, group: Sequence[Bind]) -> list[bool]:
    _all(driver, "bind_runs", [(command.run_no, command.epoch, command.fingerprint) for command in group])
    return [True] * len(group)


# Owned runs -----------------------------------------------------------------------------------------------------------


def _save(driver: Driver, command: Save) -> bool | Outcome:
    if not driver.change("save_rows", [_saved_row(command)]):
        return False
    if command.take is not None:
        _take(driver, command)
    if ends_watch(command):
        driver.rows("unwatch_path", watcher_no=command.run_no, path=command.row.path)
    if command.watch is not None:
        return _watch(driver, command, command.watch)
    return True


def _saved_row(command: Save) -> tuple[Any, ...]:
    row: Checkpoint = command.row
    return (
        command.run_no,
        command.epoch,
        row.id,
        row.path,
        row.kind,
        row.state,
        row.attempt,
        row.started_us,
        row.finished_us,
        row.executed_us,
        row.payload,
        row.due_us,
        row.detail,
        row.node,
    )


def _take(driver: Driver, command: Save) -> None:
    if not driver.rows("take_event", row_id=command.row.id, event_id=command.take, run_no=command.run_no):
        raise Unfit(f"run number {command.run_no} has no untaken event {command.take}")


def _watch(driver: Driver, command: Save, run_id: str) -> Outcome:
    outcomes = driver.select("outcomes", [(run_id,)])
    if not outcomes:
        return Outcome(run_id, None)
    outcome = outcome_of(*outcomes[0])
    if outcome.status not in FINISHED:
        [(target_no, *_)] = driver.rows("run_by_id", run_id=run_id)
        driver.rows("watch_run", target_no=target_no, watcher_no=command.run_no, path=command.row.path)
    return outcome


def outcome_of(run_id: str, status: str, output: str | None, error: str | None, workflow: str) -> Outcome:
    """How a run stands, from its row."""
    return Outcome(run_id, _STATUS[status], output, error, workflow)


def _saves(driver: Driver, group: Sequence[Save]) -> list[bool]:
    _all(driver, "save_rows", [_saved_row(save) for save in group])
    return [True] * len(group)


def _suspend(driver: Driver, command: Suspend) -> bool:
    return bool(driver.change("suspend_runs", [_suspended_row(command)]))


def _suspends(driver: Driver, group: Sequence[Suspend]) -> list[bool]:
    _all(driver, "suspend_runs", [_suspended_row(command) for command in group])
    return [True] * len(group)


def _suspended_row(command: Suspend) -> tuple[Any, ...]:
    return (
        command.run_no,
        command.epoch,
        _checked("suspend", command.status),
        command.signals,
        command.wake_us,
        command.now_us,
        command.executed_us,
    )


def _release(driver: Driver, command: Release) -> bool:
    row = (command.run_no, command.epoch, command.executed_us, command.now_us)
    return bool(driver.change("release_runs", [row]))


def _note(driver: Driver, command: Note) -> bool:
    return bool(driver.change("note_runs", [(command.run_no, command.epoch, command.reason)]))


def _pause(driver: Driver, command: Pause) -> bool:
    statuses = driver.rows(
        "pause_run",
        run_no=command.run_no,
        epoch=command.epoch,
        reason=f"{command.reason}: {command.detail}" if command.detail else command.reason,
        executed_us=command.executed_us,
        now_us=command.now_us,
    )
    if statuses and _STATUS[statuses[0][0]] in FINISHED:
        _settle(driver, [(command.run_no, RunStatus.CANCELLED)], command.now_us)
    return bool(statuses)


def _reopen(driver: Driver, command: Reopen) -> int:
    workflows = json_text(command.workflows)
    return len(driver.rows("reopen_runs", workflows=workflows, reason=command.reason, now_us=command.now_us))


# Ending ---------------------------------------------------------------------------------------------------------------


def _finish(driver: Driver, command: Finish) -> RunStatus | bool:
    if not driver.change("finish_runs", [_finished_row(command)]):
        return False
    [(found,)] = driver.rows("status_of", run_no=command.run_no)
    status = _STATUS[found]
    _settle(driver, [(command.run_no, status)], command.now_us)
    return status


def _finishes(driver: Driver, group: Sequence[Finish]) -> list[RunStatus | bool]:
    run_nos = json_text([command.run_no for command in group])
    entangled = {no for (no,) in driver.rows("entangled_runs", run_nos=run_nos)}
    alone = [command for command in group if command.run_no not in entangled]
    _all(driver, "finish_runs", [_finished_row(command) for command in alone])
    return [_finish(driver, command) if command.run_no in entangled else command.status for command in group]


def _finished_row(command: Finish) -> tuple[Any, ...]:
    return (
        command.run_no,
        command.epoch,
        _checked("finish", command.status),
        command.output,
        command.error,
        command.executed_us,
        command.now_us,
    )


def _cancel(driver: Driver, command: Cancel) -> RunStatus | None:
    found = driver.rows("run_by_id", run_id=command.run_id)
    if not found:
        return None
    no, _, _, before = found[0]
    if before == _RUNNING:
        driver.rows("flag_run", run_no=no)
    elif not _STATUS[before].finished:
        driver.rows("cancel_run", run_no=no, now_us=command.now_us)
        _settle(driver, [(no, RunStatus.CANCELLED)], command.now_us)
    return _STATUS[before]


def _settle(driver: Driver, ended: list[tuple[int, RunStatus]], now_us: int) -> None:
    """Tell those whom the end of runs concerns: the runs that watch them, and the children that go with them."""
    while ended:
        no, status = ended.pop()
        driver.rows("signal_watchers", target_no=no, now_us=now_us)
        driver.rows("unwatch_all", watcher_no=no)
        if status is not RunStatus.COMPLETED:
            driver.rows("flag_children", run_no=no)
            cancelled = driver.rows("cancel_children", run_no=no, now_us=now_us)
            ended.extend((child, RunStatus.CANCELLED) for (child,) in cancelled)


# Graphs, events and workers -------------------------------------------------------------------------------------------


def _keep_graph(driver: Driver, command: KeepGraph) -> bool:
    row = command.row
    driver.rows(
        "keep_graph",
        fingerprint=row.fingerprint,
        workflow=row.workflow,
        dependencies=row.dependencies,
        diagnostics=row.diagnostics,
        graph=row.graph,
        now_us=command.now_us,
    )
    return True


def _send(driver: Driver, command: Send) -> RunStatus | None:
    found = driver.rows("run_by_id", run_id=command.run_id)
    if not found:
        return None
    no, _, _, status = found[0]
    if not _STATUS[status].finished and driver.rows(
        "store_event",
        run_no=no,
        event=command.event,
        payload=command.payload,
        send_id=command.send_id,
        now_us=command.now_us,
    ):
        driver.rows("signal_run", run_no=no, now_us=command.now_us)
    return _STATUS[status]


def _enlist(driver: Driver, command: Enlist) -> int:
    [(no,)] = driver.rows(
        "enlist_worker",
        host=command.host,
        pid=command.pid,
        lock=command.lock,
        lease_until_us=command.lease_until_us,
        now_us=command.now_us,
    )
    return int(no)


def _beat(driver: Driver, command: Beat) -> bool:
    if command.executed:
        driver.change("beat_runs", command.executed)
    return bool(driver.rows("renew_lease", worker=command.worker, lease_until_us=command.lease_until_us))


def _recover(driver: Driver, command: Recover) -> int:
    worker, now_us = command.worker, command.now_us
    driver.rows("strike_off_worker", worker=worker)
    driver.rows("count_recovered_time", worker=worker)
    ended = driver.rows("end_recovered_runs", worker=worker, now_us=now_us)
    paused = (
        []
        if command.leave
        else driver.rows(
            "pause_recovered_runs",
            worker=worker,
            reason=PauseReason.RECOVERIES.value,
            max_recoveries=command.max_recoveries,
        )
    )
    requeued = driver.rows("requeue_recovered_runs", worker=worker, now_us=now_us, counted=int(not command.leave))
    _settle(driver, [(no, RunStatus.CANCELLED) for (no,) in ended], now_us)
    return len(ended) + len(paused) + len(requeued)


def _checked(transition: str, status: RunStatus) -> str:
    if not allows(transition, _RUNNING, status):
        raise Unfit(f"no run can {transition} as {str(status)!r}")
    return status.value


def _all(driver: Driver, query: str, rows: Sequence[tuple[Any, ...]]) -> None:
    if rows and driver.change(query, rows) != len(rows):
        raise NotAll


_ONE: dict[type[Command], Callable[[Driver, Any], Any]] = {
    Start: _start,
    Claim: _claim,
    Bind: _bind,
    KeepGraph: _keep_graph,
    Save: _save,
    Suspend: _suspend,
    Finish: _finish,
    Release: _release,
    Pause: _pause,
    Reopen: _reopen,
    Note: _note,
    Send: _send,
    Cancel: _cancel,
    Enlist: _enlist,
    Beat: _beat,
    Recover: _recover,
}
_MANY: dict[type[Command], Callable[[Driver, Sequence[Any]], list[Any]]] = {
    Start: _starts,
    Bind: _binds,
    Save: _saves,
    Suspend: _suspends,
    Finish: _finishes,
}
