"""The benchmarks: flowgraph beside raw `sqlite3` and DBOS, in the same interleaved rounds, as a table of ratios.

    python tests/benchmarks/run.py                       # everything, three rounds: about fifteen minutes
    python tests/benchmarks/run.py --quick --rounds 1    # smaller sizes, about two minutes: do the scripts work?
    python tests/benchmarks/run.py --only W1,W3 --no-dbos --json figures.json

| work | what is measured                                                                                             |
|------|--------------------------------------------------------------------------------------------------------------|
| W1   | one run of 1,000 trivial async steps, full and relaxed; the last 1,000 steps of 10,000 over the first 1,000  |
| W2   | 1,000 concurrent runs of 3 steps, full, from the first start to the last result                              |
| W3   | `step.map` over 10,000 items, concurrency 100, full; how late a 1 ms timer on the event loop comes meanwhile |
| W4   | a run with 1,000 and 10,000 finished steps, killed with SIGKILL: time to the body of the next new step       |
| W5   | 100,000 runs put to sleep (DBOS: 1,000): how many a second, memory, CPU while idle, disk                     |
| W6   | whole processes: imports, and a script of one step                                                           |
| W7   | bytes on disk for a step with a 1 KB result                                                                  |

Every measurement is a process of its own with a fresh store; all stores lie in one folder on one disk. The rounds go
A B C A B C …, a ratio is taken within its round, and the table shows medians: the absolute figures drift with the
machine, the ratios count. On a busy machine (see the loads) the lines with CPU time say most. Nothing here asserts a
time. The exit code is 1 only if a measurement could not be made.

DBOS is installed from the package index, at a fixed version, into a virtual environment of its own (kept for the next
time). The targets are those of issue 2, for the full sizes; lines without one are there to be read.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import table
from table import Figures, Round

HERE = Path(__file__).resolve().parent
DEFAULT_FOLDER = HERE.parent.parent / ".benchmarks"
DBOS_VERSION = "3.4.0"
TIMEOUT_S = 900
WORKS = ["W1", "W2", "W3", "W4", "W5", "W6", "W7"]


class MeasurementFailed(Exception):
    """A contender's process broke; the text is the end of what it said."""


@dataclass(frozen=True)
class Sizes:
    """How much of each work is done."""

    commits: int = 3_000
    steps: int = 1_000
    long_steps: int = 10_000
    runs: int = 1_000
    items: int = 10_000
    sleeping: int = 100_000
    dbos_sleeping: int = 1_000
    idle_s: float = 10
    resumes: int = 3
    processes: int = 10


QUICK = Sizes(300, 200, 1_000, 100, 500, 2_000, 200, 2, 1, 3)


@dataclass(frozen=True)
class Job:
    """One measurement: `measure` is given an empty folder for its store."""

    work: str
    contender: str
    measure: Callable[[Path], Figures]


@dataclass(frozen=True)
class Contenders:
    """The Pythons that take part; None stays out."""

    flowgraph: str | None
    dbos: str | None


def main() -> int:
    options = parse_options()
    home: Path = options.folder.resolve()
    make_private(home)
    cache_bytecode(home / "bytecode")
    contenders = Contenders(
        flowgraph=None if options.no_flowgraph else sys.executable,
        dbos=None if options.no_dbos else dbos_python(options.venv or home / f"dbos-{DBOS_VERSION}"),
    )
    sizes = QUICK if options.quick else Sizes()
    jobs = [job for job in all_jobs(contenders, sizes) if job.work in options.only]

    print(environment(home))
    loads = [load()]
    if options.quick:
        print("--quick: the sizes are smaller than those of the targets.")
    measured, failures = run_rounds(jobs, options.rounds, home)
    loads.append(load())
    rows = table.rows(measured)
    print(f"\n{table.render(rows)}\n\nload average before and after: {loads[0]:.1f}, {loads[1]:.1f}")
    for failure in failures:
        print(f"\nnot measured: {failure}", file=sys.stderr)
    if options.json:
        report = {"environment": environment(home), "loads": loads, "rounds": measured, "table": rows}
        options.json.write_text(json.dumps(report, indent=1))
    return 1 if failures else 0


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", type=list_of_works, default=WORKS, help="a list of works such as W1,W3")
    parser.add_argument("--quick", action="store_true", help="smaller sizes")
    parser.add_argument("--no-dbos", action="store_true")
    parser.add_argument("--no-flowgraph", action="store_true")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures of every round")
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="where the stores go: on a disk, not tmpfs")
    parser.add_argument("--venv", type=Path, help="the virtual environment of DBOS (default: in the folder)")
    return parser.parse_args()


