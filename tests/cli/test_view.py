"""The view: which lines are shown, and what they say. Each test is a small table of lines."""

from __future__ import annotations

from datetime import UTC

import msgspec
import pytest

from flowgraph.cli.board import Board
from flowgraph.cli.view import Bar, Glance, Line, run_lines, step_lines
from flowgraph.model import RunStatus
from tests.cli.rows import RUN, Rows, board_of, us

NOW = us(100)


def texts(board: Board, height: int = 50, **glance: object) -> list[str]:
    """The lines, indented, with a bar between name and note."""
    lines = step_lines(board, Glance(NOW, zone=UTC, **glance), height)  # type: ignore[arg-type]
    return [f"{'  ' * (line.depth - 1)}{' | '.join(filter(None, (line.name, line.word, line.note)))}" for line in lines]


def test_a_step_says_how_it_stands_and_how_long_it_took() -> None:
    rows = Rows()
    board = board_of(rows("fetch", took=0.042), rows("store", took=12.3))
    board.begin(RUN, "report", 1, us(37))
    assert step_lines(board, Glance(NOW), 50) == [
        Line(1, "done", "fetch", "", "42ms"),
        Line(1, "done", "store", "", "12s"),
        Line(1, "running", "report", "", "1m 03s"),
    ]


def test_attempts_are_told_of_from_the_second_one() -> None:
    rows = Rows()
    board = board_of(rows("a", attempt=3), rows.failed("b", attempt=5), rows.failed("c", "no"))
    board.begin(RUN, "d", 2, us(99))
    assert texts(board) == [
        "a | done | 3 attempts",
        "b | failed | 5 attempts · ConnectionError: boom",
        "c | failed | ConnectionError: no",
        "d | running | attempt 2",
    ]


def test_a_step_in_its_backoff_says_what_failed_and_when_it_is_tried_again() -> None:
    rows = Rows()
    board = board_of(
        rows.failed("a", state="retrying", attempt=1, due=103.2), rows.failed("b", state="retrying", attempt=4, due=99)
    )
    assert texts(board) == [
        "a | retrying | attempt 2 in 4s · ConnectionError: boom",
        "b | retrying | attempt 5 now · ConnectionError: boom",
    ]


def test_a_wait_says_what_for_and_until_when() -> None:
    rows = Rows()
    board = board_of(
        rows("nap", "waiting", "sleep", due=3_700),
        rows("weekend", "waiting", "sleep_until", due=3 * 86_400),
        rows("approval", "waiting", "listen", detail="approved"),
        rows("answer", "waiting", "listen", detail="answer", due=130),
        rows("audit", "waiting", "execute_workflow", detail="r-2"),
    )
    assert texts(board, status=RunStatus.LISTENING) == [
        "nap | sleeping | until 01:01:40",
        "weekend | sleeping | until 1970-01-04 00:00",
        "approval | listening | for 'approved'",
        "answer | listening | for 'answer' until 00:02:10",
        "audit | waiting | for run r-2",
    ]


def test_a_map_has_a_bar_and_shows_a_handful_of_items() -> None:
    rows = Rows()
    board = board_of(rows("work", "started", "map", payload={"count": 10_000, "digest": None}))
    for index in range(40):
        board.begin(RUN, f"work[{index}]", 1, us(98 if index % 2 else 99.9))
    for index in range(8):
        board.add(RUN, rows(f"work[{index}]"))
    board.add(RUN, rows.failed("work[9]"))
    board.add(RUN, rows.failed("work[10]", state="retrying", due=101))
    lines = step_lines(board, Glance(NOW), 50)
    assert lines[0].bar == Bar(8, 10_000, 1)
    assert texts(board) == [
        "work | running | 9/10,000 · 1 failed",
        "  [9] | failed | ConnectionError: boom",
        "  [10] | retrying | attempt 2 in 1s · ConnectionError: boom",
        "  [11] | running",
        "  [13] | running",
        "  [15] | running",
    ]


