"""``flowgraph draw``: what is drawn of a target, and where it goes."""

from __future__ import annotations

import json
import shutil
import sysconfig
from pathlib import Path

import pytest

from flowgraph import Graph
from tests.cli.shell import Here

FLOWS = """import asyncio
from flowgraph import step, workflow
raise SystemExit("nothing of this is run")

@workflow
async def order(items):
    for item in items:
        await step(f"reserve-{item}", print, item)
    await step.execute_workflow("ship", ship)

@workflow(name="shipping")
async def ship():
    await step("book", print)
"""
ONE = 'from flowgraph import step, workflow\n@workflow\nasync def one():\n    await step("a", print)\n'
PURE = shutil.which("graphviz-pure", path=sysconfig.get_path("scripts"))


@pytest.fixture(autouse=True)
def _files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files in the working folder."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("FLOWGRAPH_DOT", PURE or "dot")
    Path("flows.py").write_text(FLOWS)
    Path("pack").mkdir()
    Path("pack/__init__.py").write_text("raise SystemExit('not this either')")
    Path("pack/one.py").write_text(ONE)


@pytest.mark.parametrize(
    ("ending", "begins"),
    [
        ("svg", b"<?xml"),
        ("png", b"\x89PNG"),
        ("dot", b"digraph order"),
        ("mmd", b"---\ntitle"),
        ("txt", b"order\nflows"),
    ],
)
def test_the_name_of_the_file_says_the_format(here: Here, ending: str, begins: bytes) -> None:
    done = here("draw", "flows.py:order", "-o", f"out/x.{ending}")
    assert (done.code, done.out) == (0, "")
    assert done.sentence.startswith(f"Drew order to out/x.{ending}")
    assert Path(f"out/x.{ending}").read_bytes().startswith(begins)


def test_without_a_file_the_tree_is_shown(here: Here) -> None:
    done = here("draw", "flows.py:ship")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0] == "shipping"
    assert done.out.splitlines()[2:] == ["└─ book  print"]
    assert [line for line in here("draw", "flows.py").out.splitlines() if line in ("order", "shipping")] == [
        "order",
        "shipping",
    ]


@pytest.mark.parametrize("target", ["pack.one", "pack.one:one", "pack/one.py", "pack"])
def test_modules_and_packages_are_found_and_not_loaded(here: Here, target: str) -> None:
    done = here("draw", target)
    assert (done.code, done.out.splitlines()[0]) == (0, "one")


def test_a_file_of_graphs_does_as_well(here: Here) -> None:
    here("draw", "pack/one.py", "-o", "one.json")
    assert Graph.from_json(json.loads(Path("one.json").read_text())).workflow == "one"
    assert here("draw", "one.json").out.splitlines()[2:] == ["└─ a  print"]


def test_a_folder_of_pictures_has_a_page(here: Here) -> None:
    done = here("draw", ".", "-o", "out/")
    assert done.sentence == "Drew 3 workflows to out; see out/index.html."
    assert sorted(path.name for path in Path("out").iterdir()) == ["index.html", "one.svg", "order.svg", "shipping.svg"]
    page = Path("out/index.html").read_text()
    assert all(f'src="{name}.svg"' in page for name in ("one", "order", "shipping"))
    assert 'href="shipping.svg"' in Path("out/order.svg").read_text()


def test_a_change_can_fail(here: Here) -> None:
    command = ("draw", "pack", "-o", "out/", "--format", "mmd", "--fail-if-changed")
    first = here(*command)
    assert first.code == 1
    assert first.err.splitlines()[-1] == "2 files changed: out/one.mmd, out/index.html."
    assert here(*command).code == 0
    Path("pack/one.py").write_text(ONE.replace('"a"', '"b"'))
    assert here(*command).code == 1


def test_a_part_of_a_workflow(here: Here) -> None:
    assert "[+]" in here("draw", "flows.py:order", "--depth", "0").out
    assert "reserve" not in here("draw", "flows.py:order", "--focus", "ship", "--hops", "0").out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("", "Say what to draw: file.py:workflow, module:workflow, a folder, a file of graphs, or --run ID."),
        ("flows.py:nope", "flows.py has no workflow 'nope'. Its workflows: order, ship."),
        ("flows.py -o x.svg", "flows.py has 2 workflows: order, ship. Say which, for example flows.py:order."),
        ("none.py", "none.py cannot be read: No such file or directory."),
        ("no.such.module", "There is no module 'no.such.module' here or on the Python path."),
        ("flows.py:order -o x.pdf", "path='x.pdf': its name ends with one of .svg, .png, .dot, .mmd, .json, .txt."),
        ("flows.py:order -o /dev/null/x.svg", "/dev/null/x.svg cannot be written: File exists. Give another -o."),
        ("flows.py:order --focus x", "focus='x': the steps of 'order' are 'reserve-{item}', 'ship'."),
        ("pack/__init__.py", "pack/__init__.py has no workflow. Decorate an `async def` function with @workflow."),
        (
            "flows.py:order --link {no}",
            "link='{no}': what may stand in it is {path}, {abs}, {line}, {name}, {workflow}.",
        ),
    ],
)
def test_what_cannot_be_drawn_is_said_in_one_line(here: Here, arguments: str, sentence: str) -> None:
    done = here("draw", *arguments.split())
    assert (done.code, done.sentence) == (2, f"flowgraph: {sentence}")


RUN = """from flowgraph import step, workflow
@workflow
async def job(n: int):
    await step("a", print)
    if n > 1:
        await step("b", print)
    return n
"""


def test_a_run_is_drawn_from_the_store_alone(here: Here) -> None:
    Path("job_of_a_run.py").write_text(RUN)
    store = ("--store", "sqlite:///runs.db")
    assert here("run", "job_of_a_run.py:job", "--input", "[1]", "--run-id", "r1", *store).code == 0
    Path("job_of_a_run.py").write_text(RUN.replace('"b"', '"c"'))
    done = here("draw", "--run", "r1", *store)
    assert done.code == 0
    head, *rows = done.out.splitlines()[1:]
    assert head.endswith("run r1 · completed")
    assert [row.split("print")[0].rstrip() for row in rows] == [
        "├─ ok a", "├─ ok if n > 1", "│  └─ yes:", "│     └─    b", "└─ return",
    ]  # fmt: skip
    changed = here("draw", "job_of_a_run.py:job", "--run", "r1", *store, "-o", "r1.svg")
    assert "which is drawn; job_of_a_run.py:job has become" in changed.err.splitlines()[0]
    assert b'class="node step done"' in Path("r1.svg").read_bytes()
    watched = here("draw", "--run", "r1", "--watch", "-o", "r1.txt", *store)  # It has ended, so that is all.
    assert (watched.code, watched.sentence) == (0, "Drew job to r1.txt.")
    assert here("draw", "--run", "nope", *store).sentence.startswith("flowgraph: There is no run 'nope'")
    other = here("draw", "pack/one.py", "--run", "r1", *store)
    assert other.sentence == "flowgraph: Run r1 is of workflow 'job', and pack/one.py is 'one'."
