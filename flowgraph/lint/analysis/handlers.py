"""The handlers of a file's steps: which function each is, and where it runs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache

import attrs

from flowgraph.compiler import Defined, Foreign, FunctionNode, Names, Value, words
from flowgraph.lint.module import Module, StepCall
from flowgraph.model.placement import EXECUTOR, LOOP, THREAD, TRANSACTION

_MOST_ALIASES = 20
_THREADS = frozenset({"concurrent.futures.ThreadPoolExecutor", "concurrent.futures.thread.ThreadPoolExecutor"})


@attrs.frozen(eq=False)
class Handler:
    """A function that is the handler of a step.

    Attributes:
        call: the call that is given it; for a function under ``@step``, the decorator.
        node: the function, or the lambda.
        names: the names inside the function, or around the lambda.
        place: where it runs: see `flowgraph.model.placement`.
    """

    call: ast.Call
    node: FunctionNode | ast.Lambda
    names: Names
    place: str

    @property
    def name(self) -> str:
        """What to call it in a message."""
        return "the lambda" if isinstance(self.node, ast.Lambda) else self.node.name


@lru_cache(maxsize=1)  # Several rules ask for them, one after the other.
def handlers(module: Module) -> tuple[Handler, ...]:
    """The handlers of the calls in a file, and its functions under ``@step``, as far as they are known."""
    return tuple(_handlers(module))


def _handlers(module: Module) -> Iterator[Handler]:
    for call in module.calls:
        if call.handler is not None and (found := function_of(call.handler, call.names)) is not None:
            yield _handler(call.node, call.option("executor"), call.names, *found)
    for call in transactions(module):
        if call.handler is not None and (found := function_of(call.handler, call.names)) is not None:
            yield Handler(call.node, *found, TRANSACTION)
    for function, names, _ in module.functions():
        if function.decorator_list:
            yield from _decorated(module, function, names)


def transactions(module: Module) -> Iterator[StepCall]:
    """The calls of ``step.transaction`` with a name and a handler; the graph has no such step yet."""
    for node, names, function in module.each(ast.Call):
        meaning = names.meaning_of(node.func)
        if isinstance(meaning, Foreign) and words.is_transaction(meaning.name) and len(node.args) > 1:
            yield StepCall(node, "transaction", names, function, None, node.args[0], node.args[1])


def function_of(node: ast.expr, names: Names, depth: int = 0) -> tuple[FunctionNode | ast.Lambda, Names] | None:
    """The function that an expression is in the end, behind names and partials, and the names inside it."""
    if depth > _MOST_ALIASES:
        return None
    if isinstance(node, ast.Lambda):
        return node, names
    if isinstance(node, ast.Call):
        meaning = names.meaning_of(node.func)
        is_partial = isinstance(meaning, Foreign) and meaning.name == words.PARTIAL and node.args
        return function_of(node.args[0], names, depth + 1) if is_partial else None
    meaning = names.meaning_of(node)
    if isinstance(meaning, Value):
        return function_of(meaning.node, meaning.names, depth + 1)
    if isinstance(meaning, Defined) and not meaning.member and not meaning.node.decorator_list:
        return meaning.node, meaning.names.of_function(meaning.node, meaning.owner)
    return None


def is_async(node: FunctionNode | ast.Lambda) -> bool:
    """Tell whether a function is ``async def``."""
    return isinstance(node, ast.AsyncFunctionDef)


def _handler(
    call: ast.Call, executor: ast.expr | None, caller: Names, node: FunctionNode | ast.Lambda, names: Names
) -> Handler:
    if is_async(node):
        return Handler(call, node, names, LOOP)
    return Handler(call, node, names, _place(executor, caller))


def _place(executor: ast.expr | None, names: Names) -> str:
    """Where a plain handler runs. An executor may be one of threads, or none, so it has to be known."""
    if executor is None:
        return THREAD
    meaning = names.meaning_of(executor)
    if isinstance(meaning, Value):
        executor, names = meaning.node, meaning.names
    if isinstance(executor, ast.Call):
        called = names.meaning_of(executor.func)
        return THREAD if isinstance(called, Foreign) and called.name in _THREADS else EXECUTOR
    return EXECUTOR if isinstance(executor, ast.Constant) and isinstance(executor.value, str) else THREAD


def _decorated(module: Module, node: FunctionNode, names: Names) -> Iterator[Handler]:
    parent = next(module.around(node), None)
    owner = parent if isinstance(parent, ast.ClassDef) else None
    decorator = words.step_decorator(Defined(node, names, owner))
    if decorator is not None and len(node.decorator_list) == 1:
        call = StepCall(decorator, "step", names, None)
        yield _handler(decorator, call.option("executor"), names, node, names.of_function(node, owner))
