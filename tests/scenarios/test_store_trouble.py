"""A store that cannot be used: one clear error, nothing hangs, nothing is lost, and afterwards the run goes on."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from flowgraph import Client, FlowgraphError, Runtime, SchemaMismatch, StoreError, StoreUnavailable
from tests.scenarios import trouble
from tests.scenarios.fleet import settle_in
from tests.scenarios.support import PATIENCE_S, Child, Spawner, lines_of, repeated_places, snapshot, until

KEEP = "tests.scenarios.trouble:keep_ledger"
LENGTHS = {"lengths": trouble.EXPECTED_LENGTHS}


class Desk:
    """A folder with a store, and the processes on it."""

    def __init__(self, spawner: Spawner, folder: Path, place: Path) -> None:
        self._spawner = spawner
        self.folder = folder
        self.database = place / "flows.db"
        self.store = f"sqlite:///{self.database}"

    def process(self, name: str, target: str = KEEP, **arguments: Any) -> Child:
        return self._spawner.start(self.folder, name, target, store=self.store, folder=str(self.folder), **arguments)

    def open_gate(self) -> None:
        (self.folder / "gate").touch()

    def fill_with_a_finished_run(self) -> None:
        self.open_gate()
        assert self.process("filler").result() == LENGTHS

    def left_in_the_middle(self) -> None:
        """Kill a process whose run waits at the gate."""
        child = self.process("middle")
        until(lambda: lines_of(self.folder / "bodies.log"))
        child.kill()

    def fails(self) -> StoreError:
        """The error of opening it and running something here."""

        async def act() -> None:
            settle_in(str(self.folder))
            async with asyncio.timeout(PATIENCE_S), Runtime(self.store) as runtime:
                await runtime.run(trouble.ledger, "gate")

        with pytest.raises(StoreError) as caught:
            asyncio.run(act())
        return checked(caught.value, self.database)

    def client_fails(self) -> StoreError:
        async def act() -> None:
            async with asyncio.timeout(PATIENCE_S), Client(self.store) as client:
                await client.start("ledger", "gate")

        with pytest.raises(StoreError) as caught:
            asyncio.run(act())
        return checked(caught.value, self.database)

    def resumes(self, name: str = "resumed") -> None:
        """After the trouble the run goes on, and no body whose outcome was committed ran twice."""
        finished = snapshot(self.database).finished_places
        before = len(lines_of(self.folder / "bodies.log"))
        self.open_gate()
        assert self.process(name).result() == LENGTHS
        again = {f"{line['run']}:{line['path']}" for line in lines_of(self.folder / "bodies.log")[before:]}
        assert not again & finished
        assert not list(repeated_places(snapshot(self.database).rows))


@pytest.fixture
def desk(spawner: Spawner, tmp_path: Path) -> Desk:
    return Desk(spawner, tmp_path, tmp_path)


def checked(error: StoreError, database: Path) -> StoreError:
    assert_clear(str(error), database)
    return error


def assert_clear(text: str, database: Path) -> None:
    assert "\n" not in text
    assert str(database) in text
    assert "unexpected" not in text


# A file that is none ------------------------------------------------------------------------------------------------


def test_a_file_that_is_no_database_is_refused_and_left_alone(desk: Desk) -> None:
    content = b"Dear diary,\n" * 1_000
    desk.database.write_bytes(content)
    assert "no SQLite database" in str(desk.fails())
    assert "no SQLite database" in str(desk.client_fails())
    assert desk.database.read_bytes() == content


def test_an_empty_file_becomes_a_store(desk: Desk) -> None:
    desk.database.touch()
    desk.fill_with_a_finished_run()


def test_a_missing_folder_is_made(spawner: Spawner, tmp_path: Path) -> None:
    desk = Desk(spawner, tmp_path, tmp_path / "not" / "yet")
    desk.fill_with_a_finished_run()
    assert desk.database.exists()


def test_a_folder_is_refused(desk: Desk) -> None:
    desk.database.mkdir()
    assert "folder" in str(desk.fails())


def test_a_file_in_the_place_of_the_folder_is_refused(spawner: Spawner, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    desk = Desk(spawner, tmp_path, tmp_path / "file")
    desk.fails()


@pytest.mark.parametrize("damage", ["garbage", "truncated", "zeroes"])
def test_a_damaged_file_is_refused(desk: Desk, damage: str) -> None:
    desk.fill_with_a_finished_run()
    content = desk.database.read_bytes()
    assert len(content) > 3 * 4096
    assert not Path(f"{desk.database}-wal").exists()
    if damage == "garbage":
        content = content[:100] + os.urandom(len(content) - 100)
    elif damage == "truncated":
        content = content[: len(content) // 3]
    else:
        content = content[:4096] + bytes(len(content) - 4096)
    desk.database.write_bytes(content)
    assert "damaged" in str(desk.fails())
    assert desk.process("another").result()["error"] == "StoreError"


def test_a_store_of_a_newer_version_is_refused_and_left_alone(desk: Desk) -> None:
    desk.fill_with_a_finished_run()
    with closing(sqlite3.connect(desk.database, isolation_level=None)) as connection:
        connection.execute("INSERT INTO migration (no, name) VALUES (999, 'from the future')")
    before = desk.database.read_bytes()
    for error in (desk.fails(), desk.client_fails()):
        assert isinstance(error, SchemaMismatch)
        assert error.found == 999
        assert error.known < 999
    assert desk.database.read_bytes() == before
    with closing(sqlite3.connect(desk.database, isolation_level=None)) as connection:
        connection.execute("DELETE FROM migration WHERE no = 999")
    assert desk.process("again").result() == LENGTHS


def test_a_database_of_another_program_with_the_same_table_names_is_refused_and_left_alone(desk: Desk) -> None:
    with closing(sqlite3.connect(desk.database, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE worker (name TEXT)")
        connection.execute("INSERT INTO worker VALUES ('Ada')")
    desk.fails()
    with closing(sqlite3.connect(desk.database, isolation_level=None)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall() == [("worker",)]
        assert connection.execute("SELECT * FROM worker").fetchall() == [("Ada",)]


# Permissions ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["file", "folder", "both", "new"])
def test_a_store_that_may_not_be_written_is_refused_and_goes_on_when_it_may(
    spawner: Spawner, tmp_path: Path, what: str
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    desk = Desk(spawner, tmp_path, place)
    if what != "new":
        desk.left_in_the_middle()
        remove_leftovers(place)
    with not_writable(*([desk.database] if what in {"file", "both"} else []), *([place] if what != "file" else [])):
        told = desk.process("nobody", nobody_special=True).result()
        assert told.get("error") in {"StoreError", "StoreUnavailable"}, told
        assert_clear(told["text"], desk.database)
    desk.resumes()


def remove_leftovers(place: Path) -> None:
    """Move the log into the file, so that the file alone is the store."""
    with closing(sqlite3.connect(place / "flows.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@contextmanager
def not_writable(*paths: Path) -> Iterator[None]:
    modes = [path.stat().st_mode for path in paths]
    for path, mode in zip(paths, modes, strict=True):
        path.chmod(mode & ~0o222)
    try:
        yield
    finally:
        for path, mode in zip(paths, modes, strict=True):
            path.chmod(mode)


# Locked by another process --------------------------------------------------------------------------------------------


@contextmanager
def locked(desk: Desk) -> Iterator[Callable[[], None]]:
    """Hold the write lock, as another program would; what it yields lets go of it."""
    with closing(sqlite3.connect(desk.database, isolation_level=None, check_same_thread=False)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield lambda: connection.rollback()


@pytest.mark.parametrize("seconds", [1.0, 6.5], ids=["shorter than SQLite waits", "longer than SQLite waits"])
def test_a_store_that_is_locked_for_a_while_is_waited_for(desk: Desk, seconds: float) -> None:
    child = desk.process("waiting")
    until(lambda: lines_of(desk.folder / "bodies.log"))
    with locked(desk) as unlock:
        desk.open_gate()
        until(lambda: lines_of(desk.folder / "bodies.log", "end"))
        unlocked_at = time.monotonic() + seconds
        until(lambda: time.monotonic() > unlocked_at)
        assert len(lines_of(desk.folder / "bodies.log")) == 1, "the next line ran before the commit"
        unlock()
    assert child.result() == LENGTHS
    assert not child.errors
    assert len(lines_of(desk.folder / "bodies.log")) == 1 + trouble.STEPS


def test_a_store_that_is_locked_while_it_is_opened_is_waited_for(desk: Desk) -> None:
    desk.left_in_the_middle()
    with locked(desk) as unlock:
        desk.open_gate()
        child = desk.process("waiting")
        unlocked_at = time.monotonic() + 1.0
        until(lambda: time.monotonic() > unlocked_at)
        unlock()
    assert child.result() == LENGTHS


def test_a_new_store_that_is_locked_while_it_is_made_is_waited_for(desk: Desk) -> None:
    with locked(desk) as unlock:
        desk.open_gate()
        child = desk.process("waiting")
        unlocked_at = time.monotonic() + 1.0
        until(lambda: time.monotonic() > unlocked_at)
        unlock()
    assert child.result() == LENGTHS


def test_a_store_that_many_processes_make_at_once_is_made_once(spawner: Spawner, tmp_path: Path) -> None:
    (tmp_path / "gate").touch()
    for number in range(4):
        place = tmp_path / f"place-{number}"
        place.mkdir()
        desk = Desk(spawner, tmp_path, place)
        children = [desk.process(f"child-{number}-{one}") for one in range(6)]
        assert [child.result() for child in children] == [LENGTHS] * 6


def test_a_store_that_stays_locked_is_an_error_that_is_worth_a_retry(desk: Desk) -> None:
    desk.left_in_the_middle()
    with locked(desk):
        told = desk.process("impatient", give_up_s=1.0).result()
        assert told["error"] == "StoreUnavailable"
        assert_clear(told["text"], desk.database)
    desk.resumes()


def test_a_store_that_stays_locked_in_mid_run_is_an_error_and_another_process_goes_on(desk: Desk) -> None:
    child = desk.process("impatient", give_up_s=1.0)
    until(lambda: lines_of(desk.folder / "bodies.log"))
    with locked(desk):
        desk.open_gate()
        told = child.result()
        assert told["error"] == "StoreUnavailable"
        assert_clear(told["text"], desk.database)
    desk.resumes()


def test_a_runtime_that_outlives_the_trouble_goes_on_with_its_run(desk: Desk) -> None:
    child = desk.process("patient", "tests.scenarios.trouble:keep_ledger_and_wait", give_up_s=0.5)
    until(lambda: lines_of(desk.folder / "bodies.log"))
    with locked(desk):
        desk.open_gate()
        until(lambda: (desk.folder / "noticed").exists())
    (desk.folder / "over").touch()
    assert child.result() == ["StoreUnavailable", trouble.EXPECTED_LENGTHS]


def test_sending_to_a_locked_store_is_an_error_or_done_never_neither(desk: Desk) -> None:
    desk.left_in_the_middle()

    async def act() -> None:
        async with Client(desk.store) as client:
            run = await client.get("run-1")
            with locked(desk) as unlock:
                sending = asyncio.create_task(run.send("letter", 1, id="1"))
                await asyncio.wait({sending}, timeout=0.3)
                assert not sending.done()
                unlock()
            await sending

    asyncio.run(act())
    assert [event["send_id"] for event in snapshot(desk.database).events] == ["1"]


# A full disk ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True).returncode:
        pytest.skip("a file system cannot be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@contextmanager
def filled(place: Path) -> Iterator[None]:
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    try:
        yield
    finally:
        filler.unlink()


def test_a_full_disk_is_waited_for_in_mid_run(spawner: Spawner, tmp_path: Path, small_disk: Path) -> None:
    desk = Desk(spawner, tmp_path, small_disk)
    child = desk.process("waiting")
    until(lambda: lines_of(desk.folder / "bodies.log"))
    with filled(small_disk):
        desk.open_gate()
        until(lambda: lines_of(desk.folder / "bodies.log", "end"))
        free_at = time.monotonic() + 0.5
        until(lambda: time.monotonic() > free_at)
    assert child.result() == LENGTHS
    assert len(lines_of(desk.folder / "bodies.log")) == 1 + trouble.STEPS


def test_a_disk_that_stays_full_is_an_error_and_the_run_goes_on_when_there_is_space(
    spawner: Spawner, tmp_path: Path, small_disk: Path
) -> None:
    desk = Desk(spawner, tmp_path, small_disk)
    child = desk.process("impatient", give_up_s=1.0)
    until(lambda: lines_of(desk.folder / "bodies.log"))
    with filled(small_disk):
        desk.open_gate()
        told = child.result()
        assert told["error"] == "StoreUnavailable"
        assert_clear(told["text"], desk.database)
        assert "disk is full" in told["text"]
    desk.resumes()


def test_a_new_store_on_a_full_disk_is_an_error(spawner: Spawner, tmp_path: Path, small_disk: Path) -> None:
    desk = Desk(spawner, tmp_path, small_disk)
    with filled(small_disk):
        told = desk.process("impatient", give_up_s=1.0).result()
        assert told["error"] in {"StoreError", "StoreUnavailable"}
        assert_clear(told["text"], desk.database)
    desk.open_gate()
    assert desk.process("again").result() == LENGTHS


@pytest.mark.parametrize("give_up_s", [None, 0.5], ids=["for a while", "for good"])
def test_files_that_may_not_grow_are_a_full_disk(desk: Desk, give_up_s: float | None) -> None:
    target = "tests.scenarios.trouble:keep_ledger_with_a_file_limit"
    seconds = 0.5 if give_up_s is None else 60.0
    told = desk.process("limited", target, seconds=seconds, give_up_s=give_up_s).result()
    if give_up_s is None:
        assert told == LENGTHS
    else:
        assert told["error"] == "StoreUnavailable"
        assert_clear(told["text"], desk.database)
    desk.resumes()


# Whatever it is, it is a FlowgraphError -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "store",
    ["sqlite://flows.db", "sqlite:flows.db", "flows.db", "postgres://x/y", "", "sqlite:///x.db?mode=ro", "sqlite:///"],
)
def test_an_url_that_names_no_store_is_an_error_before_anything_is_made(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FlowgraphError):
        Runtime(store)
    assert list(tmp_path.iterdir()) == []


def test_unavailable_is_the_kind_of_store_error_that_is_worth_a_retry() -> None:
    assert issubclass(StoreUnavailable, StoreError)
