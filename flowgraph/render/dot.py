"""A picture as DOT, through the ``graphviz`` package."""

from __future__ import annotations

import re
from itertools import pairwise

import graphviz

from flowgraph.model.graph import STEP_KINDS
from flowgraph.render import theme
from flowgraph.render.labels import broken, clean, plain_label, points_of, safe, step_label
from flowgraph.render.legend import legend_rows
from flowgraph.render.picture import Frame, Line, Picture, Shape, Title

_MONO_WIDTH = 5.4
"""Points of one character of Courier in 9 points."""

_WIDE = 22
"""A condition is broken after so many characters."""


def dot_of(picture: Picture, *, legend: bool = False) -> str:
    """The DOT source of a picture: the same for the same picture, whatever the hash seed.

    >>> dot_of(Picture("w", "1 step", (Shape("1", "step", (("a", False),)),), ())).splitlines()[0]
    'digraph w {'
    """
    made = graphviz.Digraph(re.sub(r"\W", "_", picture.title) or None)
    made.attr(label=_title(picture), **theme.GRAPH)
    made.attr("node", **theme.NODE)
    made.attr("edge", **theme.EDGE)
    for member in picture.members:
        _add(made, member)
    for line in picture.lines:
        _line(made, line, is_run=picture.is_run)
    if legend:
        _legend(made, picture)
    return str(made.source)


def _title(picture: Picture) -> str:
    small = f'<font point-size="9" color="{theme.GREY}">{safe(picture.subtitle)}</font>'
    return f'<<b>{safe(picture.title) or " "}</b><br align="left"/>{small}<br align="left"/>>'


def _add(made: graphviz.Digraph, member: Shape | Frame) -> None:
    if isinstance(member, Shape):
        made.node(name_of(member.id), **_attributes(member))
        return
    inner = graphviz.Digraph(f"cluster_{name_of(member.head.id)}")
    inner.attr(**theme.FRAMES.get(member.head.look, theme.FRAMES["step"]))
    inner.node(name_of(member.head.id), **_attributes(member.head))
    for one in member.members:
        _add(inner, one)
    made.subgraph(inner)


def name_of(id_: str) -> str:
    """The name of a shape in DOT."""
    return f"n{id_}" if id_.isalnum() else "n_" + re.sub(r"\W", lambda found: f"_{ord(found.group()):x}_", id_)


def _attributes(shape: Shape) -> dict[str, str]:
    found = dict(theme.LOOKS[shape.look])
    if "label" not in found:
        found.update(_label(shape))
        found.update(_room(shape, found))
    found["class"] = " ".join(part for part in (shape.look, shape.state) if part)
    found["id"] = name_of(shape.id)
    if shape.tooltip:
        found["tooltip"] = graphviz.escape(clean(shape.tooltip))
    if shape.link:
        found["URL"] = graphviz.escape(_address(shape.link))
    if shape.state:
        found.update(_stated(shape, found))
    return found


def _address(link: str) -> str:
    """A link as Graphviz puts it into an SVG: it does not make markup harmless itself."""
    for letter, other in (("&", "&amp;"), ('"', "%22"), ("<", "%3C"), (">", "%3E"), (" ", "%20")):
        link = link.replace(letter, other)
    return clean(link)


def _room(shape: Shape, found: dict[str, str]) -> dict[str, str]:
    """The least width of what has other letters than ASCII."""
    small = [line for line in (shape.detail, shape.note) if line]
    texts = [*((text, 11.0) for text in map(_text, broken(shape.title))), *((line, 9.0) for line in small)]
    if "fixedsize" in found or all(text.replace("·", "").isascii() for text, _ in texts):
        return {}
    return {"width": f"{(max(points_of(text, size) for text, size in texts) + 24) / 72:.2f}"}


def _text(line: Title) -> str:
    return "".join(text for text, _ in line)


def _stated(shape: Shape, found: dict[str, str]) -> dict[str, str]:
    """The look of a run's state. What did not run is dimmed and dashed; what has no border keeps none."""
    state = dict(theme.STATES[shape.state])
    if shape.look == "unplanned":
        return {}
    if found.get("shape") == "plaintext":
        state = {key: value for key, value in state.items() if key == "fontcolor"}
    elif shape.look in ("start", "end", "fork", "join"):
        state = {"color": state["color"], "fillcolor": state["color"]}
    elif shape.state == "not-run":
        state["style"] = ",".join(dict.fromkeys([*found.get("style", theme.NODE["style"]).split(","), "dashed"]))
    return state


def _label(shape: Shape) -> dict[str, str]:
    if shape.look in STEP_KINDS or shape.look in ("child", "unplanned"):
        if shape.look == "progress":
            return {"label": plain_label(shape, 40)}
        return {"label": step_label(shape, dim=shape.state == "not-run")}
    if shape.look == "branch":
        return _diamond(shape)
    return {"label": plain_label(shape, 28 if shape.look in ("fail", "abort", "raise") else 44)}


def _diamond(shape: Shape) -> dict[str, str]:
    """A flat diamond around its condition: Graphviz's own would be as high as the text is wide."""
    lines = broken(shape.title, _WIDE)
    if not shape.text:
        return {"label": "", "width": "0.3", "height": "0.3", "fixedsize": "true"}
    wide = max(max(len(text) * _MONO_WIDTH, points_of(text, 9)) for text in map(_text, lines))
    high = 11.0 * len(lines)
    height = 22 + 2.0 * high
    width = max(wide / (1 - high / height) + 4, 40)
    return {
        "label": plain_label(shape, _WIDE),
        "width": f"{width / 72:.2f}",
        "height": f"{height / 72:.2f}",
        "fixedsize": "true",
    }


def _line(made: graphviz.Digraph, line: Line, *, is_run: bool) -> None:
    found = dict(theme.LINES[line.kind])
    if line.label:
        found["label"] = graphviz.escape(f"  {clean(line.label)}  ")
    if line.leaves:
        found["ltail"] = f"cluster_{name_of(line.leaves)}"
    if is_run and line.kind in ("control", "back", "exception"):
        found.update(theme.TAKEN if line.taken else theme.NOT_TAKEN)
    made.edge(name_of(line.source), name_of(line.target), **found)


def _legend(made: graphviz.Digraph, picture: Picture) -> None:
    inner = graphviz.Digraph("cluster_legend")
    inner.attr(label="legend", style="rounded", color="#d0d7de", fontcolor=theme.GREY, fontsize="9", margin="10")
    names: list[str] = []
    for number, (look, words) in enumerate(legend_rows(picture)):
        names.append(f"legend{number}")
        inner.node(names[-1], **{**theme.LOOKS[look], **_small(look), "label": words})
    for above, below in pairwise(names):
        inner.edge(above, below, style="invis")
    made.subgraph(inner)


def _small(look: str) -> dict[str, str]:
    if look in ("start", "end", "join"):
        return {"shape": "plaintext", "style": "", "fixedsize": "false", "fontsize": "9", "width": "0"}
    return {"fontsize": "9", "fontname": theme.SANS, "height": "0.2"}
