"""Random programs whose steps share names, and what their runs show of it.

The names have the variables of loops in them, counters that are skipped and set back, parameters of helpers, and what
is made of these.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable

from tests.compiler.programs import Run

HEAD = """import asyncio, contextlib
from flowgraph import step, workflow
from tests.compiler.programs import Boom, cond, few

XS = (1, 2)

@step("decorated")
async def decorated(): return cond()
"""
VARIABLES = ("x", "y", "n", "m", "k")
STARTS = "x = y = 7; n = m = 0; k = 'k'"


class Named:
    """Makes programs; the same seed gives the same one."""

    def __init__(self, seed: int, *, small: bool = False, concurrent: bool = False) -> None:
        self._room = 3 if small else 4
        self._seed = seed
        self._random = random.Random(seed)
        self._concurrent = concurrent
        self._count = 0
        self._helpers: dict[str, int] = {}

    def program(self) -> str:
        """The text of a module with a workflow `flow`."""
        helpers: list[str] = []
        for number in range(self._random.randrange(self._room - 1)):
            name, parameters = f"helper{number}", self._random.randrange(2)
            body = self._block(1, 1, loop=False, parameters=("p",) * parameters)
            helpers.append(f"async def {name}({'p' if parameters else ''}):\n    {STARTS}\n{body}")
            self._helpers[name] = parameters
        return "\n".join(
            [
                HEAD,
                *helpers,
                f"@workflow(name='flow-{self._seed}')",
                "async def flow():",
                f"    {STARTS}",
                self._block(2, 1, loop=False),
            ]
        )

    def _block(self, depth: int, indent: int, *, loop: bool, parameters: tuple[str, ...] = ()) -> str:
        count = self._random.randint(1, self._room)
        return "\n".join(self._statement(depth, indent, loop, parameters) for _ in range(count))

    def _statement(self, depth: int, indent: int, loop: bool, parameters: tuple[str, ...]) -> str:
        pad = "    " * indent
        choices: list[Callable[[], str]] = [lambda: pad + self._step(parameters)] * 5
        choices += [lambda: pad + self._assignment(parameters)] * 2
        choices += [lambda: pad + self._expression(parameters)] * 2
        choices.append(lambda: f"{pad}if cond(): {self._exit(loop)}")
        if self._helpers and not parameters and indent < 4:
            choices += [lambda: pad + self._call()] * 2
        if self._concurrent:
            choices += [lambda: pad + self._side_by_side(parameters)] * 3
        if depth > 0:

            def inner(*, looped: bool = loop) -> str:
                return self._block(depth - 1, indent + 1, loop=looped, parameters=parameters)

            variable = self._random.choice("xy")
            items = self._random.choice(["few()", "few()", "XS", "enumerate(XS)"])
            target = f"{variable}, m" if items.startswith("enum") else variable

            def tried() -> str:
                return f"{pad}try:\n{pad}    {self._step(parameters)}\n{inner()}\n{pad}"

            choices += [
                lambda: f"{pad}if cond():\n{inner()}",
                lambda: f"{pad}if cond():\n{inner()}\n{pad}else:\n{inner()}",
                lambda: f"{pad}for {target} in {items}:\n{inner(looped=True)}",
                lambda: f"{pad}for {target} in {items}:\n{inner(looped=True)}\n{pad}else:\n{inner()}",
                lambda: f"{pad}with contextlib.suppress(Boom):\n{inner()}",
                lambda: self._closure(pad, inner(looped=False)),
                lambda: f"{pad}while cond():\n{inner(looped=True)}",
                lambda: f"{pad}while True:\n{inner(looped=True)}\n{pad}    if cond(): break",
                lambda: f"{tried()}except Boom:\n{inner()}",
                lambda: f"{tried()}except Boom:\n{inner()}\n{pad}else:\n{inner()}",
                lambda: f"{tried()}finally:\n{inner()}",
                lambda: f"{pad}match cond():\n{pad}  case True:\n{inner()}\n{pad}  case _:\n{inner()}",
            ]
        return self._random.choice(choices)()

    def _name(self, parameters: tuple[str, ...]) -> str:
        self._count += 1
        variables = (*VARIABLES, *parameters * 3)
        one, other = self._random.choice(variables), self._random.choice(variables)
        forms = [f'"u{self._count}"'] * 5
        forms += [f'"{letter}"' for letter in "ab"]
        forms += [f'f"{letter}-{{{one}}}"' for letter in "aabb"]
        forms += [
            f'f"a-{{{one}}}-{{{other}}}"',
            f'f"a-{{{one}}}{{{other}}}"',
            f'f"b-{{{self._random.choice("xyn")} % 2}}"',
        ]
        forms += ["k", f'f"b-{{{one}}}-c"', f'"a-" + str({one})', f'"a-%s" % {one}', f'"b-{{}}".format({one})']
        return self._random.choice(forms)

    def _step(self, parameters: tuple[str, ...]) -> str:
        helpers = [name for name, count in self._helpers.items() if count == 0] if not parameters else []
        handler = self._random.choice(["lambda: 1", "cond", *helpers])
        return f"await step({self._name(parameters)}, {handler})"

    def _closure(self, pad: str, body: str) -> str:
        """A function inside the function, which is called once or in a loop; it has variables of its own, or not."""
        self._count += 1
        name = f"inner{self._count}"
        first = (
            STARTS if re.search(r"\b[xynmk]\b[^\n]* (=|\+=|-=|in) ", body) or self._random.random() < 0.5 else "pass"
        )
        call = self._random.choice([f"await {name}()", f"for y in few(): await {name}()"])
        return f"{pad}async def {name}():\n{pad}    {first}\n{body}\n{pad}{call}"

    def _expression(self, parameters: tuple[str, ...]) -> str:
        one, other = (f"(await {self._called(parameters)})" for _ in range(2))
        forms = [
            f"z = {one} if cond() else {other}",
            f"z = {one} and {other}",
            f"z = cond() or {one}",
            f"z = [{one} for x in few()]",
            f"z = {{y: {one} for y in XS if {other}}}",
            f"z = (w := {one}) and {other}",
            f"await step({self._name(parameters)}, lambda: {self._called(parameters)})",
            f"await decorated.named({self._name(parameters)})()",
            "await decorated()",
        ]
        return self._random.choice(forms)

    def _called(self, parameters: tuple[str, ...]) -> str:
        return f"step({self._name(parameters)}, cond)"

    def _call(self) -> str:
        name, count = self._random.choice(list(self._helpers.items()))
        argument = self._random.choice(["x", "y", "n", '"a"', '"b"', "1"]) if count else ""
        return f"await {name}({argument})"

    def _assignment(self, parameters: tuple[str, ...]) -> str:
        one, text = self._random.choice("xyn"), self._random.choice(("x", "y", "n", *parameters * 3))
        forms = [
            "n += 1", "n += 1", "m += 1", "n = n + 1", "n -= 1", "if cond(): n += 1", "n = 0", "m = 0",
            f"m = {one}", f"y = {one}", f'k = f"k-{{{text}}}"', 'k = "k"', f"y = {one} if cond() else 1", "y = len(k)",
            "n, m = m, n", f"k = str({text})",
        ]  # fmt: skip
        return self._random.choice(forms)

    def _side_by_side(self, parameters: tuple[str, ...]) -> str:
        one, other = (f"step({self._name(parameters)}, cond)" for _ in range(2))
        forms = [
            f"await asyncio.gather({one}, {other})",
            f"await asyncio.gather(*[{one} for x in few()])",
            f"await asyncio.gather({other}, *({one} for y in XS))",
            f"task = asyncio.create_task({one})",
        ]
        return self._random.choice(forms)

    def _exit(self, loop: bool) -> str:
        exits = ["return", "raise Boom"]
        return self._random.choice([*exits, "break", "continue", "break", "continue"] if loop else exits)


def repeated(run: Run) -> set[str]:
    """The paths that were called twice in one run of their scope."""
    found: set[str] = set()
    scopes: dict[int, Counter[str]] = {}
    for path, trace in run.traces:
        counted = scopes.setdefault(trace.scope, Counter())
        for name in trace.names:
            full = f"{path}/{name}" if path else name
            counted[full] += 1
            if counted[full] == 2:
                found.add(full)
    return found
