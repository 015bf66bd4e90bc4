"""Workflows that hypothesis makes up: trees, a workflow that executes them, and a witness of what its bodies did.

A tree is nested lists, so that it can be the input of a run: ``[kind, number, parameter, children…]``. The number makes
the names unique. What a tree returns is determined by the tree alone, whatever crashes (see `trees`).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable
from functools import partial
from typing import Any

from hypothesis import strategies as st

from flowgraph import ChildFailed, ListenTimeout, RetryPolicy, StepError, step, workflow
from flowgraph.model import Checkpoint, is_below

Tree = list[Any]

SHORT_S, LONG_S = 0.01, 30.0


# Making them ----------------------------------------------------------------------------------------------------------

_sleeps = st.sampled_from([0.0, SHORT_S, 0.9, 5.0, 86_400.0])
_racers = st.lists(
    st.sampled_from(["0 turns", "1 turn", "10 turns", "50 turns", "asleep 0.5", "asleep 3", "asleep 700"]),
    min_size=2,
    max_size=4,
    unique=True,
)
_leaves = st.one_of(
    st.tuples(st.just("step"), st.sampled_from(["async", "slow", "thread", "lambda"])),
    st.tuples(st.just("flaky"), st.tuples(st.integers(1, 3), st.sampled_from([SHORT_S, LONG_S]))),
    st.tuples(st.just("hopeless"), st.integers(1, 2)),
    st.tuples(st.just("sleep"), _sleeps),
    st.tuples(st.just("progress"), st.just(None)),
    st.tuples(st.just("race"), _racers),
    st.tuples(st.just("order"), _racers),
    st.tuples(st.just("twice"), st.booleans()),
    st.tuples(st.just("given up"), st.sampled_from(["step", "sleep", "listen"])),
    st.tuples(st.just("silence"), _sleeps),
    st.tuples(
        st.just("map"),
        st.fixed_dictionaries(
            {
                "count": st.integers(0, 5), "concurrency": st.integers(1, 3), "keyed": st.booleans(),
                "fails": st.none() | st.integers(0, 4), "collect": st.booleans(), "nested": st.booleans(),
                "streamed": st.booleans(),
            }
        ),
    ),
    st.tuples(st.just("batch"), st.tuples(st.integers(0, 5), st.integers(1, 3))),
)  # fmt: skip


def _branches(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(children, min_size=1, max_size=3)
    return st.one_of(
        st.tuples(st.just("seq"), st.none(), several),
        st.tuples(st.just("try"), st.none(), several),
        st.tuples(st.just("nested"), st.integers(0, 2), several),
        st.tuples(st.just("gather"), st.none(), several),
        st.tuples(st.just("returned"), st.none(), several),
        st.tuples(st.just("shield"), st.none(), several),
        st.tuples(st.just("background"), st.none(), several),
        st.tuples(st.just("started"), st.none(), several),
        st.tuples(st.just("group"), st.none(), several),
        st.tuples(st.just("child"), st.none(), several),
    )


def trees(max_leaves: int = 10) -> st.SearchStrategy[Tree]:
    """Trees whose result does not depend on when a crash comes.

    Where several things fail at the same time, which of them is first may differ, so of failures in gather and
    TaskGroup only the fact is told. A map has at most one item that fails, since after the first no other begins.
    """
    return st.recursive(_leaves, _branches, max_leaves=max_leaves).map(
        lambda tree: _numbered(("try", None, [("listen", None), tree]), iter(range(1_000)))
    )


def _numbered(tree: Any, numbers: Iterable[int]) -> Tree:
    kind, parameter, *rest = tree
    number = next(iter(numbers))
    return [kind, number, parameter, *[_numbered(child, numbers) for child in (rest[0] if rest else ())]]


# Executing them -------------------------------------------------------------------------------------------------------


class Witness:
    """What bodies have begun in one process, held against what was committed before."""

    def __init__(self, rows: dict[str, list[Checkpoint]] | None = None) -> None:
        self.wrong: list[str] = []
        self.begun: list[tuple[str, str, int]] = []
        self._lock = threading.Lock()
        self._done: dict[tuple[str, str], str] = {}
        self._ended: dict[tuple[str, str], int] = {}
        for run_id, history in (rows or {}).items():
            for row in history:
                self.committed(run_id, row)

    def committed(self, run_id: str, row: Checkpoint | tuple[str, int]) -> None:
        """Take in a row of a history; the beginnings of attempts, which an observer hears of too, say nothing here."""
        if isinstance(row, tuple) or row.kind == "progress":
            return
        place = run_id, row.path
        with self._lock:
            if place in self._done and row.state != "cancelled":
                self.wrong.append(f"{place}: {row.state} after {self._done[place]}")
            if row.state in {"completed", "failed"}:
                self._done[place] = row.state
            if row.state in {"retrying", "completed", "failed"}:
                self._ended[place] = row.attempt
            if row.state == "retrying":
                self._forgive_below(run_id, row.path)

    def _forgive_below(self, run_id: str, path: str) -> None:
        """When an attempt's failure is committed, failures below it stop counting; successes never do."""
        for place in [*self._ended, *self._done]:
            if place[0] == run_id and is_below(place[1], path) and self._done.get(place) != "completed":
                self._done.pop(place, None)
                self._ended.pop(place, None)

    def begins(self, run_id: str, path: str, attempt: int) -> None:
        """Note that a body begins."""
        place = run_id, path
        with self._lock:
            if place in self._done:
                self.wrong.append(f"{place} runs again, and it had {self._done[place]}")
            if attempt != self._ended.get(place, 0) + 1:
                self.wrong.append(f"{place} makes attempt {attempt} after {self._ended.get(place, 0)}")
            self.begun.append((run_id, path, attempt))


