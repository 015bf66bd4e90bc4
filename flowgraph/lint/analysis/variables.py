"""The variables of a function: what they are given, and where they are read."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from flowgraph.compiler import Class, Foreign, FunctionNode, Names
from flowgraph.lint.analysis.durable import own_nodes
from flowgraph.lint.analysis.mutations import METHODS
from flowgraph.lint.analysis.origins import origin
from flowgraph.lint.module import step_call

_CONTAINERS = frozenset(f"builtins.{name}" for name in ("list", "dict", "set", "bytearray", "sorted")) | {
    f"collections.{name}" for name in ("defaultdict", "OrderedDict", "Counter", "deque")
}
_CONTAINER_TYPES = _CONTAINERS | {
    f"typing.{name}" for name in ("List", "Dict", "Set", "DefaultDict", "Counter", "Deque")
}
_INNER = frozenset({"list", "set", "dict", "deque", "Counter"})
_RESULTS = frozenset({"step", "map", "batch", "listen", "execute_workflow"})


def holds(kind: str, variable: str, scope: ast.Module | FunctionNode, names: Names) -> bool:
    """Tell whether a variable surely stands for what a mutation of that kind changes in the memory of the process.

    Something else may have a method `append` that writes to a file.
    """
    if kind == "name":
        return True
    given = list(_given(variable, scope))
    if not given or None in given:
        return False
    test = {"content": _is_container, "item": _has_containers, "attribute": _is_object}[kind]
    return all(test(one, names) for one in given if one is not None)


def _given(variable: str, scope: ast.Module | FunctionNode) -> Iterator[ast.expr | None]:
    """The values that a variable is given in its scope, parameters by their annotations; None for what is not known."""
    if isinstance(scope, FunctionNode):
        arguments = scope.args
        for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            if one.arg == variable:
                yield one.annotation
        if variable in [one.arg for one in (arguments.vararg, arguments.kwarg) if one is not None]:
            yield None
    known: set[ast.AST] = set()
    for node in own_nodes(scope.body):
        match node:
            case ast.Assign(targets=targets, value=value):
                mine = [one for one in targets if isinstance(one, ast.Name) and one.id == variable]
            case ast.AnnAssign(target=ast.Name(id=name) as target, value=value) if name == variable:
                mine = [target]
            case ast.NamedExpr(target=target, value=value) if target.id == variable:
                mine = [target]
            case ast.AugAssign(target=ast.Name(id=name) as target) if name == variable:
                known.add(target)  # It stays what it is.
                continue
            case _:
                continue
        known.update(mine)
        yield from (value for _ in mine if value is not None)
    for node in own_nodes(scope.body):
        stored = isinstance(node, ast.Name) and node.id == variable and isinstance(node.ctx, ast.Store)
        if stored and node not in known:
            yield None


def _is_container(node: ast.expr, names: Names) -> bool:
    match node:
        case ast.List() | ast.Dict() | ast.Set() | ast.ListComp() | ast.DictComp() | ast.SetComp():
            return True
        case ast.BinOp(op=ast.Mult() | ast.Add() | ast.BitOr(), left=left):
            return _is_container(left, names)
        case ast.Call():
            return origin(node.func, names) in _CONTAINERS
        case ast.Await():
            return _is_result(node, names)
        case ast.Constant(value=str() as text):
            return text.partition("[")[0] in ("list", "dict", "set")
        case ast.Name() | ast.Attribute():  # An annotation: nothing else is named here as a value.
            return origin(node, names) in _CONTAINER_TYPES
        case ast.Subscript(value=value):
            return origin(value, names) in _CONTAINER_TYPES
    return False


def _has_containers(node: ast.expr, names: Names) -> bool:
    """Tell whether an expression makes a container of containers."""
    match node:
        case ast.Call(func=func, args=[ast.Name(id=inner), *_]):
            return origin(func, names) == "collections.defaultdict" and inner in _INNER and not names.binds(inner)
        case ast.Dict(values=values) | ast.List(elts=values):
            return bool(values) and all(_is_container(one, names) for one in values if one is not None)
        case ast.ListComp(elt=value) | ast.DictComp(value=value):
            return isinstance(value, ast.List | ast.Dict | ast.Set)
        case ast.Await():
            return _is_result(node, names)
    return False


def _is_object(node: ast.expr, names: Names) -> bool:
    """Tell whether an expression makes an object of the project, whose attributes are nothing but values."""
    if isinstance(node, ast.Await):
        return _is_result(node, names)
    if not isinstance(node, ast.Call):
        return False
    meaning = names.meaning_of(node.func)
    if isinstance(meaning, Class):
        return not meaning.node.bases and not meaning.node.keywords and _is_plain(meaning.node)
    return isinstance(meaning, Foreign) and meaning.name == "types.SimpleNamespace"


def _is_plain(owner: ast.ClassDef) -> bool:
    """Tell whether assigning to an attribute is nothing but that."""
    special = {"__setattr__", "__delattr__", "__slots__", "__set__"}
    for node in owner.body:
        if isinstance(node, FunctionNode) and (node.name in special or node.decorator_list):
            return False
    return True


def _is_result(node: ast.Await, names: Names) -> bool:
    """Tell whether it is what a step gives, which is always a value."""
    call = step_call(node.value, names, None) if isinstance(node.value, ast.Call) else None
    return call is not None and call.kind in _RESULTS


def reads(variable: str, scope: ast.AST, without: set[ast.AST]) -> Iterator[ast.Name]:
    """Where code in a scope reads a variable, but for certain nodes, and for where it is only changed."""
    stack: list[tuple[ast.AST, ast.AST | None]] = [(scope, None)]
    while stack:
        node, parent = stack.pop()
        if node in without or _only_changes(node, variable):
            continue
        changes = isinstance(parent, ast.Subscript | ast.Attribute) and not isinstance(parent.ctx, ast.Load)
        if isinstance(node, ast.Name) and node.id == variable and isinstance(node.ctx, ast.Load) and not changes:
            yield node
        stack += [(child, node) for child in ast.iter_child_nodes(node)]


def _only_changes(node: ast.AST, variable: str) -> bool:
    match node:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr))):
            return name == variable and attr in METHODS
    return False
