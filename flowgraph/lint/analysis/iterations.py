"""Which loops and comprehensions an awaitable outlives, so that it runs when their variables have moved on.

It is told only where it is certain: an awaitable of a comprehension, one that is put into a collection which the loop
does not look at, or one that is spawned in a loop that never lets it begin.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from flowgraph.compiler import Foreign, FunctionNode, Names, words
from flowgraph.lint.analysis.durable import own_nodes
from flowgraph.lint.module import Module

Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
Loop = ast.For | ast.AsyncFor | ast.While

_COLLECTING = frozenset({"append", "add", "insert", "extend", "appendleft", "put_nowait"})
_COLLECTIONS = frozenset({"list", "tuple", "set", "dict"})


def outlived(module: Module, call: ast.Call, names: Names) -> Iterator[tuple[Loop | Comprehension, frozenset[str]]]:
    """The loops and comprehensions that the awaitable of a call outlives, each with the names that change in it."""
    spawned = False
    node: ast.AST = call
    for parent in module.around(call):
        spawned = spawned or _is_spawning(parent, names)
        if isinstance(parent, Comprehension):
            if node in parent.generators or not _is_collected(module, parent, names):
                return
            yield parent, _targets(parent)
        elif (put := _put_away(module, node, parent, names)) is not None:
            yield from _loops(module, *put, spawned=spawned)
            return
        elif not _goes_on(node, parent, names):
            return
        node = parent


def _put_away(module: Module, node: ast.AST, parent: ast.AST, names: Names) -> tuple[ast.AST, str | None] | None:
    """Where an awaitable leaves its expression: the node, and the collection or task group that takes it, if any."""
    match parent:
        case ast.Call() if node is not parent.func:
            if (holder := _collector(parent)) is not None:
                return parent, holder
            if _is_spawning(parent, names) and isinstance(next(module.around(parent)), ast.Expr):
                return parent, _group(parent)
        case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=holder))]):
            return parent, holder
        case ast.AugAssign(target=ast.Name(id=holder), op=ast.Add()):
            return parent, holder
        case ast.Assign(targets=[ast.Name(id=name)]) if (call := _collected_name(module, parent, name)) is not None:
            return call, _collector(call)
    return None


def _goes_on(node: ast.AST, parent: ast.AST, names: Names) -> bool:
    """Tell whether an expression gives an awaitable in it to what is around."""
    if isinstance(parent, ast.Call):
        return node is not parent.func and (_is_spawning(parent, names) or _passes_on(parent, names))
    return isinstance(parent, ast.Starred | ast.List | ast.Tuple | ast.Set | ast.IfExp | ast.comprehension)


def _is_collected(module: Module, node: Comprehension, names: Names) -> bool:
    """Tell whether a comprehension is used up before any of its awaitables runs; a generator need not be."""
    if not isinstance(node, ast.GeneratorExp):
        return True
    parent = next(module.around(node), None)
    if isinstance(parent, ast.Call):
        return _passes_on(parent, names) or _is_spawning(parent, names) or _collector(parent) is not None
    return isinstance(parent, ast.Starred)


def _collected_name(module: Module, node: ast.Assign, name: str) -> ast.Call | None:
    """The one call that puts a local name into a collection, where that is all that is done with the name."""
    loop = next((parent for parent in module.around(node) if isinstance(parent, Loop)), None)
    uses = [] if loop is None else [one for one in ast.walk(loop) if isinstance(one, ast.Name) and one.id == name]
    reads = [one for one in uses if isinstance(one.ctx, ast.Load)]
    if len(reads) != 1 or len(uses) != 2:
        return None
    call = next(module.around(reads[0]))
    return call if isinstance(call, ast.Call) and _collector(call) is not None else None


def _targets(node: Comprehension) -> frozenset[str]:
    found = [one for generator in node.generators for one in ast.walk(generator.target)]
    return frozenset(one.id for one in found if isinstance(one, ast.Name))


def _collector(call: ast.Call) -> str | None:
    """The name of the collection that a call puts its arguments into."""
    match call.func:
        case ast.Attribute(value=ast.Name(id=name), attr=attr) if attr in _COLLECTING:
            return name
    return None


def _is_spawning(node: ast.AST, names: Names) -> bool:
    """Tell whether a node is a call that makes tasks of awaitables, which begin at the next await."""
    if not isinstance(node, ast.Call):
        return False
    meaning = names.meaning_of(node.func)
    if isinstance(meaning, Foreign):
        return meaning.name in words.SPAWNING | words.GATHERING
    return _group(node) is not None


def _group(call: ast.Call) -> str | None:
    match call.func:
        case ast.Attribute(value=ast.Name(id=name), attr="create_task"):
            return name
    return None


def _passes_on(call: ast.Call, names: Names) -> bool:
    """Tell whether a call gives back an awaitable of its arguments, or a collection of them."""
    meaning = names.meaning_of(call.func)
    if isinstance(meaning, Foreign):
        return meaning.name in words.PASSING
    return isinstance(call.func, ast.Name) and call.func.id in _COLLECTIONS and not names.binds(call.func.id)


def _loops(
    module: Module, node: ast.AST, holder: str | None, *, spawned: bool
) -> Iterator[tuple[Loop | Comprehension, frozenset[str]]]:
    """The loops around a statement that puts an awaitable away, or spawns it, as far as they leave it alone."""
    for parent in module.around(node):
        if isinstance(parent, FunctionNode | ast.Lambda | ast.ClassDef):
            return
        if isinstance(parent, ast.AsyncWith | ast.With) and _binds(parent, holder):
            return
        if isinstance(parent, Loop):
            if not _leaves_alone(parent, holder, spawned=spawned):
                return
            yield parent, _changing(parent)


def _binds(node: ast.AsyncWith | ast.With, name: str | None) -> bool:
    return any(isinstance(item.optional_vars, ast.Name) and item.optional_vars.id == name for item in node.items)


def _leaves_alone(loop: Loop, holder: str | None, *, spawned: bool) -> bool:
    """Tell whether no pass of a loop can run what it has put away."""
    waits = (ast.Await, ast.AsyncFor, ast.AsyncWith)
    inside = [loop, *own_nodes(loop.body)]
    if spawned and any(isinstance(node, waits) for node in inside):
        return False
    kept = 0
    for node in inside:
        match node:
            case ast.Call() if _collector(node) == holder or _group(node) == holder:
                kept += 1
            case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=name))]) if name == holder:
                kept += 1
            case ast.AugAssign(target=ast.Name(id=name)) if name == holder:
                kept += 1
    return holder is None or kept == sum(isinstance(node, ast.Name) and node.id == holder for node in inside)


def _changing(loop: Loop) -> frozenset[str]:
    """The names that have another value in each pass: the targets, or what is tested, and what is made of these."""
    given: list[tuple[str, set[str]]] = []
    for node in own_nodes(loop.body):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                given.append((name, _names_in(value)))
            case ast.AugAssign(target=ast.Name(id=name)):
                given.append((name, {name}))
    if isinstance(loop, ast.While):
        found = _names_in(loop.test) & {name for name, _ in given}
    else:
        found = _names_in(loop.target)
    while new := {name for name, inside in given if inside & found and name not in inside} - found:
        found |= new
    return frozenset(found)


def _names_in(node: ast.expr) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
