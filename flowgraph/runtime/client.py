"""Starting runs and asking for them: `Client`, which executes nothing, and `Run`, the handle of one run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from contextvars import Context
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeVar

import msgspec

from flowgraph.dsl import Workflow, WorkflowTable, checked_event, checked_run_id, table_of
from flowgraph.errors import (
    CompileError,
    DefinitionError,
    InvalidOption,
    RunAborted,
    RunCancelled,
    RunExists,
    RunFailed,
    RunFinished,
    RunNotFound,
    RunTimedOut,
    SerializationError,
    StoreUnavailable,
    WorkflowNotFound,
)
from flowgraph.model import Duration, RunStatus, checked_name, failure_of, microseconds
from flowgraph.model.store import Cancel, Find, GraphOfRun, GraphRow, Outcome, Outcomes, RunRow, Send, Start, Started
from flowgraph.model.store import History as HistoryOf
from flowgraph.model.store import List as ListOf
from flowgraph.runtime import codec
from flowgraph.runtime.attempts import saved_arguments
from flowgraph.runtime.clock import Clock, SystemClock
from flowgraph.runtime.graphs import Graphs
from flowgraph.runtime.ids import new_run_id
from flowgraph.runtime.limits import check_size
from flowgraph.runtime.settings import store_url
from flowgraph.runtime.starting import Starting
from flowgraph.stores import Journal, open_store

if TYPE_CHECKING:
    from flowgraph.model import RunQuery, RunRecord
    from flowgraph.model.graph import Graph
    from flowgraph.runtime.engine import Engine

T_co = TypeVar("T_co", covariant=True)


class Run(Generic[T_co]):
    """The handle of one run. It holds no connection of its own: its calls go through the Runtime or Client it is from.

    Attributes:
        id: the run's id.
        workflow: the workflow's name.
    """

    __slots__ = ("_annotation", "_client", "id", "workflow")

    def __init__(self, client: Client, run_id: str, workflow: str, annotation: Any) -> None:
        self._client = client
        self._annotation = annotation
        self.id = run_id
        self.workflow = workflow

    async def result(self, timeout: Duration | None = None) -> T_co:
        """Wait until the run has ended, and return the workflow's result.

        Raises:
            RunFailed, RunAborted, RunCancelled, RunTimedOut: it ended otherwise.
            TimeoutError: it has not ended after `timeout`, a duration; the run goes on.
        """
        outcome = await self._client._finished(self.id, timeout)
        return _result(outcome, self._annotation)  # type: ignore[no-any-return]

    async def status(self) -> RunStatus:
        """Where the run stands now."""
        return (await self._client._row(self.id)).status

    async def describe(self) -> RunRecord:
        """All that is known of the run: its input and output, times, steps as a tree, and what it waits for."""
        from flowgraph.runtime.records import run_record

        row = await self._client._row(self.id)
        rows = await self._client._journal.ask(HistoryOf(row.no))
        return run_record(row, rows)

    async def send(self, event: str, payload: Any = None, id: str | None = None) -> None:  # noqa: A002
        """Send an event to the run; when this returns, the event is stored. The same `id` is delivered once.

        Raises:
            RunFinished: the run has ended.
            SerializationError, PayloadTooLarge: the payload cannot be saved.
        """
        checked_event(event)
        name = f"the event {event}"
        try:
            text, _ = codec.dump(payload)
        except codec.Unsaveable as error:
            raise SerializationError(name, error.type_name, error.reason) from None
        check_size(name, text)
        if id is not None:
            checked_run_id(id, "id")
        now_us = self._client._clock.now_us()
        self._client._check_ended(self.id, await self._client._journal.commit(Send(self.id, event, text, now_us, id)))

    async def cancel(self) -> None:
        """Cancel the run, and its children; when this returns, that is stored, and the run ends soon.

        Raises:
            RunFinished: the run has ended.
        """
        answer = await self._client._journal.commit(Cancel(self.id, self._client._clock.now_us()))
        self._client._check_ended(self.id, answer)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """The run as notebooks show it: a picture of how far it has come."""
        from flowgraph.runtime.showing import bundle_of_run

        return bundle_of_run(self._client._url, self.id, repr(self))

    def __repr__(self) -> str:
        return f"<run {self.id!r} of {self.workflow!r}>"


class Client(Starting):
    """Starts runs, sends to them and asks for them, and executes nothing: for a web application, say.

    Args:
        store: the store's URL; see the reference for where it comes from when it is None.
        workflows: the workflows that may be named by text; None means all that are decorated in this process.

    >>> import asyncio
    >>> async def main():
    ...     async with Client("sqlite:///:memory:") as client:
    ...         return await client.list()
    >>> asyncio.run(main())
    []
    """

    def __init__(self, store: str | None = None, *, workflows: Any = None, clock: Clock | None = None) -> None:
        self._url = store_url(store)
        open_store(self._url)  # So that a bad URL is refused here; each opening has a store of its own.
        self._table: WorkflowTable = table_of(workflows)
        self._clock: Clock = clock or SystemClock()
        self._durability: Literal["full", "relaxed"] = "full"
        self._strict = False
        self._engine: Engine | None = None
        self._watchers: dict[str, list[asyncio.Future[Outcome]]] = {}
        self._checking: asyncio.Task[None] | None = None
        self._check_again = False
        self._open = False

    async def __aenter__(self) -> Self:
        if self._open:
            raise InvalidOption(type(self).__name__.lower(), self._url, "it is open already")
        self._journal = await Journal.open(
            open_store(self._url), durability=self._durability, on_change=self._store_changed
        )
        self._graphs = Graphs(self._journal, self._clock)
        self._open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open = False
        for run_id in list(self._watchers):
            self._tell(run_id, _closed(type(self).__name__))
        await self._journal.close()

    # Starting ---------------------------------------------------------------------------------------------------------

    async def _started(
        self, workflow: Any, args: Any, kwargs: Any, run_id: str | None, tags: Mapping[str, str] | None
    ) -> Run[Any]:
        name, fn = self._named(workflow)
        text = saved_arguments(f"the input of {name}", fn, args, kwargs)
        check_size(f"the input of {name}", text)
        checked = new_run_id(self._clock.now_us()) if run_id is None else checked_run_id(run_id)
        if fn is not None:
            await self._check_graph(name)
        started = await self._start(Start(checked, name, text, self._clock.now_us(), _checked_tags(tags)))
        if not started.created:
            _check_same(checked, started, name, fn, text)
        return self._handle(checked, name, fn)

    async def _check_graph(self, name: str) -> None:
        """With strict, compile a workflow before anything is stored; CompileError, with all errors, if it has any."""
        workflow = self._table[name]
        strict = self._strict if workflow.strict is None else workflow.strict
        if strict:
            self._check_open()
            errors = (await self._graphs.get(workflow)).errors()
            if errors:
                raise CompileError(name, errors)

    async def _start(self, start: Start) -> Started:
        self._check_open()
        return await self._journal.commit(start)  # type: ignore[no-any-return]

    def _named(self, workflow: Any) -> tuple[str, Any]:
        if isinstance(workflow, Workflow):
            self._table.add(workflow)
            return workflow.name, workflow.fn
        if not isinstance(workflow, str):
            raise InvalidOption("workflow", workflow, "it is a function under @workflow, or the name of one")
        checked_name(workflow)
        try:
            return workflow, self._table[workflow].fn
        except (KeyError, WorkflowNotFound):
            return workflow, None

    # Asking -----------------------------------------------------------------------------------------------------------

    async def get(self, run_id: str) -> Run[Any]:
        """The handle of a run; RunNotFound if there is none."""
        row = await self._row(run_id)
        try:
            fn = self._named(row.workflow)[1]
        except DefinitionError:  # The name is ambiguous here, which is no matter for who only asks.
            fn = None
        return self._handle(row.id, row.workflow, fn)

    async def list(self, query: RunQuery | None = None) -> list[RunRecord]:
        """The records of runs, newest first, without their steps; RunNotFound if there is no run `query.after`."""
        from flowgraph.model import RunQuery
        from flowgraph.runtime.records import run_record

        self._check_open()
        query = RunQuery() if query is None else query
        rows = await self._journal.ask(ListOf(query))
        if not rows and query.after is not None:
            await self._row(query.after)  # Only the last page is empty.
        return [run_record(row, None) for row in rows]

    async def graph(self, run_id: str) -> Graph | None:
        """The graph by which a run was last executed; None where it has not begun, or had none.

        It comes from the store: no code of the workflow is needed. RunNotFound if there is no such run.
        """
        from flowgraph.model.graph import Graph

        await self._row(run_id)
        row: GraphRow | None = await self._journal.ask(GraphOfRun(run_id))
        return None if row is None else Graph.from_json(msgspec.json.decode(row.graph))

    def _handle(self, run_id: str, workflow: str, fn: Any) -> Run[Any]:
        return Run(self, run_id, workflow, Any if fn is None else codec.return_annotation(fn))

    async def _row(self, run_id: str) -> RunRow:
        self._check_open()
        row: RunRow | None = await self._journal.ask(Find(run_id))
        if row is None:
            raise RunNotFound(run_id)
        return row

    def _check_open(self) -> None:
        if not self._open:
            kind = type(self).__name__
            raise InvalidOption(kind.lower(), self, f"it is not open; use it in `async with {kind}(…) as …:`")

    # Waiting for ends -------------------------------------------------------------------------------------------------

    async def _finished(self, run_id: str, timeout: Duration | None) -> Outcome:
        """Wait until a run has ended."""
        self._check_open()
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._watchers.setdefault(run_id, []).append(future)
        timer = None
        wait_us = None if timeout is None else microseconds(timeout, "timeout")
        try:
            if (self._engine is None or run_id not in self._engine.resident_ids) and (
                ended := await self._ended(run_id)
            ) is not None:
                return ended
            if wait_us is not None:
                due_us = self._clock.now_us() + wait_us
                timer = self._clock.call_at(due_us, lambda: _resolve(future, _late(run_id)))
            return await future
        finally:
            if timer is not None:
                timer.cancel()
            futures = self._watchers.get(run_id, [])
            if future in futures:
                futures.remove(future)
            if not futures:
                self._watchers.pop(run_id, None)

    async def _ended(self, run_id: str) -> Outcome | None:
        """How a run has ended; None if it has not."""
        outcomes: tuple[Outcome, ...] = await self._journal.ask(Outcomes((run_id,)))
        if not outcomes:
            raise RunNotFound(run_id)
        status = outcomes[0].status
        return outcomes[0] if status is not None and status.finished else None

    def _tell(self, run_id: str, told: Outcome | Exception) -> None:
        for future in self._watchers.get(run_id, ()):
            _resolve(future, told)

    def _store_changed(self) -> None:
        self._check_watched()

    def _check_watched(self) -> None:
        """Look which of the runs that are waited for have ended elsewhere."""
        if self._checking is not None:
            self._check_again = True
        elif self._watchers and self._open:
            self._check_again = False
            loop = asyncio.get_running_loop()  # An empty context: in that of a step, the task would be the run's.
            self._checking = loop.create_task(self._ask_watched(), context=Context())

    async def _ask_watched(self) -> None:
        resident = self._engine.resident_ids if self._engine is not None else ()
        ids = tuple(run_id for run_id in self._watchers if run_id not in resident)
        try:
            outcomes = await self._journal.ask(Outcomes(ids)) if ids else ()
        except Exception as error:  # noqa: BLE001 (it is raised where the result is waited for)
            for run_id in ids:
                self._tell(run_id, error if self._open else _closed(type(self).__name__))
        else:
            for outcome in outcomes:
                if outcome.status is not None and outcome.status.finished:
                    self._tell(outcome.run_id, outcome)
            for run_id in set(ids) - {outcome.run_id for outcome in outcomes}:
                self._tell(run_id, RunNotFound(run_id))
        finally:
            self._checking = None
        if self._check_again:
            self._check_watched()

    def _check_ended(self, run_id: str, status: RunStatus | None) -> None:
        """Look at the answer to a send or a cancellation, and let what it set off begin."""
        if status is None:
            raise RunNotFound(run_id)
        if status.finished:
            raise RunFinished(run_id, status.value)
        self._check_watched()
        if self._engine is not None:
            self._engine.look()
            self._engine.kick()


def _resolve(future: asyncio.Future[Outcome], told: Outcome | Exception) -> None:
    if future.done():
        return
    if isinstance(told, Exception):
        future.set_exception(told)
    else:
        future.set_result(told)


def _closed(kind: str) -> StoreUnavailable:
    return StoreUnavailable(f"The {kind} was closed while a result was waited for; the run goes on when it is opened.")


def _late(run_id: str) -> TimeoutError:
    return TimeoutError(f"run {run_id!r} has not ended yet")


def _result(outcome: Outcome, annotation: Any) -> Any:
    run_id = outcome.run_id
    failure = failure_of(outcome.error) if outcome.error else None
    match outcome.status:
        case RunStatus.COMPLETED:
            return codec.load(outcome.output or "null", annotation)
        case RunStatus.ABORTED:
            raise RunAborted(run_id)
        case RunStatus.CANCELLED:
            raise RunCancelled(run_id)
        case RunStatus.TIMED_OUT:
            raise RunTimedOut(run_id, failure.cause_message if failure else "")
    raise RunFailed(run_id, failure.cause_message if failure else "", failure.cause_type if failure else "")


def _checked_tags(tags: Mapping[str, str] | None) -> dict[str, str] | None:
    if not tags:
        return None
    if not isinstance(tags, Mapping) or not all(isinstance(part, str) for pair in tags.items() for part in pair):
        raise InvalidOption("tags", tags, "they are a mapping of text to text")
    return dict(tags)


def _check_same(run_id: str, started: Started, workflow: str, fn: Any, text: str) -> None:
    if started.workflow != workflow:
        raise RunExists(run_id, f"the workflow {started.workflow!r} instead of {workflow!r}")
    if started.input != text and _canonical(fn, started.input) != _canonical(fn, text):
        raise RunExists(run_id, f"the input {started.input[:200]} instead of {text[:200]}")


def _canonical(fn: Any, text: str) -> bytes:
    """An input in the form that equal ones share: bound to the signature, where it is known, with sorted keys."""
    if fn is not None:
        with suppress(codec.Unfit, codec.Unsaveable, TypeError):  # Then it is another input, whatever it was.
            text = codec.dump_arguments(fn, *codec.load_arguments(fn, text))
    return msgspec.json.encode(msgspec.json.decode(text), order="sorted")
