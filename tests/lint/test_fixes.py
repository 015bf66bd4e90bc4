"""Mending: only what was found changes, and files stay what they are otherwise."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import attrs
import pytest

from flowgraph.lint import Report, Settings, Sources, lint
from flowgraph.lint.fixes import Mended, mended
from flowgraph.model.diagnostic import Diagnostic, Edit, Fix
from tests.lint.project import Project

SETTINGS = Settings(select=("FG203", "FG902", "FG107", "FG901"))
HEAD = "from flowgraph import step, workflow\n@workflow\nasync def flow(f):\n"


def mend(*paths: str, contents: Mapping[str, bytes] | None = None) -> Mended:
    given = dict(contents or {})

    def check(changed: Mapping[str, bytes]) -> Report:
        return lint(paths or ["."], SETTINGS, contents={**given, **changed})

    return mended(check, Sources(given).read)


def body_after(body: str) -> str:
    """The body of a workflow after mending."""
    result = mend("flow.py", contents={"flow.py": f"{HEAD}{body}".encode()})
    [change] = result.changes
    assert result.report.findings == ()
    return change.after.decode().removeprefix(HEAD)


@pytest.mark.parametrize(
    ("body", "after"),
    [
        ('    step("a", f)\n', '    await step("a", f)\n'),
        ('    step("a", f) ;step("b",f)  # both\n', '    await step("a", f) ;await step("b",f)  # both\n'),
        ("    step(\n      'a',  # why\n      f)\n", "    await step(\n      'a',  # why\n      f)\n"),
        ('    await step("a", f)  # noqa: FG107\n', '    await step("a", f)\n'),
        ('    await step("a", f)  # noqa: E501, FG107\n', '    await step("a", f)  # noqa: E501\n'),
        ('    await step("a", f)  # noqa: E501, FG107 why\n', '    await step("a", f)  # noqa: E501 why\n'),
        ('    await step("a", f)  # noqa: FG107 as it was so\n', '    await step("a", f)\n'),
        ('    await step("a", f)  # noqa: FG107 # kept\n', '    await step("a", f) # kept\n'),
        ('    await step("a", f)  # noqa: FG107, see issue #12\n', '    await step("a", f)\n'),
        (
            '    await step("a", f)  # noqa: E501, FG107: why (#12)\n',
            '    await step("a", f)  # noqa: E501 why (#12)\n',
        ),
        ('    await step("a", f)  # flowgraph: ignore[FG107] see #12\n', '    await step("a", f)\n'),
        ('    await step("a", f)  # flowgraph: ignore[FG107] why # kept\n', '    await step("a", f) # kept\n'),
        ('    # flowgraph: ignore[FG107] see #12\n    await step("a", f)\n', '    await step("a", f)\n'),
        ('    await step("a", f)  # flowgraph: ignore[FG107] why\n', '    await step("a", f)\n'),
        ('    # flowgraph: ignore[FG107] why\n    await step("a", f)\n', '    await step("a", f)\n'),
        (
            '    await step("", f)  # flowgraph: ignore[FG203, FG107] why\n',
            '    await step("", f)  # flowgraph: ignore[FG107] why\n',
        ),
        ('    await step("", f)  # noqa: FG203, FG107\n', '    await step("", f)  # noqa: FG107\n'),
        ('    step("a", f)  # noqa: FG203, FG107\n', '    step("a", f)  # noqa: FG203\n'),
    ],
)
def test_only_what_was_found_changes(body: str, after: str) -> None:
    assert body_after(body) == after


def test_what_a_mended_finding_was_accepted_by_is_removed_in_the_next_round(project: Project) -> None:
    project.write(flow=f'{HEAD}    step("a", f)\n    await step("b", f)  # noqa: FG203\n')
    result = mend()
    assert result.count == 2
    assert result.changes[0].after.decode() == f'{HEAD}    await step("a", f)\n    await step("b", f)\n'


@pytest.mark.parametrize(
    "content",
    [
        f'{HEAD}    step("ä", f)\n'.encode(),
        f'{HEAD}    step("ä", f)\n'.encode("utf-8-sig"),
        f'# coding: latin-1\n{HEAD}    step("ä", f)\n'.encode("latin-1"),
        f'{HEAD}    step("ä", f)\n'.replace("\n", "\r\n").encode(),
        f'{HEAD}    x = "\x0c"; step("ä", f)'.encode(),
        f'{HEAD}\tstep("注文 😀", f); y = "\u2028"\t'.encode(),
    ],
)
def test_encoding_mark_and_line_ends_stay(project: Project, content: bytes) -> None:
    project.write(flow=content)
    [change] = mend().changes
    assert change.after == content.replace(b"step(", b"await step(")


def test_nothing_is_written_before_it_is_asked_for(project: Project) -> None:
    file = project.put("flow.py", f'{HEAD}    step("a", f)\n')
    before = file.read_bytes()
    [change] = mend().changes
    assert file.read_bytes() == before == change.before
    change.write()
    assert file.read_bytes() == change.after
    assert [path.name for path in project.folder.iterdir()] == ["flow.py"]


def test_rights_and_links_stay(project: Project) -> None:
    file = project.put("real/flow.py", f'{HEAD}    step("a", f)\n')
    file.chmod(0o751)
    Path("link.py").symlink_to("real/flow.py")
    [change] = mend("link.py").changes
    change.write()
    assert Path("link.py").is_symlink()
    assert stat.S_IMODE(file.stat().st_mode) == 0o751
    assert "await step" in file.read_text()


def test_the_change_as_a_diff(project: Project) -> None:
    project.write(flow=f'{HEAD}    step("a", f)')
    [change] = mend().changes
    assert change.diff() == (
        "--- flow.py\n+++ flow.py\n@@ -1,4 +1,4 @@\n"
        " from flowgraph import step, workflow\n @workflow\n async def flow(f):\n"
        '-    step("a", f)\n\\ No newline at end of file\n+    await step("a", f)\n\\ No newline at end of file\n'
    )


def test_a_helper_of_another_file_is_mended_once(project: Project) -> None:
    project.write(
        flow="""
        from helpers import charge
        from flowgraph import workflow
        @workflow
        async def flow():
            await charge()
        """,
        helpers='from flowgraph import step\nasync def charge():\n    step("a", print)\n',
    )
    [change] = mend().changes
    assert (change.path, change.after.count(b"await")) == ("helpers.py", 1)


# Edits that do not get along -----------------------------------------------------------------------------------------


def rounds(*reports: list[tuple[Edit, ...]]) -> Callable[[Mapping[str, bytes]], Report]:
    """A lint that finds these things to mend, one list after the other, and then nothing."""
    left: Iterator[list[tuple[Edit, ...]]] = iter(reports)
    found = Diagnostic("FG203", "unawaited-step", "error", "", "a.py", 1)

    def check(_: Mapping[str, bytes]) -> Report:
        fixes = [Fix("", edits) for edits in next(left, [])]
        return Report(tuple(attrs.evolve(found, line=number, fix=fix) for number, fix in enumerate(fixes, 1)))

    return check


def after(text: str, *reports: list[tuple[Edit, ...]]) -> str:
    changes = mended(rounds(*reports), lambda _: text.encode()).changes
    return changes[0].after.decode() if changes else text


def test_edits_that_overlap_wait_for_the_next_round() -> None:
    first, second = (Edit(1, 1, 1, 4, "xyz"),), (Edit(1, 3, 1, 6, "q"),)
    assert after("abcdef\n", [first, second]) == "xyzdef\n"
    assert after("abcdef\n", [first, second], [(Edit(1, 4, 1, 7, "q"),)]) == "xyzq\n"


def test_two_edits_at_one_place_are_not_made_in_one_round() -> None:
    edit = (Edit(1, 1, 1, 1, "a"),)
    assert after("b\n", [edit, edit]) == "ab\n"


def test_what_would_be_no_python_is_not_made() -> None:
    assert after("f(1)\n", [(Edit(1, 2, 1, 3, ""),)]) == "f(1)\n"
    assert after("f(1)\ng(2)\n", [(Edit(1, 2, 1, 3, ""),), (Edit(2, 1, 2, 2, "h"),)]) == "f(1)\nh(2)\n"


def test_edits_that_undo_each_other_come_to_an_end() -> None:
    there, back = [(Edit(1, 1, 1, 2, "b"),)], [(Edit(1, 1, 1, 2, "a"),)]
    assert after("a\n", *([there, back] * 20)) in ("a\n", "b\n")


def test_what_the_encoding_of_the_file_has_not_is_not_made() -> None:
    text = "# coding: ascii\na\n"
    assert after(text, [(Edit(2, 1, 2, 2, "'ä'"),)]) == text
