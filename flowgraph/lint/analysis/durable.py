"""Which steps a piece of code comes to, itself or through the functions that it calls, and which it awaits."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

import attrs

from flowgraph.compiler import Defined, Foreign, FunctionNode, Names, words
from flowgraph.lint.module import StepCall, step_call
from flowgraph.lint.nodes import children

WAITS = frozenset({"sleep", "sleep_until", "listen", "execute_workflow", "wait_for_workflow"})
"""The kinds for which a run suspends."""

ALL = WAITS | words.WITH_HANDLER | words.WITHOUT_NAME | {"progress", "start_workflow"}
_DEEPEST = 20


@attrs.frozen(eq=False)
class Reached:
    """A step that code comes to.

    Attributes:
        node: the call in that code: the step's own, or that of the function that leads to it.
        step: the step.
        awaited: whether the code waits for it, so that what the step raises comes out of the code.
    """

    node: ast.Call
    step: StepCall
    awaited: bool

    @property
    def is_direct(self) -> bool:
        """Whether the code calls the step itself."""
        return self.node is self.step.node


def reached(
    body: Iterable[ast.AST], names: Names, function: FunctionNode | None, kinds: frozenset[str] = ALL
) -> Iterator[Reached]:
    """The steps of some kinds that code comes to, one for each call, in the order of the source.

    A step whose handler has one of these kinds in it counts as one.
    """
    body = list(body)
    found = list(_Search(names, function, kinds, {}, 0).of(body))
    waited_for = _names_awaited(body)
    for one in found:
        later = not one.awaited and not waited_for.isdisjoint(_kept_in(body, one.node))
        yield attrs.evolve(one, awaited=True) if later else one


@attrs.frozen(eq=False)
class _Search:
    """One search, in one function; `known` is what was found in the functions that are called."""

    names: Names
    function: FunctionNode | None
    kinds: frozenset[str]
    known: dict[FunctionNode, Reached | None]
    depth: int

    def of(self, body: Iterable[ast.AST], *, awaited: bool = False) -> Iterator[Reached]:
        stack = [(node, awaited) for node in reversed(list(body))]
        while stack:
            node, inside_await = stack.pop()
            if isinstance(node, FunctionNode | ast.ClassDef | ast.Lambda):
                continue
            handler: ast.AST | None = None
            if isinstance(node, ast.Call):
                step = step_call(node, self.names, self.function)
                handler = None if step is None else step.handler
                if (found := self._call(node, step, awaited=inside_await)) is not None:
                    yield found
            inside_await = inside_await or self._waits(node)
            stack += [(one, inside_await) for one in reversed(children(node)) if one is not handler]

    def _waits(self, node: ast.AST) -> bool:
        """Tell whether what is made inside a node is waited for before it is left."""
        if isinstance(node, ast.AsyncWith):
            return any(self._is_group(item.context_expr) for item in node.items)
        returns = isinstance(node, ast.Return) and isinstance(self.function, ast.FunctionDef) and self.depth > 0
        return isinstance(node, ast.Await) or returns

    def _is_group(self, node: ast.expr) -> bool:
        meaning = self.names.meaning_of(node.func) if isinstance(node, ast.Call) else None
        return isinstance(meaning, Foreign) and meaning.name == words.TASK_GROUP

    def _call(self, node: ast.Call, step: StepCall | None, *, awaited: bool) -> Reached | None:
        """The step that a call comes to."""
        if step is not None:
            if step.is_decorator:
                return None
            if step.kind in self.kinds:
                return Reached(node, step, awaited or step.kind in words.WITHOUT_NAME)
            inner = self._handler(step)
            return None if inner is None else Reached(node, inner.step, awaited)
        called = self.names.meaning_of(node.func)
        if not isinstance(called, Defined) or called.member:
            return None
        inner = self._inside(called)
        if inner is None:
            return None
        raises = isinstance(called.node, ast.FunctionDef) and inner.step.kind in words.WITHOUT_NAME
        return Reached(node, inner.step, raises or (awaited and inner.awaited))

    def _handler(self, step: StepCall) -> Reached | None:
        """The first step in the handler of another one."""
        if step.decorated is not None:
            return self._inside(attrs.evolve(step.decorated, member=""))
        if isinstance(step.handler, ast.Lambda):
            return next(self.of([step.handler.body], awaited=True), None)
        meaning = None if step.handler is None else self.names.meaning_of(step.handler)
        return self._inside(meaning) if isinstance(meaning, Defined) and not meaning.member else None

    def _inside(self, called: Defined) -> Reached | None:
        """The first step that a function waits for, or else the first that it comes to."""
        if called.node not in self.known and self.depth < _DEEPEST:
            self.known[called.node] = None  # While it is searched: a function that calls itself adds nothing.
            names = called.names.of_function(called.node, called.owner)
            search = _Search(names, called.node, self.kinds, self.known, self.depth + 1)
            found = list(search.of(called.node.body))
            self.known[called.node] = next((one for one in found if one.awaited), found[0] if found else None)
        return self.known.get(called.node)


def _names_awaited(body: list[ast.AST]) -> set[str]:
    """The local names in what code awaits."""
    found: set[str] = set()
    for node in own_nodes(body):
        if isinstance(node, ast.Await):
            found |= {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    return found


def _kept_in(body: list[ast.AST], call: ast.Call) -> set[str]:
    """The names that keep the task or the awaitable that a call makes."""
    found: set[str] = set()
    for node in own_nodes(body):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                kept: list[ast.expr] = [value]
            case ast.Expr(
                value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="append" | "add"), args=kept)
            ):
                pass
            case _:
                continue
        if any(one is call for value in kept for one in ast.walk(value)):
            found.add(name)
    return found


def own_nodes(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """The nodes of code, in the order of the source, without those of functions, lambdas and classes inside it."""
    stack = list(reversed(list(body)))
    while stack:
        node = stack.pop()
        if not isinstance(node, FunctionNode | ast.ClassDef | ast.Lambda):
            yield node
            stack += reversed(children(node))
