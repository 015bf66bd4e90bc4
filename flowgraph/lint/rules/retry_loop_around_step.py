"""FG305."""

from __future__ import annotations

from flowgraph.lint.compiled import CompilerRule


class RetryLoopAroundStep(CompilerRule):
    """A loop calls a step again after it has failed.

    ## What it does

    Finds steps in loops whose name does not change, and that a run comes past again only through a handler of an
    exception that the step has raised.

    ## Why is this bad?

    The failure of a step is saved when its attempts have run out, and raised again whenever the step is called. The
    loop never runs the handler again: it fails the same way in every pass.

    ## Example

    ```python
    for _ in range(3):
        try:
            receipt = await step("charge", charge)
            break
        except StepFailed:
            pass
    ```

    ## Use instead

    ```python
    receipt = await step("charge", charge, max_attempts=3)
    ```
    """

    code = "FG305"
    name = "retry-loop-around-step"
    severity = "error"
    VALID = (
        """
        @workflow
        async def flow() -> None:
            for number in range(3):
                try:
                    await step(f"try-{number}", work)
                    break
                except StepFailed:
                    pass
            await step("charge", work, max_attempts=3)
        """,
    )
    INVALID = (
        """
        @workflow
        async def flow() -> None:
            while True:
                try:
                    return await step("charge", work)  # FG305
                except StepFailed:
                    continue
        """,
        """
        @workflow
        async def flow(user: str) -> None:
            for _ in range(3):
                try:
                    await step(f"charge-{user}", work)  # FG305
                    break
                except Exception:
                    print("again")
        """,
    )
