"""Which functions the workflows of a file may come to: all that are mentioned in what they mention.

It errs on the side of too many. A name that is mentioned is taken to be called, wherever it stands: in a call, in a
table of handlers at the top of a module, as an argument. Names are followed into the other files of the project; an
attribute of an object that is not known may be that of any function.
"""

from __future__ import annotations

import ast
import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from flowgraph.compiler import Class, Defined, Foreign, FunctionNode, Meaning, Names, Unit, Value, dotted_name, words
from flowgraph.lint.analysis.origins import origin
from flowgraph.lint.module import Module
from flowgraph.lint.nodes import children

_FRAMEWORKS = frozenset(
    {
        "aiohttp",
        "anyio",
        "asyncio",
        "atexit",
        "celery",
        "click",
        "contextlib",
        "discord",
        "fastapi",
        "flask",
        "functools",
        "litestar",
        "pytest",
        "pytest_asyncio",
        "quart",
        "sanic",
        "starlette",
        "typer",
        "unittest",
    }
)
"""Their decorators make no workflows of functions."""

_PLAIN = frozenset({"staticmethod", "classmethod", "property"})


class Mentions:
    """What the workflows of one file come to.

    Attributes:
        reached: the functions and tables, by the path of their file and their names.
        anywhere: names of attributes that are mentioned; they may be those of any function.
    """

    def __init__(self, module: Module) -> None:
        self.reached: set[tuple[str, str]] = set()
        self.anywhere: set[str] = set()
        self._files: dict[int, _File] = {}
        self._own = self._file(module.unit)
        self._seen: set[ast.AST] = set()
        self._waiting: list[tuple[_File, ast.AST]] = [(self._own, root) for root in _roots(module)]
        while self._waiting:
            self._visit(*self._waiting.pop())

    def names_by_definition(self) -> dict[str, list[str]]:
        """All names that are mentioned in each definition of the file."""
        return {name: sorted(found) for name, found in sorted(self._own.names_by_definition().items())}

    def _file(self, unit: Unit) -> _File:
        found = self._files.get(id(unit))
        if found is None:
            found = self._files[id(unit)] = _File(unit)
        return found

    def _visit(self, file: _File, root: ast.AST) -> None:
        if root in self._seen:
            return
        self._seen.add(root)
        for node in ast.walk(root):
            if isinstance(node, FunctionNode):
                self.reached.add((file.unit.path, node.name))
            elif (name := file.mentioned(node)) is not None:
                self._mention(file, node, name)

    def _mention(self, file: _File, node: ast.AST, name: str) -> None:
        if name in file.definitions:
            self.reached.add((file.unit.path, name))
            self._waiting += [(file, definition) for definition in file.definitions[name]]
        match file.meaning(node):
            case Defined(node=found, names=names) | Class(node=found, names=names) | Value(node=found, names=names):
                self.reached.add((names.unit.path, name))
                self._waiting.append((self._file(names.unit), found))
            case Foreign(name=full):
                self.anywhere.add(full.rpartition(".")[2])
            case None if not isinstance(node, ast.Name) or name not in file.definitions:
                self.anywhere.add(name)


def place_of(path: str, here: str) -> str:
    """The path of a file as it is seen from another one, so that it holds when both are moved."""
    return os.path.relpath(path, Path(here).parent)


