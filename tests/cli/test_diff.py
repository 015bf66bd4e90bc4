"""``flowgraph diff``: its text, its JSON, its exit codes, and what it says to what it cannot read."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from flowgraph import Graph, compile_source
from tests.cli.shell import Here, Shell, command

HEAD = "from flowgraph import step, workflow\n"
OLD = """
    @workflow
    async def order(n, xs):
        data = await step("fetch", fetch, n)
        if n > 10:
            await step("approve", approve)
        await step("charge", charge, data)
        await step.map("notify", notify, xs)

    @workflow
    async def report():
        await step("write", write)
    """
NEW = """
    @workflow
    async def order(n, xs):
        data = await step("fetch", fetch, n)
        if n > 100:
            await step("approve", approve)
        await step("charge-card", charge, data)
        await step.map("notify", notify, xs, key=str)
        await step("thank", thank)

    @workflow
    async def report():
        await step("write", better_writer)  # Faster.
    """


@pytest.fixture(autouse=True)
def files(folder: Path) -> None:
    (folder / "old.py").write_text(HEAD + dedent(OLD))
    (folder / "new.py").write_text(HEAD + dedent(NEW))


def test_the_text_says_what_changed_and_what_it_means(here: Here) -> None:
    done = here("diff", "old.py", "new.py")
    assert (done.code, done.err) == (1, "")
    assert done.out == (
        "order: breaks runs in flight\n"
        "  ! renamed       charge → charge-card\n"
        "                  it runs again under its new name\n"
        "  ! options       notify\n"
        "                  key was not given, is str (a run that is in the middle of it does again the items "
        "that are done: they have no keys yet)\n"
        "    added         thank\n"
        "    condition     approve\n"
        "                  `if n > 10` is now `if n > 100`\n"
        "\n"
        "2 changes break runs in flight, in 1 of 2 workflows.\n"
    )


def test_a_safe_change_exits_with_0(here: Here, folder: Path) -> None:
    (folder / "more.py").write_text(HEAD + dedent(OLD) + "    await step('send', send)\n")
    done = here("diff", "old.py", "more.py")
    assert (done.code, done.err) == (0, "")
    assert done.out == ("report: safe\n    added         send\n\nSafe for runs in flight: 1 of 2 workflows changed.\n")


def test_what_did_not_change_is_told_in_one_line(here: Here) -> None:
    done = here("diff", "old.py", "old.py")
    assert (done.code, done.out) == (0, "Safe for runs in flight: none of 2 workflows changed.\n")


def test_another_way_between_the_same_steps_is_told(here: Here, folder: Path) -> None:
    for name, exit_ in (("a.py", ""), ("b.py", "    return 1\n")):
        (folder / name).write_text(f"{HEAD}@workflow\nasync def a():\n    await step('x', f)\n{exit_}")
    assert here("diff", "a.py", "b.py").out.startswith("a: safe, only the ways between its steps changed\n")


def test_workflows_that_one_side_has_are_told(here: Here, folder: Path) -> None:
    (folder / "one.py").write_text(f"{HEAD}@workflow\nasync def one():\n    await step('x', f)\n")
    done = here("diff", "old.py", "one.py")
    assert done.code == 1
    gone = "  ! removed       the workflow\n                  its open runs wait for a worker that has the workflow\n"
    assert f"order: breaks runs in flight\n{gone}" in done.out
    assert "one: safe\n    added         the workflow\n" in done.out


def test_what_is_unknown_is_told_in_the_text_and_beside_the_json(here: Here, folder: Path) -> None:
    (folder / "old.py").write_text(f"{HEAD}@workflow\nasync def a():\n    await step('x', make())\n")
    sentence = "What the {} workflow does in line 4 is unknown and not compared: the handler is what a call returns."
    done = here("diff", "old.py", "old.py")
    assert f"  ? {sentence.format('old')}\n  ? {sentence.format('new')}\n" in done.out
    told = here("diff", "old.py", "old.py", "--output-format", "json")
    assert told.err.splitlines() == [f"flowgraph: a: {sentence.format(which)}" for which in ("old", "new")]


def test_the_json_has_all_workflows_with_verdicts_and_changes(here: Here) -> None:
    done = here("diff", "old.py", "new.py", "--output-format", "json")
    assert (done.code, done.err) == (1, "")
    order, report = done.value["workflows"]
    keys = ["workflow", "verdict", "fingerprint_old", "fingerprint_new", "changes"]
    assert [list(order), list(report)] == [keys, keys]
    assert (order["workflow"], order["verdict"], report["verdict"], report["changes"]) == (
        "order",
        "breaks",
        "safe",
        [],
    )
    assert report["fingerprint_old"] == report["fingerprint_new"] != order["fingerprint_new"]
    assert order["changes"][0] == {
        "kind": "renamed",
        "path_old": "charge",
        "path_new": "charge-card",
        "breaks": True,
        "note": "it runs again under its new name",
    }
    assert {tuple(change) for change in order["changes"]} == {("kind", "path_old", "path_new", "breaks", "note")}


# What is compared -----------------------------------------------------------------------------------------------------


def graphs(text: str = OLD) -> list[Graph]:
    return compile_source(HEAD + dedent(text), "orders.py")


@pytest.mark.parametrize("form", ["list", "object"])
def test_a_file_of_graphs_is_as_good_as_the_source(here: Here, folder: Path, form: str) -> None:
    listed: Any = [{**graph.to_json(), "diagnostics": []} for graph in graphs()]
    (folder / "graphs.json").write_text(json.dumps(listed if form == "list" else {"version": 1, "graphs": listed}))
    assert here("diff", "graphs.json", "old.py").code == 0
    assert here("diff", "graphs.json", "new.py").out == here("diff", "old.py", "new.py").out


def test_a_file_of_one_graph_is_one_workflow(here: Here, folder: Path) -> None:
    (folder / "graph").write_text(json.dumps(graphs()[1].to_json(), indent=2), encoding="utf-8-sig")
    assert here("diff", "graph", "graph").out == "Safe for runs in flight: none of 1 workflow changed.\n"


def test_one_side_comes_from_stdin(shell: Shell) -> None:
    done = shell("diff", "-", "old.py", stdin=HEAD + dedent(NEW))
    assert (done.code, done.err) == (1, "")
    assert "renamed       charge-card" in done.out


def test_helpers_beside_the_file_are_followed(here: Here, folder: Path) -> None:
    (folder / "helpers.py").write_text(f"{HEAD}async def sub():\n    await step('inner', f)\n")
    for name, step in (("a.py", "p"), ("b.py", "q")):
        (folder / name).write_text(
            f"from helpers import sub\n{HEAD}@workflow\nasync def a():\n    await step('{step}', sub)\n"
        )
    assert "it runs again under its new name, with the step inside it" in here("diff", "a.py", "b.py").out


def test_names_that_a_terminal_would_obey_are_harmless(here: Here, folder: Path) -> None:
    for name, step in (("a.py", "[bold]x"), ("b.py", "y\\x1b[1m")):
        (folder / name).write_text(f"{HEAD}@workflow\nasync def a():\n    await step('{step}', f)\n")
    out = here("diff", "a.py", "b.py").out
    assert "%5Bbold%5Dx → y�%5B1m" in out


def test_without_unicode_the_arrow_is_plain(folder: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        command(["diff", "old.py", "new.py"]), cwd=folder, env=environment, capture_output=True, check=False
    )
    assert b"charge -> charge-card" in done.stdout


# Trouble --------------------------------------------------------------------------------------------------------------


GRAPH = graphs()[1].to_json()
TROUBLE: list[tuple[str, str | bytes, str]] = [
    ("bad.py", "async def f(:\n", "bad.py:1:13 is no valid Python: invalid syntax."),
    ("bad.py", "x = 1\0", "bad.py:1:1 is no valid Python: source code string cannot contain null bytes."),
    ("bad.py", b"# coding: martian\n", "bad.py is no valid Python: unknown encoding: martian."),
    ("bad.py", '{"version": 1}', "There are no workflows in bad.py, and none in empty.py."),
    (
        "bad.json",
        "{",
        "bad.json is no valid JSON: Expecting property name enclosed in double quotes at line 1, column 2.",
    ),
    ("bad.json", "", "bad.json is no valid JSON: Expecting value at line 1, column 1."),
    ("bad.json", b"[\xff]", "bad.json is no UTF-8 text (byte 1)."),
    ("bad.json", "[1]", "bad.json has something that is no graph. Name a Python file, or a file of graphs as JSON."),
    ("bad.json", "{}", "bad.json has something that is no graph. Name a Python file, or a file of graphs as JSON."),
    ("bad.json", '{"graphs": 1}', 'bad.json has no list of graphs under "graphs". Make it anew from the source.'),
    (
        "bad.json",
        '[{"version": 7}]',
        "bad.json has a graph of version 7, and this flowgraph reads version 1. Make it anew.",
    ),
    (
        "bad.json",
        '[{"version": 1}]',
        "bad.json has a graph that cannot be read: Object missing required field `workflow`.",
    ),
    (
        "bad.json",
        json.dumps({**GRAPH, "workflow": 3}),
        "bad.json has a graph that cannot be read: Expected `str`, got `int` - at `$.workflow`.",
    ),
    (
        "bad.json",
        json.dumps({**GRAPH, "nodes": [{"id": "1", "kind": "step", "name": "a", "parent": "1"}]}),
        "bad.json has a graph that cannot be read: node '1' is inside '1'.",
    ),
    (
        "bad.json",
        json.dumps({**GRAPH, "nodes": []}),
        "bad.json has a graph that cannot be read: an edge leads from '1' to '2'.",
    ),
]


@pytest.mark.parametrize(("name", "content", "sentence"), TROUBLE)
def test_what_cannot_be_compared_is_one_line(
    here: Here, folder: Path, name: str, content: str | bytes, sentence: str
) -> None:
    (folder / "empty.py").write_text("")
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    done = here("diff", name, "empty.py")
    assert (done.code, done.out, done.sentence) == (2, "", f"flowgraph: {sentence}")


def test_files_that_cannot_be_read_are_named(here: Here, folder: Path) -> None:
    (folder / "link.py").symlink_to("nowhere.py")
    assert here("diff", "old.py", "none.py").sentence == "flowgraph: none.py cannot be read: No such file or directory."
    assert here("diff", "link.py", "old.py").sentence == "flowgraph: link.py cannot be read: No such file or directory."
    assert (
        here("diff", ".", "old.py").sentence
        == "flowgraph: . is a folder. Name a Python file, or a file of graphs as JSON."
    )
    assert here("diff", "a\0b", "old.py").sentence == "flowgraph: a� b cannot be read: embedded null byte.".replace(
        "� ", "�"
    )


def test_both_sides_are_asked_for(here: Here) -> None:
    done = here("diff", "old.py")
    assert (done.code, done.sentence) == (2, "flowgraph: Missing argument 'NEW'. See: flowgraph diff --help")
