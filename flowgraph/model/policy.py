"""Retries: the policy as a value, and the one place that decides what comes after a failed attempt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import force_setattr

from flowgraph.errors import (
    DefinitionError,
    DuplicateStep,
    InvalidName,
    InvalidOption,
    NonRetryable,
    RetryAfter,
    StepError,
    UnplannedStep,
)
from flowgraph.model.durations import Duration, count, seconds

ErrorClasses = tuple[type[BaseException], ...]

_MISTAKES: ErrorClasses = (DefinitionError, DuplicateStep, InvalidName, InvalidOption, UnplannedStep)
"""What the program does wrong, it does wrong again."""

DEFAULT_MAX_ATTEMPTS = 5


def _classes(value: object) -> ErrorClasses:
    classes = tuple(value) if isinstance(value, tuple | list | set | frozenset) else (value,)
    found = tuple(cls for cls in classes if isinstance(cls, type) and issubclass(cls, BaseException))
    if len(found) < len(classes):
        raise InvalidOption("retry_on/give_up_on", value, "it is an exception class, or a tuple of them")
    return found


class RetryPolicy(msgspec.Struct, frozen=True):
    """When a failed step is tried again, and after how long.

    The delay before attempt n + 1 is drawn evenly from 0 to ``min(cap, initial * factor ** (n - 1))`` (exponential
    backoff with full jitter, as in the AWS Architecture Blog's "Exponential Backoff And Jitter"); with
    ``jitter=False`` it is that bound itself.

    Args:
        max_attempts: all attempts together, the first included.
        initial: the bound of the first delay, a duration.
        factor: what each further bound is multiplied by, at least 1.
        cap: the largest bound, a duration.
        jitter: draw the delay, so that failed steps do not all come back at once.
        retry_on: only these exceptions are tried again; a StepError of a sub-step only if it is named here.
        give_up_on: these are not tried again.

    >>> RetryPolicy(max_attempts=3, initial="1s", factor=2, jitter=False).delay(2)
    2.0
    """

    max_attempts: int = DEFAULT_MAX_ATTEMPTS
    initial: float = 1.0
    factor: float = 2.0
    cap: float = 60.0
    jitter: bool = True
    retry_on: ErrorClasses = (Exception,)
    give_up_on: ErrorClasses = ()

    if TYPE_CHECKING:  # What may be given is more than what is kept.

        def __init__(
            self,
            max_attempts: int = DEFAULT_MAX_ATTEMPTS,
            initial: Duration = 1.0,
            factor: float = 2.0,
            cap: Duration = 60.0,
            jitter: bool = True,
            retry_on: type[BaseException] | Iterable[type[BaseException]] = (Exception,),
            give_up_on: type[BaseException] | Iterable[type[BaseException]] = (),
        ) -> None: ...

    def __post_init__(self) -> None:
        if isinstance(self.factor, bool) or not isinstance(self.factor, int | float) or not 1 <= self.factor < 1e6:
            raise InvalidOption("factor", self.factor, "it is a number from 1 to 1,000,000")
        force_setattr(self, "max_attempts", count(self.max_attempts, "max_attempts"))
        force_setattr(self, "initial", seconds(self.initial, "initial"))
        force_setattr(self, "cap", seconds(self.cap, "cap"))
        force_setattr(self, "retry_on", _classes(self.retry_on))
        force_setattr(self, "give_up_on", _classes(self.give_up_on))

    def delay(self, attempt: int, draw: Callable[[], float] | None = None) -> float:
        """Seconds to wait after failed attempt number `attempt` (from 1); `draw` gives a number from 0 to 1."""
        exponent = min(attempt - 1, 1_000)
        try:
            bound = min(self.cap, self.initial * self.factor**exponent)
        except OverflowError:
            bound = self.cap
        return bound * draw() if self.jitter and draw is not None else bound


def retry_delay(
    policy: RetryPolicy, max_attempts: int, attempt: int, error: BaseException, draw: Callable[[], float]
) -> float | None:
    """Seconds until the next attempt, or None when there is none.

    Args:
        policy: the step's policy.
        max_attempts: the number of attempts in force, which may differ from the policy's.
        attempt: the number of the attempt that failed, from 1.
        error: what it raised; exception groups are looked into.
        draw: gives a number from 0 to 1, for the jitter.
    """
    if attempt >= max_attempts:
        return None
    errors = list(_leaves(error))
    if any(isinstance(leaf, (NonRetryable, *_MISTAKES, *policy.give_up_on)) for leaf in errors):
        return None
    if any(isinstance(leaf, StepError) and not _is_named(policy, leaf) for leaf in errors):
        return None
    if not all(isinstance(leaf, (RetryAfter, *policy.retry_on)) for leaf in errors):
        return None
    asked = [seconds(leaf.delay, "RetryAfter") for leaf in errors if isinstance(leaf, RetryAfter)]
    return max(asked) if asked else policy.delay(attempt, draw)


def _is_named(policy: RetryPolicy, error: StepError) -> bool:
    """A sub-step has used up attempts of its own, so its error is retried only where the policy asks for it."""
    return any(issubclass(cls, StepError) and isinstance(error, cls) for cls in policy.retry_on)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _leaves(part)
    else:
        yield error
