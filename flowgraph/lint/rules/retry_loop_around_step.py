"""FG305."""

from __future__ import annotations

from flowgraph.lint.compiled import CompilerRule


class RetryLoopAroundStep(CompilerRule):
    """A loop calls a step again after it has failed.

    ## What it does

    Finds steps in loops whose name does not change, and that a run comes past again only through a handler of an
    exception that the step has raised. Whether the loop ends may be told by `break`, by `return`, or by a flag such as
    `done = True` behind the step.

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
        """
        # A flag says whether it has failed.
        async def pay(user: str) -> None:
            paid = False
            while not paid:
                try:
                    await step(f"pay-{user}", work)  # FG305
                    paid = True
                except StepFailed:
                    await asyncio.sleep(1)

        @workflow
        async def flow() -> object:
            receipt = None
            while receipt is None:
                try:
                    receipt = await step("charge", work)  # FG305
                except StepFailed:
                    pass
            tries, done = 0, False
            while tries < 3 and not done:
                tries += 1
                try:
                    await step("send", work)  # FG305
                except StepFailed:
                    print("again")
                else:
                    done = True
            again = True
            while again:
                again = False
                try:
                    await step("ship", work)  # FG305
                except StepFailed:
                    again = True
            for _ in range(3):
                sent = False
                try:
                    await step("mail", work)  # FG305
                    sent = True
                except StepFailed:
                    pass
                if sent:
                    break
            state = "new"
            while state != "paid":
                try:
                    await step("bill", work)  # FG305
                    state = "paid"
                except StepFailed:
                    pass
            while True:
                failed = False
                try:
                    await step("book", work)  # FG305
                except StepFailed:
                    failed = True
                if not failed:
                    break
            await pay("me")
            return receipt
        """,
    )
