"""Compiling text and files: the door of the compiler."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Iterator
from importlib.util import decode_source
from pathlib import Path
from types import CodeType
from typing import Any

import attrs

from flowgraph.compiler.digests import Read, digest, digest_of
from flowgraph.errors import CompileError
from flowgraph.model.diagnostic import Diagnostic
from flowgraph.model.graph import Graph

_cache: dict[tuple[str, bytes], tuple[Read, dict[int, Graph]]] = {}
"""What was compiled in this process: the digests of the other files that were read, and the graphs by the first lines
of their functions."""


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
    return list(_compiled(text, path).values())


def compile_function(fn: Callable[..., Any], workflow: str) -> Graph:
    """The graph of a decorated function, from the source that it was loaded from.

    Raises:
        CompileError: there is no source (a REPL, an application in an archive), or it has changed since it was loaded.
    """
    code = fn.__code__
    text = "".join(linecache.getlines(code.co_filename, fn.__globals__))
    graph = _compiled(text, code.co_filename).get(code.co_firstlineno) if text else None
    if graph is None:
        is_file = bool(text) and not code.co_filename.startswith("<")  # Python 3.13 has the text of `-c` as <string>.
        reason = "its source has changed since it was loaded" if is_file else "its source is not available"
        raise _without_source(workflow, code, reason)
    return attrs.evolve(graph, workflow=workflow)


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


def _compiled(text: str, path: str) -> dict[int, Graph]:
    key = (path, digest(text.encode("utf-8", "surrogatepass")))
    found = _cache.get(key)
    if found is None or any(digest_of(file) != known for file, known in found[0].items()):
        read: Read = {}
        found = _cache[key] = (read, dict(_graphs(text, path, read)))
    return found[1]


def _graphs(text: str, path: str, read: Read) -> Iterator[tuple[int, Graph]]:
    from flowgraph.compiler.units import Project, Unit, first_line  # libcst: a fifth of a second.

    try:
        unit = Unit(text, path, Project(read))
    except (SyntaxError, ValueError, RecursionError) as error:  # ValueError: null bytes, before Python 3.12.
        trouble = error if isinstance(error, SyntaxError) else SyntaxError(str(error))
        raise CompileError(path, [_syntax_error(path, trouble)]) from None
    for flow in unit.flows():
        yield first_line(flow.source.node), flow.graph


def _syntax_error(path: str, error: SyntaxError) -> Diagnostic:
    return Diagnostic(
        "FG901", "syntax-error", "error", error.msg or str(error), path, error.lineno or 1, max(error.offset or 1, 1)
    )
