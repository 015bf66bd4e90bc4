"""Which files have to do with workflows: those that mention flowgraph, and those that get its words from others.

A file whose bytes do not mention flowgraph can call steps only if it imports something from a module of the project
that gives it on: `step` itself, under whatever name, or a function under ``@step``. What a module gives on is known
once it was checked. So the bytes of all other files are searched for imports of these modules by their last name, and
of these names. What is found may still mean something else; that is for the check to say. Nothing is missed, but an
import by `importlib`, which the compiler does not follow either.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath

_FROM = re.compile(rb"from[\s\\]*([^\s;(\\]+)[\s\\]+import[\s\\]*(\([^)]*\)|(?:[^\n;\\]|\\\r?\n)*)")
_IMPORT = re.compile(rb"import[\s\\]+([\w., \t\x80-\xff]+)")
_NAME = re.compile(rb"[^\s,()\\]+")
_WORD = re.compile(rb"[^\s,.()\\]+")
_PACKAGE = b"."
"""Stands for the module of an import without a name: ``from . import step``."""


def mentions(content: bytes) -> bool:
    """Tell whether the bytes of a file mention flowgraph."""
    return b"flowgraph" in content


class Exports:
    """The names that modules give on, by the last names of the modules."""

    def __init__(self, names: Mapping[bytes, frozenset[bytes]] | None = None) -> None:
        self._names = dict(names or {})

    def add(self, path: str, names: Iterable[str]) -> None:
        """Take in what a file gives on."""
        given = frozenset(name.encode() for name in names)
        if given:
            for module in _modules(PurePath(path)):
                self._names[module] = self._names.get(module, frozenset()) | given

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Exports) and self._names == other._names

    __hash__ = None  # type: ignore[assignment]

    def __le__(self, other: Exports) -> bool:
        return all(names <= other._names.get(module, frozenset()) for module, names in self._names.items())

    def copy(self) -> Exports:
        """The same, which does not grow with this one."""
        return Exports(self._names)

    def are_used_in(self, content: bytes) -> bool:
        """Tell whether the bytes of a file import one of the names, or a module, and use one of its names."""
        if not self._names:
            return False
        words = _IMPORT.findall(content)
        for module, names in _FROM.findall(content):
            given = self._names.get(module.rpartition(b".")[2] or _PACKAGE)
            if given is not None and (b"*" in names or not given.isdisjoint(_NAME.findall(names))):
                return True
            words.append(names)
        modules = self._names.keys() & set(_WORD.findall(b" ".join(words)))
        return any(b"." + given in content for module in modules for given in self._names[module])

    def plain(self) -> dict[str, list[str]]:
        """As JSON values."""
        return {os.fsdecode(module): sorted(name.decode() for name in names) for module, names in self._names.items()}

    @classmethod
    def restored(cls, plain: Mapping[str, list[str]]) -> Exports:
        """What `plain` gave."""
        return cls({os.fsencode(module): frozenset(name.encode() for name in names) for module, names in plain.items()})


def _modules(path: PurePath) -> tuple[bytes, ...]:
    if path.stem == "__init__":
        folder = path.parent.name or Path.cwd().name
        return (os.fsencode(folder), _PACKAGE)
    return (os.fsencode(path.stem),)
