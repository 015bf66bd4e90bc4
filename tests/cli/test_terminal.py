"""The live display, on a pseudo-terminal; a small emulation of one shows what a person would see."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.shell import ROOT, WATCHDOG_S, Flows, command, read_until

_escape = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])")


def screen_of(output: str) -> list[str]:
    """The lines that are left after cursor movements and deletions; what has scrolled away counts too."""
    lines, row, column, place = [""], 0, 0, 0
    while place < len(output):
        found = _escape.match(output, place)
        if found:
            place = found.end()
            count = int(found[1]) if found[1].isdigit() else 1
            if found[2] == "A":
                row = max(0, row - count)
            elif found[2] == "K":
                lines[row] = ""
            continue
        char = output[place]
        place += 1
        if char == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif char == "\r":
            column = 0
        else:
            lines[row] = lines[row].ljust(column)[:column] + char + lines[row][column + 1 :]
            column += 1
    return [line.rstrip() for line in lines]


class Terminal:
    """A command whose stdout and stderr are a terminal."""

    def __init__(self, folder: Path, arguments: list[str], columns: int, rows: int, **environment: str) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("FLOWGRAPH", "COLUMNS", "LINES"))
        }
        environment = {**kept, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "LANG": "C.UTF-8", **environment}
        self.process = subprocess.Popen(
            command(arguments), cwd=folder, env=environment, stdin=slave, stdout=slave, stderr=slave
        )
        os.close(slave)
        self.output = ""

    def until(self, enough: Callable[[list[str]], bool]) -> list[str]:
        """Read until the screen looks so."""
        self.output = read_until(self._master, lambda said: enough(screen_of(said)), self.output)
        return screen_of(self.output)

    def end(self) -> list[str]:
        """Read to the end."""
        try:
            while data := os.read(self._master, 65_536):
                self.output += data.decode()
        except OSError:  # The other end is closed.
            pass
        self.process.wait(WATCHDOG_S)
        return [line for line in screen_of(self.output) if line]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(WATCHDOG_S)
        os.close(self._master)


@pytest.fixture
def terminal(folder: Path) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def start(*arguments: str, columns: int = 80, rows: int = 24, **environment: str) -> Terminal:
        opened.append(Terminal(folder, list(arguments), columns, rows, **environment))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


VARIED = """
from flowgraph import RetryPolicy
@workflow(step_retry=RetryPolicy(initial=0.001, jitter=False))
async def varied(n: int):
    async def gate(name):
        while not Path(name).exists():
            await asyncio.sleep(0.005)
    async def work(i):
        if i == 3:
            raise ValueError("no price")
        if i == 5:
            await gate("go-item")
        return i
    async def shaky():
        print("a word from a step")
        await gate("go-shaky")
        if step.info().attempt < 3:
            raise ConnectionError("reset")
    for i in range(n):
        await step(f"chunk-{i}", work, 0)
    await step("shaky", shaky)
    await step.map("price", work, range(10), on_error="collect", max_attempts=1, concurrency=2)
    return {"chunks": n}
