"""What is drawn of each construct: shapes, frames and lines, read back from the DOT source."""

from __future__ import annotations

import pytest

from flowgraph import compile_file
from flowgraph.errors import InvalidOption
from flowgraph.render import View
from tests.render.pictures import ROOT, Drawn, drawn, graph_of

A, B, C = ('await step("' + name + '", f)' for name in "abc")
S, E = "start", "end"
NESTED = (
    'async def sub():\n    await step("in", f)\nasync def both():\n    await step("x", f)\n    await step("y", f)\n'
)

WAYS = [
    ("one after the other", f"{A}\n{B}", "start -> a; b -> end; a -> b"),
    ("an if", f"if c > 1:\n    {A}\n{B}", "start -> c > 1; b -> end; c > 1 -[no]-> b; c > 1 -[yes]-> a; a -> b"),
    ("a conditional expression", f"({A}) if n else ({B})", "start -> n; b -> end; n -[no]-> b; a -> end; n -[yes]-> a"),
    (
        "an elif",
        f"if c:\n    {A}\nelif n:\n    {B}",
        "start -> branch; b -> end; branch -[n]-> b; branch -[c]-> a; a -> end; branch -[else]-> end",
    ),
    (
        "a match",
        f"match c:\n    case 1:\n        {A}\n    case _:\n        {B}",
        "start -> c; b -> end; c -[_]-> b; c -[1]-> a; a -> end",
    ),
    ("a return", f"if c:\n    return\n{A}", "start -> c; a -> end; c -[no]-> a; c -[yes]-> end"),
    (
        "a for",
        f"for x in xs:\n    {A}\n{B}",
        "start -> for x in xs; b -> end; for x in xs -[each]-> a; a -> for x in xs; a -[done]-> b",
    ),
    ("a while", f"while c:\n    {A}", "start -> while c; a -[no]-> end; while c -[yes]-> a; a -> while c"),
    (
        "a break",
        f"for x in xs:\n    {A}\n    if n:\n        break",
        "start -> for x in xs; for x in xs -[each]-> a; a -> n; n -[no]-> for x in xs; n -[yes]-> end; n -[done]-> end",
    ),
    ("an endless loop", f"while True:\n    {A}", "start -> while True; while True -[yes]-> a; a -> while True"),
    (
        "a try",
        f"try:\n    {A}\nexcept StepFailed:\n    {B}\n{C}",
        "start -> try; b -> c; try -> a; a -> except StepFailed; a -> c; except StepFailed -> b; c -> end",
    ),
    ("a finally", f"try:\n    {A}\nfinally:\n    {B}", "start -> try; b -> end; a -> finally; try -> a; finally -> b"),
    (
        "a raise",
        f"if c:\n    raise ValueError(1)\n{A}",
        "start -> c; c -[yes]-> raise ValueError(1); c -[no]-> a; a -> end",
    ),
    ("a fail", f"if c:\n    step.fail('no stock')\n{A}", "start -> c; c -[no]-> a; c -[yes]-> fail no stock; a -> end"),
    (
        "a gather",
        f"await asyncio.gather(step('a', f), step('b', f))\n{C}",
        "start -> gather; gather -> b; a -> join; gather -> a; join -> c; c -> end; b -> join",
    ),
    ("nested steps", f"await step('p', sub)\n{B}", "start -> p; b -> end; p -> in; in -> b"),
    ("a helper", f"await both()\n{C}", "start -> x; x -> y; c -> end; y -> c"),
]


@pytest.mark.parametrize(("body", "ways"), [row[1:] for row in WAYS], ids=[row[0] for row in WAYS])
def test_the_lines_of_a_construct(body: str, ways: str) -> None:
    found = drawn(graph_of(body, NESTED)).ways()
    texts = {f"{source} -[{label}]-> {target}" if label else f"{source} -> {target}" for source, target, label in found}
    assert texts == set(ways.split("; "))


