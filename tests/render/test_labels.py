"""Text of any kind, in every format: it is shown, and is never taken for a part of the format."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sysconfig
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from flowgraph import Graph, compile_source
from flowgraph.render import View, draw
from flowgraph.render.pages import Entry, index_page
from tests.render.hostile import TEXTS, graph_with, visible
from tests.render.pictures import plain, read
from tests.render.sources import SOURCES, graph

PURE = shutil.which("graphviz-pure", path=sysconfig.get_path("scripts"))
ENGINES = {Path(engine).name: engine for engine in (shutil.which("dot"), PURE) if engine}
ALL = View(data=True, legend=True)
PLAIN = ["plain", "many plain words in a name that is so long that it is broken " * 3]

each_text = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
each_engine = pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES.keys())


# SVG ------------------------------------------------------------------------------------------------------------------


def parts(root: ElementTree.Element) -> set[tuple[str, str]]:
    """The elements of an SVG, each with its attributes."""
    return {(element.tag, name) for element in root.iter() for name in ("", *element.attrib)}


def svg_of(graph: Graph, view: View = ALL) -> ElementTree.Element:
    return ElementTree.fromstring(draw(graph, "svg", view))


@each_engine
@each_text
def test_an_svg_is_well_formed_and_has_nothing_else_than_with_plain_text(
    text: str, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWGRAPH_DOT", engine)
    usual = set().union(*(parts(svg_of(graph_with(one))) for one in PLAIN))
    assert parts(svg_of(graph_with(text))) <= usual


@each_engine
@pytest.mark.parametrize("name", [name for name, text in TEXTS.items() if 0 < len(text.strip()) <= 40])
def test_an_svg_shows_the_text(name: str, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWGRAPH_DOT", engine)
    root = svg_of(graph_with(TEXTS[name]))
    [step] = [element for element in root.iter() if element.get("id") == "n2" and element.tag.endswith("}g")]
    told = "".join("".join(text.itertext()) for text in step.iter() if text.tag.endswith("}text"))
    assert pressed(visible(TEXTS[name])) in pressed(told)


def pressed(text: str) -> str:
    """A text without its blanks, of which a picture may have others."""
    return re.sub(r"[\s\u00a0]+", "", text)


@each_engine
@each_text
def test_links_of_an_svg_lead_to_where_the_template_says(
    text: str, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWGRAPH_DOT", engine)
    root = svg_of(graph_with(text), View(link="https://forge/{name}/{line}", children={text: "child.svg"}))
    targets = {value for element in root.iter() for name, value in element.attrib.items() if name.endswith("href")}
    assert all(target == "child.svg" or target.startswith("https://forge/") for target in targets)


# DOT ------------------------------------------------------------------------------------------------------------------


@each_engine
@each_text
def test_graphviz_takes_the_dot_without_a_complaint(text: str, engine: str) -> None:
    done = subprocess.run([engine, "-Tsvg"], input=draw(graph_with(text), "dot", ALL), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert complaints(done.stderr) == []


def complaints(said: bytes) -> list[str]:
    """What Graphviz says of the source; what it says of fonts is not our affair."""
    lines = said.decode(errors="replace").splitlines()
    return [
        line
        for line in lines
        if re.search("error|syntax|bad label|unknown|ambiguous|illegal|lost", line, re.IGNORECASE)
    ]


@each_text
def test_dot_has_the_text_as_it_is_shown(text: str) -> None:
    picture = read(draw(graph_with(text), "dot").decode())
    assert list(picture.nodes) == [f"n{number}" for number in range(1, 17)]
    if len(text) < 40:
        assert pressed(picture.text("n2")).startswith(pressed(visible(text)))
        assert pressed(picture.text("n9")) == pressed(visible(text))


@each_text
def test_dot_has_as_many_lines_as_with_plain_text(text: str) -> None:
    usual = draw(graph_with("plain"), "dot").decode().splitlines()
    assert len(draw(graph_with(text), "dot").decode().splitlines()) == len(usual)


# Mermaid --------------------------------------------------------------------------------------------------------------

RESERVED = {"end", "graph", "flowchart", "subgraph", "style", "class", "classDef", "linkStyle", "default", "click",
            "call", "href", "interpolate"}  # fmt: skip


def unescaped(text: str) -> str:
    return re.sub(r"#(\d+);", lambda found: chr(int(found[1])), text)


@each_text
def test_mermaid_has_the_text_as_it_is_shown_and_nothing_else_of_it(text: str) -> None:
    lines = draw(graph_with(text), "mmd", View(data=True)).decode().splitlines()
    usual = draw(graph_with("plain"), "mmd", View(data=True)).decode().splitlines()
    assert json.loads(lines[1].removeprefix("title: ")) == visible(text)
    written = [re.findall(r'"([^"]*)"', line) for line in lines[4:]]
    assert not re.search(r'[<>"`@%\\&|]', "".join(one for line in written for one in line).replace("<br/>", ""))
    if text.strip():
        assert [re.sub('"[^"]*"', "", line) for line in lines[3:]] == [
            re.sub('"[^"]*"', "", line) for line in usual[3:]
        ]
    step = next(line for line in lines if line.startswith("  n2["))
    if 0 < len(text.strip()) < 40:
        assert unescaped(step.partition('"')[2]).startswith(visible(text))


@each_text
def test_no_line_of_mermaid_is_taken_for_a_direction(text: str) -> None:
    assert not re.search(r"direction\s+(TB|BT|RL|LR)", draw(graph_with(text), "mmd", View(data=True)).decode())


@pytest.mark.parametrize("name", SOURCES)
def test_no_word_of_mermaid_is_the_name_of_a_class_or_node(name: str) -> None:
    lines = draw(graph(name), "mmd", View(data=True)).decode().splitlines()
    named = [line.split()[1] for line in lines if line.startswith("  classDef ")]
    used = [word for line in lines if line.startswith("  class ") for word in line.replace(",", " ").split()[1:]]
    assert named
    assert RESERVED.isdisjoint([*named, *used])


# Text, JSON and pages -------------------------------------------------------------------------------------------------


@each_text
def test_the_tree_has_a_line_for_each_node_and_nothing_that_a_terminal_obeys(text: str) -> None:
    tree = draw(graph_with(text), "txt").decode()
    usual = draw(graph_with("plain"), "txt").decode()
    assert tree.count("\n") == usual.count("\n")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", tree)


@each_text
def test_json_is_the_graph_whatever_its_text(text: str) -> None:
    assert Graph.from_json(json.loads(draw(graph_with(text), "json").decode("utf-8"))) == graph_with(text)


class Tags(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.links: list[str | None] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.links += [value for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


@each_text
def test_the_page_of_a_folder_has_the_text_and_no_other_tags(text: str) -> None:
    usual = Tags(index_page("plain", [Entry(graph_with("plain"), "a.svg"), Entry(graph_with("plain"), "b.mmd")]))
    page = Tags(index_page(text, [Entry(graph_with(text), "a.svg"), Entry(graph_with(text), "b.mmd")]))
    assert page.tags == usual.tags
    assert page.links == usual.links
    assert visible(text) in page.text


# From the source ------------------------------------------------------------------------------------------------------

NAMES = [name for name, text in TEXTS.items() if text]


@pytest.mark.parametrize("name", NAMES)
def test_a_source_with_such_names_is_drawn_in_every_format(name: str) -> None:
    written = ascii(TEXTS[name])
    [found] = compile_source(
        "from flowgraph import step, workflow\n"
        f"@workflow(name={written})\nasync def flow(c, xs):\n    await step({written}, f, {written})\n"
        f"    for x in [{written}]:\n        if c == {written}:\n            await step({written} + str(x), f)\n"
        f"    await step.map({written}, f, xs, key={written})\n    await step.progress({written})\n"
        f"    await step.execute_workflow('child', {written})\n    step.fail({written})\n",
        f"{visible(TEXTS[name])[:40]}.py",
    )
    for format_ in ("svg", "png", "dot", "mmd", "txt", "json"):
        assert draw(found, format_, View(legend=True, data=True))
    picture = read(draw(found, "dot").decode())
    assert pressed(picture.text("n2")).startswith(pressed(visible(TEXTS[name]))[:60])


def test_a_long_name_is_broken_into_a_few_lines_and_cut() -> None:
    label = read(draw(graph_with("x" * 500), "dot").decode()).nodes["n2"]["label"]
    name, *small = plain(label).split("\n")
    assert (len(name) <= 40, len(small) <= 6, all(len(line) <= 70 for line in small)) == (True, True, True)


@pytest.mark.parametrize("link", ["", "https://forge/x"])
def test_one_name_is_one_line_of_text_in_an_svg(link: str) -> None:
    """A reader's font is not as wide as that of the layout: pieces would lie on each other."""
    [found] = compile_source(
        "from flowgraph import step, workflow\n@workflow\nasync def flow(n):\n    await step(f'a-{n}-b-{n}', f)\n"
    )
    [step] = [element for element in svg_of(found, View(link=link)).iter() if element.get("class") == "node step"]
    texts = [element for element in step.iter() if element.tag.endswith("}text")]
    assert ["".join(text.itertext()) for text in texts] == ["a-{n}-b-{n}", "f"]
    assert all(above.get("y") != below.get("y") for above, below in pairwise(texts))
