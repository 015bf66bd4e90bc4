"""FG601."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from flowgraph.lint.analysis.workflows import Definition, definitions
from flowgraph.lint.rule import ProjectRule
from flowgraph.model.diagnostic import Diagnostic, Related

if TYPE_CHECKING:
    from flowgraph.lint.module import Module

_TESTS = frozenset({"test", "tests"})


class DuplicateWorkflowName(ProjectRule):
    """Two workflows of the project have one name.

    ## What it does

    Compares the names of the workflows of all files: those of modules and classes, not those that are made inside
    functions. Files of tests (`test_*.py`, `*_test.py`, `conftest.py`, and what is in a folder `tests`) are left out,
    since their workflows never meet. So are two in one file of which only one is defined, by `if` or `try`.

    ## Why is this bad?

    A run is stored with the name of its workflow. Where two have the same one, a Runtime that knows both refuses to
    start either, and two workers with one of them each take each other's runs, with the other code. In one module the
    second one of the same function name replaces the first.

    ## Example

    ```python
    @workflow
    async def pipeline(source: str) -> int: ...

    @workflow(name="pipeline")
    async def nightly_pipeline() -> None: ...
    ```

    ## Use instead

    ```python
    @workflow
    async def pipeline(source: str) -> int: ...

    @workflow(name="nightly-pipeline")
    async def nightly_pipeline() -> None: ...
    ```
    """

    code = "FG601"
    name = "duplicate-workflow-name"
    severity = "error"
    VALID = (
        """
        import os

        @workflow
        async def one() -> None: ...

        @workflow(name="another-one")
        async def another() -> None: ...

        @workflow(name=os.environ["NAME"])
        async def third() -> None: ...

        @workflow(**{"name": "one"})
        async def fourth() -> None: ...

        def workflow_like(function: object) -> object: ...

        @workflow_like
        async def five() -> None: ...
        """,
        """
        import sys

        if sys.platform == "win32":
            @workflow
            async def flow() -> None: ...
        else:
            @workflow
            async def flow() -> None: ...

        def first() -> None:
            @workflow
            async def local() -> None: ...

        def second() -> None:
            @workflow
            async def local() -> None: ...
        """,
    )
    INVALID = (
        """
        import flowgraph as fg
        from flowgraph import workflow as flow

        NAME = "bill"

        @workflow
        async def bill() -> None: ...

        @fg.workflow(name="bill")
        async def bill_all() -> None: ...  # FG601

        @flow(name=NAME, timeout="5m")
        async def bill_again() -> None: ...  # FG601

        @workflow
        async def pay() -> None: ...

        @workflow
        async def pay() -> None: ...  # FG601

        class Flows:
            @workflow(name="pay")
            async def all(self) -> None: ...  # FG601
        """,
    )

    def facts(self, module: Module) -> Any:
        """The workflows of a file that others can have the name of."""
        if _is_test(module.path):
            return []
        return [found for found in definitions(module) if found["name"] and not found["local"]]

    def conclude(self, facts: Mapping[str, Any]) -> Iterator[Diagnostic]:
        """The second of each two, and further ones."""
        first: dict[str | None, Definition] = {}
        for path in sorted(facts):
            for found in sorted(facts[path], key=lambda one: one["place"]["line"]):
                other = first.setdefault(found["name"], found)
                if other is not found and not _excludes(other, found):
                    yield self._duplicate(other, found)

    def _duplicate(self, first: Definition, second: Definition) -> Diagnostic:
        where, name, place = first["place"], second["name"], second["place"]
        same = where["path"] == place["path"]
        there = f"line {where['line']}" if same else f"{where['path']}:{where['line']}"
        before = Related(where["path"], where["line"], where["column"], f"the first workflow {name!r}")
        return Diagnostic(
            self.code, self.name, self.severity, f"workflow {name!r} has the name of the one at {there}", **place,
            workflow=name, related=(before,),
            help=f'Give one of them another name, for example @workflow(name="{_another(first, second)}").',
        )  # fmt: skip


def _is_test(path: str) -> bool:
    file = PurePath(path)
    if file.name == "conftest.py" or file.name.startswith("test_") or file.stem.endswith("_test"):
        return True
    return not _TESTS.isdisjoint(file.parts[:-1])


def _excludes(first: Definition, second: Definition) -> bool:
    """Tell whether only one of two is ever defined, as far as that can be seen."""
    same_file = first["place"]["path"] == second["place"]["path"]
    return same_file and (first["guarded"] or second["guarded"])


def _another(first: Definition, second: Definition) -> str:
    if second["function"] != second["name"] and second["function"] != first["function"]:
        return second["function"].replace("_", "-")
    return f"{PurePath(second['place']['path']).stem.replace('_', '-')}-{second['name']}"
