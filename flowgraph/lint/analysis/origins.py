"""Where a value comes from: the full name of what an expression stands for, through calls and local names.

``()`` stands for what a call gives, so ``queue.get`` is ``asyncio.Queue().get`` where the code says ``queue =
asyncio.Queue()``, ``with asyncio.Queue() as queue``, or has a parameter ``queue: asyncio.Queue``. A builtin is
``builtins.open``.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
from functools import lru_cache

from flowgraph.compiler import Foreign, FunctionNode, Names, Value

_DEEPEST = 12
_LONGEST = 60
_PATH = "pathlib.Path()"
_PATHS = frozenset({"pathlib.Path()", "pathlib.PosixPath()", "pathlib.WindowsPath()"})
_NEW_PATHS = frozenset(
    {"parent", "joinpath", "with_name", "with_suffix", "with_stem", "resolve", "absolute", "expanduser"}
)
_BUILTINS = frozenset(dir(builtins))


def origin(node: ast.AST, names: Names, depth: int = 0) -> str | None:
    """The full name of what an expression stands for; None where it is not known.

    Names of the project's own functions are not followed: they have none but their definition.
    """
    if depth > _DEEPEST:
        return None
    match node:
        case ast.Call(func=func):
            return _with(origin(func, names, depth + 1), "()")
        case ast.Await(value=value) | ast.NamedExpr(value=value):
            return origin(value, names, depth + 1)
        case ast.Attribute() | ast.Name():
            return _of_name(node, names, depth)
        case ast.BinOp(op=ast.Div(), left=left) if origin(left, names, depth + 1) == _PATH:
            return _PATH
    return None


def _with(found: str | None, rest: str) -> str | None:
    if found is None:
        return None
    if found.startswith(_PATH) and found.removeprefix(_PATH + ".") in _NEW_PATHS and rest == "()":
        return _PATH
    if found in _PATHS and rest == ".parent":
        return _PATH
    return f"{found}{rest}"


def _of_name(node: ast.Attribute | ast.Name, names: Names, depth: int) -> str | None:
    meaning = names.meaning_of(node)
    if isinstance(meaning, Foreign):
        return meaning.name.replace(f"{_PATH}.parent", _PATH)
    if isinstance(meaning, Value):
        return origin(meaning.node, meaning.names, depth + 1)
    if meaning is not None:
        return None
    if isinstance(node, ast.Attribute):
        return _with(origin(node.value, names, depth + 1), f".{node.attr}")
    if not names.binds(node.id):
        return f"builtins.{node.id}" if node.id in _BUILTINS else None
    return _of_local(node.id, names, depth)


def _of_local(name: str, names: Names, depth: int) -> str | None:
    """What a parameter, or the target of a ``with``, is by its annotation or its context manager."""
    scope: Names | None = names
    while scope is not None and name not in scope.bound:
        scope = scope.outer
    if scope is None or not isinstance(scope.node, FunctionNode):
        return None
    annotation, manager = _given(scope.node).get(name, (None, None))
    if annotation is not None:
        return _with(_of_annotation(annotation, scope, depth), "()")
    return None if manager is None else origin(manager, scope, depth + 1)


def _of_annotation(node: ast.expr, names: Names, depth: int) -> str | None:
    """The class that an annotation names: ``X``, ``"X"``, ``X | None``, ``X[Y]`` or ``Annotated[X, …]``."""
    match node:
        case ast.Constant(value=str() as text):
            with contextlib.suppress(SyntaxError):
                return _of_annotation(ast.parse(text, mode="eval").body, names, depth + 1)
            return None
        case ast.BinOp(op=ast.BitOr(), left=left, right=ast.Constant(value=None)):
            return _of_annotation(left, names, depth + 1)
        case ast.Subscript(value=value, slice=inner):
            outer = origin(value, names, depth + 1)
            first = inner.elts[0] if isinstance(inner, ast.Tuple) and inner.elts else inner
            if outer in ("typing.Optional", "typing.Annotated", "typing_extensions.Annotated"):
                return _of_annotation(first, names, depth + 1)
            return outer
    return origin(node, names, depth + 1)


@lru_cache(maxsize=64)
def _given(function: FunctionNode) -> dict[str, tuple[ast.expr | None, ast.expr | None]]:
    """The annotations of parameters, and the context managers of targets, whose names are bound by nothing else."""
    found: dict[str, list[tuple[ast.expr | None, ast.expr | None]]] = {}
    arguments = function.args
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        found.setdefault(argument.arg, []).append((argument.annotation, None))
    for node in ast.walk(function):
        if isinstance(node, ast.withitem) and isinstance(node.optional_vars, ast.Name):
            found.setdefault(node.optional_vars.id, []).append((None, node.context_expr))
    stores = [node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    return {
        name: ways[0]
        for name, ways in found.items()
        if len(ways) == 1 and stores.count(name) == (0 if ways[0][1] is None else 1)
    }


def called(node: ast.Call, names: Names) -> ast.expr:
    """The function that a call calls in the end: of ``asyncio.to_thread(f, x)`` and ``run_in_executor(None, f)``, f."""
    name = origin(node.func, names)
    if name in ("asyncio.to_thread", "anyio.to_thread.run_sync") and node.args:
        return node.args[0]
    runs = isinstance(node.func, ast.Attribute) and node.func.attr == "run_in_executor"
    return node.args[1] if runs and len(node.args) > 1 else node.func


def shown(node: ast.AST) -> str:
    """An expression as it stands in a message: on one line, and not too long."""
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def listed(text: str) -> frozenset[str]:
    """The full names in a text, which is how long lists of them are best read.

    >>> sorted(listed("os.remove os.rename"))
    ['os.remove', 'os.rename']
    """
    return frozenset(text.split())
