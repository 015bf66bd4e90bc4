"""The tasks of a run: which there are, whether any of them is ready, and what they all wait for.

Theory. A run may give up its worker only when nothing in it can go on without something durable: a wake time, an
event, another run. Its tasks form a graph of waits. A task waits for a future (``_fut_waiter``); that future is
resolved by one of these:

- a step call (`Join`): a durable wait, or the task of the step's body;
- another task, awaited directly;
- tasks under ``gather``, ``wait``, ``wait_for``, ``as_completed``, ``shield`` or a TaskGroup: each of these puts a
  callback on the tasks that it waits for, and the callback holds the future that it resolves;
- anything else: a socket, a timer, an Event, a Queue. Then something outside the run may wake it, and it stays.

The run is parked when every task that counts waits, through this graph, for durable waits only. A timer on the way
(``asyncio.timeout``, ``wait_for``) would be lost with the process's memory, so it keeps the run resident too. Tasks
that never called a step and that no such task waits for (a connection pool's keep-alive) do not count.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any

from flowgraph.model import CURRENT

if TYPE_CHECKING:
    from flowgraph.runtime.calls import Call
    from flowgraph.runtime.execution import Execution

Task = asyncio.Task[Any]
Future = asyncio.Future[Any]


class Join(asyncio.Future[None]):
    """What the caller of a step waits on. `call` is None for a result that is replayed from the history."""

    call: Call | None = None
    counts = True
    """Whether it keeps the call alive."""

    def refuse(self, error: BaseException) -> None:
        """End the wait with an error, which is no news if the task that waited is gone."""
        self.set_exception(error)
        self._log_traceback = False


class MainTask(asyncio.Task[None]):
    """The task of a workflow's body."""

    cancelled_outside = False
    """Whether it was cancelled from outside the run, as asyncio.run does with all tasks when it ends."""

    def cancel(self, msg: Any | None = None) -> bool:
        if CURRENT.get() is None:
            self.cancelled_outside = True
        return super().cancel(msg)


# Which tasks a run has ------------------------------------------------------------------------------------------------


