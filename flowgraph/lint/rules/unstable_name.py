"""FG106."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from flowgraph.lint.analysis.causes import cause_of
from flowgraph.lint.rule import Rule, related

if TYPE_CHECKING:
    from flowgraph.lint.analysis.causes import Cause
    from flowgraph.lint.module import Module, StepCall
    from flowgraph.model.diagnostic import Diagnostic


class UnstableName(Rule):
    """The name of a step rests on time, chance or the process, so that it is another one on every replay.

    ## What it does

    Looks at the names of steps for values of `time`, `datetime.now`, `random`, `uuid`, `secrets`, `os.getpid`, `id()`,
    `hash()` and the like: in the name itself, in the local and global names that it is made of, and in what functions
    return that it calls. Values that come out of a step are saved, and are not reported. What is the same in all
    processes of a machine, such as `os.environ`, is reported by FG401.

    ## Why is this bad?

    A step is found again by its name. Under another name it runs a second time on every resume, and what it had saved
    is lost.

    ## Example

    ```python
    await step(f"charge-{uuid.uuid4()}", charge, order)
    ```

    ## Use instead

    ```python
    await step(f"charge-{order.id}", charge, order)
    ```
    """

    code = "FG106"
    name = "unstable-name"
    severity = "error"
    VALID = (
        """
        import os
        import random
        import time
        import uuid

        async def draw() -> float:
            return await step("draw", random.random)

        def plain(item: str) -> str:
            return item.upper()

        async def load(item: str, deadline: float) -> str:
            return item

        @workflow
        async def flow(item: str, when: float) -> None:
            key = await step("key", lambda: str(uuid.uuid4()))
            await step(f"a-{key}", work)
            await step(f"b-{item}", work, time.time())
            await step(f"c-{await draw()}", work)
            await step(f"d-{uuid.uuid5(uuid.NAMESPACE_URL, item)}", work)
            await step(f"e-{time.strftime('%Y', time.gmtime(when))}", work)
            await step(f"f-{random.Random(7).random()}", work)
            await step(f"g-{hash(7)}", work)
            await step(f"h-{plain(item)}", work)
            await step(f"i-{os.environ['REGION']}", work)
            now = time.time()
            await asyncio.gather(*[step(f"j-{now}", work) for now in (1, 2)])
            await step("k", lambda: time.time())
            deadline = now + 5
            await step(f"l-{await load(item, deadline)}", work)
            print(now)
        """,
        """
        def id(value: object) -> int:
            return 1

        @workflow
        async def flow(time: object, random: object) -> None:
            await step(f"a-{time.time()}", work)
            await step(f"b-{random.random()}", work)
            await step(f"c-{id(3)}", work)
        """,
    )
    INVALID = (
        """
        import os
        import random
        import secrets
        import time
        import uuid
        from datetime import datetime as dt, timezone
        from random import choice
        from uuid import uuid4

        STARTED = time.time()

        @workflow
        async def flow(item: object) -> None:
            await step(f"a-{time.time()}", work)  # FG106
            await step(f"k-{os.getpid()}-{os.getppid()}", work)  # FG106
            await step(f"l-{os.times()}", work)  # FG106
            await step("b-" + str(uuid4()), work)  # FG106
            await step("c-%s" % random.randint(1, 6), work)  # FG106
            await step("d-{}".format(id(item)), work)  # FG106
            await step(str(hash(item)), work)  # FG106
            await step(f"e-{dt.now(timezone.utc):%H}", work)  # FG106
            await step.sleep(secrets.token_hex(), 5)  # FG106
            run = uuid.uuid4().hex
            short = run[:8]
            await step(f"f-{short}", work)  # FG106
            await step(f"g-{STARTED}", work)  # FG106
            await step(choice(["h", "i"]), work)  # FG106
            for number in range(3):
                await step.listen(f"j-{number}-{random.random()}")  # FG106
        """,
        """
        import time
        import uuid

        import flowgraph as fg

        def stamp() -> str:
            return f"{time.time():.0f}"

        def key() -> str:
            now = stamp()
            return f"key-{now}"

        async def token() -> str:
            return uuid.uuid4().hex

        @fg.step("fetch")
        async def fetch() -> None:
            await fg.step(key(), work)  # FG106

        @fg.workflow
        async def flow() -> None:
            await fg.step(f"a-{key()}", work)  # FG106
            await fetch.named(f"fetch-{await token()}")()  # FG106
        """,
    )

    def check(self, module: Module) -> Iterator[Diagnostic]:
        """Every name that is written in the file."""
        for call in module.calls:
            name = call.name_node
            if name is None or call.place is not name:
                continue
            cause = cause_of(name, call.names, call.function, module.hidden(call.node))
            if cause is not None:
                yield self._unstable(module, call, cause)

    def _unstable(self, module: Module, call: StepCall, cause: Cause) -> Diagnostic:
        message = f"the name {call.label} rests on {cause.name}(), so that it is another one when the run is replayed"
        inside = any(node is cause.node for node in ast.walk(call.place))
        places = [] if inside else [related(cause.names.unit, cause.node, f"{cause.name}() is called here")]
        return self.of_call(module, call, message, help=_HELP, related=places)


_HELP = "Name it after the input, or ask for the value in a step of its own, whose result is saved."
