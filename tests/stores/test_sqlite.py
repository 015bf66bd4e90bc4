"""What is special to SQLite: durability, the log, and what its errors mean."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from flowgraph.errors import FlowgraphError, StoreError, StoreUnavailable
from flowgraph.model.store import Find, Outcomes, Start
from flowgraph.stores import open_store, sqlite
from flowgraph.stores.driver import Unfit
from flowgraph.stores.mounts import network_file_system
from flowgraph.stores.sqlite import Connection, SqliteStore, explained
from tests.stores.processes import Process, Writer
from tests.stores.rig import NOW, Rig, saved


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "flows.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(f"sqlite:///{path}", path)
    store.open()
    yield store
    store.close()


def start(run_id: str, text: str = "{}") -> Start:
    return Start(run_id, "wf", text, NOW)


def opening(path: Path) -> StoreError:
    """The error of opening this file."""
    with pytest.raises(StoreError) as raised:
        open_store(f"sqlite:///{path}").open()
    return raised.value


# Durability and the log


@pytest.mark.parametrize(("synced", "mode"), [(True, 2), (False, 1)])
def test_a_commit_is_synced_as_it_was_asked_for(store: SqliteStore, synced: bool, mode: int) -> None:
    store.apply([start("a")], synced=not synced)
    store.apply([start("b")], synced=synced)
    assert store._driver.value("PRAGMA synchronous") == mode


def test_the_file_has_a_write_ahead_log_which_commits_never_move(store: SqliteStore, path: Path) -> None:
    assert store._driver.value("PRAGMA journal_mode") == "wal"
    assert store._driver.value("PRAGMA wal_autocheckpoint") == 0
    before = path.read_bytes()
    for k in range(50):
        store.apply([start(f"r{k}", "x" * 50_000)], synced=False)
    assert path.read_bytes() == before


def test_the_log_is_moved_into_the_file_when_much_was_written(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_TEND_CHANGES", 100)
    before = path.read_bytes()
    store.apply([start(f"a{k}") for k in range(50)], synced=False)
    store.tend()
    assert path.read_bytes() == before
    store.apply([start(f"b{k}") for k in range(60)], synced=False)
    store.tend()
    moved = path.read_bytes()
    assert len(moved) > len(before)
    store.tend()
    assert path.read_bytes() == moved


def test_the_log_is_moved_after_many_synced_commits_or_many_bytes(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_TEND_SYNCED", 3)
    before = path.read_bytes()
    for k in range(3):
        store.apply([start(f"a{k}")], synced=True)
    store.tend()
    after_syncs = path.read_bytes()
    assert after_syncs != before
    monkeypatch.setattr(sqlite, "_TEND_BYTES", 100_000)
    store.apply([start("big", "x" * 1_000_000)], synced=False)
    store.tend()
    assert len(path.read_bytes()) > len(after_syncs) + 900_000


def test_a_reader_does_not_keep_the_log_from_being_moved(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_TEND_CHANGES", 1)
    store.ask(Find("a"))
    store.apply([start("a", "x" * 100_000)], synced=False)
    store.ask(Find("a"))
    store.tend()
    assert path.stat().st_size > 100_000


def test_a_question_does_not_write(store: SqliteStore) -> None:
    store.ask(Find("a"))
    assert store._reader is not None
    with pytest.raises(StoreError, match="readonly"):
        store._reader.run("DELETE FROM run")


def test_closing_leaves_one_file(path: Path) -> None:
    store = open_store(f"sqlite:///{path}")
    store.open()
    store.apply([start("a")], synced=True)
    store.ask(Find("a"))
    store.changed()
    store.tend()
    store.close()
    assert list(path.parent.iterdir()) == [path]


def test_a_killed_process_loses_no_commit(path: Path) -> None:
    code = """
import sys
from flowgraph.stores import open_store
from flowgraph.model.store import Start
store = open_store(sys.argv[1])
store.open()
for k in range(5):
    store.apply([Start(f"r{k}", "wf", "{}", 1)], synced=k % 2 == 0)