def install_task_factory(loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
    """Let every task that is made inside a run be known to it; returns what takes the factory off again."""
    previous: Any = loop.get_task_factory()
    if isinstance(previous, _TaskFactory):
        previous.users += 1
        return previous.uninstall
    factory = _TaskFactory(loop, previous)
    loop.set_task_factory(factory)  # type: ignore[arg-type]
    return factory.uninstall


class _TaskFactory:
    """The factory of one loop, which all engines on it share; the last one that leaves takes it off."""

    def __init__(self, loop: asyncio.AbstractEventLoop, previous: Any) -> None:
        self.users = 1
        self._loop = loop
        self._previous = previous

    def __call__(self, loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any) -> Any:
        previous = self._previous
        made: Any = asyncio.Task(coro, loop=loop, **options) if previous is None else previous(loop, coro, **options)
        context: Context | None = options.get("context")
        scope: Any = CURRENT.get() if context is None else context.get(CURRENT)
        if scope is not None and (run := getattr(scope, "run", None)) is not None and run.loop is loop:
            scope.spawned = True
            run.know(made)
        return made

    def uninstall(self) -> None:
        """One engine leaves."""
        self.users -= 1
        present: Any = self._loop.get_task_factory()
        if not self.users and present is self:
            self._loop.set_task_factory(self._previous)


# Whether any is ready -------------------------------------------------------------------------------------------------


def is_quiet(run: Execution) -> bool:
    """Tell whether nothing of this run is ready to go on: no callback that was made inside it is queued on the loop."""
    ready = getattr(run.loop, "_ready", None)
    if ready is None or len(run.tasks) == 1:  # A loop that does not show its queue, or one task whose state says all.
        return all(_is_blocked(task) for task in run.tasks)
    for handle in tuple(ready):  # A copy, since other threads add to it.
        scope: Any = handle._context.get(CURRENT)
        if scope is not None and scope.run is run and not handle._cancelled:
            return False
    return True


def _is_blocked(task: Task) -> bool:
    waits_for = getattr(task, "_fut_waiter", None)
    return waits_for is not None and not waits_for.done()


# What they wait for ---------------------------------------------------------------------------------------------------


class WaitGraph:
    """The waits of one run's tasks at this moment."""

    def __init__(self, run: Execution) -> None:
        self._run = run
        self._sources: dict[int, list[Task]] = {}
        for task in run.tasks:
            for future in _resolved_by(task):
                self._sources.setdefault(id(future), []).append(task)
        self._timed = _with_timers(run.loop)
        self._seen: dict[int, bool] = {}
        self.durable = False
        """Whether any durable wait was met."""
        self.reason = ""
        """What keeps the run resident, in words."""

    def is_parked(self) -> bool:
        """Tell whether all tasks that count wait durably."""
        return all(self.waits_durably(task) for task in self._run.own)

    def waits_for_itself(self, join: Join) -> bool:
        """Tell whether the task that waits on `join` is one that the call's own body waits for."""
        waiter = next((task for task in self._run.tasks if getattr(task, "_fut_waiter", None) is join), None)
        call = join.call
        return waiter is not None and call is not None and call.task is not None and self._reaches(call.task, waiter)

    def waits_durably(self, task: Task) -> bool:
        """Tell whether nothing but a durable wait can wake this task."""
        known = self._seen.get(id(task))
        if known is None:
            self._seen[id(task)] = True  # A cycle is no way out: what else its members wait for decides.
            known = self._seen[id(task)] = task.done() or self._looks_durable(task)
        return known

    def _looks_durable(self, task: Task) -> bool:
        future = getattr(task, "_fut_waiter", None)
        if future is None or future.done():
            return self._resident(f"task {task.get_name()!r} is at work")
        if id(task) in self._timed or id(future) in self._timed:
            return self._resident("a timeout of asyncio runs around a wait; use the timeout of the step instead")
        return self._future(future, task)

    def _future(self, future: Future, task: Task) -> bool:
        if isinstance(future, Join):
            return self._join(future)
        targets = self._targets(future)
        if not targets:
            return self._resident(f"task {task.get_name()!r} waits for {_described(future)}, outside any step")
        return all(
            self._future(target, task) if isinstance(target, Join) else self._target(target, task) for target in targets
        )

    def _target(self, target: Future, task: Task) -> bool:
        return self.waits_durably(target) if isinstance(target, asyncio.Task) else self._future(target, task)

    def _join(self, join: Join) -> bool:
        call = join.call
        if call is None:
            return self._resident("a saved result is about to be delivered")
        if call.wait is not None:
            self.durable = True
            return True
        if call.task is None or call.task.done():
            return self._resident(f"step {call.path!r} is being saved")
        return self.waits_durably(call.task)

    def _targets(self, future: Future) -> list[Future]:
        """The unfinished futures of which `future` waits for one or all."""
        if isinstance(future, asyncio.Task):
            return [future]
        children: Iterable[Future] | None = getattr(future, "_children", None)  # gather
        found = children if children is not None else self._sources.get(id(future), ())
        return [target for target in found if not target.done()]

    def _reaches(self, task: Task, goal: Task, seen: frozenset[int] = frozenset()) -> bool:
        if task is goal:
            return True
        future = getattr(task, "_fut_waiter", None)
        if future is None or id(task) in seen:
            return False
        nexts = [future.call.task] if isinstance(future, Join) and future.call else self._targets(future)
        return any(isinstance(step, asyncio.Task) and self._reaches(step, goal, seen | {id(task)}) for step in nexts)

    def _resident(self, reason: str) -> bool:
        self.reason = self.reason or reason
        return False


def _described(future: Future) -> str:
    return "I/O or a timer" if type(future).__name__ == "Future" else type(future).__name__


def _resolved_by(task: Task) -> Iterator[Future]:
    """The futures that the callbacks of `task` resolve when it is done."""
    for callback, _context in getattr(task, "_callbacks", None) or ():
        yield from _held_futures(callback)


def _held_futures(callback: Any) -> Iterator[Future]:
    if isinstance(callback, partial):  # wait_for of Python 3.11: partial(_release_waiter, waiter)
        held: Iterable[Any] = (*callback.args, *callback.keywords.values())
    elif (owner := getattr(callback, "__self__", None)) is not None:  # TaskGroup, as_completed of Python 3.13
        held = (getattr(owner, "_on_completed_fut", None), getattr(owner, "_done", None), owner)
    else:  # wait, shield, as_completed: closures
        held = [_contents(cell) for cell in getattr(callback, "__closure__", None) or ()]
    for thing in held:
        if isinstance(thing, asyncio.Future):
            yield thing
        elif isinstance(thing, asyncio.Queue):
            yield from getattr(thing, "_getters", ())


def _contents(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # The cell is empty.
        return None


def _with_timers(loop: asyncio.AbstractEventLoop) -> set[int]:
    """The ids of futures and tasks which a timer of the loop would wake or cancel."""
    timed: set[int] = set()
    for handle in getattr(loop, "_scheduled", ()):
        if handle._cancelled:
            continue
        timed.update(id(argument) for argument in handle._args or () if isinstance(argument, asyncio.Future))
        owner = getattr(handle._callback, "__self__", None)
        if isinstance(owner, asyncio.Timeout):
            timed.add(id(owner._task))  # type: ignore[attr-defined]
    return timed
