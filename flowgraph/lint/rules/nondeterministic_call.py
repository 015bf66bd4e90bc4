"""FG401."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from flowgraph.lint.analysis.causes import cause_of
from flowgraph.lint.analysis.origins import called
from flowgraph.lint.analysis.reach import Spot, spots_of
from flowgraph.lint.analysis.varying import is_mostly_the_same, varying
from flowgraph.lint.module import step_call
from flowgraph.lint.rule import Rule

if TYPE_CHECKING:
    from flowgraph.lint.module import Module, StepCall
    from flowgraph.model.diagnostic import Diagnostic


class NondeterministicCall(Rule):
    """The body of a workflow asks for the time, a random number or the environment.

    ## What it does

    Looks for calls whose result is another one each time, or in each process, in the function of a workflow and in the
    functions that it calls: `time`, `datetime.now`, `random`, `uuid`, `secrets`, `os.environ`, `id`, `hash` and others.
    Classes in its body belong to it, and so do functions that `sorted`, `map` and the like are given. Handlers of steps
    may call them. A name of a step that is another one each time is FG106's; what is the same in all processes of a
    machine, such as `os.environ`, is told here.

    ## Why is this bad?

    The function runs again from the top after each suspension and each crash, and then takes another value than the
    first time: another way, with other steps.

    ## Example

    ```python
    if random.random() < 0.1:
        await step("audit", audit, order)
    ```

    ## Use instead

    ```python
    if await step("draw", random.random) < 0.1:
        await step("audit", audit, order)
    ```
    """

    code = "FG401"
    name = "nondeterministic-call"
    severity = "warning"
    VALID = (
        """
        import os
        import random
        import time
        import uuid
        from functools import partial

        STARTED = time.time()

        def stamp() -> float:
            return time.time()

        @step("draw")
        async def draw() -> float:
            return random.random()

        @workflow
        async def flow(seconds: float, random_: int = random.randint(1, 6)) -> None:
            await step("now", time.time)
            await step("stamp", stamp)
            await step("id", lambda: str(uuid.uuid4()))
            await step("part", partial(random.choice, [1, 2]))
            await draw()
            dice = random.Random(seconds)
            dice.random()
            time.gmtime(seconds)
            time.strftime("%Y", time.gmtime(seconds))
            os.path.join("a", "b")
            uuid.uuid5(uuid.NAMESPACE_URL, "x")
            uuid.UUID("0" * 32)
            hash(7)

            async def handler() -> float:
                return time.time()

            await step("inner", handler)
            await step("sorted", lambda: sorted("ab", key=lambda _: random.random()))
            kept = lambda: time.time()
            await step("kept", kept)
            await asyncio.gather(*map(draw, range(3)))

            class Receipt:
                def stamp(self) -> float:
                    return time.time()

            await step("receipt", Receipt().stamp)
        """,
        """
        # Names of its own, and functions that no workflow calls.
        import time as clock

        class random:
            @staticmethod
            def random() -> float:
                return 4.0

        def id(value: object) -> int:
            return 1

        def elsewhere() -> float:
            return clock.time()

        @workflow
        async def flow(time: object, uuid: object) -> None:
            time.time()
            uuid.uuid4()
            random.random()
            id(time)
            await step(f"x-{clock.time()}", work)
            sorted("ab", key=lambda clock: clock.time())
            [clock.time() for clock in (time, time)]

            class Own:
                clock = time
                now = clock.time()
        """,
    )
    INVALID = (
        """
        import datetime
        import os
        import random
        import secrets
        import time
        import uuid
        from datetime import datetime as dt
        from os import environ, getenv
        from time import time as now

        @workflow
        async def flow(key: str) -> None:
            started = time.time()  # FG401
            now()  # FG401
            datetime.datetime.now()  # FG401
            dt.now(tz=None)  # FG401
            datetime.date.today()  # FG401
            random.shuffle([1, 2])  # FG401
            random.Random().random()  # FG401
            uuid.uuid4()  # FG401
            secrets.token_hex()  # FG401
            os.environ["HOME"]  # FG401
            environ.get("HOME")  # FG401
            getenv("HOME")  # FG401
            time.localtime()  # FG401
            time.strftime("%Y")  # FG401
            hash(key) % 4  # FG401
            id(key)  # FG401
            asyncio.get_running_loop().time()  # FG401
            await asyncio.to_thread(os.getpid)  # FG401
            loop = asyncio.get_running_loop()
            loop.time()  # FG401
            await step("a", work, time.monotonic())  # FG401
            [uuid.uuid1() for _ in range(3)]  # FG401
            dict(os.environ)  # FG401
            await step(f"in-{os.environ['REGION']}-{os.getpid()}", work)  # FG401
            if "HOME" in os.environ:  # FG401
                await step("b", work, started)
        """,
        """
        import random
        import time

        def deadline() -> float:
            return soon() + 10

        def soon() -> float:
            return time.time()  # FG401

        class Dice:
            def roll(self) -> int:
                return random.randint(1, 6)  # FG401

        async def parent() -> None:
            time.time()

        roll = Dice.roll

        @workflow
        async def flow() -> None:
            def local() -> float:
                return random.random()  # FG401

            deadline()
            local()
            roll(Dice())
            await step("parent", parent)

        @workflow
        async def other() -> None:
            deadline()
        """,
        """
        # What runs in the body as well: classes, defaults, and functions that others call at once.
        import functools
        import os
        import random
        import time
        from itertools import groupby

        def load(value: object) -> str:
            return "x"

        def jitter(value: object) -> float:
            return random.random()  # FG401

        @workflow
        async def flow(items: list[str]) -> None:
            class Receipt(load(time.time())):  # FG401
                stamp = time.time()  # FG401

                class Inner:
                    stamp = time.time()  # FG401

            def later(at: float = time.time()) -> None: ...  # FG401

            sorted(items, key=lambda item: random.random())  # FG401
            items.sort(key=lambda item: random.random())  # FG401
            min(items, key=lambda item, now=time.time(): now)  # FG401
            list(map(lambda item: f"{item}-{time.time()}", items))  # FG401
            list(filter(lambda item: random.random() < 0.5, items))  # FG401
            functools.reduce(lambda one, other: random.choice([one, other]), items)  # FG401
            list(groupby(items, lambda item: random.random()))  # FG401
            max(items, key=jitter)
            (lambda: time.time())()  # FG401
            now = lambda: time.time()  # FG401
            now()
            await step(f"a-{load(time.time())}", work)  # FG401
            await step(f"b-{os.getenv('REGION')}", work)  # FG401
            await step(max(items, key=lambda item: random.random()), work)  # FG401
        """,
    )

    def check(self, module: Module) -> Iterator[Diagnostic]:
        """What the bodies of the file's workflows ask for, in this file and in others."""
        found: list[Diagnostic] = []
        in_names: dict[ast.AST, StepCall] = {}
        for workflow, spot in spots_of(module):
            in_names.update(_in_name(spot))
            name = varying(spot.node, spot.names)
            if name is None:
                continue
            step = in_names.get(spot.node)
            if step is None or is_mostly_the_same(name) or not _is_unstable(step, module):
                found.append(self._varying(workflow, spot, name))
        yield from sorted(found, key=lambda one: (one.path, one.line, one.column))

    def _varying(self, workflow: str, spot: Spot, name: str) -> Diagnostic:
        what = f"{name}()" if isinstance(spot.node, ast.Call) and name != "os.environ" else name
        where = f", through {spot.function.name}()," if spot.chain else ""
        return self.found(
            spot.unit, spot.node,
            f"{what} in the body of workflow {workflow!r}{where} differs when the run is replayed",
            help=f"Ask for it in a step, whose result is saved: {_as_step(spot)}.", workflow=workflow,
            related=spot.reasons(),
        )  # fmt: skip


def _in_name(spot: Spot) -> dict[ast.AST, StepCall]:
    """The nodes in the name of the step that a node is, if it is one."""
    step = step_call(spot.node, spot.names, spot.function) if isinstance(spot.node, ast.Call) else None
    return {} if step is None or step.name_node is None else dict.fromkeys(ast.walk(step.name_node), step)


def _is_unstable(step: StepCall, module: Module) -> bool:
    """Tell whether FG106 finds the name of a step."""
    name = step.name_node
    return name is not None and cause_of(name, step.names, step.function, module.hidden(step.node)) is not None


def _as_step(spot: Spot) -> str:
    """The call as a step."""
    node = spot.node
    if not isinstance(node, ast.Call) or node.keywords or spot.names.meaning_of(called(node, spot.names)) is None:
        return f'`await step("…", lambda: {ast.unparse(node)})`'
    function = called(node, spot.names)
    given = node.args if function is node.func else node.args[1:]
    arguments = "".join(f", {ast.unparse(argument)}" for argument in given)
    text = ast.unparse(function)
    return f'`await step("{text.rpartition(".")[2].replace("_", "-")}", {text}{arguments})`'
