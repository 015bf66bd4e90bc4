"""What the handlers of steps change of the variables of workflows, and whether that matters."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import attrs

from flowgraph.compiler import Defined, FunctionNode, Names
from flowgraph.lint.analysis.handlers import handlers
from flowgraph.lint.analysis.mutations import METHODS, Mutation, mutations, mutations_of_arguments
from flowgraph.lint.analysis.origins import origin
from flowgraph.lint.analysis.variables import holds, reads
from flowgraph.lint.module import Module


@attrs.frozen(eq=False)
class Change:
    """A mutation by the handler of a call; `names` are those in which the variable is looked for.

    `code` is the handler where that is a function, and `is_decorator` says that it is written under ``@step``.
    """

    call: ast.Call
    handler: str
    mutation: Mutation
    names: Names | None
    code: ast.AST | None = None
    is_decorator: bool = False


def changes(module: Module) -> Iterator[Change]:
    """What the handlers of a file change, by what they are: functions, methods of containers, given an argument."""
    yield from _by_handlers(module)
    yield from _by_methods(module)
    yield from _by_arguments(module)


def _by_handlers(module: Module) -> Iterator[Change]:
    for handler in handlers(module):
        code = handler.node
        if handler.names.unit is not module.unit:
            continue  # A handler of another file has no variables of this one.
        names = handler.names if isinstance(code, ast.Lambda) else handler.names.outer
        decorates = isinstance(code, FunctionNode) and handler.call in code.decorator_list
        for mutation in mutations(code, handler.names):
            yield Change(handler.call, handler.name, mutation, names, code, decorates)


def _by_methods(module: Module) -> Iterator[Change]:
    """``step("x", rows.append, row)``."""
    for call in module.calls:
        method = call.handler
        if isinstance(method, ast.Call) and origin(method.func, call.names) == "functools.partial" and method.args:
            method = method.args[0]
        match method:
            case ast.Attribute(value=ast.Name(id=variable), attr=attr) if attr in METHODS:
                mutation = Mutation(method, variable, "content")
                yield Change(call.node, f"{variable}.{attr}", mutation, call.names)


def _by_arguments(module: Module) -> Iterator[Change]:
    """``step("x", fill, rows)``, where ``fill`` changes its argument."""
    for call in module.calls:
        handler = call.decorated
        meaning = None if call.handler is None else call.names.meaning_of(call.handler)
        if handler is None and call.kind == "step" and isinstance(meaning, Defined) and not meaning.member:
            handler = meaning
        if handler is None or handler.owner is not None or handler.names.unit is not module.unit:
            continue
        given = call.node.args if call.decorated is not None else call.node.args[2:]
        for place, mutation in mutations_of_arguments(handler.node):
            argument = given[place] if place < len(given) else None
            if isinstance(argument, ast.Name) and not any(isinstance(one, ast.Starred) for one in given):
                change = attrs.evolve(mutation, variable=argument.id)
                yield Change(call.node, handler.node.name, change, call.names, handler.node)


def matters(module: Module, change: Change) -> bool:
    """Tell whether the variable is one of the workflow's, of a known kind, and is read after the step."""
    mutation = change.mutation
    home = change.names
    while home is not None and mutation.variable not in home.bound:
        home = home.outer
    if home is None or not holds(mutation.kind, mutation.variable, home.node, home):
        return False
    caller = next((node for node in module.around(change.call) if isinstance(node, FunctionNode)), None)
    if caller is None:
        return False
    calls_here = home.node is caller or isinstance(home.node, ast.Module)
    if not (calls_here and not change.is_decorator) and module.workflow_of(home.node) is None:
        return False
    scope = caller if isinstance(home.node, ast.Module) else home.node
    changing = next(
        (node for node in module.around(mutation.node) if isinstance(node, FunctionNode | ast.Lambda)), None
    )
    without = {one for one in (change.call, change.code, changing) if one is not None and one is not scope}
    return any(_comes_after(module, read, change.call, scope) for read in reads(mutation.variable, scope, without))


def _comes_after(module: Module, read: ast.Name, call: ast.Call, scope: ast.AST) -> bool:
    """Tell whether a variable may be read after a call: further down, in the next pass, or in another function."""
    if read.lineno > (call.end_lineno or call.lineno) or module.scope_of(read) is not scope:
        return True
    around = set(module.around(read))
    return any(node in around for node in module.around(call) if isinstance(node, ast.For | ast.AsyncFor | ast.While))
