"""The names of steps as they can be compared: whose values their holes are, and which names can be equal.

A parameter stands for what the call gives it, so the names in a helper are those of its caller; constants are put in.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Iterator
from functools import cached_property

import attrs

from flowgraph.compiler.control import Control, Point, Rests, Variable
from flowgraph.compiler.templates import Template

_MOST_FORMS = 8
"""A name with more forms is taken for one that can be any."""


@attrs.frozen
class Open:
    """A part of a name that is known only in a run.

    `shape` is the expression with its variables in the place of names: the same shape has the same value, as long as
    the variables have. `number` says that its text is that of a whole number.
    """

    shape: str
    rests: Rests
    number: bool = False


Part = str | Open
Name = tuple[Part, ...]


class Naming:
    """Reads the names of the steps of one control flow."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._names: dict[int, Name] = {}
        self._texts: dict[Name, list[Name]] = {}

    @cached_property
    def givers(self) -> dict[Variable, list[Point]]:
        """The points at which each variable is given a value."""
        found: dict[Variable, list[Point]] = {}
        for point in self._control.points:
            if point.given is not None:
                found.setdefault(point.given.variable, []).append(point)
        return found

    def name(self, point: Point) -> Name:
        """The name of a step."""
        if point.number not in self._names:
            self._names[point.number] = self._read(point)
        return self._names[point.number]

    def _read(self, point: Point) -> Name:
        assert point.template is not None
        return self._parts(point.template, point.holes)

    def _parts(self, template: Template, holes: tuple[Rests, ...]) -> Name:
        rests = iter(holes)
        return _joined(part if isinstance(part, str) else self._hole(part.text, next(rests)) for part in template.parts)

    def texts(self, name: Name) -> list[Name]:
        """A name in the forms that it can have: a variable that only ever gets texts stands for each of them."""
        if name not in self._texts:
            self._texts[name] = self._found_texts(name)
        return self._texts[name]

    def _found_texts(self, name: Name) -> list[Name]:
        forms: list[Name] = [()]
        for part in name:
            ways = [(part,)] if isinstance(part, str) else self._forms(part)
            forms = [(*form, *way) for form in forms for way in ways]
            if len(forms) > _MOST_FORMS:
                return [name]
        return [_joined(form) for form in forms]

    def _forms(self, hole: Open) -> list[Name]:
        variable = next(iter(hole.rests.certain), None) if len(hole.rests.certain) == 1 else None
        if variable is None or hole.shape != f"{variable[1]}<{variable[0]}>":
            return [(hole,)]
        givers = self.givers.get(variable, [])
        texts = [one.given for one in givers if one.given is not None and one.given.template is not None]
        if not texts or len(texts) < len(givers):
            return [(hole,)]
        return [self._parts(given.template, given.holes) for given in texts if given.template is not None]

    def _hole(self, text: str, rests: Rests) -> Part:
        if len(rests.certain) == 1 and not rests.perhaps:
            [variable] = rests.certain
            if variable[1] == text:
                found = self.origin(variable)
                if isinstance(found, str):
                    return found
        return Open(self.shape(text, rests), self.of_origin(rests), self._counts(text, rests))

    def origin(self, variable: Variable) -> Variable | str:
        """The variable that a parameter stands for, or the text that it is."""
        for _ in range(50):
            givers = self.givers.get(variable, ())
            given = givers[0].given if len(givers) == 1 else None
            if given is None or given.same is None:
                break
            if isinstance(given.same, str):
                return given.same
            variable = given.same
        return variable

    def _variable(self, variable: Variable) -> Variable:
        """The variable that one stands for; its contents are those of that one."""
        space, name = variable
        plain = name.removesuffix(".*")
        found = self.origin((space, plain))
        if isinstance(found, str):
            return variable
        return found if plain == name else (found[0], f"{found[1]}.*")

    def of_origin(self, rests: Rests) -> Rests:
        """What a value rests on, with the variables that parameters stand for."""
        return Rests(
            frozenset(map(self._variable, rests.certain)), frozenset(map(self._variable, rests.perhaps)), rests.fresh
        )

    def shape(self, text: str, rests: Rests) -> str:
        """An expression with variables in the place of its names."""
        for variable in sorted(rests.variables):
            if not variable[1].endswith(".*"):
                space, name = self._variable(variable)
                text = re.sub(rf"(?<![\w.]){re.escape(variable[1])}\b", f"{name}<{space}>", text)
        return text

    def _counts(self, text: str, rests: Rests) -> bool:
        if rests.perhaps or rests.fresh or not rests.certain or not re.fullmatch(r"[\w\s+*-]+", text):
            return False
        found = [self.givers.get(self._variable(variable), []) for variable in rests.certain]
        return all(givers and all(one.given is not None and one.given.number for one in givers) for givers in found)


