"""The ways in which executing a run stops, and the signal that carries them through user code.

Suspending, failing and aborting travel as a BaseException of their own, so that ``except Exception`` lets them pass;
cancelling, timing out and giving back cancel tasks, as asyncio does. What counts in the end is not the exception, which
user code may swallow, but the `Halt` that the execution keeps: it decides how the run is concluded.
"""

from __future__ import annotations

import asyncio

import msgspec

from flowgraph.model import Failure


class RunHalted(BaseException):
    """The run has been told to stop here: it suspends, fails, aborts or is paused. Let it pass."""

    def __init__(self, what: str, message: str = "") -> None:
        super().__init__(what, message)
        self.what = what
        self.message = message

    def __str__(self) -> str:
        return f"the run {self.what}" + (f": {self.message}" if self.message else "")


class Halt(msgspec.Struct, frozen=True):
    """Why executing stops; `signal` makes the exception that step calls raise from now on."""

    def signal(self) -> BaseException:
        return asyncio.CancelledError()


class Completing(Halt, frozen=True):
    """The workflow returned; `output` is its result as JSON text."""

    output: str


class Suspending(Halt, frozen=True):
    """All that the run does is wait."""

    def signal(self) -> BaseException:
        return RunHalted("is suspended")


class Failing(Halt, frozen=True):
    """An exception left the workflow, or ``step.fail`` was called."""

    failure: Failure

    def signal(self) -> BaseException:
        return RunHalted("has failed", self.failure.cause_message)


class Aborting(Halt, frozen=True):
    """``step.abort`` was called."""

    def signal(self) -> BaseException:
        return RunHalted("is aborted")


class Pausing(Halt, frozen=True):
    """The code does not fit what is saved."""

    reason: str
    detail: str

    def signal(self) -> BaseException:
        return RunHalted("is paused", self.detail)


class Cancelling(Halt, frozen=True):
    """Somebody cancelled the run."""


class TimingOut(Halt, frozen=True):
    """The run was executing for longer than its timeout, in seconds."""

    timeout: float


class Releasing(Halt, frozen=True):
    """The worker closes and gives the run back."""


class Losing(Halt, frozen=True):
    """Another worker owns the run by now."""


class Breaking(Halt, frozen=True):
    """The store failed for good."""

    error: Exception
