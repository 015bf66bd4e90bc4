"""A census of the Python standard library: hundreds of real files, counted in a run that survives being killed.

Run it (it takes some seconds):

    python examples/library_census.py                  # or, with live progress:
    flowgraph run examples/library_census.py:library_census

It writes the table ``module`` into ``census.db`` and a report into ``census-report.md``.

Kill it at any moment, with Ctrl-C, ``kill -9`` or the power switch. Then start the same command again: it continues
after the last finished step. (``flowgraph run`` prints the run's id; give it back with ``--run-id``. The script makes
the id from what it is asked for, so it needs none.)

    python examples/library_census.py --limit 50       # only the first 50 modules
    python examples/library_census.py --run-id again   # a census of its own
    flowgraph runs show again                          # its steps, attempts and times
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import platform
import sqlite3
import sys
import sysconfig
import threading
import tokenize
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import flowgraph
from flowgraph import FlowgraphError, ItemFailure, RetryPolicy, step, workflow

DATABASE = "census.db"
REPORT = "census-report.md"

NOT_CODE_OF_THE_LIBRARY = {"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__"}

# A file that is no Python today is none tomorrow either: do not try again.
PARSING = RetryPolicy(give_up_on=(SyntaxError, UnicodeDecodeError))

PARSER = threading.Lock()


# What the steps return. Each result is saved, so these are counts, and never the text of a file. ----------------------


@dataclass(frozen=True)
class Library:
    """The files of one interpreter's standard library, as paths below `root`."""

    python: str
    root: str
    files: list[str]


@dataclass(frozen=True)
class Text:
    """What a file looks like as text."""

    lines: int
    blank: int
    comments: int


@dataclass(frozen=True)
class Structure:
    """What a file looks like as Python. `hardest` is its function of the greatest complexity."""

    functions: int
    classes: int
    documented: int
    complexity: int
    hardest: str
    hardest_complexity: int


@dataclass(frozen=True)
class Module:
    """One line of the census."""

    file: str
    text: Text
    structure: Structure
    imports: list[str]


@dataclass(frozen=True)
class Totals:
    """Sums over all modules."""

    modules: int
    lines: int
    functions: int
    classes: int
    documented: int


@dataclass(frozen=True)
class Summary:
    """What the report says."""

    totals: Totals
    largest: list[tuple[str, int]]
    hardest: list[tuple[str, str, int]]
    most_imported: list[tuple[str, int]]


# The workflows --------------------------------------------------------------------------------------------------------


@workflow(timeout="30m")
async def library_census(limit: int | None = None) -> str:
    """Count the standard library; returns the path of the report."""
    await step.progress("1. list the modules")
    library = await step("list-modules", list_modules, limit)

    await step.progress("2. analyse them", total=len(library.files))
    analyse = partial(analyse_module, library.root)
    found = await step.map("analyse", analyse, library.files, concurrency=8, key=str, on_error="collect")
    modules = [module for module in found if not isinstance(module, ItemFailure)]
    failures = [failure for failure in found if isinstance(failure, ItemFailure)]

    await step.progress("3. store the rows", total=len(modules))
    await step("create-table", create_table)
    await step.batch("store-rows", store_rows, modules, batch_size=50)

    await step.progress("4. summarise")
    summary = await step.execute_workflow("summary", census_summary)

    await step.progress("5. write the report")
    return await step("write-report", write_report, library.python, summary, [str(failure.key) for failure in failures])


async def analyse_module(root: str, file: str) -> Module:
    """Analyse one file: three steps, so that a kill between them repeats only the one that was at work."""
    path = str(Path(root, file))
    text = await step("read", count_lines, path)
    structure = await step("measure", measure, path, retry=PARSING)
    imports = await step("imports", find_imports, path, retry=PARSING)
    return Module(file, text, structure, imports)


@workflow
async def census_summary() -> Summary:
    """Sum the table up: a run of its own, with four queries at a time."""
    async with asyncio.TaskGroup() as queries:
        totals = queries.create_task(step("totals", query_totals))
        largest = queries.create_task(step("largest", query_largest))
        hardest = queries.create_task(step("hardest", query_hardest))
        imported = queries.create_task(step("most-imported", query_most_imported))
    return Summary(totals.result(), largest.result(), hardest.result(), imported.result())


# Reading files: plain functions, which run in threads -----------------------------------------------------------------


def list_modules(limit: int | None) -> Library:
    """All modules of the standard library, without its tests and what was installed beside it."""
    root = Path(sysconfig.get_path("stdlib"))
    files = sorted(path.relative_to(root) for path in root.rglob("*.py"))
    own = [file.as_posix() for file in files if not NOT_CODE_OF_THE_LIBRARY & set(file.parts)]
    return Library(platform.python_version(), str(root), own[:limit])


def count_lines(path: str) -> Text:
    lines = [line.strip() for line in read(path).splitlines()]
    return Text(len(lines), lines.count(""), sum(line.startswith("#") for line in lines))


def measure(path: str) -> Structure:
    tree = parse(path)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    complexities = [(complexity(function), function.name) for function in functions]
    worst, name = max(complexities, default=(0, ""))
    return Structure(
        functions=len(functions),
        classes=len(classes),
        documented=sum(ast.get_docstring(node) is not None for node in (*functions, *classes)),
        complexity=sum(found for found, _ in complexities),
        hardest=name,
        hardest_complexity=worst,
    )


