"""A whole lint: what the rules say of each file, and what follows from all of them together.

The rules about the whole project conclude from the facts of all files. A finding in a helper is told once, however many
workflows have it. Then the comments in the files, and the settings for single files, are held against all findings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from flowgraph.lint.cache import Cache
from flowgraph.lint.checking import Checked, comments_in
from flowgraph.lint.inspector import Inspector
from flowgraph.lint.report import Report
from flowgraph.lint.settings import Settings
from flowgraph.lint.sources import Sources
from flowgraph.lint.suppressions import Comment
from flowgraph.lint.survey import Survey
from flowgraph.lint.verdicts import held_against, verdicts
from flowgraph.model.diagnostic import Diagnostic

if TYPE_CHECKING:
    from flowgraph.lint.against import Against


def lint(
    paths: Sequence[str],
    settings: Settings | None = None,
    *,
    cache: Path | None = None,
    contents: Mapping[str, bytes] | None = None,
    jobs: int = 1,
    against: Against | None = None,
) -> Report:
    r"""Check files, and the files below folders.

    Args:
        paths: the files and folders, in any order.
        settings: what is checked; by default all rules that are on.
        cache: the folder in which results are kept; None keeps none.
        contents: what stands for the contents of files; a path in it need not exist.
        jobs: in how many processes files may be checked, if there are many.
        against: what the workflows are held against (FG604); see `against_graphs`.

    Raises:
        BadSettings: a path does not exist, or a setting means nothing.

    >>> from flowgraph.lint import lint
    >>> text = b"from flowgraph import step, workflow\n@workflow\nasync def f(): await step('', print)\n"
    >>> [found] = lint(["flow.py"], contents={"flow.py": text}).findings
    >>> found.code, found.line, found.column
    ('FG107', 3, 27)
    """
    settings = attrs.evolve(settings or Settings(), against=against is not None)
    kept, sources = Cache(cache), Sources(contents)
    inspector = Inspector(settings, kept, sources, jobs)
    try:
        survey = Survey(paths, settings, kept, sources, inspector)
        survey.make()
    finally:
        inspector.close()
    report = _Conclusion(paths, settings, inspector, survey).report(against)
    kept.trim()
    return report


class _Conclusion:
    """What follows from all files of a survey together."""

    def __init__(self, paths: Sequence[str], settings: Settings, inspector: Inspector, survey: Survey) -> None:
        self._paths = paths
        self._settings = settings
        self._inspector = inspector
        self._survey = survey
        self._checked = survey.checked

    def report(self, against: Against | None) -> Report:
        """What came out."""
        checked = [self._checked[path] for path in sorted(self._checked)]
        concluded, failures = self._inspector.conclude({one.path: one.facts for one in checked if one.facts})
        compared = () if against is None else _compared(checked, against)
        findings = _once([*(found for one in checked for found in one.findings), *concluded, *compared])
        return Report(
            tuple(sorted(self._settled(findings), key=_place)),
            (*(failure for one in checked for failure in one.failures), *failures),
            sum(one.workflows for one in checked),
            sum(one.workflows > 0 for one in checked),
            self._survey.scanned,
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
        return {**comments, **{path: comments_in(self._survey.content(path)) for path in others}}

    def _can_tell(self, path: str, code: str) -> bool:
        """Tell whether a code would have been found: some findings need other files than those that were checked."""
        checked = self._checked.get(path)
        if checked is None or any(found.code == "FG901" for found in checked.findings):
            return False
        if self._inspector.selection.is_meant(code, self._settings.ignored_in(path)):
            return False
        alone = not any(Path(given).is_dir() for given in self._paths)
        return not alone or (checked.workflows > 0 and code not in self._inspector.selection.about_project)


def _compared(checked: Iterable[Checked], against: Against) -> Iterator[Diagnostic]:
    """What the workflows of the checked files would break."""
    from flowgraph.lint.rules.breaks_open_runs import BreaksOpenRuns

    rule = BreaksOpenRuns()
    yield from rule.compare({one.path: one.facts[rule.code] for one in checked if rule.code in one.facts}, against)


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
