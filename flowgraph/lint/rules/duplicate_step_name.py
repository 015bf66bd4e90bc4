"""FG101."""

from __future__ import annotations

from flowgraph.lint.compiled import CompilerRule


class DuplicateStepName(CompilerRule):
    """Two steps can have the same path in one run.

    ## What it does

    Follows every way through the workflow, its helpers included, and finds steps with equal names of which a run
    can come past one after the other, or past both at the same time. The same name in the arms of an `if`, below
    two parents or after an early `return` is fine, since no run has both.

    ## Why is this bad?

    A step is known by its name. The second call gets the saved result of the first one, and its own handler never
    runs.

    ## Example

    ```python
    try:
        receipt = await step("charge-card", charge)
    except StepFailed:
        receipt = await step("charge-card", charge_backup)
    ```

    ## Use instead

    ```python
    try:
        receipt = await step("charge-card", charge)
    except StepFailed:
        receipt = await step("charge-card-backup", charge_backup)
    ```
    """

    code = "FG101"
    name = "duplicate-step-name"
    severity = "error"
    VALID = (
        """
        @workflow
        async def flow(c: bool) -> None:
            if c:
                await step("a", work)
                return
            await step("a", work)
        """,
        """
        @workflow
        async def flow(n: int) -> None:
            match n:
                case 1:
                    await step("a", work)
                case _:
                    await step("a", work)
            x = (await step("b", work)) if n else (await step("b", work, 1))
            try:
                await step("c", work, x)
            except StepFailed:
                await step("d", work)
            except ValueError:
                await step("d", work)
        """,
        """
        async def charge(card: str) -> None:
            await step(f"charge-{card}", work)

        async def parent() -> None:
            await step("child", work)

        @workflow
        async def flow() -> None:
            await charge("visa")
            await charge("amex")
            await step("one", parent)
            await step("other", parent)
        """,
    )
    INVALID = (
        """
        @workflow
        async def flow(c: bool) -> None:
            if c:
                await step("a", work)
            await step("a", work)  # FG101
        """,
        """
        @workflow
        async def flow() -> None:
            try:
                await step("a", work)
            except StepFailed:
                await step("a", work)  # FG101
            else:
                await step("b", work)
            finally:
                await step("b", work)  # FG101
        """,
        """
        @workflow
        async def flow() -> None:
            await asyncio.gather(
                step("a", work),
                step("a", work),  # FG101
            )
            async with asyncio.TaskGroup() as group:
                group.create_task(step("b", work))
                await step("b", work)  # FG101
        """,
        """
        async def charge() -> None:
            await step("charge", work)

        @workflow
        async def flow() -> None:
            await charge()
            await charge()  # FG101
        """,
        """
        import flowgraph as fg

        s = fg.step

        @s("decorated")
        async def decorated() -> None: ...

        @fg.workflow
        async def flow(items: list[int]) -> None:
            await decorated()
            await s.sleep("decorated", 1)  # FG101
            for item in items:
                await s(f"one-{item}", work)
            for item in items:
                await s(f"one-{item}", work)  # FG101
        """,
    )
