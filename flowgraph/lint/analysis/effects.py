"""What code does to the world beside giving values: the calls that may, and what leaving a context manager does."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from flowgraph.compiler import Defined, FunctionNode, Names
from flowgraph.lint.analysis.durable import own_nodes
from flowgraph.lint.analysis.origins import listed, origin
from flowgraph.lint.module import step_call

_QUIET_MODULES = ("asyncio.", "builtins.", "logging.", "time.", "contextvars.", "anyio.", "warnings.")
_QUIET_METHODS = listed("""
    add append appendleft cancel clear critical debug discard done error exception extend format get info insert
    items join keys log notify notify_all pop popitem popleft release remove reset result reverse set setdefault sort
    strip update values warn warning
    """)
"""Methods that change nothing but values of the function, write to a log, or give a lock back."""

_BUILTIN_EFFECTS = frozenset(
    {"builtins.open", "builtins.exec", "builtins.eval", "builtins.setattr", "builtins.delattr"}
)
_MOST_FUNCTIONS = 50
_CHANGING_FILES = frozenset({"os", "shutil", "pathlib"})

_QUIET_MANAGERS = (
    "asyncio.", "anyio.", "contextlib.nullcontext", "contextlib.aclosing", "contextlib.suppress",
)  # fmt: skip
_REMOVING = frozenset(
    f"tempfile.{name}()"
    for name in ("TemporaryDirectory", "NamedTemporaryFile", "TemporaryFile", "SpooledTemporaryFile")
)
"""Context managers that delete when they are left."""


def effects(body: Iterable[ast.AST], names: Names, function: FunctionNode) -> Iterator[ast.Call]:
    """The calls in code that do something to the world, or may; those of steps do not run while a run suspends."""
    yield from _effects(body, names, function, {})


def _effects(
    body: Iterable[ast.AST], names: Names, function: FunctionNode, known: dict[ast.AST, bool]
) -> Iterator[ast.Call]:
    """The same; `known` says of the functions that are called whether they are quiet."""
    for node in own_nodes(body):
        if not isinstance(node, ast.Call) or step_call(node, names, function) is not None:
            continue
        if not _is_quiet(node, names, known):
            yield node


def _is_quiet(node: ast.Call, names: Names, known: dict[ast.AST, bool]) -> bool:
    name = origin(node.func, names)
    if name is not None:
        if name in _BUILTIN_EFFECTS:
            return False
        if name.startswith(_QUIET_MODULES):
            return True
        if name.startswith("os.path.") or name in {"os.getpid", "os.getcwd", "os.getenv"}:
            return True
        if name.partition(".")[0] in _CHANGING_FILES:
            return False
    meaning = names.meaning_of(node.func)
    if isinstance(meaning, Defined) and not meaning.member:
        return _is_quiet_function(meaning, known)
    return isinstance(node.func, ast.Attribute) and node.func.attr in _QUIET_METHODS


def _is_quiet_function(function: Defined, known: dict[ast.AST, bool]) -> bool:
    node = function.node
    if node not in known:
        known[node] = len(known) < _MOST_FUNCTIONS  # While it is looked at: a call of itself adds nothing.
        inner = function.names.of_function(node, function.owner)
        known[node] = known[node] and not _is_stub(node) and not any(_effects(node.body, inner, node, known))
    return known[node]


def _is_stub(function: FunctionNode) -> bool:
    """Tell whether the body is ``...``, which stands for another one."""
    match function.body[-1]:
        case ast.Expr(value=ast.Constant(value=value)):
            return value is ...
    return False


def acts_at_its_end(manager: ast.expr, names: Names) -> bool:
    """Tell whether leaving an asynchronous context manager may do something to the world."""
    name = origin(manager, names)
    if name is not None and name.startswith(_QUIET_MANAGERS):
        return False
    meaning = names.meaning_of(manager.func) if isinstance(manager, ast.Call) else None
    if not isinstance(meaning, Defined) or meaning.member:
        return True
    yields = [node for node in own_nodes(meaning.node.body) if isinstance(node, ast.Yield)]
    if len(yields) != 1:
        return True
    inner = meaning.names.of_function(meaning.node, meaning.owner)
    after = yields[0].end_lineno or yields[0].lineno
    return any(call.lineno > after for call in effects(meaning.node.body, inner, meaning.node)) or any(
        isinstance(node, ast.With | ast.AsyncWith) for node in own_nodes(meaning.node.body)
    )


def removes(manager: ast.expr, names: Names) -> bool:
    """Tell whether leaving a context manager deletes files that steps may have been told of."""
    return origin(manager, names) in _REMOVING
