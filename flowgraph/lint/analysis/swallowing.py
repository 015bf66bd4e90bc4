"""Whether exceptions get out of the code that catches them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from flowgraph.compiler import Defined, FunctionNode, Names
from flowgraph.lint.analysis.origins import origin

_ENDING = frozenset({"sys.exit", "os._exit", "os.abort", "builtins.exit", "builtins.quit", "sys.exc_info"})
_ENDING_STEPS = frozenset({"fail", "abort"})
_HANDING_ON = frozenset({"set_exception", "throw", "athrow", "__exit__", "__aexit__"})
_KEEPING = frozenset({"append", "add", "put", "put_nowait", "insert"})


def may_raise(node: ast.AST, handler: ast.ExceptHandler, function: FunctionNode, names: Names) -> bool:
    """Tell whether a node of a handler, but no ``raise``, may raise what was caught, or hand it to who raises it later.

    It may be wrong in one direction only: where a node surely raises nothing, and hands the exception to nobody who
    could, the answer is no.
    """
    return _raises(node, names) or _keeps(node, handler, function)


def _raises(node: ast.AST, names: Names) -> bool:
    if not isinstance(node, ast.Call):
        return False
    if origin(node.func, names) in _ENDING:
        return True
    attribute = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    called = attribute or (node.func.id if isinstance(node.func, ast.Name) else "")
    if attribute in _ENDING_STEPS | _HANDING_ON or "raise" in called or "exit" in called:
        return True
    meaning = names.meaning_of(node.func)
    return isinstance(meaning, Defined) and any(isinstance(one, ast.Raise) for one in ast.walk(meaning.node))


def _keeps(node: ast.AST, handler: ast.ExceptHandler, function: FunctionNode) -> bool:
    """Tell whether the exception is kept, and the function, or whoever gets it, can raise it later."""
    caught = handler.name
    if caught is None:
        return False
    match node:
        case ast.Return(value=ast.expr() as value) | ast.Yield(value=ast.expr() as value):
            return _is_or_has(value, caught)
        case ast.Assign(targets=targets, value=value) if _is_or_has(value, caught):
            return _raises_later(function, handler) or not all(isinstance(one, ast.Name) for one in targets)
        case ast.Call(func=ast.Attribute(value=holder, attr=attr), args=args) if attr in _KEEPING:
            if not any(_is_or_has(one, caught) for one in args):
                return False
            return not isinstance(holder, ast.Name) or _raises_later(function, handler)
    return False


def _is_or_has(value: ast.expr, name: str) -> bool:
    """Tell whether an expression is a name, or a display with the name in it."""
    match value:
        case ast.Name(id=found):
            return found == name
        case ast.Tuple(elts=values) | ast.List(elts=values):
            return any(_is_or_has(one, name) for one in values)
    return False


def _raises_later(function: FunctionNode, handler: ast.ExceptHandler) -> bool:
    inside = set(ast.walk(handler))
    return any(isinstance(node, ast.Raise) and node not in inside for node in ast.walk(function))


def swallows_by_leaving(final: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a ``finally`` that leave it, and so drop the exception that is on its way."""
    stack: list[tuple[ast.AST, bool]] = [(statement, False) for statement in reversed(final)]
    while stack:
        node, looped = stack.pop()
        if isinstance(node, ast.Return) or (isinstance(node, ast.Break | ast.Continue) and not looped):
            yield node
        if isinstance(node, FunctionNode | ast.ClassDef | ast.Lambda):
            continue
        if not isinstance(node, ast.For | ast.AsyncFor | ast.While):
            stack += [(child, looped) for child in reversed(list(ast.iter_child_nodes(node)))]
            continue
        stack += [(child, looped) for child in reversed(node.orelse)]  # A break in it leaves the loop around.
        stack += [(child, True) for child in reversed(node.body)]
