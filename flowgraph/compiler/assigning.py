"""The names that statements give values, as `Bind` regions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from flowgraph.compiler.bindings import Defined, Names
from flowgraph.compiler.regions import Bind, Call, Step
from flowgraph.compiler.templates import Hole
from flowgraph.compiler.terms import CONSTANT, FRESH, Term, term_of
from flowgraph.model.graph import Span

Made = tuple[Step | Call, ...]

_SAME_EACH_TIME = frozenset(
    {"range", "enumerate", "sorted", "reversed", "list", "tuple", "zip", "items", "keys", "values"}
)
"""Calls that give the same items for the same arguments."""


_ROUND_AND_ROUND = frozenset({"cycle", "repeat"})
"""Of itertools: loops over these come to the same items again."""


def assigned(node: ast.stmt | None, names: Names, span: Span, made_by: Made) -> Iterator[Bind]:
    """What a simple statement leaves behind; `made_by` are the steps and helpers that its value comes from."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if _is_text(value):
            template = names.template(value)
            yield Bind(name, term_of(value), span, made_by, template=template)
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                yield from bound(target, value, span, made_by)
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            yield from bound(target, value, span, made_by)
        case ast.AugAssign(target=ast.Name(id=name) as target, op=op, value=value):
            changed = ast.BinOp(ast.Name(name), op, value)
            yield Bind(name, term_of(changed), span, made_by, _is_number(changed))
        case ast.AugAssign(target=target, value=value):
            yield from bound(target, value, span, made_by)
    if node is not None:
        yield from _changed(node, span)


def bound(target: ast.expr, value: ast.expr, span: Span, made_by: Made) -> Iterator[Bind]:
    """A target that gets the value of an expression, or its parts."""
    match target:
        case ast.Name(id=name):
            yield Bind(name, term_of(value), span, made_by, _is_number(value))
        case ast.Tuple(elts=targets) | ast.List(elts=targets):
            values = _parts(targets, value)
            for number, one in enumerate(targets):
                made = _made_by_part(number, len(targets), value, made_by)
                yield from bound(one, values[number] if values else value, span, made)
        case ast.Starred(value=inner):
            yield from bound(inner, value, span, made_by)
        case ast.Attribute() | ast.Subscript():
            if (root := _root(target)) is not None:
                yield Bind(f"{root}.*", Term(perhaps=term_of(value).names, fresh=True), span, made_by)


def _parts(targets: list[ast.expr], value: ast.expr) -> list[ast.expr] | None:
    """The values of several targets one by one, where that is how they are written."""
    if not isinstance(value, ast.Tuple | ast.List) or len(value.elts) != len(targets):
        return None
    if any(isinstance(one, ast.Starred) for one in [*targets, *value.elts]):
        return None
    given: set[str] = set()
    for target, one in zip(targets, value.elts, strict=True):
        if not given.isdisjoint(_names_in(one)):
            return None  # One after the other is another thing then: ``a, b = b, a``.
        given |= _names_in(target)
    return value.elts


