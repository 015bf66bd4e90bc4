"""The graphs of the workflows that a process executes: where they come from, and when they are ready.

The first run of a workflow in a process waits for its graph; runs of other workflows do not. It comes from this
process, if it had it before; from the store, or from a file that `flowgraph build` wrote, if what it was compiled from
is what this process has loaded; else from the compiler, in a thread. Then it is kept in the store. Where there is no
source, or the compiler fails, the graph is unknown and the runs go on: a graph is never a reason not to run.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import Context
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet

import msgspec

from flowgraph.compiler import Dependency, hold
from flowgraph.errors import CompileError, InvalidOption, StoreError
from flowgraph.model.plan import Plan
from flowgraph.model.store import UNKNOWN_GRAPH, GraphRow, GraphsOf, KeepGraph

if TYPE_CHECKING:
    from flowgraph.dsl import Workflow
    from flowgraph.model.diagnostic import Diagnostic
    from flowgraph.runtime.clock import Clock
    from flowgraph.stores import Journal

    AnyWorkflow = Workflow[..., Any]

logger = logging.getLogger("flowgraph")

MOST_ROWS = 20
"""So many graphs of one workflow are looked at in the store: those that were compiled last."""


class _Node(msgspec.Struct, frozen=True, gc=False):
    id: str
    kind: str
    path: str


class _Sketch(msgspec.Struct, frozen=True):
    """What a run needs of a graph's JSON form."""

    nodes: list[_Node]


_read_sketch = msgspec.json.Decoder(_Sketch).decode
_read_dependencies = msgspec.json.Decoder(tuple[Dependency, ...]).decode


class BoundGraph:
    """The graph of a workflow as runs use it; `plan` and `row` are None where it is unknown, and `reason` says why."""

    __slots__ = ("fingerprint", "plan", "reason", "row")

    def __init__(self, row: GraphRow | None, reason: str = "") -> None:
        self.row = row
        self.reason = reason
        self.fingerprint = UNKNOWN_GRAPH if row is None else row.fingerprint
        self.plan = None if row is None else Plan(_read_sketch(row.graph).nodes)

    def holds(self, fn: Callable[..., Any]) -> bool:
        """Tell whether it is still the graph of a function."""
        return self.row is None or hold(_read_dependencies(self.row.dependencies), fn)

    def errors(self) -> list[Diagnostic]:
        """What is wrong with the workflow."""
        if self.row is None or self.row.diagnostics == "[]":
            return []
        from flowgraph.model.diagnostic import Diagnostic

        found = msgspec.json.decode(self.row.diagnostics, type=list[Diagnostic])
        return [diagnostic for diagnostic in found if diagnostic.severity == "error"]


_known: WeakKeyDictionary[Callable[..., Any], BoundGraph] = WeakKeyDictionary()
"""What this process found out, by functions: several Runtimes share it."""

_told: WeakSet[Callable[..., Any]] = WeakSet()
"""The functions of whose graphs this process has said what is to be known."""


