"""What the value of an expression rests on: whether it is another one when a name in it is.

A loop with step names that do not vary is an error, and one whose names certainly vary is none; so of every expression
that goes into a name it is asked which names it tells apart.

- *certain*: another value of the name gives another text: the name itself, its attributes and items, ``str(x)``,
  ``x + 1``, text with it inside.
- *perhaps*: it may: ``x % 2``, ``x if c else y``, the arguments of a call.
- *fresh*: a call is in it, whose result may be another one each time.

An attribute of an object is another one when the object was changed, which is told apart from another object: the
contents of ``obj`` have the name ``obj.*``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import attrs

_SAME_TEXT = frozenset({"str", "repr", "ascii", "hex", "oct", "bin"})
"""Functions that give different texts for different values."""

_lossless = re.compile(r"(?:.?[<>=^])?[-+ ]?#?0?\d*[,_]?[sdnxXob]?")
_directives = re.compile(r"%%|%[-0+ #]*\d*[sdirxXoa]")

_SAME_METHODS = frozenset({"isoformat", "hex", "as_posix", "as_uri"})


@attrs.frozen
class Term:
    """What a value rests on.

    `moved` is the sign of the step by which it differs from one name (`certain` has it alone): ``n + 1``.
    """

    certain: frozenset[str] = frozenset()
    perhaps: frozenset[str] = frozenset()
    fresh: bool = False
    moved: int = 0

    @property
    def names(self) -> frozenset[str]:
        """All names in it."""
        return self.certain | self.perhaps


CONSTANT = Term()
FRESH = Term(fresh=True)


def term_of(node: ast.expr | None) -> Term:
    """What an expression rests on.

    >>> term_of(ast.parse("f'{user.id}-{n % 2}'", mode="eval").body)
    Term(certain=frozenset({'user'}), perhaps=frozenset({'n', 'user.*'}), fresh=False, moved=0)
    """
    match node:
        case None | ast.Constant():
            return CONSTANT
        case ast.Name(id=name):
            return Term(frozenset({name}))
        case ast.Attribute(value=value):
            return _content(value)
        case ast.Subscript():
            return _item(node)
        case ast.JoinedStr(values=values) | ast.Tuple(elts=values) | ast.List(elts=values):
            return _together(*map(term_of, values))
        case ast.FormattedValue(value=value, format_spec=spec):
            return term_of(value) if spec is None or keeps_apart(_written(spec)) else _mixed(node)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=value) | ast.NamedExpr(value=value):
            return attrs.evolve(term_of(value), moved=0)
        case ast.Starred(value=value):
            return term_of(value)
        case ast.BinOp():
            return _operation(node)
        case ast.Call():
            return _call(node)
        case ast.Await(value=value):
            return FRESH if isinstance(value, ast.Call) else attrs.evolve(_mixed(node), fresh=True)
    return _mixed(node)


def keeps_apart(spec: str | None) -> bool:
    """Tell whether values that differ have different texts in a format: it has no precision, and is none of dates.

    >>> keeps_apart("03d"), keeps_apart(".2f"), keeps_apart("%Y")
    (True, False, False)
    """
    return spec is not None and _lossless.fullmatch(spec) is not None


def _written(spec: ast.expr) -> str | None:
    """A format as it is written; None where a part of it is known only in a run."""
    values = spec.values if isinstance(spec, ast.JoinedStr) else [spec]
    texts = [one.value if isinstance(one, ast.Constant) else None for one in values]
    return "".join(map(str, texts)) if None not in texts else None


def _by_percent_keeps_apart(node: ast.expr) -> bool:
    text = node.value if isinstance(node, ast.Constant) else None
    return isinstance(text, str) and "%" not in _directives.sub("", text)


def _item(node: ast.Subscript) -> Term:
    """An item is told apart by the object and the index; of a slice it cannot be said."""
    if isinstance(node.slice, ast.Constant):
        return _content(node.value)
    if any(isinstance(inner, ast.Slice) for inner in ast.walk(node.slice)):
        return _mixed(node)
    return _together(_content(node.value), term_of(node.slice))


def _content(value: ast.expr) -> Term:
    term = term_of(value)
    root = value
    while isinstance(root, ast.Attribute | ast.Subscript):
        root = root.value
    inside = {f"{root.id}.*"} if isinstance(root, ast.Name) else set()
    return Term(term.certain, term.perhaps | inside, term.fresh)


def _together(*terms: Term) -> Term:
    """Values side by side, as in a text or a tuple: each of them tells."""
    certain = frozenset[str]().union(*(term.certain for term in terms))
    perhaps = frozenset[str]().union(*(term.perhaps for term in terms))
    return Term(certain, perhaps - certain, any(term.fresh for term in terms))


def _mixed(*nodes: ast.AST) -> Term:
    """Values of which it cannot be said how they go into the result."""
    inside = [inner for node in nodes for inner in _walk(node)]
    names = {inner.id for inner in inside if isinstance(inner, ast.Name)}
    deep = {f"{inner.value.id}.*" for inner in inside if _is_deep(inner)}  # type: ignore[attr-defined]
    fresh = any(isinstance(inner, ast.Call | ast.Await) for inner in inside)
    return Term(perhaps=frozenset(names | deep), fresh=fresh)


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """A node and what is inside, but not inside a call that is awaited: its result is another's."""
    stack = [node]
    while stack:
        node = stack.pop()
        yield node
        if not (isinstance(node, ast.Await) and isinstance(node.value, ast.Call)):
            stack.extend(ast.iter_child_nodes(node))


