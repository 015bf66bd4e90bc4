"""The lint beside the least that it could cost, and beside other linters, on one tree of a million lines.

    python tests/benchmarks/lint.py [--rounds 3] [--quick]

The tree has 4,000 files, of which 1 % have to do with workflows (`sources.py` makes it, the same each time). The floor
is a process that imports LibCST, reads all files and parses those with workflows with it. Every contender is a process
of its own, timed from outside; the rounds go A B C A B C …, a ratio is taken within its round, and the table shows
medians. ruff, flake8 and Fixit take part where they are installed beside this Python. Nothing here asserts a time; the
targets are those of issue 3, for the full size.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import sources
import table

HERE = Path(__file__).resolve().parent
FILES, WORKFLOW_FILES = 4_000, 40
COLD_TARGET, WARM_TARGET, COMPILE_TARGET, MEMORY_TARGET = 1.5, 0.33, 3.0, 1.1
ONE_FILE_LINES = 1_000

FLOOR = """
import io, os, sys
import libcst
waiting, texts = [sys.argv[1]], []
while waiting:
    with os.scandir(waiting.pop()) as entries:
        for entry in entries:
            if entry.is_dir():
                waiting.append(entry.path)
            elif entry.name.endswith(".py"):
                text = io.FileIO(entry.path).readall()
                if b"flowgraph" in text:
                    texts.append(text)
for text in texts:
    libcst.parse_module(text)
"""

ONE_FILE = """
import ast, sys, time
from statistics import median
from flowgraph.compiler import compile_source
text = open(sys.argv[1]).read()
compile_source("from flowgraph import workflow")
parsed, compiled = [], []
for number in range(15):
    began = time.perf_counter()
    ast.parse(text)
    parsed.append(time.perf_counter() - began)
    began = time.perf_counter()
    compile_source(f"{text}# {number}\\n")
    compiled.append(time.perf_counter() - began)
print(median(parsed), median(compiled))
"""


@dataclass(frozen=True)
class Contender:
    """A command that is timed on the tree; `prepare` comes before each time, and is not."""

    name: str
    command: list[str]
    prepare: Callable[[], None] = lambda: None


@dataclass
class Measured:
    """Seconds and peak memory of each contender, one a round."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    megabytes: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, seconds: float, megabytes: float) -> None:
        self.seconds.setdefault(name, []).append(seconds)
        self.megabytes.setdefault(name, []).append(megabytes)


