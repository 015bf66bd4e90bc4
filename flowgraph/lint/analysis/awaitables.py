"""What becomes of an awaitable: whether the code awaits it, hands it on, or loses it.

It is followed through the expression that it is in, and through a local name that is given nothing else. Where it goes
out of sight (a list, an attribute, an unknown function) it is handed on, since somebody may await it there.
"""

from __future__ import annotations

import ast
from enum import Enum, auto

from flowgraph.compiler import Defined, Foreign, FunctionNode, Names, words
from flowgraph.lint.analysis.loops import runs_its_own_loop
from flowgraph.lint.module import Module, StepCall


class Fate(Enum):
    """What becomes of an awaitable."""

    AWAITED = auto()
    RETURNED = auto()
    HANDED_ON = auto()
    TAKEN_FOR_RESULT = auto()
    """It is used as what it would give if it were awaited."""
    RUN_ON_ITS_OWN = auto()
    """It is given to a loop of its own, as `asyncio.run` has, where a run knows nothing of it."""
    LOST = auto()


WITHOUT_LOOP = frozenset({Fate.LOST, Fate.TAKEN_FOR_RESULT, Fate.AWAITED, Fate.RUN_ON_ITS_OWN})
"""What cannot be right for the awaitable of a step in code that is not `async def`."""

_OWN = frozenset({"send", "throw", "close", "__await__", "__name__", "__qualname__"})
_LOOKING = frozenset(
    [
        "abs",
        "all",
        "any",
        "bool",
        "bytes",
        "dict",
        "enumerate",
        "filter",
        "float",
        "frozenset",
        "int",
        "iter",
        "len",
        "list",
        "map",
        "max",
        "min",
        "next",
        "print",
        "range",
        "repr",
        "reversed",
        "round",
        "set",
        "sorted",
        "str",
        "sum",
        "tuple",
        "zip",
    ]
)
"""Builtins that await nothing."""

_DISPLAYS = (ast.Tuple, ast.List, ast.Set, ast.Dict, ast.ListComp, ast.SetComp, ast.DictComp, ast.Starred, ast.IfExp)
_DEEPEST = 10


def fate(module: Module, node: ast.expr, names: Names, depth: int = 0) -> Fate:
    """What becomes of the awaitable that an expression of the module gives; `names` are those around it."""
    parent = next(module.around(node), None)
    if depth > _DEEPEST:
        return Fate.HANDED_ON
    match parent:
        case ast.Expr():
            return Fate.LOST
        case ast.Await():
            return Fate.AWAITED
        case ast.Return() | ast.Lambda():
            return Fate.RETURNED
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return _in_name(module, module.scope_of(parent), name, names, depth)
        case ast.Call():
            return _in_call(module, node, parent, names, depth)
        case ast.IfExp(test=test) if test is not node:
            return fate(module, parent, names, depth + 1)
        case ast.BoolOp(values=[*_, last]) if last is node:
            return fate(module, parent, names, depth + 1)
        case ast.List() | ast.Tuple() | ast.Set() | ast.ListComp() | ast.SetComp():
            lost = fate(module, parent, names, depth + 1) is Fate.LOST
            return Fate.LOST if lost else Fate.HANDED_ON
    return Fate.TAKEN_FOR_RESULT if _is_taken(node, parent) else Fate.HANDED_ON


def _is_taken(node: ast.expr, parent: ast.AST | None) -> bool:
    """Tell whether the expression around an awaitable can do nothing with one."""
    match parent:
        case ast.Attribute(attr=attr):
            return attr not in _OWN and not attr.startswith("cr_")
        case ast.Compare(ops=ops):
            return not any(isinstance(op, ast.Is | ast.IsNot | ast.In | ast.NotIn) for op in ops)
        case ast.Assign(targets=[ast.Tuple() | ast.List()]):
            return True
        case ast.Subscript() | ast.BinOp() | ast.UnaryOp() | ast.FormattedValue() | ast.BoolOp() | ast.IfExp():
            return True
        case ast.If() | ast.Assert() | ast.While() | ast.For() | ast.AsyncFor() | ast.comprehension() | ast.withitem():
            return True
        case ast.AugAssign(value=value):
            return value is node
    return False


