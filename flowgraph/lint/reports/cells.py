"""Text as a terminal shows it: how wide it is, and without what would move the cursor."""

from __future__ import annotations

import unicodedata

_TAB = 4


def shown(text: str) -> str:
    r"""A line with spaces for tabs, and without control characters.

    >>> shown("a\tb\x1b[1m")
    'a   b�[1m'
    """
    if text.isascii() and text.isprintable():
        return text
    shown_ = ""
    for character in text:
        shown_ += " " * (_TAB - cells(shown_) % _TAB) if character == "\t" else _printable(character)
    return shown_


def cells(text: str) -> int:
    r"""How many columns a text takes.

    >>> cells("abc"), cells("注文"), cells("e\u0301"), cells("a\tb")
    (3, 4, 1, 5)
    """
    if text.isascii() and "\t" not in text:
        return len(text)
    width = 0
    for character in text:
        width += _TAB - width % _TAB if character == "\t" else _width(character)
    return width


def _width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _printable(character: str) -> str:
    visible = character.isprintable() or unicodedata.category(character) in ("Zs", "Cf", "Mn")
    return character if visible else "\ufffd"