FRAMES = [
    ("a loop", f"for x in xs:\n    {A}\n{B}", {"loop": {"for x in xs", "a"}}),
    ("its else is beside it", f"for x in xs:\n    {A}\nelse:\n    {B}", {"loop": {"for x in xs", "a"}}),
    ("a try", f"try:\n    {A}\nexcept StepFailed:\n    {B}\nelse:\n    {C}", {"try": {"try", "a"}}),
    (
        "what runs side by side",
        "await asyncio.gather(step('a', f), step('b', f))",
        {"fork": {"gather", "a", "b", "join"}},
    ),
    ("a step with steps", "await step('p', sub)", {"step": {"p", "in"}}),
    ("the callback of a map", "await step.map('p', sub, xs)", {"map": {"p", "in"}}),
    (
        "a loop in a try",
        f"try:\n    for x in xs:\n        {A}\nexcept StepFailed:\n    {B}",
        {"try": {"try", "for x in xs", "a"}, "loop": {"for x in xs", "a"}},
    ),
]


def frames_of(picture: Drawn) -> dict[str, set[str]]:
    """What is in each frame, by the kind of its head."""
    return {
        picture.nodes[names[0]]["class"]: {picture._end(name) for name in names}
        for cluster, names in picture.inside.items()
        if cluster != "cluster_legend"
    }


@pytest.mark.parametrize(("body", "frames"), [row[1:] for row in FRAMES], ids=[row[0] for row in FRAMES])
def test_what_is_inside_a_frame(body: str, frames: dict[str, set[str]]) -> None:
    assert frames_of(drawn(graph_of(body, NESTED))) == frames


SHAPES = [
    (
        'await step("a", fetch, 1, max_attempts=3, timeout="5s")',
        "a\nfetch · 3 attempts · timeout 5s",
        {"shape": None, "fillcolor": "#ddf4ff"},
    ),
    ('await step("a", lambda: fetch(1), at_most_once=True)', "a\nfetch(1) · at most once", {}),
    ('await step.map("a", fetch, n.users, concurrency=5)', "a\nmap n.users · concurrency 5", {"peripheries": "2"}),
    ('await step.for_each("a", fetch, items=xs)', "a\nfor each of xs", {"peripheries": "2"}),
    ('await step.batch("a", fetch, xs, batch_size=100)', "a\nbatch xs · by 100", {"peripheries": None}),
    ('await step.sleep("a", "1d")', "a\nsleep 1d", {"fillcolor": "#f6f8fa"}),
    ('await step.sleep_until("a", n)', "a\nsleep until n", {}),
    (
        'await step.listen("a", timeout="1h")',
        "a\nlisten · timeout 1h",
        {"style": "rounded,filled,dashed", "color": "#bf3989"},
    ),
    ('await step.execute_workflow("a", other, 1)', "a\nworkflow other", {"peripheries": "2", "color": "#bc4c00"}),
    (
        'await step.start_workflow("a", "other", detached=True)',
        "a\nstart workflow other · detached True",
        {"color": "#bc4c00"},
    ),
    ('await step.wait_for_workflow("a", n)', "a\nwait for workflow n", {"style": "rounded,filled,dashed"}),
    ('await step.progress("half done")', "half done", {"shape": "plaintext", "fontcolor": "#1a7f37"}),
    ("step.abort()", "abort", {"shape": "octagon"}),
    ("step.fail(f'no {n}')", "fail no {n}", {"shape": "octagon"}),
    ("await n()", "n() cannot be followed", {"style": "rounded,filled,dashed", "fontname": "Courier"}),
    (f"if c and n:\n    {A}", "c and n", {"shape": "diamond"}),
    (f"for x in xs:\n    {A}", "for x in xs", {"shape": "hexagon"}),
]


@pytest.mark.parametrize(("body", "text", "looks"), SHAPES)
def test_the_shape_of_a_node(body: str, text: str, looks: dict[str, str | None]) -> None:
    picture = drawn(graph_of(body))
    [name] = [name for name in picture.nodes if picture.text(name) == text]
    assert {key: picture.nodes[name].get(key) for key in looks} == looks


