"""FG903."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from flowgraph.lint.rule import CommentRule
from flowgraph.model.diagnostic import Diagnostic

if TYPE_CHECKING:
    from flowgraph.lint.suppressions import Comment, Verdict

_LONGEST = 60


class UnknownCode(CommentRule):
    """A comment accepts findings of a rule that does not exist, or of none at all.

    ## What it does

    Reports codes in `# flowgraph: ignore[…]`, `# flowgraph: ignore-file[…]` and `# noqa: FG…` that are no rule's, a
    `# flowgraph: ignore` without codes, and comments that are meant to be one of these and are not, such as
    `# flowgraph: igonre[FG104]`, `# flowgraph: disable=FG104` and `# type: ignore[FG104]`. A rule may be called by its
    code or by its name.

    ## Why is this bad?

    The comment does nothing: most likely there is a slip in the code, or in the comment.

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
            # flowgraph: the library; FG104 is one of its codes (FG101 another).
            # flowgraph ignores FG104 here, and flowgraph disables nothing
            # flowgraph: skip the first two, ignored by the others
            # flowgraph ignored the second one
            # flowgraph.skip("not now")
            # ignore what FG104 says: names are checked before; see FG104
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
            await step("d", work)  # flowgraph: igonre[FG107] FG903
            await step("e", work)  # flowgraph: disable=FG107 FG903
            await step("f", work)  # flowgraph: ignore-line[FG107] FG903
            await step("g", work)  # flowgraph: ignore(FG107) FG903
            await step("h", work)  # flowgraph-ignore[FG107] FG903
            await step("i", work)  # flowgraph: ignores FG107 FG903
            await step("j", work)  # flowgraph ignore FG107 FG903
            await step("k", work)  # flowgraph: noqa # FG903
            await step("l", work)  # flowgraph: FG107 # FG903
            await step("m", work)  # flowgraph[FG107] # FG903
            await step("n", work)  # fg: ignore[FG107] FG903
            await step("o", work)  # type: ignore[FG107] FG903
            await step("p", work)  # ruff: noqa: FG107 FG903
            await step("q", work)  # ignore[FG107] FG903
            await step("r", work)  # flowgraph: igonre[E501] FG903
        """,
    )

    def judge(self, path: str, verdict: Verdict) -> Iterator[Diagnostic]:
        """The codes that are none."""
        comment = verdict.comment
        for code in verdict.unknown:
            help_ = "`flowgraph rule` lists the codes and names of all rules."
            yield self.of_comment(path, comment, f"there is no rule {code!r}", help=help_)
        if not comment.codes and not comment.accepts_all:
            yield self.of_comment(path, comment, _nothing(comment), help=_help(comment))


def _nothing(comment: Comment) -> str:
    """What is wrong with a comment that accepts nothing."""
    if comment.kind != "misspelt":
        return f"`flowgraph: {comment.kind}` says no code in brackets, and accepts nothing"
    text = comment.reason if len(comment.reason) <= _LONGEST else f"{comment.reason[: _LONGEST - 1]}…"
    return f"`{text}` is not understood, and accepts nothing"


def _help(comment: Comment) -> str:
    written = comment.reason if comment.kind == "misspelt" else comment.kind
    kind = "ignore-file" if re.search(r"[-_]file\b", written, re.IGNORECASE) else "ignore"
    codes = re.findall(r"FG\d{3}\b", comment.reason.upper()) or ["FG101"]
    return f"Write # flowgraph: {kind}[{', '.join(dict.fromkeys(codes))}] and why."
