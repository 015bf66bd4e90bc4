"""FG903."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from flowgraph.lint.rule import CommentRule
from flowgraph.model.diagnostic import Diagnostic

if TYPE_CHECKING:
    from flowgraph.lint.suppressions import Verdict


class UnknownCode(CommentRule):
    """A comment accepts findings of a rule that does not exist, or of none at all.

    ## What it does

    Reports codes in `# flowgraph: ignore[…]`, `# flowgraph: ignore-file[…]` and `# noqa: FG…` that are no rule's, and a
    `# flowgraph: ignore` without codes. A rule may be called by its code or by its name.

    ## Why is this bad?

    The comment does nothing: most likely there is a slip in the code.

    ## Example

    ```python
    await step(name, charge)  # flowgraph: ignore[FG110] checked by the caller
    ```

    ## Use instead

    ```python
    await step(name, charge)  # flowgraph: ignore[FG104] checked by the caller
    ```
    """

    code = "FG903"
    name = "unknown-code"
    severity = "warning"
    VALID = (
        """
        @workflow
        async def flow() -> None:
            await step("", work)  # flowgraph: ignore[FG107] for the test of bad names
            await step("", work)  # flowgraph: ignore[invalid-name] for the test of bad names
            await step("a", work)  # noqa: E501
        """,
    )
    INVALID = (
        """
        @workflow
        async def flow() -> None:
            await step("", work)  # flowgraph: ignore[FG107, FG999] FG903
            await step("a", work)  # flowgraph: ignore[E501] FG903
            await step("b", work)  # flowgraph: ignore, this is FG903
            await step("c", work)  # noqa: FG999 is FG903
        """,
    )

    def judge(self, path: str, verdict: Verdict) -> Iterator[Diagnostic]:
        """The codes that are none."""
        comment = verdict.comment
        for code in verdict.unknown:
            help_ = "`flowgraph rule` lists the codes and names of all rules."
            yield self.of_comment(path, comment, f"there is no rule {code!r}", help=help_)
        if not comment.codes and not comment.accepts_all:
            message = f"`flowgraph: {comment.kind}` says no code, and accepts nothing"
            yield self.of_comment(path, comment, message, help=f"Write # flowgraph: {comment.kind}[FG101] and why.")