def test_holes_of_names_are_told_from_their_text() -> None:
    [label] = [
        values["label"]
        for values in drawn(graph_of('await step(f"user-{n.id}-{{x}}", f)')).nodes.values()
        if "label" in values and "user" in values["label"]
    ]
    assert label.startswith('<<b>user-<font color="#8250df">{n.id}</font>-{x}</b>')


def test_all_exceptions_of_a_try_are_one_line_from_its_frame() -> None:
    picture = drawn(graph_of(f"try:\n    {A}\n    {B}\nexcept StepFailed:\n    {C}"))
    handler = picture.named("except StepFailed")
    lines = [values for _, target, values in picture.edges if target == handler]
    assert [(values["style"], values["color"], values["ltail"]) for values in lines] == [
        ("dashed", "#cf222e", "cluster_n2")
    ]


def test_what_comes_after_a_frame_is_below_it() -> None:
    body = f"for x in xs:\n    if x:\n        {A}\n    else:\n        {B}\n{C}"
    picture = drawn(graph_of(body))
    after = picture.named("c")
    above = {picture._end(source) for source, target, _ in picture.edges if target == after}
    assert above == {"a", "b"}


def test_data_is_drawn_on_request() -> None:
    graph = graph_of('r = await step("a", f)\nawait step("b", f, r)')
    assert ("a", "b", "r") not in drawn(graph).ways()
    assert ("a", "b", "r") in drawn(graph, View(data=True)).ways()


def test_frames_are_closed_below_a_depth() -> None:
    graph = graph_of("for x in xs:\n    for y in x:\n        await step(f'a-{x}-{y}', f)\n" + B)
    assert frames_of(drawn(graph, View(depth=1))) == {"loop": {"for x in xs", "for y in x"}}
    inner = drawn(graph, View(depth=1)).named("for y in x")
    assert drawn(graph, View(depth=1)).text(inner) == "for y in x\ncontains 1 step [+]"


def test_only_what_is_near_a_step_is_shown() -> None:
    graph = graph_of("\n".join(f'await step("s{number}", f)' for number in range(9)))
    picture = drawn(graph, View(focus="s4", hops=1))
    assert [picture._end(name) for name in picture.nodes] == ["s3", "s4", "s5", "…", "…"]
    with pytest.raises(InvalidOption, match="the steps of 'flow' are 's0', 's1'"):
        drawn(graph, View(focus="s99"))


def test_a_legend_has_what_is_in_use() -> None:
    picture = drawn(graph_of(f"{A}\nawait step.sleep('b', 1)"), View(legend=True))
    assert [picture.nodes[name]["label"] for name in picture.inside["cluster_legend"]] == ["step", "durable sleep"]


def test_steps_lead_to_their_lines_and_children_to_their_pictures() -> None:
    graph = graph_of(f"{A}\nawait step.execute_workflow('b', other)")
    picture = drawn(graph, View(link="https://forge/{path}#L{line}", children={"other": "other.svg"}))
    assert picture.nodes[picture.named("a")]["URL"] == "https://forge/flows.py#L6"
    assert picture.nodes[picture.named("b")]["URL"] == "other.svg"


EXAMPLES = [graph for file in sorted((ROOT / "examples").glob("*.py")) for graph in compile_file(file)]


@pytest.mark.parametrize("graph", EXAMPLES, ids=lambda graph: graph.workflow)
def test_every_step_has_a_shape_and_every_line_ends_at_one(graph) -> None:  # type: ignore[no-untyped-def]
    picture = drawn(graph, View(data=True))
    assert len(picture.nodes) == len(set(picture.nodes))
    assert {f"n{node.id}" for node in graph.steps} <= set(picture.nodes)
    assert {end for source, target, _ in picture.edges for end in (source, target)} <= set(picture.nodes)
    entered = {target for _, target, _ in picture.edges}
    assert {name for name in picture.nodes if picture.nodes[name]["class"] != "start"} <= entered
