"""The documentation is true as far as a machine can tell: its blocks run, and it names all that is public."""

from __future__ import annotations

import inspect
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import figures
import pytest
from page import blocks

import flowgraph
import flowgraph.testing
from flowgraph import errors
from flowgraph.cli.commands import flowgraph as command_line
from flowgraph.dsl import RESERVED, StepOptionsDict, step
from flowgraph.model import RunStatus
from flowgraph.stores import open_store

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def text_of(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


WITH_PYTHON = [page for page in PAGES if any(block.head == "python" for block in blocks(page))]


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_blocks_run(page: Path, tmp_path: Path) -> None:
    """Each page's Python runs from its top to its end, and prints what the page says."""
    command = [sys.executable, "-W", "error", ROOT / "tests/house/page.py", page]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_blocks_say_what_they_are(page: Path) -> None:
    """A block is headed by one of a few words, so that none escapes the test above by a slip."""
    known = {"python", "python no-run", "text", "text output", "text session", "sql", "mermaid", "toml", "yaml"}
    assert {block.head for block in blocks(page)} <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """Links to files of the repository lead to files, and to headings that are there."""
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text(encoding="utf-8")):
        file, _, heading = target.partition("#")
        found = (page.parent / file).resolve() if file else page
        assert found.exists(), target
        if heading:
            assert heading in {anchor(line) for line in found.read_text(encoding="utf-8").splitlines()}, target


def anchor(line: str) -> str:
    return re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")


@pytest.mark.parametrize("name", flowgraph.__all__)
def test_public_names_are_named(name: str) -> None:
    """The reference names every public name."""
    reference = "".join(path.read_text(encoding="utf-8") for path in (DOCS / "reference").glob("*.md"))
    assert re.search(rf"`[^`\n]*\b{re.escape(name)}\b[^`\n]*`", reference)


@pytest.mark.parametrize("name", flowgraph.testing.__all__)
def test_names_of_testing_are_named(name: str) -> None:
    """The page on testing names every helper."""
    assert f"`{name}" in text_of("howto/testing.md")


@pytest.mark.parametrize("member", [name for name in dir(step) if not name.startswith("_")])
def test_members_of_step_have_a_heading(member: str) -> None:
    """The reference of the language has a heading for every member of `step`, with its parameters."""
    heading = re.search(rf"^### `step\.{member}\((.*)\)`$", text_of("reference/language.md"), re.MULTILINE)
    assert heading
    section = text_of("reference/language.md").partition(heading[0])[2].partition("\n### ")[0]
    signature = inspect.signature(getattr(step, member))
    missing = [name for name in signature.parameters if not re.search(rf"\b{name}\b", heading[1] + section)]
    assert missing == []


@pytest.mark.parametrize("option", [*StepOptionsDict.__annotations__, *sorted(RESERVED)])
def test_options_are_named(option: str) -> None:
    """The reference of the language names every option of a step, and what no parameter may be called."""
    assert f"`{option}`" in text_of("reference/language.md")


@pytest.mark.parametrize("parameter", list(inspect.signature(flowgraph.Runtime).parameters))
def test_options_of_the_runtime_are_named(parameter: str) -> None:
    """The reference of the runtime names every option."""
    assert f"| `{parameter}` |" in text_of("reference/runtime.md")


@pytest.mark.parametrize("parameter", list(inspect.signature(flowgraph.RetryPolicy).parameters))
def test_arguments_of_a_retry_policy_are_named(parameter: str) -> None:
    """The reference of the language names every argument of a retry policy."""
    assert f"| `{parameter}` |" in text_of("reference/language.md")


@pytest.mark.parametrize(
    "record", ["RunRecord", "StepRecord", "AttemptRecord", "ErrorRecord", "WaitRecord", "StepInfo"]
)
def test_fields_of_records_are_named(record: str) -> None:
    """The reference names every field of what `describe`, `list` and `info` return."""
    text = text_of("reference/runtime.md") + text_of("reference/language.md")
    section = text.partition(f"`{record}`")[2]
    fields = getattr(flowgraph, record).__match_args__
    assert [field for field in fields if f"`{field}`" not in section] == []


def error_classes() -> list[type[BaseException]]:
    return [
        value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, errors.FlowgraphError)
    ]


@pytest.mark.parametrize("cls", error_classes(), ids=lambda cls: cls.__name__)
def test_errors_are_named_with_their_attributes(cls: type[BaseException]) -> None:
    """The reference names every error, and each attribute that its constructor sets."""
    text = text_of("reference/errors.md")
    assert f"`{cls.__name__}" in text
    if "__init__" in vars(cls):
        lines = "\n".join(line for line in text.splitlines() if f"`{cls.__name__}" in line)
        parameters = [name for name in inspect.signature(cls).parameters if name not in {"args", "kwargs"}]
        assert [name for name in parameters if not re.search(rf"\b{name}\b", lines)] == []


def test_statuses_are_those_of_the_table() -> None:
    """The figure and the table of transitions are made from the model; `python tests/house/figures.py` writes them."""
    found = figures.MARKED.search(text_of("reference/statuses.md"))
    assert found is not None
    assert found.group() == figures.transitions()


@pytest.mark.parametrize("status", list(RunStatus))
def test_statuses_are_explained(status: RunStatus) -> None:
    """Each status has a line that says what it means."""
    assert f"| `{status}` |" in text_of("reference/statuses.md")


def test_tables_and_columns_are_named(tmp_path: Path) -> None:
    """The reference of the store names every table, and every column under its table."""
    store = open_store(f"sqlite:///{tmp_path}/flows.db")
    store.open()
    store.close()
    connection = sqlite3.connect(tmp_path / "flows.db")
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    text = text_of("reference/store.md")
    for table in tables:
        if table.startswith("sqlite_"):
            continue
        section = text.partition(f"## `{table}`")[2].partition("\n## ")[0]
        assert section, table
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        assert [column for column in columns if f"`{column}`" not in section] == [], table
    connection.close()


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for child_name, child in command.commands.items():
            yield from commands(child, f"{name} {child_name}")


@pytest.mark.parametrize(("name", "command"), list(commands(command_line, "flowgraph")))
def test_commands_and_options_are_named(name: str, command: click.Command) -> None:
    """The reference of the command line has a heading for every command, and under it every option and argument."""
    text = text_of("reference/cli.md")
    heading = re.search(rf"^(#+) `{name}\b[^`]*`$", text, re.MULTILINE)
    if name == "flowgraph":
        section = text.partition("\n## ")[0]
    else:
        assert heading
        section = re.split(rf"^#{{2,{len(heading[1])}}} ", text[heading.end() :], maxsplit=1, flags=re.MULTILINE)[0]
        section = heading[0] + section
    for parameter in command.params:
        names = [parameter.human_readable_name.strip("[]")] if isinstance(parameter, click.Argument) else parameter.opts
        for option in names:
            assert re.search(rf"(?<![\w-]){re.escape(option)}\b", section), option
