"""TARGET: what it finds, and a sentence for each way in which it finds nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from flowgraph.cli.target import load_target, split_target
from flowgraph.cli.trouble import Trouble
from tests.cli.shell import Flows

ONE = "@workflow\nasync def only(): ...\n"
TWO = "@workflow\nasync def first(): ...\n@workflow(name='the-second')\nasync def second(): ...\n"


def refusal(target: str) -> str:
    with pytest.raises(Trouble) as caught:
        load_target(target)
    return str(caught.value)


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        ("a.py", ("a.py", None)),
        ("dir/a.py:wf", ("dir/a.py", "wf")),
        ("C:\\flows\\a.py:wf", ("C:\\flows\\a.py", "wf")),
        ("a.py:with:colon", ("a.py", "with:colon")),
        ("pkg.mod", ("pkg.mod", None)),
        ("pkg.mod:wf", ("pkg.mod", "wf")),
    ],
)
def test_splitting(target: str, parts: tuple[str, str | None]) -> None:
    assert split_target(target) == parts


@pytest.mark.parametrize("target", ["", ":wf", "a.py:", "mod:"])
def test_half_a_target_is_refused(target: str) -> None:
    assert refusal(target) == f"{target!r} is no target: write file.py:workflow or module:workflow."


# Finding --------------------------------------------------------------------------------------------------------------


def test_a_file_with_one_workflow_needs_no_name(flows: Flows) -> None:
    assert load_target(flows(ONE)).name == "only"


def test_a_workflow_is_found_by_its_python_name_and_by_its_own(flows: Flows) -> None:
    file = flows(TWO)
    assert load_target(f"{file}:second").name == "the-second"
    assert load_target(f"{file}:the-second").name == "the-second"


def test_an_imported_workflow_does_not_count_beside_one_that_is_written_there(flows: Flows) -> None:
    other = flows(ONE)
    file = flows(f"from {other.removesuffix('.py')} import only\n@workflow\nasync def mine(): ...\n")
    assert load_target(file).name == "mine"
    assert load_target(f"{file}:only").name == "only"


def test_a_file_that_only_imports_a_workflow_has_that_one(flows: Flows) -> None:
    other = flows(ONE)
    assert load_target(flows(f"from {other.removesuffix('.py')} import only\nalias = only\n")).name == "only"


def test_a_module_is_found_from_the_working_folder(flows: Flows) -> None:
    flows(ONE, "a_package/__init__.py")
    flows(ONE, "a_package/inner.py")
    assert load_target("a_package.inner").name == "only"
    assert load_target("a_package:only").name == "only"


def test_a_file_finds_its_neighbours_and_is_not_the_main_module(flows: Flows) -> None:
    flows("VALUE = 5\n", "below/neighbour_of_it.py")
    file = flows("import neighbour_of_it\nassert __name__ == 'flow_below', __name__\n" + ONE, "below/flow_below.py")
    loaded = load_target(file)
    assert sys.modules["flow_below"].only is loaded
    assert loaded.__module__ == "flow_below"


def test_a_file_may_be_called_like_a_module_of_python(flows: Flows) -> None:
    before = sys.modules["json"]
    assert load_target(flows(ONE, "json.py")).name == "only"
    assert sys.modules["json"] is before


def test_a_file_may_have_a_name_that_is_no_identifier(flows: Flows) -> None:
    assert load_target(flows(ONE, "my flow-2.py")).name == "only"


# Not finding ----------------------------------------------------------------------------------------------------------


def test_a_file_that_does_not_exist(flows: Flows) -> None:
    flows(ONE, "pipeline.py")
    assert refusal("nowhere.py:wf") == "The file nowhere.py does not exist."
    assert refusal("pipelin.py:wf") == "The file pipelin.py does not exist; did you mean pipeline.py?"
    Path("folder.py").mkdir()
    assert refusal("folder.py") == "The file folder.py is a folder, not a file."


def test_a_module_that_does_not_exist(flows: Flows) -> None:
    flows(ONE, "some_flow.py")
    assert refusal("no_such.module:wf") == "There is no module 'no_such' here or on the Python path."
    assert refusal("asyncio.nothing:wf") == "There is no module 'asyncio.nothing' here or on the Python path."
    assert "is neither a Python file nor a module's name: write file.py:workflow" in refusal("not a module:wf")


def test_a_module_that_raises_says_what_and_where(flows: Flows, folder: Path) -> None:
    file = flows("def broken():\n    return {}['key']\nbroken()\n")
    assert refusal(file) == f"{folder / file} cannot be loaded: KeyError: 'key' ({folder / file}:5)"
    assert file.removesuffix(".py") not in sys.modules


def test_the_place_is_in_the_users_own_code(flows: Flows, folder: Path) -> None:
    file = flows("import json\njson.loads('{')\n")
    assert refusal(file).endswith(f"({folder / file}:5)")
    module = flows("import no_such_dependency\n").removesuffix(".py")
    assert refusal(module) == (
        f"{module} cannot be loaded: ModuleNotFoundError: No module named 'no_such_dependency' ({folder / module}.py:4)"
    )


def test_a_syntax_error_says_where(flows: Flows, folder: Path) -> None:
    file = flows("x = (\n")
    assert f"SyntaxError: '(' was never closed ({file}, line 4) ({folder / file}:4)" in refusal(file)


def test_a_wrong_decorator_says_where(flows: Flows, folder: Path) -> None:
    file = flows("@workflow\ndef plain(): ...\n")
    said = refusal(file)
    assert "DefinitionError: Workflow 'plain' is a plain function" in said
    assert said.endswith(f"({folder / file}:4)")


def test_a_script_that_ends_the_program_is_told_how_to_be_loaded(flows: Flows) -> None:
    assert "it ends the program (SystemExit) when it is loaded" in refusal(flows("sys.exit(3)\n"))


def test_an_interruption_while_loading_is_an_interruption(flows: Flows) -> None:
    with pytest.raises(KeyboardInterrupt):
        load_target(flows("raise KeyboardInterrupt\n"))


def test_no_workflow(flows: Flows) -> None:
    file = flows("")
    assert refusal(file) == f"{file} has no workflow. Decorate an `async def` function with @workflow."
    assert refusal(f"{file}:wf") == f"{file} has no 'wf'. It has no workflow at all."


def test_several_workflows(flows: Flows) -> None:
    file = flows(TWO)
    assert refusal(file) == f"{file} has 2 workflows: first, second. Say which, for example {file}:first."
    assert refusal(f"{file}:third") == f"{file} has no 'third'. Its workflows: first, second."


@pytest.mark.parametrize(
    ("source", "kind"),
    [("def wf(): ...", "a function"), ("class wf: ...", "a class"), ("wf = 3", "an object of type int")],
)
def test_something_that_is_no_workflow(flows: Flows, source: str, kind: str) -> None:
    file = flows(source)
    assert refusal(f"{file}:wf") == f"{file}:wf is {kind}, not a workflow. Decorate it with @workflow."
