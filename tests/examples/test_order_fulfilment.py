"""The order is fulfilled, waits for what it has to wait for, and fails without leaving anything reserved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import ModuleType

import pytest

from flowgraph import RunAborted, RunFailed, Runtime
from flowgraph.testing import VirtualClock

Example = Callable[[str], ModuleType]


def outcome(module: ModuleType, *arguments: object, events: dict[str, object]) -> str:
    async def main() -> str:
        async with Runtime("sqlite:///:memory:", clock=VirtualClock()) as runtime:
            run = await runtime.start(module.fulfil_order, *arguments)
            for event, payload in events.items():
                await run.send(event, payload)
            return await run.result()

    return asyncio.run(main())


def test_a_small_order_is_delivered(example: Example) -> None:
    assert outcome(example("order_fulfilment"), ["lamp"], events={"delivered": "at the door"}) == "at the door"


def test_a_parcel_that_nobody_has_seen_is_searched_for(example: Example) -> None:
    said = outcome(example("order_fulfilment"), ["lamp", "desk", "chair"], events={})
    assert said == "searched for van: parcel of 3"


def test_a_large_order_needs_an_approval(example: Example) -> None:
    module = example("order_fulfilment")
    assert outcome(module, ["piano"], events={"approval": True, "delivered": "yes"}) == "yes"
    with pytest.raises(RunAborted):
        outcome(module, ["piano"], events={"approval": False})


def test_an_order_that_is_not_paid_fails(example: Example) -> None:
    with pytest.raises(RunFailed, match="not paid: card 0000 was declined"):
        outcome(example("order_fulfilment"), ["lamp"], "0000", events={})
