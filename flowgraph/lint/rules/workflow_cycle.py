"""FG602."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flowgraph.lint.analysis.workflows import Definition, Start, definitions, starts
from flowgraph.lint.rule import ProjectRule
from flowgraph.model.diagnostic import Diagnostic, Related

if TYPE_CHECKING:
    from flowgraph.lint.module import Module

Edge = tuple[int, Start]


class WorkflowCycle(ProjectRule):
    """A workflow starts itself, through its children.

    ## What it does

    Follows `step.execute_workflow` and `step.start_workflow` from workflow to workflow, through helpers, handlers and
    files, and reports a way that leads back to where it began.

    ## Why is this bad?

    Each run starts another one. Unless something ends it, the store fills with runs; with `execute_workflow` all of
    them wait for the next, and none ever completes.

    ## Example

    ```python
    @workflow
    async def poll(url: str) -> None:
        await step("fetch", fetch, url)
        await step.execute_workflow("poll-again", poll, url)
    ```

    ## Use instead

    ```python
    @workflow
    async def poll(url: str, rounds: int) -> None:
        for number in range(rounds):
            await step(f"fetch-{number}", fetch, url)
            await step.sleep(f"pause-{number}", "1h")
    ```
    """

    code = "FG602"
    name = "workflow-cycle"
    severity = "warning"
    VALID = (
        """
        @workflow
        async def leaf() -> None:
            await step("a", work)

        @workflow
        async def middle() -> None:
            await step.execute_workflow("leaf", leaf)

        @workflow
        async def top(child: str) -> None:
            await step.execute_workflow("middle", middle)
            await step.start_workflow("leaf", "leaf")
            await step.execute_workflow("elsewhere", "unknown")
            await step.execute_workflow("given", child)

        def main() -> None:
            step.execute_workflow("top", top)
        """,
    )
    INVALID = (
        """
        import flowgraph as fg

        @fg.workflow
        async def poll(url: str) -> None:
            await fg.step("fetch", work, url)
            await fg.step.execute_workflow("again", poll, url)  # FG602
        """,
        """
        async def ask(name: str) -> None:
            await step.execute_workflow(f"ask-{name}", second)

        async def parent() -> None:
            await step.start_workflow("back", "the-first", detached=True)  # FG602

        @workflow(name="the-first")
        async def first() -> None:
            await ask("x")

        @workflow
        async def second() -> None:
            await step("parent", parent)
        """,
        """
        @workflow
        async def one() -> None:
            await step.execute_workflow("two", two)

        @workflow
        async def two() -> None:
            await step.execute_workflow("three", "three")
            await step.execute_workflow("two", two)  # FG602

        @workflow
        async def three() -> None:
            await step("one", lambda: step.start_workflow("one", one))  # FG602
        """,
    )

    def facts(self, module: Module) -> Any:
        """The workflows of a file, and what they start."""
        return [
            {"workflow": one, "starts": children}
            for one, children in zip(definitions(module), starts(module), strict=True)
        ]

    def conclude(self, facts: Mapping[str, Any]) -> Iterator[Diagnostic]:
        """The shortest way back to each workflow that no earlier one is on."""
        known = [found for path in sorted(facts) for found in facts[path]]
        workflows: list[Definition] = [found["workflow"] for found in known]
        edges = list(_edges(workflows, [found["starts"] for found in known]))
        found = [self._cycle(workflows, way) for way in _cycles(edges)]
        yield from sorted(found, key=lambda one: (one.path, one.line, one.column))

    def _cycle(self, workflows: list[Definition], way: list[Edge]) -> Diagnostic:
        *before, (start, last) = way
        names = [workflows[number]["name"] or workflows[number]["function"] for number, _ in way]
        shown = " → ".join([*names, names[0]])
        return Diagnostic(
            self.code, self.name, self.severity, f"workflow {names[0]!r} starts itself: {shown}", **last["place"],
            workflow=workflows[start]["name"], step=last["step"],
            help="Repeat the work in a loop with named steps, or see to it that a condition ends the chain of runs.",
            related=tuple(
                _related(edge, f"{name!r} starts {child!r}")
                for (_, edge), name, child in zip(before, names, names[1:], strict=False)
            ),
        )  # fmt: skip


def _related(start: Start, message: str) -> Related:
    place = start["place"]
    return Related(place["path"], place["line"], place["column"], message)


def _edges(workflows: list[Definition], starting: list[list[Start]]) -> Iterator[list[Edge]]:
    """From each workflow to those that it starts; a child that may be one of several is left out."""
    by_name: dict[object, list[int]] = {}
    by_function: dict[object, list[int]] = {}
    for number, workflow in enumerate(workflows):
        by_name.setdefault(workflow["name"], []).append(number)
        by_function.setdefault((workflow["file"], workflow["function"]), []).append(number)
    for starts_here in starting:
        edges: list[Edge] = []
        for start in starts_here:
            named = start["name"] is not None
            children = by_name.get(start["name"]) if named else by_function.get((start["file"], start["function"]))
            if children is not None and len(children) == 1:
                edges.append((children[0], start))
        yield edges


def _cycles(edges: list[list[Edge]]) -> Iterator[list[Edge]]:
    """For each workflow the shortest way back to it past later ones: its calls, with the workflows they are in."""
    for first in range(len(edges)):
        came: dict[int, tuple[int, Start]] = {}
        waiting = [first]
        while waiting and first not in came:
            number = waiting.pop(0)
            for child, start in edges[number]:
                if child >= first and child not in came:
                    came[child] = (number, start)
                    waiting.append(child)
        if first in came:
            yield _way(came, first)


def _way(came: dict[int, tuple[int, Start]], first: int) -> list[Edge]:
    way = [came[first]]
    while way[-1][0] != first:
        way.append(came[way[-1][0]])
    return way[::-1]
