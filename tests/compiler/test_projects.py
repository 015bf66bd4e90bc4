"""Workflows over several files: names are followed to where they are defined."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowgraph.compiler import compile_file

HEAD = "from flowgraph import step, workflow\n"
HELPER = f"{HEAD}async def charge(n):\n    await step('charge', pay)\nasync def pay():\n    await step('inner', f)\n"


def paths_of(folder: Path, files: dict[str, str], main: str = "flow.py") -> list[str]:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    [graph] = compile_file(folder / main)
    return [node.path for node in graph.steps]


def flow(imports: str, call: str) -> str:
    return f"{HEAD}{imports}\n@workflow\nasync def flow():\n    {call}\n"


CASES = [
    ("a module beside it", flow("from help import charge", "await charge(1)"), {"help.py": HELPER}),
    ("under another name", flow("from help import charge as c", "await c(1)"), {"help.py": HELPER}),
    ("as an attribute", flow("import help", "await help.charge(1)"), {"help.py": HELPER}),
    ("in a folder", flow("import a.help", "await a.help.charge(1)"), {"a/__init__.py": "", "a/help.py": HELPER}),
    ("a package", flow("from a import charge", "await charge(1)"), {"a/__init__.py": HELPER}),
    (
        "exported again",
        flow("from a import charge", "await charge(1)"),
        {"a/__init__.py": "from .help import charge", "a/help.py": HELPER},
    ),
    ("imported in the function", flow("", "from help import charge; await charge(1)"), {"help.py": HELPER}),
]


@pytest.mark.parametrize(("text", "files"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_an_imported_helper_is_part_of_the_workflow(tmp_path: Path, text: str, files: dict[str, str]) -> None:
    assert paths_of(tmp_path, {"flow.py": text, **files}) == ["charge", "charge/inner"]


@pytest.mark.parametrize("module", ["..help", "a.help"])
def test_imports_inside_a_package_are_followed(tmp_path: Path, module: str) -> None:
    text = flow(f"from {module} import charge", "await charge(1)")
    files = {"a/__init__.py": "", "a/help.py": HELPER, "a/b/__init__.py": "", "a/b/flow.py": text}
    assert paths_of(tmp_path, files, "a/b/flow.py") == ["charge", "charge/inner"]


def test_the_name_of_a_decorated_step_is_read_where_it_is_written(tmp_path: Path) -> None:
    helper = f"{HEAD}NAME = 'theirs'\n@step(NAME)\nasync def g():\n    pass\n"
    text = flow("from help import g\nNAME = 'ours'", "await g()")
    assert paths_of(tmp_path, {"flow.py": text, "help.py": helper}) == ["theirs"]


def test_the_language_is_found_through_the_project(tmp_path: Path) -> None:
    text = "from lang import s, w\n@w\nasync def flow():\n    await s('a', f)\n"
    files = {"flow.py": text, "lang.py": "from flowgraph import step as s, workflow as w\n"}
    assert paths_of(tmp_path, files) == ["a"]


def test_imported_constants_and_handlers_and_steps_are_followed(tmp_path: Path) -> None:
    functions = "async def f():\n    await step('inner', h)\n@step('decorated')\nasync def g():\n    pass\n"
    helper = f"{HEAD}NAME = 'first'\n{functions}"
    text = flow("from help import NAME, f, g", "await step(NAME, f); await g()")
    assert paths_of(tmp_path, {"flow.py": text, "help.py": helper}) == ["first", "first/inner", "decorated"]


def test_modules_that_import_each_other_are_read_once(tmp_path: Path) -> None:
    one = f"{HEAD}import two\nasync def a(n):\n    await step('a', f)\n    await two.b(n)\n"
    two = f"{HEAD}import one\nasync def b(n):\n    await step('b', f)\n    if n:\n        await one.a(n - 1)\n"
    text = flow("from one import a", "await a(3)")
    assert paths_of(tmp_path, {"flow.py": text, "one.py": one, "two.py": two}) == ["a", "b"]


@pytest.mark.parametrize("helper", ["def (:", "x = '\0'", "from help import charge"])
def test_a_module_that_cannot_be_read_is_a_call_like_any_other(tmp_path: Path, helper: str) -> None:
    text = flow("from help import charge", "await step('a', f); await charge(1)")
    assert paths_of(tmp_path, {"flow.py": text, "help.py": helper}) == ["a"]


def test_the_graph_follows_a_change_in_another_file(tmp_path: Path) -> None:
    files = {"flow.py": flow("from help import charge", "await charge(1)"), "help.py": HELPER}
    assert paths_of(tmp_path, files) == ["charge", "charge/inner"]
    files["help.py"] = HELPER.replace("'charge'", "'pay'")
    assert paths_of(tmp_path, files) == ["pay", "pay/inner"]


def test_a_step_in_another_file_has_the_line_of_the_call(tmp_path: Path) -> None:
    paths_of(tmp_path, {"flow.py": flow("from help import charge", "await charge(1)"), "help.py": HELPER})
    [graph] = compile_file(tmp_path / "flow.py")
    assert [node.line for node in graph.steps] == [5, 5]
