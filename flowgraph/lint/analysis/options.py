"""The options of a call as they are written, and why the runtime refuses them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

from flowgraph.compiler import Defined, FunctionNode, Names, Value, words
from flowgraph.lint.analysis.constants import UNKNOWN, constant
from flowgraph.lint.analysis.handlers import function_of, is_async
from flowgraph.lint.analysis.trials import Pool, argument_name, coroutine, decorated, is_known, plain, refused
from flowgraph.lint.module import Module, StepCall


def refusal(kind: str, option: str, node: ast.expr, names: Names, handler: Callable[..., Any] = plain) -> str | None:
    """Why an option is refused; None where it is allowed, or known in a run only."""
    if not is_known(kind, option):
        return "there is no such option"
    value = _value(option, node, names)
    return None if value is UNKNOWN else refused(kind, option, value, handler)


def options(call: StepCall) -> Iterator[tuple[str, ast.expr]]:
    """The options of a call, and its positional arguments that are checked like options.

    A call of a function under ``@step`` has none, and one without any name is FG108's.
    """
    if call.decorated is not None or (call.kind in words.POSITIONAL and not call.node.args):
        return
    for place, argument in enumerate(call.node.args):
        if isinstance(argument, ast.Starred):
            break
        if (name := argument_name(call.kind, place)) is not None:
            yield name, argument
    for keyword in call.node.keywords:
        if keyword.arg is not None and not _is_name(call, keyword.arg) and not _is_for_child(call.kind, keyword.arg):
            yield keyword.arg, keyword.value


def _is_name(call: StepCall, option: str) -> bool:
    """Tell whether it is the name, or the handler, of a call that takes them by keyword too."""
    return option in ("name", "message", "handler") and call.kind not in words.POSITIONAL


def _is_for_child(kind: str, option: str) -> bool:
    """Tell whether it is an argument of another workflow."""
    return kind == "execute_workflow" or (kind == "start_workflow" and option != "detached")


def _value(option: str, node: ast.expr, names: Names) -> Any:
    """The value of an option, or what stands for it in a trial."""
    value = constant(node, names)
    if value is not UNKNOWN:
        return value
    if option == "executor":
        meaning = names.meaning_of(node)
        made = meaning.node if isinstance(meaning, Value) else node
        return Pool() if isinstance(made, ast.Call) else UNKNOWN
    if option == "key":
        found = function_of(node, names)
        return coroutine if found is not None and is_async(found[0]) else UNKNOWN
    return UNKNOWN


def stand_in(module: Module, call: StepCall) -> Callable[..., Any]:
    """What stands for the handler of a call in a trial."""
    if call.handler is None:
        owner = next(module.around(call.node), None) if call.is_decorator else None
        is_above = isinstance(owner, FunctionNode) and call.node in owner.decorator_list
        return coroutine if is_above and isinstance(owner, ast.AsyncFunctionDef) else plain
    found = function_of(call.handler, call.names)
    if found is not None:
        return coroutine if is_async(found[0]) else plain
    meaning = call.names.meaning_of(call.handler)
    is_step = isinstance(meaning, Defined) and not meaning.member and words.step_decorator(meaning) is not None
    return decorated if is_step else plain
