"""Step calls in flight: the body, the callers that wait for it, and the durable waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowgraph.runtime.tasks import Join, Task

SLEEPING = "sleep"
LISTENING = "listen"
FOR_RUN = "workflow"
BACKOFF = "retry"


class Call:
    """A step call that has no result yet.

    `task` runs the body, and callers only wait (`waiters`); so the body survives its first caller when another waits.
    A durable wait has a `wait` and no task. `saving` is set when the final row is on its way to the store.
    """

    __slots__ = ("kind", "path", "saving", "task", "wait", "waiters")

    def __init__(self, path: str, kind: str) -> None:
        self.path = path
        self.kind = kind
        self.task: Task | None = None
        self.wait: Wait | None = None
        self.waiters: list[Join] = []
        self.saving = False


class Wait:
    """A durable wait: for a wake time (`due_us`), an event, or the end of another run (`target`).

    `kind` is sleep, listen, workflow or retry. With `due_us` None it waits for as long as it takes; `timeout_s` is
    what the user gave, for the text of the error.
    """

    __slots__ = ("call", "due_us", "event", "expiring", "kind", "since_us", "target", "timeout_s")

    def __init__(
        self,
        call: Call,
        kind: str,
        since_us: int,
        due_us: int | None,
        event: str | None = None,
        target: str | None = None,
        timeout_s: float = 0.0,
    ) -> None:
        self.call = call
        self.kind = kind
        self.since_us = since_us
        self.due_us = due_us
        self.event = event
        self.target = target
        self.timeout_s = timeout_s
        self.expiring = False
