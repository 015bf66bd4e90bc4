"""What the type checkers know of functions and methods under `@step("name")`."""

import asyncio
from typing import assert_type

from flowgraph import step


@step("fetch-page", max_attempts=10)
async def fetch_page(number: int, *, lang: str = "en") -> bytes:
    return f"{number} {lang}".encode()


@step("count-words")
def count_words(text: str) -> int:
    return len(text.split())


class Shop:
    @step("charge", timeout="30s")
    async def charge(self, cents: int, *, currency: str = "EUR") -> str:
        return f"{cents} {currency}"

    @step("pack")
    def pack(self, items: list[str]) -> int:
        return len(items)


async def calls_keep_parameters_and_result() -> None:
    assert_type(await fetch_page(1), bytes)
    assert_type(await fetch_page(1, lang="de"), bytes)
    assert_type(await fetch_page(number=1), bytes)
    assert_type(await count_words("a b"), int)


async def renamed_steps_keep_them_too() -> None:
    assert_type(await fetch_page.named("fetch-2")(2, lang="de"), bytes)
    assert_type(await count_words.named("count-2")("a"), int)


async def methods_are_bound(shop: Shop) -> None:
    assert_type(await shop.charge(5, currency="USD"), str)
    assert_type(await shop.pack(["a"]), int)
    assert_type(await shop.pack.named("pack-2")(["a"]), int)
    assert_type(await Shop.pack(shop, ["a"]), int)


async def steps_are_handlers_too(shop: Shop) -> None:
    assert_type(await step("outer", fetch_page, 1), bytes)
    assert_type(await step("outer", count_words, "a"), int)
    assert_type(await step("outer", shop.charge, 1), str)
    assert_type(await step.map("pages", fetch_page, [1, 2]), list[bytes])


async def calls_are_coroutines() -> None:
    assert_type(await asyncio.create_task(fetch_page(1)), bytes)
    assert_type(await asyncio.gather(fetch_page(1), count_words("a")), tuple[bytes, int])


async def the_function_is_at_hand() -> None:
    assert_type(fetch_page.name, str)
    fetch_page.fn(1, lang="de")
