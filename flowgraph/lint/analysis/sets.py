"""Whether an expression is a set, whose order is another one in each process."""

from __future__ import annotations

import ast

from flowgraph.compiler import Defined, FunctionNode, Names, Value
from flowgraph.lint.analysis.origins import origin
from flowgraph.lint.module import step_call

_MAKING = frozenset({"builtins.set", "builtins.frozenset"})
_TYPES = _MAKING | {
    f"{module}.{name}"
    for module, names in {
        "typing": ("Set", "FrozenSet", "AbstractSet", "MutableSet"),
        "collections.abc": ("Set", "MutableSet"),
    }.items()
    for name in names
}
_KEEPING_ORDER = frozenset(
    f"builtins.{name}" for name in ("list", "tuple", "iter", "enumerate", "reversed", "map", "filter", "zip")
)
_METHODS = frozenset({"union", "intersection", "difference", "symmetric_difference", "copy"})
_ORDERED = frozenset({"builtins.str", "builtins.int", "builtins.float", "datetime.date", "decimal.Decimal"})
_DEEPEST = 20


def is_set(node: ast.expr, names: Names, depth: int = 0) -> bool:
    """Tell whether an expression is surely a set, or goes through one in its order."""
    if depth > _DEEPEST:
        return False
    match node:
        case ast.Set(elts=elements):
            return len(elements) > 1 or any(isinstance(one, ast.Starred) for one in elements)
        case ast.SetComp():
            return True
        case ast.Name() | ast.Await() | ast.NamedExpr():
            return _is_set_in_name(node, names, depth)
        case ast.BinOp(op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor(), left=left):
            return is_set(left, names, depth + 1)
        case ast.Call():
            return _is_made(node, names, depth)
    return False


def _is_made(node: ast.Call, names: Names, depth: int) -> bool:
    name = origin(node.func, names)
    if name in _MAKING:
        return True
    if name in _KEEPING_ORDER:
        return any(is_set(argument, names, depth + 1) for argument in node.args)
    if isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
        return is_set(node.func.value, names, depth + 1)
    return False


def _is_set_in_name(node: ast.Name | ast.Await | ast.NamedExpr, names: Names, depth: int) -> bool:
    if isinstance(node, ast.NamedExpr):
        return is_set(node.value, names, depth + 1)
    if isinstance(node, ast.Await):
        annotation = _result(node.value, names)
        return annotation is not None and _is_set_type(*annotation)
    meaning = names.meaning_of(node)
    if isinstance(meaning, Value) and is_set(meaning.node, meaning.names, depth + 1):
        return True
    annotation = _annotation(node.id, names)
    return annotation is not None and _is_set_type(*annotation)


def _is_set_type(node: ast.expr, names: Names) -> bool:
    node = _written(node)
    return origin(node.value if isinstance(node, ast.Subscript) else node, names) in _TYPES


def _written(node: ast.expr) -> ast.expr:
    """An annotation, where it is text as the expression in that."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return ast.parse(node.value, mode="eval").body
        except (SyntaxError, ValueError):
            return node
    return node


def _annotation(name: str, names: Names) -> tuple[ast.expr, Names] | None:
    """The annotation of a parameter, or of a variable, that is given no other value."""
    scope: Names | None = names
    while scope is not None and name not in scope.bound:
        scope = scope.outer
    if scope is None or not isinstance(scope.node, FunctionNode):
        return None
    found: list[ast.expr] = []
    stores = 0
    for node in ast.walk(scope.node):
        match node:
            case ast.arg(arg=given, annotation=ast.expr() as annotation) if given == name:
                found.append(annotation)
            case ast.AnnAssign(target=ast.Name(id=given), annotation=annotation) if given == name:
                found.append(annotation)
                stores -= 1
            case ast.Name(id=given, ctx=ast.Store()) if given == name:
                stores += 1
    return (found[0], scope) if len(found) == 1 and stores == 0 else None


def _result(node: ast.expr, names: Names) -> tuple[ast.expr, Names] | None:
    """What the handler of a step, or a function, is said to return."""
    if not isinstance(node, ast.Call):
        return None
    step = step_call(node, names, None)
    if step is not None and step.kind != "step":
        return None
    called = names.meaning_of(node.func)
    if step is not None:
        called = step.decorated or (names.meaning_of(step.handler) if step.handler is not None else None)
    if isinstance(called, Defined) and not called.member and called.node.returns is not None:
        return called.node.returns, called.names
    return None


def has_equal_kinds(node: ast.expr, names: Names) -> bool:
    """Tell whether the members of a set are surely all texts, or all numbers, so that they can be sorted."""
    match node:
        case ast.Set(elts=elements):
            kinds = {type(one.value) for one in elements if isinstance(one, ast.Constant)}
            return all(isinstance(one, ast.Constant) for one in elements) and kinds in ({str}, {int})
        case ast.Name(id=name):
            annotation = _annotation(name, names)
            written = None if annotation is None else _written(annotation[0])
            if annotation is not None and isinstance(written, ast.Subscript):
                return origin(written.slice, annotation[1]) in _ORDERED
    return False