class Graphs:
    """The graphs of one Runtime or Client."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self.fingerprints: dict[str, str] = {}
        """Those that are ready, by the names of their workflows."""
        self._journal = journal
        self._clock = clock
        self._ready: dict[str, tuple[Callable[..., Any], BoundGraph]] = {}
        self._under_way: dict[Callable[..., Any], asyncio.Future[BoundGraph]] = {}

    def ready(self, workflow: AnyWorkflow) -> BoundGraph | None:
        """The graph of a workflow, if it is there at once."""
        found = self._ready.get(workflow.name)
        if found is not None and found[0] is workflow.fn:
            return found[1]
        bound = _known.get(workflow.fn)
        if bound is None or not bound.holds(workflow.fn):
            return None
        if bound.row is not None:
            self._keep(bound.row)
        return self._made_ready(workflow, bound)

    async def get(self, workflow: AnyWorkflow) -> BoundGraph:
        """The graph of a workflow, when it is there; whoever asks meanwhile waits for the same."""
        bound = self.ready(workflow)
        if bound is not None:
            return bound
        under_way = self._under_way.get(workflow.fn)
        if under_way is None:
            under_way = self._under_way[workflow.fn] = self._begun(workflow)
            under_way.add_done_callback(lambda _: self._under_way.pop(workflow.fn, None))
        return await asyncio.shield(under_way)

    def _begun(self, workflow: AnyWorkflow) -> asyncio.Task[BoundGraph]:
        """A task that belongs to no run, whoever asks: it has an empty context."""
        return asyncio.get_running_loop().create_task(self._found(workflow), context=Context())

    async def _found(self, workflow: AnyWorkflow) -> BoundGraph:
        row = await self._stored(workflow)
        if row is not None:
            bound = BoundGraph(row)
        else:
            bound = await in_thread(lambda: _made(workflow))
            if bound.row is not None:
                self._keep(bound.row)
        _known[workflow.fn] = bound
        _tell(workflow, bound)
        return self._made_ready(workflow, bound)

    def _made_ready(self, workflow: AnyWorkflow, bound: BoundGraph) -> BoundGraph:
        self._ready[workflow.name] = (workflow.fn, bound)
        self.fingerprints = {**self.fingerprints, workflow.name: bound.fingerprint}
        return bound

    def _keep(self, row: GraphRow) -> None:
        self._journal.submit(KeepGraph(row, self._clock.now_us()), _kept)

    async def _stored(self, workflow: AnyWorkflow) -> GraphRow | None:
        try:
            rows: list[GraphRow] = await self._journal.ask(GraphsOf(workflow.name, MOST_ROWS))
        except StoreError as error:
            logger.warning("the graph of workflow %r could not be read: %s", workflow.name, error)
            return None
        return _fitting(rows, workflow)


def _kept(answer: Any) -> None:
    if isinstance(answer, Exception):
        logger.warning("a graph could not be kept in the store: %s", answer)


async def in_thread(work: Callable[[], Any]) -> Any:
    """The result of something slow that is done in a thread; nobody waits for the thread when the process ends."""
    future: Future[Any] = Future()
    threading.Thread(target=_do, args=(work, future), name="flowgraph-compiler", daemon=True).start()
    return await asyncio.wrap_future(future)


def _do(work: Callable[[], Any], future: Future[Any]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:  # noqa: BLE001 (it is handed to whoever waits, whatever it is)
        future.set_exception(error)


def _fitting(rows: list[GraphRow], workflow: AnyWorkflow) -> GraphRow | None:
    """The graph that was compiled from what this process has loaded."""
    for row in rows:
        try:
            if hold(_read_dependencies(row.dependencies), workflow.fn):
                return row
        except msgspec.MsgspecError:  # It was written by another edition of flowgraph.
            continue
    return None


def _made(workflow: AnyWorkflow) -> BoundGraph:
    """The graph from a file or the compiler; whatever happens, there is an answer."""
    try:
        return _shipped(workflow) or _compiled(workflow)
    except CompileError as error:
        return BoundGraph(None, "; ".join(diagnostic.message for diagnostic in error.diagnostics))
    except Exception as error:
        logger.exception(
            "the compiler failed on workflow %r (%s), which runs without a graph; please report this, with the "
            "traceback below and the source of the workflow",
            workflow.name,
            workflow.place,
        )
        return BoundGraph(None, f"the compiler failed: {type(error).__name__}")


def _shipped(workflow: AnyWorkflow) -> BoundGraph | None:
    """The graph from a file that came with the program."""
    from flowgraph.runtime.shipped import shipped_graphs

    try:
        rows = [row for row in shipped_graphs(workflow.fn) if row.workflow == workflow.name]
    except InvalidOption as error:
        logger.warning("%s", error)
        return None
    row = _fitting(rows, workflow)
    return None if row is None else BoundGraph(row)


def _compiled(workflow: AnyWorkflow) -> BoundGraph:
    from flowgraph.compiler import compile_loaded, kept

    return BoundGraph(kept(compile_loaded(workflow.fn, workflow.name)))


def _tell(workflow: AnyWorkflow, bound: BoundGraph) -> None:
    """Say once in a process what is to be known of a graph."""
    if workflow.fn in _told:
        return
    _told.add(workflow.fn)
    if bound.row is None:
        logger.info("the graph of workflow %r is unknown: %s", workflow.name, bound.reason)
    for diagnostic in bound.errors():
        logger.warning("workflow %r: %s", workflow.name, diagnostic)
