"""Which Graphviz draws, what both of them make of every construct, and what there is without one."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from flowgraph import GraphvizError
from flowgraph.render import View, draw
from tests.render.pictures import ROOT
from tests.render.sources import SOURCES, graph

PURE = shutil.which("graphviz-pure", path=sysconfig.get_path("scripts"))
ENGINES = {Path(engine).name: engine for engine in (shutil.which("dot"), PURE) if engine}
each_engine = pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES.keys())


def test_graphviz_pure_is_there_to_be_tested() -> None:
    assert PURE is not None


@each_engine
@pytest.mark.parametrize("name", SOURCES)
def test_every_construct_is_drawn_without_a_complaint(name: str, engine: str) -> None:
    source = draw(graph(name), "dot", View(data=True, legend=True))
    done = subprocess.run([engine, "-Tsvg"], input=source, capture_output=True, check=False)
    said = [line for line in done.stderr.decode().splitlines() if "width of non-ASCII character" not in line]
    assert (done.returncode, said) == (0, [])


@each_engine
def test_every_step_is_in_the_svg_once(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWGRAPH_DOT", engine)
    for name in SOURCES:
        found = draw(graph(name), "svg").decode()
        ids = re.findall(r'<g id="(n\d+)" class="node', found)
        assert len(ids) == len(set(ids)), name
        assert {f"n{node.id}" for node in graph(name).steps} <= set(ids), name


DRAWING = """
import sys
from flowgraph.render import View, draw
from tests.render.sources import SOURCES, graph
for name in SOURCES:
    for format_ in ("dot", "mmd", "txt", "json"):
        sys.stdout.buffer.write(draw(graph(name), format_, View(data=True, legend=True)))
for name in ("all of try", "steps in steps", "map, for each, batch"):
    sys.stdout.buffer.write(draw(graph(name), "svg"))
    sys.stdout.buffer.write(draw(graph(name), "svg", View(depth=1, theme="dark")))
"""


@each_engine
def test_every_construct_is_drawn_the_same_under_any_hash_seed(engine: str) -> None:
    made = {
        subprocess.run(
            [sys.executable, "-c", DRAWING], capture_output=True, check=True, cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed, "FLOWGRAPH_DOT": engine, "PYTHONPATH": str(ROOT)},
        ).stdout
        for seed in ("0", "1", "2")
    }  # fmt: skip
    assert len(made) == 1


# Which one ------------------------------------------------------------------------------------------------------------


def script(folder: Path, name: str, text: str) -> str:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return str(file)


SAYS = "cat >/dev/null; echo '<svg xmlns=\"http://www.w3.org/2000/svg\"><g/><g/></svg>'"


def test_the_variable_comes_before_what_is_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path, "dot", "exit 7")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("FLOWGRAPH_DOT", script(tmp_path, "my-dot", SAYS))
    assert b"<svg" in draw(graph("for"), "svg")
    monkeypatch.setenv("FLOWGRAPH_DOT", "my-dot")
    assert b"<svg" in draw(graph("for"), "svg")
    monkeypatch.delenv("FLOWGRAPH_DOT")
    with pytest.raises(GraphvizError, match="exit code 7"):
        draw(graph("for"), "svg")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("exit 3", "failed with exit code 3: it said nothing"),
        ("echo 'no layout' >&2; exit 1", "failed with exit code 1: no layout"),
        ("exit 0", "failed with exit code 0: it said nothing"),
        ("cat >/dev/null; echo 'this is no svg'", ""),
    ],
)
def test_a_graphviz_that_fails_is_an_error_of_ours(
    text: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWGRAPH_DOT", script(tmp_path, "dot", text))
    with pytest.raises(GraphvizError) as caught:
        draw(graph("for"), "svg")
    assert str(caught.value).endswith(sentence)
    assert "\n" not in str(caught.value)


def test_what_the_variable_names_must_be_executable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dot").write_text("")
    monkeypatch.setenv("FLOWGRAPH_DOT", str(tmp_path / "dot"))
    with pytest.raises(GraphvizError, match="which is no executable file"):
        draw(graph("for"), "svg")


# Without one ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python whose folder of scripts has no graphviz-pure, with everything else that is installed here."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False, symlinks=True)
    packages = sysconfig.get_path("purelib")
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "here.pth").write_text(f"{ROOT}\n{packages}\n")
    return folder / "bin" / "python"


def run_bare(bare: Path, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FLOWGRAPH", "PYTHONPATH"))}
    return subprocess.run(
        [bare, *arguments],
        cwd=folder,
        env={**kept, "PATH": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )


FLOW = "from flowgraph import step, workflow\n@workflow\nasync def one():\n    await step('a', print)\n"


@pytest.mark.parametrize("format_", ["svg", "png"])
def test_without_graphviz_one_line_says_what_to_install(bare: Path, format_: str, tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(FLOW)
    done = run_bare(bare, "-m", "flowgraph", "draw", "one.py", "-o", f"x.{format_}", folder=tmp_path)
    assert done.returncode == 2, done.stderr
    [line] = done.stderr.splitlines()
    assert "pip install 'flowgraph[svg]'" in line
    assert "FLOWGRAPH_DOT" in line
    assert sorted(file.name for file in tmp_path.iterdir() if file.suffix != "") == ["one.py"]


@pytest.mark.parametrize("format_", ["dot", "mmd", "json", "txt"])
def test_without_graphviz_the_other_formats_are_drawn(bare: Path, format_: str, tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(FLOW)
    done = run_bare(bare, "-m", "flowgraph", "draw", "one.py", "-o", f"x.{format_}", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "one" in (tmp_path / f"x.{format_}").read_text()


def test_without_graphviz_a_notebook_shows_text(bare: Path, tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(FLOW)
    code = "import one; bundle = one.one.graph._repr_mimebundle_(); print(list(bundle)); print(bundle['text/plain'])"
    done = run_bare(bare, "-c", code, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "['text/plain']"
    assert "─ a" in done.stdout


def test_a_notebook_shows_text_where_graphviz_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWGRAPH_DOT", script(tmp_path, "dot", "exit 3"))
    assert list(graph("for")._repr_mimebundle_()) == ["text/plain"]
