"""The commands and their options. What they do is loaded when they are called, so that ``--help`` is quick."""

# ruff: noqa: D301 (click wants the character that \b stands for)

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import click

from flowgraph.cli.trouble import INTERRUPTED, TROUBLE, Trouble

_STORE_HELP = "The store's URL. Default: FLOWGRAPH_STORE, then [tool.flowgraph] store, then .flowgraph/flowgraph.db."
_STATUSES = [
    "pending", "running", "sleeping", "listening", "waiting", "paused",
    "completed", "failed", "aborted", "cancelled", "timed_out",
]  # fmt: skip
_PICTURES = ["svg", "png", "dot", "mmd", "json", "txt"]
_FORMATS = ["full", "concise", "json", "github", "gitlab", "sarif", "junit"]


def call(arguments: list[str] | None = None) -> int:
    """Carry out a command line (None: this process's), and return the exit code."""
    try:
        code = flowgraph.main(arguments, prog_name="flowgraph", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        return _say_usage(error)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # So that closing stdout does not complain.
        return TROUBLE
    except Exception as error:  # noqa: BLE001 (`_sentence` raises what is not the user's mistake again)
        return _say(_sentence(error))
    return code if isinstance(code, int) else 0


def _sentence(error: Exception) -> str:
    """An error of the user's, in one line; an error of ours is raised again."""
    from flowgraph.cli.wording import one_line
    from flowgraph.errors import FlowgraphError

    if isinstance(error, Trouble | FlowgraphError):
        return one_line(str(error), 1_000)
    raise error


def _say_usage(error: click.ClickException) -> int:
    from flowgraph.cli.wording import one_line

    context = getattr(error, "ctx", None)
    hint = f" See: {context.command_path} --help" if context is not None else ""
    return _say(f"{one_line(error.format_message(), 1_000)}{hint}")


def _say(sentence: str) -> int:
    print(f"flowgraph: {sentence}", file=sys.stderr, flush=True)
    return TROUBLE


def _help_unless_called(context: click.Context) -> None:
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def _store_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--store", metavar="URL", help=_STORE_HELP)(command)


def _json_option(text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option("--json", "as_json", is_flag=True, help=text)


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="flowgraph", message="%(prog)s %(version)s")
@click.pass_context
def flowgraph(context: click.Context) -> None:
    """Run durable workflows, and look at their runs.

    \b
    Example:
      flowgraph run pipeline.py:data_pipeline --input '{"source": "https://example.org"}'
    """
    _help_unless_called(context)


@flowgraph.command()
@click.argument("target")
@click.option(
    "--input", "-i", "input_", metavar="JSON", help="The arguments: an object gives keyword arguments, an array "
    "positional ones, anything else is one argument. @FILE reads a file, - reads stdin.",
)  # fmt: skip
@click.option("--run-id", metavar="ID", help="The run's id. A run of this id that exists goes on, and needs no input.")
@_store_option
@click.option("--tag", "tags", metavar="NAME=VALUE", multiple=True, help="A tag, by which `runs list` finds the run.")
@click.option(
    "--durability", type=click.Choice(["full", "relaxed"]), default="full", show_default=True,
    help="Whether each checkpoint is synced to disk; relaxed ones survive a killed process, but not a power cut.",
)  # fmt: skip
@_json_option("Print the run's record instead of its result, however it ends.")
def run(
    target: str,
    input_: str | None,
    run_id: str | None,
    store: str | None,
    tags: tuple[str, ...],
    durability: Any,
    as_json: bool,
) -> int:
    """Run the workflow TARGET, which is file.py:workflow or module:workflow.

    The result is printed as JSON on stdout, everything else on stderr. A run that was interrupted goes on from its
    last finished step when it is run again with the same --run-id. A file that has one workflow needs no name.

    \b
    Exit codes: 0 completed; 1 failed, aborted, cancelled or timed out; 2 could not be run; 130 interrupted.

    \b
    Example:
      flowgraph run pipeline.py:data_pipeline --input '{"source": "https://example.org"}' --run-id monday
    """
    from flowgraph.cli.inputs import tags_of
    from flowgraph.cli.run import RunCommand, execute

    return execute(RunCommand(target, input_, run_id, store, tags_of(tags), durability, as_json))


@flowgraph.command()
@click.argument("paths", nargs=-1)
@click.option(
    "--output-format", type=click.Choice(_FORMATS), default="full", show_default=True, help="How findings are told.",
)  # fmt: skip
@click.option("--output-file", metavar="FILE", help="Write the report to a file instead of stdout.")
@click.option(
    "--select", metavar="CODES", multiple=True, help="Check only these: codes, beginnings of codes, or names."
)
@click.option("--extend-select", metavar="CODES", multiple=True, help="Check these as well.")
@click.option("--ignore", metavar="CODES", multiple=True, help="Do not check these.")
@click.option("--exclude", metavar="PATTERNS", multiple=True, help="Do not look at files and folders that match.")
@click.option("--fix", is_flag=True, help="Mend what can be mended safely.")
@click.option("--diff", is_flag=True, help="Show what --fix would change, and change nothing.")
@click.option("--strict", is_flag=True, help="Let warnings count, as errors do.")
@click.option(
    "--against", metavar="GRAPHS|STORE", help="Find what would harm runs: a file of graphs, or the URL of a store."
)
@click.option("--cache-dir", metavar="DIR", help="Where results are kept. Default: .flowgraph/cache/lint.")
@click.option("--no-cache", is_flag=True, help="Keep no results, and use none.")
@click.option("--stdin-filename", metavar="NAME", help="The name of the file that - reads from stdin.")
def lint(**options: Any) -> int:
    """Check the workflows in PATHS, files and folders, without running them. The working folder is the default.

    What is checked is set in [tool.flowgraph.lint] of pyproject.toml; the options come first. CODES and PATTERNS may be
    several, with commas between them.

    \b
    Exit codes: 0 nothing that counts was found; 1 there are errors; 2 it could not be done.

    \b
    Example:
      flowgraph lint orders/ --extend-select FG307 --output-format concise
    """
    from flowgraph.cli.lint import LintCommand, execute

    return execute(LintCommand(**options))


@flowgraph.command()
@click.argument("target", required=False)
@click.option(
    "--output", "-o", metavar="FILE", help="The picture: .svg, .png, .dot, .mmd (Mermaid), .json, .txt; or a folder/. "
    "Without it, a text tree is printed.",
)  # fmt: skip
@click.option("--format", "format_", type=click.Choice(_PICTURES), help="The format, where the file's name says none.")
@click.option("--run", "run_id", metavar="ID", help="Draw how far a run has come, on its graph.")
@_store_option
@click.option("--watch", is_flag=True, help="Draw again every second, until the run ends or Ctrl-C.")
@click.option("--fail-if-changed", is_flag=True, help="Exit with 1 if a file is not what it was: for CI and hooks.")
@click.option("--depth", type=click.IntRange(0), metavar="N", help="Close what is inside more than N frames.")
@click.option("--focus", metavar="STEP", help="Show only what is near a step.")
@click.option("--hops", type=click.IntRange(0), default=2, show_default=True, metavar="N", help="How near.")
@click.option("--data", is_flag=True, help="Show which step's result goes to which.")
@click.option("--legend", is_flag=True, help="Explain what is drawn.")
@click.option(
    "--link", metavar="TEMPLATE", default="", help="Where steps lead to, for example vscode://file/{abs}:{line}."
)
@click.option(
    "--theme", type=click.Choice(["auto", "light", "dark"]), default="auto", show_default=True,
    help="auto: an SVG follows the reader's setting.",
)  # fmt: skip
def draw(
    target: str | None, output: str | None, format_: str | None, run_id: str | None, store: str | None, watch: bool,
    fail_if_changed: bool, **view: Any,
) -> int:  # fmt: skip
    """Draw the workflow TARGET: file.py:workflow or module:workflow, or all of a file, a package or a folder.

    The source is read and not run. A file of graphs (see build) does as well, and with --run nothing but the store.

    \b
    Exit codes: 0 drawn; 1 a file has changed, with --fail-if-changed; 2 could not be drawn; 130 interrupted.

    \b
    Example:
      flowgraph draw pipeline.py:data_pipeline -o pipeline.svg
    """
    from flowgraph.cli.draw import DrawCommand, execute
    from flowgraph.render import View

    return execute(DrawCommand(target, output, format_, run_id, store, watch, fail_if_changed, View(**view)))


@flowgraph.command()
@click.argument("rule", required=False)
@click.option("--all", "is_for_all", is_flag=True, help="Explain all rules, one after the other.")
@_json_option("Print a JSON object; a JSON array for all rules.")
def rule(rule: str | None, is_for_all: bool, as_json: bool) -> int:
    """Explain the RULE of a code or a name: what it does, why that is bad, and what to use instead.

    Without a rule, all of them are listed.

    \b
    Example:
      flowgraph rule duplicate-step-name
    """
    from flowgraph.cli.rule import explain

    return explain(rule, is_for_all=is_for_all, as_json=as_json)


@flowgraph.command()
@click.argument("old")
@click.argument("new")
@click.option(
    "--output-format", type=click.Choice(["full", "json"]), default="full", show_default=True,
    help="Text for people, or one JSON object.",
)  # fmt: skip
def diff(old: str, new: str, output_format: str) -> int:
    """Say what the change from OLD to NEW means for runs in flight.

    OLD and NEW are Python files, or files of graphs as JSON; - reads one of them from stdin. Nothing of them is run.

    \b
    Exit codes: 0 safe; 1 the change breaks runs in flight; 2 could not be compared.

    \b
    Example:
      flowgraph diff old.py orders.py
    """
    from flowgraph.cli.diff import compare

    return compare(old, new, output_format)


@flowgraph.command()
@click.argument("target", nargs=-1, required=True)
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    default="flowgraph-graphs.json",
    show_default=True,
    help="The file to write; - for stdout.",
)
@_json_option("Print what was built as a JSON object.")
def build(target: tuple[str, ...], output: str, as_json: bool) -> int:
    """Compile the graphs of workflows into a file, for deployments without source.

    TARGET is file.py or module, with :workflow for one of its workflows. A worker finds the file through
    FLOWGRAPH_GRAPHS or [tool.flowgraph] graphs, or, by its default name, beside the workflow's module. It is made with
    the Python that the worker has, from the code that the worker has.

    \b
    Exit codes: 0 built; 1 built, and a graph has errors; 2 could not be built.

    \b
    Example:
      flowgraph build shop.flows shop.reports -o build/flowgraph-graphs.json
    """
    from flowgraph.cli.build import build as build_file

    return build_file(target, output, as_json=as_json)