def _joined(parts: Iterable[Part]) -> Name:
    """The parts of a name, with neighbouring texts as one."""
    made: list[Part] = []
    for part in parts:
        if isinstance(part, str) and made and isinstance(made[-1], str):
            made[-1] += part
        elif part != "":
            made.append(part)
    return tuple(made)


class Alike:
    """Finds, among the names that were added, those that can be the same text as another one that is not equal."""

    def __init__(self, naming: Naming) -> None:
        self._naming = naming
        self._named: dict[Name, list[Point]] = {}
        self._names: list[Name] = []
        self._open: dict[str, list[Name]] = {}
        """The names with holes, by the text before the first one."""
        self._prefixes: list[str] = []
        self._texts: list[tuple[str, int]] = []
        """The names that are all text, with their numbers among the names."""

    def add(self, point: Point) -> None:
        """Add a step."""
        name = self._naming.name(point)
        if name not in self._named:
            self._named[name] = []
            self._names.append(name)
            for form in self._naming.texts(name):
                self._add(name, form)
        self._named[name].append(point)

    def _add(self, name: Name, form: Name) -> None:
        prefix = _prefix(form)
        if not _has_holes(form):
            bisect.insort(self._texts, (prefix, len(self._names) - 1))
            return
        if prefix not in self._open:
            self._open[prefix] = []
            bisect.insort(self._prefixes, prefix)
        self._open[prefix].append(name)

    def like(self, point: Point) -> Iterator[Point]:
        """The steps whose names can be that of one: each begins as the other does."""
        name = self._naming.name(point)
        for form in self._naming.texts(name):
            for other in self._beginning_alike(_prefix(form), _has_holes(form)):
                if other != name and any(
                    _ends_alike(form, one) and can_be_equal(form, one) for one in self._naming.texts(other)
                ):
                    yield from self._named[other]

    def _beginning_alike(self, prefix: str, is_open: bool) -> Iterator[Name]:
        for length in range(len(prefix) + 1):
            yield from self._open.get(prefix[:length], ())
        for at in range(bisect.bisect_left(self._texts, (prefix, -1)), len(self._texts)):
            text, number = self._texts[at]
            if not (text.startswith(prefix) if is_open else text == prefix):
                break
            yield self._names[number]
        for at in range(bisect.bisect_right(self._prefixes, prefix), len(self._prefixes) if is_open else 0):
            if not self._prefixes[at].startswith(prefix):
                break
            yield from self._open[self._prefixes[at]]


def _prefix(name: Name) -> str:
    return name[0] if name and isinstance(name[0], str) else ""


def _ends_alike(one: Name, other: Name) -> bool:
    first, second = (name[-1] if name and isinstance(name[-1], str) else "" for name in (one, other))
    return first.endswith(second) or second.endswith(first)


def can_be_equal(one: Name, other: Name) -> bool:
    """Tell whether two names can be the same text.

    >>> can_be_equal(("page-", Open("n", Rests(), number=True)), ("page-count",))
    False
    """
    first, second = _pattern(one), _pattern(other)
    if not _has_holes(other):
        return re.fullmatch(first, "".join(map(str, other)), re.DOTALL) is not None
    if not _has_holes(one):
        return re.fullmatch(second, "".join(map(str, one)), re.DOTALL) is not None
    return _begins_alike(one, other) and _begins_alike(_mirrored(one), _mirrored(other))


def _has_holes(name: Name) -> bool:
    return any(isinstance(part, Open) for part in name)


def _pattern(name: Name) -> str:
    return "".join(re.escape(part) if isinstance(part, str) else r"-?\d+" if part.number else ".*" for part in name)


def _begins_alike(one: Name, other: Name) -> bool:
    """Compare what stands before the first holes."""
    first, second = (name[0] if name and isinstance(name[0], str) else "" for name in (one, other))
    if len(first) > len(second):
        one, other, first, second = other, one, second, first
    if not second.startswith(first):
        return False
    hole = next(part for part in one if isinstance(part, Open))
    rest = second[len(first) :]
    return not (hole.number and rest and not (rest[0].isdigit() or rest[0] == "-"))


def _mirrored(name: Name) -> Name:
    return tuple(part[::-1] if isinstance(part, str) else part for part in reversed(name))