print("ready", flush=True)
sys.stdin.read()
"""
    with Process(code, f"sqlite:///{path}") as process:
        assert process.read() == "ready"
        process.kill()
    store = open_store(f"sqlite:///{path}")
    store.open()
    assert len(store.ask(Outcomes(tuple(f"r{k}" for k in range(5))))) == 5
    store.close()


# Other processes


def test_changes_of_others_are_told_once(store: SqliteStore) -> None:
    store.apply([start("a")], synced=False)
    assert store.changed() is False
    with Writer(store.url) as other:
        other.write()
        assert (store.changed(), store.changed()) == (True, False)
    store.apply([start("b")], synced=False)
    assert store.changed() is False


def test_an_impatient_call_fails_at_once_and_a_patient_one_waits(store: SqliteStore) -> None:
    with Writer(store.url) as other:
        other.take_the_write_lock()
        with pytest.raises(StoreUnavailable) as raised:
            store.apply([start("a")], synced=False, patient=False)
        assert "is being written by another process; try again" in str(raised.value)
        assert str(store._path) in str(raised.value)
        assert store.ask(Find("a")) is None
        other.let_go()
    [started] = store.apply([start("a")], synced=False, patient=True)
    assert started.created is True


def test_a_patient_call_gives_up_in_the_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "PATIENCE_S", 0.01)
    store = open_store(f"sqlite:///{path}")
    store.open()
    with Writer(store.url) as other:
        other.take_the_write_lock()
        with pytest.raises(StoreUnavailable):
            store.apply([start("a")], synced=False)
    store.close()


def test_many_processes_open_a_new_store_at_once(path: Path) -> None:
    code = """
import sys
from flowgraph.stores import open_store
from flowgraph.model.store import Start
sys.stdin.readline()
store = open_store(sys.argv[1])
store.open()
print(store.apply([Start(sys.argv[2], "wf", "{}", 1)], synced=True)[0].created, flush=True)
"""
    processes = [Process(code, f"sqlite:///{path}", f"r{k}") for k in range(4)]
    for process in processes:
        assert process.process.stdin is not None
        process.process.stdin.write("go\n")
        process.process.stdin.flush()
    try:
        assert [process.read() for process in processes] == ["True"] * 4
    finally:
        for process in processes:
            process.__exit__(None, None, None)


# Errors


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert str(opening(tmp_path)) == (
        f"The store {tmp_path} is a folder; name a file in it, such as {tmp_path}/flowgraph.db."
    )


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_text("This is a letter, not a database. " * 100)
    error = opening(path)
    assert str(error) == f"The store {path} is no SQLite database; name another file (file is not a database)."
    assert not isinstance(error, StoreUnavailable)
    assert path.read_text().startswith("This is a letter")


def test_a_database_of_another_program_is_refused_and_left_as_it_is(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE run (distance REAL)")
    assert "table run already exists" in str(opening(path))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("run",)]


def test_a_damaged_file_is_told(path: Path) -> None:
    store = open_store(f"sqlite:///{path}")
    store.open()
    store.apply([start(f"r{k}", "x" * 1000) for k in range(100)], synced=True)
    store.close()
    content = bytearray(path.read_bytes())
    content[8192:] = b"\x55" * (len(content) - 8192)
    path.write_bytes(content)
    assert f"The store {path} is damaged; restore it from a backup" in str(opening(path))


def test_a_path_through_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    error = opening(tmp_path / "file" / "flows.db")
    assert str(error) == f"The folder of the store {tmp_path}/file/flows.db cannot be made: a file is in the way."


def test_a_full_disk_is_told_and_the_store_goes_on_when_there_is_space(store: SqliteStore, path: Path) -> None:
    store._driver.run(f"PRAGMA max_page_count = {store._driver.value('PRAGMA page_count') + 2}")
    with pytest.raises(StoreUnavailable) as raised:
        store.apply([start("a", "x" * 1_000_000)], synced=True)
    assert f"The store {path} cannot grow: the disk is full; free some space" in str(raised.value)
    [started] = store.apply([start("b")], synced=True)
    assert started.created is True
    store._driver.run("PRAGMA max_page_count = 1000000")
    [started] = store.apply([start("a", "x" * 1_000_000)], synced=True)
    assert started.created is True


def test_a_commit_that_fails_leaves_nothing_and_can_be_tried_again(path: Path) -> None:
    """The log cannot grow, which SQLite finds out while it commits."""
    code = """
