"""Splitting a batch of commands into groups that are applied together.

The commands of one batch were submitted before any of them was answered, so commands for different runs have no order
that anyone could rely on; those for the same run do. A wave collects simple commands by class, and its classes are
applied in the order of `_RANK`; a command that would have to come before an earlier one of its run begins a new wave.
A command that touches several runs (send, cancel, recover …) stands alone, and nothing moves past it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flowgraph.model.checkpoint import CANCELLED, COMPLETED, EXECUTE_WORKFLOW, FAILED, WAIT_FOR_WORKFLOW
from flowgraph.model.store import Bind, Command, Finish, Note, Release, Save, Start, Suspend

Group = tuple[type[Command], list[int]]
"""A class of commands, and the places in the batch of those that are applied together."""

_RANK: dict[type[Command], int] = {Start: 0, Bind: 1, Save: 2, Note: 3, Suspend: 4, Release: 5, Finish: 6}


def groups(commands: Sequence[Command]) -> Iterator[Group]:
    """The groups of a batch, in the order in which they are to be applied."""
    if len(commands) == 1:
        yield type(commands[0]), [0]
        return
    wave: dict[type[Command], list[int]] = {}
    reached: dict[int, int] = {}
    for place, command in enumerate(commands):
        kind = type(command)
        rank = _RANK.get(kind)
        if rank is None or not is_simple(command):
            yield from _ordered(wave)
            yield kind, [place]
            wave, reached = {}, {}
            continue
        run_no = command.parent_no if kind is Start else command.run_no  # type: ignore[attr-defined]
        if run_no is not None:
            if reached.get(run_no, 0) > rank:
                yield from _ordered(wave)
                wave, reached = {}, {}
            reached[run_no] = rank
        wave.setdefault(kind, []).append(place)
    yield from _ordered(wave)


def is_simple(command: Command) -> bool:
    """Tell whether a command concerns one row of one run only."""
    if not isinstance(command, Save):
        return True
    return command.take is None and command.watch is None and not ends_watch(command)


def ends_watch(command: Save) -> bool:
    """Tell whether a row ends a wait for another run."""
    row = command.row
    return row.kind in (EXECUTE_WORKFLOW, WAIT_FOR_WORKFLOW) and row.state in (COMPLETED, FAILED, CANCELLED)


def _ordered(wave: dict[type[Command], list[int]]) -> Iterator[Group]:
    for kind in sorted(wave, key=_RANK.__getitem__):
        yield kind, wave[kind]
