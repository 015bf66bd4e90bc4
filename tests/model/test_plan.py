"""`Plan`: which node a step of a run is."""

from __future__ import annotations

import pytest

from flowgraph.model import child_path, item_path
from flowgraph.model.graph import Node
from flowgraph.model.plan import UNPLANNED, Plan

NODES = [
    Node("1", "start", ""),
    Node("2", "step", "fetch", "fetch"),
    Node("3", "step", "page-{n}", "page-{n}"),
    Node("4", "step", "page-{n}-{m}", "page-{n}-{m}"),
    Node("5", "map", "charge", "charge"),
    Node("6", "step", "mail", "charge[{index}]/mail"),
    Node("7", "sleep", "fetch", "fetch"),
    Node("8", "progress", "fetch", "fetch"),
    Node("9", "batch", "part", "part-{k}"),
    Node("10", "step", "x", 'tag-{d["a/b"]}-{f"{x}"}'),
    Node("11", "step", "fetch", "fetch"),
    Node("12", "step", "odd{", "odd{"),
    Node("13", "listen", "{name}", "{name}"),
]


@pytest.mark.parametrize(
    ("path", "kind", "node"),
    [
        ("fetch", "step", "2"),
        ("fetch", "sleep", "7"),
        ("fetch", "progress", "8"),
        ("fetch", "map", UNPLANNED),
        ("fetch/deeper", "step", UNPLANNED),
        ("page-7", "step", "3"),
        ("page-", "step", "3"),
        ("page-7-8", "step", "4"),
        (child_path("", "page-a/b[0]"), "step", "3"),
        ("page-7/inner", "step", UNPLANNED),
        ("xpage-7", "step", UNPLANNED),
        ("charge", "map", "5"),
        (item_path("charge", 3), "step", "5"),
        (item_path("charge", 3, 'user "7"/x'), "step", "5"),
        ("charge[3]/mail", "step", "6"),
        ('charge["k"]/mail', "step", "6"),
        ("charge/mail", "step", UNPLANNED),
        ("part-a", "batch", "9"),
        ("part-a[2]", "step", "9"),
        ("tag-1-2", "step", "10"),
        ("odd{", "step", "12"),
        ("anything", "listen", "13"),
        ("anything", "step", UNPLANNED),
    ],
)
def test_a_step_is_bound_by_its_path_and_kind(path: str, kind: str, node: str) -> None:
    plan = Plan(NODES)
    assert [plan.node(path, kind), plan.node(path, kind)] == [node, node]


def test_hundreds_of_templates_are_told_apart() -> None:
    plan = Plan([Node(str(number), "step", "", f"part-{number}-{{n}}") for number in range(1, 400)])
    assert [plan.node(f"part-{number}-x", "step") for number in (1, 399, 400)] == ["1", "399", UNPLANNED]


def test_a_plan_is_complete_unless_something_is_unknown() -> None:
    assert Plan(NODES).is_complete
    assert not Plan([*NODES, Node("14", "unknown", "a handler that is made by a call")]).is_complete
