"""Several processes on one store: who owns a run, who takes it over, and how soon."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import pytest

from flowgraph import Client, Run, RunCancelled, RunFinished, RunQuery, RunRecord, RunStatus, Runtime
from tests.scenarios.fleet import guarded, parcel, settle_in
from tests.scenarios.support import (
    PATIENCE_S,
    ROOT,
    Child,
    Spawner,
    lines_of,
    living_snapshot,
    lock_files,
    repeated_places,
    snapshot,
    until,
)

T = TypeVar("T")

SECONDS = 10.0
""" "Within seconds": generous, for a busy machine. Usually it takes about one; leases are set to an hour, or matter."""

WORK, RUN, WAIT = "tests.scenarios.fleet:work", "tests.scenarios.fleet:run", "tests.scenarios.fleet:wait"
LETTERS = "tests.scenarios.fleet:write_letters"


class Fleet:
    """One store, the processes on it, and a client that looks at it from outside."""

    def __init__(self, spawner: Spawner, folder: Path) -> None:
        self._spawner = spawner
        self.folder = folder
        self.database = folder / "flows.db"
        self.store = f"sqlite:///{self.database}"

    def process(self, name: str, target: str, /, **arguments: Any) -> Child:
        return self._spawner.start(self.folder, name, target, store=self.store, folder=str(self.folder), **arguments)

    def worker(self, name: str, /, **options: Any) -> Child:
        """A process that executes what there is, until `gate` (by default "closing time") is opened."""
        return self.process(name, WORK, **options)

    def runner(self, name: str, workflow: str, /, *arguments: Any, **options: Any) -> Child:
        """A process that runs one workflow to its end."""
        return self.process(name, RUN, **{"name": workflow, "arguments": list(arguments), **options})

    def waiter(self, name: str, run_id: str) -> Child:
        return self._spawner.start(self.folder, name, WAIT, store=self.store, run_id=run_id)

    def letters(self, sender: str, count: int) -> Child:
        return self._spawner.start(self.folder, sender, LETTERS, store=self.store, sender=sender, count=count)

    def open(self, gate: str) -> None:
        (self.folder / gate).touch()

    def client(self, act: Callable[[Client], Awaitable[T]]) -> T:
        """What a client does that is opened for it."""

        async def acted() -> T:
            async with asyncio.timeout(PATIENCE_S), Client(self.store) as client:
                return await act(client)

        return asyncio.run(acted())

    def start(self, workflow: str, *arguments: Any, run_id: str = "run-1") -> None:
        self.client(lambda client: client.start(workflow, *arguments, run_id=run_id))

    def with_run(self, act: Callable[[Run[Any]], Awaitable[T]], run_id: str = "run-1") -> T:
        async def acted(client: Client) -> T:
            return await act(await client.get(run_id))

        return self.client(acted)

    def status(self, run_id: str = "run-1") -> RunStatus:
        return self.with_run(lambda run: run.status(), run_id)

    def describe(self, run_id: str = "run-1") -> RunRecord:
        return self.with_run(lambda run: run.describe(), run_id)

    def result(self, run_id: str = "run-1", timeout: float = SECONDS) -> Any:
        return self.with_run(lambda run: run.result(timeout), run_id)

    def bodies(self, path: str | None = None, run_id: str | None = None, event: str = "begin") -> list[dict[str, Any]]:
        return [
            line
            for line in lines_of(self.folder / "bodies.log", event)
            if path in {None, line["path"]} and run_id in {None, line["run"]}
        ]

    def began(self, path: str, times: int = 1, run_id: str | None = None) -> list[dict[str, Any]]:
        """Wait until a body has begun so often."""
        return until(
            lambda: lines if len(lines := self.bodies(path, run_id)) >= times else [], what=f"body {times} of {path!r}"
        )

    def reached(self, status: str, run_id: str = "run-1") -> None:
        """Wait until a run has this status, which another process has yet to start, maybe."""

        async def found(client: Client) -> bool:
            return run_id in [record.id for record in await client.list(RunQuery(status=RunStatus(status)))]

        until(lambda: self.client(found), what=f"status {status!r} of {run_id!r}")


@pytest.fixture
def fleet(spawner: Spawner, tmp_path: Path) -> Fleet:
    return Fleet(spawner, tmp_path)


@contextmanager
def within(seconds: float = SECONDS) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


# Sharing the work -----------------------------------------------------------------------------------------------------


def test_a_hundred_runs_on_three_workers_are_each_executed_once_by_one_owner_at_a_time(fleet: Fleet) -> None:
    async def start_all(client: Client) -> None:
        await asyncio.gather(*(client.start("parcel", number, run_id=f"parcel-{number}") for number in range(100)))

    async def all_results(client: Client) -> list[Any]:
        runs = [await client.get(f"parcel-{number}") for number in range(100)]
        return await asyncio.gather(*(run.result(PATIENCE_S) for run in runs))

    fleet.client(start_all)
    workers = [fleet.worker(f"worker-{number}", only=["parcel"], concurrency=5) for number in range(3)]
    assert fleet.client(all_results) == list(range(100))
    fleet.open("closing time")
    assert [worker.result() for worker in workers] == ["closed"] * 3

    by_run = defaultdict(list)
    for line in lines_of(fleet.folder / "bodies.log", event=None):
        by_run[line["run"]].append(line)
    assert len(by_run) == 100
    for run_id, lines in by_run.items():
        begun = [line["path"] for line in lines if line["event"] == "begin"]
        assert sorted(begun) == ["deliver", "insure", "label", "weigh"], run_id
        assert {line["attempt"] for line in lines} == {1}, run_id
        changes = sum(one["pid"] != other["pid"] for one, other in pairwise(lines))
        assert changes <= (1 if int(run_id.removeprefix("parcel-")) % 10 == 0 else 0), run_id
    assert {line["pid"] for line in lines_of(fleet.folder / "bodies.log")} == {worker.pid for worker in workers}

    found = snapshot(fleet.database)
    assert not list(repeated_places(found.rows))
    assert {run["status"] for run in found.runs.values()} == {"completed"}
    assert {run["recoveries"] for run in found.runs.values()} == {0}
    assert found.workers == []
    assert lock_files(fleet.database) == []
    assert [worker.errors for worker in workers] == [""] * 3


def test_a_run_that_many_processes_start_at_once_is_one_run(fleet: Fleet) -> None:
    runners = [fleet.runner(f"runner-{number}", "parcel", 3) for number in range(4)]
    assert [runner.result() for runner in runners] == [{"result": 3}] * 4
    assert len(fleet.bodies()) == 4
    assert len(snapshot(fleet.database).runs) == 1


def test_the_same_id_with_other_input_is_refused_in_every_process_but_the_first(fleet: Fleet) -> None:
    runners = [fleet.runner(f"runner-{number}", "parcel", number) for number in (1, 2, 3)]
    told = [runner.result() for runner in runners]
    assert [one.get("error") for one in told].count("RunExists") == 2
    assert sum("result" in one for one in told) == 1


def test_a_parent_and_its_child_are_executed_by_workers_that_know_only_one_of_them(fleet: Fleet) -> None:
    fleet.start("mother_by_name", "gate")
    fleet.open("gate")
    parents = fleet.worker("parents", only=["mother_by_name"])
    fleet.reached("waiting")
    children = fleet.worker("children", only=["guarded"])
    with within():
        assert fleet.result() == ["first", "gate", "third"]
    assert {line["pid"] for line in fleet.bodies()} == {children.pid}
    fleet.open("closing time")
    assert (parents.result(), children.result()) == ("closed", "closed")


def test_two_runtimes_in_one_process_share_the_work_and_hand_it_over(fleet: Fleet) -> None:
    async def shared() -> None:
        settle_in(str(fleet.folder))
        async with Runtime(fleet.store, workflows=[guarded, parcel], lease="1h") as staying:
            async with Runtime(fleet.store, workflows=[guarded, parcel], lease="1h") as leaving:
                runs = [await leaving.start(guarded, "gate", run_id=f"run-{number}") for number in range(5)]
                assert await leaving.run(parcel, 3) == 3
            fleet.open("gate")
            for run in runs:
                assert await (await staying.get(run.id)).result(SECONDS) == ["first", "gate", "third"]
            assert await staying.run(parcel, 4) == 4

    asyncio.run(shared())
    assert len(fleet.bodies("first")) == 5
    assert lock_files(fleet.database) == []
    assert {run["recoveries"] for run in snapshot(fleet.database).runs.values()} == {0}


# Taking over ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["async", "thread"])
def test_the_runs_of_a_killed_worker_go_on_in_another_within_seconds(fleet: Fleet, kind: str) -> None:
    """Its lock tells at once; the lease of an hour is not waited for."""
    fleet.start("guarded", "gate", kind)
    doomed = fleet.worker("doomed", lease="1h")
    fleet.began("second")
    heir = fleet.worker("heir", lease="1h")
    until(lambda: len(lock_files(fleet.database)) == 2)
    doomed.kill()
    with within():
        [first, again] = fleet.began("second", times=2)
    assert (first["pid"], again["pid"]) == (doomed.pid, heir.pid)
    assert (first["attempt"], again["attempt"]) == (1, 1)
    assert first["key"] == again["key"]
    fleet.open("gate")
    assert fleet.result() == ["first", "gate", "third"]
    assert len(fleet.bodies("first")) == 1
    assert fleet.describe().recoveries == 1
    assert len(snapshot(fleet.database).workers) == 1


def test_recovery_at_opening_is_immediate(fleet: Fleet) -> None:
    doomed = fleet.runner("doomed", "guarded", "gate", lease="1h")
    fleet.began("second")
    doomed.kill()
    with within():
        heir = fleet.runner("heir", "guarded", "gate", lease="1h")
        fleet.began("second", times=2)
    fleet.open("gate")
    assert heir.result() == {"result": ["first", "gate", "third"]}


def test_a_crowd_of_runs_of_a_killed_worker_is_taken_over_together(fleet: Fleet) -> None:
    async def start_all(client: Client) -> None:
        await asyncio.gather(*(client.start("crowd", "gate", run_id=f"crowd-{number}") for number in range(20)))

    fleet.client(start_all)
    doomed = fleet.worker("doomed")
    until(lambda: len(fleet.bodies()) == 100)
    doomed.kill()
    with within():
        fleet.worker("heir")
        until(lambda: len(fleet.bodies()) == 200)
    fleet.open("gate")
    assert [fleet.result(f"crowd-{number}") for number in range(20)] == [["gate"] * 5] * 20
    assert {line["attempt"] for line in fleet.bodies()} == {1}


def test_a_pool_that_outlives_its_killed_worker_does_not_keep_the_lock(fleet: Fleet) -> None:
    doomed = fleet.runner("doomed", "guarded", "gate", "pool", pool=True, lease="1h")
    try:
        [orphan] = fleet.began("second")
        assert orphan["pid"] != doomed.pid
        doomed.kill()
        os.kill(orphan["pid"], 0)  # It lives.
        with within():
            heir = fleet.runner("heir", "guarded", "gate", "pool", pool=True, lease="1h")
            fleet.began("second", times=2)
        fleet.open("gate")
        assert heir.result() == {"result": ["first", "gate", "third"]}
        assert [line["attempt"] for line in fleet.bodies("second")] == [1, 1]
    finally:
        for line in fleet.bodies("second"):
            end_process(line["pid"])


def test_a_stopped_worker_loses_its_runs_after_its_lease_and_its_late_writes_are_refused(fleet: Fleet) -> None:
    stopped = fleet.process("stopped", "tests.scenarios.fleet:stay_open", first="gate", second="other gate")
    fleet.began("second", run_id="lost")
    until(lambda: len(fleet.bodies(run_id="other")) == 5)
    stopped.signal(signal.SIGSTOP)
    heir = fleet.worker("heir", only=["guarded", "crowd"], lease="1s")
    with within():
        fleet.began("second", times=2, run_id="lost")
        until(lambda: len(fleet.bodies(run_id="other")) == 10)
    fleet.open("gate")
    assert fleet.result("lost") == ["first", "gate", "third"]
    stopped.signal(signal.SIGCONT)
    until(lambda: len(fleet.bodies("second", "lost", "end")) == 2, what="the end of the late body")
    fleet.open("other gate")
    assert fleet.result("other") == ["other gate"] * 5

    assert stopped.result() == [["first", "gate", "third"], ["other gate"] * 5, 7]
    assert "Traceback" not in stopped.errors
    found = living_snapshot(fleet.database)
    assert [run["recoveries"] for run in found.runs.values()] == [1, 1, 0]
    assert not list(repeated_places(found.rows))
    assert {line["pid"] for line in fleet.bodies(run_id="later")} == {stopped.pid}
    assert "lost" in stopped.log, "that a run was taken away is worth a line in the log"
    fleet.open("closing time")
    assert heir.result() == "closed"
    assert snapshot(fleet.database).workers == []


def test_a_worker_that_is_stopped_for_less_than_its_lease_keeps_its_runs(fleet: Fleet) -> None:
    fleet.start("guarded", "gate")
    stopped = fleet.worker("stopped", lease="1h")
    fleet.began("second")
    stopped.signal(signal.SIGSTOP)
    fleet.worker("other", lease="1h")
    until(lambda: len(lock_files(fleet.database)) == 2)
    fleet.start("parcel", 1, run_id="parcel")
    assert fleet.result("parcel") == 1
    stopped.signal(signal.SIGCONT)
    fleet.open("gate")
    assert fleet.result() == ["first", "gate", "third"]
    assert {line["pid"] for line in fleet.bodies(run_id="run-1")} == {stopped.pid}
    assert fleet.describe().recoveries == 0


def test_a_body_that_blocks_the_loop_for_longer_than_the_lease_does_not_lose_its_run(fleet: Fleet) -> None:
    busy = fleet.process("busy", "tests.scenarios.fleet:block_the_loop", seconds=2.5)
    fleet.began("block")
    other = fleet.worker("other", lease="1s")
    assert busy.result() == "blocked"
    assert len(fleet.bodies("block")) == 1
    fleet.open("closing time")
    other.result()
    assert snapshot(fleet.database).runs["run-1"]["recoveries"] == 0


def test_leaving_hands_unfinished_runs_to_another_process_at_once(fleet: Fleet) -> None:
    fleet.start("guarded", "gate")
    leaving = fleet.worker("leaving", gate="leave", lease="1h")
    fleet.began("second")
    staying = fleet.worker("staying", lease="1h")
    until(lambda: len(lock_files(fleet.database)) == 2)
    fleet.open("leave")
    with within():
        [_, again] = fleet.began("second", times=2)
    assert leaving.result() == "closed"
    assert (again["pid"], again["attempt"]) == (staying.pid, 1)
    fleet.open("gate")
    assert fleet.result() == ["first", "gate", "third"]
    assert fleet.describe().recoveries == 0


def test_leaving_waits_for_a_body_in_a_thread_and_then_hands_its_run_over(fleet: Fleet) -> None:
    fleet.start("guarded", "gate", "thread")
    leaving = fleet.worker("leaving", gate="leave")
    fleet.began("second")
    fleet.open("leave")
    until((fleet.folder / "leaving").exists)
    fleet.open("gate")
    assert leaving.result() == "closed"
    record = fleet.describe()
    assert record.status == "pending"
    assert record.recoveries == 0
    assert fleet.runner("next", "guarded", "gate", "thread").result() == {"result": ["first", "gate", "third"]}
    assert len(fleet.bodies("first")) == 1


# What a crash does to a run -------------------------------------------------------------------------------------------


def test_a_run_that_takes_down_its_worker_too_often_is_paused_and_the_others_go_on(fleet: Fleet) -> None:
    fleet.start("deadly")
    for number in range(3):
        assert fleet.worker(f"victim-{number}", max_recoveries=3).wait() == -9
    fleet.start("parcel", 1, run_id="parcel")
    fleet.worker("survivor", max_recoveries=3)
    assert fleet.result("parcel") == 1
    fleet.reached("paused")
    record = fleet.describe()
    assert record.recoveries == 3
    assert "too many recoveries" in (record.reason or "")
    assert [line["attempt"] for line in fleet.bodies("die")] == [1, 1, 1]


def test_an_attempt_that_a_crash_cut_off_runs_again_under_the_same_number(fleet: Fleet) -> None:
    assert fleet.runner("first", "single_attempt").wait() == -9
    fleet.open("mercy")
    assert fleet.runner("second", "single_attempt").result() == {"result": "lived"}
    assert [line["attempt"] for line in fleet.bodies("die")] == [1, 1]
    assert [step.attempts for step in fleet.describe().steps] == [1]


def test_at_most_once_fails_after_a_crash_with_an_unknown_outcome(fleet: Fleet) -> None:
    assert fleet.runner("first", "once").wait() == -9
    fleet.open("mercy")
    told = fleet.runner("second", "once").result()["result"]
    assert told["path"] == "charge"
    assert told["attempts"] == 1
    assert "unknown" in told["message"]
    assert told["cause is set"] is False
    assert len(fleet.bodies("charge")) == 1
    assert fleet.runner("third", "once").result()["result"] == told


def test_executing_time_carries_over_a_crash(fleet: Fleet) -> None:
    first = fleet.runner("first", "impatient", lease="1s")
    [began] = fleet.began("endless")
    until(lambda: time.time_ns() // 1_000 - began["at_us"] > 1_000_000)
    first.kill()
    second = fleet.runner("second", "impatient", lease="1s")
    [_, again] = fleet.began("endless", times=2)
    assert second.result()["error"] == "RunTimedOut"
    record = fleet.describe()
    assert record.status == "timed_out"
    assert record.finished_at is not None
    second_life_s = record.finished_at.timestamp() - again["at_us"] / 1e6
    assert 0.5 < second_life_s < 2.8  # 3 s, less about a second, give or take a heartbeat of a third of a second.
    assert record.executing_s >= 3


def test_a_crash_loop_times_out_in_the_end(fleet: Fleet) -> None:
    """Time measured since the last write would die with each process."""
    for number in range(10):
        life = fleet.runner(f"life-{number}", "impatient", lease="1s", max_recoveries=99)
        began = fleet.began("endless", times=number + 1)[-1]
        until(lambda began=began: time.time_ns() // 1_000 - began["at_us"] > 800_000)
        if life.kill() == 0:
            break
    assert fleet.runner("last", "impatient").result()["error"] == "RunTimedOut"
    assert number < 9


def test_a_long_backoff_survives_a_crash_and_keeps_its_attempt(fleet: Fleet) -> None:
    fleet.start("stubborn")
    worker = fleet.worker("first")
    fleet.reached("sleeping")
    worker.kill()
    fleet.worker("second")
    fleet.start("parcel", 1, run_id="parcel")
    assert fleet.result("parcel") == 1
    record = fleet.describe()
    assert record.status == "sleeping"
    assert [wait.kind for wait in record.waits] == ["retry"]
    assert len(fleet.bodies("fail")) == 1
    assert record.recoveries == 0


# Waiting runs ---------------------------------------------------------------------------------------------------------


def test_a_sleeping_run_is_woken_by_a_fresh_process_and_not_before_its_time(fleet: Fleet) -> None:
    first = fleet.runner("first", "sleeper", 2.0)
    fleet.reached("sleeping")
    first.kill()
    wake_at = fleet.describe().wake_at
    assert wake_at is not None
    assert fleet.runner("second", "sleeper", 2.0).result() == {"result": "after"}
    [after] = fleet.bodies("after")
    assert 0 <= after["at_us"] / 1e6 - wake_at.timestamp() < SECONDS
    assert len(fleet.bodies("before")) == 1
    assert fleet.describe().recoveries == 0


def test_a_sleep_that_ended_while_no_process_ran_is_over_at_once(fleet: Fleet) -> None:
    first = fleet.runner("first", "sleeper", 1.2)
    fleet.reached("sleeping")
    first.kill()
    wake_at = fleet.describe().wake_at
    assert wake_at is not None
    until(lambda: time.time() > wake_at.timestamp() + 0.1)
    with within():
        assert fleet.runner("second", "sleeper", 1.2).result() == {"result": "after"}


def test_a_run_put_to_sleep_by_one_process_is_woken_by_another_that_was_there(fleet: Fleet) -> None:
    idle = fleet.worker("idle", only=["sleeper"])
    until(lambda: lock_files(fleet.database))
    first = fleet.process("first", WORK, gate="leave", only=["sleeper", "parcel"])
    until(lambda: len(lock_files(fleet.database)) == 2)
    fleet.start("sleeper", 1.5)
    fleet.reached("sleeping")
    fleet.open("leave")
    first.result()
    assert fleet.result() == "after"
    assert fleet.bodies("after")[0]["pid"] == idle.pid


def test_an_event_that_is_sent_while_no_process_runs_is_delivered_to_the_next(fleet: Fleet) -> None:
    first = fleet.runner("first", "correspondence")
    fleet.reached("listening")
    first.kill()
    fleet.with_run(lambda run: run.send("letter", "one", id="1"))
    fleet.with_run(lambda run: run.send("letter", "one", id="1"))
    fleet.with_run(lambda run: run.send("letter", "two", id="2"))
    assert fleet.runner("second", "correspondence").result() == {"result": ["one", "two"]}
    assert len(fleet.bodies("read")) == 1


def test_a_listening_run_gets_events_from_another_process_while_it_is_executed_elsewhere(fleet: Fleet) -> None:
    fleet.start("correspondence")
    fleet.worker("worker")
    fleet.reached("listening")
    with within():
        fleet.with_run(lambda run: run.send("letter", {"number": 1}))
        fleet.began("read")
    fleet.reached("listening")
    record = fleet.describe()
    assert [(wait.kind, wait.event) for wait in record.waits] == [("listen", "letter")]
    fleet.with_run(lambda run: run.send("letter", {"number": 2}))
    assert fleet.result() == [{"number": 1}, {"number": 2}]


def test_events_of_several_senders_are_each_taken_once_and_in_order_while_workers_die(fleet: Fleet) -> None:
    fleet.start("collector", 60)
    workers = [fleet.worker("worker-0")]
    senders = [fleet.letters(f"sender-{number}", 20) for number in range(3)]
    for number in (1, 2, 3):
        until(lambda number=number: len(taken_events(fleet)) >= 12 * number, what=f"letter {12 * number}")
        workers[-1].kill()
        workers.append(fleet.worker(f"worker-{number}"))
    for sender in senders:
        sender.result()
    letters = fleet.result()
    assert sorted(letters) == sorted([f"sender-{number}", letter] for number in range(3) for letter in range(20))
    for number in range(3):
        assert [letter for sender, letter in letters if sender == f"sender-{number}"] == list(range(20))


def taken_events(fleet: Fleet) -> list[int]:
    return [event["taken_by"] for event in living_snapshot(fleet.database).events if event["taken_by"]]


def test_a_worker_with_one_slot_executes_a_parent_and_its_child(fleet: Fleet) -> None:
    """A waiting parent holds no worker."""
    fleet.start("mother", "gate")
    fleet.open("gate")
    fleet.worker("worker", concurrency=1)
    assert fleet.result() == ["first", "gate", "third"]


def test_a_parent_and_its_child_go_on_in_another_process_after_a_kill(fleet: Fleet) -> None:
    doomed = fleet.runner("doomed", "mother", "gate", lease="1h")
    fleet.began("second")
    fleet.reached("waiting")
    doomed.kill()
    heir = fleet.runner("heir", "mother", "gate", lease="1h")
    fleet.began("second", times=2)
    fleet.open("gate")
    assert heir.result() == {"result": ["first", "gate", "third"]}
    found = snapshot(fleet.database)
    assert len(found.runs) == 2
    assert [run["recoveries"] for run in found.runs.values()] == [0, 1]


# Asking from elsewhere ------------------------------------------------------------------------------------------------


def test_a_client_starts_and_asks_and_another_process_executes(fleet: Fleet) -> None:
    fleet.start("guarded", "gate")
    assert fleet.status() == "pending"
    fleet.worker("worker")
    fleet.began("second")
    assert fleet.status() == "running"
    record = fleet.describe()
    assert [(step.path, step.state, step.result) for step in record.steps][:1] == [("first", "completed", "first")]
    assert record.input == {"args": ["gate"], "kwargs": {}}
    waiting = [fleet.waiter("runtime", "run-1")]
    fleet.open("gate")
    assert fleet.result() == ["first", "gate", "third"]
    assert [one.result() for one in waiting] == [{"result": ["first", "gate", "third"]}]
    assert fleet.describe().output == ["first", "gate", "third"]


def test_the_result_in_one_process_of_a_run_that_another_finished(fleet: Fleet) -> None:
    """Also where the process that waits had begun the run, and lost it by being killed and started again."""
    first = fleet.runner("first", "guarded", "gate")
    fleet.began("second")
    second = fleet.runner("second", "guarded", "gate")
    until(lambda: len(lock_files(fleet.database)) == 2)
    first.kill()
    fleet.began("second", times=2)
    third = fleet.runner("third", "guarded", "gate")
    waiter = fleet.waiter("waiter", "run-1")
    until(lambda: len(living_snapshot(fleet.database).workers) == 3)
    fleet.open("gate")
    expected = {"result": ["first", "gate", "third"]}
    assert (second.result(), third.result(), waiter.result()) == (expected, expected, expected)
    assert {line["pid"] for line in fleet.bodies("third")} == {second.pid}


def test_waiting_for_a_result_has_a_time_limit_of_its_own(fleet: Fleet) -> None:
    fleet.start("guarded", "gate")
    fleet.worker("worker")
    fleet.began("second")
    with pytest.raises(TimeoutError):
        fleet.result(timeout=0.2)
    fleet.open("gate")
    assert fleet.result() == ["first", "gate", "third"]


@pytest.mark.parametrize("what", ["start", "send"])
def test_what_was_acknowledged_is_there_after_a_kill(fleet: Fleet, what: str) -> None:
    doomed = fleet.process("doomed", "tests.scenarios.fleet:acknowledge", what=what)
    until(lambda: len(lines_of(fleet.folder / "bodies.log", "acknowledged")) >= 300)
    doomed.kill()
    acknowledged = {line["number"] for line in lines_of(fleet.folder / "bodies.log", "acknowledged")}
    found = snapshot(fleet.database)
    stored = {
        "start": {int(run_id.removeprefix("parcel-")) for run_id in found.runs if run_id != "letterbox"},
        "send": {int(event["payload"]) for event in found.events},
    }[what]
    assert acknowledged <= stored
    assert len(found.events) == len({event["send_id"] for event in found.events})


def test_a_run_that_is_executed_elsewhere_is_cancelled_within_seconds(fleet: Fleet) -> None:
    fleet.start("guarded", "gate")
    worker = fleet.worker("worker")
    fleet.began("second")
    with within():
        fleet.with_run(lambda run: run.cancel())
        with pytest.raises(RunCancelled):
            fleet.result()
    with pytest.raises(RunFinished):
        fleet.with_run(lambda run: run.send("letter"))
    fleet.start("parcel", 1, run_id="parcel")
    assert fleet.result("parcel") == 1
    fleet.open("closing time")
    assert worker.result() == "closed"
    assert fleet.bodies("second", event="end") == []


def test_a_cancellation_is_acknowledged_and_happens_or_comes_too_late(fleet: Fleet) -> None:
    """Runs are cancelled while another process is ending them: there is no third way."""
    chance = random.Random(1)

    async def one(client: Client, number: int) -> tuple[bool, str]:
        run = await client.start("parcel", number * 10 + 1, run_id=f"parcel-{number}")
        moment = chance.uniform(0, 0.3) if number % 5 else PATIENCE_S
        await asyncio.wait({asyncio.ensure_future(run.result(PATIENCE_S))}, timeout=moment)
        acknowledged = True
        try:
            await run.cancel()
        except RunFinished:
            acknowledged = False
        try:
            await run.result(PATIENCE_S)
        except RunCancelled:
            return acknowledged, "cancelled"
        return acknowledged, "completed"

    async def all_of_them(client: Client) -> list[tuple[bool, str]]:
        return await asyncio.gather(*(one(client, number) for number in range(60)))

    fleet.client(lambda client: client.list())
    worker = fleet.worker("worker", concurrency=20)
    assert set(fleet.client(all_of_them)) == {(True, "cancelled"), (False, "completed")}
    fleet.open("closing time")
    assert worker.result() == "closed"
    assert not worker.errors


def test_a_cancellation_that_was_acknowledged_survives_the_death_of_the_worker(fleet: Fleet) -> None:
    fleet.start("guarded", "gate")
    worker = fleet.worker("worker")
    fleet.began("second")
    worker.signal(signal.SIGSTOP)
    fleet.with_run(lambda run: run.cancel())
    worker.kill()
    fleet.worker("next")
    with pytest.raises(RunCancelled):
        fleet.result()
    assert len(fleet.bodies("second")) == 1


def test_a_cancelled_parent_takes_its_child_in_another_process_along(fleet: Fleet) -> None:
    fleet.start("mother", "gate")
    fleet.worker("worker")
    fleet.began("second")
    fleet.reached("waiting")
    fleet.with_run(lambda run: run.cancel())
    until(
        lambda: {run["status"] for run in living_snapshot(fleet.database).runs.values()} == {"cancelled"},
        what="the cancellation of the child",
    )


# A script -------------------------------------------------------------------------------------------------------------

SCRIPT = """
import sys
import flowgraph
from tests.scenarios import fleet

