"""The formats: well-formed whatever stands in a name, the same bytes each time, for light and dark pages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from flowgraph import Graph, GraphvizError, InvalidOption, compile_source
from flowgraph.model.graph import Edge, Node
from flowgraph.render import FORMATS, View, draw, theme, write
from flowgraph.render.pages import Entry, index_page
from tests.render.pictures import ROOT, graph_of, read

PURE = shutil.which("graphviz-pure", path=sysconfig.get_path("scripts"))
ENGINES = [engine for engine in (shutil.which("dot"), PURE) if engine]
ALL_OF_IT = (ROOT / "examples" / "order_fulfilment.py").read_text(encoding="utf-8")

HOSTILE = [
    "\"quoted\" and 'quoted'",
    "<script>alert(1)</script>",
    "a & b &amp; &#x41; <b>bold</b>",
    r"back\slash \N \l \G \n {x} %s",
    "two\nlines\tand a tab",
    "]]> --> %% ; | { } [ ] ( )",
    "注文 😀 שלום e\u0301",
    "x" * 500,
    "nul \x00 and half \ud800 of one",
    "end",
    "`code` **bold** #35; http://example.org",
]


@pytest.fixture(autouse=True)
def _pure(monkeypatch: pytest.MonkeyPatch) -> None:
    if PURE is not None:
        monkeypatch.setenv("FLOWGRAPH_DOT", PURE)


def named(text: str) -> Graph:
    """A graph in which a text is everywhere: names, conditions, handlers, options, labels, the workflow, the file."""
    braces = text.replace("{", "{{").replace("}", "}}")
    nodes = (
        Node("1", "start", ""),
        Node("2", "step", braces, braces, line=3, options={"timeout": text}, handler=text),
        Node("3", "branch", text),
        Node("4", "loop", text),
        Node("5", "step", f"a-{{{text}}}", f"a-{{{text}}}", parent="4", region="4"),
        Node("6", "progress", braces, braces),
        Node("7", "unknown", text),
        Node("8", "fail", "", arguments=(repr(text),)),
        Node("9", "end", ""),
    )
    edges = tuple(
        Edge(source, target, "control", text) for source, target in ("12", "23", "34", "45", "46", "67", "79", "38")
    )
    return Graph(text, f"{text}.py", 1, nodes, (*edges, Edge("5", "4", "back"), Edge("2", "6", "data", text)))


def shape_of(root: ElementTree.Element) -> dict[str, int]:
    """How many elements of each kind there are."""
    found: dict[str, int] = {}
    for element in root.iter():
        found[element.tag] = found.get(element.tag, 0) + 1
    return found


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_is_text_in_an_svg(text: str, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWGRAPH_DOT", engine)
    root = ElementTree.fromstring(draw(named(text), "svg", View(data=True, legend=True)))
    kinds = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert kinds <= {
        "svg",
        "g",
        "title",
        "desc",
        "style",
        "polygon",
        "polyline",
        "path",
        "ellipse",
        "text",
        "tspan",
        "a",
    }
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not [name for name in attributes if name.startswith("on")]
    assert not [value for element in root.iter() for value in element.attrib.values() if "javascript" in value]


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_is_text_in_mermaid(text: str) -> None:
    plain_lines = draw(named("plain"), "mmd").decode().splitlines()
    lines = draw(named(text), "mmd").decode().splitlines()
    assert [re.sub(r'".*"', '""', line) for line in lines[4:]] == [
        re.sub(r'".*"', '""', line) for line in plain_lines[4:]
    ]
    assert all(line.count('"') in (0, 2) and "<script" not in line for line in lines[4:])


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_is_text_in_dot_and_in_the_tree(text: str) -> None:
    picture = read(draw(named(text), "dot").decode())
    assert set(picture.nodes) == {f"n{number}" for number in range(1, 10)}
    tree = draw(named(text), "txt").decode()
    assert len(tree.splitlines()) == len(draw(named("plain"), "txt").decode().splitlines())
    assert "\x00" not in tree


def test_the_page_of_a_folder_escapes_what_it_shows() -> None:
    page = index_page("<a>", [Entry(named("<script>&"), "a b.svg")])
    assert "<script>" not in page
    assert 'src="a%20b.svg"' in page


def test_json_is_the_graph() -> None:
    import json

    graph = graph_of('await step("a", f)')
    assert Graph.from_json(json.loads(draw(graph, "json"))) == graph


DRAWING = """
import sys
from flowgraph import compile_file
from flowgraph.render import View, draw
for graph in compile_file(sys.argv[1]):
    for format_ in ("dot", "svg", "mmd", "txt", "json"):
        sys.stdout.buffer.write(draw(graph, format_, View(data=True, legend=True)))
