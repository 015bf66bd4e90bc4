"""A longer workflow for kills at any moment: rounds of everything, each a few hundredths of a second long."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from flowgraph import NonRetryable, RetryPolicy, RunFinished, Runtime, StepFailed, step, workflow
from tests.scenarios.support import log_to, note

RUN_ID = "journey-1"
ROUNDS = 6
QUICK = RetryPolicy(initial="5ms", factor=1, jitter=False)


async def walked(number: int) -> int:
    note()
    await asyncio.sleep(0.004)
    return number + 1


def carried(number: int) -> bytes:
    note()
    return bytes([number])


async def stumbled(number: int) -> int:
    note()
    if step.info().attempt < 3:
        raise OSError(f"attempt {step.info().attempt} of {number}")
    return number


async def lost(number: int) -> None:
    note()
    raise NonRetryable(f"{number} is lost")


async def camped(number: int) -> list[int]:
    note()
    tent = await step("pitch", walked, number)
    fires = await asyncio.gather(*(step(f"fire-{index}", walked, tent + index) for index in range(3)))
    await step.sleep("night", "10ms")
    return fires


async def visited(place: str) -> str:
    note()
    await step("look", walked, len(place))
    return place.upper()


def packed(things: list[int]) -> int:
    note()
    return sum(things)


async def waited_for(place: str) -> str:
    """A backoff of more than a second, in which the run gives up its worker."""
    note()
    if step.info().attempt == 1:
        raise ConnectionError(place)
    return place


@workflow
async def excursion(number: int) -> int:
    await step.sleep("rest", "10ms")
    return await step("go", walked, number)


@workflow(timeout="2m")
async def journey(seed: int) -> list[Any]:
    diary: list[Any] = []
    here = seed
    for number in range(ROUNDS):
        here = await step(f"walk {number}", walked, here)
        diary.append(await step(f"carry {number}", carried, number))
        diary.append(await step(f"stumble {number}", stumbled, number, retry=QUICK))
        try:
            await step(f"lose {number}", lost, number)
        except StepFailed as error:
            diary.append(str(error))
        diary.append(await step(f"camp {number}", camped, here))
        diary.append(await step.map(f"visit {number}", visited, ["rome", "paris", "oslo"], key=str, concurrency=2))
        diary.append(await step.batch(f"pack {number}", packed, range(5), batch_size=2))
        racers = [asyncio.ensure_future(step(f"race {number} {pace}", walked, pace)) for pace in range(3)]
        diary.append([await racer for racer in asyncio.as_completed(racers)] and sorted(await asyncio.gather(*racers)))
        if number % 2:
            diary.append(await step.listen(f"letter {number}", event="letter"))
            diary.append(
                await asyncio.gather(
                    *(step.execute_workflow(f"excursion {number} {index}", excursion, index) for index in range(2))
                )
            )
    diary.append(await step("wait", waited_for, "the ferry", retry=RetryPolicy(initial="1.1s", jitter=False)))
    return diary


async def live(store: str, log: str, durability: Literal["full", "relaxed"] = "full") -> str:
    """The life of one process, until the run has ended or it is killed."""
    log_to(log)
    async with Runtime(store, durability=durability) as runtime:
        run = await runtime.start(journey, 3, run_id=RUN_ID)
        for number in range(ROUNDS // 2):
            try:
                await run.send("letter", f"letter number {number}", id=f"letter-{number}")
            except RunFinished:
                break
        return repr(await run.result())
