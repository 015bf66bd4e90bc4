"""The command line as a whole: help, version, and what it costs to load."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from flowgraph.cli.commands import flowgraph
from tests.cli.shell import Here


def every_command(command: click.Command = flowgraph, *names: str) -> list[tuple[str, ...]]:
    below = command.commands if isinstance(command, click.Group) else {}
    return [names, *(path for name, sub in below.items() for path in every_command(sub, *names, name))]


@pytest.mark.parametrize("names", every_command())
def test_each_command_explains_itself_with_an_example(here: Here, names: tuple[str, ...]) -> None:
    done = here(*names, "--help")
    assert (done.code, done.err) == (0, "")
    example = done.out.partition("Example:")[2].splitlines()[1].strip()
    assert example.startswith(" ".join(["flowgraph", *names]))
    assert "\b" not in done.out
    assert "\\b" not in done.out


@pytest.mark.parametrize("names", [(), ("runs",)])
def test_a_group_alone_explains_itself(here: Here, names: tuple[str, ...]) -> None:
    assert here(*names).out == here(*names, "--help").out


def test_the_version(here: Here) -> None:
    from importlib.metadata import version

    assert here("--version").out == f"flowgraph {version('flowgraph')}\n"


def loaded_by(code: str) -> set[str]:
    """The names of the packages that some code loads."""
    code = f"{code}\nimport sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_the_door_and_the_help_load_little() -> None:
    assert not {"click", "rich", "attrs", "msgspec", "asyncio"} & loaded_by("import flowgraph.cli")
    helped = loaded_by("from flowgraph.cli.commands import call; call(['runs', 'list', '--help'])")
    assert "click" in helped
    assert not {"rich", "attr", "msgspec", "asyncio", "sqlite3"} & helped


def test_it_is_a_module_that_can_be_run(here: Here) -> None:
    done = subprocess.run([sys.executable, "-m", "flowgraph", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == here("--version").out
