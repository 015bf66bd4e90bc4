"""What runs in the body of a workflow: its own code, and that of the functions that it calls, but no handler's."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache

import attrs

from flowgraph.compiler import Defined, Flow, FunctionNode, Names, Unit, words
from flowgraph.lint.analysis.callbacks import functions_called
from flowgraph.lint.analysis.evaluated import evaluated
from flowgraph.lint.module import Module, step_call
from flowgraph.lint.rule import related
from flowgraph.model.diagnostic import Related

_MOST_FUNCTIONS = 2_000


@attrs.frozen(eq=False)
class Spot:
    """A node that a workflow's body evaluates.

    Attributes:
        node: the node.
        names: the names of the scope that it is evaluated in; `names.unit` is the file.
        function: the function around it.
        chain: the calls that lead from the workflow to it, from the outermost inwards; empty in the workflow itself.
    """

    node: ast.AST
    names: Names
    function: FunctionNode
    chain: tuple[tuple[Unit, ast.Call], ...] = ()

    @property
    def unit(self) -> Unit:
        """The file that it is in."""
        return self.names.unit

    def reasons(self) -> tuple[Related, ...]:
        """The chain of calls, for a finding at the spot."""
        return tuple(related(unit, call, f"called here: {ast.unparse(call.func)}()") for unit, call in self.chain)


def body_of(flow: Flow) -> Iterator[Spot]:
    """The nodes that a workflow's body evaluates, each function's once, in the order of the source.

    Handlers of steps are left out, since they run once and are not replayed, and so are lambdas and nested functions
    that are not called. Calls lead into functions of the project, and into those that `sorted` and the like are given.
    """
    source = flow.source
    seen = {source.node}
    waiting: list[tuple[Defined, tuple[tuple[Unit, ast.Call], ...]]] = [
        (Defined(source.node, source.names, source.owner), ())
    ]
    while waiting:
        defined, chain = waiting.pop(0)
        names = defined.names.of_function(defined.node, defined.owner)
        for node in evaluated(defined.node.body, names, defined.node):
            yield Spot(node, names, defined.node, chain)
            if not isinstance(node, ast.Call) or len(seen) > _MOST_FUNCTIONS:
                continue
            if step_call(node, names, defined.node) is not None:  # The body of a step is no part of the workflow's.
                continue
            for called in _functions_of(node, names):
                if called.node not in seen:
                    seen.add(called.node)
                    waiting.append((called, (*chain, (names.unit, node))))


def _functions_of(node: ast.Call, names: Names) -> Iterator[Defined]:
    """The functions of the project that run with a call; what is decorated as a step does not run in the body."""
    for expression in functions_called(node, names):
        called = names.meaning_of(expression)
        if isinstance(called, Defined) and not called.member and words.step_decorator(called) is None:
            yield called


@lru_cache(maxsize=1)
def spots_of(module: Module) -> tuple[tuple[str, Spot], ...]:
    """What the bodies of a file's workflows evaluate, each with a workflow's name; each node once."""
    found: dict[ast.AST, tuple[str, Spot]] = {}
    for flow in module.flows:
        for spot in body_of(flow):
            found.setdefault(spot.node, (flow.source.workflow, spot))
    return tuple(found.values())
