"""What the type checkers know of workflows, and of the steps that run them."""

from dataclasses import dataclass
from typing import Any, assert_type

from flowgraph import RetryPolicy, Workflow, step, workflow


@workflow
async def order(number: int, note: str = "", *, express: bool = False) -> list[str]:
    return [f"{number} {note} {express}"]


@workflow(name="send-mail", timeout="30m", step_retry=RetryPolicy(3), strict=True)
async def mail(to: str) -> None: ...


@workflow()
async def nothing() -> int:
    return 1


@dataclass
class Report:
    text: str


async def workflows_have_attributes() -> None:
    assert_type(order.name, str)
    assert_type(order.timeout, float)
    assert_type(mail.step_retry, RetryPolicy | None)
    assert_type(mail.strict, bool | None)
    assert_type(await order.fn(1, "x", express=True), list[str])


def workflows_are_values(child: Workflow[[str], None], any_child: Workflow[..., Any]) -> None:
    workflows_are_values(mail, order)


async def executing_returns_the_result() -> None:
    assert_type(await step.execute_workflow("order", order, 1), list[str])
    assert_type(await step.execute_workflow("order", order, 1, "x", express=True), list[str])
    assert_type(await step.execute_workflow("mail", mail, to="x"), None)
    assert_type(await step.execute_workflow("nothing", nothing), int)
    assert_type(await step.execute_workflow("elsewhere", "their-workflow", 1, two=2), Any)


async def starting_returns_the_run_id() -> None:
    assert_type(await step.start_workflow("order", order, 1, express=True), str)
    assert_type(await step.start_workflow("order", order, 1, detached=True), str)
    assert_type(await step.start_workflow("elsewhere", "their-workflow", 1, detached=True, two=2), str)


async def waiting_returns_what_it_is_told(run_id: str) -> None:
    assert_type(await step.wait_for_workflow("wait", run_id), Any)
    assert_type(await step.wait_for_workflow("wait", run_id, timeout="1h", returns=Report), Report)