"""


def test_the_steps_are_a_tree_that_changes_in_place_and_stays(flows: Flows, terminal: Callable[..., Terminal]) -> None:
    screen = terminal("run", flows(VARIED), "-i", "[2]", "--run-id", "r")
    lines = screen.until(lambda lines: any(re.match(r"  ● shaky +running", line) for line in lines))
    assert lines[0] == "Run r of varied"
    assert "a word from a step" in lines
    assert re.match(r"● varied +running +━+─+ 1 of 3 steps", lines[2])
    assert re.match(r"  ✓ chunk-0 +done", lines[3])
    Path("go-shaky").touch()
    lines = screen.until(lambda lines: any(re.match(r"    ● \[5\] +running", line) for line in lines))
    price = next(line for line in lines if line.startswith("  ● price"))
    assert re.match(r"  ● price +running +━+─+ \d/10 · 1 failed", price)
    Path("go-item").touch()
    lines = screen.end()
    assert screen.process.returncode == 0
    told = [re.sub(r"(?<=\S)  +", " | ", re.sub(r"  +[\d.]+m?s$", "", line)) for line in lines]
    assert [line for line in told if line != "a word from a step"] == [
        "Run r of varied",
        "✓ varied | completed | 3 of 3 steps",
        "  ✓ chunk-0 | done",
        "  ✓ chunk-1 | done",
        "  ✓ shaky | done | 3 attempts",
        "  ✓ price | done | 10 items · 1 failed",
        "    ✗ [3] | failed | ValueError: no price",
        "{",
        '  "chunks": 2',
        "}",
    ]
    assert "\x1b[?25h" in screen.output  # The cursor is shown again.


@pytest.mark.parametrize(("columns", "rows"), [(60, 15), (30, 8)])
def test_a_small_terminal_is_not_exceeded(
    flows: Flows, terminal: Callable[..., Terminal], columns: int, rows: int
) -> None:
    Path("go-shaky").touch()
    Path("go-item").touch()
    screen = terminal("run", flows(VARIED), "-i", "[60]", columns=columns, rows=rows)
    lines = screen.end()
    assert any(re.match(r"  … \d+ finished steps", line) for line in lines)
    tree = [line for line in lines if line.startswith(("  ", "✓ varied"))]
    assert len(tree) <= rows
    assert max(map(len, tree)) <= columns


def test_without_colours_and_without_unicode_it_can_still_be_read(
    flows: Flows, terminal: Callable[..., Terminal]
) -> None:
    Path("go-shaky").touch()
    Path("go-item").touch()
    screen = terminal("run", flows(VARIED), "-i", "[1]", NO_COLOR="1", PYTHONIOENCODING="ascii")
    lines = screen.end()
    assert any(re.match(r"  \+ price +done +10 items, 1 failed", line) for line in lines), lines
    assert screen.output.isascii()
    assert not re.search(r"\x1b\[[\d;]*3[0-7]m", screen.output)


def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines(
    flows: Flows, terminal: Callable[..., Terminal]
) -> None:
    Path("go-shaky").touch()
    Path("go-item").touch()
    screen = terminal("run", flows(VARIED), "-i", "[1]", TERM="dumb")
    lines = screen.end()
    assert any(line.startswith("chunk-0: done in") for line in lines)
    assert "\x1b" not in screen.output


def test_an_interruption_leaves_the_tree_and_says_how_to_go_on(flows: Flows, terminal: Callable[..., Terminal]) -> None:
    import signal

    screen = terminal("run", flows(VARIED, "varied.py"), "-i", "[1]", "--run-id", "r")
    screen.until(lambda lines: any(re.match(r"  ● shaky +running", line) for line in lines))
    screen.process.send_signal(signal.SIGINT)
    lines = screen.end()
    assert screen.process.returncode == 130
    assert any(line.startswith("  ✓ chunk-0") for line in lines)
    assert "".join(lines[-2:]).endswith("Continue it with: flowgraph run varied.py --run-id r")


def test_a_waiting_run_says_until_when(flows: Flows, terminal: Callable[..., Terminal]) -> None:
    file = flows("@workflow\nasync def asks():\n    return await step.listen('approval', timeout='2h')\n")
    screen = terminal("run", file)
    screen.until(lambda lines: any(re.match(r"○ asks +listening +─+ 0 of 1 step · until \d", line) for line in lines))
    lines = screen_of(screen.output)
    assert any(re.match(r"  ○ approval +listening +for 'approval' until \d", line) for line in lines)


def test_runs_are_listed_and_shown_in_the_width_that_there_is(flows: Flows, terminal: Callable[..., Terminal]) -> None:
    Path("go-shaky").touch()
    Path("go-item").touch()
    file = flows(VARIED.replace("async def varied", "async def varied_with_a_name_that_is_much_longer_than_usual"))
    terminal("run", file, "-i", "[1]").end()
    lines = terminal("runs", "list", columns=60).end()
    assert max(map(len, lines)) <= 60
    found = re.match(r"(\w{26,}) +varied\w*… +completed +\d+s ago$", lines[1])
    assert found, lines
    lines = terminal("runs", "show", found[1], columns=60).end()
    assert max(len(line) for line in lines if line.startswith("  ") and "✗" not in line) <= 60
