"""Other processes, for tests that need one: each says when it is ready, and does what it is told over its input."""

from __future__ import annotations

import subprocess
import sys
from types import TracebackType
from typing import Any

WRITER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=5)
print("ready", flush=True)
for line in sys.stdin:
    connection.execute(line)
    print("done", flush=True)
"""


class Process:
    """A Python process that runs `code`."""

    def __init__(self, code: str, *arguments: str, **options: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            **options,
        )

    def read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def tell(self, line: str) -> str:
        """Send a line, and return the answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.read()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.kill()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()


class Writer(Process):
    """Another process that writes to a store's file."""

    def __init__(self, url: str) -> None:
        super().__init__(WRITER, url.removeprefix("sqlite:///"))
        assert self.read() == "ready"

    def take_the_write_lock(self) -> None:
        assert self.tell("BEGIN IMMEDIATE") == "done"

    def let_go(self) -> None:
        assert self.tell("ROLLBACK") == "done"

    def write(self) -> None:
        sql = "INSERT INTO run (id, workflow, status, created_us, input) VALUES ('other', 'wf', 'paused', 1, '{}')"
        assert self.tell(sql) == "done"
