"""A payment that waits for an approval: events, timeouts, escalation, and a payment that is made once.

Run it, and leave it waiting:

    flowgraph run examples/approval.py:approval --run-id trip-7 --input '{"purpose": "a trip", "amount": "120.50"}'

In another terminal see what it waits for, and decide:

    flowgraph runs show trip-7
    flowgraph runs send trip-7 decision '{"approved": true, "by": "Ada"}'

First the manager is asked, for an hour; after that the director, for a day. While it waits it is a row in the store, so
kill it (``kill -9``, Ctrl-C) and decide while nothing runs: the event is stored. Run the same command again, and the
run goes on where it was. An hour that passed in the meantime has passed.

With less patience you see it escalate:

    python examples/approval.py --run-id trip-8 --patience 20s

What was asked and paid is in the tables ``request`` and ``payment`` of ``approval.db``.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal

import flowgraph
from flowgraph import FlowgraphError, ListenTimeout, step, workflow

DATABASE = "approval.db"


@dataclass(frozen=True)
class Decision:
    """The payload of the event "decision"."""

    approved: bool
    by: str
    note: str = ""


@workflow
async def approval(purpose: str, amount: Decimal, patience: str = "1h", reflection: str = "10s") -> str:
    """Have a payment approved, and make it; returns what came of it."""
    decision = await decided("manager", purpose, amount, patience)
    if decision is None:
        await step.progress("nobody decided in time; asking the director")
        decision = await decided("director", purpose, amount, "1d")
    if decision is None:
        step.fail(f"nobody decided about {purpose!r}")
    if not decision.approved:
        return f"{decision.by} declined: {decision.note or 'no reason was given'}"

    await step.sleep("reflection", reflection)
    receipt = await step("pay", pay, purpose, amount)
    return f"{decision.by} approved; paid as {receipt}"


async def decided(role: str, purpose: str, amount: Decimal, patience: str) -> Decision | None:
    """Ask somebody, and wait for the decision; None if there is none in time."""
    await step(f"ask-{role}", ask, role, f"May we pay {amount} for {purpose}?")
    try:
        return await step.listen(f"decision-of-{role}", event="decision", timeout=patience, returns=Decision)
    except ListenTimeout:
        return None


def ask(role: str, question: str) -> None:
    """Put the question where `role` looks for questions. Asked twice, it stands there once."""
    with connected() as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS request (key TEXT PRIMARY KEY, role TEXT, question TEXT)")
        key = step.info().idempotency_key
        connection.execute("INSERT OR IGNORE INTO request VALUES (?, ?, ?)", (key, role, question))


def pay(purpose: str, amount: Decimal) -> str:
    """Pay once. A kill between paying and the checkpoint runs this again, with the same key."""
    with connected() as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS payment (key TEXT PRIMARY KEY, purpose TEXT, amount TEXT)")
        key = step.info().idempotency_key
        connection.execute("INSERT OR IGNORE INTO payment VALUES (?, ?, ?)", (key, purpose, str(amount)))
        [number] = connection.execute("SELECT rowid FROM payment WHERE key = ?", (key,)).fetchone()
    return f"payment {number}"


@contextmanager
def connected() -> Iterator[sqlite3.Connection]:
    """A connection for one transaction."""
    with closing(sqlite3.connect(DATABASE)) as connection, connection:
        yield connection


def main() -> int:
    """Start or continue the run that the command line names, and wait for its end."""
    parser = argparse.ArgumentParser(description="Have a payment approved, and make it.")
    parser.add_argument("--purpose", default="a trip", help="what the money is for")
    parser.add_argument("--amount", type=Decimal, default=Decimal("120.50"), help="how much it is")
    parser.add_argument("--patience", default="1h", help="how long the manager has, for example 20s")
    parser.add_argument("--run-id", default="trip-7", help="the run's id; the same id continues that run")
    parser.add_argument("--store", help="the store's URL, for example sqlite:///flows.db")
    arguments = parser.parse_args()
    print(f'decide with: flowgraph runs send {arguments.run_id} decision \'{{"approved": true, "by": "Ada"}}\'')
    try:
        outcome = flowgraph.run(
            approval,
            arguments.purpose,
            arguments.amount,
            arguments.patience,
            run_id=arguments.run_id,
            store=arguments.store,
        )
    except FlowgraphError as error:
        print(error, file=sys.stderr)
        return 1
    print(outcome)
    return 0


if __name__ == "__main__":
    sys.exit(main())
