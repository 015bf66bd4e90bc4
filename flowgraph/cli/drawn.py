"""TARGET of a drawing: the graphs of a file, a module, a package, a folder, or a file of graphs. Nothing is loaded."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import attrs

from flowgraph.cli.graph_file import graphs_of
from flowgraph.cli.target import FORMS, split_target
from flowgraph.cli.trouble import Trouble
from flowgraph.model.graph import Graph


@attrs.frozen
class Drawn:
    """A graph, and the name of its function; that of the workflow where the source is not there."""

    graph: Graph
    name: str


@attrs.frozen
class Asked:
    """What a target asks for: some graphs, of which it may name one."""

    place: str
    name: str | None
    graphs: list[Drawn]

    def only(self) -> Drawn:
        """The graph that is named, or the only one; `Trouble` where there is none, or a choice."""
        known = ", ".join(one.name for one in self.graphs)
        if not self.graphs:
            raise Trouble(f"{self.place} has no workflow. Decorate an `async def` function with @workflow.")
        if self.name is None and len(self.graphs) == 1:
            return self.graphs[0]
        for one in self.graphs:
            if self.name in (one.name, one.graph.workflow):
                return one
        if self.name is not None:
            raise Trouble(f"{self.place} has no workflow {self.name!r}. Its workflows: {known}.")
        example = f"{self.place}:{self.graphs[0].name}"
        raise Trouble(f"{self.place} has {len(self.graphs)} workflows: {known}. Say which, for example {example}.")


def asked_for(target: str) -> Asked:
    """The graphs that a target has, in the order of the source."""
    is_plain = target == "-" or target.endswith(".json") or Path(target).exists()
    place, name = (target, None) if is_plain else split_target(target)
    path = Path(place)
    if place == "-":
        return Asked(place, name, [Drawn(graph, graph.workflow) for graph in graphs_of(place)])
    if not path.exists() and not place.endswith((".py", ".json")):
        path = _module_file(place)
    files = _python_files(path) if path.is_dir() else [path]
    return Asked(place, name, [one for file in files for one in _in_file(file)])


def _python_files(folder: Path) -> list[Path]:
    found: list[Path] = []
    for at, folders, files in os.walk(folder):
        folders[:] = sorted(
            one for one in folders if not one.startswith((".", "__pycache__")) and one != "node_modules"
        )
        found += (Path(at) / file for file in sorted(files) if file.endswith(".py"))
    return [file for file in found if _may_have_workflows(file)]


def _may_have_workflows(file: Path) -> bool:
    try:
        return b"workflow" in file.read_bytes()
    except OSError:
        return True  # What is wrong is said when its graphs are asked for.


def _in_file(file: Path) -> list[Drawn]:
    graphs = graphs_of(str(file))
    names = _function_names(file) if file.suffix == ".py" else {}
    return [Drawn(graph, names.get(graph.line, graph.workflow)) for graph in graphs]


def _function_names(file: Path) -> dict[int, str]:
    tree = ast.parse(file.read_bytes())
    return {
        node.lineno: node.name for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)
    }


def _module_file(name: str) -> Path:
    """The file of a module, or the folder of a package, found below the working folder and on the Python path."""
    import importlib.machinery
    import sys

    parts = name.split(".")
    if not all(part.isidentifier() for part in parts):
        raise Trouble(f"{name!r} is neither a file or folder nor a module's name: write {FORMS}.")
    where: list[str] | None = [str(Path.cwd()), *sys.path]
    spec = None
    for part in parts:
        spec = importlib.machinery.PathFinder.find_spec(part, where)
        if spec is None:
            raise Trouble(f"There is no module {name!r} here or on the Python path.")
        where = list(spec.submodule_search_locations) if spec.submodule_search_locations is not None else []
    assert spec is not None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    if spec.origin is None or not spec.origin.endswith(".py"):
        raise Trouble(f"The source of module {name!r} is not there. Name a file of graphs.")
    file = Path(spec.origin)
    return file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file
