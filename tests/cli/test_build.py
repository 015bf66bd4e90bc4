"""`flowgraph build`: graphs for deployments without source."""

from __future__ import annotations

import json
import os
import py_compile
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from flowgraph import Graph
from tests.cli.shell import Flows, Here

FLOWS = """
from flowgraph import step, workflow
from shop.names import PREFIX

async def work():
    return 1

@workflow
async def order():
    await step(f"{PREFIX}-a", work)
    await step("b", work)

@workflow(name="returns")
async def back():
    await step("c", work)
"""
EXECUTE = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from shop.flows import order
from flowgraph import Runtime

async def main():
    async with Runtime("sqlite:///:memory:") as runtime:
        run = await runtime.start(order)
        await run.result()
        record = await run.describe()
        print(record.fingerprint, [step.node for step in record.steps])

asyncio.run(main())
print("libcst" in sys.modules)
"""


@pytest.fixture
def shop(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with two workflows, in the working folder."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        monkeypatch.delitem(sys.modules, name)
    package = folder / "shop"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "names.py").write_text('PREFIX = "p"\n')
    (package / "flows.py").write_text(FLOWS)
    return package


def in_archive(shop: Path, place: Path) -> Path:
    """The program as an archive with bytecode only."""
    file = place / "app.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in bytecode(shop).items():
            archive.writestr(f"shop/{name}", content)
    return file


def as_bytecode(shop: Path, place: Path) -> Path:
    """The program as a folder with bytecode only; the source is gone, or it would be found where it was."""
    (place / "shop").mkdir(parents=True)
    for name, content in bytecode(shop).items():
        (place / "shop" / name).write_bytes(content)
    shutil.rmtree(shop)
    return place


def bytecode(shop: Path) -> dict[str, bytes]:
    made = {}
    for file in shop.glob("*.py"):
        compiled = py_compile.compile(str(file), cfile=str(shop.parent / "made.pyc"), doraise=True)
        made[f"{file.stem}.pyc"] = Path(str(compiled)).read_bytes()
    return made


def executed(program: Path, folder: Path, **environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", EXECUTE, str(program)],
        cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_graphs_of_a_module_are_written_with_what_they_rest_on(here: Here, shop: Path, folder: Path) -> None:
    result = here("build", "shop.flows", "-o", "graphs.json")
    assert (result.code, result.out, result.err) == (0, "", "Wrote 2 graphs to graphs.json.\n")
    written = json.loads((folder / "graphs.json").read_text())
    assert written["version"] == 1
    order, returns = map(Graph.from_json, written["graphs"])
    assert (order.workflow, [node.path for node in order.steps]) == ("order", ["p-a", "b"])
    assert returns.workflow == "returns"
    assert [graph["fingerprint"] for graph in written["graphs"]] == [order.fingerprint, returns.fingerprint]
    assert ["shop.names", "PREFIX"] in [dependency[:2] for dependency in written["graphs"][0]["dependencies"]]


def test_the_file_can_be_stdout(here: Here, shop: Path, folder: Path) -> None:
    result = here("build", "shop.flows", "-o", "-")
    assert (result.code, result.err) == (0, "Wrote 2 graphs to stdout.\n")
    assert [graph["workflow"] for graph in result.value["graphs"]] == ["order", "returns"]
    assert not (folder / "-").exists()


def test_one_workflow_can_be_named_and_json_says_what_was_built(here: Here, shop: Path) -> None:
    result = here("build", "shop.flows:back", "--json")
    assert result.code == 0
    [graph] = result.value["graphs"]
    assert result.value["file"] == "flowgraph-graphs.json"
    assert (graph["workflow"], graph["steps"], graph["complete"], graph["errors"]) == ("returns", 1, True, 0)


@pytest.mark.parametrize("ship", [in_archive, as_bytecode])
def test_without_source_a_built_graph_is_used_and_without_one_the_graph_is_unknown(
    here: Here, shop: Path, folder: Path, ship: Callable[[Path, Path], Path]
) -> None:
    here("build", "shop.flows", "-o", "graphs.json")
    fingerprint = json.loads((folder / "graphs.json").read_text())["graphs"][0]["fingerprint"]
    program = ship(shop, folder / "out" if ship is as_bytecode else folder)
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    assert executed(program, elsewhere) == ["unknown [None, None]", "False"]
    bound = [f"{fingerprint} ['2', '3']", "False"]
    assert executed(program, elsewhere, FLOWGRAPH_GRAPHS=str(folder / "graphs.json")) == bound
    (elsewhere / "pyproject.toml").write_text('[tool.flowgraph]\ngraphs = "../graphs.json"\n')
    assert executed(program, elsewhere) == bound


def test_a_file_beside_the_program_is_found(here: Here, shop: Path, folder: Path) -> None:
    here("build", "shop.flows")
    archive = in_archive(shop, folder)
    with zipfile.ZipFile(archive, "a") as opened:
        opened.write("flowgraph-graphs.json", "shop/flowgraph-graphs.json")
    program = as_bytecode(shop, folder / "out")
    Path("flowgraph-graphs.json").rename(program / "flowgraph-graphs.json")
    assert executed(archive, folder / "out")[0].endswith(" ['2', '3']")
    assert executed(program, folder / "out")[0].endswith(" ['2', '3']")


def test_a_graph_that_was_built_from_other_code_is_not_used(here: Here, shop: Path, folder: Path) -> None:
    here("build", "shop.flows", "-o", "graphs.json")
    (shop / "names.py").write_text('PREFIX = "q"\n')
    program = as_bytecode(shop, folder / "out")
    assert executed(program, folder / "out", FLOWGRAPH_GRAPHS=str(folder / "graphs.json"))[0] == "unknown [None, None]"


@pytest.mark.parametrize("content", ["", "[]", '{"version": 9, "graphs": []}', '{"version": 1, "graphs": [{}]}'])
def test_a_file_that_is_no_graph_file_stops_no_run(here: Here, shop: Path, folder: Path, content: str) -> None:
    (folder / "graphs.json").write_text(content)
    program = as_bytecode(shop, folder / "out")
    assert executed(program, folder / "out", FLOWGRAPH_GRAPHS=str(folder / "graphs.json"))[0] == "unknown [None, None]"


def test_errors_are_told_and_the_file_is_written(here: Here, flows: Flows, folder: Path) -> None:
    file = flows("@workflow\nasync def twice():\n    await step('a', print)\n    await step('a', print)\n")
    result = here("build", file, "-o", "graphs.json")
    assert result.code == 1
    assert "FG101" in result.err
    assert (folder / "graphs.json").is_file()


def test_what_cannot_be_built_is_said_in_one_line(here: Here, flows: Flows, folder: Path) -> None:
    file = flows("@workflow\nasync def one():\n    await step('a', print)\n")
    other = flows("@workflow\nasync def one():\n    await step('b', print)\n")
    assert "has no workflow" in here("build", flows("x = 1")).sentence
    assert "stands for two workflows" in here("build", file, other).sentence
    result = here("build", file, "-o", "missing/graphs.json")
    assert result.code == 2
    assert "missing/graphs.json cannot be written: No such file or directory" in result.sentence
    assert here("build").code == 2
