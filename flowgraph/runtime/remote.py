"""Handlers in threads and other processes: how they are called, and the scope that they find in a process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from flowgraph.errors import DefinitionError
from flowgraph.model import CURRENT, StepInfo
from flowgraph.model.placement import EXECUTOR, REFUSALS
from flowgraph.runtime.halt import RunHalted


class RemoteScope:
    """The scope of a handler in another process: it knows where it is and can stop the run, but calls no steps."""

    run = None

    def __init__(self, info: StepInfo) -> None:
        self._info = info

    def info(self) -> StepInfo:
        return self._info

    def fail(self, message: str) -> NoReturn:
        raise RunHalted("has failed", str(message))

    def abort(self) -> NoReturn:
        raise RunHalted("is aborted")

    def __getattr__(self, word: str) -> Any:
        refusal = REFUSALS[EXECUTOR]
        raise DefinitionError(f"step.{word} was called {refusal.where}, where steps cannot be called. {refusal.advice}")


def call_remotely(info: StepInfo, handler: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """Run a handler in this process on behalf of another."""
    scope: Any = RemoteScope(info)
    token = CURRENT.set(scope)
    try:
        return guarded(handler, *args)
    finally:
        CURRENT.reset(token)


def guarded(handler: Callable[..., Any], *args: Any) -> Any:
    """Call a handler outside the loop; a StopIteration, which no future can hold, becomes a RuntimeError."""
    try:
        return handler(*args)
    except StopIteration as error:
        raise RuntimeError("the handler raised StopIteration") from error
