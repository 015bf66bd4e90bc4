"""What is written in the repository: docstrings where they belong, nothing that belongs elsewhere."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import flowgraph
import flowgraph.testing
from flowgraph.runtime import Clock

ROOT = Path(__file__).parents[2]
FOLDERS = ["flowgraph", "examples", "docs", "tests", ".ci"]
TOP = ["README.md", "CHANGELOG.md", "pyproject.toml", ".gitignore", "LICENSE"]
SUFFIXES = {".py", ".md", ".sql", ".toml", ".csv", ".typed", ""}

ELSEWHERE = re.compile(r"(?<![\w.])/(?:work|root)/\w|\bfile://|shared/design|\bissues? show\b")


def files() -> Iterator[Path]:
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix in SUFFIXES and "__pycache__" not in path.parts:
                yield path
    yield from (ROOT / name for name in TOP)


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_modules_have_a_docstring() -> None:
    """Each module says in its first line what lives there."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in files() if path.suffix == ".py"}
    assert [relative(path) for path, tree in trees.items() if tree.body and not ast.get_docstring(tree)] == []


def test_nothing_speaks_of_this_machine() -> None:
    """No path of anybody's machine, and no word of where the work is planned, is in the repository."""
    found = [
        f"{relative(path)}:{number}: {line.strip()}"
        for path in files()
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if ELSEWHERE.search(line)
    ]
    assert found == []


def public() -> Iterator[tuple[str, object]]:
    for module in (flowgraph, flowgraph.testing):
        for name in module.__all__:
            value = getattr(module, name)
            yield name, value
            if inspect.isclass(value):
                yield from ((f"{name}.{member}", found) for member, found in members(value))
    yield from ((f"step.{member}", found) for member, found in members(type(flowgraph.step)))


def members(cls: type) -> Iterator[tuple[str, object]]:
    """The public methods and properties of a class; what a clock has to have is explained in the protocol."""
    for base in cls.__mro__:
        if base.__module__.startswith("flowgraph"):
            for name, value in vars(base).items():
                if name.startswith("_") or (cls is flowgraph.testing.VirtualClock and hasattr(Clock, name)):
                    continue
                if inspect.isfunction(value) or isinstance(value, property):
                    yield name, value


@pytest.mark.parametrize(("name", "value"), list(public()), ids=lambda value: value if isinstance(value, str) else "")
def test_public_names_have_a_docstring(name: str, value: object) -> None:
    """Each public class, function and method says what it does."""
    if inspect.isclass(value) or callable(value) or isinstance(value, property):
        assert (inspect.getdoc(value) or "").strip(), name
