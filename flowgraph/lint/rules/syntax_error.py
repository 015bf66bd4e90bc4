"""FG901."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flowgraph.lint.rule import Rule
from flowgraph.model.diagnostic import Diagnostic

if TYPE_CHECKING:
    from flowgraph.lint.module import Module


class SyntaxErrorInFile(Rule):
    """A file is not Python, or cannot be read.

    ## What it does

    Reports a file of workflows that Python could not load: a syntax error, null bytes, text that is not in the encoding
    that the file declares, a link that leads nowhere, a file without the right to read it.

    ## Why is this bad?

    Nothing else in the file can be checked. The other files are.

    ## Example

    ```text
    await step("charge", charge
    ```

    ## Use instead

    ```text
    await step("charge", charge)
    ```
    """

    code = "FG901"
    name = "syntax-error"
    severity = "error"
    VALID = (
        """
        @workflow
        async def flow() -> None:
            await step("charge", work)
        """,
    )
    INVALID = (
        """
        @workflow
        async def flow() -> None:
            await step("charge", work  # FG901
        """,
        """
        @workflow
        async def flow() -> None:
            await step("charge" work)  # FG901
        """,
    )

    def check(self, module: Module) -> Iterable[Diagnostic]:
        """Nothing: a file that was read far enough to be checked has none."""
        del module
        return ()

    def of_file(self, path: str, message: str, line: int = 1, column: int = 1) -> Diagnostic:
        """The finding, for a file that cannot be read."""
        return Diagnostic(self.code, self.name, self.severity, message, path, line, column, help=_HELP)


_HELP = "Mend the file; nothing else in it was checked."