witness = Witness()


def begin_witness(rows: dict[str, list[Checkpoint]] | None = None) -> Witness:
    """Let a new witness look from now on; `rows` are the histories that are there already."""
    global witness
    witness = Witness(rows)
    return witness


def _begin() -> None:
    info = step.info()
    witness.begins(info.run_id, info.path, info.attempt)


async def _body(value: Any, yields: int = 0) -> Any:
    _begin()
    for _ in range(yields):
        await asyncio.sleep(0)
    return value


def _plain(value: Any) -> Any:
    _begin()
    return value


async def _flaky(failures: int) -> str:
    _begin()
    if step.info().attempt <= failures:
        raise ConnectionError(f"attempt {step.info().attempt}")
    return f"attempt {step.info().attempt}"


async def _nested(failures: int, children: list[Tree]) -> list[Any]:
    _begin()
    results = [await _execute(child) for child in children]
    if step.info().attempt <= failures:
        raise ConnectionError(f"attempt {step.info().attempt} after {results}")
    return results


async def _item(fails: int | None, nested: bool, number: int) -> Any:
    _begin()
    if number == fails:
        raise ValueError(f"item {number}")
    return [number, await step("inside", _body, -number)] if nested else number


def _sum(numbers: list[int]) -> int:
    _begin()
    return sum(numbers)


@workflow(name="program", timeout="3650d")
async def program(tree: Tree) -> Any:
    return await _execute(tree)


async def _execute(tree: Tree) -> Any:
    kind, number, parameter, *children = tree
    return await _KINDS[kind](f"{kind} {number}", parameter, children)


async def _do_step(name: str, mode: str, _: list[Tree]) -> Any:
    if mode == "thread":
        return await step(name, _plain, name)
    if mode == "lambda":
        return await step(name, lambda: _plain((name, "tuple")))
    return await step(name, _body, name, 3 if mode == "slow" else 0)


async def _do_flaky(name: str, how: tuple[int, float], _: list[Tree]) -> Any:
    failures, delay = how
    return await step(name, _flaky, failures, retry=RetryPolicy(initial=delay, factor=1, jitter=False))


async def _do_hopeless(name: str, attempts: int, _: list[Tree]) -> Any:
    retry = RetryPolicy(max_attempts=attempts, initial=SHORT_S, jitter=False)
    return await step(name, _flaky, 99, retry=retry)


async def _do_sleep(name: str, seconds: float, _: list[Tree]) -> str:
    await step.sleep(name, seconds)
    return name


async def _do_progress(name: str, _: None, __: list[Tree]) -> str:
    await step.progress(name, done=1, total=3)
    await step.progress(name, done=2, total=3)
    return name


async def _do_race(name: str, racers: list[str], _: list[Tree]) -> Any:
    tasks = {racer: asyncio.create_task(_racer(f"{name} {racer}", racer)) for racer in racers}
    await asyncio.wait(tasks.values(), return_when=asyncio.FIRST_COMPLETED)
    winners = [racer for racer, task in tasks.items() if task.done()]
    after = [await step(f"{name} won by {winner}", _body, winner) for winner in winners]
    return [after, await asyncio.gather(*tasks.values())]


async def _racer(name: str, racer: str) -> str:
    if racer.startswith("asleep"):
        await step.sleep(name, float(racer.split()[1]))
        return racer
    return await step(name, _body, racer, int(racer.split()[0]))


async def _do_order(name: str, racers: list[str], _: list[Tree]) -> Any:
    return [await one for one in asyncio.as_completed([_racer(f"{name} {racer}", racer) for racer in racers])]


