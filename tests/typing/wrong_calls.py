"""Calls that both type checkers refuse. An ignore that one of them does not need is an error there."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from collections.abc import AsyncIterator
from datetime import timedelta

from flowgraph import step, workflow


async def fetch(url: str) -> bytes:
    return url.encode()


async def fetch_twice(url: str, times: int = 2) -> bytes:
    return url.encode() * times


def parse(data: bytes, kind: str) -> int:
    return len(data) + len(kind)


async def numbers() -> AsyncIterator[int]:
    yield 1


class Shop:
    @step("charge")
    async def charge(self, cents: int, *, currency: str = "EUR") -> str:
        return f"{cents} {currency}"


@step("fetch-page")
async def fetch_page(number: int) -> str:
    return str(number)


@workflow
async def order(number: int, note: str = "", *, express: bool = False) -> str:
    return f"{number} {note} {express}"


async def handlers_get_the_arguments_that_they_take() -> None:
    await step("a", fetch)  # type: ignore[arg-type, call-arg]
    await step("a", fetch, 1)  # type: ignore[arg-type]
    await step("a", fetch, "u", "v")  # type: ignore[arg-type, call-arg]
    await step("a", fetch_twice, "u", "v")  # type: ignore[arg-type, call-arg]
    await step("a", parse, b"", 1)  # type: ignore[arg-type, call-arg]
    await step("a", parse, b"")  # type: ignore[arg-type]
    await step("a", fetch("u"))  # type: ignore[call-overload]
    await step(1, fetch, "u")  # type: ignore[call-overload]


async def options_have_types() -> None:
    await step("a", fetch, "u", max_attempts="5")  # type: ignore[call-overload]
    await step("a", fetch, "u", max_attempt=5)  # type: ignore[call-overload]
    await step("a", fetch, "u", retry=3)  # type: ignore[call-overload]
    await step("a", fetch, "u", timeout=b"5s")  # type: ignore[call-overload]
    await step("a", fetch, "u", url="v")  # type: ignore[call-overload]
    step("a", max_attempts="5")  # type: ignore[call-overload]


async def decorated_steps_keep_their_parameters(shop: Shop) -> None:
    await fetch_page("1")  # type: ignore[arg-type]
    await fetch_page(1, 2)  # type: ignore[call-arg]
    await fetch_page()  # type: ignore[call-arg]
    await shop.charge("1")  # type: ignore[arg-type]
    await shop.charge(1, currency=2)  # type: ignore[arg-type]
    await shop.charge(1, unit="EUR")  # type: ignore[call-arg]
    await fetch_page.named(1)(1)  # type: ignore[arg-type]


async def waits_take_what_they_say() -> None:
    await step.sleep("nap", b"5s")  # type: ignore[arg-type]
    await step.sleep("nap")  # type: ignore[call-arg]
    await step.sleep_until("nap", timedelta(1))  # type: ignore[arg-type]
    await step.progress("x", done="1")  # type: ignore[arg-type]
    await step.listen("x", event=1)  # type: ignore[call-overload]
    await step.listen("x", wait="5s")  # type: ignore[call-overload]
    step.abort("now")  # type: ignore[call-arg]


async def items_fit_the_handler() -> None:
    await step.map("m", fetch, [1])  # type: ignore[arg-type]
    await step.map("m", fetch, 1)  # type: ignore[call-overload]
    await step.map("m", parse, [b""])  # type: ignore[arg-type]
    await step.map("m", fetch, numbers())  # type: ignore[arg-type]
    await step.map("m", fetch, ["u"], on_error="ignore")  # type: ignore[call-overload]
    await step.map("m", fetch, ["u"], batch_size=3)  # type: ignore[call-overload]
    await step.for_each("m", fetch, [1])  # type: ignore[arg-type]
    await step.batch("m", fetch, ["u"])  # type: ignore[arg-type]
    await step.batch("m", fetch, ["u"], concurrency=3)  # type: ignore[call-overload]


async def workflows_get_the_arguments_that_they_take() -> None:
    await step.execute_workflow("c", order)  # type: ignore[call-overload]
    await step.execute_workflow("c", order, "1")  # type: ignore[call-overload]
    await step.execute_workflow("c", order, 1, 2)  # type: ignore[call-overload]
    await step.execute_workflow("c", order, 1, express="yes")  # type: ignore[arg-type]
    await step.execute_workflow("c", fetch, "u")  # type: ignore[call-overload]
    await step.start_workflow("c", order, "1")  # type: ignore[call-overload]
    await step.start_workflow("c", order, 1, detached="yes")  # type: ignore[call-arg]
    await step.wait_for_workflow("c", 1)  # type: ignore[call-overload]
    await order(1)  # type: ignore[operator]


@workflow  # type: ignore[arg-type]
def not_async() -> int:
    return 1


@workflow(timeout=b"5m")  # type: ignore[call-overload, untyped-decorator]
async def bad_timeout() -> int:
    return 1


@workflow(step_retry=3)  # type: ignore[call-overload, untyped-decorator]
async def bad_retry() -> int:
    return 1
