"""Questions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flowgraph.model import RunQuery, RunStatus
from flowgraph.model.store import Find, List, Start
from tests.stores.rig import NOW, Rig


def listed(rig: Rig, **query: object) -> list[str]:
    return [row.id for row in rig.store.ask(List(RunQuery(**query)))]  # type: ignore[arg-type]


def moment(us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)


def test_a_missing_run_is_not_found(rig: Rig) -> None:
    assert rig.store.ask(Find("nobody")) is None


def test_a_run_is_found_by_its_exact_id(rig: Rig) -> None:
    rig.pending("Run")
    assert rig.store.ask(Find("run")) is None
    assert rig.row("Run").id == "Run"


def test_runs_are_listed_newest_first(rig: Rig) -> None:
    for run_id in "abc":
        rig.pending(run_id)
    assert listed(rig) == ["c", "b", "a"]


def test_a_list_is_limited_and_goes_on_after_the_page_before(rig: Rig) -> None:
    for run_id in "abcde":
        rig.pending(run_id)
    assert listed(rig, limit=2) == ["e", "d"]
    assert listed(rig, limit=2, after="d") == ["c", "b"]
    assert listed(rig, after="a") == []
    assert listed(rig, after="nobody") == []


def test_a_list_is_filtered_by_workflow_and_status(rig: Rig) -> None:
    rig.pending("a", "x")
    rig.pending("b", "y")
    rig.running("c", "y")
    assert listed(rig, workflow="y") == ["c", "b"]
    assert listed(rig, status=RunStatus.PENDING) == ["b", "a"]
    assert listed(rig, status="running") == ["c"]
    assert listed(rig, workflow="y", status=RunStatus.PENDING) == ["b"]


def test_a_list_is_filtered_by_the_moment_of_the_start(rig: Rig) -> None:
    for k, run_id in enumerate("abc"):
        rig.pending(run_id, now_us=NOW + k)
    assert listed(rig, since=moment(NOW + 1)) == ["c", "b"]
    assert listed(rig, until=moment(NOW + 1)) == ["a"]
    assert listed(rig, since=moment(NOW + 1), until=moment(NOW + 2)) == ["b"]


def test_a_list_is_filtered_by_all_tags(rig: Rig) -> None:
    rig.pending("a", tags={"team": "blue", "env": "test"})
    rig.pending("b", tags={"team": "blue"})
    rig.pending("c", tags={"team": "red", "env": "test"})
    rig.pending("d")
    assert listed(rig, tags={"team": "blue"}) == ["b", "a"]
    assert listed(rig, tags={"team": "blue", "env": "test"}) == ["a"]
    assert listed(rig, tags={"team": "green"}) == []
    assert listed(rig, tags={"team": "it's", "x": '"'}) == []


def test_a_listed_run_has_its_tags(rig: Rig) -> None:
    rig.pending("a", tags={"k": "1"})
    rig.pending("b", tags={"k": "2", "l": "3"})
    rig.pending("c")
    assert [row.tags for row in rig.store.ask(List(RunQuery()))] == [{}, {"k": "2", "l": "3"}, {"k": "1"}]


def test_outcomes_are_those_of_the_runs_that_exist(rig: Rig) -> None:
    rig.finished("done")
    rig.pending("open")
    rig.finished("failed", RunStatus.FAILED)
    outcomes = rig.outcomes("done", "open", "failed", "nobody", "done")
    assert {run_id: outcome.status for run_id, outcome in outcomes.items()} == {
        "done": "completed",
        "open": "pending",
        "failed": "failed",
    }
    assert outcomes["done"].output == '"done"'
    assert rig.outcomes() == {}


def test_a_thousand_outcomes_are_one_question(rig: Rig) -> None:
    rig.do(*[Start(f"r{k}", "wf", "{}", NOW) for k in range(1000)])
    assert len(rig.outcomes(*[f"r{k}" for k in range(1000)])) == 1000


def test_a_question_sees_what_was_applied_before_it(rig: Rig) -> None:
    no = rig.running()
    for sequence in range(1, 20):
        rig.save(no, sequence)
        assert len(rig.history(no)) == sequence


def test_a_long_history_comes_back_whole(rig: Rig) -> None:
    from tests.stores.rig import saved

    no = rig.running()
    for first in range(0, 3000, 500):
        rig.do(*[saved(no, first + k + 1, payload=f'"{first + k}"', node="ß") for k in range(500)])
    assert [checkpoint.payload for checkpoint in rig.history(no)] == [f'"{k}"' for k in range(3000)]
