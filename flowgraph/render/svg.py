"""An SVG as Graphviz makes it, made ours: one file for light and dark pages, with tooltips that browsers show."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

from flowgraph.errors import GraphvizError
from flowgraph.render import theme
from flowgraph.render.labels import clean
from flowgraph.render.picture import Picture
from flowgraph.render.view import Theme

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_FONTS = {
    "Helvetica": "Helvetica,Arial,sans-serif",
    "Courier": "ui-monospace,Menlo,Consolas,'Liberation Mono','Courier New',monospace",
}
_OUTLINES = frozenset(f"{{{_SVG}}}{name}" for name in ("polygon", "path", "ellipse"))
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def finished(content: bytes, picture: Picture, mode: Theme) -> bytes:
    """The SVG of a picture, from what Graphviz has made of it; GraphvizError where that is no SVG."""
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    try:
        root = ElementTree.fromstring(re.sub(rb"<!DOCTYPE[^>]*>", b"", content, count=1))  # noqa: S314 - Graphviz made it.
    except ElementTree.ParseError as error:
        raise GraphvizError(f"What Graphviz made is no SVG ({error}). FLOWGRAPH_DOT names the one to use.") from None
    tooltips = {f"n{shape.id}": shape.tooltip for shape in picture.shapes()}
    for element in root.iter():
        _mend(element, tooltips)
        if element.get("class", "").startswith("node"):
            _centre(element)
    _name(root, picture)
    style = ElementTree.Element(f"{{{_SVG}}}style")
    style.text = _style(mode)
    root.insert(2, style)
    text = ElementTree.tostring(root, encoding="unicode")
    return (_HEAD + text + "\n").encode()


def _mend(element: ElementTree.Element, tooltips: dict[str, str]) -> None:
    """Give a group its tooltip as a title, which browsers show, and texts fonts that readers have."""
    font = element.get("font-family")
    if font is not None:
        element.set("font-family", next((ours for known, ours in _FONTS.items() if font.startswith(known)), font))
    element.attrib.pop(f"{{{_XLINK}}}title", None)
    if element.tag == f"{{{_SVG}}}text" and element.get("fill") is None:
        element.set("fill", "#000000")
    title = element.find(f"{{{_SVG}}}title")
    if title is not None:
        tooltip = clean(tooltips.get(title.text or "", ""))
        if tooltip:
            title.text = tooltip
        else:
            element.remove(title)


def _centre(node: ElementTree.Element) -> None:
    """Join the pieces of each line of a label, and centre it: readers' fonts are not as wide as those of the layout."""
    shape = next((one for one in node.iter() if one.tag in _OUTLINES), None)
    middle = None if shape is None else _middle(shape)
    parents = {id(child): parent for parent in node.iter() for child in parent}
    lines: dict[str, ElementTree.Element] = {}
    for text in [one for one in node.iter(f"{{{_SVG}}}text") if one.get("text-anchor") == "start"]:
        line = lines.get(text.get("y", ""))
        if line is None and middle is not None:
            line = lines[text.get("y", "")] = ElementTree.Element(
                text.tag, {"text-anchor": "middle", "x": f"{middle:.2f}", "y": text.get("y", "")}
            )
            line.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
            around = parents[id(text)]
            around.insert(list(around).index(text), line)
        if line is not None:
            told = {key: value for key, value in text.attrib.items() if key not in ("text-anchor", "x", "y")}
            piece = ElementTree.SubElement(line, f"{{{_SVG}}}tspan", told)
            piece.text = text.text
            parents[id(text)].remove(text)


def _middle(shape: ElementTree.Element) -> float | None:
    """The middle of an outline, from left to right."""
    if shape.get("cx") is not None:
        return float(shape.get("cx", "0"))
    numbers = [float(found) for found in re.findall(r"-?\d+(?:\.\d+)?", shape.get("points") or shape.get("d") or "")]
    return (min(numbers[::2]) + max(numbers[::2])) / 2 if numbers else None


def _name(root: ElementTree.Element, picture: Picture) -> None:
    root.set("role", "img")
    title = ElementTree.Element(f"{{{_SVG}}}title")
    title.text = clean(f"Workflow {picture.title}")
    description = ElementTree.Element(f"{{{_SVG}}}desc")
    description.text = clean(picture.subtitle)
    root.insert(0, title)
    root.insert(1, description)


def _style(mode: Theme) -> str:
    """The rules for dark pages: each colour of the palette is another one there."""
    rules = "".join(
        f'[fill="{light}"]{{fill:{dark}}}[stroke="{light}"]{{stroke:{dark}}}' for light, dark in theme.DARK.items()
    )
    rules += '[fill="white"]{fill:#0d1117}[fill="#000000"]{fill:#e6edf3}'
    match mode:
        case "light":
            return ""
        case "dark":
            return rules
    return f"@media (prefers-color-scheme:dark){{{rules}}}"


def darkened(source: str) -> str:
    """A DOT source in the colours of dark pages, for what is no SVG."""
    return re.sub(r"#[0-9a-f]{6}", lambda found: theme.DARK.get(found.group(), found.group()), source)
