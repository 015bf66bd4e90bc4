"""What the cases of the rules about replay and about the project cannot show: several files, settings, and fixes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flowgraph.compiler import Project, Unit
from flowgraph.lint.module import Module
from flowgraph.lint.rule import PRELUDE, ProjectRule, Rule, source_of
from flowgraph.lint.rules import all_rules
from flowgraph.lint.settings import Settings
from flowgraph.model.diagnostic import Diagnostic

RULES = {rule.code: rule for rule in all_rules()}


def module(file: Path, settings: Settings | None = None) -> Module:
    return Module(Unit(file.read_text(encoding="utf-8"), str(file), Project()), settings or Settings())


def written(folder: Path, **files: str) -> list[Path]:
    paths = []
    for name, text in files.items():
        path = folder.joinpath(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source_of(text), encoding="utf-8")
        paths.append(path)
    return paths


def found(code: str, file: Path, settings: Settings | None = None) -> list[Diagnostic]:
    return list(RULES[code].check(module(file, settings)))


def concluded(code: str, files: list[Path]) -> list[Diagnostic]:
    rule = RULES[code]
    assert isinstance(rule, ProjectRule)
    facts: dict[str, Any] = {str(file): rule.facts(module(file)) for file in files}
    return list(rule.conclude({path: fact for path, fact in facts.items() if fact}))


def fixed(rule: Rule, text: str) -> str:
    """The text after all fixes, which do not overlap, from the last to the first."""
    lines = text.split("\n")
    offered = [
        one.fix for one in rule.check(Module(Unit(text, "case.py", Project()), Settings())) if one.fix is not None
    ]
    edits = [edit for fix in offered for edit in fix.edits]
    for edit in sorted(edits, key=lambda one: (one.line, one.column), reverse=True):
        assert edit.line == edit.end_line, "no fix of these rules goes over several lines"
        line = lines[edit.line - 1]
        lines[edit.line - 1] = line[: edit.column - 1] + edit.text + line[edit.end_column - 1 :]
    return "\n".join(lines).removeprefix(PRELUDE)


CLOCK = """
import time

def soon() -> float:
    return time.time() + 5

def saved() -> None:
    open("x")
"""

FLOW = """
from {place} import soon, saved

@workflow
async def flow() -> None:
    soon()
    saved()