def _is_deep(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.value, ast.Name)


def _operation(node: ast.BinOp) -> Term:
    left, right = term_of(node.left), term_of(node.right)
    if isinstance(node.op, ast.Mod) and _is_text(node.left):
        return _together(left, right) if _by_percent_keeps_apart(node.left) else _mixed(node)
    if isinstance(node.op, ast.Add | ast.Sub):
        if isinstance(node.op, ast.Add) and any(map(_is_text, _operands(node))):
            return _together(left, right)
        if amount := _number(node.right):
            sign = (1 if amount > 0 else -1) * (1 if isinstance(node.op, ast.Add) else -1)
            return attrs.evolve(left, moved=sign if isinstance(node.left, ast.Name) else 0)
        if (amount := _number(node.left)) and isinstance(node.op, ast.Add):
            return attrs.evolve(right, moved=(1 if amount > 0 else -1) if isinstance(node.right, ast.Name) else 0)
        if not right.names and not right.fresh:
            return left
        if not left.names and not left.fresh:
            return right
    if isinstance(node.op, ast.Mult) and (_number(node.left) or _number(node.right)):
        return attrs.evolve(_together(left, right), moved=0)
    return _mixed(node)


def _operands(node: ast.expr) -> list[ast.expr]:
    """The parts of a sum, however long."""
    found: list[ast.expr] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        found.append(node.right)
        node = node.left
    return [*found, node]


def _number(node: ast.expr) -> int | float:
    """A constant other than zero; 0 for anything else."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_number(node.operand)
    value = node.value if isinstance(node, ast.Constant) else 0
    return value if isinstance(value, int | float) else 0


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _call(node: ast.Call) -> Term:
    match node:
        case ast.Call(func=ast.Name(id=name), args=[value], keywords=[]) if name in _SAME_TEXT:
            return attrs.evolve(term_of(value), moved=0)
        case ast.Call(func=ast.Attribute(value=value, attr=name), args=[], keywords=[]) if name in _SAME_METHODS:
            return attrs.evolve(term_of(value), moved=0)
        case ast.Call(func=ast.Attribute(value=value, attr="format")) if _is_text(value):
            return _together(*map(term_of, node.args), *(term_of(keyword.value) for keyword in node.keywords))
    return attrs.evolve(_mixed(node), fresh=True)
