"""A picture as Mermaid text, which code forges show in comments and pages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from flowgraph.errors import InvalidOption
from flowgraph.render import theme
from flowgraph.render.dot import name_of
from flowgraph.render.labels import clean
from flowgraph.render.picture import Frame, Line, Picture, Shape

MOST_CHARACTERS, MOST_LINES = 50_000, 500
"""What Mermaid itself draws at the most."""

_SHAPES = {
    "branch": ('{"', '"}'),
    "loop": ('{{"', '"}}'),
    "map": ('[["', '"]]'),
    "for_each": ('[["', '"]]'),
    "child": ('[["', '"]]'),
    "start": ('(("', '"))'),
    "end": ('((("', '")))'),
    "handler": ('(["', '"])'),
    "finally": ('(["', '"])'),
    "fork": ('["', '"]'),
    "progress": ('>"', '"]'),
}
_direction = re.compile(r"direction\s")
"""Mermaid takes a line with ``direction LR`` for an instruction, wherever that stands in it."""

_ARROWS = {"control": "-->", "back": "-.->", "exception": "-.->", "data": "-.->"}


def mermaid_of(picture: Picture) -> str:
    """The Mermaid source of a picture.

    Raises:
        InvalidOption: it is larger than what Mermaid draws.
    """
    lines = [line for line in picture.lines if line.kind != "order"]
    text = "\n".join([_title(picture), "flowchart TD", *_body(picture, lines), ""])
    if len(text) > MOST_CHARACTERS or len(lines) > MOST_LINES:
        raise InvalidOption(
            "format", "mermaid",
            f"the picture has {len(lines)} lines and {len(text)} characters, and Mermaid draws {MOST_LINES} and "
            f"{MOST_CHARACTERS} at the most; draw less of it, with a depth or a focus, or another format",
        )  # fmt: skip
    return text


def _title(picture: Picture) -> str:
    quoted = _direction.sub(r"direction\\u0020", json.dumps(clean(picture.title), ensure_ascii=False))
    return f"---\ntitle: {quoted}\n---"


def _body(picture: Picture, lines: list[Line]) -> Iterator[str]:
    for member in picture.members:
        yield from _member(member, "  ")
    yield from (_line(line) for line in lines)
    shapes = list(picture.shapes())
    for look in dict.fromkeys(shape.look for shape in shapes):
        found = theme.LOOKS[look]
        if "fillcolor" in found:
            text = theme.PAPER if found["fillcolor"] == theme.TEXT else theme.TEXT
            dashes = ",stroke-dasharray:4 3" if "dashed" in found.get("style", "") else ""
            yield f"  classDef look-{look} fill:{found['fillcolor']},stroke:{found['color']},color:{text}{dashes}"
            names = ",".join(name_of(shape.id) for shape in shapes if shape.look == look)
            yield f"  class {names} look-{look}"
    for state in dict.fromkeys(shape.state for shape in shapes if shape.state):
        found = theme.STATES[state]
        dashes = ",stroke-dasharray:4 3" if state == "not-run" else ""
        yield f"  classDef is-{state} stroke:{found['color']},stroke-width:{found.get('penwidth', '1')}px{dashes}"
        yield f"  class {','.join(name_of(shape.id) for shape in shapes if shape.state == state)} is-{state}"


def _member(member: Shape | Frame, indent: str) -> Iterator[str]:
    if isinstance(member, Shape):
        yield f"{indent}{_shape(member)}"
        return
    yield f'{indent}subgraph f{name_of(member.head.id)}[" "]'
    yield f"{indent}  {_shape(member.head)}"
    for one in member.members:
        yield from _member(one, indent + "  ")
    yield f"{indent}end"


def _shape(shape: Shape) -> str:
    before, after = _SHAPES.get(shape.look, ('["', '"]'))
    lines = [shape.text, shape.detail, shape.note]
    return f"{name_of(shape.id)}{before}{'<br/>'.join(_escaped(line) for line in lines if line) or ' '}{after}"


def _line(line: Line) -> str:
    arrow = _ARROWS[line.kind]
    label = f'|"{_escaped(line.label)}"|' if line.label else ""
    source = f"f{name_of(line.leaves)}" if line.leaves else name_of(line.source)
    return f"  {source} {arrow}{label} {name_of(line.target)}"


def _escaped(text: str) -> str:
    """Text in which nothing has a meaning to Mermaid, Markdown or HTML."""
    written = "".join(
        letter if letter.isalnum() or letter in " .,:·…-_=+/()[]{}'?!" else f"#{ord(letter)};" for letter in clean(text)
    )
    return _direction.sub("direction#32;", written)
