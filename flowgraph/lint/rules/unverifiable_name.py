"""FG104."""

from __future__ import annotations

from flowgraph.lint.compiled import CompilerRule


class UnverifiableName(CompilerRule):
    """It cannot be verified that a step's name is used once.

    ## What it does

    Finds names that may be equal in one run, depending on values that only the run knows: a name in a loop that
    rests on what a call returns, on a remainder or on a condition; names with different expressions in the same
    place; a name that is only known in the run beside another one that it can be.

    ## Why is this bad?

    If the names are equal after all, the second call returns the saved result of the first one, and its handler
    does not run. At run time that is a warning, and an error with `strict=True`.

    ## Example

    ```python
    cursor = None
    while True:
        page = await step(f"page-{cursor}", fetch, cursor)
        cursor = page.next
    ```

    ## Use instead

    ```python
    for number in itertools.count():
        page = await step(f"page-{number}", fetch, cursor)
        cursor = page.next
    ```
    """

    code = "FG104"
    name = "unverifiable-name"
    severity = "warning"
    VALID = (
        """
        @workflow
        async def flow(items: list[str]) -> None:
            for number, item in enumerate(items):
                await step(f"page-{number}", work, item)
            await step("page-count", work)
            for item in items:
                await step(f"item-{item}-a", work)
                await step(f"item-{item}-b", work)
        """,
    )
    INVALID = (
        """
        @workflow
        async def flow(a: str, b: str, items: list[int]) -> None:
            await step(f"one-{a}", work)
            await step(f"one-{b}", work)  # FG104
            for item in items:
                await step(f"two-{item % 10}", work)  # FG104
                for other in items:
                    await step(f"three-{item}{other}", work)  # FG104
        """,
        """
        @workflow
        async def flow() -> None:
            cursor = None
            while True:
                page = await step(f"page-{cursor}", work, cursor)  # FG104
                if not page:
                    break
                cursor = page.next
        """,
    )
