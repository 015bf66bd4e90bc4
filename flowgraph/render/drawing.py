"""Drawing a graph in a format, and writing it to a file."""

from __future__ import annotations

import json
import os
import re
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from flowgraph.errors import GraphvizError, InvalidOption
from flowgraph.model import RunRecord
from flowgraph.model.graph import Graph
from flowgraph.render.overlay import Overlay
from flowgraph.render.picture import Picture
from flowgraph.render.sketch import sketch
from flowgraph.render.view import View

FORMATS = ("svg", "png", "dot", "mmd", "json", "txt")
"""What a picture can be, by the ending of a file's name."""

_OTHER_NAMES = {"gv": "dot", "mermaid": "mmd", "md": "mmd"}
_DPI = 144


def format_of(path: str | os.PathLike[str]) -> str:
    """The format that a file's name asks for; InvalidOption for one that is not known.

    >>> format_of("docs/order.svg")
    'svg'
    """
    ending = Path(path).suffix.lstrip(".").lower()
    found = _OTHER_NAMES.get(ending, ending)
    if found not in FORMATS:
        raise InvalidOption("path", str(path), f"its name ends with one of {', '.join(f'.{one}' for one in FORMATS)}")
    return found


def draw(graph: Graph, format_: str = "svg", view: View | None = None, overlay: Overlay | None = None) -> bytes:
    """A graph as a picture; with `overlay`, a run on it.

    Args:
        graph: the graph.
        format_: one of `FORMATS`.
        view: what of it is shown; all of it by default.
        overlay: the run.

    Raises:
        InvalidOption: the format is not known, or the picture is too large for it.
        GraphvizError: for svg and png, Graphviz is not there, or fails.
    """
    view = View() if view is None else view
    match format_:
        case "json":
            text = json.dumps(graph.to_json(), indent=2, ensure_ascii=False)
            return f"{text}\n".encode("utf-8", "backslashreplace")
        case "txt":
            return text_of(graph, view, overlay).encode()
        case "svg" | "png" | "dot" | "mmd":
            return _drawn(sketch(graph, view, overlay), format_, view)
    raise InvalidOption("format", format_, f"it is one of {', '.join(FORMATS)}")


def _drawn(picture: Picture, format_: str, view: View) -> bytes:
    if format_ == "mmd":
        from flowgraph.render.mermaid import mermaid_of

        return mermaid_of(picture).encode()
    from flowgraph.render.dot import dot_of
    from flowgraph.render.engine import run_dot
    from flowgraph.render.svg import darkened, finished

    source = dot_of(picture, legend=view.legend)
    if format_ == "svg":
        return finished(run_dot(source, "svg"), picture, view.theme)
    source = darkened(source) if view.theme == "dark" else source
    return source.encode() if format_ == "dot" else run_dot(source, "png", f"-Gdpi={_DPI}")


def text_of(graph: Graph, view: View | None = None, overlay: Overlay | None = None) -> str:
    """A graph as a text tree."""
    from flowgraph.render.tree import tree_of

    return tree_of(graph, sketch(graph, View() if view is None else view, overlay))


def image_size(file: Path) -> str:
    """How large the picture in an SVG file is, as ``640 x 480``; "" for any other file."""
    found = (
        re.search(rb'<svg[^>]*? width="(\d+)pt" height="(\d+)pt"', file.read_bytes()[:4096])
        if file.suffix == ".svg"
        else None
    )
    return "" if found is None else f"{int(found[1])} x {int(found[2])}"


def bundle_of(graph: Graph, record: RunRecord | None = None) -> dict[str, str]:
    """A graph, or a run on it, as notebooks show it: by media type, an SVG if Graphviz is there, and the text tree."""
    overlay = None if record is None else Overlay(graph, record, datetime.now(UTC))
    bundle = {"text/plain": text_of(graph, None, overlay)}
    with suppress(GraphvizError):
        bundle["image/svg+xml"] = draw(graph, "svg", None, overlay).decode().partition("?>\n")[2]
    return bundle


def write(graph: Graph, path: str | os.PathLike[str], view: View | None = None, overlay: Overlay | None = None) -> Path:
    """Draw a graph into a file, whose name says the format.

    Raises:
        InvalidOption: the name asks for no known format.
        GraphvizError: Graphviz is not there, or fails.
        OSError: the file cannot be written.
    """
    file = Path(path)
    write_whole(file, draw(graph, format_of(file), view, overlay))
    return file


def write_whole(file: Path, content: bytes) -> None:
    """Write a file whole or not at all: somebody may be looking at it. Where it is a link, what that leads to."""
    file = file.resolve()
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as made:
        made.write(content)
    Path(made.name).chmod(0o666 & ~_umask())
    Path(made.name).replace(file)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
