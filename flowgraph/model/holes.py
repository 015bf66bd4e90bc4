"""Names and paths with holes, as graphs have them: ``charge-{user.id}``.

A hole stands for the text that its expression gives in a run. Braces that are text are doubled, as in an f-string.
"""

from __future__ import annotations

from collections.abc import Iterator

_QUOTES = "'\""
_ENDS = {"(": ")", "[": "]", "{": "}"}


def doubled(text: str) -> str:
    """Text as it stands in a name with holes.

    >>> doubled("a{b}")
    'a{{b}}'
    """
    return text.replace("{", "{{").replace("}", "}}")


def name_parts(name: str) -> Iterator[tuple[str, bool]]:
    """The parts of a name or a path in turn: text, or the expression of a hole; the flag says which is a hole.

    >>> list(name_parts("a{{1}}-{user['id']}/b"))
    [('a{1}-', False), ("user['id']", True), ('/b', False)]
    """
    text, at = "", 0
    while at < len(name):
        if name.startswith(("{{", "}}"), at):
            text, at = text + name[at], at + 2
            continue
        end = _end(name, at) if name[at] == "{" else None
        if end is None:
            text, at = text + name[at], at + 1
            continue
        if text:
            yield text, False
        yield name[at + 1 : end - 1], True
        text, at = "", end
    if text:
        yield text, False


def _end(text: str, start: int) -> int | None:
    """Where the hole that begins at `start` ends: its brackets are closed, and no text in quotes is open."""
    waiting: list[str] = []
    quote = ""
    for place in range(start, len(text)):
        letter = text[place]
        if quote:
            quote = "" if letter == quote else quote
        elif letter in _QUOTES:
            quote = letter
        elif letter in _ENDS:
            waiting.append(_ENDS[letter])
        elif waiting and letter == waiting[-1]:
            waiting.pop()
            if not waiting:
                return place + 1
    return None
