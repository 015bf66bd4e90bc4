"""Holding the comments of files against the findings: what is accepted, and which comments accept nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import attrs

from flowgraph.lint.selection import Selection
from flowgraph.lint.suppressions import Comment, Verdict
from flowgraph.model.diagnostic import Diagnostic

Comments = Mapping[str, Sequence[Comment]]
ABOUT_COMMENTS = frozenset({"FG902", "FG903", "FG904"})
"""What accepts one of these is used, even where nothing is found: it is not known before it is judged."""


@attrs.frozen
class Outcome:
    """The findings that no comment accepts, and what the comments have accepted: by file, its lines, and codes."""

    kept: tuple[Diagnostic, ...]
    used: frozenset[tuple[str, Comment, str]]


def held_against(findings: Iterable[Diagnostic], comments: Comments, selection: Selection) -> Outcome:
    """Part the findings into those that stay and those that comments accept."""
    kept: list[Diagnostic] = []
    used: set[tuple[str, Comment, str]] = set()
    for found in findings:
        accepting = [one for one in comments.get(found.path, ()) if _accepts(one, found, selection)]
        used.update((found.path, comment, found.code) for comment in accepting)
        if not accepting:
            kept.append(found)
    return Outcome(tuple(kept), frozenset(used))


def _accepts(comment: Comment, found: Diagnostic, selection: Selection) -> bool:
    if not comment.covers(found.line):
        return False
    return comment.accepts_all or found.code in map(selection.code_of, comment.codes)


def verdicts(
    comments: Comments, outcome: Outcome, selection: Selection, can_tell: Callable[[str, str], bool]
) -> Iterator[tuple[str, Verdict]]:
    """The comments with which something may be wrong; `can_tell` says of a file and a code whether all was checked."""
    for path, own in comments.items():
        for comment in own:
            codes = [(text, selection.code_of(text)) for text in comment.codes]
            unknown = tuple(text for text, code in codes if code is None)
            unused = tuple(
                text
                for text, code in codes
                if code is not None
                and code in selection.selected - ABOUT_COMMENTS
                and (path, comment, code) not in outcome.used
                and can_tell(path, code)
            )
            if unused or unknown or not (comment.reason or comment.kind == "noqa") or not comment.codes:
                yield path, Verdict(comment, unused, unknown)
