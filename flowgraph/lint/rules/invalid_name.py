"""FG107."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from flowgraph.errors import InvalidName as InvalidNameError
from flowgraph.lint.rule import Rule
from flowgraph.model import checked_name

if TYPE_CHECKING:
    from flowgraph.lint.module import Module
    from flowgraph.model.diagnostic import Diagnostic


class InvalidName(Rule):
    """A step's name breaks a rule for names.

    ## What it does

    Looks at the names of steps: they have 1 to 512 characters, are not only white space, and have no control characters
    and no lone surrogates.

    ## Why is this bad?

    The call raises `InvalidName` when the run reaches it, which may be hours after its start.

    ## Example

    ```python
    await step("", charge)
    ```

    ## Use instead

    ```python
    await step("charge-card", charge)
    ```
    """

    code = "FG107"
    name = "invalid-name"
    severity = "error"
    VALID = (
        """
        @workflow
        async def flow(n: int) -> None:
            await step("charge card: 1/2 [%]", work)
            await step(f"{n}", work)
        """,
    )
    INVALID = (
        """
        @workflow
        async def flow() -> None:
            await step("", work)  # FG107
            await step("  ", work)  # FG107
            await step.sleep("a\\nb", 1)  # FG107
            await step("x" * 0 or "a\\ud800", work)
            await step("a\\ud800", work)  # FG107
        """,
        """
        EMPTY = ""

        @workflow
        async def flow(n: int) -> None:
            await step(EMPTY, work)  # FG107
            await step(f"tab\\t{n}", work)  # FG107
        """,
    )

    def check(self, module: Module) -> Iterator[Diagnostic]:
        """Every name that is written in the file, as far as it is known."""
        for call in module.calls:
            template = call.template
            if template is None or call.place is not call.name_node:
                continue  # It has none, or it is written elsewhere and found there.
            known = "".join(part if isinstance(part, str) else "x" for part in template.parts)
            try:
                checked_name(known)
            except InvalidNameError as error:
                help_ = "Give it a name of 1 to 512 printable characters."
                yield self.of_call(module, call, str(error), help=help_)
