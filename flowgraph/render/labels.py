"""Graphviz's HTML-like labels: bold names with coloured holes, a small second line, and text of any kind made safe."""

from __future__ import annotations

import html
import unicodedata

from flowgraph.render.picture import Shape, Title
from flowgraph.render.theme import GREY, HOLE

WIDEST = 34
"""Names are broken after about so many characters."""

_MOST_LINES = 4


def clean(text: str) -> str:
    r"""Text on one line that XML can hold: control characters and halves of characters are shown as a question mark.

    >>> clean("a\x00b\ud800\tc")
    'a?b? c'
    """
    return "".join(map(_shown, text))


def _shown(letter: str) -> str:
    if letter in "\t\r\n\u2028\u2029":
        return " "
    return "?" if unicodedata.category(letter) in ("Cc", "Cs", "Cn") else letter


def safe(text: str) -> str:
    """Text inside a label, in which nothing is markup, and no backslash begins an escape of Graphviz."""
    return html.escape(clean(text), quote=True).replace("&#x27;", "&#39;").replace("\\", "&#92;&#92;")


def broken(title: Title, widest: int = WIDEST) -> list[Title]:
    """A title in lines, with its holes in braces.

    >>> broken((("reserve-all-the-items-of-an-order-", False), ("item", True)), 20)
    [(('reserve-all-the-', False),), (('items-of-an-order-', False),), (('{item}', True),)]
    """
    lines: list[list[tuple[str, bool]]] = [[]]
    room = widest
    for text, is_hole in title:
        for piece in _pieces(f"{{{text}}}" if is_hole else text, widest):
            if len(piece) > room and lines[-1]:
                lines.append([])
                room = widest
            lines[-1].append((piece, is_hole))
            room -= len(piece)
    joined = [_joined(line) for line in lines]
    return joined if len(joined) <= _MOST_LINES else [*joined[: _MOST_LINES - 1], (("…", False),)]


def _pieces(text: str, widest: int) -> list[str]:
    """A text in pieces that are not parted: words, with what ends them."""
    found = [""]
    for letter in text:
        found[-1] += letter
        if letter in " -_./:,|" or len(found[-1]) >= widest:
            found.append("")
    return [piece for piece in found if piece]


def _joined(line: list[tuple[str, bool]]) -> Title:
    made: list[tuple[str, bool]] = []
    for text, is_hole in line:
        if made and made[-1][1] == is_hole:
            made[-1] = (made[-1][0] + text, is_hole)
        else:
            made.append((text, is_hole))
    return tuple(made)


def points_of(text: str, size: float) -> float:
    """About how wide a text is, in points: Graphviz knows the widths of ASCII only where no fonts are installed.

    >>> points_of("ab", 10), points_of("注文", 10)
    (11.2, 20.0)
    """
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    joined = sum(unicodedata.combining(letter) > 0 for letter in text)
    return round((wide + (len(text) - wide - joined) * 0.56) * size, 1)


def step_label(shape: Shape, *, dim: bool = False) -> str:
    """The label of a step: its name, bold, and a small grey line below."""
    rows = ["".join(_part(text, is_hole, dim) for text, is_hole in line) for line in broken(shape.title)]
    name = "<br/>".join(f"<b>{row or ' '}</b>" for row in rows)
    small = [line for line in (shape.detail, shape.note) if line]
    lines = [f'<font point-size="9" color="{GREY}">{safe(line)}</font>' for line in small]
    return f"<{'<br/>'.join([name, *lines])}>"


def _part(text: str, is_hole: bool, dim: bool) -> str:
    return f'<font color="{HOLE}">{safe(text)}</font>' if is_hole and not dim else safe(text)


def plain_label(shape: Shape, widest: int) -> str:
    """The label of anything else: its text in lines, and what a run has made of it."""
    lines = [
        "".join(_part(text, is_hole, bool(shape.state)) for text, is_hole in line)
        for line in broken(shape.title, widest)
    ]
    small = [line for line in (shape.detail, shape.note) if line]
    lines += [f'<font point-size="8">{safe(line)}</font>' for line in small]
    return f"<{'<br/>'.join(lines) or ' '}>"
