"""Which rules are checked: the choice that settings make among all codes."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any

import attrs

from flowgraph.lint.settings import BadSettings, Settings

_EXACT = 100
"""How well a code or a name says what is meant; a beginning of a code says it as well as it is long."""


@attrs.frozen
class Entry:
    """What has to be known of a rule in order to choose it."""

    code: str
    name: str
    by_default: bool
    about_project: bool = False


@attrs.frozen
class Selection:
    """The choice.

    Attributes:
        selected: the codes that are checked.
        names: the names of all rules by their codes.
        about_project: the codes of which one file alone says nothing.
    """

    selected: frozenset[str]
    names: dict[str, str]
    about_project: frozenset[str]

    def code_of(self, text: str) -> str | None:
        """The code that a code or a name means; None for what is neither."""
        if text in self.names:
            return text
        return next((code for code, name in self.names.items() if name == text), None)

    def is_meant(self, code: str, texts: Iterable[str]) -> bool:
        """Tell whether one of the texts means a code: itself, a beginning of it, or the rule's name."""
        return any(_fit(text, code, self.names.get(code, "")) for text in texts)

    def plain(self) -> Any:
        """As JSON values."""
        return {
            "selected": sorted(self.selected),
            "names": self.names,
            "about_project": sorted(self.about_project),
        }

    @classmethod
    def restored(cls, plain: Any) -> Selection:
        """What `plain` gave."""
        return cls(frozenset(plain["selected"]), plain["names"], frozenset(plain["about_project"]))


def selection(settings: Settings, entries: Iterable[Entry]) -> Selection:
    """Choose among the rules.

    A code is checked if it is selected, or is on by default where nothing is, and if what ignores it is not said more
    exactly than that; so ``select = ["FG101"]`` with ``ignore = ["FG1"]`` checks FG101.

    Raises:
        BadSettings: a text means no rule.
    """
    known = list(entries)
    every = [*(settings.select or ()), *settings.extend_select, *settings.ignore]
    for text in [*every, *(code for _, codes in settings.per_file_ignores for code in codes)]:
        _refuse_unknown(text, known)
    chosen = frozenset(entry.code for entry in known if _is_chosen(entry, settings))
    about_project = frozenset(entry.code for entry in known if entry.about_project)
    return Selection(chosen, {entry.code: entry.name for entry in known}, about_project)


def _is_chosen(entry: Entry, settings: Settings) -> bool:
    wanted = _best((*(settings.select or ()), *settings.extend_select), entry)
    if settings.select is None and entry.by_default:
        wanted = max(wanted, 1)
    return wanted > 0 and wanted > _best(settings.ignore, entry)


def _best(texts: Iterable[str], entry: Entry) -> int:
    return max((_fit(text, entry.code, entry.name) for text in texts), default=0)


def _fit(text: str, code: str, name: str) -> int:
    """How exactly a text means a rule; 0 if it does not."""
    if text in (code, name):
        return _EXACT
    return len(text) if re.fullmatch(r"FG\d*", text) and code.startswith(text) else 0


def _refuse_unknown(text: str, known: list[Entry]) -> None:
    if any(_fit(text, entry.code, entry.name) for entry in known):
        return
    words = [word for entry in known for word in (entry.code, entry.name)]
    close = difflib.get_close_matches(text, words, 1)
    hint = f"; did you mean {close[0]}?" if close else "."
    raise BadSettings(repr(text), f"there is no rule of this code or name{hint} `flowgraph rule` lists them all.")
