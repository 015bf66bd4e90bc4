"""Comments that accept findings, and what is said of those that do not."""

from __future__ import annotations

from textwrap import dedent

import pytest

from flowgraph.lint import Settings
from tests.lint.project import Project

ALL = Settings(select=("FG1", "FG9"))


def found(project: Project, body: str, head: str = "", settings: Settings = ALL) -> list[str]:
    """The findings in a workflow of that body, as codes with the numbers of its lines."""
    start = f"{head}from flowgraph import step, workflow\n\n@workflow\nasync def flow(a):\n"
    text = start + "".join(f"    {line}\n" for line in dedent(body).strip("\n").split("\n"))
    project.write(flow=text)
    lines = start.count("\n")
    return [f"{one.code} {one.line - lines}" for one in project.lint(settings=settings).findings]


@pytest.mark.parametrize(
    ("line", "codes"),
    [
        ('await step("", a)', ["FG107"]),
        ('await step("", a)  # flowgraph: ignore[FG107] why', []),
        ('await step("", a)  #flowgraph:ignore[FG107]: why', []),
        ('await step("", a)  # flowgraph: ignore[invalid-name] why', []),
        ('await step("", a)  # Flowgraph: Ignore[FG107] why', []),
        ('await step("", a)  # flowgraph: ignored[FG107] why', []),
        ('await step("", a)  # flowgraph ignore[FG107] why', []),
        ('await step("x", a)  # flowgraph ignored the second one', []),
        ('await step("x", a)  # flowgraph: the library', []),
        ('await step("", a)  # FlowGraph : Ignore_File [FG107] why', []),
        ('await step("", a)  # noqa : E501, FG107 why', []),
        ('await step("", a)  # flowgraph: igonre[FG107] why', ["FG107", "FG903"]),
        ('await step("", a)  # flow-graph: ignore[FG107] why', ["FG107", "FG903"]),
        ('await step("", a)  # flowgraph: ignore[FG107 why', ["FG107", "FG903"]),
        ('await step("", a)  # flowgraph: ignored FG107', ["FG107", "FG903"]),
        ('await step("", a)  # flowgraph: ignore[FG104, FG107] why', ["FG902"]),
        ('await step("", a)  # noqa', []),
        ('await step("", a)  # NOQA: FG107', []),
        ('await step("", a)  # noqa: E501, FG107', []),
        ('await step("", a)  # noqa:E501 # flowgraph: ignore[FG107] why', []),
        ('await step("", a)  # flowgraph: ignore[FG107] why # noqa: E501', []),
        ('await step("", a)  # noqa: E501', ["FG107"]),
        ('await step("", a)  # flowgraph: ignore[FG101] why', ["FG107", "FG902"]),
        ('await step("", a)  # flowgraph: ignore[FG107]', ["FG904"]),
        ('await step("", a)  # flowgraph: ignore why', ["FG107", "FG903"]),
        ('await step("", a)  # flowgraph: ignore[FG1] why', ["FG107", "FG903"]),
        ('await step("", "# flowgraph: ignore[FG107] why")', ["FG107"]),
        ('await step("x", a)  # noqa', []),
        ('await step("x", a)  # noqa: FG107', ["FG902"]),
        ('await step("x", a)  # noqa: FG999', ["FG903"]),
        ('await step("x", a)  # flowgraph: ignore[E501] why', ["FG903"]),
        ('await step("x", a)  # flowgraph: ignore[FG203] why', []),
    ],
)
def test_a_comment_in_the_line_of_the_finding(project: Project, line: str, codes: list[str]) -> None:
    assert found(project, line) == [f"{code} 1" for code in codes]


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        ('await step(  # noqa: FG107\n    "",\n    a,\n)', []),
        ('await step(\n    "",  # noqa: FG107\n    a,\n)', []),
        ('await step(\n    "",\n    a,\n)  # noqa: FG107', []),
        ('await step(\n    "",\n    a,  # noqa: FG107\n)', ["FG107 2", "FG902 3"]),
        (
            'x = [\n    await step("", a),\n    await step("x", a),\n    await step("x", a),\n]  # noqa: FG107, FG101',
            [],
        ),
        ('if a:  # noqa: FG107\n    await step("", a)', ["FG902 1", "FG107 2"]),
        ('if await step(\n    "", a\n):  # noqa: FG107\n    pass', []),
        ('if await step(\n    "", a\n):\n    pass  # noqa: FG107', ["FG107 2", "FG902 4"]),
        ('# noqa: FG107\nawait step("", a)', ["FG902 1", "FG107 2"]),
        ('match await step(\n    "", a\n):  # noqa: FG107\n    case 1:\n        pass', []),
    ],
)
def test_a_comment_covers_the_statement_in_whose_first_or_last_line_it_is(
    project: Project, body: str, codes: list[str]
) -> None:
    assert found(project, body) == codes