def main() -> int:
    options = parse_options()
    with tempfile.TemporaryDirectory(prefix="flowgraph-lint-") as folder:
        home = Path(folder)
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(home / "bytecode")  # All run compiled, as pip installs them.
        os.environ["PYTHONPATH"] = str(HERE.parents[1])
        files = FILES // 10 if options.quick else FILES
        tree, more = home / "tree", home / "more"
        made = sources.make_tree(tree, files, WORKFLOW_FILES // 10 if options.quick else WORKFLOW_FILES)
        grow(tree, more, files)
        print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores; load before {os.getloadavg()[0]:.1f}")
        print(f"{lines_in(tree):,} lines in {len(list(tree.rglob('*.py'))):,} files, {len(made)} with workflows\n")
        measured = measure(list(contenders(tree, more, home / "cache")), options.rounds)
        ratios = one_file_ratios(home, options.rounds)
    print(render(measured, ratios))
    print(f"\nload after {os.getloadavg()[0]:.1f}")
    return 0


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a tenth of the tree")
    return parser.parse_args()


def grow(tree: Path, more: Path, files: int) -> None:
    """Copy the tree, and add three times as many files without workflows."""
    shutil.copytree(tree, more)
    sources.make_tree(more / "grown", 3 * files, 0, seed=2)


def lines_in(tree: Path) -> int:
    return sum(file.read_bytes().count(b"\n") for file in tree.rglob("*.py"))


# Measuring ------------------------------------------------------------------------------------------------------------


def contenders(tree: Path, more: Path, cache: Path) -> Iterator[Contender]:
    """All that take part, in the order of a round."""
    python = [sys.executable]
    ours = [*python, "-m", "flowgraph", "lint", "--output-format", "concise"]

    def forget() -> None:
        shutil.rmtree(cache, ignore_errors=True)

    yield Contender("floor", [*python, "-c", FLOOR, str(tree)])
    yield Contender("cold", [*ours, "--cache-dir", str(cache), str(tree)], forget)
    yield Contender("warm", [*ours, "--cache-dir", str(cache), str(tree)])
    yield Contender("cold, 4 times the files", [*ours, "--no-cache", str(more)])
    scripts = Path(sysconfig.get_path("scripts"))
    others = {
        "ruff": ["check", "--no-cache", "--quiet", "--isolated", "--exit-zero"],
        "flake8": ["--isolated", "--exit-zero", "--quiet", "--jobs", "1"],
        "fixit": ["--quiet", "lint"],
    }
    for name, options in others.items():
        if (scripts / name).exists():
            yield Contender(name, [str(scripts / name), *options, str(tree)])


def measure(jobs: list[Contender], rounds: int) -> Measured:
    """Do all jobs once a round; the first round fills the caches of the machine and is left out."""
    measured = Measured()
    for number in range(rounds + 1):
        for job in jobs:
            job.prepare()
            seconds, megabytes = run(job.command)
            if number:
                measured.add(job.name, seconds, megabytes)
            print(f"round {number}/{rounds}  {job.name}: {seconds:.2f} s, {megabytes:.0f} MB", file=sys.stderr)
    return measured


def run(command: list[str]) -> tuple[float, float]:
    """The time that a process takes, and its peak memory."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if process.returncode not in (0, 1):
        raise SystemExit(f"{command[:4]} exits with {process.returncode}: {said.decode()[-500:]}")
    return took, usage.ru_maxrss / 1024


def one_file_ratios(home: Path, rounds: int) -> list[tuple[float, float]]:
    """Of one long file with one workflow: the times of `ast.parse`, and of compiling it."""
    found = []
    for number in range(rounds):
        file = home / f"one_{number}.py"
        file.write_text(sources.one_workflow_file(random.Random(number), ONE_FILE_LINES))
        done = subprocess.run([sys.executable, "-c", ONE_FILE, str(file)], capture_output=True, text=True, check=True)
        parsed, compiled = map(float, done.stdout.split())
        found.append((parsed, compiled))
    return found


# The table ------------------------------------------------------------------------------------------------------------


def render(measured: Measured, one_file: list[tuple[float, float]]) -> str:
    """All figures as a table."""
    seconds, memory = measured.seconds, measured.megabytes
    rows = [
        row("floor: read, import and parse", seconds["floor"], "s"),
        row("lint, cold", seconds["cold"], "s", seconds["floor"], "the floor", COLD_TARGET),
        row("lint, warm", seconds["warm"], "s", seconds["floor"], "the floor", WARM_TARGET),
        row("lint, cold, peak memory", memory["cold"], "MB", memory["floor"], "the floor"),
        row(
            "the same, 4 times the files", memory["cold, 4 times the files"], "MB", memory["cold"], "as above",
            MEMORY_TARGET,
        ),
        row(
            f"compile {ONE_FILE_LINES:,} lines, one workflow", [compiled * 1_000 for _, compiled in one_file], "ms",
            [parsed * 1_000 for parsed, _ in one_file], "ast.parse", COMPILE_TARGET,
        ),
    ]  # fmt: skip
    for name in ("ruff", "flake8", "fixit"):
        if name in seconds:
            rows.append(row(f"{name}, all its default rules", seconds[name], "s", seconds["floor"], "the floor"))
        else:
            rows.append([f"{name}, all its default rules", "not installed", "", "", "", ""])
    heads = ["what", "median", "against", "ratio (range of the rounds)", "target", "met"]
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads))]
    return "\n".join(table.layout(row, widths) for row in [heads, *rows])


def row(
    what: str, values: list[float], unit: str, base: list[float] | None = None, against: str = "", at_most: float = 0
) -> list[str]:
    if base is None:
        return [what, table.amount(values, unit), "", "", "", ""]
    ratios = [value / other for value, other in zip(values, base, strict=True)]
    met = ("yes" if median(ratios) <= at_most else "NO") if at_most else ""
    ratio = f"{table.amount(ratios)}x {table.spread(ratios)}".strip()
    return [what, table.amount(values, unit), against, ratio, f"≤ {at_most}" if at_most else "", met]


if __name__ == "__main__":
    sys.exit(main())
