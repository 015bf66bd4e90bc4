"""Command lines in this process (`Here`) and in others (`Shell`), and files with workflows (`Flows`)."""

from __future__ import annotations

import itertools
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

import pytest

from flowgraph.cli.commands import call

ROOT = Path(__file__).parents[2]
WATCHDOG_S = 20.0
_numbers = itertools.count()


class Result(NamedTuple):
    """How a command ended: its exit code, stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def value(self) -> Any:
        """The JSON value on stdout."""
        return json.loads(self.out)

    @property
    def sentence(self) -> str:
        """The one line on stderr."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err
        return lines[0]


class Flows:
    """Writes files with workflows. Each has another name, since files that are loaded here stay loaded."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        monkeypatch.setattr(sys, "path", list(sys.path))

    def __call__(self, source: str, name: str | None = None) -> str:
        name = name or f"flow_{os.getpid()}_{next(_numbers)}.py"
        head = "import asyncio, os, sys, time\nfrom pathlib import Path\nfrom flowgraph import step, workflow\n"
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(head + dedent(source), encoding="utf-8")
        return name


class Here:
    """Carries out command lines in this process."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd

    def __call__(self, *arguments: str) -> Result:
        self._capfd.readouterr()
        code = call(list(arguments))
        captured = self._capfd.readouterr()
        return Result(code, captured.out, captured.err)


class Shell:
    """Carries out command lines in processes of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[Running] = []

    def __call__(self, *arguments: str, stdin: str = "", **environment: str) -> Result:
        done = subprocess.run(
            command(arguments), cwd=self._folder, env=_environment(environment), input=stdin, text=True,
            capture_output=True, timeout=WATCHDOG_S, check=False,
        )  # fmt: skip
        return Result(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str, **environment: str) -> Running:
        """Begin a command, to look at what it says while it works."""
        process = subprocess.Popen(
            command(arguments), cwd=self._folder, env=_environment(environment), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        running = Running(process)
        self._running.append(running)
        return running

    def close(self) -> None:
        for running in self._running:
            running.close()


class Running:
    """A command at work."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.err = ""

    def until(self, text: str) -> str:
        """Read stderr until it says `text`; returns all that it has said."""
        stream = self._process.stderr
        assert stream is not None
        self.err = read_until(stream.fileno(), lambda said: text in said, self.err)
        return self.err

    def signal(self, signum: int) -> None:
        self._process.send_signal(signum)

    def kill(self) -> None:
        """Kill it as a power cut would."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(WATCHDOG_S)

    def end(self) -> Result:
        """Wait until it has ended."""
        out, err = self._process.communicate(timeout=WATCHDOG_S)
        return Result(self._process.returncode, out.decode(), self.err + err.decode())

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()


def command(arguments: Sequence[str]) -> list[str]:
    """A flowgraph command line, for which warnings are errors."""
    return [sys.executable, "-W", "error", "-m", "flowgraph", *arguments]


def read_until(descriptor: int, enough: Callable[[str], bool], text: str = "") -> str:
    """Read from a descriptor until there is enough; too long a wait is a failure that shows what there is."""
    deadline_s = time.monotonic() + WATCHDOG_S
    while not enough(text):
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline_s - time.monotonic()))
        assert ready, f"nothing more came after:\n{text}"
        try:
            data = os.read(descriptor, 65_536)
        except OSError:  # A pseudo-terminal whose other end is closed.
            data = b""
        assert data, f"it ended after:\n{text}"
        text += data.decode(errors="replace")
    return text


def _environment(changes: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FLOWGRAPH", "COLUMNS", "LINES"))}
    return {**kept, "PYTHONPATH": str(ROOT), **changes}