import resource, sys
from flowgraph.errors import StoreUnavailable
from flowgraph.stores import open_store
from flowgraph.model.store import Find, Start
store = open_store(sys.argv[1])
store.open()
store.apply([Start("first", "wf", "{}", 1)], synced=True)
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
big = Start("big", "wf", "x" * (4 << 20), 1)
for synced in (True, False):
    try:
        store.apply([big, Start("beside", "wf", "{}", 1)], synced=synced)
    except StoreUnavailable as error:
        print(error)
    print(store.ask(Find("big")), store.ask(Find("beside")), store._driver._connection.in_transaction)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
print([answer.created for answer in store.apply([big, Start("beside", "wf", "{}", 1)], synced=True)])
store.close()
"""
    ran = subprocess.run([sys.executable, "-c", code, f"sqlite:///{path}"], capture_output=True, text=True, check=True)
    lines = ran.stdout.splitlines()
    assert [line for line in lines if line.startswith("The store")]
    assert lines.count("None None False") == 2
    assert lines[-1] == "[True, True]"


@pytest.fixture
def guarded() -> Iterator[Path]:
    """A store's path in a folder that other users can see (pytest's own folders are closed to them)."""
    if not hasattr(os, "geteuid"):
        pytest.skip("these permissions are POSIX's")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "flows.db"
        Path(folder).chmod(0o755)


def test_a_folder_without_permission_is_told(guarded: Path) -> None:
    guarded.parent.chmod(0o555)
    said = opened_without_rights(guarded)
    assert f"The store {guarded} cannot be opened; look at the permissions of the file and its folder" in said


def test_a_read_only_file_is_told(guarded: Path) -> None:
    store = open_store(f"sqlite:///{guarded}")
    store.open()
    store.close()
    guarded.chmod(0o444)
    guarded.parent.chmod(0o555)
    said = opened_without_rights(guarded)
    assert f"The store {guarded} is read-only; make the file and its folder writable for this user" in said


def test_a_folder_that_may_not_be_entered_is_told(guarded: Path) -> None:
    guarded.parent.chmod(0o000)
    said = opened_without_rights(guarded.parent / "folder" / "flows.db")
    assert (
        said
        == f"StoreError The folder of the store {guarded.parent}/folder/flows.db cannot be made: Permission denied."
    )


def opened_without_rights(path: Path) -> str:
    """What opening a store says to a user who may not do everything."""
    code = """
import os, sys
from flowgraph.stores import open_store
import flowgraph.stores.sqlite
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
store = open_store(sys.argv[1])
try:
    store.open()
    store.apply([], synced=True)
    print("opened")
except Exception as error:
    print(type(error).__name__, error)
