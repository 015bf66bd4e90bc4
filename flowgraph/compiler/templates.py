"""Step names as templates: text with holes.

Literals, f-strings, ``+``, ``%``, ``.format`` and constants of the module are folded; what is left is a hole, which
stands for the text of an expression.
"""

from __future__ import annotations

import re

import attrs

from flowgraph.model import escaped

_hole = re.compile(r"%[sdr]")
_field = re.compile(r"\{(\w*)\}")


@attrs.frozen
class Hole:
    """An expression whose text is not known before the run."""

    text: str


Part = str | Hole


@attrs.frozen
class Template:
    """A name: literal text and holes in turn.

    >>> str(Template(("fetch-", Hole("user.id"))))
    'fetch-{user.id}'
    """

    parts: tuple[Part, ...]

    def __str__(self) -> str:
        return "".join(part if isinstance(part, str) else f"{{{part.text}}}" for part in self.parts)

    @property
    def path(self) -> str:
        """The name as a part of a path: what has a meaning there is escaped, and a hole stands as ``{expression}``."""
        return "".join(escaped(part) if isinstance(part, str) else f"{{{part.text}}}" for part in self.parts)


def joined(*parts: Part) -> Template:
    """A template of parts, with neighbouring texts as one.

    >>> joined("a", "b", Hole("x"), "").parts
    ('ab', Hole(text='x'))
    """
    made: list[Part] = []
    for part in parts:
        if part == "":
            continue
        if made and isinstance(part, str) and isinstance(made[-1], str):
            made[-1] += part
        else:
            made.append(part)
    return Template(tuple(made) or ("",))


def by_percent(text: str, values: list[Template]) -> Template | None:
    """``text % values``, for the plain directives; None where it has others.

    >>> str(by_percent("a-%s", [joined(Hole("n"))]))
    'a-{n}'
    """
    pieces = _hole.split(text)
    if "%" in "".join(pieces) or len(pieces) != len(values) + 1:
        return None
    parts: list[Part] = [pieces[0]]
    for value, piece in zip(values, pieces[1:], strict=True):
        parts += [*value.parts, piece]
    return joined(*parts)


def by_format(text: str, positional: list[Template], named: dict[str, Template]) -> Template | None:
    """``text.format(…)`` with plain fields; None where it has others.

    >>> str(by_format("{}-{b}", [joined("x")], {"b": joined(Hole("n"))}))
    'x-{n}'
    """
    values = {str(place): value for place, value in enumerate(positional)} | named
    parts: list[Part] = []
    at, number = 0, 0
    for field in _field.finditer(text):
        parts.append(text[at : field.start()])
        key = field[1]
        if not key:
            key, number = str(number), number + 1
        if key not in values:
            return None
        parts += values[key].parts
        at = field.end()
    parts.append(text[at:])
    if any(isinstance(part, str) and ("{" in part or "}" in part) for part in parts):
        return None
    return joined(*parts)
