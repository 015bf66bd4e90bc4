"""FG604."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowgraph.lint.rule import ProjectRule
from flowgraph.model.diagnostic import Diagnostic
from flowgraph.model.graph import Graph, Node, Span

if TYPE_CHECKING:
    from flowgraph.lint.against import Against, Breakage
    from flowgraph.lint.module import Module

_MOST_RUNS = 3
"""So many runs are told by their ids."""


class BreaksOpenRuns(ProjectRule):
    """A change would harm runs that are not finished.

    ## What it does

    With `--against`, compares the workflows with what they were: the graphs in a file (of `flowgraph build`, or the
    JSON of `workflow.graph`), or what the open runs of a store have done. It finds steps that have another name,
    another parent or another kind than before, and items of a map that have other keys. Against a store it reports
    only what harms a run by the steps that it has done. What is new, gone, or in another order is no finding:
    `flowgraph diff` tells it.

    ## Why is this bad?

    A run finds its saved results by the paths of its steps. Under another path a step that was done runs again: a
    card is charged twice. Another kind under the same path pauses the run.

    ## Example

    ```python
    # "charge" until yesterday, and runs that have charged are waiting for their delivery
    await step("charge-card", charge)
    ```

    ## Use instead

    ```python
    await step("charge", charge)
    ```

    or let the open runs finish with the old code first, or give the new workflow another name.
    """

    code = "FG604"
    name = "breaks-open-runs"
    severity = "warning"
    OLD = """
        @workflow
        async def flow(items: list[int]) -> None:
            await step("charge", charge)
            await step.sleep("nap", "1h")
            for item in items:
                await step(f"ship-{item}", ship)
        """
    VALID = (
        """
        @workflow
        async def flow(items: list[int]) -> None:
            await step("first", look)
            await step.sleep("nap", "2h")
            await step("charge", charge, max_attempts=3)
            for item in items:
                await step(f"ship-{item}", ship)
        """,
        """
        @workflow
        async def other() -> None:
            await step("charge-card", charge)

        @workflow
        async def flow(items: list[int]) -> None:
            await step("charge", charge)
        """,
    )
    INVALID = (
        """
        @workflow
        async def flow(items: list[int]) -> None:
            await step("charge-card", charge)  # FG604
            await step.listen("nap")  # FG604
            for item in items:
                await step(f"send-{item}", ship)  # FG604
        """,
    )

    def facts(self, module: Module) -> Any:
        """The graphs of the file's workflows, if they are to be compared."""
        return [flow.graph.to_json() for flow in module.flows] if module.settings.against else None

    def conclude(self, facts: Mapping[str, Any]) -> Iterator[Diagnostic]:
        """Nothing that the files alone show."""
        del facts
        return iter(())

    def compare(self, facts: Mapping[str, Any], against: Against) -> Iterator[Diagnostic]:
        """What the workflows of the files would break."""
        graphs = [Graph.from_json(values) for listed in facts.values() for values in listed]
        for breakage in against(graphs):
            yield self._finding(breakage, graphs)

    def _finding(self, breakage: Breakage, graphs: Sequence[Graph]) -> Diagnostic:
        graph = next((graph for graph in graphs if graph.workflow == breakage.workflow), None)
        change = breakage.change
        node = None if graph is None else _node(graph, change.path_new)
        path = breakage.path if graph is None else (node.file if node is not None and node.file else graph.path)
        line = 1 if graph is None else graph.line
        place = Span(line, 1, line, 1) if node is None or node.span is None else node.span
        help_ = "Give it the path that it had, or let these runs finish first; `flowgraph diff` tells what changed."
        return Diagnostic(
            self.code, self.name, self.severity, _message(breakage), path, place.line, place.column, place.end_line,
            place.end_column, breakage.workflow, change.path_new or None, help_,
        )  # fmt: skip


def _node(graph: Graph, path: str | None) -> Node | None:
    return next((node for node in graph.steps if node.path == path), None)


def _message(breakage: Breakage) -> str:
    change = breakage.change
    if change.path_new is None or not change.path_old:
        what = f"workflow {breakage.workflow!r} is {change.kind}"
    elif change.path_old == change.path_new:
        what = f'step "{change.path_old}" of {breakage.workflow} is another one ({change.kind})'
    else:
        what = f'step "{change.path_old}" of {breakage.workflow} is {change.kind} to "{change.path_new}"'
    return f"{what}: {change.note}{_told(breakage.runs)}"


def _told(runs: tuple[str, ...]) -> str:
    if not runs:
        return ""
    listed = ", ".join(runs[:_MOST_RUNS]) + (f" and {len(runs) - _MOST_RUNS} more" if len(runs) > _MOST_RUNS else "")
    return f" (open: {listed})"
