"""Every way of a graph is a line of its picture, and every line is a way of the graph, for every construct."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flowgraph import Graph
from flowgraph.model.graph import Node
from flowgraph.render import View, theme
from tests.render.pictures import Drawn, drawn
from tests.render.sources import SOURCES, graph

ENDS = {"fail", "abort", "raise"}
Way = tuple[str, str]


def shape_of(node: Node) -> str:
    return f"n{node.id}"


def lines(picture: Drawn, kind: str) -> list[Way]:
    """The lines of a kind, from the head of the frame that they leave, if they leave one."""
    return [
        (values.get("ltail", source).removeprefix("cluster_"), target)
        for source, target, values in picture.edges
        if kind_of(values) == kind
    ]


def kind_of(values: dict[str, str]) -> str:
    if values.get("style") == "invis":
        return "order"
    return next(kind for kind in ("back", "exception", "data", "control") if is_drawn_as(kind, values))


def is_drawn_as(kind: str, values: dict[str, str]) -> bool:
    return theme.LINES[kind].items() <= values.items()


def ways(graph: Graph, picture: Drawn) -> set[Way]:
    """The ways from one shape to the next, without those to the end that the shape of an exit tells already."""
    return {
        (origin, shape_of(target))
        for node in graph.nodes
        if (origin := origin_of(graph, node, picture)) is not None
        for target in after(graph, node, picture)
        if origin != shape_of(target) or is_repeated(graph, node)
        if not (node.kind in ENDS and target.kind in ("end", "join"))
    }


def is_repeated(graph: Graph, node: Node) -> bool:
    return any(edge.source == edge.target == node.id for edge in graph.edges)


def origin_of(graph: Graph, node: Node, picture: Drawn) -> str | None:
    """The shape at which the ways from a node begin: those from the start of a step's own steps begin at the step."""
    if node.kind == "start" and node.region is not None:
        return shape_of(graph.node(node.region))
    return shape_of(node) if shape_of(node) in picture.nodes else None


def after(graph: Graph, node: Node, picture: Drawn) -> Iterator[Node]:
    """The next nodes with a shape."""
    waiting, seen = [node.id], set[str]()
    while waiting:
        for edge in graph.edges:
            if edge.source == waiting[0] and edge.kind in ("control", "back") and edge.target not in seen:
                seen.add(edge.target)
                target = graph.node(edge.target)
                if shape_of(target) in picture.nodes:
                    yield target
                else:
                    waiting.append(target.id)
        waiting.pop(0)


@pytest.mark.parametrize("name", SOURCES)
def test_every_way_of_the_graph_is_a_line_and_every_line_is_a_way(name: str) -> None:
    picture = drawn(graph(name))
    assert {*lines(picture, "control"), *lines(picture, "back")} == ways(graph(name), picture)


@pytest.mark.parametrize("name", SOURCES)
def test_every_step_has_one_shape_and_no_line_ends_at_nothing(name: str) -> None:
    picture = drawn(graph(name), View(data=True))
    steps = [shape_of(node) for node in graph(name).steps]
    assert len(set(steps)) == len(steps)
    assert set(steps) <= set(picture.nodes)
    assert {end for source, target, _ in picture.edges for end in (source, target)} <= set(picture.nodes)
    frames = {values["ltail"] for _, _, values in picture.edges if "ltail" in values}
    assert frames <= set(picture.inside)


@pytest.mark.parametrize("name", SOURCES)
def test_no_line_is_drawn_twice(name: str) -> None:
    picture = drawn(graph(name), View(data=True))
    told = [
        (values.get("ltail", source), target, kind_of(values), values.get("label"))
        for source, target, values in picture.edges
        if kind_of(values) != "order"
    ]
    assert len(set(told)) == len(told)


@pytest.mark.parametrize("name", SOURCES)
def test_a_line_that_leaves_a_frame_begins_inside_it_and_ends_outside(name: str) -> None:
    picture = drawn(graph(name))
    for source, target, values in picture.edges:
        if (frame := values.get("ltail")) is not None:
            assert source in picture.inside[frame]
            assert target not in picture.inside[frame]


@pytest.mark.parametrize("name", SOURCES)
def test_what_comes_after_a_frame_is_reached_from_all_of_it(name: str) -> None:
    picture = drawn(graph(name))
    for source, target, values in picture.edges:
        inside = picture.inside.get(f"cluster_{source}")
        if inside is not None and target not in inside and kind_of(values) not in ("order", "back"):
            assert values.get("ltail") == f"cluster_{source}"


@pytest.mark.parametrize("name", SOURCES)
def test_each_handler_is_reached_once_from_the_frame_of_its_try(name: str) -> None:
    found = graph(name)
    picture = drawn(found)
    exceptions = lines(picture, "exception")
    for handler in (node for node in found.nodes if node.kind == "handler"):
        around = {
            shape_of(found.node(edge.source))
            for edge in found.edges
            if edge.kind == "exception" and edge.target == handler.id and found.node(edge.source).kind == "try"
        }
        reached = [source for source, target in exceptions if target == shape_of(handler)]
        assert len(around) == 1
        assert sorted(one for one in reached if one in around) == sorted(around)
        others = {picture.nodes[one]["class"] for one in reached if one not in around}
        assert others <= {"raise", "fail", "abort"}


@pytest.mark.parametrize("name", SOURCES)
def test_a_label_of_a_way_is_on_its_line(name: str) -> None:
    found = graph(name)
    picture = drawn(found)
    told = {(source, target, label) for source, target, label in labels(picture)}
    for edge in found.edges:
        ends = shape_of(found.node(edge.source)), shape_of(found.node(edge.target))
        if edge.label and edge.kind in ("control", "back") and set(ends) <= set(picture.nodes):
            assert (*ends, edge.label) in told


def labels(picture: Drawn) -> Iterator[tuple[str, str, str]]:
    for source, target, values in picture.edges:
        yield values.get("ltail", source).removeprefix("cluster_"), target, values.get("label", "").strip()


@pytest.mark.parametrize("depth", range(4))
@pytest.mark.parametrize("name", SOURCES)
def test_at_every_depth_each_line_ends_at_a_shape_and_each_shape_is_reached(name: str, depth: int) -> None:
    picture = drawn(graph(name), View(depth=depth, data=True))
    assert {end for source, target, _ in picture.edges for end in (source, target)} <= set(picture.nodes)
    frames = {values["ltail"] for _, _, values in picture.edges if "ltail" in values}
    assert frames <= set(picture.inside)
    reached = {target for _, target, _ in picture.edges}
    assert set(picture.nodes) - reached == entrances(graph(name)) & set(picture.nodes)
    deepest = max((sum(one in inside for inside in picture.inside.values()) for one in picture.nodes), default=0)
    assert deepest <= depth


def entrances(graph: Graph) -> set[str]:
    """The start, and code that nothing leads to."""
    return {shape_of(node) for node in graph.nodes} - {f"n{edge.target}" for edge in graph.edges if edge.kind != "data"}


@pytest.mark.parametrize("name", SOURCES)
def test_what_is_near_every_step_can_be_shown_alone(name: str) -> None:
    found = graph(name)
    for node in found.steps:
        picture = drawn(found, View(focus=node.path, hops=1))
        assert shape_of(node) in picture.nodes
        assert {end for source, target, _ in picture.edges for end in (source, target)} <= set(picture.nodes)
        frames = {values["ltail"] for _, _, values in picture.edges if "ltail" in values}
        assert frames <= set(picture.inside)