def test_a_comment_for_the_file(project: Project) -> None:
    body = 'await step("", a)\nawait step("b", a)\nawait step("b", a)'
    assert found(project, body, "# flowgraph: ignore-file[FG107] why\n") == ["FG101 3"]
    assert found(project, body + "\n# flowgraph: ignore-file[FG101, FG107] why") == []
    assert found(project, 'await step("a", a)', "# flowgraph: ignore-file[FG107] why\n") == ["FG902 -4"]


def test_a_comment_in_the_file_of_a_helper_accepts_what_a_workflow_elsewhere_does_with_it(project: Project) -> None:
    project.write(
        flow="""
        from flowgraph import workflow
        from helpers import charge

        @workflow
        async def flow():
            await charge()
        """,
        helpers="""
        from flowgraph import step

        async def charge():
            await step("one", print)
            await step("one", print)
        """,
    )
    assert project.found() == ["helpers.py:6 FG101"]
    text = (project.folder / "helpers.py").read_text()
    project.write(helpers=text.rstrip() + "  # flowgraph: ignore[FG101] why\n")
    assert project.found() == []
    assert project.found("flow.py") == []
    assert project.found("helpers.py") == []  # Alone it cannot be told whether it is needed.


def test_codes_that_are_not_checked_are_not_called_unused(project: Project) -> None:
    body = 'await step("x", a)  # flowgraph: ignore[FG107] why'
    assert found(project, body, settings=Settings(ignore=("FG107",))) == []
    assert found(project, body, settings=Settings(select=("FG902",))) == []
    ignored = Settings(per_file_ignores=(("flow.py", ("FG107",)),))
    assert found(project, body, settings=ignored) == []


def test_findings_about_comments_can_be_accepted_too(project: Project) -> None:
    assert found(project, 'await step("x", a)  # flowgraph: ignore[FG107, FG902] why') == []


def test_comments_in_a_file_with_a_syntax_error_are_not_called_unused(project: Project) -> None:
    body = 'await step("x", a)  # flowgraph: ignore[FG107] why\nawait step(('
    assert [one.partition(" ")[0] for one in found(project, body)] == ["FG901"]


@pytest.mark.parametrize("code", ["FG901", "syntax-error"])
def test_a_syntax_error_can_be_accepted(project: Project, code: str) -> None:
    project.write(flow=f"# flowgraph: ignore-file[{code}] a draft\nimport flowgraph\ndef f(:\n")
    assert project.found() == []


@pytest.mark.parametrize(
    ("comment", "message", "help_"),
    [
        ("# flowgraph: ignore why", "`flowgraph: ignore` says no code in brackets", "ignore[FG101]"),
        ("# flowgraph: ignore FG107, FG101", "`flowgraph: ignore` says no code in brackets", "ignore[FG107, FG101]"),
        ("# flowgraph: ingore[fg107] #2", "`# flowgraph: ingore[fg107] #2` is not understood", "ignore[FG107]"),
        ("# ruff: noqa: FG107", "`# ruff: noqa: FG107` is not understood", "ignore[FG107]"),
        ("# flowgraph: ignroe-file[FG107]", "`# flowgraph: ignroe-file[FG107]` is not", "ignore-file[FG107]"),
        (f"# flowgraph: skip={'x' * 90}", f"`# flowgraph: skip={'x' * 41}…` is not understood", "ignore[FG101]"),
    ],
)
def test_what_is_not_understood_is_shown_with_what_to_write(
    project: Project, comment: str, message: str, help_: str
) -> None:
    project.write(flow=f"import flowgraph\n{comment}\n")
    [found] = project.lint(settings=ALL).findings
    assert found.code == "FG903"
    assert found.message.startswith(message)
    assert found.message.endswith(", and accepts nothing")
    assert found.help == f"Write # flowgraph: {help_} and why."
