"""Every exception of flowgraph, with its text.

An exception takes the values that it speaks of, keeps them as attributes, and builds its sentence in ``__str__``; so a
message is written once, and an exception survives a trip through ``pickle``. Only control flow (cancelling, suspending)
derives from ``BaseException``, and it lives with the runtime.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


class FlowgraphError(Exception):
    """The base of all errors that flowgraph raises."""


# What a developer gets wrong ------------------------------------------------------------------------------------------


class DefinitionError(FlowgraphError, TypeError):
    """A decorator was used in a way that cannot work."""


class InvalidName(FlowgraphError, ValueError):
    """A step or workflow name breaks the rule for names (`.name`, `.reason`)."""

    def __init__(self, name: object, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        return f"{_shortened(self.name)} is no valid name: {self.reason}."


class InvalidOption(FlowgraphError, ValueError):
    """An option is out of its range (`.option`, `.value`, `.reason`)."""

    def __init__(self, option: str, value: object, reason: str) -> None:
        super().__init__(option, value, reason)
        self.option = option
        self.value = value
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.option}={_shortened(self.value)}: {self.reason}."


class NotInWorkflow(FlowgraphError, RuntimeError):
    """A step was called where no run is being executed."""

    def __init__(self, call: str) -> None:
        super().__init__(call)
        self.call = call

    def __str__(self) -> str:
        return (
            f"{self.call} was called outside a running workflow. Call it from a function decorated with @workflow "
            f"and start that with `await runtime.run(...)` or `flowgraph.run(...)`."
        )


class CompileError(FlowgraphError):
    """The graph of a workflow has errors (`.workflow`, `.diagnostics`)."""

    def __init__(self, workflow: str, diagnostics: Sequence[Any]) -> None:
        super().__init__(workflow, diagnostics)
        self.workflow = workflow
        self.diagnostics = diagnostics

    def __str__(self) -> str:
        found = "; ".join(str(diagnostic) for diagnostic in self.diagnostics)
        return f"Workflow {self.workflow!r} does not compile: {found}"


class GraphvizError(FlowgraphError):
    """Graphviz, which SVG and PNG need, is not there or failed."""


class UnplannedStep(FlowgraphError):
    """With strict, a step was called that the compiled graph does not know (`.path`)."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"Step {self.path!r} is not in the workflow's graph. Name it with a literal, or run without strict."


class DuplicateStep(FlowgraphError):
    """The same path was called twice in one run (`.path`, `.reason`)."""

    def __init__(self, path: str, reason: str = "a second call gets the first one's result without running") -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"Step {self.path!r} was called twice in one run: {self.reason}. Give each call a name of its own."


# Errors of steps: what a workflow catches -----------------------------------------------------------------------------


class StepError(FlowgraphError):
    """The base of the errors that a step call raises: `except StepError` in a workflow catches them all."""

    path: str


class StepFailed(StepError):
    """A step's attempts are used up.

    The same values are raised again on every replay. `cause_type` and `cause_message` describe the last attempt's
    error; ask for its class with `caused_by`.
    """

    def __init__(
        self, path: str, attempts: int, cause_type: str, cause_message: str, cause_names: Iterable[str] = ()
    ) -> None:
        self.cause_names = tuple(cause_names)
        super().__init__(path, attempts, cause_type, cause_message, self.cause_names)
        self.path = path
        self.attempts = attempts
        self.cause_type = cause_type
        self.cause_message = cause_message

    @property
    def name(self) -> str:
        """The step's own name, the last part of its path."""
        from urllib.parse import unquote

        return unquote(self.path.rpartition("/")[2])

    def caused_by(self, *classes: type[BaseException]) -> bool:
        """Tell whether the last attempt ended with one of `classes`, base classes included.

        Classes are compared by their saved names, so the answer is the same on a replay in another process.
        """
        return any(class_name(cls) in self.cause_names for cls in classes)

    def __str__(self) -> str:
        times = "1 attempt" if self.attempts == 1 else f"{self.attempts} attempts"
        message = f": {self.cause_message}" if self.cause_message else ""
        return f"Step {self.path!r} failed after {times}: {self.cause_type}{message}"


class StepTimeout(StepFailed, TimeoutError):
    """A step's last attempt, or the wait for another run, took longer than its timeout."""


