"""FG904."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from flowgraph.lint.rule import CommentRule
from flowgraph.model.diagnostic import Diagnostic

if TYPE_CHECKING:
    from flowgraph.lint.suppressions import Verdict


class IgnoreWithoutReason(CommentRule):
    """A comment accepts a finding without saying why.

    ## What it does

    Reports `# flowgraph: ignore[…]` and `# flowgraph: ignore-file[…]` with nothing behind. It is off unless it is
    selected. `# noqa` has no place for a reason, and is left alone.

    ## Why is this bad?

    The next reader cannot tell whether the finding may be accepted still.

    ## Example

    ```python
    await step(name, charge)  # flowgraph: ignore[FG104]
    ```

    ## Use instead

    ```python
    await step(name, charge)  # flowgraph: ignore[FG104] the caller makes it unique
    ```
    """

    code = "FG904"
    name = "ignore-without-reason"
    severity = "info"
    on = False
    VALID = (
        """
        @workflow
        async def flow() -> None:
            await step("", work)  # flowgraph: ignore[FG107] for the test of bad names
            await step("", work)  # noqa: FG107
        """,
    )
    INVALID = (
        """
        @workflow
        async def flow() -> None:
            await step("", work)  # flowgraph: ignore[FG107] # this is FG904
            await step("", work)  # flowgraph: ignore[FG107]: # FG904
        """,
    )

    def judge(self, path: str, verdict: Verdict) -> Iterator[Diagnostic]:
        """A comment that says nothing more."""
        comment = verdict.comment
        if comment.kind != "noqa" and not comment.reason:
            yield self.of_comment(
                path, comment, "it is not said why this is accepted", help="Put the reason behind it."
            )