def is_returned_inside(module: Module, node: ast.expr) -> bool:
    """Tell whether an awaitable is returned inside a display: ``return {"a": step("a", f)}``, by way of a name or not.

    A name that anything else is done with may have other values in it when it is returned.
    """
    for parent in module.around(node):
        if isinstance(parent, ast.Return):
            return True
        if isinstance(parent, ast.Assign):
            return _is_only_returned(module, parent)
        if not isinstance(parent, _DISPLAYS) or node in (getattr(parent, "test", None), getattr(parent, "key", None)):
            return False
        node = parent
    return False


def _is_only_returned(module: Module, node: ast.Assign) -> bool:
    """Tell whether the name that a value is given to has it from here only, and is returned and nothing else."""
    scope = module.scope_of(node)
    match node.targets:
        case [ast.Name(id=name)] if isinstance(scope, FunctionNode):
            uses = [one for one in ast.walk(scope) if isinstance(one, ast.Name) and one.id == name]
            loads = [one for one in uses if isinstance(one.ctx, ast.Load)]
            return len(uses) == 2 and bool(loads) and isinstance(next(module.around(loads[0])), ast.Return)
    return False


def _in_name(module: Module, scope: ast.AST, name: str, names: Names, depth: int) -> Fate:
    """What becomes of an awaitable that a local name, or a parameter, stands for."""
    if not isinstance(scope, FunctionNode):
        return Fate.HANDED_ON
    inside = list(ast.walk(scope))
    if any(isinstance(node, ast.Global | ast.Nonlocal) and name in node.names for node in inside):
        return Fate.HANDED_ON
    uses = [node for node in inside if isinstance(node, ast.Name) and node.id == name]
    loads = [node for node in uses if isinstance(node.ctx, ast.Load)]
    if not loads:
        return Fate.LOST
    given = sum(isinstance(node.ctx, ast.Store) for node in uses) + (name in _parameters(scope))
    if given != 1:
        return Fate.HANDED_ON
    fates = {fate(module, load, names, depth + 1) for load in loads}
    return min(fates, key=lambda one: one.value)


def _in_call(module: Module, node: ast.expr, call: ast.Call, names: Names, depth: int) -> Fate:
    """What becomes of an awaitable that is called, or is an argument of a call."""
    if node is call.func:
        return Fate.TAKEN_FOR_RESULT
    if isinstance(call.func, ast.Name) and call.func.id in _LOOKING and not names.binds(call.func.id):
        return Fate.TAKEN_FOR_RESULT
    meaning = names.meaning_of(call.func)
    if isinstance(meaning, Foreign) and meaning.name == words.WAIT_FOR:
        return fate(module, call, names, depth + 1)
    if runs_its_own_loop(call, names):
        return Fate.RUN_ON_ITS_OWN
    step = module.call_at(call)
    return Fate.HANDED_ON if step is None else _in_handler(module, node, step, depth)


def _in_handler(module: Module, node: ast.expr, call: StepCall, depth: int) -> Fate:
    """What becomes of an awaitable that a step's handler is given, where the handler is in the same file."""
    handler = call.decorated or (call.names.meaning_of(call.handler) if call.handler is not None else None)
    place = call.node.args.index(node) - (0 if call.decorated else 2) if node in call.node.args else -1
    if not isinstance(handler, Defined) or handler.names.unit is not module.unit or call.kind != "step" or place < 0:
        return Fate.HANDED_ON
    if any(decorator is not words.step_decorator(handler) for decorator in handler.node.decorator_list):
        return Fate.HANDED_ON
    positional = [*handler.node.args.posonlyargs, *handler.node.args.args]
    place += handler.owner is not None
    if place >= len(positional):
        return Fate.HANDED_ON
    found = _in_name(module, handler.node, positional[place].arg, handler.names.of_function(handler.node), depth)
    if found is Fate.RETURNED and isinstance(handler.node, ast.AsyncFunctionDef):
        return Fate.TAKEN_FOR_RESULT
    return Fate.TAKEN_FOR_RESULT if found is Fate.LOST else found


def _parameters(function: FunctionNode) -> set[str]:
    arguments = function.args
    given = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return {argument.arg for argument in given if argument is not None}
