"""The smallest useful workflow: fetch data, process it, store the results.

Run it, from the folder that holds ``examples``:

    python examples/data_pipeline.py
    flowgraph run examples/data_pipeline.py:data_pipeline

It reads ``orders.csv`` beside this file and writes ``totals.json``.

It is over in no time, so give it a pause if you want to kill it (``kill -9``, Ctrl-C) and see it resume: start the same
command again, and what was finished is not done again, nor does the pause begin anew.

    python examples/data_pipeline.py --run-id monday --pause 20s
    flowgraph runs show monday
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import flowgraph
from flowgraph import FlowgraphError, step, workflow

ORDERS = str(Path(__file__).with_name("orders.csv"))
TOTALS = "totals.json"


@dataclass(frozen=True)
class Order:
    """One line of the file."""

    day: date
    customer: str
    amount: Decimal


@workflow
async def data_pipeline(source: str = ORDERS, pause: str = "0s") -> int:
    """Sum the orders of each customer up; returns the number of customers."""
    orders = await step("fetch-data", fetch, source, max_attempts=10, timeout="30s")
    await step.sleep("pause", pause)
    totals = await step("process-data", process, orders)
    await step("store-results", store, totals)
    return len(totals)


def fetch(source: str) -> list[Order]:
    """Read the orders. Dates and decimals are saved and restored as what they are."""
    with Path(source).open(encoding="utf-8", newline="") as file:
        return [
            Order(date.fromisoformat(row["day"]), row["customer"], Decimal(row["amount"]))
            for row in csv.DictReader(file)
        ]


def process(orders: list[Order]) -> dict[str, Decimal]:
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for order in orders:
        totals[order.customer] += order.amount
    return dict(sorted(totals.items()))


def store(totals: dict[str, Decimal]) -> None:
    """Write the totals. A kill before the checkpoint writes them again, which gives the same file."""
    unfinished = Path(f"{TOTALS}.part")
    unfinished.write_text(json.dumps(totals, default=str, indent=2) + "\n", encoding="utf-8")
    unfinished.replace(TOTALS)


def main() -> int:
    """Start or continue the run that the command line names."""
    parser = argparse.ArgumentParser(description="Sum the orders of each customer up.")
    parser.add_argument("source", nargs="?", default=ORDERS, help="a CSV file with the columns day, customer, amount")
    parser.add_argument("--pause", default="0s", help="how long to wait after fetching, for example 20s")
    parser.add_argument("--run-id", help="the run's id; the same id continues that run")
    parser.add_argument("--store", help="the store's URL, for example sqlite:///flows.db")
    arguments = parser.parse_args()
    try:
        customers = flowgraph.run(
            data_pipeline, arguments.source, arguments.pause, run_id=arguments.run_id, store=arguments.store
        )
    except FlowgraphError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"the totals of {customers} customers are in {TOTALS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
