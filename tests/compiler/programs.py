"""Random programs, and their runs: what a workflow did, to be compared with what its graph says that it may do."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

import attrs

from flowgraph.model import CURRENT

HEAD = """import asyncio, contextlib, functools
from flowgraph import step, workflow
from tests.compiler.programs import Boom, Other, cond, few
"""
MOST_STEPS = 120


class Boom(Exception):
    """What steps and programs raise."""


class Other(Exception):
    """What some handlers look for in vain."""


class Halted(BaseException):
    """The run was told to stop: it called `step.fail`, or was long enough."""


_chance = random.Random(0)
_odds = {"true": 0.5, "failing": 0.15}


def cond() -> bool:
    """A condition that nobody foresees."""
    return _chance.random() < _odds["true"]


def few() -> range:
    """Some items."""
    return range(_chance.randrange(3))


@attrs.define
class Trace:
    """The steps that one task called in one scope, in their order.

    `main` is the task that the scope began in; `complete` says that it left the scope without an exception. The traces
    of the tasks of one scope have its number, `scope`.
    """

    names: list[str] = attrs.field(factory=list)
    main: bool = False
    complete: bool = False
    scope: int = 0


class Tracing:
    """A scope of the language that runs handlers at once and notes what was called; steps fail at random."""

    def __init__(self, run: Run, path: str) -> None:
        self.run = run
        self.path = path
        self.trace = Trace(main=True, scope=len(run.traces))
        self.task = _task()
        self._others: dict[asyncio.Task[Any], Trace] = {}
        run.traces.append((path, self.trace))

    async def step(self, name: str, handler: Callable[..., Any], args: Any, options: Any) -> Any:
        self._enter(name)
        if self.run.concurrent:
            await asyncio.sleep(0)
        below = Tracing(self.run, f"{self.path}/{name}" if self.path else name)
        token = CURRENT.set(below)  # type: ignore[arg-type]
        try:
            value = handler(*args)
            if asyncio.iscoroutine(value):
                value = await value
            below.trace.complete = not self.run.halted
        finally:
            CURRENT.reset(token)
        if _chance.random() < _odds["failing"]:
            raise Boom
        return value

    async def sleep(self, name: str, duration: object) -> None:
        self._enter(name)

    def fail(self, message: str) -> None:
        self.run.halted = True
        raise Halted

    def _enter(self, name: str) -> None:
        """Note a call; once a run is told to stop, every call says so again, as the runtime has it."""
        self.run.halted = self.run.halted or self.run.count >= MOST_STEPS
        if self.run.halted:
            raise Halted
        self.run.count += 1
        task = _task()
        trace = self.trace
        if task is not None and task is not self.task:
            if task not in self._others:
                self._others[task] = Trace(scope=self.trace.scope)
                self.run.traces.append((self.path, self._others[task]))
            trace = self._others[task]
        trace.names.append(name)


class Run:
    """One run of a program; `traces` are those of its scopes, with the paths of their steps."""

    def __init__(
        self,
        fn: Callable[..., Any],
        seed: int,
        *,
        concurrent: bool = False,
        true: float = 0.5,
        failing: float = 0.15,
    ) -> None:
        _odds.update(true=true, failing=failing)
        self.traces: list[tuple[str, Trace]] = []
        self.count = 0
        self.halted = False
        self.concurrent = concurrent
        _chance.seed(seed)
        root = Tracing(self, "")

        async def body() -> None:
            CURRENT.set(root)  # type: ignore[arg-type]
            root.task = _task()
            with contextlib.suppress(Boom, Halted, BaseExceptionGroup):
                await fn()
                root.trace.complete = not self.halted

        if concurrent:
            _run_to_the_end(body())
            return
        with contextlib.suppress(StopIteration):
            copy_context().run(body().send, None)  # Nothing in it ever waits.


def _task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


def _run_to_the_end(body: Any) -> None:
    """Run a program on a loop of its own, with all tasks that it leaves behind."""

    async def all_of_it() -> None:
        await body
        left = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*left, return_exceptions=True)

    with asyncio.Runner() as runner:
        runner.get_loop().set_exception_handler(lambda *_: None)  # Tasks whose failure nobody looked at.
        with contextlib.suppress(Halted):
            runner.run(all_of_it())


class Programs:
    """Makes programs; the same seed gives the same one."""

    def __init__(self, seed: int, *, concurrent: bool = False) -> None:
        self._seed = seed
        self._random = random.Random(seed)
        self._concurrent = concurrent
        self._count = 0
        self._helpers: list[str] = []

    def program(self) -> str:
        """The text of a module with a workflow `flow`."""
        for number in range(self._random.randrange(3)):
            self._helpers.append(f"helper{number}")
        helpers = [f"async def {name}():\n{self._block(2, 1, calls=False)}" for name in self._helpers]
        body = self._block(self._random.randint(1, 3), 1)
        return "\n".join([HEAD, *helpers, f"@workflow(name='flow-{self._seed}')", "async def flow():", body])

    def _block(self, depth: int, indent: int, *, calls: bool = True, loop: bool = False, room: int = 4) -> str:
        kinds: list[str] = []
        for _ in range(self._random.randint(1, room)):
            kinds.append(self._statement(depth, indent, calls, loop))
        return "\n".join(kinds)

    def _statement(self, depth: int, indent: int, calls: bool, loop: bool) -> str:
        pad = "    " * indent
        choices: list[Callable[[], str]] = [lambda: pad + self._step(calls)] * 4
        choices += [lambda: pad + self._expression()] * 2
        if self._concurrent:
            choices += [lambda: self._side_by_side(pad, calls)] * 4
        choices.append(lambda: f"{pad}if cond(): {self._exit(loop)}")
        if self._helpers and calls:
            choices.append(lambda: f"{pad}await {self._random.choice(self._helpers)}()")
        if depth > 0:
            inner = functools.partial(self._block, depth - 1, indent + 1, calls=calls, loop=loop, room=3)
            looped = functools.partial(self._block, depth - 1, indent + 1, calls=calls, loop=True, room=3)
            choices += [
                lambda: f"{pad}if cond():\n{inner()}",
                lambda: f"{pad}if cond():\n{inner()}\n{pad}else:\n{inner()}",
                lambda: f"{pad}if cond():\n{inner()}\n{pad}elif {self._test()}:\n{inner()}\n{pad}else:\n{inner()}",
                lambda: f"{pad}for x in few():\n{looped()}",
                lambda: f"{pad}for x in few():\n{looped()}\n{pad}else:\n{inner()}",
                lambda: f"{pad}while {self._test()}:\n{looped()}",
                lambda: f"{pad}while True:\n{looped()}\n{pad}    if cond(): break",
                lambda: f"{pad}try:\n{inner()}\n{pad}except {self._caught()}:\n{inner()}",
                lambda: f"{pad}try:\n{inner()}\n{pad}finally:\n{inner()}",
                lambda: f"{pad}try:\n{inner()}\n{pad}except Other:\n{inner()}\n{pad}except Boom:\n{inner()}",
                lambda: (
                    f"{pad}try:\n{inner()}\n{pad}except {self._caught()}:\n{inner()}\n{pad}else:\n{inner()}\n"
                    f"{pad}finally:\n{inner()}"
                ),
                lambda: f"{pad}with contextlib.suppress(Boom):\n{inner()}",
                lambda: f"{pad}match cond():\n{pad}  case True:\n{inner()}\n{pad}  case _:\n{inner()}",
                lambda: f"{pad}match cond():\n{pad}  case True if {self._test()}:\n{inner()}",
            ]
        return self._random.choice(choices)()

    def _name(self) -> str:
        self._count += 1
        return f'"s{self._count}"'

    def _step(self, calls: bool) -> str:
        handlers = ["lambda: 1", "lambda: None", *(self._helpers if calls else ())]
        if self._random.random() < 0.1:
            return f"await step.sleep({self._name()}, 1)"
        return f"await step({self._name()}, {self._random.choice(handlers)})"

    def _test(self) -> str:
        plain = f"await step({self._name()}, cond)"
        return self._random.choice(["cond()", plain, f"cond() and {plain}", f"cond() or ({plain})", f"not ({plain})"])

    def _expression(self) -> str:
        one, other = (f"(await step({self._name()}, cond))" for _ in range(2))
        forms = [
            f"x = {one} if cond() else {other}",
            f"x = {one} and {other}",
            f"x = {one} or cond() or {other}",
            f"x = [{one} for _ in few()]",
            f"x = [1 for _ in few() if {one}]",
            f"x = {{1: {one}, 2: {other}}}",
            f"x = [(y, {one}) for y in few() for _ in few()]",
            f"x = ({one}, {other})[cond()]",
            f"x = (y := {one}) and {other}",
            f'x = f"{{{one}}} {{{other}}}"'.replace('"s', "'s").replace('",', "',"),
        ]
        return self._random.choice(forms)

    def _side_by_side(self, pad: str, calls: bool) -> str:
        def one() -> str:
            helper = self._helpers and calls and self._random.random() < 0.4
            return f"{self._random.choice(self._helpers)}()" if helper else f"step({self._name()}, cond)"

        self._count += 1
        task = f"t{self._count}"
        each = f'step(f"each-{self._count}-{{x}}", cond)'
        group = f"{pad}async with asyncio.TaskGroup() as group:\n{pad}    group.create_task({one()})\n"
        forms = [
            f"{pad}await asyncio.gather({one()}, {one()})",
            f"{pad}await asyncio.gather({one()}, {one()}, {one()}, return_exceptions=True)",
            f"{pad}await asyncio.gather(*[{each} for x in few()])",
            f"{pad}await asyncio.gather({one()}, *({each} for x in few()))",
            f"{pad}{task} = asyncio.create_task({one()})",
            f"{pad}{task} = asyncio.create_task({one()})\n{pad}await {one()}\n{pad}await {task}",
            f"{group}{pad}    await {one()}\n{pad}    group.create_task({one()})",
        ]
        return self._random.choice(forms)

    def _exit(self, loop: bool) -> str:
        exits = ["return", "raise Boom", "raise Boom", "await step.fail('no')", "return 1"]
        return self._random.choice([*exits, "break", "continue", "break"] if loop else exits)

    def _caught(self) -> str:
        return self._random.choice(["Boom", "Boom", "Exception", "Other", "(Boom, Other)", "BaseException"])
