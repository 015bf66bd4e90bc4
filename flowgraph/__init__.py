"""Durable workflows in plain async Python: named steps, a checkpoint after each, and a graph compiled from the source.

    from flowgraph import Runtime, step, workflow

    @workflow
    async def data_pipeline(source: str) -> int:
        data = await step("fetch-data", fetch, source)
        return await step("store-results", save, data)

    async with Runtime("sqlite:///flows.db") as runtime:
        print(await runtime.run(data_pipeline, "https://…"))

The public names are loaded when they are first asked for, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowgraph.compiler import compile_file, compile_source
    from flowgraph.dsl import Workflow, step, workflow
    from flowgraph.errors import (
        ChildFailed,
        CompileError,
        DefinitionError,
        DuplicateStep,
        FlowgraphError,
        GraphvizError,
        InvalidName,
        InvalidOption,
        ItemFailure,
        ItemsChanged,
        LeaseLost,
        ListenTimeout,
        MapFailed,
        NonRetryable,
        NotInWorkflow,
        PayloadTooLarge,
        RetryAfter,
        RunAborted,
        RunCancelled,
        RunError,
        RunExists,
        RunFailed,
        RunFinished,
        RunNotFound,
        RunTimedOut,
        SchemaMismatch,
        SerializationError,
        StepError,
        StepFailed,
        StepTimeout,
        StoreError,
        StoreUnavailable,
        UnplannedStep,
        WorkflowNotFound,
        WriteRefused,
    )
    from flowgraph.model import (
        AttemptRecord,
        ErrorRecord,
        RetryPolicy,
        RunQuery,
        RunRecord,
        RunStatus,
        StepInfo,
        StepRecord,
        WaitRecord,
    )
    from flowgraph.model.graph import Graph
    from flowgraph.runtime import Client, Run, Runtime, Worker, run

    __version__: str

__all__ = [
    "AttemptRecord",
    "ChildFailed",
    "Client",
    "CompileError",
    "DefinitionError",
    "DuplicateStep",
    "ErrorRecord",
    "FlowgraphError",
    "Graph",
    "GraphvizError",
    "InvalidName",
    "InvalidOption",
    "ItemFailure",
    "ItemsChanged",
    "LeaseLost",
    "ListenTimeout",
    "MapFailed",
    "NonRetryable",
    "NotInWorkflow",
    "PayloadTooLarge",
    "RetryAfter",
    "RetryPolicy",
    "Run",
    "RunAborted",
    "RunCancelled",
    "RunError",
    "RunExists",
    "RunFailed",
    "RunFinished",
    "RunNotFound",
    "RunQuery",
    "RunRecord",
    "RunStatus",
    "RunTimedOut",
    "Runtime",
    "SchemaMismatch",
    "SerializationError",
    "StepError",
    "StepFailed",
    "StepInfo",
    "StepRecord",
    "StepTimeout",
    "StoreError",
    "StoreUnavailable",
    "UnplannedStep",
    "WaitRecord",
    "Worker",
    "Workflow",
    "WorkflowNotFound",
    "WriteRefused",
    "__version__",
    "compile_file",
    "compile_source",
    "run",
    "step",
    "workflow",
]

_ROOMS = {
    "flowgraph.compiler": ("compile_file", "compile_source"),
    "flowgraph.dsl": ("Workflow", "step", "workflow"),
    "flowgraph.model": (
        "AttemptRecord",
        "ErrorRecord",
        "RetryPolicy",
        "RunQuery",
        "RunRecord",
        "RunStatus",
        "StepInfo",
        "StepRecord",
        "WaitRecord",
    ),
    "flowgraph.model.graph": ("Graph",),
    "flowgraph.runtime": ("Client", "Run", "Runtime", "Worker", "run"),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = _version() if name == "__version__" else _loaded(_ROOM_OF.get(name, "flowgraph.errors"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _loaded(room: str, name: str) -> Any:
    from importlib import import_module

    return getattr(import_module(room), name)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("flowgraph")
    except PackageNotFoundError:
        return "0+unknown"
