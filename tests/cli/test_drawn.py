"""What ``flowgraph draw`` draws: targets of every kind, its options, folders, runs, and what it says to the rest."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sysconfig
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from flowgraph import Client, compile_file
from flowgraph.cli.target import load_target
from flowgraph.render import draw
from tests.cli.shell import Flows, Here, Shell
from tests.render.hostile import TEXTS
from tests.render.pictures import Drawn, read

PURE = shutil.which("graphviz-pure", path=sysconfig.get_path("scripts"))
HEAD = "from flowgraph import step, workflow\n"
LOUD = "from pathlib import Path\nPath('imported').touch()\n"
ONE = (
    f"{LOUD}{HEAD}@workflow\nasync def one(n):\n    await step('a', print)\n    if n:\n        await step('b', print)\n"
)
TWO = (
    f"{LOUD}{HEAD}@workflow\nasync def order(items):\n    for item in items:\n"
    "        await step(f'reserve-{item}', print)\n    await step.execute_workflow('ship', ship)\n"
    "@workflow(name='shipping')\nasync def ship():\n    await step('book', print)\n"
)


@pytest.fixture(autouse=True)
def files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with one workflow, one with two, and a package with both. All of them leave a trace where they are run."""
    monkeypatch.setenv("FLOWGRAPH_DOT", PURE or "dot")
    for place in (folder, folder / "shop", folder / "shop" / "deep"):
        place.mkdir(exist_ok=True)
        (place / "one.py").write_text(ONE)
        (place / "two.py").write_text(TWO)
    (folder / "shop" / "__init__.py").write_text(LOUD)
    (folder / "shop" / "deep" / "__init__.py").write_text(LOUD)
    (folder / "shop" / "plain.py").write_text("x = 1\n")


@pytest.fixture(autouse=True)
def _nothing_is_run(files: None, folder: Path) -> object:
    yield
    assert not (folder / "imported").exists()


def dot(here: Here, *arguments: str) -> Drawn:
    done = here("draw", *arguments, "--format", "dot")
    assert (done.code, done.err) == (0, "")
    return read(done.out)


# Targets --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "workflows"),
    [
        ("one.py", ["one"]),
        ("./one.py", ["one"]),
        ("one", ["one"]),
        ("one:one", ["one"]),
        ("two.py:order", ["order"]),
        ("two.py:ship", ["shipping"]),
        ("two.py:shipping", ["shipping"]),
        ("two.py", ["order", "shipping"]),
        ("shop.one", ["one"]),
        ("shop.deep.two:ship", ["shipping"]),
        ("shop.deep", ["one", "order", "shipping"]),
        ("shop/deep", ["one", "order", "shipping"]),
        ("shop/deep/", ["one", "order", "shipping"]),
        ("shop", ["one", "order", "shipping"] * 2),
    ],
)
def test_a_target_is_found_and_not_run(here: Here, target: str, workflows: list[str]) -> None:
    done = here("draw", target)
    assert (done.code, done.err) == (0, "")
    heads = [above for above, below in zip(done.out.splitlines(), done.out.splitlines()[1:], strict=False)
             if re.match(r"\w+\.py:\d+ · ", below)]  # fmt: skip
    assert heads == workflows


def test_the_source_may_come_from_stdin(shell: Shell) -> None:
    done = shell("draw", "-", stdin=ONE)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0] == "one"
    assert "─ a" in done.out


def test_graphs_may_come_from_stdin(shell: Shell) -> None:
    graphs = json.dumps([graph.to_json() for graph in compile_file("two.py")])
    done = shell("draw", "-", "--format", "mmd", stdin=graphs)
    assert (done.code, done.err) == (0, "")
    assert done.out.count("flowchart TD") == 2


def test_a_file_of_graphs_is_drawn_as_its_source(here: Here, folder: Path) -> None:
    graphs = [graph.to_json() for graph in compile_file("two.py")]
    (folder / "graphs.json").write_text(json.dumps({"version": 1, "graphs": graphs}))
    for name in ("order", "shipping"):
        assert here("draw", f"graphs.json:{name}").out == here("draw", f"two.py:{name}").out
    assert here("draw", "graphs.json").out == here("draw", "two.py").out
    assert here("draw", "graphs.json:nope").sentence.endswith("no workflow 'nope'. Its workflows: order, shipping.")