fleet.settle_in(sys.argv[1])
workflow, arguments = getattr(fleet, sys.argv[2]), sys.argv[3:]
print(flowgraph.run(workflow, *arguments, store=f"sqlite:///{sys.argv[1]}/flows.db", run_id="run-1"))
"""


@pytest.mark.parametrize("kind", ["async", "thread"])
def test_an_interrupted_script_leaves_its_run_resumable(fleet: Fleet, kind: str) -> None:
    with script(fleet, "guarded", "gate", kind) as first:
        fleet.began("second")
        with within():
            first.send_signal(signal.SIGINT)
            if kind == "thread":
                fleet.open("gate")
            _, errors = first.communicate(timeout=PATIENCE_S)
        assert first.returncode in {130, 1, -signal.SIGINT}
        assert "KeyboardInterrupt" in errors
        assert "never retrieved" not in errors
        assert "never awaited" not in errors
        assert "destroyed" not in errors
    assert fleet.status() == "pending"
    assert fleet.describe().recoveries == 0
    assert lock_files(fleet.database) == []
    fleet.open("gate")
    with script(fleet, "guarded", "gate", kind) as second:
        output, errors = second.communicate(timeout=PATIENCE_S)
        assert (output, errors) == ("['first', 'gate', 'third']\n", "")
    assert len(fleet.bodies("first")) == 1
    assert [line["attempt"] for line in fleet.bodies("second")] == [1, 1]


@pytest.mark.parametrize("kind", ["async", "thread"])
def test_a_body_that_exits_the_program_ends_it_and_leaves_the_run_resumable(fleet: Fleet, kind: str) -> None:
    with script(fleet, "leaver", kind) as first, within():
        _, errors = first.communicate(timeout=PATIENCE_S)
        assert first.returncode == 3
        assert "Traceback" not in errors
    assert fleet.status() == "pending"
    assert lock_files(fleet.database) == []
    fleet.open("mercy")
    with script(fleet, "leaver", kind) as second:
        assert second.communicate(timeout=PATIENCE_S) == ("stayed\n", "")
    assert len(fleet.bodies("first")) == 1
    assert [line["attempt"] for line in fleet.bodies("exit")] == [1, 1]


def test_an_interrupted_script_leaves_a_sleeping_run_asleep(fleet: Fleet) -> None:
    with script(fleet, "sleeper", "1h") as process:
        fleet.reached("sleeping")
        with within():
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE_S)
    record = fleet.describe()
    assert record.status == "sleeping"
    assert record.wake_at is not None
    assert record.wake_at.timestamp() - time.time() > 3_000
    assert record.recoveries == 0


def test_a_terminated_script_leaves_its_run_resumable(fleet: Fleet) -> None:
    with script(fleet, "guarded", "gate") as first:
        fleet.began("second")
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=PATIENCE_S)
    fleet.open("gate")
    with script(fleet, "guarded", "gate") as second:
        output, errors = second.communicate(timeout=PATIENCE_S)
        assert (output, errors) == ("['first', 'gate', 'third']\n", "")
    assert len(fleet.bodies("first")) == 1


@contextmanager
def script(fleet: Fleet, workflow: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that runs a script."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SCRIPT, str(fleet.folder), workflow, *arguments],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    with process:
        try:
            yield process
        finally:
            process.kill()


def end_process(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
