"""An order from its check to its delivery: most of what the language has, in one workflow.

Draw it, without running anything:

    flowgraph draw examples/order_fulfilment.py:fulfil_order -o order.svg

Run it. Small orders need no approval; the parcel arrives when somebody says so:

    flowgraph run examples/order_fulfilment.py:fulfil_order --run-id order-7 --input '{"lines": ["lamp", "desk"]}'
    flowgraph runs send order-7 delivered '"left with a neighbour"'

See how far it has come:

    flowgraph draw --run order-7 -o order-7.svg
"""

from __future__ import annotations

import asyncio

from flowgraph import ListenTimeout, StepFailed, step, workflow

PRICES = {"lamp": 30, "desk": 120, "piano": 4_000}
LIMIT = 1_000


class CardDeclined(Exception):
    """The bank refuses, and will refuse again."""


@workflow
async def fulfil_order(lines: list[str], card: str = "4242") -> str:
    """Check, charge, pack and ship an order; returns what was said at its delivery."""
    total = await step("price-order", price, lines)
    if total > LIMIT:
        approved = await step.listen("approval", timeout="2d", returns=bool)
        if not approved:
            step.abort()

    for line in lines:
        await step(f"reserve-{line}", reserve, line, max_attempts=10)
    try:
        receipt = await step("charge-card", charge, card, total, at_most_once=True)
    except StepFailed as error:
        await step.map("release", release, lines, concurrency=5)
        step.fail(f"not paid: {error.cause_message}")

    parcel, _ = await asyncio.gather(step("pack", pack, lines), step("send-receipt", send, receipt))
    tracking = await step.execute_workflow("ship", ship_parcel, parcel)
    try:
        said = await step.listen("delivered", timeout="14d", returns=str)
    except ListenTimeout:
        said = await step("search", search, tracking)
    await step.sleep("grace-period", "1d")
    await step("ask-for-review", send, said)
    return said


@workflow
async def ship_parcel(parcel: str) -> str:
    """Hand a parcel to the first carrier that takes it; returns its tracking number."""
    for carrier in ("bike", "van", "truck"):
        await step.progress(f"asking the {carrier}")
        if await step(f"offer-to-{carrier}", offer, carrier, parcel):
            break
    else:
        step.fail(f"nobody takes {parcel}")
    return await step("book", book, carrier, parcel)


def price(lines: list[str]) -> int:
    """Sum the prices up."""
    return sum(PRICES.get(line, 10) for line in lines)


async def reserve(line: str) -> str:
    """Set one piece aside."""
    return f"reserved {line}"


async def release(line: str) -> str:
    """Put one piece back."""
    return f"released {line}"


async def charge(card: str, total: int) -> str:
    """Take the money."""
    if card == "0000":
        message = f"card {card} was declined"
        raise CardDeclined(message)
    return f"receipt for {total}"


def pack(lines: list[str]) -> str:
    """Put everything into one parcel."""
    return f"parcel of {len(lines)}"


def send(text: str) -> None:
    """Write to the customer."""
    print("to the customer:", text)


def offer(carrier: str, parcel: str) -> bool:
    """Ask a carrier; the bike takes small parcels only."""
    return carrier != "bike" or parcel in {"parcel of 1", "parcel of 2"}


def book(carrier: str, parcel: str) -> str:
    """Book a carrier."""
    return f"{carrier}: {parcel}"


def search(tracking: str) -> str:
    """Look for a parcel that nobody has seen."""
    return f"searched for {tracking}"