def test_a_graph_that_was_drawn_as_json_is_drawn_again(here: Here) -> None:
    for name, text in TEXTS.items():
        Path("hostile.py").write_text(f"{HEAD}@workflow\nasync def flow():\n    await step({text!a}, print)\n")
        first = here("draw", "hostile.py", "-o", "hostile.json")
        assert first.code == 0, name
        again = here("draw", "hostile.json")
        assert (again.code, again.err) == (0, ""), name
        assert again.out == here("draw", "hostile.py").out


@pytest.mark.parametrize("target", ["two.py:order", "shop/deep/two.py:order"])
def test_the_picture_of_the_command_is_that_of_the_library(here: Here, target: str) -> None:
    [graph, _] = compile_file(target.partition(":")[0])
    for format_ in ("svg", "png", "dot", "mmd", "json", "txt"):
        assert here("draw", target, "-o", f"out/x.{format_}").code == 0
        assert Path(f"out/x.{format_}").read_bytes() == draw(graph, format_)


# Output ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("format_", "begins"), [("svg", b"<?xml"), ("png", b"\x89PNG\r\n"), ("json", b"{")])
def test_a_picture_may_go_to_stdout(capfdbinary: pytest.CaptureFixture[bytes], format_: str, begins: bytes) -> None:
    from flowgraph.cli.commands import call

    assert call(["draw", "one.py", "-o", "-", "--format", format_]) == 0
    out, err = capfdbinary.readouterr()
    assert (out[: len(begins)], err) == (begins, b"")


@pytest.mark.parametrize("name", ["x.SVG", "x.gv", "x.mermaid", "a b/ü 😀.svg"])
def test_names_of_files_may_be_written_otherwise(here: Here, name: str) -> None:
    done = here("draw", "one.py", "-o", name)
    assert (done.code, Path(name).is_file()) == (0, True)
    assert done.sentence.startswith(f"Drew one to {name}")


def test_a_file_is_replaced_whole_and_leaves_nothing_beside_it(here: Here) -> None:
    Path("out").mkdir()
    Path("out/x.svg").write_text("old")
    assert here("draw", "one.py", "-o", "out/x.svg").code == 0
    assert Path("out/x.svg").read_text().startswith("<?xml")
    assert here("draw", "one.py:nope", "-o", "out/x.svg").code == 2
    assert [file.name for file in Path("out").iterdir()] == ["x.svg"]


