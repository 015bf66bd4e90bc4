"""Makes the pictures in docs/gallery from the examples: ``python tests/house/gallery.py``.

They are drawn with graphviz-pure, which makes the same bytes on every machine.
"""

from __future__ import annotations

import os
import shutil
import sysconfig
from pathlib import Path

from flowgraph import compile_file
from flowgraph.model.graph import Graph
from flowgraph.render import View, draw

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "gallery"
PICTURES = {
    "data_pipeline": ("data_pipeline.py", View()),
    "fulfil_order": ("order_fulfilment.py", View()),
    "ship_parcel": ("order_fulfilment.py", View()),
    "approval": ("approval.py", View()),
    "data_pipeline-data": ("data_pipeline.py", View(data=True, legend=True)),
    "library_census": ("library_census.py", View()),
}


def pictures() -> dict[str, bytes]:
    """The file names and what they hold."""
    os.environ["FLOWGRAPH_DOT"] = shutil.which("graphviz-pure", path=sysconfig.get_path("scripts")) or "graphviz-pure"
    return {f"{name}.svg": draw(_graph(file, name), "svg", view) for name, (file, view) in PICTURES.items()}


def _graph(file: str, name: str) -> Graph:
    path = ROOT / "examples" / file
    return next(graph for graph in compile_file(path) if graph.workflow == name.partition("-")[0])


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, content in pictures().items():
        (FOLDER / name).write_bytes(content)
