"""What the type checkers know of `step(name, handler, *args)`."""

import asyncio
from collections.abc import Awaitable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import assert_type

from flowgraph import RetryPolicy, StepInfo, step


async def fetch(url: str) -> bytes:
    return url.encode()


async def fetch_twice(url: str, times: int = 2, *, encoding: str = "utf-8") -> bytes:
    return url.encode(encoding) * times


async def notify() -> None: ...


def parse(data: bytes, kind: str) -> int:
    return len(data) + len(kind)


def parse_as(data: bytes, kind: str = "json") -> int:
    return len(data) + len(kind)


def total(*numbers: int) -> int:
    return sum(numbers)


def later(url: str) -> Awaitable[bytes]:
    return fetch(url)


class Reader:
    def __init__(self, path: str) -> None:
        self.path = path

    async def read(self, count: int) -> str:
        return self.path * count

    def __call__(self, count: int) -> str:
        return self.path * count


async def results_are_those_of_the_handler() -> None:
    assert_type(await step("async", fetch, "u"), bytes)
    assert_type(await step("plain", parse, b"", "k"), int)
    assert_type(await step("none", notify), None)
    assert_type(await step("lambda", lambda: 3), int)
    assert_type(await step("lambda-of-coroutine", lambda: fetch("u")), bytes)
    assert_type(await step("awaitable", later, "u"), bytes)
    assert_type(await step("partial", partial(fetch_twice, "u", encoding="ascii")), bytes)
    assert_type(await step("partial-with-argument", partial(parse, kind="u"), b""), int)
    assert_type(await step("method", Reader("p").read, 1), str)
    assert_type(await step("callable-object", Reader("p"), 1), str)
    assert_type(await step("class", Reader, "p"), Reader)
    assert_type(await step("variadic", total, 1, 2, 3), int)
    assert_type(await step("builtin", len, [1]), int)


async def defaults_may_be_left_out() -> None:
    assert_type(await step("without", fetch_twice, "u"), bytes)
    assert_type(await step("with", fetch_twice, "u", 3), bytes)
    assert_type(await step("plain-without", parse_as, b""), int)
    assert_type(await step("plain-with", parse_as, b"", "xml"), int)


async def options_may_be_given() -> None:
    assert_type(await step("a", fetch, "u", max_attempts=3, timeout="5s", returns=bytes), bytes)
    assert_type(await step("a", fetch, "u", retry=RetryPolicy(3), timeout=timedelta(seconds=5)), bytes)
    assert_type(await step("a", parse, b"", "k", executor="cpu", timeout=2.5, at_most_once=True), int)
    assert_type(await step("a", parse, b"", "k", executor=ThreadPoolExecutor(), timeout=None, retry=None), int)


async def steps_are_coroutines() -> None:
    coroutine: Coroutine[object, None, bytes] = step("a", fetch, "u")
    assert_type(await coroutine, bytes)
    assert_type(await asyncio.create_task(step("a", fetch, "u")), bytes)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(step("a", parse, b"", "k"))
    assert_type(task.result(), int)


async def gather_keeps_the_results_apart() -> None:
    assert_type(await asyncio.gather(step("a", fetch, "u"), step("b", parse, b"", "k")), tuple[bytes, int])
    data, count, nothing = await asyncio.gather(step("a", fetch, "u"), step("b", total, 1), step("c", notify))
    assert_type(data, bytes)
    assert_type(count, int)
    assert_type(nothing, None)
    assert_type(await asyncio.gather(*[step(f"fetch-{n}", fetch, "u") for n in range(3)]), list[bytes])


def info_is_known() -> None:
    assert_type(step.info(), StepInfo)
