"""A scope that records what the words of the language hand to it, and answers with what it is told."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any, NoReturn

import pytest

from flowgraph.dsl import registry
from flowgraph.model import CURRENT, FanOut, Scope, StepInfo, StepOptions


class Ended(BaseException):
    """What the recording scope raises where a run would end."""


class RecordingScope:
    """A `Scope` that runs nothing: `calls` has what it was given, `answer` is what its coroutines return."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.answer: Any = None

    async def _answered(self) -> Any:
        return self.answer

    def _recorded(self, *call: Any) -> Coroutine[Any, Any, Any]:
        self.calls.append(call)
        return self._answered()

    def info(self) -> StepInfo:
        return StepInfo("run-1", "flow", "path", 1, None, "key")

    def step(
        self, name: object, handler: Callable[..., Any], args: tuple[Any, ...], options: StepOptions
    ) -> Coroutine[Any, Any, Any]:
        return self._recorded("step", name, handler, args, options)

    def fan_out(
        self, name: object, handler: Callable[..., Any], items: Any, fan: FanOut, options: StepOptions
    ) -> Coroutine[Any, Any, Any]:
        return self._recorded("fan_out", name, handler, items, fan, options)

    def sleep(self, name: object, duration: Any) -> Coroutine[Any, Any, None]:
        return self._recorded("sleep", name, duration)

    def sleep_until(self, name: object, moment: Any) -> Coroutine[Any, Any, None]:
        return self._recorded("sleep_until", name, moment)

    def progress(self, message: object, done: float | None, total: float | None) -> Coroutine[Any, Any, None]:
        return self._recorded("progress", message, done, total)

    def listen(self, name: object, event: str | None, timeout: Any, returns: Any) -> Coroutine[Any, Any, Any]:
        return self._recorded("listen", name, event, timeout, returns)

    def execute_workflow(
        self, name: object, workflow: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Coroutine[Any, Any, Any]:
        return self._recorded("execute_workflow", name, workflow, args, kwargs)

    def start_workflow(
        self, name: object, workflow: Any, args: tuple[Any, ...], kwargs: dict[str, Any], detached: bool
    ) -> Coroutine[Any, Any, str]:
        return self._recorded("start_workflow", name, workflow, args, kwargs, detached)

    def wait_for_workflow(self, name: object, run_id: str, timeout: Any, returns: Any) -> Coroutine[Any, Any, Any]:
        return self._recorded("wait_for_workflow", name, run_id, timeout, returns)

    def fail(self, message: str) -> NoReturn:
        self.calls.append(("fail", message))
        raise Ended

    def abort(self) -> NoReturn:
        self.calls.append(("abort",))
        raise Ended


_fits: Scope = RecordingScope()


@pytest.fixture
def scope() -> Iterator[RecordingScope]:
    """The scope in which the test's calls are made."""
    recording = RecordingScope()
    token = CURRENT.set(recording)
    yield recording
    CURRENT.reset(token)


@pytest.fixture
def ended() -> type[BaseException]:
    """The exception with which the recording scope ends a run."""
    return Ended


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has a registry of its own."""
    monkeypatch.setattr(registry, "WORKFLOWS", {})
    from flowgraph.dsl import table

    monkeypatch.setattr(table, "WORKFLOWS", registry.WORKFLOWS)