class ListenTimeout(StepError, TimeoutError):
    """No event came in time (`.path`, `.event`, `.timeout` in seconds)."""

    def __init__(self, path: str, event: str, timeout: float) -> None:
        super().__init__(path, event, timeout)
        self.path = path
        self.event = event
        self.timeout = timeout

    def __str__(self) -> str:
        return f"Step {self.path!r} waited {self.timeout:g} s for the event {self.event!r}, and none came."


class ChildFailed(StepError):
    """A child run ended without a result (`.run_id`, `.status`, `.message`, `.cause_type`)."""

    def __init__(self, path: str, run_id: str, status: str, message: str = "", cause_type: str = "") -> None:
        super().__init__(path, run_id, status, message, cause_type)
        self.path = path
        self.run_id = run_id
        self.status = status
        self.message = message
        self.cause_type = cause_type

    def __str__(self) -> str:
        message = f": {self.message}" if self.message else ""
        return f"Step {self.path!r} waited for run {self.run_id!r}, which ended as {self.status}{message}"


class ItemFailure:
    """One item of a map that failed for good: `index`, `key` (None without `key=`) and `error`."""

    __slots__ = ("error", "index", "key")

    def __init__(self, index: int, key: str | None, error: StepError) -> None:
        self.index = index
        self.key = key
        self.error = error

    def __repr__(self) -> str:
        return f"ItemFailure(index={self.index}, key={self.key!r}, error={self.error!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ItemFailure) and repr(self) == repr(other)

    __hash__ = None  # type: ignore[assignment]


class MapFailed(StepError):
    """Items of a map, for_each or batch failed for good (`.path`, `.failures`, `.count`).

    `count` says how many; `failures` tells of the first of them, in the order of the items, and of 100 at most.
    """

    def __init__(self, path: str, failures: Sequence[ItemFailure], count: int | None = None) -> None:
        self.failures = list(failures)
        self.count = len(self.failures) if count is None else count
        super().__init__(path, self.failures, self.count)
        self.path = path

    def __str__(self) -> str:
        first = " ".join(str(self.failures[0].error).split()) if self.failures else "no failure was recorded"
        items = "1 item" if self.count == 1 else f"{self.count:,} items"
        return f"{items} of {self.path!r} failed; the first: {first}"


class SerializationError(StepError):
    """A value cannot be saved and restored exactly (`.path`, `.type_name`, `.reason`)."""

    def __init__(self, path: str, type_name: str, reason: str) -> None:
        super().__init__(path, type_name, reason)
        self.path = path
        self.type_name = type_name
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path!r} has a value of type {self.type_name} that cannot be saved: {self.reason}"


class PayloadTooLarge(StepError):
    """A value is larger than a payload may be (`.path`, `.size` and `.limit` in bytes)."""

    def __init__(self, path: str, size: int, limit: int) -> None:
        super().__init__(path, size, limit)
        self.path = path
        self.size = size
        self.limit = limit

    def __str__(self) -> str:
        return (
            f"{self.path!r} has a payload of {self.size:,} bytes; the limit is {self.limit:,}. "
            f"Save the data elsewhere and return where it is."
        )


