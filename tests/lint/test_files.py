"""Which files are found below folders, and which of them have to do with workflows."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowgraph.lint import BadSettings, Settings
from tests.lint.project import FLOW, TWICE, Project


def test_files_are_found_in_folders_below(project: Project) -> None:
    project.write(flow=TWICE, shop__deep__flow=TWICE)
    project.put("notes.txt", TWICE)
    project.put("stub.pyi", TWICE)
    assert project.found() == ["flow.py:8 FG101", "shop/deep/flow.py:8 FG101"]


def test_files_are_named_as_they_were_given(project: Project) -> None:
    project.write(shop__flow=TWICE)
    folder = project.folder
    assert project.found("shop") == ["shop/flow.py:8 FG101"]
    assert project.found("./shop/flow.py") == ["shop/flow.py:8 FG101"]
    assert project.found(str(folder / "shop")) == [f"{folder}/shop/flow.py:8 FG101"]


def test_a_file_that_is_given_need_not_end_with_py(project: Project) -> None:
    project.put("flow", TWICE)
    assert project.found("flow") == ["flow:8 FG101"]


@pytest.mark.parametrize("name", [".git", ".venv", "node_modules", "__pycache__", "build", "dist", "site-packages"])
def test_the_usual_folders_are_left_out_unless_they_are_given(project: Project, name: str) -> None:
    project.put(f"shop/{name}/flow.py", TWICE)
    assert project.found() == []
    assert project.found(f"shop/{name}") == [f"shop/{name}/flow.py:8 FG101"]


def test_a_virtual_environment_is_left_out_whatever_it_is_called(project: Project) -> None:
    project.put("python/pyvenv.cfg", "")
    project.write(python__lib__flow=TWICE)
    assert project.found() == []


def test_each_file_is_checked_once(project: Project) -> None:
    project.write(shop__flow=TWICE, shop__deep__flow=TWICE)
    given = ["shop/deep", "shop", ".", "shop/deep/flow.py", "./shop"]
    assert project.found(*given) == ["shop/deep/flow.py:8 FG101", "shop/flow.py:8 FG101"]
    assert project.lint(*given).scanned == 2


def test_links_inside_a_folder_are_checked_where_they_lead(project: Project) -> None:
    project.write(shop__flow=TWICE)
    project.put("elsewhere/other.py", TWICE)
    Path("shop/link.py").symlink_to("flow.py")
    Path("shop/other.py").symlink_to("../elsewhere/other.py")
    Path("shop/round").symlink_to("..")
    assert project.found("shop") == ["shop/flow.py:8 FG101", "shop/other.py:8 FG101"]


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("shop", ["flow.py:8 FG101", "tests/shop_test.py:8 FG101"]),
        ("*_test.py", ["flow.py:8 FG101", "shop/deep/flow.py:8 FG101"]),
        ("shop/*", ["flow.py:8 FG101", "tests/shop_test.py:8 FG101"]),
        ("shop/*.py", ["flow.py:8 FG101", "shop/deep/flow.py:8 FG101", "tests/shop_test.py:8 FG101"]),
        ("**/flow.py", ["tests/shop_test.py:8 FG101"]),
        ("deep/", ["flow.py:8 FG101", "tests/shop_test.py:8 FG101"]),
    ],
)
def test_what_is_excluded_is_not_looked_at(project: Project, pattern: str, left: list[str]) -> None:
    project.write(flow=TWICE, shop__deep__flow=TWICE, tests__shop_test=TWICE)
    assert project.found(settings=Settings(exclude=(pattern,), ignore=("FG601",))) == left


def test_a_file_that_is_excluded_is_not_checked_when_it_is_given_either(project: Project) -> None:
    project.write(flow=TWICE)
    assert project.found("flow.py", settings=Settings(exclude=("flow.py",))) == []


def test_a_path_that_does_not_exist_is_refused(project: Project) -> None:
    with pytest.raises(BadSettings, match="nowhere: there is no such file or folder"):
        project.lint("nowhere")


# Which of them have to do with workflows ------------------------------------------------------------------------------

USE = """
@workflow
async def other():
    await step("one", print)
    await step("one", print)
"""


@pytest.mark.parametrize(
    ("base", "user"),
    [
        ("from flowgraph import step, workflow", "from base import step, workflow"),
        ("from flowgraph import *", "from base import step, workflow"),
        ("from flowgraph import step as s, workflow as w", "from base import (\n    s as step,\n    w as workflow,\n)"),
        ("from flowgraph import step as s, workflow as w", "from base import s \\\n  as step, w as workflow"),
        ("import flowgraph as fg", "from base import fg\nstep = fg.step\nworkflow = fg.workflow"),
        ("import flowgraph", "import base\nstep = base.flowgraph.step\nworkflow = base.flowgraph.workflow"),
        ("from flowgraph import step, workflow", "import base as b\nstep = b.step\nworkflow = b.workflow"),
        ("import flowgraph\ns = flowgraph.step\nw = flowgraph.workflow", "from base import s as step, w as workflow"),
    ],
)
def test_a_file_that_gets_the_words_from_another_one_is_checked(project: Project, base: str, user: str) -> None:
    project.write(base=base, user=f"{USE}\n{user}\n")
    assert project.found() == ["user.py:5 FG101"]


def test_a_file_that_gets_only_a_step_from_another_one_is_checked(project: Project) -> None:
    project.write(
        base="from flowgraph import step\n\n@step('')\nasync def fetch(): ...\n",
        user="from base import fetch\n\nasync def main():\n    fetch()\n",
        other="from base import nothing\nfetch = 1\ndef f(:\n",
    )
    assert project.found(settings=Settings(select=("FG203", "FG901"))) == ["user.py:4 FG203"]


def test_words_that_go_through_several_files_are_followed(project: Project) -> None:
    project.write(
        a_user=f"from b_more import s as step, w as workflow\n{USE}",
        b_more="from shop.c_base import s, w\n",
        shop__c_base="from flowgraph import step as s, workflow as w\n",
    )
    assert project.found() == ["a_user.py:6 FG101"]


def test_words_that_a_package_gives_on_are_followed(project: Project) -> None:
    project.put("shop/__init__.py", "from flowgraph import step as s, workflow as w\n")
    project.put("shop/deep/__init__.py", "")
    project.write(
        shop__user=f"from . import s as step, w as workflow\n{USE}",
        shop__deep__user=f"from .. import s as step, w as workflow\n{USE}",
        user=f"from shop import s as step, w as workflow\n{USE}",
    )
    assert project.found() == ["shop/deep/user.py:6 FG101", "shop/user.py:6 FG101", "user.py:6 FG101"]


def test_files_without_workflows_are_not_parsed(project: Project) -> None:
    project.write(flow=FLOW, other="def f(:\n", more="from flow import flow\nthis is no Python\n")
    assert project.found() == []


def test_a_file_that_is_given_is_always_parsed(project: Project) -> None:
    project.write(other="def f(:\n")
    assert project.found("other.py") == ["other.py:1 FG901"]


def test_the_counts(project: Project) -> None:
    two = f"{FLOW}\n@workflow\nasync def second():\n    await step('one', work)\n"
    project.write(flow=FLOW, other="x = 1\n", mention="# flowgraph: no step here\n", two=two)
    report = project.lint()
    assert (report.workflows, report.files, report.scanned) == (3, 2, 4)
