"""What of a function's body is evaluated when it runs: not what it only makes, such as functions and lambdas."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from flowgraph.compiler import FunctionNode, Names, Value
from flowgraph.lint.analysis.callbacks import functions_called
from flowgraph.lint.module import step_call
from flowgraph.lint.nodes import children


def evaluated(body: list[ast.stmt], names: Names, function: FunctionNode) -> Iterator[ast.AST]:
    """The nodes of a function's own body, in the order of the source.

    What begins with a name that a lambda, a comprehension or a class around it binds is left out: `names` has another
    meaning for it.
    """
    stack: list[tuple[ast.AST, frozenset[str]]] = [(node, frozenset()) for node in reversed(body)]
    run: set[ast.AST] = set()
    while stack:
        node, hidden = stack.pop()
        if _root(node) not in hidden:
            yield node
        inside = _inside(node, run)
        if isinstance(node, ast.Call):
            call = step_call(node, names, function)
            inside = [child for child in inside if call is None or child is not call.handler]
            fresh = [one for one in _lambdas_of(node, names) if one not in run]
            run.update(fresh)
            inside += [one for one in fresh if one not in inside]
        hidden |= _bound_in(node)
        stack += [(child, hidden) for child in reversed(inside)]


def _inside(node: ast.AST, run: set[ast.AST]) -> list[ast.AST]:
    """The nodes inside a node that are evaluated with it; of a function that is only made, what it needs for that."""
    if isinstance(node, FunctionNode):
        return [*node.decorator_list, *_defaults(node.args)]
    if isinstance(node, ast.Lambda):
        return [*_defaults(node.args), *([node.body] if node in run else ())]
    return children(node)


def _defaults(arguments: ast.arguments) -> list[ast.expr]:
    return [*arguments.defaults, *(one for one in arguments.kw_defaults if one is not None)]


def _lambdas_of(node: ast.Call, names: Names) -> Iterator[ast.Lambda]:
    """The lambdas that run with a call: written in it, or kept under a name of the same function."""
    for expression in functions_called(node, names):
        meaning = names.meaning_of(expression)
        kept = meaning.node if isinstance(meaning, Value) and meaning.names is names else expression
        if isinstance(kept, ast.Lambda):
            yield kept


def _root(node: ast.AST) -> str | None:
    """The name that a call, an attribute or an item begins with."""
    while isinstance(node, ast.Call | ast.Attribute | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def _bound_in(node: ast.AST) -> set[str]:
    """The names that mean something else inside a node, of which `Names` does not know."""
    match node:
        case ast.Lambda(args=arguments):
            return {one.arg for one in ast.walk(arguments) if isinstance(one, ast.arg)}
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            return _stored(one.target for one in node.generators)
        case ast.ClassDef(body=body):
            return _stored(body) | {one.name for one in body if isinstance(one, FunctionNode | ast.ClassDef)}
    return set()


def _stored(nodes: Iterable[ast.AST]) -> set[str]:
    found = (one for node in nodes for one in ast.walk(node) if isinstance(one, ast.Name))
    return {one.id for one in found if isinstance(one.ctx, ast.Store)}