def list_of_works(text: str) -> list[str]:
    works = text.upper().split(",")
    if unknown := set(works) - set(WORKS):
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(WORKS)}")
    return works


# Rounds ---------------------------------------------------------------------------------------------------------------


def run_rounds(jobs: list[Job], rounds: int, home: Path) -> tuple[list[Round], list[str]]:
    """Do every job once a round. A job that fails is missing from its round, and said in the second answer.

    After Ctrl-C the answer is what was measured so far.
    """
    measured: list[Round] = []
    failures: list[str] = []
    try:
        for number in range(1, rounds + 1):
            measured.append({})
            for job in jobs:
                began = time.perf_counter()
                try:
                    with tempfile.TemporaryDirectory(prefix="store-", dir=home) as folder:
                        measured[-1].setdefault(job.work, {})[job.contender] = job.measure(Path(folder))
                except MeasurementFailed as error:
                    failures.append(f"{job.work} {job.contender}, round {number}: {error}")
                took = time.perf_counter() - began
                print(f"round {number}/{rounds}  {job.work}  {job.contender}: {took:.1f} s", file=sys.stderr)
    except KeyboardInterrupt:
        failures.append("the rest, which was interrupted")
    return measured, failures


def all_jobs(contenders: Contenders, sizes: Sizes) -> Iterator[Job]:
    """The measurements of one round, in their order."""

    def job(work: str, contender: str, size: int, *options: str) -> Iterator[Job]:
        python = contenders.dbos if contender == table.DBOS else contenders.flowgraph
        script = "work_dbos.py" if contender == table.DBOS else "work_flowgraph.py"
        if python is not None:
            command = [python, str(HERE / script), work, "--size", str(size), *options]
            yield Job(work, contender, partial(measure_script, command))

    def floor(work: str, kind: str, size: int) -> Iterator[Job]:
        command = [sys.executable, str(HERE / "work_floor.py"), kind, "--size", str(size)]
        yield Job(work, table.FLOOR, partial(measure_script, command))

    def resume(contender: str, script: str, python: str | None, steps: int) -> Iterator[Job]:
        if python is not None:
            command = [python, str(HERE / script)]
            yield Job("W4", contender, partial(measure_resumes, command, steps, sizes.resumes))

    relaxed, idle = ("--durability", "relaxed"), ("--idle", str(sizes.idle_s))

    yield from floor("W1", "commits", sizes.commits)
    yield from job("W1", table.FULL, sizes.steps)
    yield from job("W1", table.RELAXED, sizes.steps, *relaxed)
    yield from job("W1", table.DBOS, sizes.steps)
    yield from job("W1", table.FULL + table.LONG, sizes.long_steps)
    yield from job("W1", table.RELAXED + table.LONG, sizes.long_steps, *relaxed)

    yield from floor("W2", "commits", sizes.commits)
    yield from job("W2", table.FULL, sizes.runs)
    yield from job("W2", table.DBOS, sizes.runs)

    yield from floor("W3", "commits", sizes.commits)
    yield from job("W3", table.FULL, sizes.items)
    yield from job("W3", table.DBOS, sizes.items)

    yield from resume(table.FULL, "resume_flowgraph.py", contenders.flowgraph, sizes.steps)
    yield from resume(table.DBOS, "resume_dbos.py", contenders.dbos, sizes.steps)
    yield from resume(table.FULL + table.LONG, "resume_flowgraph.py", contenders.flowgraph, sizes.long_steps)
    yield from resume(table.DBOS + table.LONG, "resume_dbos.py", contenders.dbos, sizes.long_steps)

    yield from job("W5", table.FULL, sizes.sleeping, *idle)
    yield from job("W5", table.DBOS, sizes.dbos_sleeping, *idle)

    yield Job("W6", table.PROCESSES, partial(measure_processes, contenders, sizes.processes))

    yield from floor("W7", "disk", sizes.steps)
    yield from job("W7", table.FULL, sizes.steps)
    yield from job("W7", table.DBOS, sizes.steps)