def _names_in(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def _made_by_part(number: int, count: int, value: ast.expr, made_by: Made) -> Made:
    """What one of several targets is made by: ``a, b = await asyncio.gather(one(), other())`` has one for each."""
    inner = value.value if isinstance(value, ast.Await) else value
    arguments = inner.args if isinstance(inner, ast.Call) else getattr(inner, "elts", [])
    starred = any(isinstance(argument, ast.Starred) for argument in arguments)
    if len(made_by) == len(arguments) == count and not starred:
        return made_by[number : number + 1]
    return made_by


def targets(target: ast.expr, items: ast.expr, span: Span) -> Iterator[Bind]:
    """The targets of a loop over items."""
    each = ast.unparse(items) if _gives_the_same(items) else ""
    names = term_of(items)
    term = Term(perhaps=names.names, fresh=names.fresh)
    for place, name in _named(target, ""):
        if _comes_again(items, place):
            yield Bind(name, term, span)
            continue
        yield Bind(name, term, span, (), _counts(items, place), f"{each}{place}" if each else "?")


def _comes_again(items: ast.expr, place: str) -> bool:
    """Tell whether a loop plainly comes to one value twice: in a display that has it twice, or round and round."""
    if isinstance(items, ast.Call):
        name = items.func.attr if isinstance(items.func, ast.Attribute) else getattr(items.func, "id", "")
        return name in _ROUND_AND_ROUND
    if not isinstance(items, ast.Tuple | ast.List):
        return False
    values: list[ast.expr] = list(items.elts)
    for number in map(int, re.findall(r"\d+", place)):
        values = [
            one.elts[number] for one in values if isinstance(one, ast.Tuple | ast.List) and number < len(one.elts)
        ]
    texts = [repr(one.value) for one in values if isinstance(one, ast.Constant)]
    return len(set(texts)) < len(texts)


def _named(target: ast.expr, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(target, ast.Name):
        yield place, target.id
    elif isinstance(target, ast.Tuple | ast.List):
        for number, one in enumerate(target.elts):
            yield from _named(one, f"{place}[{number}]")
    elif isinstance(target, ast.Starred):
        yield from _named(target.value, place)


def _counts(items: ast.expr, place: str) -> bool:
    """Tell whether a target is a whole number: the first of ``enumerate``, or one of a ``range``."""
    called = items.func.id if isinstance(items, ast.Call) and isinstance(items.func, ast.Name) else ""
    return (called == "range" and place == "") or (called == "enumerate" and place == "[0]")


def _gives_the_same(items: ast.expr) -> bool:
    """Tell whether a loop over an expression has the same items each time that it is evaluated."""
    for node in ast.walk(items):
        if isinstance(node, ast.Await | ast.NamedExpr):
            return False
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name not in _SAME_EACH_TIME:
                return False
    return True


def captured(name: str, span: Span) -> Bind:
    """A name whose value comes from elsewhere: ``except … as``, ``with … as``, a pattern."""
    return Bind(name, FRESH, span)


def _is_number(value: ast.expr) -> bool:
    match value:
        case ast.Constant(value=number):
            return isinstance(number, int) and not isinstance(number, bool)
        case ast.BinOp(op=ast.Add() | ast.Sub(), right=ast.Constant(value=int())):
            return True
        case ast.Call(func=ast.Name(id="len")):
            return True
    return False


def _is_text(value: ast.expr) -> bool:
    match value:
        case ast.JoinedStr() | ast.Constant(value=str()):
            return True
        case ast.BinOp(op=ast.Add() | ast.Mod(), left=left):
            return _is_text(left)
    return False


def _root(node: ast.expr) -> str | None:
    """The name that an attribute or an item is one of."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _changed(node: ast.stmt, span: Span) -> Iterator[Bind]:
    """The objects whose contents a statement may change: those whose methods it calls, and that it hands to others."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call):
            handed = [argument.id for argument in call.args if isinstance(argument, ast.Name)]
            own = _root(call.func) if isinstance(call.func, ast.Attribute) else None
            for name in (*handed, *([own] if own is not None else ())):
                yield Bind(f"{name}.*", FRESH, span)


def parameters(function: Defined, call: ast.Call, names: Names, made_by: list[Made], span: Span) -> Iterator[Bind]:
    """The parameters of a function, with what a call among `names` gives them.

    `made_by` are the steps and helpers that each argument comes from, in their order.
    """
    arguments = function.node.args
    plain = [parameter.arg for parameter in (*arguments.posonlyargs, *arguments.args)]
    if function.owner is not None and not _is_static(function):
        plain = plain[1:]
    given = {name: (value, made) for name, value, made in zip(plain, call.args, made_by, strict=False)}
    for keyword, made in zip(call.keywords, made_by[len(call.args) :], strict=False):
        given[keyword.arg or "**"] = (keyword.value, made)
    spread = any(isinstance(one, ast.Starred) for one in call.args) or "**" in given
    defaults = _defaults(arguments)
    for name in (*plain, *(parameter.arg for parameter in arguments.kwonlyargs)):
        if name in given and not spread:
            value, made = given[name]
            argument = names.template(value)
            yield Bind(name, term_of(value), span, made, _is_number(value), same=_same(value, names), argument=argument)
        elif name in defaults and not spread:
            argument = function.names.template(defaults[name])
            yield Bind(name, CONSTANT, span, same=_same(defaults[name], function.names), argument=argument)
        else:
            yield captured(name, span)
    for rest in (arguments.vararg, arguments.kwarg):
        if rest is not None:
            yield captured(rest.arg, span)


def _defaults(arguments: ast.arguments) -> dict[str, ast.expr]:
    plain = [parameter.arg for parameter in (*arguments.posonlyargs, *arguments.args)]
    found = dict(zip(reversed(plain), reversed(arguments.defaults), strict=False))
    for parameter, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default is not None:
            found[parameter.arg] = default
    return found


def _same(value: ast.expr, names: Names) -> Hole | str | None:
    """The constant text, or the name, that an argument is."""
    template = names.template(value)
    if template.text is not None:
        return template.text
    return template.holes[0] if isinstance(value, ast.Name) else None


def _is_static(function: Defined) -> bool:
    return any(isinstance(one, ast.Name) and one.id == "staticmethod" for one in function.node.decorator_list)


def names_given(node: ast.AST) -> frozenset[str]:
    """The names whose values an expression uses, but not through what it awaits: that is made by others."""
    found: set[str] = set()
    stack: list[ast.AST] = list(ast.iter_child_nodes(node))
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Await) and isinstance(node.value, ast.Call):
            continue
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Lambda):
            found |= names_given(node.body) | ({node.body.id} if isinstance(node.body, ast.Name) else set())
            found -= {parameter.arg for parameter in node.args.args}
            continue
        stack.extend(ast.iter_child_nodes(node))
    return frozenset(found)
