"""``flowgraph draw``: pictures of workflows and of runs. No code of the user's is run."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import attrs

from flowgraph.cli.drawn import Drawn, asked_for
from flowgraph.cli.runs import asked
from flowgraph.cli.trouble import COMPLETED, ENDED_BADLY, INTERRUPTED, Trouble
from flowgraph.cli.wording import counted, one_line
from flowgraph.model import RunRecord
from flowgraph.model.graph import Graph
from flowgraph.model.run import FINISHED
from flowgraph.render import Overlay, View, draw, format_of, image_size, write_whole
from flowgraph.runtime import Client, store_url

_LONGEST_NAME = 80

_WATCH_S = 1.0
"""A picture that is watched is drawn again after so long."""


@attrs.frozen
class DrawCommand:
    """The options of the command, as they were given."""

    target: str | None
    output: str | None
    format_: str | None
    run_id: str | None
    store: str | None
    watch: bool
    fail_if_changed: bool
    view: View


def execute(command: DrawCommand) -> int:
    """Draw what was asked for, and say where it is."""
    if command.run_id is not None:
        return _draw_run(command, command.run_id)
    if command.target is None:
        raise Trouble("Say what to draw: file.py:workflow, module:workflow, a folder, a file of graphs, or --run ID.")
    return _watched(command, lambda: _draw_target(command, command.target or ""))


# Workflows ------------------------------------------------------------------------------------------------------------


def _draw_target(command: DrawCommand, target: str) -> int:
    asked = asked_for(target)
    output = command.output
    if output is not None and (output.endswith("/") or Path(output).is_dir()):
        return _draw_folder(command, asked.graphs if asked.name is None else [asked.only()], Path(output))
    if asked.name is None and len(asked.graphs) > 1 and output in (None, "-"):
        for one in asked.graphs:
            _show(draw(one.graph, command.format_ or "txt", command.view))
        return COMPLETED
    return _draw_one(command, asked.only().graph, None)


def _draw_one(command: DrawCommand, graph: Graph, overlay: Overlay | None) -> int:
    """Draw one graph to the file that was asked for; without one, to the terminal as text."""
    if command.output is None or command.output == "-":
        _show(draw(graph, command.format_ or "txt", command.view, overlay))
        return COMPLETED
    file = Path(command.output)
    changed = _written(command, graph, file, overlay)
    size = image_size(file)
    print(f"Drew {graph.workflow} to {file}{f' ({size})' if size else ''}.", file=sys.stderr, flush=True)
    return _code(command, [file] if changed else [])


def _written(command: DrawCommand, graph: Graph, file: Path, overlay: Overlay | None = None) -> bool:
    """Draw into a file, and tell whether that has changed it."""
    content = draw(graph, command.format_ or format_of(file), command.view, overlay)
    return _changed(file, content)


def _changed(file: Path, content: bytes) -> bool:
    try:
        if file.is_file() and file.read_bytes() == content:
            return False
        write_whole(file, content)
    except OSError as error:
        raise Trouble(f"{file} cannot be written: {error.strerror}. Give another -o.") from None
    return True


def _code(command: DrawCommand, changed: list[Path]) -> int:
    if not command.fail_if_changed or not changed:
        return COMPLETED
    names = ", ".join(str(file) for file in changed[:5])
    print(f"{counted(len(changed), 'file')} changed: {names}{', …' if len(changed) > 5 else ''}.", file=sys.stderr)
    return ENDED_BADLY


# A folder of pictures -------------------------------------------------------------------------------------------------


def _draw_folder(command: DrawCommand, found: list[Drawn], folder: Path) -> int:
    """All workflows, each in a file of its own, and a page that shows them."""
    from flowgraph.render.pages import Entry, index_page

    if not found:
        raise Trouble(f"{command.target} has no workflow. Decorate an `async def` function with @workflow.")
    format_ = command.format_ or "svg"
    files = _file_names(found, format_)
    command = attrs.evolve(command, format_=format_)
    pairs = [(one.graph, folder / name) for one, name in zip(found, files, strict=True)]
    changed: list[Path] = []
    for one, (graph, file) in zip(found, pairs, strict=True):
        view = attrs.evolve(command.view, children=_children(one, found, files))
        if _written(attrs.evolve(command, view=view), graph, file):
            changed.append(file)
    entries = [Entry(graph, file.name) for graph, file in pairs]
    index = folder / "index.html"
    if _changed(index, index_page(str(command.target), entries).encode()):
        changed.append(index)
    print(f"Drew {counted(len(found), 'workflow')} to {folder}; see {index}.", file=sys.stderr, flush=True)
    return _code(command, changed)


def _children(one: Drawn, found: list[Drawn], files: list[str]) -> dict[str, str]:
    """The pictures of child workflows, by what a workflow calls them: its own module's functions come first."""
    pairs = list(zip(found, files, strict=True))
    ordered = [pair for pair in pairs if pair[0].graph.path != one.graph.path]
    ordered += [pair for pair in pairs if pair[0].graph.path == one.graph.path]
    return {name: file for other, file in ordered for name in (other.graph.workflow, other.name)}


