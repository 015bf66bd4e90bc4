"""Pictures: a graph, or a run on its graph, as SVG, PNG, DOT, Mermaid, JSON and text.

The only user of Graphviz. What a picture shows is a `View`; what a run has made of it, a `Overlay`.
"""

from __future__ import annotations

from flowgraph.render.drawing import FORMATS, bundle_of, draw, format_of, image_size, text_of, write, write_whole
from flowgraph.render.overlay import Overlay
from flowgraph.render.view import View

__all__ = [
    "FORMATS",
    "Overlay",
    "View",
    "bundle_of",
    "draw",
    "format_of",
    "image_size",
    "text_of",
    "write",
    "write_whole",
]
