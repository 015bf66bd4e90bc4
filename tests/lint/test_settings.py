"""Which rules are checked: settings of the project's file, and how exactly they say what they mean."""

from __future__ import annotations

import os

import pytest

from flowgraph.lint import BadSettings, Settings, all_rules, settings_for
from tests.lint.project import Project

FLOW = """\
import random
from flowgraph import step, workflow

@workflow
async def flow():
    await step("", print)
    await step("one", print)
    await step("one", print, random.random())
"""
ALL = ["flow.py:6 FG107", "flow.py:8 FG101", "flow.py:8 FG401"]


@pytest.mark.parametrize(
    ("table", "found"),
    [
        ("", ALL),
        ('select = ["FG101"]', ALL[1:2]),
        ('select = ["FG1"]', ALL[:2]),
        ('select = ["duplicate-step-name", "FG4"]', ALL[1:]),
        ("select = []", []),
        ('ignore = ["FG1"]', ALL[2:]),
        ('ignore = ["invalid-name"]', ALL[1:]),
        ('select = ["FG1"]\nignore = ["FG101"]', ALL[:1]),
        ('select = ["FG101"]\nignore = ["FG1"]', ALL[1:2]),
        ('select = ["FG101"]\nignore = ["FG101"]', []),
        ('select = ["FG101"]\nextend-select = ["FG107"]', ALL[:2]),
        ('exclude = ["flow.py"]', []),
        ('per-file-ignores = {"flow.py" = ["FG1"]}', ALL[2:]),
        ('per-file-ignores = {"*.py" = ["FG101"], "flow.py" = ["nondeterministic-call"]}', ALL[:1]),
        ('per-file-ignores = {"tests/**" = ["FG1"]}', ALL),
    ],
)
def test_the_settings_of_the_project(project: Project, table: str, found: list[str]) -> None:
    project.write(flow=FLOW)
    project.put("pyproject.toml", f"[tool.flowgraph.lint]\n{table}\n")
    assert project.found(settings=settings_for(["flow.py"])) == found


def test_the_nearest_file_above_all_paths_counts(project: Project) -> None:
    project.put("pyproject.toml", '[tool.flowgraph.lint]\nselect = ["FG101"]\n')
    project.put("shop/pyproject.toml", '[tool.flowgraph.lint]\nselect = ["FG102"]\n')
    project.write(shop__a="", shop__b__c="", other__d="")
    assert settings_for(["shop/a.py"]).select == ("FG102",)
    assert settings_for(["shop/b/c.py", "shop/a.py"]).select == ("FG102",)
    assert settings_for(["shop/b/c.py", "other/d.py"]).select == ("FG101",)


def test_patterns_count_from_the_folder_of_the_file(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.put("pyproject.toml", '[tool.flowgraph.lint]\nexclude = ["shop/flow.py"]\n')
    project.write(shop__flow=FLOW)
    monkeypatch.chdir(project.folder / "shop")
    assert project.found("flow.py", settings=settings_for(["flow.py"])) == []


def test_a_project_that_says_nothing_has_the_defaults(project: Project) -> None:
    assert settings_for(["."]).select is None
    project.put("pyproject.toml", '[project]\nname = "flowgraph-user"\n')
    assert settings_for(["."]).select is None


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("[tool.flowgraph.lint]\nselekt = []", r"has the unknown key 'selekt'; it may have select, extend-select"),
        ('[tool.flowgraph.lint]\nselect = "FG1"', r"select in \[tool.flowgraph.lint\] is 'FG1', not a list of texts"),
        ("[tool.flowgraph.lint]\nignore = [1]", r"ignore in .* is \[1\], not a list of texts"),
        ("[tool.flowgraph.lint]\nper-file-ignores = []", r"per-file-ignores is \[\], not a table"),
        ('[tool.flowgraph.lint]\nper-file-ignores = {"a.py" = "FG1"}', r"per-file-ignores.a.py in .* not a list"),
        ("[tool.flowgraph]\nlint = 3", r"\[tool.flowgraph.lint\] is 3, not a table"),
        ("[tool.flowgraph.lint\n", "it cannot be read: "),
        ("tool = 'flowgraph'", r"\[tool\] is 'flowgraph', not a table"),
        ("[tool]\nflowgraph = 1", r"\[tool.flowgraph\] is 1, not a table"),
        ("[[tool.flowgraph]]\nlint = 1", r"\[tool.flowgraph\] is \[\{'lint': 1\}\], not a table"),
        (b"# flowgraph \xff", "it cannot be read: "),
    ],
)
def test_what_means_nothing_is_refused(project: Project, table: str | bytes, message: str) -> None:
    project.put("pyproject.toml", table)
    with pytest.raises(BadSettings, match=f"pyproject.toml: .*{message}"):
        settings_for(["."])


def test_what_is_no_file_is_refused_and_not_waited_for(project: Project) -> None:
    os.mkfifo(project.folder / "pyproject.toml")
    with pytest.raises(BadSettings, match=r"pyproject.toml: it cannot be read: it is a pipe, a device or a socket"):
        settings_for(["."])


def test_a_folder_of_that_name_has_no_settings(project: Project) -> None:
    project.put("pyproject.toml", '[tool.flowgraph.lint]\nselect = ["FG101"]\n')
    (project.folder / "shop/pyproject.toml").mkdir(parents=True)
    assert settings_for(["shop"]).select == ("FG101",)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Settings(select=("FG999",)), "'FG999': there is no rule of this code or name"),
        (Settings(ignore=("E501",)), "'E501': there is no rule"),
        (Settings(extend_select=("duplicate-step-nam",)), "did you mean duplicate-step-name?"),
        (Settings(per_file_ignores=(("a.py", ("FG7",)),)), "'FG7': there is no rule"),
        (Settings(select=("",)), "'': there is no rule"),
    ],
)
def test_codes_of_no_rule_are_refused(project: Project, settings: Settings, message: str) -> None:
    project.write(flow=FLOW)
    with pytest.raises(BadSettings, match=message):
        project.lint(settings=settings)


def test_info_is_shown_when_it_is_selected_only(project: Project) -> None:
    text = FLOW.replace('await step("", print)', "import asyncio; await asyncio.Event().wait()")
    project.write(flow=text)
    assert "flow.py:6 FG307" not in project.found()
    assert "flow.py:6 FG307" in project.found(settings=Settings(extend_select=("FG307",)))
    assert project.found(settings=Settings(select=("FG30",))) == ["flow.py:6 FG307"]


def test_what_is_off_is_on_when_it_is_selected() -> None:
    assert [rule.code for rule in all_rules() if not rule.on] == ["FG904"]


def test_further_modules_for_io(project: Project) -> None:
    project.put("pyproject.toml", '[tool.flowgraph.lint]\nselect = ["FG402"]\nextend-io = ["shoplib"]\n')
    project.write(flow=FLOW.replace("import random", "import shoplib").replace("random.random()", "shoplib.fetch()"))
    assert project.found(settings=settings_for(["."])) == ["flow.py:8 FG402"]
    assert project.found(settings=Settings(select=("FG402",))) == []
