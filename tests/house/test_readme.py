"""What the README shows happens as it says, and its commands are those that are run elsewhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from page import blocks

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"


def test_the_session_of_the_readme_is_real(tmp_path: Path) -> None:
    """The program, killed while it is processing and started twice more, prints what the README shows."""
    [program] = [block.text for block in blocks(README) if block.text.startswith("# pipeline.py\n")]
    (tmp_path / "pipeline.py").write_text(program)
    assert 25 <= len(program.splitlines()) <= 35
    command = [sys.executable, "-u", "pipeline.py"]

    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout
        first = killed.stdout.readline() + killed.stdout.readline()
        killed.kill()
    second = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    third = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    [session] = [block.text for block in blocks(README) if block.head == "text session"]
    commands, outputs = [], [""]
    for line in session.splitlines(keepends=True):
        if line.startswith("$ "):
            commands.append(line)
            outputs.append("")
        else:
            outputs[-1] += line
    assert len(commands) == 3
    assert outputs[1:] == [first, second, third]


def test_ci_runs_the_command_of_the_readme() -> None:
    """The command with which a newcomer passes the tests is the one that CI runs, word for word."""
    [command] = [block.text for block in blocks(README) if "pytest" in block.text]
    assert command.strip() in (ROOT / ".ci" / "run").read_text()
