"""The typed calls that start runs: `Starting`, which Client and Runtime share, and `run`, for a script.

There is an overload for each number of positional arguments, so that they are checked beside the options; see
``dsl/workflow.py`` for what does not work. Everything but the types is elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Concatenate, TypeVar, overload

from flowgraph.dsl import Workflow, find
from flowgraph.errors import DefinitionError

if TYPE_CHECKING:
    from flowgraph.runtime.client import Run

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
T = TypeVar("T")


class Starting:
    """Starts runs."""

    @overload
    async def start(
        self,
        workflow: Workflow[..., T],
        /,
        *,
        run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> Run[T]: ...
    @overload
    async def start(
        self,
        workflow: Workflow[Concatenate[A, ...], T],
        a: A,
        /,
        *,
        run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> Run[T]: ...
    @overload
    async def start(
        self,
        workflow: Workflow[Concatenate[A, B, ...], T],
        a: A,
        b: B,
        /,
        *,
        run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> Run[T]: ...
    @overload
    async def start(
        self,
        workflow: Workflow[Concatenate[A, B, C, ...], T],
        a: A,
        b: B,
        c: C,
        /,
        *,
        run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> Run[T]: ...
    @overload
    async def start(
        self,
        workflow: Workflow[Concatenate[A, B, C, D, ...], T],
        a: A,
        b: B,
        c: C,
        d: D,
        /,
        *more: Any,
        run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> Run[T]: ...
    @overload
    async def start(
        self,
        workflow: str,
        /,
        *args: Any,
        run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> Run[Any]: ...
    async def start(
        self,
        workflow: Any,
        /,
        *args: Any,
        run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> Run[Any]:
        """Start a run, which is durable when this returns, and return its handle.

        Args:
            workflow: a workflow, or the name of one whose code is elsewhere.
            args: the workflow's positional arguments.
            run_id: the run's id; one that exists gives that run, if workflow and input are the same.
            tags: text by which `list` finds the run.
            kwargs: the workflow's keyword arguments.

        Raises:
            TypeError: the workflow does not take these arguments.
            RunExists: the id is taken by a run of another workflow or with other input.
            SerializationError, PayloadTooLarge: an argument cannot be saved.
        """
        return await self._started(workflow, args, kwargs, run_id, tags)

    @overload
    async def run(
        self,
        workflow: Workflow[..., T],
        /,
        *,
        run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> T: ...
    @overload
    async def run(
        self,
        workflow: Workflow[Concatenate[A, ...], T],
        a: A,
        /,
        *,
        run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> T: ...
    @overload
    async def run(
        self,
        workflow: Workflow[Concatenate[A, B, ...], T],
        a: A,
        b: B,
        /,
        *,
        run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> T: ...
    @overload
    async def run(
        self,
        workflow: Workflow[Concatenate[A, B, C, ...], T],
        a: A,
        b: B,
        c: C,
        /,
        *,
        run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> T: ...
    @overload
    async def run(
        self,
        workflow: Workflow[Concatenate[A, B, C, D, ...], T],
        a: A,
        b: B,
        c: C,
        d: D,
        /,
        *more: Any,
        run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> T: ...
    @overload
    async def run(
        self,
        workflow: str,
        /,
        *args: Any,
        run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> Any: ...
    async def run(
        self,
        workflow: Any,
        /,
        *args: Any,
        run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Start a run and wait for its result: `start`, then `Run.result`.

        Interrupting it leaves the run unfinished; it goes on when a Runtime opens the store again.
        """
        handle: Run[Any] = await self._started(workflow, args, kwargs, run_id, tags)
        return await handle.result()

    async def _started(
        self, workflow: Any, args: Any, kwargs: Any, run_id: str | None, tags: Mapping[str, str] | None
    ) -> Run[Any]:
        raise NotImplementedError


@overload
def run(workflow: Workflow[..., T], /, *, store: str | None = None, run_id: str | None = None, **kwargs: Any) -> T: ...
@overload
def run(
    workflow: Workflow[Concatenate[A, ...], T],
    a: A,
    /,
    *,
    store: str | None = None,
    run_id: str | None = None,
    **kwargs: Any,
) -> T: ...
@overload
def run(
    workflow: Workflow[Concatenate[A, B, ...], T],
    a: A,
    b: B,
    /,
    *,
    store: str | None = None,
    run_id: str | None = None,
    **kwargs: Any,
) -> T: ...
@overload
def run(
    workflow: Workflow[Concatenate[A, B, C, ...], T],
    a: A,
    b: B,
    c: C,
    /,
    *,
    store: str | None = None,
    run_id: str | None = None,
    **kwargs: Any,
) -> T: ...
@overload
def run(
    workflow: Workflow[Concatenate[A, B, C, D, ...], T],
    a: A,
    b: B,
    c: C,
    d: D,
    /,
    *more: Any,
    store: str | None = None,
    run_id: str | None = None,
    **kwargs: Any,
) -> T: ...
@overload
def run(workflow: str, /, *args: Any, store: str | None = None, run_id: str | None = None, **kwargs: Any) -> Any: ...
def run(workflow: Any, /, *args: Any, store: str | None = None, run_id: str | None = None, **kwargs: Any) -> Any:
    """Run a workflow to its end, from a script without an event loop, and return its result.

    Args:
        workflow: the workflow.
        args: its positional arguments.
        store: the store's URL; None means FLOWGRAPH_STORE, the project's setting, or a file in the working folder.
        run_id: the run's id; a run of this id that is unfinished goes on from its last finished step.
        kwargs: its keyword arguments.

    >>> from flowgraph import step, workflow
    >>> @workflow
    ... async def doubled(number: int) -> int:
    ...     return await step("double", lambda: 2 * number)
    >>> run(doubled, 21, store="sqlite:///:memory:")
    42
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(_run(workflow, args, store, run_id, kwargs))
    raise DefinitionError("flowgraph.run() is for scripts without an event loop; here, write `await runtime.run(…)`.")


async def _run(workflow: Any, args: Any, store: str | None, run_id: str | None, kwargs: Any) -> Any:
    from flowgraph.runtime.runtime import Runtime

    if isinstance(workflow, str):
        find(workflow)  # Only this process executes the run, so it has to know the workflow.
    async with Runtime(store) as runtime:
        return await runtime.run(workflow, *args, run_id=run_id, **kwargs)