def test_items_that_have_just_begun_are_not_shown_since_they_would_flicker() -> None:
    board = board_of(Rows()("work", "started", "map", payload={"count": 10}))
    board.begin(RUN, "work[0]", 1, us(99.8))
    assert texts(board) == ["work | running | 0/10"]


def test_a_map_that_is_done_says_how_many_items_there_were() -> None:
    rows = Rows()
    board = board_of(
        rows("work", "started", "map", payload={"count": 2}),
        rows("work[0]"),
        rows.failed("work[1]", attempt=2),
        rows("work", kind="map", attempt=0, payload={"count": 2}),
        rows("rows[0]"),
        rows("rows", kind="batch", attempt=0, payload={"count": 1}),
    )
    assert texts(board) == [
        "work | done | 2 items · 1 failed",
        "  [1] | failed | 2 attempts · ConnectionError: boom",
        "rows | done | 1 batch",
    ]


def test_a_map_of_unknown_length_has_no_bar() -> None:
    board = board_of(Rows()("work[0]"))
    (line,) = step_lines(board, Glance(NOW), 50)
    assert (line.note, line.bar) == ("1 item", Bar(1, None))


def test_a_progress_message_has_a_bar_where_it_has_numbers() -> None:
    rows = Rows()
    board = board_of(
        rows("importing", kind="progress", payload={"done": 40, "total": 100.5}),
        rows("counting", kind="progress", payload={"done": 1_200, "total": None}),
        rows("nearly there", kind="progress", payload={"done": None, "total": None}),
    )
    assert [(line.name, line.word, line.note, line.bar) for line in step_lines(board, Glance(NOW), 9)] == [
        ("importing", "progress", "40/100.5", Bar(40, 100.5)),
        ("counting", "progress", "1,200", None),
        ("nearly there", "progress", "", None),
    ]


# Fitting a height -----------------------------------------------------------------------------------------------------


def test_of_a_long_run_the_last_steps_are_shown_and_the_others_counted() -> None:
    rows = Rows()
    board = board_of(*(rows(f"s{n}", at=n / 10) for n in range(300)))
    board.begin(RUN, "s300", 1, us(99))
    assert texts(board, 5) == ["… 297 finished steps", "s297 | done", "s298 | done", "s299 | done", "s300 | running"]


def test_failed_steps_and_steps_under_way_come_first() -> None:
    rows = Rows()
    board = board_of(
        rows("a"), rows.failed("b", at=2), *(rows(f"s{n}", at=3 + n) for n in range(9)),
        rows("nap", "waiting", "sleep", due=500),
    )  # fmt: skip
    assert texts(board, 4) == [
        "… 9 finished steps",
        "b | failed | ConnectionError: boom",
        "s8 | done",
        "nap | sleeping | until 00:08:20",
    ]


def test_when_even_those_under_way_are_too_many_they_are_counted_too() -> None:
    board = board_of(Rows()("a"))
    for number in range(20):
        board.begin(RUN, f"s{number}", 1, us(50 + number))
    assert texts(board, 4) == ["a | done", "s0 | running", "s1 | running", "… 18 more steps under way"]


def test_the_insides_of_finished_steps_are_shown_whole_or_not_at_all() -> None:
    rows = Rows()
    board = board_of(rows("p/a", at=1), rows("p/b", at=2), rows("p", at=1, took=3), rows("q/a", at=5), rows("q", at=5))
    assert texts(board, 4) == ["p | done | 2 steps", "q | done", "  a | done"]
    assert texts(board, 5) == ["p | done", "  a | done", "  b | done", "q | done", "  a | done"]


def test_the_steps_around_one_that_is_shown_are_shown() -> None:
    rows = Rows()
    board = board_of(*(rows(f"s{n}") for n in range(50)))
    board.begin(RUN, "order/ship/label", 1, us(99))
    assert texts(board, 4) == ["… 50 finished steps", "order | running", "  ship | running", "    label | running"]


