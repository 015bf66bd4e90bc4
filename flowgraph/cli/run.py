"""``flowgraph run``: execute one run to its end, showing how it gets on, and print its result."""

from __future__ import annotations

import asyncio
import shlex
import sys
import time
from typing import TYPE_CHECKING, Any, Literal, TextIO

import attrs

from flowgraph.cli import inside
from flowgraph.cli.board import Board
from flowgraph.cli.display import display_for, shown
from flowgraph.cli.inputs import arguments, read_json
from flowgraph.cli.interrupt import Interruption
from flowgraph.cli.output import natural, plain_record, print_json, stdout_kept_free
from flowgraph.cli.target import load_target
from flowgraph.cli.trouble import COMPLETED, ENDED_BADLY, Trouble
from flowgraph.cli.view import Glance, step_note, waits
from flowgraph.cli.watch import Watch
from flowgraph.cli.wording import counted, one_line
from flowgraph.dsl import Workflow
from flowgraph.errors import RunError, RunExists, StoreError
from flowgraph.runtime import Run, Runtime, store_url

if TYPE_CHECKING:
    from flowgraph.model.store import RunRow

MOST_WAITS = 3
"""So many of the waits of a run that goes on are told of."""


@attrs.frozen
class RunCommand:
    """What ``flowgraph run`` was asked: its options as they were typed."""

    target: str
    input: str | None = None
    run_id: str | None = None
    store: str | None = None
    tags: dict[str, str] = attrs.field(factory=dict)
    durability: Literal["full", "relaxed"] = "full"
    as_json: bool = False

    def again(self, run_id: str) -> str:
        """The command that continues the run."""
        return f"flowgraph run {shlex.quote(self.target)} --run-id {shlex.quote(run_id)}{self._store()}"

    def show(self, run_id: str) -> str:
        """The command that shows the run."""
        return f"flowgraph runs show {shlex.quote(run_id)}{self._store()}"

    def _store(self) -> str:
        return "" if self.store is None else f" --store {shlex.quote(self.store)}"


@attrs.frozen
class Ended:
    """How the run ended: its row, its result as plain JSON, and the error, if there is one."""

    row: RunRow
    result: Any = None
    error: RunError | None = None


def execute(command: RunCommand) -> int:
    """Carry the command out; returns the exit code."""
    url = store_url(command.store)
    with stdout_kept_free():
        session = _Session(command, url, sys.stderr)
        with Interruption(session.say_waiting, session.last_words) as interruption:
            try:
                session.prepare()
                ended = asyncio.run(session.run(interruption))
            except (asyncio.CancelledError, KeyboardInterrupt):
                session.say(session.last_words())
                return interruption.code
            except StoreError as error:
                raise Trouble(f"{str(error).rstrip('.')}{session.way_on() or '.'}") from error
    return _told(command, ended)


def _told(command: RunCommand, ended: Ended) -> int:
    if command.as_json:
        print_json(plain_record(inside.record_of(ended.row)))
    elif ended.error is None:
        print_json(ended.result)
    if ended.error is None:
        return COMPLETED
    reason = one_line(str(ended.error)).rstrip(".")
    print(f"{reason}. Look at it with: {command.show(ended.row.id)}", file=sys.stderr, flush=True)
    return ENDED_BADLY


class _Session:
    """One command at work; everything that is said goes to `file`."""

    def __init__(self, command: RunCommand, url: str, file: TextIO) -> None:
        self._command = command
        self._url = url
        self._file = file
        self._run_id: str | None = None
        self._began_us = time.time_ns() // 1_000

    def say(self, text: str) -> None:
        print(text, file=self._file, flush=True)

    def say_waiting(self) -> None:
        self.say("Waiting for steps that are at work in threads; Ctrl-C again leaves at once.")

    def last_words(self) -> str:
        """What to say when the command is interrupted."""
        return f"Interrupted{self.way_on()}" if self._run_id is not None else "Interrupted before the run was started."

    def way_on(self) -> str:
        """How the run that was started can be continued."""
        if self._run_id is None:
            return ""
        return f"; the run is unfinished. Continue it with: {self._command.again(self._run_id)}"

    def prepare(self) -> None:
        """Load the target and read the input, before anything is stored."""
        self._workflow: Workflow[..., Any] = load_target(self._command.target)
        self._input = None if self._command.input is None else read_json(self._command.input, "--input")

    async def run(self, interruption: Interruption) -> Ended:
        """Start or continue the run, show it, and wait for its end."""
        task = asyncio.current_task()
        assert task is not None
        interruption.covers(task)
        display = display_for(self._file, self._workflow.name, plain=self._command.as_json)
        runtime = Runtime(self._url, durability=self._command.durability)
        watch = Watch(runtime, display.told)
        async with runtime:
            graph = await inside.graph_here(runtime, self._workflow)
            run, word = await self._start(runtime)
            self._run_id = run.id
            self.say(f"Run {run.id} of {run.workflow}{word}")
            await watch.follow(run.id, graph)
            async with shown(display, watch):
                return await self._end(runtime, run)

    async def _start(self, runtime: Runtime) -> tuple[Run[Any], str]:
        """The run, and what is to be said of it if it existed."""
        command, workflow = self._command, self._workflow
        before = None if command.run_id is None else await inside.find_row(runtime, command.run_id)
        if before is not None and command.input is None:
            if before.workflow != workflow.name:
                raise RunExists(before.id, f"the workflow {before.workflow!r} instead of {workflow.name!r}")
            return await runtime.get(before.id), await _standing(runtime, before, self._began_us)
        args, kwargs = inside.typed_arguments(workflow, *((), {}) if self._input is None else arguments(self._input))
        run = await runtime.start(workflow, *args, run_id=command.run_id, tags=command.tags, **kwargs)
        return run, "" if before is None else await _standing(runtime, before, self._began_us)

    async def _end(self, runtime: Runtime, run: Run[Any]) -> Ended:
        error: RunError | None = None
        value = None
        try:
            value = await run.result()
        except RunError as raised:
            error = raised
        row = await inside.run_row(runtime, run.id)
        return Ended(row, natural(value, inside.record_of(row).output), error)


async def _standing(runtime: Runtime, row: RunRow, now_us: int) -> str:
    """How the run stood when this command began; since then the Runtime may have taken it up."""
    if row.finished_us is not None and row.finished_us < now_us:
        return f" is {row.status.value.replace('_', ' ')} already"
    rows = [one for one in await inside.history(runtime, row) if one.finished_us < now_us]
    finished = sum(1 for one in rows if one.state == "completed" and one.kind != "progress")
    board = Board(row.id)
    board.restore(row.id, rows)
    glance = Glance(now_us, row.status)
    waiting = [f"{node.path} is {node.state.value} {step_note(node, glance)}".rstrip() for node in waits(board)]
    return "; ".join([f" goes on after {counted(finished, 'finished step')}", *waiting[:MOST_WAITS]])