class ItemsChanged(FlowgraphError):
    """A map without `key=` was resumed with other items, or a batch with other items or sizes (`.path`)."""

    def __init__(self, path: str, detail: str = "", kind: str = "map") -> None:
        super().__init__(path, detail, kind)
        self.path = path
        self.detail = detail
        self.kind = kind

    def __str__(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        advice = "and keep the batch_size" if self.kind == "batch" else "or give each a stable identity with key="
        return (
            f"The items of {self.path!r} are not the ones that it began with{detail}. Make them in a step, so that "
            f"they are saved, {advice}."
        )


# For handlers to raise ------------------------------------------------------------------------------------------------


class NonRetryable(FlowgraphError):
    """Raise it from a handler: the step fails at once, whatever attempts are left."""


class RetryAfter(FlowgraphError):
    """Raise it from a handler: the next attempt comes after `delay` (a duration), not after the policy's backoff."""

    def __init__(self, delay: Any, message: str = "") -> None:
        super().__init__(delay, message)
        self.delay = delay
        self.message = message

    def __str__(self) -> str:
        return self.message or f"retry after {self.delay}"


# Errors of runs -------------------------------------------------------------------------------------------------------


class RunError(FlowgraphError):
    """The base of the ways in which a run ends without a result (`.run_id`)."""

    run_id: str


class RunFailed(RunError):
    """A run failed (`.run_id`, `.message`, `.cause_type`)."""

    def __init__(self, run_id: str, message: str, cause_type: str = "") -> None:
        super().__init__(run_id, message, cause_type)
        self.run_id = run_id
        self.message = message
        self.cause_type = cause_type

    def __str__(self) -> str:
        cause = f"{self.cause_type}: " if self.cause_type else ""
        return f"Run {self.run_id!r} failed: {cause}{self.message}"


class RunAborted(RunError):
    """A run was stopped by `step.abort()`."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.run_id = run_id

    def __str__(self) -> str:
        return f"Run {self.run_id!r} was aborted."


class RunCancelled(RunError):
    """A run was cancelled from outside, or with its parent."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.run_id = run_id

    def __str__(self) -> str:
        return f"Run {self.run_id!r} was cancelled."


class RunTimedOut(RunError):
    """A run was executing for longer than its workflow's timeout (`.timeout` in seconds)."""

    def __init__(self, run_id: str, message: str = "") -> None:
        super().__init__(run_id, message)
        self.run_id = run_id
        self.message = message

    def __str__(self) -> str:
        detail = f": {self.message}" if self.message else "."
        return f"Run {self.run_id!r} timed out{detail}"


class RunNotFound(FlowgraphError, LookupError):
    """The store has no run of this id (`.run_id`)."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.run_id = run_id

    def __str__(self) -> str:
        return f"There is no run {self.run_id!r} in this store. `flowgraph runs list` shows which there are."


class RunExists(FlowgraphError):
    """A run of this id exists, with another workflow or other input (`.run_id`, `.difference`)."""

    def __init__(self, run_id: str, difference: str) -> None:
        super().__init__(run_id, difference)
        self.run_id = run_id
        self.difference = difference

    def __str__(self) -> str:
        return f"Run {self.run_id!r} exists already, with {self.difference}. Choose another run id."


class RunFinished(FlowgraphError):
    """A finished run takes no events and cannot be cancelled (`.run_id`, `.status`)."""

    def __init__(self, run_id: str, status: str) -> None:
        super().__init__(run_id, status)
        self.run_id = run_id
        self.status = status

    def __str__(self) -> str:
        return f"Run {self.run_id!r} is finished ({self.status})."


class WorkflowNotFound(FlowgraphError, LookupError):
    """No workflow of this name is known here (`.workflow`, `.known`)."""

    def __init__(self, workflow: str, known: Iterable[str] = ()) -> None:
        self.known = tuple(known)
        super().__init__(workflow, self.known)
        self.workflow = workflow

    def __str__(self) -> str:
        known = ", ".join(repr(name) for name in self.known) or "none"
        return f"There is no workflow {self.workflow!r} here. Known: {known}."


# Errors of the store --------------------------------------------------------------------------------------------------


class StoreError(FlowgraphError):
    """The store cannot do what was asked."""


class StoreUnavailable(StoreError):
    """The store cannot be reached or is busy; trying again may help."""


class WriteRefused(StoreError):
    """The store cannot hold a value; trying again cannot help."""


class SchemaMismatch(StoreError):
    """The store was written by a newer flowgraph (`.found`, `.known`: schema versions)."""

    def __init__(self, store: str, found: int, known: int) -> None:
        super().__init__(store, found, known)
        self.store = store
        self.found = found
        self.known = known

    def __str__(self) -> str:
        return (
            f"The store {self.store} has schema version {self.found}; this flowgraph knows versions up to "
            f"{self.known}. Upgrade flowgraph, or use another store."
        )


class LeaseLost(StoreError):
    """Another worker has taken the run over; this worker's write was refused (`.run_id`)."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.run_id = run_id

    def __str__(self) -> str:
        return f"Run {self.run_id!r} now belongs to another worker; what this one wrote was refused."


def class_name(cls: type) -> str:
    """The name by which an exception's class is saved: its qualified name, with the module unless it is a builtin."""
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def _shortened(value: object, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
