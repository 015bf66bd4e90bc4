"""From source text to graphs: what a workflow may do, without running any of it.

Theory. A function becomes a tree of regions (`regions`): LibCST reads it, and `translation` walks its statements and
expressions in the order in which Python does. What a name means is said by `bindings`, where a node is by `places`,
what a step is called by `templates`. `drafting` turns the tree into the ways that a run may take (`control`), with the
points at which names get values; `identity` looks on them for steps that meet, and `graphing` makes the graph of them.
Helpers are translated once and drawn at each of their calls; `units` follows names to the other files of a project.
Only functions that workflows reach are read by LibCST, the rest of a file only by ``ast``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowgraph.compiler import words
    from flowgraph.compiler.bindings import Class, Defined, Foreign, FunctionNode, Meaning, Names, Value, dotted_name
    from flowgraph.compiler.compiling import Compiled, compile_file, compile_function, compile_loaded, compile_source
    from flowgraph.compiler.control import Point
    from flowgraph.compiler.dependencies import Dependency, hold
    from flowgraph.compiler.graph_files import graph_file_text, kept, read_graph_file
    from flowgraph.compiler.templates import Hole, Template
    from flowgraph.compiler.units import Flow, Project, Unit

_HOMES = {
    "Class": "bindings",
    "Compiled": "compiling",
    "Defined": "bindings",
    "Dependency": "dependencies",
    "Flow": "units",
    "Foreign": "bindings",
    "FunctionNode": "bindings",
    "Hole": "templates",
    "Meaning": "bindings",
    "Names": "bindings",
    "Point": "control",
    "Project": "units",
    "Template": "templates",
    "Unit": "units",
    "Value": "bindings",
    "compile_file": "compiling",
    "compile_function": "compiling",
    "compile_loaded": "compiling",
    "compile_source": "compiling",
    "dotted_name": "bindings",
    "graph_file_text": "graph_files",
    "hold": "dependencies",
    "kept": "graph_files",
    "read_graph_file": "graph_files",
}

__all__ = [
    "Class",
    "Compiled",
    "Defined",
    "Dependency",
    "Flow",
    "Foreign",
    "FunctionNode",
    "Hole",
    "Meaning",
    "Names",
    "Point",
    "Project",
    "Template",
    "Unit",
    "Value",
    "compile_file",
    "compile_function",
    "compile_loaded",
    "compile_source",
    "dotted_name",
    "graph_file_text",
    "hold",
    "kept",
    "read_graph_file",
    "words",
]


def __getattr__(name: str) -> Any:
    """Load what is asked for when it is: a worker whose graphs are cached needs a part that is quick to load."""
    import importlib

    if name == "words":
        return importlib.import_module("flowgraph.compiler.words")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"flowgraph.compiler.{_HOMES[name]}"), name)
