"""A workflow of 300 steps drawn, beside what Graphviz alone needs for the same DOT.

    python tests/benchmarks/drawing.py [--rounds 5]

Each engine that is there takes part, A B A B …; a ratio is taken within its round. Nothing here asserts a time; the
target is that of issue 4.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sysconfig
import time
from collections.abc import Callable
from statistics import median

from flowgraph import Graph, compile_source
from flowgraph.render import draw

STEPS, TARGET = 300, 4.0
PART = """
    await step("s{0}", f)
    if c > {0}:
        await step("s{1}", f)
    else:
        await step("s{2}", f)
    for x in xs:
        await step(f"s{3}-{{x}}", f)
    try:
        await step("s{4}", f)
    except ValueError:
        await step("s{5}", f)
"""


def workflow_of(steps: int) -> Graph:
    """A workflow with conditions, loops and handlers."""
    parts = "".join(PART.format(*range(at, at + 6)) for at in range(0, steps, 6))
    [graph] = compile_source(f"from flowgraph import step, workflow\n@workflow\nasync def flow(c, xs):{parts}")
    return graph


def timed(job: Callable[[], object]) -> float:
    began = time.perf_counter()
    job()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    graph = workflow_of(STEPS)
    source = draw(graph, "dot")
    pure = shutil.which("graphviz-pure", path=sysconfig.get_path("scripts"))
    for engine in filter(None, (shutil.which("dot"), pure)):
        os.environ["FLOWGRAPH_DOT"] = engine
        command = [engine, "-Tsvg"]

        def alone(command: list[str] = command) -> None:
            subprocess.run(command, input=source, capture_output=True, check=True)

        def whole() -> None:
            draw(graph, "svg")

        pairs = [(timed(alone), timed(whole)) for _ in range(rounds + 1)][1:]
        ratios = sorted(ours / theirs for theirs, ours in pairs)
        print(
            f"{len(graph.steps)} steps, {os.path.basename(engine)}: "  # noqa: PTH119 (it is text)
            f"{median(ratios):.2f}x the engine alone ({ratios[0]:.2f}-{ratios[-1]:.2f}; target below {TARGET:g})"
        )


if __name__ == "__main__":
    main()
