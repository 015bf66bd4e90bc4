"""Where Graphviz places things: no text on other text, no line through a label or a shape, in either engine."""

from __future__ import annotations

import json
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from flowgraph import Graph, compile_file, compile_source
from flowgraph.render import draw
from tests.compiler.names import Named
from tests.render.pictures import ROOT

ENGINES = [
    engine
    for engine in (shutil.which("dot"), shutil.which("graphviz-pure", path=sysconfig.get_path("scripts")))
    if engine
]
LETTER, LINE = 4.6, 9.0
"""Points of a letter and a line of a label."""

Place = tuple[float, float]


class Box(NamedTuple):
    """A part of the picture, in points."""

    left: float
    low: float
    right: float
    high: float

    @classmethod
    def around(cls, middle: str, width: float, height: float) -> Box:
        x, y = map(float, middle.split(","))
        return cls(x - width / 2, y - height / 2, x + width / 2, y + height / 2)

    def meets(self, other: Box) -> bool:
        beside = self.left >= other.right - 1 or other.left >= self.right - 1
        return not beside and self.low < other.high - 1 and other.low < self.high - 1

    def holds(self, place: Place) -> bool:
        return self.left + 1.5 < place[0] < self.right - 1.5 and self.low + 1.5 < place[1] < self.high - 1.5


def places(spline: str) -> Iterator[Place]:
    """Places on a line, which is given as Bézier curves."""
    ends: list[Place] = [tuple(map(float, one.split(","))) for one in spline.split() if one[0] not in "es"]  # type: ignore[misc]
    for at in range(0, len(ends) - 3, 3):
        for step in range(13):
            t, u = step / 12, 1 - step / 12
            parts = (u**3, 3 * u * u * t, 3 * u * t * t, t**3)
            x, y = (
                sum(part * end[axis] for part, end in zip(parts, ends[at : at + 4], strict=True)) for axis in (0, 1)
            )
            yield x, y


def collisions(graph: Graph, engine: str) -> list[str]:
    """What lies on something else."""
    done = subprocess.run([engine, "-Tjson"], input=draw(graph, "dot"), capture_output=True, check=True)
    layout: dict[str, Any] = json.loads(done.stdout)
    shapes = {
        one["_gvid"]: Box.around(one["pos"], float(one["width"]) * 72, float(one["height"]) * 72)
        for one in layout["objects"]
        if "pos" in one
    }
    lines = [one for one in layout.get("edges", ()) if one.get("style") != "invis"]
    labels = [(one, Box.around(one["lp"], len(one["label"].strip()) * LETTER, LINE)) for one in lines if "lp" in one]
    found = [f"shapes {a} {b}" for a in shapes for b in shapes if a < b and shapes[a].meets(shapes[b])]
    found += [f"label {one['label']} on {id_}" for one, box in labels for id_ in shapes if shapes[id_].meets(box)]
    found += [
        f"labels {a['label']} {b['label']}" for a, one in labels for b, two in labels if a is not b and one.meets(two)
    ]
    for line in lines:
        way = list(places(line["pos"]))
        others = [box for id_, box in shapes.items() if id_ not in (line["tail"], line["head"])]
        crossed = [*others, *(box for _, box in labels)]
        found += [f"line {line['tail']} {line['head']} through {box}" for box in crossed if any(map(box.holds, way))]
    return found


EXAMPLES = [graph for file in sorted((ROOT / "examples").glob("*.py")) for graph in compile_file(file)]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("graph", EXAMPLES, ids=lambda graph: graph.workflow)
def test_nothing_lies_on_anything_else(graph: Graph, engine: str) -> None:
    assert collisions(graph, engine) == []


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_lies_on_anything_else_in_random_workflows(engine: str) -> None:
    for seed in range(40):
        [graph] = compile_source(Named(seed, concurrent=seed % 3 == 0).program())
        assert collisions(graph, engine) == [], f"program {seed}"
