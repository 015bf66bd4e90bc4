"""How a run that goes on is shown: live on a terminal, otherwise as plain lines."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

from flowgraph.cli.plain import Teller, to_come_line
from flowgraph.cli.view import Line, run_lines
from flowgraph.cli.watch import POLL_S, Watch
from flowgraph.errors import StoreError

if TYPE_CHECKING:
    from flowgraph.cli.board import Node
    from flowgraph.model import Checkpoint

logger = logging.getLogger("flowgraph")

DRAW_S = 0.1
"""The live display changes so often at most."""
TICK_S = 1.0
"""It is drawn anew after so long although nothing has happened, since times go on."""


class Display(Protocol):
    """Shows a run. `told` is for the rows that are committed meanwhile."""

    def told(self, trail: Sequence[Node], row: Checkpoint, steps: tuple[int, int] | None) -> None: ...

    async def keep_showing(self, watch: Watch) -> None:
        """Show how things are until cancelled, then show it one last time."""
        ...


def display_for(file: TextIO, workflow: str, *, plain: bool) -> Display:
    """A live display if `file` is a terminal that can show one."""
    import os

    is_screen = file.isatty() and os.environ.get("TERM") not in (None, "", "dumb", "unknown")
    return LiveDisplay(file, workflow) if is_screen and not plain else PlainDisplay(file)


@asynccontextmanager
async def shown(display: Display, watch: Watch) -> AsyncIterator[None]:
    """Show a run while it goes on; at the end the last state of things stays."""
    tasks = [asyncio.create_task(_following(watch)), asyncio.create_task(display.keep_showing(watch))]
    try:
        await asyncio.sleep(0)
        yield
        await watch.look()
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):  # No reason to give up the run, and none to be silent.
                logger.error("the run could not be shown to its end", exc_info=outcome)


async def _following(watch: Watch) -> None:
    """A store that is busy for a while is no reason to stop showing."""
    while True:
        try:
            await watch.keep_following()
        except StoreError:
            continue


class LiveDisplay:
    """The steps as a tree that changes in place."""

    def __init__(self, file: TextIO, workflow: str) -> None:
        self._file = file
        self._workflow = workflow

    def told(self, trail: Sequence[Node], row: Checkpoint, steps: tuple[int, int] | None) -> None:
        """The board knows it already."""

    async def keep_showing(self, watch: Watch) -> None:
        from flowgraph.cli.screen import Screen

        def lines(height: int) -> list[Line]:
            return run_lines(watch.board, self._workflow, watch.glance(), height)

        screen = Screen(self._file, lines)
        screen.start()
        try:
            drawn, drawn_s = None, 0.0
            while True:
                seen = (watch.board.version, watch.row)
                if seen != drawn or time.monotonic() >= drawn_s + TICK_S:
                    screen.draw()
                    drawn, drawn_s = seen, time.monotonic()
                await asyncio.sleep(DRAW_S)
        finally:
            screen.stop()


class PlainDisplay:
    """One line for each thing worth telling."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._teller = Teller()

    def told(self, trail: Sequence[Node], row: Checkpoint, steps: tuple[int, int] | None) -> None:
        line = self._teller.tell(trail, row, time.time_ns() // 1_000, steps)
        if line:
            print(line, file=self._file, flush=True)

    async def keep_showing(self, watch: Watch) -> None:
        """Tell what the run itself waits for: a worker, an operator. What its steps wait for is told with them."""
        before = said = ""
        if names := watch.to_come():
            print(to_come_line(names), file=self._file, flush=True)
        while True:
            glance = watch.glance()
            standing = f"{glance.status.value}: {glance.note}" if glance.note and not glance.status.suspended else ""
            if standing == before and standing != said:  # It has been so for a moment.
                said = standing
                if standing:
                    print(f"The run is {standing}", file=self._file, flush=True)
            before = standing
            await asyncio.sleep(POLL_S)
