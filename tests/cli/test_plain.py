"""Plain progress: which rows are worth a line, and how it reads."""

from __future__ import annotations

from collections.abc import Iterable

from flowgraph.cli.plain import TOLD_ITEMS, Teller, to_come_line
from flowgraph.model import Checkpoint
from tests.cli.rows import RUN, Rows, board_of, us


def told(*rows: Checkpoint, run_ids: Iterable[str] = ()) -> list[str]:
    """The lines for rows that come one after another; `run_ids` names the runs that they are of, if it is not one."""
    teller, board, lines = Teller(), board_of(), []
    for run_id, row in zip(run_ids or [RUN] * len(rows), rows, strict=True):
        line = teller.tell(board.add(run_id, row), row, row.finished_us)
        if line is not None:
            lines.append(line)
    return lines


def test_each_end_of_a_step_is_a_line() -> None:
    rows = Rows()
    assert told(rows("a"), rows("b", attempt=3), rows.failed("c", attempt=5), rows.failed("d")) == [
        "a: done in 0.5s",
        "b: done in 0.5s after 3 attempts",
        "c: failed after 5 attempts: ConnectionError: boom",
        "d: failed: ConnectionError: boom",
    ]


def test_a_retry_says_when() -> None:
    row = Rows().failed("a", state="retrying", attempt=1, due=4.4)
    assert told(row) == ["a: attempt 1 failed: ConnectionError: boom; the next in 3s"]


def test_waits_are_lines() -> None:
    rows = Rows()
    assert told(
        rows("approval", "waiting", "listen", detail="approved"),
        rows("audit", "waiting", "execute_workflow", detail="r-2"),
    ) == ["approval: listening for 'approved'", "audit: waiting for run r-2"]


def test_steps_are_told_of_down_to_the_second_level() -> None:
    rows = Rows()
    assert told(rows("a/b/c"), rows("a/b"), rows("a")) == ["a/b: done in 0.5s", "a: done in 0.5s"]


def test_of_a_map_every_tenth_of_the_items_is_a_line() -> None:
    rows = Rows()
    items = [rows("work", "started", "map", payload={"count": 1_000, "digest": None})]
    items += [rows(f"work[{index}]") for index in range(1_000)]
    items += [rows("work", kind="map", took=7, attempt=0, payload={"count": 1_000})]
    lines = told(*items)
    assert len(lines) == 10
    assert lines[0] == "work: 100/1,000 (10 %)"
    assert lines[-1] == "work: 1,000 items done in 7.0s"


def test_of_a_map_of_unknown_length_the_lines_get_rarer() -> None:
    rows = Rows()
    assert told(*(rows(f"work[{index}]") for index in range(300))) == [
        f"work: {number}" for number in (1, 2, 5, 10, 20, 50, 100, 200)
    ]


def test_the_first_failed_items_are_told_of() -> None:
    rows = Rows()
    lines = told(
        rows("work", "started", "map", payload={"count": 400, "digest": None}),
        *(rows.failed(f"work[{index}]", attempt=2) for index in range(39)),
    )
    assert lines == [f"work[{n}]: failed after 2 attempts: ConnectionError: boom" for n in range(TOLD_ITEMS)]


def test_what_happens_inside_an_item_is_not_told() -> None:
    rows = Rows()
    assert told(rows("work[0]/charge"), rows("a/work[0]/b")) == []


def test_a_progress_message_is_told_when_it_is_new_with_each_tenth_and_at_its_end() -> None:
    rows = Rows()
    messages = [rows("load", kind="progress", payload={"done": done, "total": 40}) for done in range(41)]
    lines = told(*messages, rows("tidying up", kind="progress", payload={"done": None, "total": None}))
    assert lines == [f"load: {done}/40" for done in range(0, 41, 4)] + ["tidying up"]


def test_steps_of_a_child_run_are_told_of_below_the_step_that_waits_for_it() -> None:
    rows, child_rows = Rows(), Rows()
    lines = told(
        rows("bill", "waiting", "execute_workflow", detail="r-2"), child_rows("collect"), child_rows("a/b"),
        run_ids=[RUN, "r-2", "r-2"],
    )  # fmt: skip
    assert lines == ["bill: waiting for run r-2", "bill > collect: done in 0.5s"]


def test_nothing_is_said_of_times_before_now() -> None:
    row = Rows().failed("a", state="retrying", due=1.0)
    assert told(row) == ["a: attempt 1 failed: ConnectionError: boom; the next now"]
    assert us(1.0) < row.finished_us


def test_the_end_of_a_step_of_the_graph_says_how_many_have_ended() -> None:
    row = Rows()("a")
    assert Teller().tell(board_of().add(RUN, row), row, row.finished_us, (3, 8)) == "a: done in 0.5s (3 of 8 steps)"


def test_what_is_to_come_is_one_line() -> None:
    assert to_come_line(["a", "b-{n}"]) == "To come: a, b-{n}"
    assert (
        to_come_line([str(number) for number in range(12)]) == "To come: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, and 2 more steps"
    )
