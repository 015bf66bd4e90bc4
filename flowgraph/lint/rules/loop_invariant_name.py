"""FG103."""

from __future__ import annotations

from flowgraph.lint.compiled import CompilerRule


class LoopInvariantName(CompilerRule):
    """A step in a loop has a name with holes, but in another pass it can be the same.

    ## What it does

    Finds steps in loops whose names have expressions in them that stay the same in some pass: none of the variables
    gets another value, or a counter is skipped or set back on some way through the loop. Each loop between the step
    and its workflow (or parent step) has to be told apart by at least one of them.

    ## Why is this bad?

    When the name is the same, the call returns the saved result of the earlier pass, and the handler does not run.

    ## Example

    ```python
    for order in orders:
        for line in LINES:
            await step(f"pack-{line}", pack, order, line)
    ```

    ## Use instead

    ```python
    for order in orders:
        for line in LINES:
            await step(f"pack-{order.id}-{line}", pack, order, line)
    ```
    """

    code = "FG103"
    name = "loop-invariant-name"
    severity = "error"
    VALID = (
        """
        @workflow
        async def flow(items: list[int], names: list[str]) -> None:
            for item in items:
                for name in names:
                    await step(f"one-{item}-{name}", work)
            number = 0
            for item in items:
                if item < 0:
                    continue
                number += 1
                key = f"two-{number}"
                await step(key, work, item)
        """,
    )
    INVALID = (
        """
        @workflow
        async def flow(user: str, items: list[int], names: list[str]) -> None:
            for item in items:
                await step(f"one-{user}", work, item)  # FG103
                for name in names:
                    await step(f"two-{name}", work, item)  # FG103
        """,
        """
        @workflow
        async def flow(items: list[int]) -> None:
            number = 0
            for item in items:
                await step(f"one-{number}", work, item)  # FG103
                if item < 0:
                    continue
                number += 1
            number = 0
            while True:
                await step(f"two-{number}", work)  # FG103
                number += 1
                if number == 3:
                    number = 0
                if items:
                    break
        """,
    )
