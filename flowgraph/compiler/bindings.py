"""What the names of a module and of a function stand for.

A name is bound once, or it is not known: imports, definitions, classes and plain assignments are followed, through
aliases, to what they mean in the end. LibCST's own providers of scopes and qualified names cost ten times as much, and
do not follow ``s = step``.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs

from flowgraph.compiler.templates import Template, template_of

if TYPE_CHECKING:
    from flowgraph.compiler.units import Unit

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
_MOST_ALIASES = 50
"""Aliases of aliases are followed so far."""


@attrs.frozen
class Foreign:
    """A name from another module, in full: ``asyncio.gather``."""

    name: str


@attrs.frozen(eq=False)
class Defined:
    """A function of this module, the names around it, and the class that it is a method of."""

    node: FunctionNode
    names: Names
    owner: ast.ClassDef | None = None
    member: str = ""
    """An attribute of the function: ``named`` of a decorated step."""
    receiver: Class | None = None
    """Of a method, the class of the object that it is called on, where that is certain."""


@attrs.frozen(eq=False)
class Value:
    """What was assigned, as an expression, and the names among which it was."""

    node: ast.expr
    names: Names


@attrs.frozen(eq=False)
class Class:
    """A class of this module, and the names around it."""

    node: ast.ClassDef
    names: Names


Meaning = Foreign | Defined | Value | Class
Binding = Foreign | ast.AST | None


class Names:
    """The bindings of one scope; what is not bound in it is looked for in the `outer` one."""

    def __init__(
        self,
        unit: Unit,
        node: ast.Module | FunctionNode,
        outer: Names | None = None,
        owner: ast.ClassDef | None = None,
        receiver: Class | None = None,
    ) -> None:
        self.unit = unit
        """The file that the scope is in."""
        self.node = node
        """The module or the function."""
        self.outer = outer
        """The scope around it."""
        self._owner = owner
        self._receiver = receiver
        self._classes: dict[ast.ClassDef, dict[str, Binding]] = {}

    def of_function(
        self, node: FunctionNode, owner: ast.ClassDef | None = None, receiver: Class | None = None
    ) -> Names:
        """The names of a function inside this scope.

        `owner` is the class that it is a method of, `receiver` that of the object that it is called on.
        """
        return Names(self.unit, node, self, owner, receiver)

    @property
    def bound(self) -> frozenset[str]:
        """The names that are bound in this very scope."""
        return frozenset(self._bindings)

    def binds(self, name: str) -> bool:
        """Tell whether a name is bound in this scope or in one around it; else it is a builtin, or not known."""
        return name in self._bindings or (self.outer is not None and self.outer.binds(name))

    def meaning_of(self, node: ast.expr) -> Meaning | None:
        """What a name or a method stands for, followed into the other files of the project; None for any other."""
        dotted = dotted_name(node)
        if dotted is not None:
            return self.unit.project.followed(self.meaning(dotted), self.unit)
        path: list[str] = []
        while isinstance(node, ast.Attribute):
            path.append(node.attr)
            node = node.value
        return self._of_instance(node, ".".join(reversed(path)), 0) if path and isinstance(node, ast.Call) else None

    def template(self, node: ast.expr) -> Template:
        """An expression as text with holes; constants are put in."""
        return template_of(node, self._constant)

    def _constant(self, node: ast.expr, depth: int) -> Template | None:
        meaning = self.meaning_of(node)
        if not isinstance(meaning, Value) or not isinstance(meaning.names.node, ast.Module):
            return None
        found = template_of(meaning.node, meaning.names._constant, depth)
        return None if found.holes else found

    @cached_property
    def _bindings(self) -> dict[str, Binding]:
        """Found when they are first needed: most functions of a file are none of a workflow's."""
        bindings = _merged(_bound(self.node.body))
        if isinstance(self.node, ast.Module):
            bindings.update((name, None) for name in self.unit.rebound)
        else:
            arguments = self.node.args
            parameters = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            parameters += [argument for argument in (arguments.vararg, arguments.kwarg) if argument is not None]
            bindings.update((parameter.arg, None) for parameter in parameters)
        return bindings

    def meaning(self, dotted: str, depth: int = 0) -> Meaning | None:
        """What a name, with its attributes, stands for; None for a parameter, and for what is bound in several ways."""
        root, _, rest = dotted.partition(".")
        if self.outer is None:
            self.unit.project.looked_up[self.unit, dotted] = None
        if root not in self._bindings:
            return None if self.outer is None else self.outer.meaning(dotted, depth)
        binding = self._bindings[root]
        if binding is None and self._owner is not None and self.outer is not None and root in ("self", "cls") and rest:
            return self._of_self(self.outer, self._owner, rest)
        if isinstance(binding, Foreign):
            return Foreign(f"{binding.name}.{rest}" if rest else binding.name)
        if depth > _MOST_ALIASES:
            return None
        if isinstance(binding, FunctionNode):
            return Defined(binding, self, member=rest)
        if isinstance(binding, ast.ClassDef):
            return self.member(binding, rest, depth) if rest else Class(binding, self)
        if isinstance(binding, ast.expr):
            alias = dotted_name(binding)
            if alias is not None and alias.partition(".")[0] != root:
                return self.meaning(f"{alias}.{rest}" if rest else alias, depth + 1)
            return self._of_instance(binding, rest, depth) if rest else Value(binding, self)
        if binding is None and rest:
            return self._of_instance(self._annotations.get(root), rest, depth)
        return None

    def _of_instance(self, made: ast.expr | None, path: str, depth: int) -> Meaning | None:
        """What an attribute of an object stands for, whose class is called, or written as its annotation."""
        name = dotted_name(made.func if isinstance(made, ast.Call) else made)
        found = None if name is None or made is None else self.meaning(name, depth + 1)
        if isinstance(found, Foreign):
            found = self.unit.project.followed(found, self.unit)
        if isinstance(found, Class):
            member = found.names.member(found.node, path, depth + 1)
            if not isinstance(member, Defined):
                return member
            is_certain = isinstance(made, ast.Call)
            if not is_certain and found.names.may_be_another(found.node, member):
                return None
            return attrs.evolve(member, receiver=None if not is_certain and found.names.derived(found.node) else found)
        return Foreign(f"{found.name}().{path}") if isinstance(found, Foreign) else None

    def _of_self(self, outer: Names, owner: ast.ClassDef, rest: str) -> Meaning | None:
        """An attribute of the object that a method is called on."""
        if self._receiver is not None:
            found = self._receiver.names.member(self._receiver.node, rest)
            return attrs.evolve(found, receiver=self._receiver) if isinstance(found, Defined) else found
        found = outer.member(owner, rest)
        is_certain = not isinstance(found, Defined) or not outer.may_be_another(owner, found)
        return found if is_certain else None

    def may_be_another(self, owner: ast.ClassDef, method: Defined) -> bool:
        """Tell whether an object of a class may have another method in the place of one.

        That is so where the method is not there to be run, and where a class in sight that is derived has its own.
        """
        if _is_abstract(method.node):
            return True
        return any(method.node.name in one.names._members_of(one.node) for one in self.derived(owner))

    def derived(self, owner: ast.ClassDef) -> list[Class]:
        """The classes in sight that are derived from a class."""
        units = dict.fromkeys([self.unit, *self.unit.project.units])
        classes = (Class(one, unit.names) for unit in units for one in unit.classes if one is not owner)
        return [one for one in classes if one.names.derives(one.node, owner)]

    def derives(self, one: ast.ClassDef, owner: ast.ClassDef, depth: int = 0) -> bool:
        """Tell whether a class of this module is derived from another one."""
        for base in one.bases if depth < _MOST_ALIASES else ():
            found = self.meaning_of(base)
            if isinstance(found, Class) and (found.node is owner or found.names.derives(found.node, owner, depth + 1)):
                return True
        return False

    @cached_property
    def _annotations(self) -> dict[str, ast.expr]:
        """What parameters are annotated with."""
        if isinstance(self.node, ast.Module):
            return {}
        arguments = self.node.args
        parameters = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        return {one.arg: one.annotation for one in parameters if one.annotation is not None}

    def _members_of(self, owner: ast.ClassDef) -> dict[str, Binding]:
        found = self._classes.get(owner)
        if found is None:
            found = self._classes[owner] = _merged(_bound(owner.body))
        return found

    def member(self, owner: ast.ClassDef, path: str, depth: int = 0) -> Meaning | None:
        """What a name in a class stands for, or in those that it is derived from; or the value of an enumeration."""
        name, _, rest = path.partition(".")
        if self.outer is None:
            self.unit.project.looked_up[self.unit, f"{owner.name}.{path}"] = None
        binding = self._members_of(owner).get(name)
        if isinstance(binding, FunctionNode):
            return Defined(binding, self, owner, rest)
        if isinstance(binding, ast.expr) and rest in _ways_to_the_value(owner):
            return Value(binding, self)
        for base in owner.bases if binding is None and depth < _MOST_ALIASES else ():
            found = self.meaning_of(base)
            inherited = found.names.member(found.node, path, depth + 1) if isinstance(found, Class) else None
            if inherited is not None:
                return inherited
        return None


