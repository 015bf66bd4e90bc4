"""The board: rows become a tree that stays small."""

from __future__ import annotations

from flowgraph.cli.board import KEPT_ITEMS, State
from tests.cli.rows import RUN, Rows, board_of, us


def test_a_step_that_began_and_one_that_is_done_are_nodes_of_the_run() -> None:
    rows = Rows()
    board = board_of(rows("fetch"))
    board.begin(RUN, "store", 1, us(3))
    fetch, store = board.root.children.values()
    assert (fetch.name, fetch.state, fetch.until_us) == ("fetch", State.DONE, us(1.5))
    assert (store.name, store.state, store.since_us) == ("store", State.RUNNING, us(3))


def test_sub_steps_are_below_their_parent_which_needs_no_row_of_its_own() -> None:
    rows = Rows()
    board = board_of(rows("order/charge"), rows("order/ship%2Fsend"))
    order = board.root.children["order"]
    assert order.state is State.RUNNING
    assert [child.name for child in order.children.values()] == ["charge", "ship/send"]


def test_a_row_that_is_known_already_changes_nothing() -> None:
    rows = Rows()
    first, second = rows("a"), rows("b")
    board = board_of(first, second)
    before = board.version
    assert board.add(RUN, first) == []
    assert board.version == before


def test_rows_of_other_runs_are_left_aside() -> None:
    board = board_of()
    assert board.add("another", Rows()("a")) == []
    board.begin("another", "b", 1, 0)
    assert board.root.children == {}


def test_the_items_of_a_map_are_counted_and_only_those_under_way_or_failed_are_kept() -> None:
    rows = Rows()
    board = board_of(rows("work", "started", "map", payload={"count": 1_000, "digest": None}))
    for index in range(500):
        board.begin(RUN, f"work[{index}]", 1, us(2))
        board.add(RUN, rows(f"work[{index}]") if index % 10 else rows.failed(f"work[{index}]"))
    board.begin(RUN, "work[500]", 1, us(2))
    work = board.root.children["work"]
    assert work.counts is not None
    assert (work.counts.total, work.counts.done, work.counts.failed) == (1_000, 450, 50)
    assert len(work.children) == KEPT_ITEMS + 1
    assert work.children["[500]"].state is State.RUNNING


def test_a_map_whose_items_are_not_known_counts_without_a_total() -> None:
    rows = Rows()
    board = board_of(rows("work[0]"), rows('work["key-2"]'))
    counts = board.root.children["work"].counts
    assert counts is not None
    assert (counts.total, counts.ended) == (None, 2)
    board.add(RUN, rows("work", "completed", "map", payload={"count": 2}))
    assert counts.total == 2


def test_the_total_of_a_batch_is_the_number_of_its_batches() -> None:
    header = {"count": 45, "digest": None, "batch_size": 20}
    board = board_of(Rows()("rows", "started", "batch", payload=header))
    counts = board.root.children["rows"].counts
    assert counts is not None
    assert counts.total == 3


def test_sub_steps_of_an_item_go_with_it() -> None:
    rows = Rows()
    board = board_of(rows("work", "started", "map", payload={"count": 2}), rows("work[0]/charge"), rows("work[0]"))
    assert board.root.children["work"].children == {}


def test_of_many_finished_steps_the_last_are_kept_and_the_others_counted() -> None:
    rows = Rows()
    board = board_of(*(rows.failed(f"s{n}") if n == 3 else rows(f"s{n}") for n in range(30)), keep=10)
    assert list(board.root.children) == [f"s{n}" for n in range(20, 30)]
    assert (board.root.folded, board.root.folded_failed) == (20, 1)


def test_below_a_finished_parent_fewer_are_kept() -> None:
    rows = Rows()
    board = board_of(*(rows(f"p/s{n}") for n in range(8)), rows("p"), keep=10)
    parent = board.root.children["p"]
    assert (len(parent.children), parent.folded) == (2, 6)


def test_a_failed_attempt_says_when_the_next_one_comes() -> None:
    board = board_of(Rows().failed("charge", state="retrying", attempt=2, due=9))
    charge = board.root.children["charge"]
    assert (charge.state, charge.attempt, charge.due_us) == (State.RETRYING, 2, us(9))
    assert charge.failure is not None
    assert charge.failure.cause_type == "ConnectionError"
    board.begin(RUN, "charge", 3, us(9))
    assert (charge.state, charge.attempt, charge.due_us) == (State.RUNNING, 3, None)


def test_failures_below_a_parent_stop_counting_when_its_attempt_is_given_up() -> None:
    rows = Rows()
    board = board_of(
        rows("order/reserve"),
        rows.failed("order/charge"),
        rows("order/mails", "started", "map", payload={"count": 2}),
        rows("order/mails[0]"),
        rows.failed("order/mails[1]"),
        rows.failed("order/mails", kind="map"),
        rows.failed("order", state="retrying", due=9),
    )
    order = board.root.children["order"]
    assert list(order.children) == ["reserve", "mails"]
    counts = order.children["mails"].counts
    assert counts is not None
    assert (counts.done, counts.failed) == (1, 0)


def test_waits_say_what_for_and_until_when() -> None:
    rows = Rows()
    board = board_of(
        rows("nap", "waiting", "sleep", due=60),
        rows("approval", "waiting", "listen", due=90, detail="approved"),
        rows("audit", "waiting", "wait_for_workflow", detail="r-2"),
    )
    told = [(node.state, node.due_us, node.detail) for node in board.root.children.values()]
    assert told == [
        (State.SLEEPING, us(60), ""),
        (State.LISTENING, us(90), "approved"),
        (State.WAITING, None, "r-2"),
    ]


def test_the_steps_of_a_child_run_are_shown_below_the_step_that_waits_for_it() -> None:
    rows = Rows()
    board = board_of(rows("bill", "waiting", "execute_workflow", detail="r-2"))
    assert board.run_ids == [RUN, "r-2"]
    trail = board.add("r-2", Rows()("collect"))
    assert [node.path for node in trail] == ["bill", "collect"]
    board.add(RUN, rows("bill", "completed", "execute_workflow", detail="r-2"))
    assert board.run_ids == [RUN]
    assert list(board.root.children["bill"].children) == ["collect"]


def test_a_message_and_a_step_may_have_the_same_name() -> None:
    rows = Rows()
    board = board_of(rows("load", kind="progress", payload={"done": 1, "total": 4}), rows("load"))
    message, loaded = board.root.children.values()
    assert (message.state, message.amounts) == (State.TOLD, (1, 4))
    assert loaded.state is State.DONE
    board.add(RUN, rows("load", kind="progress", payload={"done": 2, "total": 4}))
    assert message.amounts == (2, 4)


def test_restoring_begins_anew() -> None:
    rows = Rows()
    board = board_of(rows("a"))
    board.begin(RUN, "b", 1, 0)
    board.restore(RUN, [rows("c")])
    assert list(board.root.children) == ["c"]


def test_an_attempt_that_is_told_of_after_its_end_stays_ended() -> None:
    board = board_of(Rows()("a"))
    board.begin(RUN, "a", 1, us(2))
    assert board.root.children["a"].state is State.DONE
