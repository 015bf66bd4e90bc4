"""What calls give, as far as it can be said without running them: coroutines, and values that nobody can call."""

from __future__ import annotations

import ast

from flowgraph.compiler import Defined, FunctionNode, Names
from flowgraph.lint.analysis.durable import own_nodes
from flowgraph.lint.analysis.origins import origin
from flowgraph.lint.analysis.workflows import is_workflow
from flowgraph.lint.module import StepCall, step_call

_NO_CALLABLES = frozenset(
    {
        "bool",
        "bytes",
        "bytearray",
        "complex",
        "dict",
        "enumerate",
        "float",
        "frozenset",
        "id",
        "input",
        "int",
        "len",
        "list",
        "open",
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
    }
)
_LIBRARY = {
    "asyncio": "sleep gather wait wait_for to_thread create_task ensure_future shield",
    "time": "sleep time time_ns monotonic perf_counter",
    "json": "dumps loads dump load",
    "uuid": "uuid1 uuid4",
    "os": "remove unlink rename mkdir makedirs listdir getenv getcwd",
    "shutil": "copy copyfile copytree move rmtree",
    "subprocess": "run call check_call check_output",
    "random": "random randint uniform",
}
_NOT_CALLABLE = frozenset(
    {f"builtins.{name}" for name in _NO_CALLABLES}
    | {f"{module}.{name}" for module, names in _LIBRARY.items() for name in names.split()}
)
"""Functions whose results cannot be called."""

COROUTINE = "a coroutine"
CALLED_WORKFLOW = "the call of a workflow"
_NO_CALLABLE = "a value that cannot be called"


def result_of(node: ast.expr, names: Names, function: FunctionNode | None) -> str | None:
    """What a call, or an awaited one, gives, in words; None where that may be something to call."""
    if isinstance(node, ast.Await):
        return _awaited(node.value, names, function)
    if not isinstance(node, ast.Call):
        return None
    step = step_call(node, names, function)
    if step is not None:
        return None if step.is_decorator else COROUTINE
    meaning = names.meaning_of(node.func)
    if isinstance(meaning, Defined):
        return _of_function(meaning)
    return _NO_CALLABLE if origin(node.func, names) in _NOT_CALLABLE else None


def _awaited(node: ast.expr, names: Names, function: FunctionNode | None) -> str | None:
    if not isinstance(node, ast.Call):
        return None
    if _is_step(step_call(node, names, function)):
        return "the saved result of a step"
    meaning = names.meaning_of(node.func)
    plain = isinstance(meaning, Defined) and not meaning.member and not meaning.node.decorator_list
    return _NO_CALLABLE if plain and isinstance(meaning, Defined) and _gives_no_callable(meaning) else None


def _is_step(call: StepCall | None) -> bool:
    return call is not None and not call.is_decorator


def _of_function(function: Defined) -> str | None:
    if is_workflow(function):
        return CALLED_WORKFLOW
    if function.member or function.node.decorator_list:
        return None
    if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in own_nodes(function.node.body)):
        return "a generator"
    if isinstance(function.node, ast.AsyncFunctionDef):
        return COROUTINE
    return _NO_CALLABLE if _gives_no_callable(function) else None


def _gives_no_callable(function: Defined) -> bool:
    if function.node.returns is not None:
        return _is_plain_type(function.node.returns, function.names)
    if function.owner is not None:
        return False  # A subclass may have another one.
    values = [node.value for node in own_nodes(function.node.body) if isinstance(node, ast.Return)]
    return all(value is None or _is_display(value) for value in values)


def _is_plain_type(node: ast.expr, names: Names) -> bool:
    match node:
        case ast.Constant(value=None):
            return True
        case ast.Constant(value=str() as text):
            return text.partition("[")[0] in _NO_CALLABLES
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            return _is_plain_type(left, names) and _is_plain_type(right, names)
        case ast.Subscript(value=value):
            return _is_plain_type(value, names)
        case ast.Name(id=name):
            return name in _NO_CALLABLES and not names.binds(name)
    return False


def _is_display(node: ast.expr) -> bool:
    kinds = (
        ast.Constant,
        ast.JoinedStr,
        ast.List,
        ast.Tuple,
        ast.Dict,
        ast.Set,
        ast.ListComp,
        ast.DictComp,
        ast.SetComp,
    )
    return isinstance(node, (*kinds, ast.Compare, ast.GeneratorExp))
