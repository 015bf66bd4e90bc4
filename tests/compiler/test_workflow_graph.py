"""`workflow.graph`: the graph of a function that was imported."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import flowgraph
from flowgraph.errors import CompileError

TEXT = """
from flowgraph import step, workflow

async def fetch():
    return 1

@workflow(name="orders")
async def flow():
    await step("fetch", fetch)

def make(name):
    @workflow(name=name)
    async def made():
        await step("made", fetch)
    return made
"""


def imported(folder: Path, text: str = TEXT) -> ModuleType:
    file = folder / "flows.py"
    file.write_text(text)
    spec = importlib.util.spec_from_file_location(f"flows_{folder.name}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_workflow_has_its_graph(tmp_path: Path) -> None:
    graph = imported(tmp_path).flow.graph
    assert (graph.workflow, [node.path for node in graph.steps]) == ("orders", ["fetch"])
    assert graph.path == str(tmp_path / "flows.py")


def test_a_graph_is_compiled_once(tmp_path: Path) -> None:
    flow = imported(tmp_path).flow
    assert flow.graph is flow.graph


def test_a_graph_has_the_name_that_the_workflow_got_when_it_was_made(tmp_path: Path) -> None:
    assert imported(tmp_path).make("nightly").graph.workflow == "nightly"


def test_a_workflow_without_source_says_so() -> None:
    namespace: dict[str, object] = {"__name__": "nowhere"}
    exec("from flowgraph import workflow\n@workflow\nasync def flow():\n    pass\n", namespace)
    with pytest.raises(CompileError, match="source is not available"):
        assert namespace["flow"].graph  # type: ignore[attr-defined]


def test_a_source_that_changed_since_it_was_loaded_is_refused(tmp_path: Path) -> None:
    flow = imported(tmp_path).flow
    (tmp_path / "flows.py").write_text("# nothing is left\n" * 20)
    with pytest.raises(CompileError, match="changed since it was loaded"):
        assert flow.graph


def test_a_graph_needs_no_networkx(tmp_path: Path) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import flows
flows.flow.graph
print("libcst" in sys.modules, "networkx" in sys.modules)
"""
    (tmp_path / "flows.py").write_text(TEXT)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.splitlines() == ["True False"]


def test_the_names_of_the_compiler_are_public() -> None:
    [graph] = flowgraph.compile_source(TEXT.partition("def make")[0])
    assert isinstance(graph, flowgraph.Graph)
