"""What the type checkers know of the waits, and of the ends of a run."""

# ruff: noqa: RET503

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, assert_type

from flowgraph import step


@dataclass
class Approval:
    by: str


async def waits_return_what_they_wait_for() -> None:
    assert_type(await step.sleep("nap", "5m"), None)
    assert_type(await step.sleep("nap", 5), None)
    assert_type(await step.sleep("nap", timedelta(hours=1)), None)
    assert_type(await step.sleep_until("morning", datetime(2030, 1, 1, tzinfo=UTC)), None)
    assert_type(await step.progress("importing", done=1, total=2.5), None)
    assert_type(await step.listen("approval"), Any)
    assert_type(await step.listen("approval", event="approved", timeout="3d", returns=Approval), Approval)
    assert_type(await step.listen("numbers", returns=list[int]), list[int])
    assert_type(await step.listen("maybe", returns=int | None), Any)


async def fail_ends_an_async_body(number: int | None) -> int:
    if number is None:
        await step.fail("there is no number")
    assert_type(number, int)
    if number > 3:
        return number
    await step.fail("it is too small")


def fail_may_be_called_in_a_plain_handler(number: int) -> int:
    if number < 0:
        step.fail("it is negative")
    return number


def abort_ends_any_body(number: int | None) -> int:
    if number is not None:
        return number
    step.abort()
