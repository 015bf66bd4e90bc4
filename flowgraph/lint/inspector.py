"""Asking the rules, or the cache for what they said of the same before: so rules are loaded only for what is new."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from flowgraph.lint.cache import Cache
from flowgraph.lint.checking import Checked, Read
from flowgraph.lint.checks import Checks
from flowgraph.lint.records import plain, restored
from flowgraph.lint.report import Failure
from flowgraph.lint.selection import Entry, Selection, selection
from flowgraph.lint.settings import Settings
from flowgraph.lint.sources import Sources
from flowgraph.lint.suppressions import Comment, Verdict
from flowgraph.model.diagnostic import Diagnostic

if TYPE_CHECKING:
    from flowgraph.lint.rule import Rule

Facts = Mapping[str, Mapping[str, Any]]
"""By files and codes, what the rules about the project have to know."""


class Inspector:
    """Checks files, concludes and judges, with the rules that the settings select."""

    def __init__(self, settings: Settings, cache: Cache, sources: Sources, jobs: int) -> None:
        self._settings = settings
        self._cache = cache
        self._sources = sources
        self._checks = Checks(lambda: self._rules, settings, jobs)
        self._keys: dict[str, str] = {}
        self._digests: dict[str, str | None] = {}

    @cached_property
    def selection(self) -> Selection:
        """The rules that are checked."""
        settings = self._settings
        choice = (settings.select, settings.extend_select, settings.ignore, settings.per_file_ignores)
        key = self._cache.key("selection", json.dumps(choice))
        known = self._cache.find(key, Selection.restored)
        if known is not None:
            return known
        chosen = selection(settings, _entries())
        self._cache.keep(key, chosen.plain())
        return chosen

    def known(self, path: str, content: bytes) -> Checked | None:
        """What was found out about a file earlier; None lets it be checked, for `checked` to tell."""
        key = self._cache.key("file", path, str(Path(path).absolute()), self._choice, content)
        known = self._cache.find(key, partial(_restored, path))
        if known is not None and all(self._digest(file) == digest for file, digest in known[0].items()):
            return known[1]
        self._keys[path] = key
        self._checks.add(path, content)
        return None

    def checked(self) -> Iterator[Checked]:
        """What is known of the files that were not known, in any order."""
        for result in self._checks.results():
            checked = _named_alike(result.checked)
            if not checked.failures:
                self._cache.keep(self._keys[checked.path], _record(checked, result.read))
            yield checked

    def close(self) -> None:
        """Leave nothing running."""
        self._checks.close()

    def conclude(self, facts: Facts) -> tuple[list[Diagnostic], list[Failure]]:
        """What the rules about the project find in the facts, and what broke."""
        if not facts:
            return [], []
        key = self._cache.key("conclusion", self._choice, json.dumps(facts, sort_keys=True))
        known = self._cache.find(key, _all_restored)
        if known is not None:
            return known, []
        found, failures = _concluded(self._rules, facts)
        if not failures:
            self._cache.keep(key, [plain(one) for one in found])
        return found, failures

    def judge(self, verdicts: Sequence[tuple[str, Verdict]]) -> list[Diagnostic]:
        """What the rules about comments say of those in files."""
        if not verdicts:
            return []
        key = self._cache.key(
            "judgement", self._choice, json.dumps([(path, attrs.asdict(one)) for path, one in verdicts])
        )
        known = self._cache.find(key, _all_restored)
        if known is not None:
            return known
        found = list(_judged(self._rules, verdicts))
        self._cache.keep(key, [plain(one) for one in found])
        return found

    @cached_property
    def _rules(self) -> list[Rule]:
        from flowgraph.lint.rules import all_rules

        return [rule for rule in all_rules() if rule.code in self.selection.selected]

    @cached_property
    def _choice(self) -> str:
        return json.dumps([sorted(self.selection.selected), self._settings.extend_io, self._settings.against])

    def _digest(self, file: str) -> str | None:
        """The digest of another file that was read: once for all that rest on it."""
        if file not in self._digests:
            try:
                self._digests[file] = sha256(self._sources.read(file)).hexdigest()
            except OSError:
                self._digests[file] = None
        return self._digests[file]


def _entries() -> list[Entry]:
    from flowgraph.lint.rule import ProjectRule
    from flowgraph.lint.rules import all_rules

    return [Entry(rule.code, rule.name, rule.is_on, isinstance(rule, ProjectRule)) for rule in all_rules()]


def _concluded(rules: Iterable[Rule], facts: Facts) -> tuple[list[Diagnostic], list[Failure]]:
    from flowgraph.lint.rule import ProjectRule

    found: list[Diagnostic] = []
    failures: list[Failure] = []
    for rule in rules:
        if isinstance(rule, ProjectRule):
            known = {path: own[rule.code] for path, own in facts.items() if rule.code in own}
            try:
                found += rule.conclude(known)
            except Exception as error:  # noqa: BLE001 (whatever it is, the other rules still conclude)
                failures.append(Failure.of(rule.code, "all files together", error))
    return found, failures


def _judged(rules: Iterable[Rule], verdicts: Sequence[tuple[str, Verdict]]) -> Iterable[Diagnostic]:
    from flowgraph.lint.rule import CommentRule

    for rule in rules:
        if isinstance(rule, CommentRule):
            for path, verdict in verdicts:
                yield from rule.judge(path, verdict)


# Names of files -------------------------------------------------------------------------------------------------------


def _named_alike(checked: Checked) -> Checked:
    """The findings with all files named as the checked one is: from the working folder, or in full."""
    if Path(checked.path).is_absolute():
        return checked
    return attrs.evolve(checked, findings=tuple(_renamed(found) for found in checked.findings))


def _renamed(found: Diagnostic) -> Diagnostic:
    others = tuple(attrs.evolve(other, path=_relative(other.path)) for other in found.related)
    return attrs.evolve(found, path=_relative(found.path), related=others)


def _relative(path: str) -> str:
    return os.path.relpath(path) if Path(path).is_absolute() else path


# Entries of the cache -------------------------------------------------------------------------------------------------


def _record(checked: Checked, read: Read) -> dict[str, Any]:
    return {
        "read": {file: None if digest is None else digest.hex() for file, digest in read.items()},
        "findings": [plain(found) for found in checked.findings],
        "comments": [attrs.asdict(comment) for comment in checked.comments],
        "facts": checked.facts,
        "exports": checked.exports,
        "workflows": checked.workflows,
    }


def _restored(path: str, record: Mapping[str, Any]) -> tuple[dict[str, str | None], Checked]:
    """What is known of a file, after the digests of the others that it rests on."""
    checked = Checked(
        path,
        tuple(_all_restored(record["findings"])),
        tuple(Comment.restored(comment) for comment in record["comments"]),
        dict(record["facts"]),
        tuple(record["exports"]),
        int(record["workflows"]),
    )
    return dict(record["read"]), checked


def _all_restored(records: Iterable[Mapping[str, Any]]) -> list[Diagnostic]:
    return [restored(record) for record in records]
