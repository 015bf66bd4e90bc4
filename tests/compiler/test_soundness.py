"""Random programs are compiled and run: every run is a walk through the graph.

A run takes random branches, and its steps fail at random. Set FLOWGRAPH_PROGRAMS for more programs than the usual ones.
"""

from __future__ import annotations

import os

import pytest

from flowgraph.compiler import compile_source
from tests.compiler.machine import Machine
from tests.compiler.programs import Programs, Run

PROGRAMS = int(os.environ.get("FLOWGRAPH_PROGRAMS", "1000"))
PARTS = 8
RUNS = 6


@pytest.mark.parametrize("part", range(PARTS))
def test_every_run_of_a_random_program_is_a_walk_through_its_graph(part: int) -> None:
    for seed in range(part * PROGRAMS // PARTS, (part + 1) * PROGRAMS // PARTS):
        text = Programs(seed).program()
        [graph] = compile_source(text, f"program-{seed}.py")
        namespace: dict[str, object] = {"__name__": f"program_{seed}"}
        exec(compile(text, f"program-{seed}.py", "exec"), namespace)
        machine = Machine(graph)
        for number in range(RUNS):
            for path, trace in Run(namespace["flow"].fn, seed * 1_000 + number).traces:  # type: ignore[attr-defined]
                problem = machine.refusal(path, trace)
                assert problem is None, f"program {seed}, run {number}: {problem}\n{text}"


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")  # A failing group leaves some behind.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("part", range(PARTS))
def test_every_task_of_a_random_program_walks_along_a_branch_of_its_graph(part: int) -> None:
    programs = PROGRAMS // 4
    for seed in range(part * programs // PARTS, (part + 1) * programs // PARTS):
        text = Programs(seed, concurrent=True).program()
        [graph] = compile_source(text, f"program-{seed}.py")
        namespace: dict[str, object] = {"__name__": f"program_{seed}"}
        exec(compile(text, f"program-{seed}.py", "exec"), namespace)
        machine = Machine(graph)
        for number in range(RUNS):
            run = Run(namespace["flow"].fn, seed * 1_000 + number, concurrent=True)  # type: ignore[attr-defined]
            for path, trace in run.traces:
                problem = machine.refusal(path, trace)
                assert problem is None, f"program {seed}, run {number}: {problem}\n{text}"
