"""Input that nobody wants: a finding or a sentence, never a traceback, and the other files are still checked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flowgraph.lint import Settings
from tests.lint.project import TWICE, Project, short

MENTION = "import flowgraph\n"


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (f"{MENTION}def f(:\n", 2, "invalid syntax"),
        (f"{MENTION}x = (1,\n", 2, "'(' was never closed"),
        (f"{MENTION}x = '''\n\n", 2, "unterminated triple-quoted string literal"),
        (f"{MENTION}  x = 1\n", 2, "unexpected indent"),
        (f"{MENTION}if 1:\n\tx = 1\n        y = 2\n", 4, "inconsistent use of tabs"),
        (f"{MENTION}return = 1\n", 2, "invalid syntax"),
        (f"{MENTION}print 'x'\n", 2, "Missing parentheses"),
        (f"{MENTION}\n\n<<<<<<< HEAD\n", 4, "invalid syntax"),
        (f"{MENTION}x = 1\0\n".encode(), 2, "the file has null bytes"),
        (f"{MENTION}x = 'ä'\n".encode("latin-1"), 2, "the file is not utf-8"),
        (f"# coding: nonsense\n{MENTION}".encode(), 1, "unknown encoding"),
        (f"# coding: ascii\n{MENTION}# ä\n".encode(), 3, "the file is not ascii"),
        (f"# coding: latin-1\n{MENTION}".encode("utf-8-sig"), 1, "encoding problem"),
        (MENTION.encode("utf-16"), 1, ""),
        (f"{MENTION}x = {'(' * 500}{')' * 500}\n", 2, "too many nested parentheses"),
        (f"{MENTION}x = {'-' * 200_000}1\n", 1, "nested too deeply"),
        (MENTION + "".join(f"{' ' * level}if 1:\n" for level in range(150)), 102, "too many levels of indentation"),
        (f"{MENTION}x = {'9' * 5_000}\n", 2, "Exceeds the limit"),
        (f"{MENTION}x = '\\ud800'\ny = '\\N{{nothing}}'\n", 3, "unknown Unicode character name"),
    ],
)
def test_what_is_not_python_is_a_finding(project: Project, content: str | bytes, line: int, message: str) -> None:
    project.put("bad.py", content)
    project.write(good=TWICE)
    report = project.lint("bad.py", ".")
    assert report.failures == ()
    bad, *good = report.findings
    assert (bad.code, bad.path) == ("FG901", "bad.py")
    assert message in bad.message
    assert bad.line == line or not message
    assert [one.path for one in good] == ["good.py"]


def test_files_that_cannot_be_read_are_findings(project: Project) -> None:
    project.write(good=TWICE, secret=MENTION)
    for name, target in {"broken.py": "nowhere", "loop.py": "loop.py", ".#lock.py": "nowhere"}.items():
        Path(name).symlink_to(target)
    Path("secret.py").chmod(0)
    is_readable = os.access("secret.py", os.R_OK)  # Everything is, for root.
    report = project.lint()
    messages = {one.path: one.message for one in report.findings}
    assert messages.pop("broken.py") == "the file cannot be read: No such file or directory"
    assert messages.pop("loop.py").startswith("the file cannot be read: ")
    assert messages.pop("secret.py", "the file cannot be read: Permission denied").endswith("Permission denied")
    assert list(messages) == ["good.py"]
    assert is_readable or len(report.findings) == 4


def test_what_is_no_file_is_a_finding_and_is_not_waited_for(project: Project) -> None:
    project.write(good=TWICE)
    os.mkfifo("pipe.py")
    Path("link.py").symlink_to("pipe.py")
    given = ["pipe.py", os.devnull, "good.py"]
    report = project.lint(*given)
    assert report.failures == ()
    assert {one.path: one.message for one in report.findings if one.code == "FG901"} == dict.fromkeys(
        given[:2], "the file cannot be read: it is a pipe, a device or a socket"
    )
    assert [one.path for one in project.lint("link.py").findings] == ["link.py"]


@pytest.mark.parametrize("cache", [None, Path("kept")])
def test_a_pipe_that_is_imported_is_not_waited_for(project: Project, cache: Path | None) -> None:
    project.write(flow=f"from helpers import help_me\n{TWICE}    await help_me()\n", helpers="async def help_me(): ...")
    assert [one.code for one in project.lint("flow.py", cache=cache).findings] == ["FG101"]
    Path("helpers.py").unlink()
    os.mkfifo("helpers.py")
    assert [one.code for one in project.lint("flow.py", cache=cache).findings] == ["FG101"]


def test_a_folder_that_is_called_like_a_file_is_a_folder(project: Project) -> None:
    project.put("shop.py/flow.py", TWICE)
    os.mkfifo("pipe.py")
    assert project.found() == ["shop.py/flow.py:8 FG101"]


@pytest.mark.parametrize(
    "content",
    [
        TWICE.encode("utf-8-sig"),
        TWICE.replace("\n", "\r\n").encode(),
        TWICE.replace("\n", "\r").encode(),
        TWICE.replace("async def work(): ...", "ä = '注文 \u2028 \x0c'").encode(),
        TWICE.replace("async def work(): ...", "ä = 'ß'")
        .replace("from", "# coding: latin-1\nfrom", 1)
        .encode("latin-1"),
        TWICE.replace("\n", "  # \x0b \x1c \x85\n").encode(),
        TWICE.rstrip().encode(),
    ],
)
def test_what_python_reads_is_checked(project: Project, content: bytes) -> None:
    project.write(flow=content)
    [found] = project.lint().findings
    shift = content.count(b"coding")
    assert (found.code, found.line, found.column, found.end_column) == ("FG101", 8 + shift, 16, 21)


def test_a_hundred_levels_of_nesting(project: Project) -> None:
    deep = "".join(f"{' ' * level}if x:\n" for level in range(1, 95)) + f'{" " * 95}await step("one", print)\n'
    calls = "f(" * 100 + "x" + ")" * 100
    nested = "".join(f"{' ' * level}async def f{level}():\n" for level in range(1, 90)) + f"{' ' * 91}step('', print)\n"
    project.write(
        deep=f"from flowgraph import step, workflow\n@workflow\nasync def flow(x):\n{deep}",
        calls=f"from flowgraph import step, workflow\n@workflow\nasync def calls(x):\n await step('a', {calls})\n",
        nested=f"from flowgraph import step, workflow\n@workflow\nasync def nested(x):\n{nested}",
    )
    report = project.lint(settings=Settings(select=("FG1", "FG9")))
    assert report.failures == ()
    assert report.workflows == 3
    assert [one.code for one in report.findings] == ["FG107"]


def test_two_thousand_steps_in_a_function(project: Project) -> None:
    names = [*range(2_000), 0]
    steps = "".join(f'    await step("step-{name}", print)\n' for name in names)
    project.write(flow=f"from flowgraph import step, workflow\n@workflow\nasync def flow():\n{steps}")
    report = project.lint()
    assert report.failures == ()
    assert short(report) == ["flow.py:2004 FG101"]


def test_helpers_that_call_each_other(project: Project) -> None:
    project.write(
        flow="""
        from flowgraph import step, workflow

        async def one(n):
            await two(n)

        async def two(n):
            if n:
                await one(n - 1)

        @workflow
        async def flow(n):
            await one(n)
            await step("a", print)
        """
    )
    assert project.found() == []


def test_files_that_import_each_other(project: Project) -> None:
    project.write(
        a="from b import s, help_b\nfrom flowgraph import workflow\n@workflow\nasync def f():\n    await help_b()\n",
        b="from c import s\nfrom a import f\nasync def help_b():\n    await s('', print)\n",
        c="from b import help_b\nfrom d import s\n",
        d="from c import s as other\nfrom flowgraph import step as s\n",
        e="from e import s\nfrom e import *\nimport e\nfrom . import e\n@s\ndef f(): e.s('x')\n",
    )
    assert project.found() == ["b.py:4 FG107"]


def test_a_file_of_nothing(project: Project) -> None:
    project.write(empty="", blank=b"\n\n", mark=b"\xef\xbb\xbf", mention="flowgraph")
    assert project.found("empty.py", "blank.py", "mark.py", "mention.py") == []


def test_names_of_files_that_are_odd(project: Project) -> None:
    names = ["a b.py", "ä注文.py", "new\nline.py", "-.py", "'quote\".py", "~.py"]
    for name in names:
        project.put(name, TWICE)
    assert [one.path for one in project.lint(settings=Settings(select=("FG101",))).findings] == sorted(names)


def test_an_odd_name_that_is_not_utf8(project: Project) -> None:
    name = os.fsdecode(b"\xff.py")
    try:
        Path(name).write_text(TWICE)
    except OSError:
        pytest.skip("the file system takes names of UTF-8 only")
    assert [one.path for one in project.lint(cache=Path("kept")).findings] == [name]
    assert [one.path for one in project.lint(cache=Path("kept")).findings] == [name]