"""


def test_pictures_are_the_same_under_any_hash_seed() -> None:
    file = str(ROOT / "examples" / "order_fulfilment.py")
    made = {
        subprocess.run(
            [sys.executable, "-c", DRAWING, file],
            capture_output=True, check=True, env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "1", "77")
    }  # fmt: skip
    assert len(made) == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_both_graphviz_draw_without_a_complaint_about_the_source(engine: str) -> None:
    for graph in compile_source(ALL_OF_IT):
        done = subprocess.run([engine, "-Tsvg"], input=draw(graph, "dot"), capture_output=True, check=True)
        said = [line for line in done.stderr.decode().splitlines() if "width of non-ASCII" not in line]
        assert [line for line in said if "rror" in line or "syntax" in line or "not found" in line] == []


def test_an_svg_follows_the_page_and_can_be_of_one_kind() -> None:
    graph = graph_of('await step("a", f)')
    texts = {mode: draw(graph, "svg", View(theme=mode)).decode() for mode in ("auto", "light", "dark")}  # type: ignore[arg-type]
    assert "@media (prefers-color-scheme:dark)" in texts["auto"]
    assert "prefers-color-scheme" not in texts["light"]
    assert "prefers-color-scheme" not in texts["dark"]
    assert '[fill="#ddf4ff"]{fill:#0c2a4d}' in texts["dark"]
    assert b'"#0c2a4d"' in draw(graph, "dot", View(theme="dark"))


def test_every_colour_has_one_for_the_dark() -> None:
    tables = (theme.LOOKS, theme.FRAMES, theme.LINES, theme.STATES, {"": theme.TAKEN}, {"": theme.NOT_TAKEN})
    looks = [look for table in tables for look in table.values()]
    colours = {
        value for look in [*looks, theme.GRAPH, theme.NODE, theme.EDGE] for value in look.values() if value[:1] == "#"
    }
    assert colours | {theme.HOLE} <= set(theme.DARK)


def test_an_svg_has_classes_and_tooltips() -> None:
    root = ElementTree.fromstring(draw(graph_of('await step("a", fetch, max_attempts=3)'), "svg"))
    groups = [element for element in root.iter() if element.get("class") == "node step"]
    [title] = [title.text for group in groups for title in group.iter("{http://www.w3.org/2000/svg}title")]
    assert title == "a · handler fetch · max_attempts=3 · line 6"


def test_a_picture_is_written_by_its_name(tmp_path: Path) -> None:
    graph = graph_of('await step("a", f)')
    for format_ in FORMATS:
        file = graph.render(tmp_path / "deep" / f"x.{format_}")
        assert file.read_bytes() == draw(graph, format_)
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == sorted(f"x.{one}" for one in FORMATS)
    with pytest.raises(InvalidOption, match=r"its name ends with one of \.svg, \.png"):
        write(graph, tmp_path / "x.pdf")
    with pytest.raises(InvalidOption, match="depth=-1"):
        graph.render(tmp_path / "x.svg", depth=-1)


def test_notebooks_show_a_graph() -> None:
    bundle = graph_of('await step("a", f)')._repr_mimebundle_()
    assert bundle["image/svg+xml"].startswith("<svg")
    assert "─ a" in bundle["text/plain"]


def test_without_graphviz_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    graph = graph_of('await step("a", f)')
    monkeypatch.setenv("FLOWGRAPH_DOT", "no-such-dot")
    with pytest.raises(GraphvizError, match="FLOWGRAPH_DOT is 'no-such-dot'"):
        draw(graph, "svg")
    monkeypatch.delenv("FLOWGRAPH_DOT")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(GraphvizError, match=r"pip install 'flowgraph\[svg\]'"):
        draw(graph, "png")
    assert [bool(draw(graph, format_)) for format_ in ("dot", "mmd", "json", "txt")] == [True] * 4
    assert list(graph._repr_mimebundle_()) == ["text/plain"]


def test_what_is_too_large_for_mermaid_is_refused() -> None:
    graph = graph_of("\n".join(f'await step("s{number}", f)' for number in range(600)))
    with pytest.raises(InvalidOption, match="601 lines"):
        draw(graph, "mmd")


TREE = """\
flow
flows.py:5 · 5 steps · graph {}
├─ for x in xs
│  ├─ a-{{x}}           f
│  └─ if x
│     └─ yes: break
├─ try
│  └─ b               f · 3 attempts
├─ except StepFailed
│  └─ return
└─ side by side
   ├─ c               f
   └─ p               sub · contains 1 step
      └─ in           f
"""


def test_the_text_tree_is_as_the_source() -> None:
    body = (
        "for x in xs:\n    await step(f'a-{x}', f)\n    if x:\n        break\n"
        "try:\n    await step('b', f, max_attempts=3)\nexcept StepFailed:\n    return\n"
        "await asyncio.gather(step('c', f), step('p', sub))"
    )
    graph = graph_of(body, "async def sub():\n    await step('in', f)\n")
    assert draw(graph, "txt").decode() == TREE.format(graph.fingerprint[:7]).replace(
        "flows.py:5", f"flows.py:{graph.line}"
    )