def _file_names(found: list[Drawn], format_: str) -> list[str]:
    """A file for each workflow, named after it, and after its module where two have one name."""
    names = [_safe(one.graph.workflow) for one in found]
    long = [
        f"{_safe(Path(one.graph.path).stem)}.{name}" if names.count(name) > 1 else name
        for one, name in zip(found, names, strict=True)
    ]
    return [
        f"{name}{f'-{long[:place].count(name) + 1}' if name in long[:place] else ''}.{format_}"
        for place, name in enumerate(long)
    ]


def _safe(name: str) -> str:
    """A name as a part of a file's name, of which file systems take 255 bytes."""
    kept = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name).strip(".-")
    return kept.encode()[:_LONGEST_NAME].decode(errors="ignore") or "workflow"


# Runs -----------------------------------------------------------------------------------------------------------------


def _draw_run(command: DrawCommand, run_id: str) -> int:
    """A run on the graph by which it was executed, from the store; without one, on that of the target."""
    url = store_url(command.store)

    def drawn() -> int:
        graph, record = asked(url, lambda client: _graph_and_record(client, run_id))
        graph = _graph_for(command, graph, record)
        code = _draw_one(command, graph, Overlay(graph, record, datetime.now(UTC)))
        return code if record.status not in FINISHED else -1 - code

    code = _watched(command, drawn)
    return code if code >= 0 else -1 - code


async def _graph_and_record(client: Client, run_id: str) -> tuple[Graph | None, RunRecord]:
    record = await (await client.get(run_id)).describe()
    return await client.graph(run_id), record


def _graph_for(command: DrawCommand, stored: Graph | None, record: RunRecord) -> Graph:
    own = None
    if command.target is not None:
        own = asked_for(command.target).only().graph
        if own.workflow != record.workflow:
            raise Trouble(
                f"Run {record.id} is of workflow {record.workflow!r}, and {command.target} is {own.workflow!r}."
            )
    if stored is not None:
        if own is not None and own.fingerprint != stored.fingerprint:
            print(
                f"Run {record.id} was executed by graph {stored.fingerprint[:7]}, which is drawn; "
                f"{command.target} has become {own.fingerprint[:7]}.",
                file=sys.stderr,
            )
        return stored
    if own is None:
        raise Trouble(
            f"The store has no graph of run {record.id}: it has not begun, or its source was not there. "
            f"Name its workflow as TARGET."
        )
    return own


# Watching -------------------------------------------------------------------------------------------------------------


def _watched(command: DrawCommand, drawn: Callable[[], int]) -> int:
    """Draw once; with ``--watch`` again and again, until Ctrl-C or, of a run, its end."""
    code = drawn()
    if not command.watch:
        return code
    try:
        while code >= 0:
            time.sleep(_WATCH_S)
            try:
                code = drawn()
            except Trouble as error:  # The file is being written, or has an error for now.
                print(f"flowgraph: {one_line(str(error))}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _show(content: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()
