"""FG102."""

from __future__ import annotations

from flowgraph.lint.compiled import CompilerRule


class ConstantNameInLoop(CompilerRule):
    """A step in a loop has the same name in every pass.

    ## What it does

    Finds steps whose name is a constant, and that a run can come past again: in a loop, in a comprehension, or in a
    function that calls itself. A step that is followed by `break` or `return` in the same pass is fine.

    ## Why is this bad?

    From the second pass on the call returns the saved result of the first one, and the handler does not run: every
    item gets the first item's result.

    ## Example

    ```python
    for order in orders:
        await step("charge", charge, order)
    ```

    ## Use instead

    ```python
    for order in orders:
        await step(f"charge-{order.id}", charge, order)
    ```

    or, for many items side by side, `step.map("charge", charge, orders)`.
    """

    code = "FG102"
    name = "constant-name-in-loop"
    severity = "error"
    VALID = (
        """
        @workflow
        async def flow(items: list[int]) -> None:
            for item in items:
                await step(f"one-{item}", work)
            for item in items:
                await step("first", work, item)
                break
            await step.map("all", work, items)
        """,
    )
    INVALID = (
        """
        @workflow
        async def flow(items: list[int]) -> None:
            for item in items:
                await step("one", work, item)  # FG102
            while True:
                if await step("poll", work):  # FG102
                    break
                await step.sleep("wait", "1m")  # FG102
        """,
        """
        async def one(item: int) -> None:
            await step("one", work, item)  # FG102

        @workflow
        async def flow(items: list[int]) -> None:
            for item in items:
                await one(item)
        """,
        """
        NAME = "n" + "ame"

        async def down(n: int) -> None:
            await step("down", work)  # FG102
            if n:
                await down(n - 1)

        @workflow
        async def flow(items: list[int]) -> None:
            await asyncio.gather(*[step(NAME, work, item) for item in items])  # FG102
            await down(3)
        """,
        """
        # The next pass comes after a success too.
        @workflow
        async def flow(items: list[int]) -> None:
            for item in items:
                try:
                    await step("each", work, item)  # FG102
                except StepFailed:
                    pass
            status = None
            while status != "done":
                try:
                    status = await step("poll", work)  # FG102
                except StepFailed:
                    pass
            more = True
            while more:
                try:
                    await step("page", work)  # FG102
                finally:
                    more = False
            state = "new"
            while state != "paid":
                try:
                    await step("bill", work)  # FG102
                    state = "tried"
                except StepFailed:
                    pass
            while True:
                failed = False
                try:
                    await step("until-it-fails", work)  # FG102
                except StepFailed:
                    failed = True
                if failed:
                    break
            while True:
                sent = False
                try:
                    await step("as-long-as-it-works", work)  # FG102
                    sent = True
                except StepFailed:
                    pass
                if not sent:
                    break
        """,
    )
