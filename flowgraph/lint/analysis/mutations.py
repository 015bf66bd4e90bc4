"""What code changes of the variables around it: by assigning, by methods of containers, by items and attributes."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

import attrs

from flowgraph.compiler import Defined, FunctionNode, Names
from flowgraph.lint.analysis.durable import own_nodes
from flowgraph.lint.analysis.origins import listed

METHODS = listed("""
    append extend insert remove pop clear sort reverse appendleft extendleft popleft rotate add discard update
    setdefault popitem subtract difference_update intersection_update symmetric_difference_update
    """)
"""Methods that change the lists, dicts, sets, deques and counters that they belong to."""

_OF_LISTS = frozenset({"append", "extend", "appendleft", "setdefault"})
"""Those that are seldom methods of something else, where the kind of an attribute is not known."""

_MOST_FUNCTIONS = 50


@attrs.frozen(eq=False)
class Mutation:
    """A place where code changes what a variable from outside it stands for.

    Attributes:
        node: the place.
        variable: the variable.
        kind: "name" where the variable gets another value; "content" where the container that it stands for is changed,
            "item" where one in it is, and "attribute" where an attribute of its object is.
    """

    node: ast.AST
    variable: str
    kind: str


def mutations(code: FunctionNode | ast.Lambda, names: Names) -> Iterator[Mutation]:
    """What a function, or a lambda, changes of the variables around it, itself or in local functions that it calls.

    `names` are those inside the function, or around the lambda.
    """
    yield from _of(code, names, _own_names(code, names), {code})


def mutations_of_arguments(code: FunctionNode) -> Iterator[tuple[int, Mutation]]:
    """What a function changes of the objects that it is given, with the places of its parameters."""
    parameters = [one.arg for one in (*code.args.posonlyargs, *code.args.args)]
    nodes = list(own_nodes(code.body))
    stored = {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    for node in nodes:
        for found in _at(node, set()):
            if found.variable in parameters and found.variable not in stored | _targets(nodes):
                yield parameters.index(found.variable), found


def _of(code: FunctionNode | ast.Lambda, names: Names, own: frozenset[str], seen: set[ast.AST]) -> Iterator[Mutation]:
    body: Iterable[ast.AST] = [code.body] if isinstance(code, ast.Lambda) else code.body
    nodes = list(own_nodes(body))
    rebound = {name for node in nodes if isinstance(node, ast.Nonlocal | ast.Global) for name in node.names}
    own = own - rebound | _targets(nodes)
    for node in nodes:
        for found in _at(node, rebound):
            if found.variable not in own:
                yield found
        if isinstance(node, ast.Call) and len(seen) < _MOST_FUNCTIONS:
            called = names.meaning_of(node.func)
            if isinstance(called, Defined) and not called.member and called.node not in seen:
                yield from _in_local(called, names, own, seen)


def _in_local(called: Defined, names: Names, own: frozenset[str], seen: set[ast.AST]) -> Iterator[Mutation]:
    """What a function beside the code, or inside it, changes; one of another scope has other variables."""
    scope: Names | None = names
    while scope is not None and scope.node is not called.names.node:
        scope = scope.outer
    if scope is not None and not called.node.decorator_list:
        seen.add(called.node)
        inner = called.names.of_function(called.node, called.owner)
        hidden = own if called.names.node is names.node else frozenset[str]()
        for found in _of(called.node, inner, _own_names(called.node, inner), seen):
            if found.variable not in hidden:
                yield found


def _own_names(code: FunctionNode | ast.Lambda, names: Names) -> frozenset[str]:
    if isinstance(code, ast.Lambda):
        return frozenset(one.arg for one in ast.walk(code.args) if isinstance(one, ast.arg))
    return names.bound


def _targets(nodes: Iterable[ast.AST]) -> frozenset[str]:
    """The variables of comprehensions, which are no others' even where the names are."""
    return frozenset(
        name.id
        for node in nodes
        if isinstance(node, ast.comprehension)
        for name in ast.walk(node.target)
        if isinstance(name, ast.Name)
    )


def _at(node: ast.AST, rebound: set[str]) -> Iterator[Mutation]:
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()) if name in rebound:
            yield Mutation(node, name, "name")
        case ast.Subscript(value=value, ctx=ast.Store() | ast.Del()):
            yield from _of_content(node, value)
        case ast.Attribute(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
            yield Mutation(node, name, "attribute")
        case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr in METHODS:
            if not isinstance(value, ast.Attribute) or attr in _OF_LISTS:
                yield from _of_content(node, value)


def _of_content(node: ast.AST, value: ast.expr) -> Iterator[Mutation]:
    match value:
        case ast.Name(id=name):
            yield Mutation(node, name, "content")
        case ast.Subscript(value=ast.Name(id=name)):
            yield Mutation(node, name, "item")
        case ast.Attribute(value=ast.Name(id=name)):
            yield Mutation(node, name, "attribute")
