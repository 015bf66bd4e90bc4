"""FG902."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from flowgraph.lint.rule import CommentRule
from flowgraph.model.diagnostic import Diagnostic, Edit, Fix

if TYPE_CHECKING:
    from flowgraph.lint.suppressions import Comment, Verdict


class UnusedIgnore(CommentRule):
    """A comment accepts a finding that is not there.

    ## What it does

    Reports the codes of `# flowgraph: ignore[…]`, `# flowgraph: ignore-file[…]` and `# noqa: …` that accept nothing.
    A `# noqa` without codes is left alone, since other tools may need it, and so are codes of rules that are not
    selected.

    ## Why is this bad?

    What it excused was mended, or it stands in the wrong line. Left behind, it hides the next finding.

    ## Example

    ```python
    await step("charge-backup", charge)  # flowgraph: ignore[FG101] both are wanted
    ```

    ## Use instead

    ```python
    await step("charge-backup", charge)
    ```
    """

    code = "FG902"
    name = "unused-ignore"
    severity = "warning"
    VALID = (
        """
        @workflow
        async def flow() -> None:
            await step("", work)  # flowgraph: ignore[FG107] for the test of bad names
            await step("", work)  # noqa: FG107
            await step("", work)  # noqa
            await step("a", work)  # noqa
        """,
        """
        # flowgraph: ignore-file[FG107] names are made by a tool

        @workflow
        async def flow() -> None:
            await step(
                "",
                work,
            )
        """,
        """
        TEXT = "# flowgraph: ignore[FG107]"
        """,
    )
    INVALID = (
        """
        @workflow
        async def flow() -> None:
            await step("a", work)  # flowgraph: ignore[FG107] it may be empty; FG902
            await step("", work)  # flowgraph: ignore[FG107, FG501] only one of them; FG902
            await step("b", work)  # noqa: FG107 and not FG902
        """,
    )

    def judge(self, path: str, verdict: Verdict) -> Iterator[Diagnostic]:
        """The codes that accept nothing, in one finding."""
        comment, unused = verdict.comment, verdict.unused
        if not unused:
            return
        where = {"ignore-file": "this file", "noqa": "this line"}.get(comment.kind, "this statement")
        message = f"{_listed(unused)} {'is' if len(unused) == 1 else 'are'} not found in {where}"
        fix = Fix("Remove what is not needed", (_removal(comment, unused),))
        yield self.of_comment(path, comment, message, help=_help(comment), fix=fix)


def _help(comment: Comment) -> str:
    if comment.alone and comment.kind == "ignore":
        return "Remove it, or put it behind the code in the line of the finding."
    return "Remove it."


def _listed(codes: tuple[str, ...]) -> str:
    return codes[0] if len(codes) == 1 else f"{', '.join(codes[:-1])} and {codes[-1]}"


def _removal(comment: Comment, unused: tuple[str, ...]) -> Edit:
    kept = [*comment.foreign, *(code for code in comment.codes if code not in unused)]
    line, start, end = comment.line, comment.column, comment.end_column
    if not kept:
        return Edit(line, comment.begins, line, end, "") if not comment.alone else Edit(line, 1, line + 1, 1, "")
    codes = ", ".join(kept)
    reason = f" {comment.reason}" if comment.reason else ""
    if comment.kind == "noqa":
        return Edit(line, start, line, end, f"# noqa: {codes}{reason}")
    return Edit(line, start, line, end, f"# flowgraph: {comment.kind}[{codes}]{reason}")
