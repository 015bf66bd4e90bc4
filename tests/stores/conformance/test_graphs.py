"""Graphs: kept once by their fingerprints, found by workflow and by run."""

from __future__ import annotations

from flowgraph.model.store import Bind, Claim, GraphOfRun, GraphRow, GraphsOf, KeepGraph, Start
from tests.stores.rig import LATER, NOW, Rig

GRAPH = GraphRow("f1", "wf", '{"nodes":[]}', "[]", '[["","","code:1"]]')
MOVED = GraphRow("f1", "wf", '{"nodes":[],"line":7}', "[]", '[["","","code:2"]]')
OTHER = GraphRow("f2", "wf", '{"nodes":[1]}', '[{"code":"FG101"}]', "[]")


def keep(rig: Rig, row: GraphRow, now_us: int = NOW) -> None:
    assert rig.do(KeepGraph(row, now_us)) is True


def graphs(rig: Rig, workflow: str = "wf", most: int = 10) -> list[GraphRow]:
    return rig.store.ask(GraphsOf(workflow, most))


def bound(rig: Rig, run_id: str = "r") -> str | None:
    return rig.row(run_id).fingerprint


def test_a_graph_is_kept_with_all_that_belongs_to_it(rig: Rig) -> None:
    keep(rig, OTHER)
    assert graphs(rig) == [OTHER]
    assert graphs(rig, "another") == []


def test_the_same_graph_is_kept_once_and_writes_nothing(rig: Rig) -> None:
    keep(rig, GRAPH)
    keep(rig, GRAPH)
    assert not rig.store.wrote
    assert graphs(rig) == [GRAPH]


def test_a_graph_that_was_compiled_anew_is_brought_up_to_date(rig: Rig) -> None:
    keep(rig, GRAPH)
    keep(rig, MOVED)
    assert graphs(rig) == [MOVED]


def test_the_graphs_that_were_compiled_last_come_first(rig: Rig) -> None:
    keep(rig, OTHER, NOW + 1)
    keep(rig, GRAPH, NOW)
    assert graphs(rig) == [OTHER, GRAPH]
    keep(rig, MOVED, LATER)
    assert graphs(rig, most=1) == [MOVED]


def test_a_run_that_nobody_has_executed_has_no_graph(rig: Rig) -> None:
    rig.do(Start("r", "wf", "{}", NOW, fingerprint="f1"))
    assert bound(rig) is None
    assert rig.store.ask(GraphOfRun("r")) is None


def test_a_run_that_is_started_as_claimed_is_bound_with_its_start(rig: Rig) -> None:
    rig.running(fingerprint="f1")
    keep(rig, GRAPH)
    assert bound(rig) == "f1"
    assert rig.store.ask(GraphOfRun("r")) == GRAPH


def test_a_claim_binds_the_runs_of_the_workflows_whose_graphs_are_known(rig: Rig) -> None:
    rig.pending("a", "one")
    rig.pending("b", "two")
    claimed = rig.do(Claim(rig.worker, ("one", "two"), 10, LATER, {"one": "f1"}))
    assert {run.id: run.fingerprint for run in claimed.runs} == {"a": "f1", "b": None}
    assert (bound(rig, "a"), bound(rig, "b")) == ("f1", None)


def test_a_claim_leaves_the_graph_of_before_where_it_knows_no_other(rig: Rig) -> None:
    no = rig.running(fingerprint="f1")
    rig.release(no)
    rig.claim()
    assert bound(rig) == "f1"


def test_an_owned_run_is_bound_later(rig: Rig) -> None:
    no = rig.running()
    assert rig.do(Bind(no, 1, "f2")) is True
    assert bound(rig) == "f2"


def test_many_runs_are_bound_in_one_batch(rig: Rig) -> None:
    first, second = rig.running("a"), rig.running("b")
    assert rig.do(Bind(first, 1, "f1"), Bind(second, 1, "f2"), Bind(second, 9, "f3")) == [True, True, False]
    assert (bound(rig, "a"), bound(rig, "b")) == ("f1", "f2")


def test_a_stale_worker_binds_nothing(rig: Rig) -> None:
    no = rig.running()
    rig.release(no)
    assert rig.do(Bind(no, 1, "f2")) is False
    assert bound(rig) is None
