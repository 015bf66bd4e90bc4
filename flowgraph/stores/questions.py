"""How each question is answered: by named queries, inside one read transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flowgraph.errors import StoreError
from flowgraph.model.checkpoint import Checkpoint, checkpoint_id
from flowgraph.model.durations import moment_us
from flowgraph.model.run import RunStatus
from flowgraph.model.store import (
    Event,
    Find,
    GraphOfRun,
    GraphRow,
    GraphsOf,
    History,
    Inbox,
    List,
    Mail,
    Outcome,
    Outcomes,
    Owned,
    Question,
    RunRow,
    WorkerRow,
    Workers,
)
from flowgraph.stores.commands import outcome_of
from flowgraph.stores.driver import Driver, json_text


def answer(driver: Driver, question: Question) -> Any:
    """Answer one question."""
    handler = _ANSWERS.get(type(question))
    if handler is None:
        raise StoreError(f"{type(question).__name__} is no question that a store knows.")
    return handler(driver, question)


def _find(driver: Driver, question: Find) -> RunRow | None:
    rows = _run_rows(driver, driver.rows("find_run", run_id=question.run_id))
    return rows[0] if rows else None


def _list(driver: Driver, question: List) -> list[RunRow]:
    query = question.query
    values: dict[str, Any] = {
        "workflow": query.workflow,
        "status": None if query.status is None else RunStatus(query.status).value,
        "since_us": None if query.since is None else moment_us(query.since),
        "until_us": None if query.until is None else moment_us(query.until),
        "after": query.after,
        "most": query.limit,
    }
    if not query.tags:
        return _run_rows(driver, driver.rows("list_runs", **values))
    key, value = next(iter(query.tags.items()))
    tagged = driver.rows("list_tagged_runs", key=key, value=value, tags=json_text(query.tags), **values)
    return _run_rows(driver, tagged)


def _run_rows(driver: Driver, rows: list[Any]) -> list[RunRow]:
    tags: dict[int, dict[str, str]] = {row[0]: {} for row in rows}
    if rows:
        for run_no, key, value in driver.rows("tags_of", run_nos=json_text(list(tags))):
            tags[run_no][key] = value
    return [_run_row(row, tags[row[0]]) for row in rows]


def _run_row(row: tuple[Any, ...], tags: dict[str, str]) -> RunRow:
    values: tuple[Any, ...] = (*row[:3], RunStatus(row[3]), *row[4:], tags)
    return RunRow(*values)


def _history(driver: Driver, question: History) -> list[Checkpoint]:
    first, last = checkpoint_id(question.run_no, 0), checkpoint_id(question.run_no + 1, 0) - 1
    return [Checkpoint(*row) for row in driver.rows("history", first_id=first, last_id=last)]


def _inbox(driver: Driver, question: Inbox) -> Mail:
    run_no = question.run_no
    signals, cancel_requested = next(iter(driver.rows("mail_signals", run_no=run_no)), (0, 0))
    events = tuple(Event(*row) for row in driver.rows("mail_events", run_no=run_no))
    outcomes = tuple(outcome_of(*row) for row in driver.rows("mail_outcomes", run_no=run_no))
    return Mail(signals, bool(cancel_requested), events, outcomes)


def _outcomes(driver: Driver, question: Outcomes) -> tuple[Outcome, ...]:
    rows = driver.select("outcomes", [(run_id,) for run_id in dict.fromkeys(question.run_ids)])
    return tuple(outcome_of(*row) for row in rows)


def _graphs_of(driver: Driver, question: GraphsOf) -> list[GraphRow]:
    return [GraphRow(*row) for row in driver.rows("graphs_of", workflow=question.workflow, most=question.most)]


def _graph_of_run(driver: Driver, question: GraphOfRun) -> GraphRow | None:
    rows = driver.rows("graph_of_run", run_id=question.run_id)
    return GraphRow(*rows[0]) if rows else None


def _owned(driver: Driver, question: Owned) -> list[tuple[int, int, int]]:
    return driver.rows("owned_runs", worker=question.worker)


def _workers(driver: Driver, _: Workers) -> list[WorkerRow]:
    return [WorkerRow(*row) for row in driver.rows("workers")]


_ANSWERS: dict[type[Question], Callable[[Driver, Any], Any]] = {
    Find: _find,
    List: _list,
    History: _history,
    Inbox: _inbox,
    Outcomes: _outcomes,
    GraphsOf: _graphs_of,
    GraphOfRun: _graph_of_run,
    Owned: _owned,
    Workers: _workers,
}
