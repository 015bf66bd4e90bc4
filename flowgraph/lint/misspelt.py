"""Comments that are meant to accept a finding, and are not written as such a comment is.

Said of a comment is what it looks like: a word such as ``ignore`` beside a code of ours, whatever tool it names, or
one that names flowgraph and has nothing but such a word. Sentences that speak of flowgraph, or of a code, are none.
"""

from __future__ import annotations

import re
from difflib import get_close_matches

_CODE = r"FG\d{3}\b"
_WITH_CODE = re.compile(
    rf"#\s*(?:[\w.-]+[\s:]+)?(?P<word>[\w.-]+)\s*(?:[=:\[]\s*|(?<=\w)\(\s*)['\"]?{_CODE}", re.IGNORECASE
)
"""``# fg: ignore[FG101]``, ``# flowgraph: disable=FG101``, ``# ruff: noqa: FG101``."""

_NAMED = re.compile(
    rf"#\s*flow-?graph(?P<mark>[\s:-]+)(?P<word>[a-z][\w-]*)(?P<sign>\s*(?:[\[=:]|$)|\(|\s+{_CODE})", re.IGNORECASE
)
"""``# flowgraph: igonre[E501]``, ``# flowgraph: skip``, ``# flowgraph: ignores FG101``."""

_ONLY_A_CODE = re.compile(rf"#\s*flow-?graph\s*(?::\s*\[?|\[)\s*{_CODE}\s*(?:\]|,|$)", re.IGNORECASE)
"""``# flowgraph: FG101``."""

_WORDS = frozenset({"ignore", "ignored", "noqa", "disable", "suppress", "skip", "allow", "silence", "nolint", "off"})
_LONG = ("ignore", "disable", "suppress")
"""Of these, others are taken for slips."""

_CLOSE = 0.8


def is_misspelt(comment: str) -> bool:
    """Tell whether a comment that accepts nothing is meant to.

    >>> is_misspelt("# flowgraph: igonre[FG101] why")
    True
    >>> is_misspelt("# flowgraph: the library")
    False
    """
    comment = comment.rstrip()
    if _ONLY_A_CODE.match(comment):
        return True
    with_code = _WITH_CODE.match(comment)
    if with_code is not None and _is_meant(with_code["word"]):
        return True
    named = _NAMED.match(comment)
    return named is not None and _is_order(named)


def _is_order(named: re.Match[str]) -> bool:
    """Tell whether words behind the name are meant for the tool: without a colon they may be a sentence."""
    has_mark = not named["mark"].isspace() or named["sign"].strip()[:1] == "["
    return _is_meant(named["word"]) if has_mark else named["word"].lower() in _WORDS and "FG" in named["sign"].upper()


def _is_meant(word: str) -> bool:
    """Tell whether a word is one of those by which tools accept findings, or a slip of one."""
    parts = re.split(r"[-_.]", word.lower())
    return any(part in _WORDS or bool(get_close_matches(part, _LONG, 1, _CLOSE)) for part in parts)