@pytest.mark.parametrize("height", range(1, 40))
def test_no_height_is_exceeded(height: int) -> None:
    rows = Rows()
    board = board_of(
        *(rows(f"s{n}") for n in range(20)),
        *(rows.failed(f"f{n}") for n in range(3)),
        rows("p/x"),
        rows("work", "started", "map", payload={"count": 9}),
        rows.failed("work[2]"),
    )
    for number in range(10):
        board.begin(RUN, f"g{number}/inner", 1, us(number))
        board.begin(RUN, f"work[{number + 3}]/deep", 1, us(number))
    assert len(step_lines(board, Glance(NOW), height)) <= height


# The run itself -------------------------------------------------------------------------------------------------------


def test_the_first_line_is_the_run() -> None:
    glance = Glance(NOW, RunStatus.TIMED_OUT, note="why", since_us=us(10), until_us=us(40))
    assert run_lines(board_of(), "etl", glance, 9) == [Line(0, "timed out", "etl", "why", "30s")]


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (RunStatus.RUNNING, "running"),
        (RunStatus.SLEEPING, "waiting"),
        (RunStatus.PENDING, "unfinished"),
        (RunStatus.PAUSED, "unfinished"),
        (RunStatus.CANCELLED, "unfinished"),
    ],
)
def test_a_step_runs_only_while_its_run_does(status: RunStatus, word: str) -> None:
    board = board_of()
    board.begin(RUN, "a", 1, us(1))
    assert texts(board, status=status) == [f"a | {word}"]


def test_each_failed_attempt_has_a_line_where_that_is_asked_for() -> None:
    rows = Rows()
    board = board_of(
        rows.failed("a", "first", state="retrying", attempt=1, due=2),
        rows("a", attempt=2),
        rows.failed("b", "once"),
    )
    assert texts(board, attempts=True) == [
        "a | done | 2 attempts",
        "  attempt 1 | failed | ConnectionError: first",
        "b | failed",
        "  attempt 1 | failed | ConnectionError: once",
    ]


def test_the_line_of_the_run_says_how_many_steps_have_ended() -> None:
    going = Glance(NOW, steps=(3, 8), note="by another worker")
    assert run_lines(board_of(), "etl", going, 9) == [
        Line(0, "running", "etl", "3 of 8 steps · by another worker", bar=Bar(3, 8))
    ]
    over = Glance(NOW, RunStatus.COMPLETED, steps=(1, 1))
    assert run_lines(board_of(), "etl", over, 9) == [Line(0, "completed", "etl", "1 of 1 step")]


@pytest.mark.parametrize(
    ("height", "shown"),
    [
        (40, ["a", "b", "c"]),
        (12, ["a", "b", "c"]),
        (8, ["a", "… 2 more steps to come"]),
        (4, ["… 3 steps to come"]),
        (3, []),
    ],
)
def test_steps_to_come_are_below_the_others_in_a_quarter_of_the_height(height: int, shown: list[str]) -> None:
    rows = Rows()
    glance = Glance(NOW, to_come=("a", "b", "c"))
    lines = run_lines(board_of(rows("z")), "etl", glance, height)
    assert [line.name for line in lines] == ["etl", "z", *shown]
    assert {line.word for line in lines[2:]} <= {"to come", ""}


def test_when_the_run_is_over_nothing_is_to_come() -> None:
    glance = Glance(NOW, RunStatus.FAILED, to_come=("a",))
    assert [line.name for line in run_lines(board_of(), "etl", glance, 20)] == ["etl"]


def test_a_step_that_the_graph_does_not_know_is_marked() -> None:
    rows = Rows()
    known, unknown = (msgspec.structs.replace(rows(name), node=node) for name, node in (("a", "2"), ("b", "")))
    assert texts(board_of(known, unknown, rows("c"))) == ["a | done", "b | done | unplanned", "c | done"]
