"""The journal: order, group commit, errors, heartbeats, closing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from flowgraph.errors import StoreError, StoreUnavailable
from flowgraph.model import RunStatus
from flowgraph.model.store import (
    Beat,
    Cancel,
    Claim,
    Command,
    Enlist,
    Find,
    Finish,
    History,
    Outcomes,
    Save,
    Send,
    Start,
    Store,
    Suspend,
    Workers,
)
from flowgraph.stores import Journal, open_store, sqlite, writer
from flowgraph.stores.sqlite import SqliteStore
from flowgraph.stores.writer import Syncs
from tests.stores.processes import Writer
from tests.stores.rig import LATER, LEASE, NOW, saved

Scenario = Callable[[Journal], Awaitable[None]]


class Watched(SqliteStore):
    """A store that notes what is asked of it, and in which thread."""

    def __init__(self, url: str, path: Path | None) -> None:
        super().__init__(url, path)
        self.batches: list[tuple[list[Command], bool, bool, str]] = []

    def apply(self, commands: Sequence[Command], *, synced: bool, patient: bool = True) -> list[Any]:
        self.batches.append((list(commands), synced, patient, threading.current_thread().name))
        return super().apply(commands, synced=synced, patient=patient)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched("sqlite:///flows.db", tmp_path / "flows.db")


@pytest.fixture(params=["file", "memory"])
def either(request: pytest.FixtureRequest, url: str) -> Store:
    """A store that is not open yet."""
    return open_store(url if request.param == "file" else "sqlite://")


@pytest.fixture(autouse=True)
def no_fault() -> Iterator[None]:
    yield
    Journal.fault = None


@asynccontextmanager
async def opened(store: Store, **options: Any) -> AsyncIterator[Journal]:
    journal = await Journal.open(store, **options)
    try:
        yield journal
    finally:
        await journal.close()


def play(store: Store, scenario: Scenario, **options: Any) -> None:
    """Run a scenario with a journal that is closed afterwards."""

    async def main() -> None:
        async with opened(store, **options) as journal:
            await scenario(journal)

    asyncio.run(main())


async def a_running_run(journal: Journal, run_id: str = "r") -> int:
    worker = await journal.commit(Enlist("host", 1, "lock", LEASE, NOW))
    return (await journal.commit(Start(run_id, "wf", "{}", NOW, worker=worker))).no


def commits_of(store: Watched, *kinds: type[Command]) -> list[list[Command]]:
    return [batch for batch, *_ in store.batches if any(isinstance(command, kinds) for command in batch)]


def threads_of(store: Watched, *kinds: type[Command]) -> list[str]:
    return [thread for batch, _, _, thread in store.batches if any(isinstance(command, kinds) for command in batch)]


# Order and grouping


def test_a_command_is_answered(either: Store) -> None:
    async def scenario(journal: Journal) -> None:
        started = await journal.commit(Start("r", "wf", "{}", NOW))
        assert (started.no, started.created) == (1, True)

    play(either, scenario)


def test_answers_come_in_the_order_of_submission(either: Store) -> None:
    async def scenario(journal: Journal) -> None:
        no = await a_running_run(journal)
        told: list[int] = []
        done = asyncio.Event()
        for k in range(2500):
            journal.submit(saved(no, k + 1), lambda answer, k=k: told.append(k) or (k == 2499 and done.set()))
            if k % 7 == 0:
                await asyncio.sleep(0)
        await done.wait()
        assert told == list(range(2500))
        assert len(await journal.ask(History(no))) == 2500

    play(either, scenario)


def test_commits_keep_the_order_of_submission(watched: Watched) -> None:
    async def scenario(journal: Journal) -> None:
        no = await a_running_run(journal)
        for k in range(300):
            journal.submit(saved(no, k + 1), lambda answer: None)
            if k % 3 == 0:
                await asyncio.sleep(0)
        await journal.commit(Beat(1, LEASE))
        ids = [command.row.id for batch, *_ in watched.batches for command in batch if isinstance(command, Save)]
        assert ids == sorted(ids)
        assert len(ids) == 300

    play(watched, scenario, durability="relaxed")


def test_what_is_submitted_in_one_iteration_is_one_commit(watched: Watched) -> None:
    async def scenario(journal: Journal) -> None:
        no = await a_running_run(journal)
        assert await asyncio.gather(*[journal.commit(saved(no, k + 1)) for k in range(100)]) == [True] * 100
        assert [len(batch) for batch in commits_of(watched, Save)] == [100]

    play(watched, scenario)


def test_a_thousand_tasks_share_commits(watched: Watched) -> None:
    async def scenario(journal: Journal) -> None:
        runs = await asyncio.gather(*[journal.commit(Start(f"r{k}", "wf", "{}", NOW)) for k in range(1000)])
        worker = await journal.commit(Enlist("host", 1, "lock", LEASE, NOW))
        await journal.commit(Claim(worker, ("wf",), 1000, LATER))

        async def three_steps(no: int) -> None:
            for sequence in (1, 2, 3):
                assert await journal.commit(saved(no, sequence)) is True
            assert await journal.commit(Finish(no, 1, RunStatus.COMPLETED, "1", None, 1, NOW)) == "completed"

        await asyncio.gather(*[three_steps(run.no) for run in runs])
        assert len(watched.batches) <= 30

    play(watched, scenario)


def test_a_batch_has_a_limit(watched: Watched) -> None:
    async def scenario(journal: Journal) -> None:
        answers = await asyncio.gather(*[journal.commit(Start(f"r{k}", "wf", "{}", NOW)) for k in range(2500)])
        assert [answer.no for answer in answers] == list(range(1, 2501))
        assert [len(batch) for batch, *_ in watched.batches] == [1000, 1000, 500]

    play(watched, scenario)


def test_pending_counts_what_has_no_answer(either: Store) -> None:
    async def scenario(journal: Journal) -> None:
        assert journal.pending == 0
        futures = [asyncio.ensure_future(journal.commit(Start(f"r{k}", "wf", "{}", NOW))) for k in range(3)]
        await asyncio.sleep(0)
        assert journal.pending == 3
        await asyncio.gather(*futures)
        assert journal.pending == 0

    play(either, scenario)


# On the loop, or in the thread


def test_a_lone_relaxed_command_is_committed_on_the_loop_without_patience(watched: Watched) -> None:
    async def scenario(journal: Journal) -> None:
        no = await a_running_run(journal)
        for k in range(5):
            await journal.commit(saved(no, k + 1))
        assert set(threads_of(watched, Save)) == {"MainThread"}
        assert {patient for batch, _, patient, _ in watched.batches if isinstance(batch[0], Save)} == {False}

    play(watched, scenario, durability="relaxed")


def test_two_commands_go_to_the_thread(watched: Watched) -> None:
    async def scenario(journal: Journal) -> None:
        no = await a_running_run(journal)
        await asyncio.gather(journal.commit(saved(no, 1)), journal.commit(saved(no, 2)))
        assert threads_of(watched, Save) == ["flowgraph-journal"]

    play(watched, scenario, durability="relaxed")


@pytest.mark.parametrize(
    "command",
    [
        saved(1, 1, payload="x" * 100_000),
        Cancel("r", NOW),
        Beat(1, LEASE),
    ],
    ids=lambda command: type(command).__name__,
)
def test_what_can_take_long_goes_to_the_thread(watched: Watched, command: Command) -> None:
    async def scenario(journal: Journal) -> None:
        await a_running_run(journal)
        await journal.commit(command)
        assert threads_of(watched, type(command)) == ["flowgraph-journal"]

    play(watched, scenario, durability="relaxed")


def test_synced_commands_go_to_the_thread_until_syncs_have_shown_to_be_quick(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "QUICK_SYNC_S", 10.0)

    async def scenario(journal: Journal) -> None:
        no = await a_running_run(journal)
        for k in range(20):
            await journal.commit(saved(no, k + 1))
        threads = threads_of(watched, Save)
        assert (threads[0], threads[-1]) == ("flowgraph-journal", "MainThread")

    play(watched, scenario, durability="full")


def test_one_slow_sync_sends_the_next_ones_to_the_thread() -> None:
    syncs = Syncs()
    assert not syncs.are_quick()
    for _ in range(10):
        syncs.note(0.0002)
    assert syncs.are_quick()
    syncs.note(0.005)
    quick = []
    for _ in range(20):
        syncs.note(0.0002)
        quick.append(syncs.are_quick())
    assert (quick[0], quick[14], quick[-1]) == (False, False, True)


def test_many_commits_on_the_loop_let_the_thread_tend_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_TEND_CHANGES", 100)
    tended = threading.Event()

    class Tended(Watched):
        def tend(self) -> None:
            before = self._tended
            super().tend()
            if self._tended != before and threading.current_thread().name == "flowgraph-journal":
                tended.set()

    store = Tended("sqlite:///flows.db", tmp_path / "flows.db")

    async def scenario(journal: Journal) -> None:
        no = await a_running_run(journal)
        tended.clear()
        for k in range(600):
            await journal.commit(saved(no, k + 1))
        assert tended.wait(5)

    play(store, scenario, durability="relaxed")


# Durability


def test_full_durability_syncs_every_batch(watched: Watched) -> None:
    async def scenario(journal: Journal) -> None:
        no = await a_running_run(journal)
        await journal.commit(saved(no, 1))
        assert {synced for _, synced, *_ in watched.batches} == {True}

    play(watched, scenario)


def test_relaxed_durability_syncs_what_is_acknowledged_to_the_outside(watched: Watched) -> None:
    async def scenario(journal: Journal) -> None:
        no = await a_running_run(journal)
        for command in (
            saved(no, 1),
            Start("child", "wf", "{}", NOW, parent_no=no, parent_epoch=1),
            Send("r", "e", "1", NOW),
            Suspend(no, 1, RunStatus.SLEEPING, LATER, 0, 1, NOW),
            Cancel("r", NOW),
        ):
            await journal.commit(command)
        synced = {type(batch[0]).__name__: synced for batch, synced, *_ in watched.batches}
        assert synced == {
            "Enlist": False,
            "Start": False,
            "Save": False,
            "Send": True,
            "Suspend": False,
            "Cancel": True,
        }
        [outside, child] = commits_of(watched, Start)
        assert [synced for batch, synced, *_ in watched.batches if batch in (outside, child)] == [True, False]

    play(watched, scenario, durability="relaxed")


def test_a_batch_is_synced_for_one_of_its_commands(watched: Watched) -> None:
    async def scenario(journal: Journal) -> None:
        no = await a_running_run(journal)
        await asyncio.gather(journal.commit(saved(no, 1)), journal.commit(Send("r", "e", "1", NOW)))
        assert watched.batches[-1][1] is True

    play(watched, scenario, durability="relaxed")


def test_an_unknown_durability_is_refused(url: str) -> None:
    async def main() -> None:
        with pytest.raises(StoreError, match="durability='soon': it is 'full' or 'relaxed'"):
            await Journal.open(open_store(url), durability="soon")  # type: ignore[arg-type]

    asyncio.run(main())


# Questions


def test_a_question_sees_every_command_submitted_before_it(either: Store) -> None:
    async def scenario(journal: Journal) -> None:
        no = await a_running_run(journal)
        for k in range(200):
            journal.submit(saved(no, k + 1), lambda answer: None)
            assert len(await journal.ask(History(no))) == k + 1

    play(either, scenario)


def test_a_question_sees_a_batch_submitted_before_it(either: Store) -> None:
    async def scenario(journal: Journal) -> None:
        ids = tuple(f"r{k}" for k in range(1500))
        for run_id in ids:
            journal.submit(Start(run_id, "wf", "{}", NOW), lambda answer: None)
        assert len(await journal.ask(Outcomes(ids))) == 1500

    play(either, scenario)


def test_a_question_does_not_cut_a_batch_in_two(watched: Watched) -> None:
    async def scenario(journal: Journal) -> None:
        no = await a_running_run(journal)
        await asyncio.gather(
            journal.commit(saved(no, 1)),
            journal.ask(History(no)),
            journal.commit(saved(no, 2)),
            journal.ask(History(no)),
            journal.commit(saved(no, 3)),
        )
        assert [len(batch) for batch in commits_of(watched, Save)] == [3]

    play(watched, scenario)


def test_many_questions_are_answered_each(either: Store) -> None:
    async def scenario(journal: Journal) -> None:
        await asyncio.gather(*[journal.commit(Start(f"r{k}", "wf", "{}", NOW)) for k in range(200)])
        rows = await asyncio.gather(*[journal.ask(Find(f"r{k}")) for k in range(200)])
        assert [found.id for found in rows] == [f"r{k}" for k in range(200)]

    play(either, scenario)


def test_a_question_that_fails_raises_where_it_was_asked(either: Store) -> None:
    async def scenario(journal: Journal) -> None:
        answers = await asyncio.gather(
            journal.ask(Find("a\udc80")), journal.ask(Find("nobody")), return_exceptions=True
        )
        assert isinstance(answers[0], StoreError)
        assert answers[1] is None

    play(either, scenario)


def test_a_long_question_does_not_hold_up_commits(url: str) -> None:
    asked, go_on = threading.Event(), threading.Event()

    class Pensive(SqliteStore):
        def ask(self, question: Any) -> Any:
            asked.set()
            assert go_on.wait(5)
            return super().ask(question)

    store = Pensive(url, Path(url.removeprefix("sqlite:///")))

    async def scenario(journal: Journal) -> None:
        question = asyncio.ensure_future(journal.ask(Find("r")))
        await asyncio.sleep(0)
        assert asked.wait(5)
        await journal.commit(Start("r", "wf", "{}", NOW))
        assert not question.done()
        go_on.set()
        assert (await question).id == "r"

    play(store, scenario)


# Errors


def test_a_refused_command_raises_and_the_others_of_its_batch_do_not(either: Store) -> None:
    async def scenario(journal: Journal) -> None:
        no = await a_running_run(journal)
        answers = await asyncio.gather(
            journal.commit(saved(no, 1)),
            journal.commit(saved(no, 2, payload="\udc80")),
            journal.commit(saved(no, 3)),
            return_exceptions=True,
        )
        assert (answers[0], answers[2]) == (True, True)
        assert isinstance(answers[1], StoreError)

    play(either, scenario)


def test_a_lone_refused_command_raises(either: Store) -> None:
    async def scenario(journal: Journal) -> None:
        no = await a_running_run(journal)
        with pytest.raises(StoreError, match="Save was refused"):
            await journal.commit(saved(no, 1, payload="\udc80"))

    play(either, scenario, durability="relaxed")


@pytest.mark.parametrize("size", [1, 5])
def test_a_bug_in_the_store_is_the_answer_to_the_command_that_it_comes_from(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, size: int
) -> None:
    class Buggy(SqliteStore):
        def apply(self, commands: Sequence[Command], *, synced: bool, patient: bool = True) -> list[Any]:
            if any(isinstance(command, Start) and command.id == "bad" for command in commands):
                raise RuntimeError("a bug")
            return super().apply(commands, synced=synced, patient=patient)

    async def scenario(journal: Journal) -> None:
        ids = [f"r{k}" for k in range(size - 1)] + ["bad"]
        commits = [journal.commit(Start(run_id, "wf", "{}", NOW)) for run_id in ids]
        answers = await asyncio.gather(*commits, return_exceptions=True)
        assert str(answers[-1]) == "The store failed in an unexpected way: RuntimeError: a bug."
        assert [answer.id if isinstance(answer, str) else answer.created for answer in answers[:-1]] == [True] * (
            size - 1
        )
        assert (await journal.commit(Start("after", "wf", "{}", NOW))).created is True

    play(Buggy("sqlite:///flows.db", tmp_path / "flows.db"), scenario)
    assert "Start could not be applied" in caplog.text


def test_a_busy_store_is_waited_for_in_the_thread_while_the_loop_goes_on(url: str) -> None:
    async def scenario(journal: Journal) -> None:
        no = await a_running_run(journal)
        with Writer(url) as other:
            other.take_the_write_lock()
            commit = asyncio.ensure_future(journal.commit(saved(no, 1)))
            for _ in range(100):
                await asyncio.sleep(0)
            assert not commit.done()
            other.let_go()
            assert await commit is True

    play(open_store(url), scenario, durability="relaxed")


def test_a_store_that_stays_busy_is_the_answer_after_a_while(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "GIVE_UP_S", 0.05)
    monkeypatch.setattr(writer, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(sqlite, "PATIENCE_S", 0.01)

    async def scenario(journal: Journal) -> None:
        no = await a_running_run(journal)
        with Writer(url) as other:
            other.take_the_write_lock()
            answers = await asyncio.gather(
                *[journal.commit(saved(no, k + 1)) for k in range(3)], return_exceptions=True
            )
            assert {type(answer) for answer in answers} == {StoreUnavailable}
            assert len({id(answer) for answer in answers}) == 3
            other.let_go()
        assert await journal.commit(saved(no, 1)) is True

    play(open_store(url), scenario)


def test_an_answer_that_cannot_be_taken_leaves_the_others_alone(either: Store) -> None:
    async def scenario(journal: Journal) -> None:
        problems: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: problems.append(context))

        def refuse(answer: Any) -> None:
            raise ValueError("no")

        journal.submit(Start("a", "wf", "{}", NOW), refuse)
        assert (await journal.commit(Start("b", "wf", "{}", NOW))).created is True
        assert [str(problem["exception"]) for problem in problems] == ["no"]

    play(either, scenario)


def test_a_cancelled_caller_does_not_take_its_command_back(either: Store) -> None:
    async def scenario(journal: Journal) -> None:
        commit = asyncio.ensure_future(journal.commit(Start("r", "wf", "{}", NOW)))
        await asyncio.sleep(0)
        commit.cancel()
        with pytest.raises(asyncio.CancelledError):
            await commit
        assert (await journal.ask(Find("r"))).status == "pending"

    play(either, scenario)


# Heartbeats and changes


def test_heartbeats_go_on_while_user_code_blocks_the_loop(either: Store) -> None:
    async def scenario(journal: Journal) -> None:
        worker = await journal.commit(Enlist("host", 1, "lock", 0, NOW))
        beats, three = [], threading.Event()

        def make() -> Command:
            beats.append(threading.current_thread().name)
            if len(beats) == 3:
                three.set()
            return Beat(worker, len(beats))

        journal.start_beating(make, 0.002)
        assert three.wait(5)  # The loop is blocked here.
        assert set(beats) == {"flowgraph-journal"}
        assert (await journal.ask(Workers()))[0].lease_until_us >= 2

    play(either, scenario)


def test_the_answer_to_a_heartbeat_comes_to_the_loop(either: Store) -> None:
    async def scenario(journal: Journal) -> None:
        answered: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def then(answer: bool) -> None:
            if not answered.done():
                answered.set_result(answer)

        journal.start_beating(lambda: Beat(4711, 1), 0.002, then)
        assert await answered is False

    play(either, scenario)


def test_a_heartbeat_that_cannot_be_made_is_reported_and_tried_again(
    either: Store, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(journal: Journal) -> None:
        beats: asyncio.Queue[Any] = asyncio.Queue()
        broken = iter([True, False])

        def make() -> Command:
            if next(broken, False):
                raise RuntimeError("a bug")
            return Beat(1, 1)

        journal.start_beating(make, 0.002, beats.put_nowait)
        assert await beats.get() is False

    play(either, scenario)
    assert "The journal could not send a heartbeat" in caplog.text


def test_a_commit_of_another_process_is_noticed(url: str) -> None:
    async def scenario(journal: Journal) -> None:
        with Writer(url) as other:
            other.write()
            await asyncio.wait_for(changed.wait(), 5)

    changed: asyncio.Event = asyncio.Event()
    play(open_store(url), scenario, on_change=changed.set, poll_s=0.002)


def test_commits_of_ones_own_are_no_change(url: str) -> None:
    changes: list[None] = []

    async def scenario(journal: Journal) -> None:
        for k in range(20):
            await journal.commit(Start(f"r{k}", "wf", "{}", NOW))
            await journal.ask(Find("r0"))

    play(open_store(url), scenario, on_change=lambda: changes.append(None), poll_s=0.001)
    assert changes == []


# Opening and closing


def test_closing_applies_what_is_queued(url: str) -> None:
    async def main() -> None:
        journal = await Journal.open(open_store(url))
        answers: list[Any] = []
        for k in range(3500):
            journal.submit(Start(f"r{k}", "wf", "{}", NOW), answers.append)
        await journal.close()
        assert [answer.created for answer in answers] == [True] * 3500
        async with opened(open_store(url)) as again:
            assert len(await again.ask(Outcomes(tuple(f"r{k}" for k in range(3500))))) == 3500

    asyncio.run(main())


def test_a_closed_journal_refuses_commands_and_questions(either: Store) -> None:
    async def main() -> None:
        journal = await Journal.open(either)
        await journal.close()
        await journal.close()
        with pytest.raises(StoreError, match="The journal is closed"):
            await journal.commit(Start("r", "wf", "{}", NOW))
        with pytest.raises(StoreError, match="The journal is closed"):
            await journal.ask(Find("r"))

    asyncio.run(main())


def test_closing_leaves_one_file_and_no_thread(url: str) -> None:
    async def scenario(journal: Journal) -> None:
        journal.store.hold_lock()
        await journal.commit(Start("r", "wf", "{}", NOW))
        await journal.ask(Find("r"))

    play(open_store(url), scenario)
    assert [file.name for file in Path(url.removeprefix("sqlite:///")).parent.iterdir()] == ["flows.db"]
    assert not [thread for thread in threading.enumerate() if thread.name == "flowgraph-questions"]


def test_an_error_of_opening_is_raised_by_open(tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(StoreError, match="is a folder"):
            await Journal.open(open_store(f"sqlite:///{tmp_path}"))

    asyncio.run(main())


def test_two_journals_share_a_file(url: str) -> None:
    async def main() -> None:
        async with opened(open_store(url)) as one, opened(open_store(url)) as two:
            starts = [(one, two)[k % 2].commit(Start(f"r{k}", "wf", "{}", NOW)) for k in range(100)]
            numbers = [answer.no for answer in await asyncio.gather(*starts)]
            assert sorted(numbers) == list(range(1, 101))
            assert await one.ask(Find("r1")) == await two.ask(Find("r1"))

    asyncio.run(main())


# Crash injection


def test_the_fault_hook_sees_both_sides_of_every_commit_that_writes(either: Store) -> None:
    seen: list[tuple[str, int]] = []

    async def scenario(journal: Journal) -> None:
        await journal.commit(Start("r", "wf", "{}", NOW))
        Journal.fault = lambda where, number: seen.append((where, number))
        await journal.commit(Send("r", "e", "1", NOW))
        await journal.commit(Claim(1, ("none",), 1, NOW))
        await asyncio.gather(journal.commit(Send("r", "e", "1", NOW)), journal.commit(Cancel("r", NOW)))

    play(either, scenario)
    assert [entry for entry in seen if entry[0] == "after-commit"] == [("after-commit", 2), ("after-commit", 3)]
    assert [number for where, number in seen if where == "before-commit"] == [2, 3, 3]
