"""What of a graph is drawn, and how: the options of a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import attrs

from flowgraph.errors import InvalidOption

Theme = Literal["auto", "light", "dark"]
_PLACES = ("{path}", "{abs}", "{line}", "{name}", "{workflow}")


def _count(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise InvalidOption(attribute.name, value, "it is a whole number of 0 or more")


def _theme(_: object, __: object, value: str) -> None:
    if value not in get_args(Theme):
        raise InvalidOption("theme", value, f"it is one of {', '.join(get_args(Theme))}")


def _link(_: object, __: object, value: str) -> None:
    try:
        value.format(path="", abs="", line=1, name="", workflow="")
    except (KeyError, IndexError, ValueError, AttributeError):
        raise InvalidOption("link", value, f"what may stand in it is {', '.join(_PLACES)}") from None


@attrs.frozen
class View:
    """Which parts of a graph a picture shows.

    Args:
        depth: frames inside so many frames are shown as their head alone; None shows all.
        focus: the name or path of a step; only what is near it is shown.
        hops: how near, in lines.
        data: show which step's result goes to which.
        legend: explain the looks that are in use.
        link: where shapes lead to, with ``{path}``, ``{abs}`` (the file, as given or absolute), ``{line}``, ``{name}``
            and ``{workflow}``; "" for nowhere.
        children: where the shapes of child workflows lead to, by the name of the workflow or of its function.
        theme: ``light``, ``dark``, or ``auto``: an SVG follows the reader's setting.
    """

    depth: int | None = attrs.field(default=None, validator=_count)
    focus: str | None = None
    hops: int = attrs.field(default=2, validator=_count)
    data: bool = False
    legend: bool = False
    link: str = attrs.field(default="", validator=_link)
    children: Mapping[str, str] = attrs.field(factory=dict)
    theme: Theme = attrs.field(default="auto", validator=_theme)