class _File:
    """A file, with its definitions: functions, classes, and what its variables are given outside of functions."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.definitions: dict[str, list[ast.AST]] = defaultdict(list)
        for name, node in _definitions(unit.tree):
            self.definitions[name].append(node)
        self._bound = unit.names.bound
        self._meanings: dict[str, Meaning | None] = {}
        self._has_star = any(
            isinstance(node, ast.ImportFrom) and node.names[0].name == "*" and node.module != "flowgraph"
            for node in unit.tree.body
        )

    def mentioned(self, node: ast.AST) -> str | None:
        """The name that a node mentions; None for a local one, and for those of libraries that are known."""
        match node:
            case ast.Name(id=name):
                if name not in self._bound and name not in self.definitions and not self._has_star:
                    return None
            case ast.Attribute(attr=name):
                pass
            case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=str() as name), *_]):
                return name
            case _:
                return None
        meaning = self.meaning(node)
        return None if isinstance(meaning, Foreign) and _is_known(meaning.name) else name

    def meaning(self, node: ast.AST) -> Meaning | None:
        """What a name stands for at the top of the file."""
        name = dotted_name(node)
        if name is None or name.partition(".")[0] not in self._bound or not isinstance(node, ast.expr):
            return None
        if name not in self._meanings:
            self._meanings[name] = self.unit.names.meaning_of(node)
        return self._meanings[name]

    def names_by_definition(self) -> dict[str, set[str]]:
        """The names that are mentioned in each definition."""
        found: dict[str, set[str]] = {name: set() for name in self.definitions}
        within: dict[ast.AST, list[str]] = defaultdict(list)
        for name, nodes in self.definitions.items():
            for node in nodes:
                within[node].append(name)
        stack: list[tuple[ast.AST, tuple[str, ...]]] = [(self.unit.tree, ())]
        while stack:
            node, around = stack.pop()
            if node in within:
                around = (*around, *within[node])
            if around and (mentioned := self.mentioned(node)) is not None:
                for name in around:
                    found[name].add(mentioned)
            if not isinstance(node, _LEAVES):
                stack += [(child, around) for child in children(node)]
        return found


_LEAVES = (ast.Name, ast.Constant, ast.expr_context, ast.operator)


def _definitions(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    stack: list[tuple[ast.AST, bool]] = [(tree, True)]
    while stack:
        node, outside = stack.pop()
        if isinstance(node, FunctionNode | ast.ClassDef):
            yield node.name, node
        elif outside and isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for name in (name for target in targets for name in _assigned(target)):
                yield name, node.value
        inside = outside and not isinstance(node, FunctionNode)
        stack += [(child, inside) for child in _blocks(node)]


def _blocks(node: ast.AST) -> Iterator[ast.AST]:
    """The statements directly inside a node."""
    for block in ("body", "orelse", "finalbody", "handlers", "cases"):
        yield from getattr(node, block, ())


def _assigned(target: ast.expr) -> Iterator[str]:
    """The names that an assignment gives something: ``X``, ``X[key]``, ``X.y`` and ``X, Y``."""
    yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))


def _is_known(name: str) -> bool:
    package = name.partition(".")[0]
    return package == "flowgraph" or package in sys.stdlib_module_names


def _roots(module: Module) -> Iterator[ast.AST]:
    """The workflows of a file, its steps, and what is made a workflow otherwise."""
    for source in module.unit.workflows():
        yield source.node
    for function, names, _ in module.functions():
        if any(_may_make_a_workflow(decorator, names) for decorator in function.decorator_list):
            yield function
    for call, names, _ in module.each(ast.Call):
        if call.args and _makes_workflows(call.func, names):
            yield from call.args


def _may_make_a_workflow(decorator: ast.expr, names: Names) -> bool:
    """Tell whether a decorator makes a workflow or a step, or may; those of known libraries do not."""
    function = decorator.func if isinstance(decorator, ast.Call) else decorator
    if isinstance(function, ast.Name) and function.id in _PLAIN and not names.binds(function.id):
        return False
    meaning = names.meaning_of(function)
    name = meaning.name if isinstance(meaning, Foreign) else origin(function, names) or ""
    return name.partition(".")[0].removesuffix("()") not in _FRAMEWORKS


def _makes_workflows(function: ast.expr, names: Names) -> bool:
    """Tell whether a call makes a workflow of its arguments: ``workflow(f)``, ``workflow(…)(f)``, or one like these."""
    if isinstance(function, ast.Call):
        return _makes_workflows(function.func, names)
    meaning = names.meaning_of(function)
    if isinstance(meaning, Foreign):
        return words.is_workflow_decorator(meaning.name)
    if isinstance(meaning, Value) and isinstance(meaning.node, ast.Call):
        return _makes_workflows(meaning.node.func, meaning.names)
    return isinstance(meaning, Defined) and any(
        isinstance(found := meaning.names.meaning_of(node), Foreign) and words.is_workflow_decorator(found.name)
        for node in ast.walk(meaning.node)
        if isinstance(node, ast.Name | ast.Attribute)
    )
