"""``flowgraph build``: compile the graphs of workflows into a file, for deployments without source."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flowgraph.cli.output import print_json, stdout_kept_free
from flowgraph.cli.target import load_workflows
from flowgraph.cli.trouble import COMPLETED, ENDED_BADLY, Trouble
from flowgraph.cli.wording import counted, one_line
from flowgraph.compiler import Compiled, compile_loaded, graph_file_text, kept
from flowgraph.dsl import Workflow
from flowgraph.errors import CompileError


def build(targets: Sequence[str], output: str, *, as_json: bool) -> int:
    """Compile the workflows of all targets and write them; 1 if a graph has errors, and the file is written anyway."""
    with stdout_kept_free():
        compiled = [_compiled(workflow) for workflow in _workflows(targets)]
    text = graph_file_text(map(kept, compiled))
    if output == "-":
        sys.stdout.write(text)
    else:
        _write(Path(output), text)
    errors = [diagnostic for one in compiled for diagnostic in one.diagnostics if diagnostic.severity == "error"]
    for diagnostic in errors:
        print(one_line(str(diagnostic), 1_000), file=sys.stderr)
    if as_json and output != "-":
        print_json({"file": output, "graphs": [_summary(one) for one in compiled]})
    else:
        where = "stdout" if output == "-" else output
        print(f"Wrote {counted(len(compiled), 'graph')} to {where}.", file=sys.stderr, flush=True)
    return ENDED_BADLY if errors else COMPLETED


def _workflows(targets: Sequence[str]) -> list[Workflow[..., Any]]:
    """The workflows of all targets, each once; those of one name in two places are refused, as in one worker."""
    found: dict[str, Workflow[..., Any]] = {}
    for target in targets:
        for workflow in load_workflows(target):
            before = found.setdefault(workflow.name, workflow)
            if before.fn is not workflow.fn:
                raise Trouble(
                    f"The name {workflow.name!r} stands for two workflows, at {before.place} and at {workflow.place}. "
                    f"Give one of them another name with @workflow(name=…)."
                )
    return list(found.values())


def _compiled(workflow: Workflow[..., Any]) -> Compiled:
    try:
        return compile_loaded(workflow.fn, workflow.name)
    except CompileError as error:
        reasons = "; ".join(diagnostic.message for diagnostic in error.diagnostics)
        raise Trouble(f"Workflow {workflow.name!r} at {workflow.place} cannot be compiled: {reasons}.") from error


def _write(file: Path, text: str) -> None:
    """Write a file whole or not at all: a worker may read it at any time."""
    try:
        descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
        with open(descriptor, "w", encoding="ascii") as opened:  # noqa: PTH123 (a descriptor is no path)
            opened.write(text)
        os.chmod(name, 0o644)  # noqa: PTH101 (it is text here)
        Path(name).replace(file)
    except OSError as error:
        raise Trouble(f"{file} cannot be written: {error.strerror}.") from error


def _summary(compiled: Compiled) -> dict[str, Any]:
    graph = compiled.graph
    errors = sum(diagnostic.severity == "error" for diagnostic in compiled.diagnostics)
    return {
        "workflow": graph.workflow,
        "fingerprint": graph.fingerprint,
        "steps": len(graph.steps),
        "complete": graph.is_complete,
        "errors": errors,
    }
