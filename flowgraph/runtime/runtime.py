"""`Runtime`, which starts runs and executes them, and `Worker`, which only executes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from types import TracebackType
from typing import Any, Literal, Self, TypedDict, Unpack

from flowgraph.dsl import Workflow
from flowgraph.errors import InvalidOption
from flowgraph.model import Checkpoint, Duration, RunStatus, count, microseconds
from flowgraph.model.store import ClaimedRun, Outcome, Start, Started
from flowgraph.runtime.client import Client
from flowgraph.runtime.clock import Clock
from flowgraph.runtime.conclusion import error_text
from flowgraph.runtime.engine import Engine
from flowgraph.runtime.execution import Execution
from flowgraph.runtime.halt import Breaking, Completing

Observer = Callable[[str, "Checkpoint | tuple[str, int]"], None]


class Runtime(Client):
    """Starts runs and executes them, in this process, on one event loop.

    Args:
        store: the store's URL, for example ``sqlite:///flows.db`` (a file in the working folder),
            ``sqlite:////var/lib/flows.db`` or ``sqlite:///:memory:``.
        workflows: what may be executed here; None means every workflow decorated so far in the process.
        concurrency: so many runs are executed at once; those that sleep or wait do not count.
        executors: executors that steps may name with ``executor=``.
        durability: "full" syncs every commit to disk; "relaxed" lets the operating system write checkpoints when it
            likes, so that a power cut may lose the last moments, and a killed process loses nothing.
        strict: refuse workflows whose graph has errors, duplicate steps, and steps that the graph does not know (a
            workflow's own ``strict`` comes first).
        lease: after so long without a sign of life a worker's runs go to another, where its lock cannot tell.
        max_recoveries: a run that took down its worker so often is paused.
        clock: another clock, for tests.

    Leaving the ``async with`` stops executing and gives unfinished runs back; sleeping ones are not waited for.

    >>> from flowgraph import step, workflow
    >>> @workflow
    ... async def greeting(name: str) -> str:
    ...     return await step("greet", lambda: f"Hello, {name}!")
    >>> async def main():
    ...     async with Runtime("sqlite:///:memory:") as runtime:
    ...         return await runtime.run(greeting, "world")
    >>> asyncio.run(main())
    'Hello, world!'
    """

    def __init__(
        self,
        store: str | None = None,
        *,
        workflows: Iterable[Workflow[..., Any]] | None = None,
        concurrency: int = 100,
        executors: Mapping[str, Executor] | None = None,
        durability: Literal["full", "relaxed"] = "full",
        strict: bool = False,
        lease: Duration = "30s",
        max_recoveries: int = 50,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(store, workflows=workflows, clock=clock)
        if durability not in ("full", "relaxed"):
            raise InvalidOption("durability", durability, 'it is "full" or "relaxed"')
        self._durability = durability
        self._concurrency = count(concurrency, "concurrency")
        self._executors = _checked_executors(executors)
        if not isinstance(strict, bool):
            raise InvalidOption("strict", strict, "it is True or False")
        self._strict = strict
        self._lease_us = microseconds(lease, "lease")
        if self._lease_us < 1_000_000:
            raise InvalidOption("lease", lease, "it is at least 1 s")
        self._max_recoveries = count(max_recoveries, "max_recoveries")
        self._observers: list[Observer] = []

    async def __aenter__(self) -> Self:
        asyncio.get_running_loop().call_soon(_load_scope)
        await super().__aenter__()
        try:
            engine = Engine(
                self._journal,
                self._clock,
                self._table,
                self._graphs,
                concurrency=self._concurrency,
                executors=self._executors,
                strict=self._strict,
                lease_us=self._lease_us,
                max_recoveries=self._max_recoveries,
                on_left=self._left,
            )
            engine.observers = self._observers
            await engine.open()
        except BaseException:
            await super().__aexit__(None, None, None)
            raise
        self._engine = engine
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        engine, self._engine = self._engine, None
        try:
            if engine is not None:
                await engine.close()
        finally:
            await super().__aexit__(kind, error, traceback)

    def observe(self, observer: Observer) -> None:
        """Call `observer(run_id, what)` for each committed row, and with (path, attempt) when an attempt begins."""
        self._observers.append(observer)

    async def _start(self, start: Start) -> Started:
        """Start a run; where a slot is free, it is started as claimed by this worker, which saves a claim."""
        self._check_open()
        engine = self._engine
        assert engine is not None
        worker = engine.slot() if start.workflow in self._table else None
        if worker is not None:
            fingerprint = self._graphs.fingerprints.get(start.workflow)
            start = Start(
                start.id, start.workflow, start.input, start.now_us, start.tags, worker, fingerprint=fingerprint
            )
        starting = _Starting(engine, start)
        self._journal.submit(start, starting)
        return await starting.future

    def _left(self, run: Execution, answer: Any) -> None:
        """Tell those who wait how a run that was executed here has ended."""
        if isinstance(answer, RunStatus):
            output = run.halt.output if isinstance(run.halt, Completing) else None
            self._tell(run.id, Outcome(run.id, answer, output, error_text(run.halt)))
        elif isinstance(run.halt, Breaking):
            self._tell(run.id, run.halt.error)
        if not isinstance(run.halt, Completing):
            self._check_watched()

    def _store_changed(self) -> None:
        super()._store_changed()
        if self._engine is not None:
            self._engine.store_changed()


class WorkerOptions(TypedDict, total=False):
    """The options of `Runtime`, as a `Worker` takes them; `Runtime` says what each means, and its default."""

    workflows: Iterable[Workflow[..., Any]] | None
    concurrency: int
    executors: Mapping[str, Executor] | None
    durability: Literal["full", "relaxed"]
    strict: bool
    lease: Duration
    max_recoveries: int
    clock: Clock | None


class Worker:
    """Executes runs that others start: ``await Worker(url, workflows=[…]).run()``.

    The arguments are those of `Runtime`. It works until it is cancelled or `stop` is called.
    """

    def __init__(self, store: str | None = None, **options: Unpack[WorkerOptions]) -> None:
        self._runtime = Runtime(store, **options)
        self._stop: asyncio.Event = asyncio.Event()

    async def run(self) -> None:
        """Claim and execute runs until `stop` is called; then give unfinished ones back."""
        async with self._runtime:
            await self._stop.wait()
        self._stop.clear()

    def stop(self) -> None:
        """Let `run` return."""
        self._stop.set()


def _load_scope() -> None:
    """Load what every run needs, while the journal's thread opens the store."""
    import flowgraph.runtime.scope  # noqa: F401


class _Starting:
    """A start on its way to the store; called with the answer. It has slots for the same reason as `Saving`."""

    __slots__ = ("_engine", "_start", "future")

    def __init__(self, engine: Engine, start: Start) -> None:
        self._engine = engine
        self._start = start
        self.future: asyncio.Future[Started] = engine.loop.create_future()

    def __call__(self, answer: Started | Exception) -> None:
        claimed = _claimed(self._start, answer)
        if self._start.worker is not None:
            self._engine.fill_slot(claimed)
        if claimed is None:
            self._engine.kick()
        if self.future.done():
            return
        if isinstance(answer, Exception):
            self.future.set_exception(answer)
        else:
            self.future.set_result(answer)


def _claimed(start: Start, answer: Started | Exception) -> ClaimedRun | None:
    """The run that was started, where it is claimed by this worker already."""
    if isinstance(answer, Exception) or not answer.created or answer.status is not RunStatus.RUNNING:
        return None
    return ClaimedRun(answer.no, start.id, start.workflow, start.input, 1, 0, False, 0, start.fingerprint)


def _checked_executors(executors: Mapping[str, Executor] | None) -> Mapping[str, Executor]:
    for name, executor in (executors or {}).items():
        if not isinstance(name, str) or not isinstance(executor, Executor):
            raise InvalidOption("executors", executors, "they are a mapping of names to concurrent.futures.Executor")
    return executors or {}
