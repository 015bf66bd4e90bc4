"""``flowgraph lint``: options to settings, the report to where it belongs, and the exit code."""

from __future__ import annotations

import gc
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import click

from flowgraph.cli.trouble import ENDED_BADLY, TROUBLE, Trouble
from flowgraph.errors import FlowgraphError
from flowgraph.lint import DEFAULT_FOLDER, Page, Report, Settings, Sources, lint, settings_for, written

if TYPE_CHECKING:
    from flowgraph.lint.against import Against
    from flowgraph.lint.fixes import Change

STDIN = "-"
_NAMELESS = "<stdin>"
_UNHURRIED = (100_000, 20, 100)
"""Syntax trees are many objects that go all at once: to look for garbage among them as often as usual does not pay."""


@attrs.frozen
class LintCommand:
    """What a command line of `flowgraph lint` asks for; the texts in lists may hold several codes each."""

    paths: tuple[str, ...]
    output_format: str
    output_file: str | None
    select: tuple[str, ...]
    extend_select: tuple[str, ...]
    ignore: tuple[str, ...]
    exclude: tuple[str, ...]
    fix: bool
    diff: bool
    strict: bool
    cache_dir: str | None
    no_cache: bool
    stdin_filename: str | None
    against: str | None = None


def execute(command: LintCommand) -> int:
    """Carry the command out, and return the exit code."""
    gc.set_threshold(*_UNHURRIED)
    try:
        return _executed(command)
    except (Trouble, FlowgraphError, BrokenPipeError):
        raise
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
        raise Trouble(
            f"The lint broke: {what}. This is a fault of flowgraph: report it with what was checked."
        ) from error


def _executed(command: LintCommand) -> int:
    if command.fix and command.diff:
        raise Trouble("--fix changes files and --diff does not: give one of them.")
    paths, contents = _inputs(command)
    settings = _with_options(settings_for(paths), command)
    cache = _cache_folder(command, settings)

    against = None if command.against is None else against_what(command.against)

    def check(changed: Mapping[str, bytes]) -> Report:
        return lint(paths, settings, cache=cache, contents={**contents, **changed}, jobs=_cores(), against=against)

    if command.fix or command.diff:
        return _mend(command, check, Sources(contents))
    report = check({})
    _show(command, report, Sources(contents))
    return _exit_code(command, report)


def _inputs(command: LintCommand) -> tuple[tuple[str, ...], dict[str, bytes]]:
    """The paths to check, and the text of stdin under the name that it was given."""
    if STDIN not in command.paths:
        if command.stdin_filename is not None:
            raise Trouble("--stdin-filename names what is read from stdin: give - as the path.")
        return command.paths or (".",), {}
    if command.paths != (STDIN,):
        raise Trouble("- reads the one file to check from stdin: give no other path beside it.")
    name = os.path.normpath(command.stdin_filename or _NAMELESS)
    return (name,), {name: sys.stdin.buffer.read()}


def _with_options(settings: Settings, command: LintCommand) -> Settings:
    """The settings with what the command line says on top; its `--select` replaces all that the file selects."""
    select, extend_select = _codes(command.select), _codes(command.extend_select)
    ignore, exclude = _codes(command.ignore), (*settings.exclude, *_codes(command.exclude))
    if select:
        return attrs.evolve(settings, select=select, extend_select=extend_select, ignore=ignore, exclude=exclude)
    kept = tuple(code for code in settings.ignore if code not in extend_select)
    return attrs.evolve(
        settings, extend_select=(*settings.extend_select, *extend_select), ignore=(*kept, *ignore), exclude=exclude
    )


def _codes(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(code.strip() for text in texts for code in text.split(",") if code.strip())


def _cache_folder(command: LintCommand, settings: Settings) -> Path | None:
    if command.no_cache:
        return None
    return Path(command.cache_dir) if command.cache_dir else (settings.root or Path()) / DEFAULT_FOLDER


def against_what(place: str) -> Against:
    """What the code is held against: the graphs in a file, or the open runs of a store."""
    from flowgraph.cli.against import against_store
    from flowgraph.cli.graph_file import graphs_of
    from flowgraph.lint.against import against_graphs

    return against_store(place) if "://" in place else against_graphs(graphs_of(place))


def _cores() -> int:
    """How many processes can be at work at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# Telling --------------------------------------------------------------------------------------------------------------


def _show(command: LintCommand, report: Report, sources: Sources) -> None:
    """Write the report to stdout or to a file, and what broke to stderr."""
    paint = _painted if command.output_file is None and _has_colours() else None
    page = Page(report, sources) if paint is None else Page(report, sources, paint)
    text = written(command.output_format, page)
    if command.output_file is None:
        _print(text)
    else:
        _save(Path(command.output_file), text)
    for failure in report.failures:
        print(f"flowgraph: {failure}", file=sys.stderr)


def _print(text: str) -> None:
    click.echo(text, nl=False, color=True)


def _save(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Trouble(f"{file} cannot be written: {error.strerror}. Give another --output-file.") from error


def _has_colours() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _painted(text: str, style: str) -> str:
    colour = style.removeprefix("bold").strip()
    return click.style(text, fg=colour or None, bold=style.startswith("bold"))


def _exit_code(command: LintCommand, report: Report) -> int:
    if report.failures:
        return TROUBLE
    return 0 if report.passes(strict=command.strict) else ENDED_BADLY


# Mending --------------------------------------------------------------------------------------------------------------


def _mend(command: LintCommand, check: Callable[[Mapping[str, bytes]], Report], sources: Sources) -> int:
    """With ``--fix``, mend and tell what is left; with ``--diff``, tell what would change."""
    from flowgraph.cli.wording import counted
    from flowgraph.lint.fixes import mended

    result = mended(check, sources.read)
    if command.diff:
        _print("".join(change.diff() for change in result.changes))
        if result.report.failures:
            return TROUBLE
        return ENDED_BADLY if result.changes else 0
    after = Sources({**sources.contents, **{change.path: change.after for change in result.changes}})
    if STDIN in command.paths:
        [content] = (after.contents[path] for path in sources.contents)
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
        return _exit_code(command, result.report)
    for change in result.changes:
        _write(change)
    if result.changes:
        print(f"Mended {counted(result.count, 'finding')} in {counted(len(result.changes), 'file')}.", file=sys.stderr)
    _show(command, result.report, after)
    return _exit_code(command, result.report)


def _write(change: Change) -> None:
    try:
        change.write()
    except OSError as error:
        raise Trouble(f"{change.path} cannot be written: {error.strerror}. It is as it was.") from error
