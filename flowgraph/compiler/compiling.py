"""Compiling text and files: the door of the compiler."""

from __future__ import annotations

import linecache
import threading
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
    from flowgraph.compiler.units import Flow, Unit
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

    def __init__(self, unit: Unit, flows: dict[int, Flow]) -> None:
        self.read: Read = unit.project.read
        self.graphs = {line: flow.graph for line, flow in flows.items()}
        self._parts: tuple[Unit, dict[int, Flow]] | None = (unit, flows)

    @cached_property
    def checked(self) -> tuple[Reading, dict[int, tuple[Diagnostic, ...]]]:
        """What was read, and what is wrong, for those who have loaded the file.

        Then the trees of the file are let go: they are many objects.
        """
        from flowgraph.compiler.uses import reading_of

        assert self._parts is not None
        unit, flows = self._parts
        found = {line: flow.diagnostics for line, flow in flows.items()}
        self._parts = None
        return reading_of(unit), found


_cache: dict[tuple[str, bytes], _File] = {}
"""What was compiled in this process, by path and content."""

_one_at_a_time = threading.Lock()
"""Workers compile in threads; two workflows are often in one file, which is compiled once."""


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
    if not isinstance(text, str):
        message = f"compile_source takes the text of a file, not {type(text).__name__}; compile_file takes a path"
        raise TypeError(message)
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
    with _one_at_a_time:
        return _compile_loaded(fn, workflow)


def _compile_loaded(fn: Callable[..., Any], workflow: str) -> Compiled:
    from flowgraph.compiler.uses import changed_helpers, dependencies_of, is_loaded

    code = fn.__code__
    text = _source_of(fn)
    file = _compiled(text, code.co_filename) if text else None
    graph = None if file is None else file.graphs.get(code.co_firstlineno)
    if file is not None and graph is None and is_loaded(file.checked[0], fn):
        reason = "no @workflow is written above it: only decorated functions, without wrappers below, are compiled"
        raise _without_source(workflow, code, reason)
    if file is None or graph is None or not is_loaded(file.checked[0], fn):
        is_file = bool(text) and Path(code.co_filename).is_file()  # No cell of a notebook, no `python -c`.
        reason = "its source has changed since it was loaded" if is_file else "its source is not available"
        raise _without_source(workflow, code, reason)
    reading, diagnostics = file.checked
    for use in changed_helpers(reading, fn):
        reason = f"the source of {use.name!r} in {use.path} has changed since it was loaded"
        raise _without_source(workflow, code, reason)
    found = diagnostics[code.co_firstlineno]
    return Compiled(attrs.evolve(graph, workflow=workflow), found, dependencies_of(reading, fn))


def _source_of(fn: Callable[..., Any]) -> str:
    """The text of the function's file; "" for one in an archive, whose other files could not be followed."""
    if hasattr(fn.__globals__.get("__loader__"), "archive"):
        return ""
    return "".join(linecache.getlines(fn.__code__.co_filename, fn.__globals__))


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
    return _File(unit, {first_line(flow.source.node): flow for flow in unit.flows()})


def _syntax_error(path: str, error: SyntaxError) -> Diagnostic:
    return Diagnostic(
        "FG901", "syntax-error", "error", error.msg or str(error), path, error.lineno or 1, max(error.offset or 1, 1)
    )
