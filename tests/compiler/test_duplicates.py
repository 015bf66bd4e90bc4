"""Random programs that share names: no step is called twice in a run but the check of names has said so.

A run takes random branches and its steps fail at random. FLOWGRAPH_PROGRAMS sets the number of programs.
"""

from __future__ import annotations

import os

import pytest

from flowgraph.compiler import Project, Unit
from flowgraph.model.diagnostic import Diagnostic
from tests.compiler.machine import Machine, pattern
from tests.compiler.names import Named, repeated
from tests.compiler.programs import Run

PROGRAMS = int(os.environ.get("FLOWGRAPH_PROGRAMS", "20000"))
PARTS = 16
RUNS = 4
TRUE = (0.5, 0.5, 0.2, 0.8)
FAILING = (0.15, 0.02, 0.4)


class Program:
    """One program, what the check says of it, and its runs."""

    def __init__(self, seed: int, *, small: bool = True, concurrent: bool = False) -> None:
        self.seed = seed
        self.concurrent = concurrent
        self.text = Named(seed, small=small, concurrent=concurrent).program()
        [flow] = Unit(self.text, f"program-{seed}.py", Project()).flows()
        self.graph = flow.graph
        self.diagnostics = flow.diagnostics
        namespace: dict[str, object] = {"__name__": f"program_{seed}"}
        exec(compile(self.text, f"program-{seed}.py", "exec"), namespace)
        self._fn = namespace["flow"].fn  # type: ignore[attr-defined]

    def run(self, number: int) -> Run:
        odds = {"true": TRUE[number % 4], "failing": FAILING[number % 3]}
        return Run(self._fn, self.seed * 10_000 + number, concurrent=self.concurrent, **odds)

    def about(self, path: str) -> list[Diagnostic]:
        """The findings that tell of a path."""
        return [found for found in self.diagnostics if _tells_of(found, path)]


def _tells_of(found: Diagnostic, path: str) -> bool:
    template = (found.step or "").rpartition("/")[2]
    return pattern(template).fullmatch(path.rpartition("/")[2]) is not None


@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(PARTS))
def test_no_duplicate_goes_unreported_and_every_run_is_a_walk(part: int) -> None:
    for seed in range(part * PROGRAMS // PARTS, (part + 1) * PROGRAMS // PARTS):
        program = Program(seed)
        machine = Machine(program.graph)
        for number in range(RUNS):
            run = program.run(number)
            for path, trace in run.traces:
                problem = machine.refusal(path, trace)
                assert problem is None, f"program {seed}, run {number}: {problem}\n{program.text}"
            for path in repeated(run):
                assert program.about(path), f"program {seed}, run {number} calls {path!r} twice\n{program.text}"


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")  # A failing group leaves some behind.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(PARTS))
def test_no_duplicate_of_concurrent_tasks_goes_unreported(part: int) -> None:
    programs = PROGRAMS // 40
    for seed in range(part * programs // PARTS, (part + 1) * programs // PARTS):
        program = Program(seed, small=False, concurrent=True)
        for number in range(RUNS):
            for path in repeated(program.run(number)):
                assert program.about(path), f"program {seed}, run {number} calls {path!r} twice\n{program.text}"


@pytest.mark.timeout(900)
def test_less_than_one_error_in_a_hundred_never_comes_true() -> None:
    errors, false = 0, 0
    for seed in range(PROGRAMS // 100):
        program = Program(seed)
        waiting = [found for found in program.diagnostics if found.severity == "error"]
        errors += len(waiting)
        for number in range(2_000):
            if not waiting:
                break
            seen = repeated(program.run(number))
            waiting = [found for found in waiting if not any(_tells_of(found, path) for path in seen)]
        false += len(waiting)
    assert errors > PROGRAMS // 100
    assert false / errors < 0.01
