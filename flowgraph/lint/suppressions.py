"""Comments that accept a finding: ``# flowgraph: ignore[FG101] reason``, the same for a whole file, and ``# noqa``.

A comment covers its own line. On the first or the last line of a statement of several lines it covers all of them; of
a compound statement (``for``, ``def``) only the head counts, with its decorators. It has to be a comment: the same text
inside a string is none.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from flowgraph.lint.misspelt import is_misspelt

_HINT = re.compile(rb"#\s*(?:flow-?graph|noqa)|#[^\n#]*\bFG\d", re.IGNORECASE)
_PART = re.compile(r"#(?:[^#]|#(?=\d))*")
"""A comment in a comment; ``#12`` is the number of an issue."""

_IGNORE = re.compile(
    r"#\s*flowgraph(?:\s*:\s*|\s+)(?P<kind>ignored?(?:[-_]file)?)\s*\[(?P<codes>[^\]]*)\][ \t:,-]*(?P<reason>.*)",
    re.IGNORECASE,
)
_WITHOUT_CODES = re.compile(
    r"#\s*flowgraph\s*:\s*(?P<kind>ignore(?:-file)?)(?![-\w(])[ \t:,-]*(?P<reason>.*)", re.IGNORECASE
)
_NOQA = re.compile(
    r"#\s*noqa\b(?:\s*:\s*(?P<codes>[A-Z]+\d+(?:[\s,]+[A-Z]+\d+)*)[ \t:,-]*(?P<reason>.*))?", re.IGNORECASE
)
_OURS = "FG"


@attrs.frozen
class Comment:
    """One comment that accepts findings.

    Attributes:
        kind: ``ignore``, ``ignore-file`` or ``noqa``; ``misspelt`` where it is meant to be one of them and is none.
        codes: what it accepts, as it is written; nothing for a ``noqa`` that accepts all.
        foreign: the codes of other tools in a ``noqa``.
        reason: what stands behind; all of a misspelt one.
        line: where it is.
        begins: the column behind the code before it.
        column: its first character.
        end_column: the column after its last one.
        first: the first line that it covers.
        last: the last one.
        alone: nothing else is in its line.
    """

    kind: str
    codes: tuple[str, ...]
    reason: str
    line: int
    begins: int
    column: int
    end_column: int
    first: int
    last: int
    alone: bool = False
    foreign: tuple[str, ...] = ()

    @property
    def accepts_all(self) -> bool:
        """Whether it is a ``noqa`` without codes."""
        return self.kind == "noqa" and not self.codes

    def covers(self, line: int) -> bool:
        """Tell whether a finding of that line is meant."""
        return self.kind == "ignore-file" or self.first <= line <= self.last

    @classmethod
    def restored(cls, plain: dict[str, Any]) -> Comment:
        """What ``attrs.asdict`` gave, read from JSON."""
        return cls(**{**plain, "codes": tuple(plain["codes"]), "foreign": tuple(plain["foreign"])})


@attrs.frozen
class Verdict:
    """A comment when all findings are known.

    Attributes:
        comment: the comment.
        unused: the codes in it that were checked, and accepted nothing.
        unknown: the codes in it that are none.
    """

    comment: Comment
    unused: tuple[str, ...]
    unknown: tuple[str, ...]


def may_have_comments(content: bytes) -> bool:
    """Tell from the bytes of a file whether it is worth looking for comments."""
    return _HINT.search(content) is not None


def comments_of(text: str, tree: ast.Module | None) -> list[Comment]:
    """The comments of a file; without its tree each covers its own line only."""
    lines = text.split("\n")
    found = [comment for token in _tokens(text) for comment in _comments_in(token, lines[token.start[0] - 1])]
    extents = _extents(tree, lines) if found and tree is not None else []
    return [_stretched(comment, extents) for comment in found]


def _tokens(text: str) -> Iterator[tokenize.TokenInfo]:
    """The comments of a text, up to where it is no Python any more."""
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                yield token
    except (tokenize.TokenError, SyntaxError):
        return


def _comments_in(token: tokenize.TokenInfo, whole: str) -> Iterator[Comment]:
    """The comments that one comment consists of: ``# noqa: E501 # flowgraph: ignore[FG101]``."""
    for part in _PART.finditer(token.string):
        text = part[0].rstrip()
        if (found := _IGNORE.match(text) or _WITHOUT_CODES.match(text)) is not None:
            codes = tuple(re.findall(r"[^\s,]+", found.groupdict().get("codes", "")))
            kind = "ignore-file" if found["kind"].lower().endswith("file") else "ignore"
            yield _comment(token, whole, part, kind, codes, found["reason"])
        elif (found := _NOQA.match(text)) is not None:
            codes = tuple(re.findall(r"[A-Z]+\d+", (found["codes"] or "").upper()))
            ours = tuple(code for code in codes if code.startswith(_OURS))
            if ours or not codes:
                comment = _comment(token, whole, part, "noqa", ours, found["reason"] or "")
                yield attrs.evolve(comment, foreign=tuple(code for code in codes if code not in ours))
        elif is_misspelt(text):
            yield _comment(token, whole, part, "misspelt", (), text)


def _comment(
    token: tokenize.TokenInfo, whole: str, part: re.Match[str], kind: str, codes: tuple[str, ...], reason: str
) -> Comment:
    line, offset = token.start
    start = offset + part.start()
    before, end = whole[:start].rstrip(), start + len(part[0].rstrip())
    alone = not before and not whole[end:].strip()
    begins = len(before) if before else start
    return Comment(kind, codes, reason, line, begins + 1, start + 1, end + 1, line, line, alone)


def _stretched(comment: Comment, extents: Sequence[tuple[int, int]]) -> Comment:
    """The comment over the smallest statement of which it is in the first or the last line."""
    around = [extent for extent in extents if comment.line in extent]
    if comment.alone or not around:
        return comment
    first, last = min(around, key=lambda extent: extent[1] - extent[0])
    return attrs.evolve(comment, first=first, last=last)


def _extents(tree: ast.Module, lines: list[str]) -> list[tuple[int, int]]:
    """The first and last lines of all statements, and of the heads of compound ones, that have more than one."""
    found = [
        (_first_line(node), _last_line(node, lines))
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case)
    ]
    return [(first, last) for first, last in found if last > first]


def _first_line(node: ast.stmt | ast.ExceptHandler | ast.match_case) -> int:
    if isinstance(node, ast.match_case):
        return node.pattern.lineno
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _last_line(node: ast.stmt | ast.ExceptHandler | ast.match_case, lines: list[str]) -> int:
    """Where a statement ends; of one with a body, where its head does."""
    body: list[ast.stmt] = getattr(node, "body", None) or getattr(node, "cases", None) or []
    if not body:
        end: int | None = getattr(node, "end_lineno", None)
        return end or _first_line(node)
    last = _first_line(body[0]) - 1
    while last > 0 and lines[last - 1].strip()[:1] in ("", "#"):
        last -= 1
    return last