@flowgraph.group(invoke_without_command=True)
@click.pass_context
def runs(context: click.Context) -> None:
    """Look at the runs of a store, send to them, cancel them.

    \b
    Example:
      flowgraph runs list --status failed --since 1d
    """
    _help_unless_called(context)


@runs.command("list")
@click.option("--workflow", metavar="NAME", help="Only runs of this workflow.")
@click.option("--status", type=click.Choice(_STATUSES), metavar="STATUS", help=f"One of {', '.join(_STATUSES)}.")
@click.option("--since", metavar="WHEN", help="Only runs started since then: 2030-01-31T09:00, or 2h for 2 hours ago.")
@click.option("--until", metavar="WHEN", help="Only runs started before.")
@click.option("--tag", "tags", metavar="NAME=VALUE", multiple=True, help="Only runs with this tag; may be repeated.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many.")
@click.option("--after", metavar="ID", help="Only runs that come after this one in the list: the next page.")
@_store_option
@_json_option("Print a JSON array of the runs' records.")
def list_(**options: Any) -> int:
    """List runs, newest first.

    \b
    Example:
      flowgraph runs list --workflow data-pipeline --status failed --since 1d
    """
    from flowgraph.cli.runs import list_runs

    return list_runs(**options)


@runs.command()
@click.argument("run_id", metavar="ID")
@click.option("--tracebacks", is_flag=True, help="Print the tracebacks of failed attempts, too.")
@_store_option
@_json_option("Print the run's whole record as a JSON object.")
def show(run_id: str, tracebacks: bool, store: str | None, as_json: bool) -> int:
    """Show one run: its steps, attempts and errors, and what it waits for.

    \b
    Example:
      flowgraph runs show monday --tracebacks
    """
    from flowgraph.cli.runs import show_run

    return show_run(run_id, store, tracebacks=tracebacks, as_json=as_json)


@runs.command()
@click.argument("run_id", metavar="ID")
@click.argument("event")
@click.argument("payload", metavar="[JSON]", required=False)
@click.option("--id", "send_id", metavar="ID", help="The same id is delivered once, however often it is sent.")
@_store_option
def send(run_id: str, event: str, payload: str | None, send_id: str | None, store: str | None) -> int:
    """Send the event EVENT to a run, with a payload of JSON, @FILE, or - for stdin.

    \b
    Example:
      flowgraph runs send monday approval '{"by": "anna"}'
    """
    from flowgraph.cli.runs import send_event

    return send_event(run_id, event, payload, send_id, store)


@runs.command()
@click.argument("run_id", metavar="ID")
@_store_option
def cancel(run_id: str, store: str | None) -> int:
    """Cancel a run, and its child runs.

    \b
    Example:
      flowgraph runs cancel monday
    """
    from flowgraph.cli.runs import cancel_run

    return cancel_run(run_id, store)
