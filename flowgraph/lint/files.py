"""Finding the files to check."""

from __future__ import annotations

import os
import stat
from collections.abc import Container, Iterator, Sequence
from pathlib import Path

from flowgraph.lint.settings import BadSettings, Settings

SKIPPED = frozenset(
    {
        *(".eggs", ".flowgraph", ".git", ".hg", ".ipynb_checkpoints", ".mypy_cache", ".nox", ".pytest_cache"),
        *(".ruff_cache", ".svn", ".tox", ".venv", "__pycache__", "__pypackages__", "build", "dist", "node_modules"),
        *("site-packages", "venv"),
    }
)
"""Folders that hold nothing of the project's own; one that is given by name is looked at."""


def python_files(paths: Sequence[str], settings: Settings, virtual: Container[str] = ()) -> Iterator[str]:
    """The files among the paths and below them, each once, folder by folder in the order of their names.

    A file that is given is taken whatever it is called; in folders those that end with ``.py`` are. Links to folders
    are not followed, a link that leads nowhere is given as it is. Paths in `virtual` need not exist.

    Raises:
        BadSettings: a path does not exist.
    """
    for path in paths:
        if path not in virtual and not os.path.lexists(path):
            raise BadSettings(path, "there is no such file or folder")
    given = {os.path.realpath(path) for path in paths}
    done: set[str] = set()
    for path in paths:
        place = os.path.realpath(path)
        if place in done or settings.is_excluded(path):
            continue
        done.add(place)
        if Path(path).is_dir():
            yield from _below(path, place, given, settings)
        else:
            yield os.path.normpath(path)


def _below(path: str, place: str, given: set[str], settings: Settings) -> Iterator[str]:
    """The files below a folder; what is given itself is left to its own turn."""
    waiting = [(os.path.normpath(path), place)]
    while waiting:
        folder, place = waiting.pop()
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError:
            yield folder  # Reading it says why.
            continue
        if any(entry.name == "pyvenv.cfg" for entry in entries):
            continue
        folders = []
        for entry in entries:
            below = f"{place}{os.sep}{entry.name}"
            if below in given:
                continue
            if entry.is_dir(follow_symlinks=False):
                named = _named(folder, entry.name)
                if entry.name not in SKIPPED and not settings.is_excluded(named):
                    folders.append((named, below))
            elif entry.name.endswith(".py") and _is_taken(entry, folder, given, settings):
                yield _named(folder, entry.name)
        waiting += reversed(folders)


def _is_taken(entry: os.DirEntry[str], folder: str, given: set[str], settings: Settings) -> bool:
    if settings.is_excluded(_named(folder, entry.name)):
        return False
    try:
        mode = entry.stat().st_mode
    except OSError:
        return not entry.name.startswith(".#")  # Locks of Emacs are links that lead nowhere.
    if not entry.is_symlink() or not stat.S_ISREG(mode):
        return stat.S_ISREG(mode)
    target = os.path.realpath(entry.path)  # What is inside a given folder is found there.
    return not any(target == place or target.startswith(f"{place}{os.sep}") for place in given)


def _named(folder: str, name: str) -> str:
    return name if folder == "." else f"{folder}{os.sep}{name}"
