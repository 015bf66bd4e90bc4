"""What the type checkers know of `step.map`, `step.for_each` and `step.batch`."""

from collections.abc import AsyncIterator, Iterator
from typing import Literal, assert_type

from flowgraph import ItemFailure, RetryPolicy, step


async def fetch(url: str) -> bytes:
    return url.encode()


def measure(data: bytes) -> int:
    return len(data)


async def insert(rows: list[int]) -> str:
    return str(rows)


def insert_plain(rows: list[int]) -> str:
    return str(rows)


async def numbers() -> AsyncIterator[int]:
    yield 1


def urls() -> Iterator[str]:
    yield "u"


async def map_returns_a_result_for_each_item() -> None:
    assert_type(await step.map("m", fetch, ["u"]), list[bytes])
    assert_type(await step.map("m", measure, (b"",)), list[int])
    assert_type(await step.map("m", fetch, urls()), list[bytes])
    assert_type(await step.map("m", fetch, {"u": 1}), list[bytes])
    assert_type(await step.map("m", str, numbers()), list[str])
    assert_type(await step.map("m", lambda number: number + 1, [1]), list[int])
    assert_type(await step.map(name="m", handler=fetch, items=["u"], on_error="fail"), list[bytes])


async def map_takes_options() -> None:
    assert_type(
        await step.map("m", fetch, ["u"], concurrency=3, key=str, max_attempts=2, retry=RetryPolicy(), timeout="5s"),
        list[bytes],
    )


async def collecting_returns_failures_too(on_error: Literal["fail", "collect"]) -> None:
    assert_type(await step.map("m", fetch, ["u"], on_error="collect"), list[bytes | ItemFailure])
    assert_type(await step.map("m", measure, [b""], on_error="collect"), list[int | ItemFailure])
    assert_type(await step.map("m", fetch, ["u"], on_error=on_error), list[bytes | ItemFailure])
    assert_type(await step.batch("m", insert, [1], on_error="collect"), list[str | ItemFailure])


async def for_each_returns_nothing() -> None:
    assert_type(await step.for_each("m", fetch, ["u"]), None)
    assert_type(await step.for_each("m", measure, [b""], concurrency=50, on_error="collect"), None)


async def batch_gives_lists() -> None:
    assert_type(await step.batch("m", insert, [1]), list[str])
    assert_type(await step.batch("m", insert_plain, numbers(), batch_size=500, max_attempts=2), list[str])