def _is_abstract(function: FunctionNode) -> bool:
    """Tell whether a method is there to be replaced: it has no body, or only says that it has none."""
    if any((dotted_name(one) or "").endswith("abstractmethod") for one in function.decorator_list):
        return True
    if function.decorator_list:  # A step, whose body is not looked at by its callers.
        return False
    body = [one for one in function.body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))]
    match body:
        case [] | [ast.Pass()]:
            return True
        case [ast.Raise(exc=ast.Name(id="NotImplementedError") | ast.Call(func=ast.Name(id="NotImplementedError")))]:
            return True
    return False


def dotted_name(node: Any) -> str | None:
    """A name with its attributes as text; None for any other expression.

    >>> dotted_name(ast.parse("a.b.c", mode="eval").body)
    'a.b.c'
    """
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join([node.id, *reversed(parts)])


def is_builtin(name: str, names: Names) -> bool:
    """Tell whether a name is one of Python's own, which nothing around binds."""
    scope: Names | None = names
    while scope is not None:
        if name in scope.bound:
            return False
        scope = scope.outer
    return hasattr(builtins, name)


def is_generator(function: FunctionNode) -> bool:
    """Tell whether a function yields: its body then runs between the passes of whoever goes through it."""
    stack: list[ast.AST] = list(function.body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, FunctionNode | ast.Lambda | ast.ClassDef):
            stack.extend(ast.iter_child_nodes(node))
    return False


