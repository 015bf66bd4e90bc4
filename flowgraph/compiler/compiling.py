"""Compiling text and files: the door of the compiler."""

from __future__ import annotations

import linecache
from collections.abc import Callable
from functools import cached_property
from importlib.util import decode_source
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

import attrs

from flowgraph.compiler.dependencies import Dependency
from flowgraph.compiler.digests import Read, digest, digest_of
from flowgraph.errors import CompileError
from flowgraph.model.diagnostic import Diagnostic
from flowgraph.model.graph import Graph

if TYPE_CHECKING:
    from flowgraph.compiler.units import Unit
    from flowgraph.compiler.uses import Reading


@attrs.frozen(eq=False)
class Compiled:
    """What the compiler makes of a workflow that is loaded.

    Attributes:
        graph: what it may do.
        diagnostics: what is wrong with it.
        dependencies: what the graph was compiled from, so that another process can tell whether it is still that of
            what it has loaded; see `hold`.
    """

    graph: Graph
    diagnostics: tuple[Diagnostic, ...]
    dependencies: tuple[Dependency, ...]


class _File:
    """A file whose workflows were compiled.

    `read` has the digests of the other files that were read; `graphs` are by the first lines of their functions.
    """

    def __init__(self, unit: Unit, graphs: dict[int, Graph]) -> None:
        self.read: Read = unit.project.read
        self.graphs = graphs
        self._unit: Unit | None = unit

    @cached_property
    def reading(self) -> Reading:
        """What was read, for those who have loaded it. Then the trees of the file are let go: they are many objects."""
        from flowgraph.compiler.uses import reading_of

        unit, self._unit = self._unit, None
        assert unit is not None
        return reading_of(unit)


_cache: dict[tuple[str, bytes], _File] = {}
"""What was compiled in this process, by path and content."""


def compile_source(text: str, path: str = "<text>") -> list[Graph]:
    """The graphs of the workflows in a text, in the order of their definitions. Nothing of it is run.

    Raises:
        CompileError: it is not Python; `.diagnostics` has the place.

    >>> [graph] = compile_source('''
    ... from flowgraph import step, workflow
    ... @workflow
    ... async def order(item):
    ...     receipt = await step("charge", charge, item)
    ...     await step("ship", ship, item, receipt)
    ... ''')
    >>> graph.workflow, [node.path for node in graph.steps]
    ('order', ['charge', 'ship'])
    """
    return list(_compiled(text, path).graphs.values())


def compile_function(fn: Callable[..., Any], workflow: str) -> Graph:
    """The graph of a decorated function, from the source that it was loaded from.

    Raises:
        CompileError: there is no source (a REPL, an application in an archive), or it has changed since it was loaded.
    """
    return compile_loaded(fn, workflow).graph


def compile_loaded(fn: Callable[..., Any], workflow: str) -> Compiled:
    """The graph of a decorated function as `compile_function` gives it, with all that it rests on in this process.

    Raises:
        CompileError: there is no source, or it has changed since it was loaded.
    """
    from flowgraph.compiler.uses import changed_helpers, dependencies_of, is_loaded

    code = fn.__code__
    text = "".join(linecache.getlines(code.co_filename, fn.__globals__))
    file = _compiled(text, code.co_filename) if text else None
    graph = None if file is None else file.graphs.get(code.co_firstlineno)
    if file is None or graph is None or not is_loaded(file.reading, fn):
        is_file = bool(text) and not code.co_filename.startswith("<")  # Python 3.13 has the text of `-c` as <string>.
        reason = "its source has changed since it was loaded" if is_file else "its source is not available"
        raise _without_source(workflow, code, reason)
    for use in changed_helpers(file.reading, fn):
        reason = f"the source of {use.name!r} in {use.path} has changed since it was loaded"
        raise _without_source(workflow, code, reason)
    return Compiled(attrs.evolve(graph, workflow=workflow), (), dependencies_of(file.reading, fn))


def _without_source(workflow: str, code: CodeType, reason: str) -> CompileError:
    place = Diagnostic("FG900", "no-source", "error", reason, code.co_filename, code.co_firstlineno, workflow=workflow)
    return CompileError(workflow, [place])


def compile_file(path: str | Path) -> list[Graph]:
    """The graphs of the workflows in a file, in any encoding that Python reads.

    Raises:
        CompileError: it is not Python.
        OSError: it cannot be read.
    """
    content = Path(path).read_bytes()
    try:
        text = decode_source(content)
    except (SyntaxError, UnicodeDecodeError) as error:
        raise CompileError(str(path), [_syntax_error(str(path), SyntaxError(str(error)))]) from None
    return compile_source(text, str(path))


def _compiled(text: str, path: str) -> _File:
    key = (path, digest(text.encode("utf-8", "surrogatepass")))
    found = _cache.get(key)
    if found is None or any(digest_of(file) != known for file, known in found.read.items()):
        found = _cache[key] = _file(text, path)
    return found


def _file(text: str, path: str) -> _File:
    from flowgraph.compiler.units import Unit, first_line  # libcst: a fifth of a second.

    try:
        unit = Unit(text, path)
    except (SyntaxError, ValueError, RecursionError) as error:  # ValueError: null bytes, before Python 3.12.
        trouble = error if isinstance(error, SyntaxError) else SyntaxError(str(error))
        raise CompileError(path, [_syntax_error(path, trouble)]) from None
    graphs = {first_line(flow.source.node): flow.graph for flow in unit.flows()}
    return _File(unit, graphs)


def _syntax_error(path: str, error: SyntaxError) -> Diagnostic:
    return Diagnostic(
        "FG901", "syntax-error", "error", error.msg or str(error), path, error.lineno or 1, max(error.offset or 1, 1)
    )
