"""Step names as templates: text with holes.

Literals, f-strings, ``+``, ``%``, ``.format`` and constants are put in; what is left is a hole, which stands for the
text of an expression.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from string import Formatter

import attrs

from flowgraph.compiler.terms import Term, keeps_apart, term_of
from flowgraph.errors import InvalidName
from flowgraph.model import checked_name, doubled, escaped

_hole = re.compile(r"%([sdr])")
_DEEPEST = 100
"""Expressions inside expressions are followed so far."""

_LONGEST = 10_000
"""Text that a product is made of is written out so far."""

_Constant = str | bytes | int | float | complex | None

Constant = Callable[[ast.expr, int], "Template | None"]
"""Gives the text that a name stands for, if it is a constant; the number says how deep it was followed."""


@attrs.frozen
class Hole:
    """An expression whose text is not known before the run, as it is written and what it rests on."""

    text: str
    term: Term = attrs.field(default=Term(), repr=False)


Part = str | Hole


@attrs.frozen
class Template:
    """A name: literal text and holes in turn.

    An `opaque` one is an expression that is no text as it is written, and a `textless` one a constant that is none.

    >>> str(Template(("fetch-", Hole("user.id"))))
    'fetch-{user.id}'
    """

    parts: tuple[Part, ...]
    opaque: bool = attrs.field(default=False, eq=False, repr=False)
    textless: bool = attrs.field(default=False, eq=False, repr=False)

    def __str__(self) -> str:
        return "".join(doubled(part) if isinstance(part, str) else f"{{{part.text}}}" for part in self.parts)

    @property
    def path(self) -> str:
        """The name as a part of a path: what has a meaning there is escaped, and a hole stands as ``{expression}``."""
        return "".join(doubled(escaped(part)) if isinstance(part, str) else f"{{{part.text}}}" for part in self.parts)

    @property
    def holes(self) -> tuple[Hole, ...]:
        """The parts that are not known."""
        return tuple(part for part in self.parts if isinstance(part, Hole))

    @property
    def text(self) -> str | None:
        """The whole name, where nothing of it is unknown; None else."""
        return None if self.holes else "".join(part for part in self.parts if isinstance(part, str))

    @property
    def refused(self) -> bool:
        """Whether no step can have this name, whatever is in its holes: its call raises InvalidName.

        >>> joined("").refused, joined("a", Hole("n")).refused
        (True, False)
        """
        if self.textless:
            return True
        try:
            checked_name("".join(part if isinstance(part, str) else "x" for part in self.parts))
        except InvalidName:
            return True
        return False


def joined(*parts: Part) -> Template:
    """A template of parts, with neighbouring texts as one.

    >>> joined("a", "b", Hole("x"), "").parts
    ('ab', Hole(text='x'))
    """
    made: list[Part] = []
    for part in parts:
        if part == "":
            continue
        if made and isinstance(part, str) and isinstance(made[-1], str):
            made[-1] += part
        else:
            made.append(part)
    return Template(tuple(made) or ("",))


def template_of(node: ast.expr, constant: Constant, depth: int = 0) -> Template:
    """An expression as text.

    >>> str(template_of(ast.parse("'a-%s' % n + f'-{x.id!r}'", mode="eval").body, lambda node, depth: None))
    'a-{n}-{x.id!r}'
    """
    if depth > _DEEPEST:
        return _as_hole(node, depth)
    match node:
        case ast.Constant(value=value) if isinstance(value, _Constant):
            return attrs.evolve(joined(str(value)), textless=not isinstance(value, str))
        case ast.JoinedStr(values=values):
            return joined(*(part for value in values for part in template_of(value, constant, depth + 1).parts))
        case ast.FormattedValue(value=value, conversion=-1 | 115, format_spec=None):
            return template_of(value, constant, depth + 1)
        case ast.BinOp(op=ast.Add(), left=left, right=right) if _is_of_text(node, constant, depth):
            first, second = (template_of(side, constant, depth + 1) for side in (left, right))
            return joined(*first.parts, *second.parts)
        case ast.BinOp(op=ast.Mult(), left=ast.Constant(value=str() as text), right=ast.Constant(value=int() as times)):
            return joined(text * times) if len(text) * times <= _LONGEST else _as_hole(node, depth)
        case ast.BinOp(op=ast.Mod(), left=ast.Constant(value=str() as text), right=right):
            values = right.elts if isinstance(right, ast.Tuple) else [right]
            return by_percent(text, [template_of(value, constant, depth + 1) for value in values]) or _as_hole(
                node, depth
            )
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str() as text), attr="format")):
            plain = [template_of(value, constant, depth + 1) for value in node.args]
            named = {one.arg or "**": template_of(one.value, constant, depth + 1) for one in node.keywords}
            return by_format(text, plain, named) or _as_hole(node, depth)
        case ast.Name() | ast.Attribute():
            return constant(node, depth + 1) or _as_hole(node, depth)
    return _as_hole(node, depth)


def _is_of_text(node: ast.expr, constant: Constant, depth: int) -> bool:
    """Tell whether a sum is one of texts: one of its parts is surely a text."""
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        if _is_text(node.right, constant, depth):
            return True
        node = node.left
    return _is_text(node, constant, depth)


def _is_text(node: ast.expr, constant: Constant, depth: int) -> bool:
    match node:
        case ast.JoinedStr() | ast.Constant(value=str()):
            return True
        case ast.Name() | ast.Attribute():
            found = constant(node, depth + 1)
            return found is not None and not found.textless
        case ast.BinOp(op=ast.Mod(), left=left):
            return _is_text(left, constant, depth)
    return False


def _as_hole(node: ast.expr, depth: int) -> Template:
    return Template((Hole(hole_text(node), term_of(node)),), opaque=depth == 0)


def hole_text(node: ast.expr) -> str:
    """An expression as it stands in a name; what is in the braces of an f-string, with its conversion and format.

    >>> hole_text(hole_of("n!r:>3"))
    'n!r:>3'
    """
    if not isinstance(node, ast.FormattedValue):
        return ast.unparse(node)
    conversion = f"!{chr(node.conversion)}" if node.conversion != -1 else ""
    pieces = node.format_spec.values if isinstance(node.format_spec, ast.JoinedStr) else []
    spec = "".join(str(one.value) if isinstance(one, ast.Constant) else f"{{{hole_text(one)}}}" for one in pieces)
    return f"{ast.unparse(node.value)}{conversion}{f':{spec}' if spec else ''}"


def hole_of(text: str) -> ast.expr | None:
    """The expression that stands so in a name; None where it cannot be read."""
    for source in (text, f'f"""{{{text}}}"""'):
        try:
            found = ast.parse(source, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue  # It has a conversion or a format.
        if source is text:
            return found
        if isinstance(found, ast.JoinedStr) and len(found.values) == 1:
            return found.values[0]
    return None


def by_percent(text: str, values: list[Template]) -> Template | None:
    """``text % values``, for the plain directives; None where it has others.

    >>> str(by_percent("a-%s", [joined(Hole("n"))]))
    'a-{n}'
    """
    pieces, directives = _hole.split(text)[::2], _hole.findall(text)
    if "%" in "".join(pieces) or len(pieces) != len(values) + 1:
        return None
    if any(one != "s" and _is_reworded(value) for one, value in zip(directives, values, strict=True)):
        return None
    parts: list[Part] = [pieces[0]]
    for value, piece in zip(values, pieces[1:], strict=True):
        parts += [*value.parts, piece]
    return joined(*parts)


def _is_reworded(value: Template) -> bool:
    """Tell whether ``%r`` and ``%d`` make other text of a constant than ``%s``."""
    return value.text is not None and not (value.textless and value.text.isdigit())


def _formatted(value: Template, spec: str | None, conversion: str | None) -> Hole:
    """A value with a conversion and a format, as it stands in an f-string."""
    text = str(value).removeprefix("{").removesuffix("}")
    holes = value.holes
    term = holes[0].term if len(holes) == 1 and keeps_apart(spec or "") else Term(fresh=bool(holes))
    return Hole(f"{text}{f'!{conversion}' if conversion else ''}{f':{spec}' if spec else ''}", term)


def by_format(text: str, positional: list[Template], named: dict[str, Template]) -> Template | None:
    """``text.format(…)`` with fields that are names or numbers; None where it has others.

    >>> str(by_format("{}-{b}", [joined("x")], {"b": joined(Hole("n"))}))
    'x-{n}'
    """
    values = {str(place): value for place, value in enumerate(positional)} | named
    parts: list[Part] = []
    number = 0
    try:
        pieces = list(Formatter().parse(text))
    except ValueError:
        return None
    for literal, field, spec, conversion in pieces:
        parts.append(literal)
        if field is None:
            continue
        key = field or str(number)
        number += not field
        if key not in values or "{" in (spec or ""):
            return None
        parts += (
            values[key].parts if not spec and conversion in (None, "s") else [_formatted(values[key], spec, conversion)]
        )
    return joined(*parts)
