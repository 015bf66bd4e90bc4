"""Helpers that call each other: a loop each, drawn in a bounded number of orders."""

from flowgraph import Graph, compile_source


def calling_each_other(functions: int, calls: int) -> Graph:
    """Helpers of which each has a step, and calls the next ones."""
    lines = ["from flowgraph import step, workflow"]
    for number in range(functions):
        lines += [f"async def helper_{number}(x):", f"    await step(f's{number}-{{x}}', f)", "    if x:"]
        lines += [f"        await helper_{(number + 1 + call) % functions}(x)" for call in range(calls)]
    [graph] = compile_source("\n".join([*lines, "@workflow", "async def flow(x):", "    await helper_0(x)"]))
    return graph


def test_two_that_call_each_other_are_drawn_whole() -> None:
    graph = calling_each_other(2, 1)
    assert graph.is_complete
    assert {node.kind for node in graph.nodes} >= {"loop", "branch", "step"}


def test_many_that_call_each_other_end_in_what_is_unknown() -> None:
    graph = calling_each_other(12, 4)
    assert len(graph.nodes) < 3_000
    unknown = {node.name for node in graph.nodes if node.kind == "unknown"}
    assert unknown
    assert all(name.endswith("() is reached in too many ways") for name in unknown)