"""


@pytest.mark.parametrize("place", ["clock", ".clock"])
def test_what_a_helper_of_another_file_does_is_found_there_with_the_call_that_leads_to_it(
    tmp_path: Path, place: str
) -> None:
    clock, flow = written(tmp_path, clock=CLOCK, flow=FLOW.format(place=place))
    [at_time] = found("FG401", flow)
    [at_open] = found("FG402", flow)
    assert [(Path(one.path), one.line) for one in (at_time, at_open)] == [(clock, 9), (clock, 12)]
    assert [(one.path, one.line, one.message) for one in at_time.related] == [(str(flow), 10, "called here: soon()")]
    assert at_time.workflow == at_open.workflow == "flow"


def test_the_chain_of_calls_is_told_from_the_workflow_inwards() -> None:
    text = source_of("""
        import random

        def outer() -> float:
            return inner()

        def inner() -> float:
            return random.random()

        @workflow
        async def flow() -> None:
            outer()
    """)
    [one] = RULES["FG401"].check(Module(Unit(text, "case.py", Project()), Settings()))
    assert [(other.line, other.message) for other in one.related] == [
        (16, "called here: outer()"),
        (9, "called here: inner()"),
    ]
    assert one.message == (
        "random.random() in the body of workflow 'flow', through inner(), differs when the run is replayed"
    )
    assert one.help == 'Ask for it in a step, whose result is saved: `await step("random", random.random)`.'


@pytest.mark.parametrize(
    ("extend_io", "lines"),
    [
        ((), []),
        (("acme.api",), [11, 12]),
        (("acme.api.fetch",), [11]),
        (("acme.api.Client",), [12]),
        (("acme.ap",), []),
        (("store.rows", "elsewhere.rows"), [13]),
        (("rows",), []),
        (("acme", "store"), [11, 12, 13]),
    ],
)
def test_settings_name_further_modules_and_functions_that_reach_outside(
    tmp_path: Path, extend_io: tuple[str, ...], lines: list[int]
) -> None:
    _, flow = written(
        tmp_path,
        store="def rows() -> list[str]: ...",
        flow="""
        from acme.api import Client, fetch
        from store import rows

        @workflow
        async def flow() -> None:
            fetch("x")
            Client().send("x")
            rows()
        """,
    )
    assert [one.line for one in found("FG402", flow, Settings(extend_io=extend_io))] == lines


def test_a_sleep_of_the_thread_is_told_how_to_sleep() -> None:
    text = source_of("""
        import time

        @workflow
        async def flow(seconds: float) -> None:
            time.sleep(2 * seconds)
    """)
    [one] = RULES["FG402"].check(Module(Unit(text, "case.py", Project()), Settings()))
    assert one.help == 'Wait with `await step.sleep("…", 2 * seconds)`, which is saved and blocks nothing.'


def test_two_files_with_one_workflow_name_are_reported_at_the_second(tmp_path: Path) -> None:
    files = written(
        tmp_path,
        a="@workflow\nasync def pipeline() -> None: ...",
        b='@workflow(name="pipeline")\nasync def other() -> None: ...',
        c="@workflow\nasync def third() -> None: ...",
    )
    [one] = concluded("FG601", files[::-1])
    assert (Path(one.path), one.line, one.column, one.end_column) == (files[1], 7, 1, 16)
    assert one.message == f"workflow 'pipeline' has the name of the one at {files[0]}:7"
    assert one.help == 'Give one of them another name, for example @workflow(name="other").'
    assert [(Path(other.path), other.line) for other in one.related] == [(files[0], 7)]


@pytest.mark.parametrize("name", ["tests__a", "test_a", "a_test", "conftest", "package__test__b"])
def test_workflows_of_tests_may_have_any_name(tmp_path: Path, name: str) -> None:
    flow = "@workflow\nasync def flow() -> None: ..."
    assert concluded("FG601", written(tmp_path, flow=flow, **{name: flow})) == []


def test_a_cycle_through_files_is_reported_at_the_call_that_closes_it(tmp_path: Path) -> None:
    files = written(
        tmp_path,
        first="""
        from second import pay

        @workflow
        async def bill() -> None:
            await step.execute_workflow("pay", pay)
        """,
        second="""
        @workflow(name="pay-all")
        async def pay() -> None:
            await step.start_workflow("bill", "bill")
        """,
    )
    [one] = concluded("FG602", files)
    assert (Path(one.path), one.line, one.workflow, one.step) == (files[1], 8, "pay-all", "bill")
    assert one.message == "workflow 'bill' starts itself: bill → pay-all → bill"
    assert [(Path(other.path), other.line, other.message) for other in one.related] == [
        (files[0], 10, "'bill' starts 'pay-all'")
    ]


def test_a_name_that_two_workflows_have_closes_no_cycle(tmp_path: Path) -> None:
    child = '@workflow\nasync def {}() -> None:\n    await step.execute_workflow("x", "{}")'
    files = written(tmp_path, a=child.format("one", "two"), b=child.format("two", "one"), c=child.format("one", "x"))
    assert concluded("FG602", files) == []


def test_the_fix_of_swallowed_control_flow_leaves_comments_and_all_else_alone() -> None:
    text = source_of("""
        import builtins

        @workflow
        async def flow() -> None:
            try:
                await step("a", work)
            except :  # why not
                pass
            try:
                await step("ä", work)
            except  builtins.BaseException  as error:  # all
                print(error)
            try:
                await step("c", work)
            except (ValueError, BaseException):
                pass
    """)
    assert fixed(RULES["FG303"], text) == source_of("""
        import builtins

        @workflow
        async def flow() -> None:
            try:
                await step("a", work)
            except Exception :  # why not
                pass
            try:
                await step("ä", work)
            except  Exception  as error:  # all
                print(error)
            try:
                await step("c", work)
            except (ValueError, BaseException):
                pass
    """).removeprefix(PRELUDE)


def test_the_fix_of_unordered_iteration_sorts_what_surely_can_be_sorted() -> None:
    text = source_of("""
        @workflow
        async def flow(tags: set[str], things: set[object]) -> None:
            for tag in tags:  # all
                await step(f"a-{tag}", work)
            for thing in things:
                await step(f"b-{thing}", work)
            await step.map("c", work, {"ü", "x"})
            await step.map("d", work, {"x", 1})
    """)
    assert fixed(RULES["FG404"], text) == source_of("""
        @workflow
        async def flow(tags: set[str], things: set[object]) -> None:
            for tag in sorted(tags):  # all
                await step(f"a-{tag}", work)
            for thing in things:
                await step(f"b-{thing}", work)
            await step.map("c", work, sorted({"ü", "x"}))
            await step.map("d", work, {"x", 1})
    """).removeprefix(PRELUDE)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("FG303", '`except:` swallows the exception by which step "nap" suspends or ends the run'),
        ("FG306", 'this `finally` calls os.remove() whenever the run suspends at step "nap", not only at the end'),
        ("FG307", "`asyncio.sleep(5)` in the body of workflow 'flow' keeps the run in memory"),
        ("FG402", "os.remove() in the body of workflow 'flow' runs again at every replay"),
        (
            "FG403",
            "the lambda changes 'seen', which does not happen when the run is replayed and step 'note' is finished",
        ),
        ("FG404", "the steps come in the order of the set `tags`, which differs when the run is replayed"),
    ],
)
def test_a_message_names_what_it_is_about(code: str, message: str) -> None:
    text = source_of("""
        import os

        @workflow
        async def flow(tags: set[str]) -> None:
            seen = []
            try:
                await step.sleep("nap", "1h")
            except:
                pass
            finally:
                os.remove("x")
            await asyncio.sleep(5)
            await step("note", lambda: seen.append(1))
            for tag in tags:
                await step(f"tag-{tag}", work, seen)
    """)
    [one] = RULES[code].check(Module(Unit(text, "case.py", Project()), Settings()))
    assert one.message == message
    assert one.workflow == "flow"
