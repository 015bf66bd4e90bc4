"""The house stands as it was drawn: imports run downward, and importing it costs little."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

HEAVY = ["libcst", "networkx", "graphviz", "click", "rich", "psycopg"]


def test_imports_run_downward() -> None:
    """The contracts in pyproject.toml hold, lazy imports included."""
    command = Path(sysconfig.get_path("scripts")) / "lint-imports"
    done = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "statement",
    [
        "import flowgraph",
        "from flowgraph import Runtime, step, workflow",
        "from flowgraph import *",
        "import flowgraph.testing",
    ],
)
def test_imports_load_nothing_heavy(statement: str) -> None:
    """What only the compiler, the drawing and the command line need is not loaded by a program that runs workflows."""
    loaded = modules_after(statement)
    assert [name for name in HEAVY if name in loaded] == []


def test_a_run_loads_nothing_heavy(tmp_path: Path) -> None:
    """Nor is it loaded by running one."""
    program = (
        "import flowgraph\n"
        "@flowgraph.workflow\n"
        "async def one() -> int:\n"
        "    return await flowgraph.step('one', lambda: 1)\n"
        f"assert flowgraph.run(one, store='sqlite:///{tmp_path}/flows.db') == 1"
    )
    loaded = modules_after(program)
    assert [name for name in HEAVY if name in loaded] == []


def modules_after(program: str) -> set[str]:
    listing = f"{program}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())
