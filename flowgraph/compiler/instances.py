"""The names of steps in helpers as they are for one call: what the call gives a parameter stands in its place.

So two calls of a helper are two names in the graph, a step of a run is bound to the node of its own call, and a change
of an argument is seen as a change of the name.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from flowgraph.compiler.control import Given, Point, Rests, Variable
from flowgraph.compiler.templates import Hole, Part, Template, hole_of, hole_text, joined
from flowgraph.model.checkpoint import FAN_OUTS

_LONGEST = 1_000
"""An expression is put into another one as long as the result is not longer."""


def name_instances(points: Sequence[Point]) -> None:
    """Give all steps the names and the paths that they have in their calls."""
    instances = _Instances(points)
    for point in points:
        if point.path:
            point.written = point.path
            name = instances.of(point.template, point.holes) if point.template is not None else None
            point.path = _below(points, point) + ("" if name is None else name.path)
            point.name = point.name if name is None else str(name)


def _below(points: Sequence[Point], point: Point) -> str:
    """The path of the step around, which comes first."""
    if point.scope is None:
        return ""
    around = points[point.scope]
    return f"{around.path}[{{index}}]/" if around.kind in FAN_OUTS else f"{around.path}/"


class _Instances:
    def __init__(self, points: Sequence[Point]) -> None:
        self._given: dict[Variable, Given | None] = {}
        """What parameters are given; None for names that are given several values."""
        for point in points:
            if point.given is not None:
                variable = point.given.variable
                self._given[variable] = None if variable in self._given else point.given
        self._written: dict[Variable, Template] = {}

    def of(self, template: Template, holes: tuple[Rests, ...]) -> Template:
        if not holes:
            return template
        rests = iter(holes)
        parts: list[Part] = []
        for part in template.parts:
            parts += (part,) if isinstance(part, str) else self._hole(part, next(rests)).parts
        return joined(*parts)

    def _hole(self, hole: Hole, rests: Rests) -> Template:
        given = {variable[1]: variable for variable in sorted(rests.variables) if self._is_given(variable)}
        if hole.text in given:
            return self._argument(given[hole.text])
        return joined(Hole(self._put_in(hole.text, given), hole.term) if given else hole)

    def _is_given(self, variable: Variable) -> bool:
        found = self._given.get(variable)
        return found is not None and found.argument is not None

    def _argument(self, variable: Variable) -> Template:
        """What a call gives a parameter."""
        if variable not in self._written:
            self._written[variable] = joined(Hole(variable[1]))  # Should it lead back to itself.
            given = self._given[variable]
            if given is not None and given.argument is not None:
                self._written[variable] = self.of(given.argument, given.holes)
        return self._written[variable]

    def _put_in(self, text: str, given: dict[str, Variable]) -> str:
        tree = hole_of(text)
        if tree is None:
            return text
        put = _Put({name: _expression(self._argument(variable)) for name, variable in given.items()})
        made = hole_text(put.visit(tree))
        return made if len(made) <= max(_LONGEST, len(text)) else text


def _expression(template: Template) -> ast.expr:
    """A name as an expression that gives it."""
    match template.parts:
        case [Hole(text=text)] if (found := hole_of(text)) is not None:
            return found if not isinstance(found, ast.FormattedValue) else ast.JoinedStr([found])
        case [str() as text]:
            return ast.parse(text, mode="eval").body if template.textless else ast.Constant(text)
    values = [
        ast.Constant(part) if isinstance(part, str) else ast.FormattedValue(ast.Name(part.text), -1)
        for part in template.parts
    ]
    return ast.JoinedStr(list[ast.expr](values))


class _Put(ast.NodeTransformer):
    """Puts expressions into the place of names."""

    def __init__(self, expressions: dict[str, ast.expr]) -> None:
        self._expressions = expressions

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._expressions.get(node.id, node)
