"""Context managers of the project: whether an exception may end in them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from flowgraph.compiler import words
from flowgraph.compiler.bindings import Class, Defined, Foreign, Names, Value

_MAKERS = frozenset({"contextlib.contextmanager", "contextlib.asynccontextmanager"})


def may_swallow(manager: ast.expr, names: Names) -> bool:
    """Tell whether what is raised inside ``with manager:`` may not come out of it.

    It may where the manager is `contextlib.suppress`, a generator with an ``except`` around its ``yield``, or of a
    class whose ``__exit__`` gives back anything but None and False. Those of libraries are taken to let it out.
    """
    found = names.meaning_of(manager.func if isinstance(manager, ast.Call) else manager)
    match found:
        case Foreign(name=words.SUPPRESS):
            return True
        case Value(node=ast.Call() as made, names=inner) if not isinstance(manager, ast.Call):
            return may_swallow(made, inner)
        case Defined(node=node, names=inner):
            is_made = any(_name(inner, decorator) in _MAKERS for decorator in node.decorator_list)
            return is_made and any(_catches_around_yield(statement, inner) for statement in ast.walk(node))
        case Class(node=node, names=inner):
            ends = (inner.member(node, method) for method in ("__exit__", "__aexit__"))
            return any(isinstance(end, Defined) and _gives_back(end.node) for end in ends)
    return False


def _name(names: Names, node: ast.expr) -> str:
    found = names.meaning_of(node)
    return found.name if isinstance(found, Foreign) else ""


def _catches_around_yield(node: ast.AST, names: Names) -> bool:
    match node:
        case ast.Try(body=body, handlers=[_, *_]) | ast.TryStar(body=body, handlers=[_, *_]):
            return any(map(_yields, body))
        case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
            return any(map(_yields, body)) and any(may_swallow(item.context_expr, names) for item in items)
    return False


def _yields(node: ast.AST) -> bool:
    return any(isinstance(inner, ast.Yield) for inner in ast.walk(node))


def _gives_back(node: ast.AST) -> bool:
    """Tell whether a function returns anything that may be true."""
    return any(not isinstance(value, ast.Constant) or value.value for value in _returned(node))


def _returned(node: ast.AST) -> Iterator[ast.expr]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Return) and inner.value is not None:
            yield inner.value
