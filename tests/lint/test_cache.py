"""What is kept of a lint: right after every change that matters, and never in the way."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from flowgraph.lint import Report, Settings
from flowgraph.lint.cache import Cache
from tests.lint.project import FLOW, TWICE, Project, short

CACHE = Path("kept")
NAMES = Settings(select=("FG101",))


def cached(project: Project, settings: Settings | None = None) -> list[str]:
    return short(project.lint(settings=settings, cache=CACHE))


def entries() -> set[Path]:
    return set(CACHE.rglob("*.json"))


def test_a_second_lint_says_the_same_and_keeps_nothing_new(project: Project) -> None:
    project.write(flow=TWICE, user="from flow import step as s\ns()\n", bad="import flowgraph\ndef f(:\n")
    first = project.lint(cache=CACHE)
    kept = entries()
    assert first == project.lint(cache=CACHE) == project.lint()
    assert first.findings
    assert entries() == kept


def test_a_warm_lint_loads_neither_the_rules_nor_the_compiler(project: Project) -> None:
    project.write(flow=TWICE, more=FLOW.replace("flow()", "more()") + "    # flowgraph: ignore[FG101] not needed\n")
    program = (
        "import sys; from pathlib import Path; from flowgraph.lint import lint\n"
        "print(len(lint(['.'], cache=Path('kept')).findings))\n"
        "print(*[name for name in sys.modules if name in ('libcst', 'networkx', 'flowgraph.compiler.units')][:1])\n"
        "print(*[name for name in sys.modules if name.startswith('flowgraph.lint.rules.')][:1])"
    )
    outputs = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.splitlines()
        for _ in range(2)
    ]
    assert outputs[0][0] == outputs[1][0] == "2"
    assert outputs[0][1:] != ["", ""]
    assert outputs[1][1:] == ["", ""]


def test_content_counts_and_times_do_not(project: Project) -> None:
    file = project.put("flow.py", FLOW)
    assert cached(project) == []
    times = (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    changed = FLOW.replace('"one"', '"   "')
    file.write_text(changed)
    os.utime(file, ns=times)
    assert cached(project) == ["flow.py:7 FG107"]
    file.write_text(FLOW)
    kept = entries()
    assert cached(project) == []
    assert entries() == kept


def test_the_other_files_that_were_read_count(project: Project) -> None:
    flow = "from flowgraph import step, workflow\nfrom names import NAME\n\n@workflow\nasync def flow():\n"
    project.write(flow=f'{flow}    await step("one", print)\n    await step(NAME, print)\n', names="NAME = 'two'\n")
    assert cached(project, NAMES) == []
    project.write(names="NAME = 'one'\n")
    assert cached(project, NAMES) == ["flow.py:7 FG101"]
    (project.folder / "names.py").unlink()
    assert cached(project, NAMES) == []
    project.put("names/__init__.py", "NAME = 'one'\n")
    assert cached(project, NAMES) == ["flow.py:7 FG101"]


def test_settings_count(project: Project) -> None:
    project.write(flow=TWICE)
    assert cached(project) == ["flow.py:8 FG101"]
    assert cached(project, Settings(ignore=("FG101",))) == []
    assert cached(project, Settings(select=("FG1",))) == ["flow.py:8 FG101"]


def test_a_file_that_begins_to_give_the_words_on_is_noticed(project: Project) -> None:
    user = TWICE.replace("from flowgraph", "from base")
    project.write(base="import flowgraph\n", user=user)
    assert cached(project) == []
    project.write(base="from flowgraph import step, workflow\n")
    assert cached(project) == ["user.py:8 FG101"]
    assert cached(project) == ["user.py:8 FG101"]
    project.write(base="import flowgraph\n", user=f"{user}def f(:\n")
    assert cached(project) == []


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"null", b'{"read": 3}', b"\xff\xfe", b"[" * 100_000])
def test_entries_that_are_broken_are_made_again(project: Project, damage: bytes) -> None:
    project.write(flow=TWICE)
    assert cached(project) == ["flow.py:8 FG101"]
    for entry in entries():
        entry.write_bytes(damage)
    assert cached(project) == ["flow.py:8 FG101"]
    assert cached(project) == ["flow.py:8 FG101"]


def test_a_folder_that_cannot_be_written_is_no_trouble(project: Project) -> None:
    project.write(flow=TWICE)
    project.put("kept", "a file, and no folder")
    assert cached(project) == ["flow.py:8 FG101"]


def test_git_does_not_see_the_folder(project: Project) -> None:
    project.write(flow=TWICE)
    cached(project)
    assert (CACHE / ".gitignore").read_text() == "*\n"


def test_what_broke_is_not_kept(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from flowgraph.lint.rules.invalid_name import InvalidName

    project.write(flow=TWICE)
    with monkeypatch.context() as broken:
        broken.setattr(InvalidName, "check", lambda *_: 1 / 0)
        assert project.lint(cache=CACHE).failures
    assert project.lint(cache=CACHE).failures == ()


def test_lints_side_by_side_do_not_disturb_each_other(project: Project) -> None:
    project.write(**{f"flow{number}": TWICE.replace("flow()", f"flow{number}()") for number in range(8)})
    reports: list[Report] = []
    threads = [threading.Thread(target=lambda: reports.append(project.lint(cache=CACHE))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reports) == 4
    assert all(report == project.lint() for report in reports)


def test_the_oldest_entries_are_thrown_away(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    keys = [cache.key(str(number)) for number in range(30)]
    for number, key in enumerate(keys):
        cache.keep(key, number)
        os.utime(tmp_path / key[:2] / f"{key[2:]}.json", (number, number))
    cache.trim(most=20)
    assert [cache.find(key, int) for key in keys] == [None] * 14 + list(range(14, 30))