class Links(HTMLParser):
    """Where a page leads to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.targets: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src"):
                self.targets.add(value or "")
            elif name == "id":
                self.anchors.add(value or "")


@pytest.mark.parametrize("format_", ["svg", "png", "mmd", "txt"])
def test_a_page_leads_to_every_picture_of_its_folder(here: Here, format_: str) -> None:
    done = here("draw", "shop", "-o", "out/", "--format", format_)
    assert done.sentence == "Drew 6 workflows to out; see out/index.html."
    page = Links(Path("out/index.html").read_text())
    files = {unquote(target) for target in page.targets if not target.startswith("#")}
    assert files == {file.name for file in Path("out").iterdir()} - {"index.html"}
    assert len(files) == 6
    assert {target[1:] for target in page.targets if target.startswith("#")} == page.anchors


def test_a_folder_that_is_there_needs_no_slash(here: Here) -> None:
    Path("out").mkdir()
    assert here("draw", "two.py", "-o", "out").sentence == "Drew 2 workflows to out; see out/index.html."


@pytest.mark.parametrize("name", [name for name, text in TEXTS.items() if text])
def test_a_workflow_of_any_name_has_a_file_in_the_folder(here: Here, name: str) -> None:
    source = f"{HEAD}@workflow(name={TEXTS[name]!a})\nasync def flow():\n    await step('a', print)\n"
    other = f"@workflow(name={TEXTS[name] + '.'!a})\nasync def other():\n    pass\n"
    Path("named.py").write_text(source + other)
    done = here("draw", "named.py", "-o", "out/")
    assert done.code == 0
    files = sorted(file.name for file in Path("out").iterdir())
    assert len(files) == 3
    assert not [file for file in files if re.search(r"[/\\<>:\"|?*\s]", file)]
    targets = {unquote(target) for target in Links(Path("out/index.html").read_text()).targets}
    assert set(files) - {"index.html"} <= targets


def test_a_name_that_leads_out_of_the_folder_stays_in_it(here: Here) -> None:
    Path("named.py").write_text(f"{HEAD}@workflow(name='../../x')\nasync def flow():\n    await step('a', print)\n")
    assert here("draw", "named.py", "-o", "out/").code == 0
    assert len(list(Path("out").iterdir())) == 2


def test_children_lead_to_the_picture_of_their_own_module(here: Here) -> None:
    for package in ("here", "there"):
        Path(package).mkdir()
        (Path(package) / f"{package}.py").write_text(TWO.replace("name='shipping'", f"name='shipping-{package}'"))
    assert here("draw", "here", "-o", "both/").code == 0
    Path("all").mkdir()
    shutil.move("here", "all/here")
    shutil.move("there", "all/there")
    assert here("draw", "all", "-o", "both/").code == 0
    for package in ("here", "there"):
        root = ElementTree.parse(f"both/{package}.order.svg").getroot()
        links = {value for element in root.iter() for name, value in element.attrib.items() if name.endswith("href")}
        assert links == {f"shipping-{package}.svg"}


# Options --------------------------------------------------------------------------------------------------------------


def test_depth_closes_what_is_deeper(here: Here) -> None:
    picture = dot(here, "two.py:order", "--depth", "0")
    assert picture.text(picture.named("for item in items")).endswith("contains 1 step [+]")
    assert not picture.inside
    opened = dot(here, "two.py:order", "--depth", "1")
    assert opened.named("reserve-{item}") in opened.inside["cluster_n2"]


@pytest.mark.parametrize(("hops", "shown"), [("0", {"b", "…"}), ("1", {"n", "b", "end", "…"})])
def test_focus_shows_what_is_near(here: Here, hops: str, shown: set[str]) -> None:
    picture = dot(here, "one.py", "--focus", "b", "--hops", hops)
    assert {picture._end(name) for name in picture.nodes} == shown


def test_a_legend_link_and_theme_are_as_asked(here: Here) -> None:
    picture = dot(here, "one.py", "--legend", "--link", "https://forge/{path}#L{line}")
    assert {picture.nodes[name]["label"] for name in picture.inside["cluster_legend"]} == {"step", "condition"}
    assert picture.nodes[picture.named("a")]["URL"] == "https://forge/one.py#L6"
    for theme, told in (("auto", "@media (prefers-color-scheme:dark)"), ("dark", '[fill="#ddf4ff"]{fill:')):
        assert here("draw", "one.py", "--theme", theme, "-o", f"{theme}.svg").code == 0
        assert told in Path(f"{theme}.svg").read_text()
    assert here("draw", "one.py", "--theme", "light", "-o", "light.svg").code == 0
    assert "prefers-color-scheme" not in Path("light.svg").read_text()


def test_a_link_has_the_place_of_the_file(here: Here, folder: Path) -> None:
    picture = dot(here, "one.py", "--link", "vscode://file/{abs}:{line}")
    assert picture.nodes[picture.named("a")]["URL"] == f"vscode://file/{folder}/one.py:6"


@pytest.mark.parametrize("engine", [engine for engine in (shutil.which("dot"), PURE) if engine])
def test_links_with_names_that_mean_something_to_svg_are_drawn(
    here: Here, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWGRAPH_DOT", engine)
    Path("odd & <b>.py").write_text(f"{HEAD}@workflow\nasync def flow():\n    await step('\"<x>&\"', print)\n")
    done = here("draw", "odd & <b>.py", "-o", "x.svg", "--link", "https://forge/{path}?step={name}")
    assert done.code == 0
    ElementTree.parse("x.svg")


def test_data_is_drawn_on_request(here: Here) -> None:
    Path("data.py").write_text(
        f"{HEAD}@workflow\nasync def flow():\n    r = await step('a', print)\n    await step('b', print, r)\n"
    )
    assert ("a", "b", "r") in dot(here, "data.py", "--data").ways()
    assert ("a", "b", "r") not in dot(here, "data.py").ways()


# Trouble --------------------------------------------------------------------------------------------------------------


TROUBLE = [
    ("none.py", "none.py cannot be read: No such file or directory."),
    ("none.json", "none.json cannot be read: No such file or directory."),
    ("shop/none", "'shop/none' is neither a file or folder nor a module's name: write "),
    ("one.nope", "There is no module 'one.nope' here or on the Python path."),
    ("one.py:", "'one.py:' is no target: write "),
    ("bad.py", "bad.py:1:"),
    ("bad.json", "bad.json is no valid JSON: "),
    ("empty", "empty has no workflow. Decorate an `async def` function with @workflow."),
    ("empty -o out/", "empty has no workflow. Decorate an `async def` function with @workflow."),
    ("one.py -o x.jpeg", "path='x.jpeg': its name ends with one of .svg, .png, .dot, .mmd, .json, .txt."),
    ("one.py -o x", "path='x': its name ends with one of .svg, .png, .dot, .mmd, .json, .txt."),
    ("one.py -o one.py/x.svg", "one.py/x.svg cannot be written: "),
    ("one.py -o taken.svg", "Drew 1 workflow to taken.svg; see taken.svg/index.html."),
    ("one.py -o one.py/", "one.py/one.svg cannot be written: "),
    ("shop -o x.svg", "shop has 6 workflows: one, order, ship, one, order, ship. Say which, for example shop:one."),
    ("one.py --focus nope", "focus='nope': the steps of 'one' are 'a', 'b'."),
    ("one.py --focus nope -o x.svg", "focus='nope': the steps of 'one' are 'a', 'b'."),
    ("one.py --link {x}", "link='{x}': what may stand in it is {path}, {abs}, {line}, {name}, {workflow}."),
    ("one.py --link {", "link='{': what may stand in it is {path}, {abs}, {line}, {name}, {workflow}."),
    ("one.py --link {line.x}", "link='{line.x}': what may stand in it is "),
    ("--run r1 --store sqlite:///none.db", ""),
    ("one.py --run r1 --store nonsense", ""),
    ("one.py --run r1 --store sqlite:///bad.py", ""),
]


@pytest.mark.parametrize(("arguments", "sentence"), TROUBLE, ids=[row[0] for row in TROUBLE])
def test_trouble_is_told_in_one_line(here: Here, arguments: str, sentence: str) -> None:
    Path("bad.py").write_text("async def f(:\n")
    Path("bad.json").write_text("{")
    Path("empty").mkdir()
    Path("taken.svg").mkdir()
    done = here("draw", *arguments.split())
    told = done.sentence.removeprefix("flowgraph: ")
    assert told.startswith(sentence)
    assert done.code == (0 if told.startswith("Drew") else 2)
    assert not Path("x.svg").exists()


@pytest.mark.parametrize("option", ["--depth x", "--hops -1", "--theme pink", "--format pdf", "--nonsense"])
def test_options_that_are_not_known_are_refused(here: Here, option: str) -> None:
    done = here("draw", "one.py", *option.split())
    assert (done.code, done.out) == (2, "")
    assert "Traceback" not in done.err


def test_a_negative_depth_is_refused(here: Here) -> None:
    done = here("draw", "one.py", "--depth", "-1")
    assert (done.code, done.out) == (2, "")


@pytest.mark.parametrize("name", ["broken.py", "a\nb.py"])
def test_a_link_to_nothing_in_a_folder_is_told_in_one_line(here: Here, name: str) -> None:
    Path(f"shop/{name}").symlink_to("nowhere")
    done = here("draw", "shop")
    assert done.code in (0, 2)
    if done.code:
        assert "cannot be read" in done.sentence


def test_a_file_with_an_error_in_a_folder_is_told_in_one_line(here: Here) -> None:
    Path("shop/broken.py").write_text("@workflow\nasync def f(:\n")
    done = here("draw", "shop", "-o", "out/")
    assert done.code == 2
    assert done.sentence.startswith("flowgraph: shop/broken.py:2:")
    assert not Path("out").exists()


def test_what_is_not_source_of_ours_is_passed_over(here: Here) -> None:
    for name in (".venv/lib", "__pycache__", "node_modules/x", ".hidden"):
        Path(f"shop/{name}").mkdir(parents=True)
        Path(f"shop/{name}/workflow.py").write_text("no workflow (:")
    Path("shop/noise.py").write_bytes(b"\xff\xfe\x00")
    assert here("draw", "shop").code == 0


def test_a_module_of_the_library_without_source_is_refused(here: Here) -> None:
    assert here("draw", "math").code == 2
    assert here("draw", "sys").sentence.startswith("flowgraph: ")


def test_a_picture_too_large_for_mermaid_is_refused_in_one_line(here: Here) -> None:
    steps = "".join(f"    await step('s{number}', print)\n" for number in range(600))
    Path("large.py").write_text(f"{HEAD}@workflow\nasync def flow():\n{steps}")
    done = here("draw", "large.py", "-o", "x.mmd")
    assert done.code == 2
    assert "601 lines" in done.sentence


# Runs -----------------------------------------------------------------------------------------------------------------


RUN = """
    async def refuse():
        raise ValueError("no")
    @workflow
    async def job(n: int):
        await step("first", print)
        for number in range(n):
            await step(f"pass-{number}", print)
        await step.map("all", str, list(range(10)))
        try:
            await step("risky", refuse, max_attempts=1)
        except Exception:
            await step("repair", print)
        else:
            await step("praise", print)
        await step("last", print)
    """


def test_a_run_is_drawn_without_its_source(here: Here, flows: Flows) -> None:
    target = flows(RUN)
    store = ("--store", "sqlite:///runs.db")
    assert here("run", f"{target}:job", "--input", "[3]", "--run-id", "r1", *store).code == 0
    Path(target).unlink()
    done = here("draw", "--run", "r1", *store, "--format", "dot")
    assert (done.code, done.err) == (0, "")
    picture = read(done.out)
    states = {picture._end(name): values["class"].split()[1] for name, values in picture.nodes.items()}
    assert (states["first"], states["pass-{number}"], states["all"]) == ("done", "done", "done")
    assert (states["risky"], states["repair"], states["praise"]) == ("failed", "done", "not-run")
    assert "×3" in picture.text(picture.named("pass-{number}"))
    assert "10/10" in picture.text(picture.named("all"))
    for format_ in ("svg", "png", "mmd", "txt", "json"):
        assert here("draw", "--run", "r1", *store, "-o", f"r1.{format_}").code == 0
    assert b'class="node step failed"' in Path("r1.svg").read_bytes()


def test_a_run_of_code_that_has_changed_is_drawn_as_it_was(here: Here, flows: Flows) -> None:
    target = flows(RUN)
    store = ("--store", "sqlite:///runs.db")
    assert here("run", f"{target}:job", "--input", "[1]", "--run-id", "r1", *store).code == 0
    same = here("draw", f"{target}:job", "--run", "r1", *store)
    assert (same.code, same.err) == (0, "")
    Path(target).write_text(Path(target).read_text().replace('"last"', '"very-last"'))
    done = here("draw", f"{target}:job", "--run", "r1", *store)
    assert done.code == 0
    assert re.fullmatch(
        rf"Run r1 was executed by graph \w{{7}}, which is drawn; {target}:job has become \w{{7}}\.", done.sentence
    )
    assert ("very-last" in done.out, "last" in done.out) == (False, True)


def test_a_run_that_has_not_begun_needs_its_target(here: Here, flows: Flows) -> None:
    target = flows(RUN)

    async def start() -> None:
        async with Client("sqlite:///runs.db") as client:  # It executes nothing.
            await client.start(load_target(f"{target}:job"), 1, run_id="r1")

    asyncio.run(start())
    store = ("--store", "sqlite:///runs.db")
    assert here("draw", "--run", "r1", *store).sentence.startswith("flowgraph: The store has no graph of run r1")
    done = here("draw", f"{target}:job", "--run", "r1", *store)
    assert done.code == 0
    assert "ok" not in done.out.replace("job", "").split()


def test_a_link_of_a_run_is_drawn_again_only_while_it_goes_on(here: Here, flows: Flows) -> None:
    target = flows(RUN)
    store = ("--store", "sqlite:///runs.db")
    assert here("run", f"{target}:job", "--input", "[1]", "--run-id", "r1", *store).code == 0
    assert here("draw", "--run", "r1", *store, "-o", "r1.svg", "--watch").code == 0
    assert here("draw", "--run", "r1", *store, "-o", "r1.svg", "--fail-if-changed").code == 0
    Path("r1.svg").write_text("x")
    assert here("draw", "--run", "r1", *store, "-o", "r1.svg", "--fail-if-changed", "--watch").code == 1
