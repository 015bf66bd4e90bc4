"""Source files, and how names lead from one to another."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from importlib.util import decode_source
from pathlib import Path
from typing import Any

import attrs
import libcst as cst

from flowgraph.compiler import words
from flowgraph.compiler.bindings import Class, Foreign, FunctionNode, Meaning, Names
from flowgraph.compiler.checking import checked
from flowgraph.compiler.control import Control, Point
from flowgraph.compiler.digests import Read, digest
from flowgraph.compiler.drafting import Draft
from flowgraph.compiler.graphing import graph_of
from flowgraph.compiler.regions import Function, Unknown
from flowgraph.compiler.translation import Translation
from flowgraph.compiler.ways import Ways
from flowgraph.model.diagnostic import Diagnostic
from flowgraph.model.graph import Graph, Span

_MOST_HOPS = 50
"""A name that is imported from a module that imports it from another is followed so far."""

_NOT_OURS = frozenset({*sys.stdlib_module_names, "flowgraph"})


class Project:
    """The files that a compilation reads beside its own, for the names that are imported from them.

    A module is looked for below the folder of the file's topmost package, as Python does for a script or an installed
    package. `read` has the digests of all files that were looked for, by their paths; None for one that was not there.
    `looked_up` has the names that were looked up in the modules of files, with their attributes, in order.
    """

    def __init__(self, read: Read | None = None) -> None:
        self.read = {} if read is None else read
        self.looked_up: dict[tuple[Unit, str], None] = {}
        self._units: dict[Path, Unit | None] = {}

    def followed(self, meaning: Meaning | None, unit: Unit) -> Meaning | None:
        """What a name from another module stands for there, if that module is one of the project's."""
        for _ in range(_MOST_HOPS):
            if not isinstance(meaning, Foreign) or meaning.name.partition(".")[0] in _NOT_OURS:
                return meaning
            found = self._home(meaning.name, unit)
            if found is None:
                return meaning
            unit, name = found
            meaning = unit.names.meaning(name)
        return None

    def _home(self, name: str, unit: Unit) -> tuple[Unit, str] | None:
        """The module that a full name is from, and the name in it."""
        folder = _folder(unit.path, name)
        if folder is None:
            return None
        parts = name.lstrip(".").split(".")
        for count in range(len(parts) - 1, -1, -1):
            module = folder.joinpath(*parts[:count])
            files = [module / "__init__.py"] if count == 0 else [module.with_suffix(".py"), module / "__init__.py"]
            for file in files:
                if (found := self._unit(file)) is not None and found is not unit:
                    return found, ".".join(parts[count:])
        return None

    @property
    def units(self) -> Iterator[Unit]:
        """The other files that were read so far."""
        return (unit for unit in list(self._units.values()) if unit is not None)

    def _unit(self, file: Path) -> Unit | None:
        if file not in self._units:
            self._units[file] = None
            try:
                content = file.read_bytes() if file.is_file() else None  # A pipe would be waited for.
            except OSError:
                content = None
            if content is None:
                self.read[str(file)] = None
                return None
            self.read[str(file)] = digest(content)
            try:
                self._units[file] = Unit(decode_source(content), str(file), self)
            except (SyntaxError, ValueError, RecursionError):
                return None  # What is imported from it is not known; the file itself is another's to report.
        return self._units[file]


def _folder(path: str, name: str) -> Path | None:
    """The folder in which a module of that name is looked for, from a file."""
    file = Path(path)
    if not file.is_file():
        return None
    folder = file.absolute().parent
    dots = len(name) - len(name.lstrip("."))
    if dots:
        return folder.parents[dots - 2] if dots > 1 else folder
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return folder


def first_line(node: FunctionNode) -> int:
    """The line of the first decorator, or of the function: where its code object says that it begins."""
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


@attrs.frozen(eq=False)
class Source:
    """A decorated function: the names around it, the class that it is in, and the workflow's name."""

    node: FunctionNode
    names: Names
    owner: ast.ClassDef | None
    workflow: str