def find_imports(path: str) -> list[str]:
    return sorted(set(imported_modules(parse(path))))


def parse(path: str) -> ast.Module:
    """The syntax tree of a file. Python 3.11 fails now and then if two threads build trees at a time, so one does."""
    text = read(path)
    with PARSER:
        return ast.parse(text, path)


def read(path: str) -> str:
    """The text of a source file in the encoding that the file declares."""
    with tokenize.open(path) as file:
        return file.read()


def complexity(function: ast.AST) -> int:
    """One, and one more for each place at which the function can go another way."""
    branches = (ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.Assert, ast.match_case)
    found = 1
    for node in ast.walk(function):
        if isinstance(node, branches):
            found += 1
        elif isinstance(node, ast.BoolOp):
            found += len(node.values) - 1
        elif isinstance(node, ast.comprehension):
            found += 1 + len(node.ifs)
    return found


def imported_modules(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


# The report database --------------------------------------------------------------------------------------------------

TABLE = """
    CREATE TABLE module (
        file TEXT PRIMARY KEY, lines INTEGER, blank INTEGER, comments INTEGER, functions INTEGER, classes INTEGER,
        documented INTEGER, complexity INTEGER, hardest TEXT, hardest_complexity INTEGER, imports TEXT
    )
"""


def create_table() -> None:
    """An empty table. It may be made twice, but never after the first rows: they are stored when this is committed."""
    with closing(sqlite3.connect(DATABASE)) as connection, connection:
        connection.execute("DROP TABLE IF EXISTS module")
        connection.execute(TABLE)


def store_rows(modules: list[Module]) -> int:
    """Store one batch. A kill before the checkpoint stores it again, so a row replaces that of the same file."""
    with closing(sqlite3.connect(DATABASE)) as connection, connection:
        connection.executemany("INSERT OR REPLACE INTO module VALUES (?,?,?,?,?,?,?,?,?,?,?)", map(row_of, modules))
    return len(modules)


def row_of(module: Module) -> tuple[str | int, ...]:
    text, structure = module.text, module.structure
    return (
        module.file,
        text.lines,
        text.blank,
        text.comments,
        structure.functions,
        structure.classes,
        structure.documented,
        structure.complexity,
        structure.hardest,
        structure.hardest_complexity,
        " ".join(module.imports),
    )


def query_totals() -> Totals:
    [row] = query("SELECT count(*), total(lines), total(functions), total(classes), total(documented) FROM module")
    return Totals(*map(int, row))


def query_largest() -> list[tuple[str, int]]:
    return query("SELECT file, lines FROM module ORDER BY lines DESC, file LIMIT 10")


def query_hardest() -> list[tuple[str, str, int]]:
    return query("SELECT file, hardest, hardest_complexity FROM module ORDER BY hardest_complexity DESC, file LIMIT 10")


def query_most_imported() -> list[tuple[str, int]]:
    counted = Counter(name for (names,) in query("SELECT imports FROM module ORDER BY file") for name in names.split())
    return sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))[:10]


def query(sql: str) -> list[Any]:
    with closing(sqlite3.connect(DATABASE)) as connection:
        return connection.execute(sql).fetchall()


# The report -----------------------------------------------------------------------------------------------------------


def write_report(python: str, summary: Summary, failed: list[str]) -> str:
    """Write the report beside its place and move it there, so that no one ever sees half of it."""
    unfinished = Path(f"{REPORT}.part")
    unfinished.write_text("\n".join(report_lines(python, summary, failed)) + "\n", encoding="utf-8")
    unfinished.replace(REPORT)
    return REPORT


def report_lines(python: str, summary: Summary, failed: list[str]) -> Iterator[str]:
    totals = summary.totals
    definitions = totals.functions + totals.classes
    yield f"# The standard library of Python {python}"
    yield ""
    yield f"{totals.modules:,} modules with {totals.lines:,} lines define {totals.functions:,} functions and"
    yield f"{totals.classes:,} classes; {totals.documented / max(definitions, 1):.0%} of these have a docstring."
    yield from table("The largest modules", ("module", "lines"), summary.largest)
    yield from table("The hardest functions", ("module", "function", "complexity"), summary.hardest)
    yield from table("The most imported modules", ("module", "imported by"), summary.most_imported)
    if failed:
        yield from table("Not understood", ("module",), [(file,) for file in failed])


def table(title: str, head: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> Iterator[str]:
    yield from ("", f"## {title}", "", f"| {' | '.join(head)} |", "|---" * len(head) + "|")
    yield from (f"| {' | '.join(map(str, row))} |" for row in rows)


# The script -----------------------------------------------------------------------------------------------------------


def main() -> int:
    """Start or continue the census that the command line asks for."""
    parser = argparse.ArgumentParser(description="Take a census of the standard library.")
    parser.add_argument("--limit", type=int, help="only so many modules")
    parser.add_argument("--run-id", help="the run's id; the same id continues that run")
    parser.add_argument("--store", help="the store's URL, for example sqlite:///flows.db")
    arguments = parser.parse_args()
    run_id = arguments.run_id or f"census-{platform.python_version()}-{arguments.limit or 'all'}"
    print(f"census {run_id!r}: kill it whenever you like, and start it again")
    try:
        report = flowgraph.run(library_census, limit=arguments.limit, run_id=run_id, store=arguments.store)
    except FlowgraphError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"the report is in {report}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