def _ways_to_the_value(owner: ast.ClassDef) -> tuple[str, ...]:
    """What is written behind a name in a class for its value: ``.value`` for a member of an enumeration."""
    bases = [(dotted_name(base) or "").rpartition(".")[2] for base in owner.bases]
    if "StrEnum" in bases:
        return ("", "value")  # Its members are their texts.
    return ("value",) if any(base.endswith(("Enum", "Flag")) for base in bases) else ("",)


def _merged(bound: Iterable[tuple[str, Binding]]) -> dict[str, Binding]:
    """One binding for each name; None for a name with several, but the last of functions (the others are overloads)."""
    bindings: dict[str, Binding] = {}
    for name, binding in bound:
        again = name in bindings
        overload = again and isinstance(binding, FunctionNode) and isinstance(bindings[name], FunctionNode)
        bindings[name] = None if again and not overload else binding
    return bindings


def _bound(body: Iterable[ast.stmt]) -> Iterator[tuple[str, Binding]]:
    """The names that statements bind, and to what; those in blocks inside them, too, but not in other scopes."""
    for statement in body:
        match statement:
            case ast.Import() | ast.ImportFrom():
                yield from _imported(statement)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield statement.name, statement
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value
            case _:
                yield from ((name, None) for name in _targets(statement))
                for block in ("body", "orelse", "finalbody"):
                    yield from _bound(getattr(statement, block, ()))
                for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
                    yield from _bound(part.body)


def _imported(statement: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, Binding]]:
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            root = alias.name.partition(".")[0]
            yield alias.asname or root, Foreign(alias.name if alias.asname else root)
        return
    place = "." * statement.level + (statement.module or "")
    dot = "" if place.endswith(".") else "."
    for alias in statement.names:
        if alias.name == "*":
            yield from _star(place)
        else:
            yield alias.asname or alias.name, Foreign(f"{place}{dot}{alias.name}")


def _targets(statement: ast.stmt) -> Iterator[str]:
    """The names that one statement binds otherwise: by targets, patterns, ``as`` and walrus."""
    stack: list[ast.AST] = [statement]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            yield node.id
        elif isinstance(node, ast.MatchAs | ast.MatchStar | ast.ExceptHandler) and node.name:
            yield node.name
        elif isinstance(node, ast.Global | ast.Nonlocal):
            yield from node.names
        inner = (ast.stmt, ast.Lambda, ast.comprehension)
        stack.extend(child for child in ast.iter_child_nodes(node) if not isinstance(child, inner))


def _star(module: str) -> Iterator[tuple[str, Binding]]:
    if module == "flowgraph":
        yield from ((name, Foreign(f"flowgraph.{name}")) for name in ("step", "workflow"))
