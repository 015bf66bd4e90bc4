"""A whole lint: which files, what the rules say of each, what follows from all of them together.

First every file's bytes are looked at; those that mention flowgraph are checked at once, and nothing is kept of the
others. What the checked ones give on decides which others have to do with workflows after all (`exports`). What the
last lint found out about that is a hint by which one look at each file is enough; where it was wrong they are looked
at again. At the end the rules about the whole project conclude, and the comments in the files are held against it all.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from flowgraph.lint.cache import Cache
from flowgraph.lint.checking import Checked, comments_in, unreadable
from flowgraph.lint.exports import Exports, mentions
from flowgraph.lint.files import python_files
from flowgraph.lint.inspector import Inspector
from flowgraph.lint.report import Report
from flowgraph.lint.settings import Settings
from flowgraph.lint.sources import Sources
from flowgraph.lint.suppressions import Comment
from flowgraph.lint.verdicts import held_against, verdicts
from flowgraph.model.diagnostic import Diagnostic


def lint(
    paths: Sequence[str],
    settings: Settings | None = None,
    *,
    cache: Path | None = None,
    contents: Mapping[str, bytes] | None = None,
) -> Report:
    r"""Check files, and the files below folders.

    Args:
        paths: the files and folders, in any order.
        settings: what is checked; by default all rules that are on.
        cache: the folder in which results are kept; None keeps none.
        contents: what stands for the contents of files; a path in it need not exist.

    Raises:
        BadSettings: a path does not exist, or a setting means nothing.

    >>> from flowgraph.lint import lint
    >>> text = b"from flowgraph import step, workflow\n@workflow\nasync def f(): await step('', print)\n"
    >>> [found] = lint(["flow.py"], contents={"flow.py": text}).findings
    >>> found.code, found.line, found.column
    ('FG107', 3, 27)
    """
    kept = Cache(cache)
    run = _Run(paths, settings or Settings(), kept, Sources(contents))
    run.look()
    report = run.report()
    kept.trim()
    return report


class _Run:
    """One lint at work."""

    def __init__(self, paths: Sequence[str], settings: Settings, cache: Cache, sources: Sources) -> None:
        self._paths = paths
        self._settings = settings
        self._cache = cache
        self._sources = sources
        self._inspector = Inspector(settings, cache, sources)
        self._exports = Exports()
        self._checked: dict[str, Checked] = {}
        self._scanned = 0

    def look(self) -> None:
        """Check all files that have to do with workflows."""
        key = self._cache.key("exports", *(str(Path(path).absolute()) for path in self._paths))
        looked_for = hint = self._cache.find(key, Exports.restored) or Exports()
        candidates = self._look_at_all(hint)
        while True:
            if not self._exports <= looked_for:
                looked_for = self._exports.copy()
                candidates = self._importers(looked_for)
            if not self._check_candidates(candidates):
                break
        if not (self._exports <= hint and hint <= self._exports):
            self._cache.keep(key, self._exports.plain())

    def _look_at_all(self, hint: Exports) -> list[str]:
        """Check the files that mention flowgraph or are given by name; returns the others that may import from them."""
        candidates = []
        given = {os.path.normpath(path) for path in self._paths}
        for path in python_files(self._paths, self._settings, self._sources.contents):
            self._scanned += 1
            try:
                content = self._sources.read(path)
            except OSError as error:
                self._checked[path] = unreadable(path, b"", error)
                continue
            if mentions(content) or path in given:
                self._check(path, content)
            elif hint.are_used_in(content):
                candidates.append(path)
        return candidates

    def _importers(self, exports: Exports) -> list[str]:
        """The files that are not checked yet, and may import something of what others give on."""
        files = python_files(self._paths, self._settings, self._sources.contents)
        return [path for path in files if path not in self._checked and exports.are_used_in(self._content(path))]

    def _check_candidates(self, candidates: Iterable[str]) -> bool:
        """Check those that do import something; tells whether there was one."""
        fresh = [path for path in candidates if path not in self._checked]
        contents = ((path, self._content(path)) for path in fresh)
        chosen = [(path, content) for path, content in contents if self._exports.are_used_in(content)]
        for path, content in chosen:
            self._check(path, content)
        return bool(chosen)

    def _content(self, path: str) -> bytes:
        try:
            return self._sources.read(path)
        except OSError:  # It has gone since it was looked at first.
            return b""

    def _check(self, path: str, content: bytes) -> None:
        checked = self._inspector.check(path, content)
        self._checked[path] = checked
        self._exports.add(path, checked.exports)

    def report(self) -> Report:
        """What came out."""
        checked = [self._checked[path] for path in sorted(self._checked)]
        concluded, failures = self._inspector.conclude({one.path: one.facts for one in checked if one.facts})
        findings = _once([*(found for one in checked for found in one.findings), *concluded])
        return Report(
            tuple(sorted(self._settled(findings), key=_place)),
            (*(failure for one in checked for failure in one.failures), *failures),
            sum(one.workflows for one in checked),
            sum(one.workflows > 0 for one in checked),
            self._scanned,
        )

    def _settled(self, findings: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
        """The findings that neither a comment nor the settings accept, with those about comments."""
        selection = self._inspector.selection
        comments = self._comments({found.path for found in findings})
        outcome = held_against(findings, comments, selection)
        judged = self._inspector.judge(list(verdicts(comments, outcome, selection, self._can_tell)))
        for found in (*outcome.kept, *held_against(judged, comments, selection).kept):
            if found.code in selection.selected and not selection.is_meant(
                found.code, self._settings.ignored_in(found.path)
            ):
                yield found

    def _comments(self, paths: Iterable[str]) -> dict[str, Sequence[Comment]]:
        """The comments of the checked files, and of others in which something was found."""
        comments = {one.path: one.comments for one in self._checked.values() if one.comments}
        others = {path for path in paths if path not in self._checked}
        return {**comments, **{path: comments_in(self._content(path)) for path in others}}

    def _can_tell(self, path: str, code: str) -> bool:
        """Tell whether a code would have been found: some findings need other files than those that were checked."""
        checked = self._checked.get(path)
        if checked is None or any(found.code == "FG901" for found in checked.findings):
            return False
        if self._inspector.selection.is_meant(code, self._settings.ignored_in(path)):
            return False
        alone = not any(Path(given).is_dir() for given in self._paths)
        return not alone or (checked.workflows > 0 and code not in self._inspector.selection.about_project)


def _once(findings: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The findings without those that a helper has for each of the workflows that call it: the first one's do."""
    workflows: dict[tuple[str, int, int, str], str | None] = {}
    kept: dict[tuple[str, int, int, str, str], Diagnostic] = {}
    for found in findings:
        first = workflows.setdefault((found.path, found.line, found.column, found.code), found.workflow)
        if found.workflow == first:
            kept.setdefault(_place(found), found)
    return list(kept.values())


def _place(found: Diagnostic) -> tuple[str, int, int, str, str]:
    return found.path, found.line, found.column, found.code, found.message