# Measurements ---------------------------------------------------------------------------------------------------------


def measure_script(command: list[str], folder: Path) -> Figures:
    """Let a contender's script measure itself."""
    return figures_printed_by([*command, "--folder", str(folder)])


def measure_resumes(command: list[str], steps: int, times: int, folder: Path) -> Figures:
    """Make a history and kill the process; then resume it, and kill it at the same place, so many times."""
    resumes = []
    for _ in range(1 + times):
        spawn = [*command, str(folder / "history.db"), str(steps), str(time.monotonic_ns())]
        resumes.append(figures_printed_by(spawn, exit_code=-signal.SIGKILL))
    return {name: median(figures[name] for figures in resumes[1:]) for name in resumes[0]}


def measure_processes(contenders: Contenders, times: int, folder: Path) -> Figures:
    """Time whole processes, in turn; the first round fills the caches and is left out."""
    commands: dict[str, list[str]] = {"import sqlite3": [sys.executable, "-c", "import asyncio, sqlite3, json"]}
    if python := contenders.flowgraph:
        commands["import flowgraph"] = [python, "-c", "import flowgraph"]
        commands["from flowgraph import"] = [python, "-c", "from flowgraph import Runtime, step, workflow"]
        commands["flowgraph one step"] = [python, str(HERE / "one_step_flowgraph.py")]
        commands["flowgraph one step again"] = [*commands["flowgraph one step"], str(folder / "again.db")]
    if python := contenders.dbos:
        commands["import dbos"] = [python, "-c", "import dbos"]
        commands["DBOS one step"] = [python, str(HERE / "one_step_dbos.py")]

    took: dict[str, list[float]] = {name: [] for name in commands}
    for round_ in range(1 + times):
        for name, command in commands.items():
            store = [str(folder / f"{name.replace(' ', '-')}-{round_}.db")] if name.endswith("step") else []
            began = time.perf_counter()
            output_of([*command, *store])
            took[name].append(time.perf_counter() - began)
    return {name: median(seconds[1:]) for name, seconds in took.items()}


def figures_printed_by(command: list[str], exit_code: int = 0) -> Figures:
    figures: Figures = json.loads(output_of(command, exit_code).splitlines()[-1])
    return figures


def output_of(command: list[str], exit_code: int = 0) -> str:
    try:
        process = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise MeasurementFailed(f"took more than {TIMEOUT_S} s") from error
    if process.returncode != exit_code or (exit_code and not process.stdout):
        raise MeasurementFailed(f"exit code {process.returncode}\n{process.stderr[-2_000:]}")
    return process.stdout


# Surroundings ---------------------------------------------------------------------------------------------------------


def make_private(folder: Path) -> None:
    """Make the folder, unseen by git and by tools that heed its ignore files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".gitignore").write_text("*\n")


def cache_bytecode(folder: Path) -> None:
    """Let all contenders run compiled, as pip installs them; W4 and W6 would else measure the compiler."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder)


def dbos_python(venv: Path) -> str | None:
    """Install DBOS unless it is there; None, with a word on stderr, where that does not work."""
    python = venv / "bin" / "python"
    probe = f"import importlib.metadata as m; assert m.version('dbos') == '{DBOS_VERSION}'"
    try:
        if not python.exists():
            print(f"installing DBOS {DBOS_VERSION} into {venv} …", file=sys.stderr)
            subprocess.run([sys.executable, "-m", "venv", venv], check=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", f"dbos=={DBOS_VERSION}"], check=True)
        subprocess.run([python, "-c", probe], check=True)
    except (subprocess.CalledProcessError, OSError) as error:
        print(f"DBOS is left out: {error} (remove {venv} to try again)", file=sys.stderr)
        return None
    return str(python)


def environment(folder: Path) -> str:
    versions = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores"
    return f"{versions}; stores in {folder} on {file_system(folder)}"


def load() -> float:
    """How many processes wanted a core, on the average of the last minute."""
    return os.getloadavg()[0]


def file_system(folder: Path) -> str:
    """The kind of file system that the folder is on."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    above = [(len(point), kind) for _, point, kind, *_ in mounts if folder.is_relative_to(point)]
    return max(above)[1]


if __name__ == "__main__":
    sys.exit(main())