async def _do_given_up(name: str, what: str, _: list[Tree]) -> str:
    """A call that is cancelled saves nothing, and what was meant for it is there for others."""
    calls = {"step": lambda: step(name, _endless), "sleep": lambda: step.sleep(name, 50.0)}
    task = asyncio.create_task(calls[what]() if what in calls else step.listen(name, event="never"))
    await step(f"{name}, meanwhile", _body, name, 2)
    task.cancel()
    await asyncio.wait({task})
    return f"{name} cancelled: {task.cancelled()}"


async def _endless() -> None:
    _begin()
    await asyncio.Event().wait()


async def _do_twice(name: str, in_flight: bool, _: list[Tree]) -> Any:
    if in_flight:
        return await asyncio.gather(step(name, _body, name, 3), step(name, _body, "other"))
    return [await step(name, _body, name), await step(name, _body, "other")]


async def _do_listen(name: str, _: None, __: list[Tree]) -> Any:
    return await step.listen(name, event="news")


async def _do_silence(name: str, seconds: float, _: list[Tree]) -> str:
    try:
        return str(await step.listen(name, event="never", timeout=seconds))
    except ListenTimeout as error:
        return str(error)


async def _do_map(name: str, how: dict[str, Any], _: list[Tree]) -> Any:
    items: Any = list(range(how["count"]))
    results = await step.map(
        name, partial(_item, how["fails"], how["nested"]), _stream(items) if how["streamed"] else items,
        concurrency=how["concurrency"], key=(lambda item: f"key/{item}") if how["keyed"] else None,
        on_error="collect" if how["collect"] else "fail", max_attempts=1,
    )  # fmt: skip
    return [result if isinstance(result, int | list) else repr(result) for result in results]


async def _stream(items: list[int]) -> AsyncIterator[int]:
    for item in items:
        yield item


async def _do_batch(name: str, how: tuple[int, int], _: list[Tree]) -> Any:
    count, size = how
    return await step.batch(name, _sum, range(count), batch_size=size)


async def _do_seq(name: str, _: None, children: list[Tree]) -> Any:
    return [await _execute(child) for child in children]


async def _do_try(name: str, _: None, children: list[Tree]) -> Any:
    try:
        return [await _execute(child) for child in children]
    except (StepError, ExceptionGroup):
        return f"{name} caught it"


async def _do_nested(name: str, failures: int, children: list[Tree]) -> Any:
    retry = RetryPolicy(initial=SHORT_S, jitter=False)
    return await step(name, _nested, failures, children, retry=retry)


async def _do_gather(name: str, _: None, children: list[Tree]) -> Any:
    return await asyncio.gather(*(_execute(child) for child in children))


async def _do_returned(name: str, _: None, children: list[Tree]) -> Any:
    results = await asyncio.gather(*(_execute(child) for child in children), return_exceptions=True)
    return [f"{type(one).__name__}: {one}" if isinstance(one, StepError) else _raised(one) for one in results]


def _raised(result: Any) -> Any:
    """What is no error of a step is raised; an ExceptionGroup tells how many failed, which is a matter of chance."""
    if isinstance(result, ExceptionGroup):
        return type(result).__name__
    if isinstance(result, BaseException):
        raise result
    return result


async def _do_shield(name: str, _: None, children: list[Tree]) -> Any:
    return await asyncio.shield(_do_seq(name, None, children))


async def _do_background(name: str, _: None, children: list[Tree]) -> Any:
    """Nobody awaits it, but whatever it is called from does not complete before it."""
    task = asyncio.create_task(_do_try(name, None, children))
    _background.add(task)
    task.add_done_callback(_background.discard)
    return await step(f"{name}, meanwhile", _body, name)


_background: set[asyncio.Task[Any]] = set()


async def _do_started(name: str, _: None, children: list[Tree]) -> Any:
    run_id = await step.start_workflow(name, program, ["seq", 999, None, *children])
    between = await step(f"{name}, meanwhile", _body, name)
    try:
        return [between, await step.wait_for_workflow(f"{name}, its end", run_id)]
    except ChildFailed as error:
        return f"{name} {error.status}"


async def _do_group(name: str, _: None, children: list[Tree]) -> Any:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_execute(child)) for child in children]
    return [task.result() for task in tasks]


async def _do_child(name: str, _: None, children: list[Tree]) -> Any:
    try:
        return await step.execute_workflow(name, program, ["seq", 999, None, *children])
    except ChildFailed as error:
        return f"{name} {error.status}"


_KINDS = {
    name.removeprefix("_do_").replace("_", " "): act for name, act in list(globals().items()) if name.startswith("_do_")
}
