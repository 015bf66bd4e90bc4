"""Where a handler runs, and what may be said there: one table for the runtime, which refuses the rest, and the lint.

A handler that is ``async def`` runs on the workflow's loop, where every word of the language may be used. The other
places have only those that need no loop: they tell where the handler is, or stop the run.
"""

from __future__ import annotations

from typing import Final

import msgspec

LOOP: Final = "loop"
THREAD: Final = "thread"
EXECUTOR: Final = "executor"
TRANSACTION: Final = "transaction"

EVERYWHERE = frozenset({"info", "fail", "abort"})
"""The words that may be used wherever a handler runs."""


class Refusal(msgspec.Struct, frozen=True):
    """Why other words are refused at a place.

    Attributes:
        where: the place, as it stands in a sentence.
        advice: what to do.
    """

    where: str
    advice: str


REFUSALS = {
    THREAD: Refusal("in another thread than the workflow's", "Make the handler that calls it `async def`."),
    EXECUTOR: Refusal("by a handler in an executor", "Call it from the workflow, or from a handler without executor=."),
    TRANSACTION: Refusal("by a handler in a transaction", "Call it before or after step.transaction."),
}
"""By place, why every other word is refused; on the loop none is."""