"""
    ran = subprocess.run([sys.executable, "-c", code, f"sqlite:///{path}"], capture_output=True, text=True)
    return (ran.stdout + ran.stderr).strip()


CODES = {
    "SQLITE_BUSY": (StoreUnavailable, "is being written by another process; try again"),
    "SQLITE_BUSY_SNAPSHOT": (StoreUnavailable, "is being written by another process; try again"),
    "SQLITE_LOCKED": (StoreUnavailable, "is being written by another connection; try again"),
    "SQLITE_PROTOCOL": (StoreUnavailable, "is used by too many processes at once; try again"),
    "SQLITE_FULL": (StoreUnavailable, "cannot grow: the disk is full; free some space"),
    "SQLITE_IOERR_FSYNC": (StoreUnavailable, "could not be read or written; look at the disk"),
    "SQLITE_NOMEM": (StoreUnavailable, "got no memory; free some"),
    "SQLITE_READONLY_DBMOVED": (StoreError, "is read-only; make the file and its folder writable for this user"),
    "SQLITE_PERM": (StoreError, "may not be opened by this user; change its permissions"),
    "SQLITE_AUTH": (StoreError, "may not be opened by this user; change its permissions"),
    "SQLITE_CANTOPEN": (StoreError, "cannot be opened; look at the permissions of the file and its folder"),
    "SQLITE_CORRUPT": (StoreError, "is damaged; restore it from a backup"),
    "SQLITE_NOTADB": (StoreError, "is no SQLite database; name another file"),
}


@pytest.mark.parametrize("name", CODES)
def test_every_error_of_sqlite_says_what_it_means_and_what_to_do(name: str) -> None:
    error = sqlite3.OperationalError("its own words")
    error.sqlite_errorcode = getattr(sqlite3, name)
    kind, meaning = CODES[name]
    told = explained(error, Path("/data/flows.db"))
    assert type(told) is kind
    assert str(told) == f"The store /data/flows.db {meaning} (its own words)."


def test_an_unknown_error_of_sqlite_is_told_in_its_own_words() -> None:
    error = sqlite3.OperationalError("no such column: x")
    error.sqlite_errorcode = sqlite3.SQLITE_ERROR
    assert str(explained(error, None)) == "The store in memory failed: no such column: x."


def test_an_error_of_a_value_is_the_values() -> None:
    assert isinstance(explained(OverflowError("too large"), None), Unfit)
    assert not issubclass(Unfit, FlowgraphError)


def test_an_old_sqlite_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    assert str(opening(path)) == "This Python has SQLite 3.34.1; flowgraph needs 3.35 or newer."


def test_a_connection_that_cannot_be_made_names_its_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        Connection(tmp_path / "missing" / "flows.db").run("SELECT 1")


def test_a_bug_in_a_handler_is_logged_and_spoils_one_command(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from flowgraph.model.store import Send
    from flowgraph.stores import commands

    def bug(driver: object, command: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setitem(commands._ONE, Send, bug)
    rig = Rig(store)
    no = rig.running()
    first, second, third = rig.do(saved(no, 1), Send("r", "e", "1", NOW), saved(no, 2))
    assert (first, str(second), third) == (True, "Send was refused: a bug.", True)
    assert caplog.text.count("ZeroDivisionError") >= 1


# Network file systems

MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sda2 /home/local ext4 rw 0 0
//server/share /mnt/with\\040space cifs rw 0 0
overlay /sandbox overlay rw 0 0
host /nine 9p rw 0 0
user@host:/ /remote fuse.sshfs rw 0 0
thing /local-fuse fuse.thing rw 0 0
none /gluster fuse.glusterfs rw 0 0
none /twice ext4 rw 0 0
none /twice lustre rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "system"),
    [
        ("/data/flows.db", None),
        ("/home/user/flows.db", "nfs4"),
        ("/home/local/flows.db", None),
        ("/homestead/flows.db", None),
        ("/mnt/with space/flows.db", "cifs"),
        ("/sandbox/flows.db", None),
        ("/nine/flows.db", None),
        ("/remote/flows.db", "fuse.sshfs"),
        ("/local-fuse/flows.db", None),
        ("/gluster/flows.db", "fuse.glusterfs"),
        ("/twice/flows.db", "lustre"),
    ],
)
def test_a_network_file_system_is_known_by_its_mount(tmp_path: Path, path: str, system: str | None) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    assert network_file_system(Path(path), mounts) == system


def test_a_system_without_a_list_of_mounts_cannot_tell(tmp_path: Path) -> None:
    assert network_file_system(Path("/x"), tmp_path / "missing") is None


def test_a_store_on_a_network_file_system_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "network_file_system", lambda path: "nfs4")
    assert str(opening(path)) == (
        f"The store {path} is on a network file system (nfs4), where SQLite is unsafe. Use a local disk."
    )