@attrs.frozen(eq=False, slots=False)
class Flow:
    """A workflow in its file: the regions of its function, the ways through them, and the graph."""

    source: Source
    function: Function

    @cached_property
    def control(self) -> Control:
        """The points that its runs come past, and the ways between them."""
        return Draft.control(self.source.workflow, self.source.names.unit.path, self.function)

    @cached_property
    def graph(self) -> Graph:
        """What it may do."""
        return graph_of(self.control)

    def steps(self) -> Iterator[tuple[Point, bool]]:
        """Its steps that have a name, each with whether a run can come to it."""
        ways = Ways(self.control)
        reachable: dict[int | None, frozenset[int]] = {}
        for point in self.control.points:
            if point.template is not None:
                if point.scope not in reachable:
                    reachable[point.scope] = ways.reachable(point.scope)
                yield point, point.number in reachable[point.scope]

    @cached_property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What is wrong with the names of its steps."""
        return checked(self.control)


class Unit:
    """One source file: its text, its names, and its functions that were translated."""

    def __init__(self, text: str, path: str, project: Project | None = None) -> None:
        text = text.replace("\r\n", "\n").replace("\r", "\n")  # As Python reads it; other breaks end no line.
        self.path = path
        self.tree = ast.parse(text, filename=path)
        self.names = Names(self, self.tree)
        self.project = Project() if project is None else project
        self._lines = [f"{line}\n" for line in text.split("\n")]
        self._functions: dict[tuple[int, int], Function] = {}
        self._trees: dict[int, cst.FunctionDef] = {}

    def tree_of(self, node: FunctionNode) -> cst.FunctionDef:
        """A function's concrete syntax tree, parsed from its own lines only."""
        found = self._trees.get(id(node))
        if found is None:
            text = "".join(self._lines[first_line(node) - 1 : node.end_lineno])
            nested = text[:1] in " \t"
            module = cst.parse_module(f"if 1:\n{text}" if nested else text)
            statement: Any = module.body[0]
            found = self._trees[id(node)] = statement.body.body[0] if nested else statement
        return found

    @cached_property
    def classes(self) -> tuple[ast.ClassDef, ...]:
        """The classes of the module itself."""
        return tuple(one for one in self.tree.body if isinstance(one, ast.ClassDef))

    def function(
        self, node: FunctionNode, names: Names, owner: ast.ClassDef | None = None, receiver: Class | None = None
    ) -> Function:
        """A function of this file as regions; `names` are those of the scope that it is defined in.

        A method is another one for each class of objects that it is called on.
        """
        key = (id(node), 0 if receiver is None else id(receiver.node))
        function = self._functions.get(key)
        if function is None:
            translation = Translation(self, node, names, owner, receiver)
            function = Function(node.name, self.path, self.span(node), translation.names, changed=translation.changed)
            self._functions[key] = function
            function.body = translation.body()
        return function

    def flows(self) -> Iterator[Flow]:
        """The workflows of the file, compiled."""
        for source in self.workflows():
            try:
                function = self.function(source.node, source.names, source.owner)
            except (cst.ParserSyntaxError, RecursionError) as error:
                span = self.span(source.node)
                function = Function(source.node.name, self.path, span)
                function.body = Unknown(f"the function could not be read: {type(error).__name__}", span)
            yield Flow(source, function)

    def span(self, node: Any) -> Span:
        """Where a node of ``ast`` is. It counts in bytes of UTF-8, a span in characters."""
        line, end_line = node.lineno, node.end_lineno or node.lineno
        column, end_column = node.col_offset, node.end_col_offset or node.col_offset
        return Span(line, self._column(line, column), end_line, self._column(end_line, end_column))

    def line(self, number: int) -> str:
        """One line of the text, counted from 1, with its end."""
        return self._lines[number - 1] if number <= len(self._lines) else ""

    def written(self, span: Span) -> str:
        """What is written at a place."""
        lines = self._lines[span.line - 1 : span.end_line]
        if not lines:
            return ""
        lines[-1] = lines[-1][: span.end_column - 1]
        lines[0] = lines[0][span.column - 1 :]
        return "".join(lines)

    def _column(self, line: int, offset: int) -> int:
        text = self.line(line)
        return (offset if text.isascii() else len(text.encode()[:offset].decode(errors="ignore"))) + 1

    @cached_property
    def rebound(self) -> frozenset[str]:
        """The names of the module that functions give other values, with ``global``."""
        if not any(line.lstrip().startswith("global ") for line in self._lines):
            return frozenset()
        return frozenset(name for node in ast.walk(self.tree) if isinstance(node, ast.Global) for name in node.names)

    def workflows(self) -> Iterable[Source]:
        """The decorated functions of the file."""
        for node, names, owner in _functions_in(self.tree.body, self.names, None):
            for decorator in node.decorator_list:
                call = decorator if isinstance(decorator, ast.Call) else None
                meaning = names.meaning_of(decorator if call is None else call.func)
                if isinstance(meaning, Foreign) and words.is_workflow_decorator(meaning.name):
                    given = {keyword.arg: keyword.value for keyword in call.keywords} if call else {}
                    name = names.template(given["name"]).text if "name" in given else None
                    yield Source(node, names, owner, name or node.name)


def _functions_in(
    body: Sequence[ast.stmt], names: Names, owner: ast.ClassDef | None
) -> Iterable[tuple[FunctionNode, Names, ast.ClassDef | None]]:
    for statement in body:
        if isinstance(statement, FunctionNode):
            yield statement, names, owner
            yield from _functions_in(statement.body, names.of_function(statement), None)
            continue
        inner = statement if isinstance(statement, ast.ClassDef) else owner
        for block in ("body", "orelse", "finalbody"):
            yield from _functions_in(getattr(statement, block, ()), names, inner)
        for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
            yield from _functions_in(part.body, names, inner)
