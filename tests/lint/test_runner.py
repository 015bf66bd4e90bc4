"""A whole lint: what is found in all files together, and what happens when a part of it breaks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from flowgraph.compiler import Unit
from flowgraph.lint import Settings
from flowgraph.lint.rules.duplicate_workflow_name import DuplicateWorkflowName
from flowgraph.lint.rules.invalid_name import InvalidName
from tests.lint.project import FLOW, TWICE, Project, short


def test_findings_are_in_the_order_of_files_and_lines(project: Project) -> None:
    project.write(b=TWICE, a=TWICE + '    await step("", work)\n')
    found = project.lint(settings=Settings(select=("FG101", "FG107"))).findings
    assert [(one.path, one.line) for one in found] == sorted((one.path, one.line) for one in found)
    assert len(found) == 3


def test_a_finding_in_a_helper_is_told_once_however_many_workflows_have_it(project: Project) -> None:
    user = (
        "from flowgraph import workflow\nfrom helpers import charge\n@workflow\nasync def {}():\n    await charge()\n"
    )
    project.write(
        a=user.format("a"),
        b=user.format("b"),
        helpers="""
        import random
        from flowgraph import step
        async def charge():
            await step("a", print, random.random())
        """,
    )
    assert project.found() == ["helpers.py:5 FG401"]


def test_a_finding_in_a_helper_outside_of_the_paths_is_told(project: Project) -> None:
    project.write(
        shop__flow="""
        from flowgraph import workflow
        from .helpers import charge
        @workflow
        async def f():
            await charge()
        """,
        shop__helpers="""
        from flowgraph import step
        async def charge():
            await step("a", print)
            await step("a", print)
        """,
    )
    project.put("shop/__init__.py", "")
    assert project.found("shop/flow.py") == ["shop/helpers.py:5 FG101"]
    [found] = project.lint("shop/flow.py").findings
    assert [other.path for other in found.related] == ["shop/helpers.py", "shop/flow.py"]


def test_workflows_of_one_name_in_two_files_are_found(project: Project) -> None:
    project.write(a=FLOW, b=FLOW)
    assert short(project.lint()) == ["b.py:6 FG601"]
    assert short(project.lint("b.py")) == []


def test_a_text_that_is_not_saved_is_checked_in_the_place_of_the_file(project: Project) -> None:
    project.write(flow=FLOW)
    assert short(project.lint("flow.py", contents={"flow.py": TWICE.encode()})) == ["flow.py:8 FG101"]
    assert short(project.lint("new.py", contents={"new.py": TWICE.encode()})) == ["new.py:8 FG101"]


def test_a_rule_that_breaks_does_not_keep_the_others_from_theirs(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(InvalidName, "check", lambda *_: {}["no"])
    project.write(a=TWICE, b=TWICE.replace("flow()", "other()"))
    report = project.lint()
    assert short(report) == ["a.py:8 FG101", "b.py:8 FG101"]
    assert [str(failure) for failure in report.failures] == [
        f"rule FG107 broke on {name}: KeyError: 'no'. This is a fault of flowgraph: report it with "
        f"that file, and leave the file out with --exclude meanwhile."
        for name in ("a.py", "b.py")
    ]


def test_a_rule_about_the_project_that_breaks_is_told(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DuplicateWorkflowName, "conclude", lambda *_: 1 / 0)
    project.write(a=TWICE)
    report = project.lint()
    assert short(report) == ["a.py:8 FG101"]
    [failure] = report.failures
    assert str(failure).startswith("rule FG601 broke on all files together: ZeroDivisionError: division by zero.")


def test_a_compiler_that_breaks_is_told(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Unit, "flows", lambda *_: 1 / 0)
    project.write(a=TWICE, bad="import flowgraph\ndef f(:\n")
    report = project.lint()
    assert short(report) == ["bad.py:2 FG901"]
    assert [str(failure)[:45] for failure in report.failures] == ["compiler broke on a.py: ZeroDivisionError: di"]


def test_what_python_warns_of_in_a_file_is_not_said(project: Project) -> None:
    project.write(flow=FLOW + '    return "\\d" is 1\n')  # Warnings are errors in these tests.
    assert project.found() == []


def test_libcst_is_loaded_only_where_there_is_a_workflow(project: Project) -> None:
    project.write(mention="# flowgraph\n", other="x = 1\n", user="import flowgraph\nflowgraph.run\n")
    program = (
        "import sys; from flowgraph.lint import Settings, lint; from flowgraph.lint.checking import check\n"
        "from pathlib import Path\n"
        "for name in sys.argv[1:]: check(name, Path(name).read_bytes(), [], Settings(), {})\n"
        "print('libcst' in sys.modules)"
    )
    command = [sys.executable, "-c", program, "mention.py", "other.py", "user.py"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "True\n"
    del command[4]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "False\n"


def test_nothing_is_kept_of_files_without_workflows(project: Project) -> None:
    """The memory of a lint does not grow with them."""
    import tracemalloc

    project.write(flow=FLOW)
    peaks = []
    for number in range(2):
        for file in range(300):
            project.put(f"area{number}{file % 6}/file{file}.py", "import os\nfrom json import loads\nx = 1\n" * 50)
        project.lint()
        tracemalloc.start()
        project.lint()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 6_000, "300 more files need less than 20 bytes each"


def test_a_thousand_folders_are_walked(project: Project) -> None:
    place = Path("a/" * 200)
    project.put(f"{place}/flow.py", TWICE)
    assert project.found() == [f"{place}/flow.py:8 FG101"]
