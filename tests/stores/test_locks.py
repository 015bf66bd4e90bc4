"""Locks that end with their process, tried with real processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowgraph.model import Store
from flowgraph.model.store import Enlist, Recover, WorkerRow
from flowgraph.stores import open_store
from flowgraph.stores.locks import FileLocks, this_host
from tests.stores.processes import Process
from tests.stores.rig import LATER, LEASE, NOW

if sys.platform == "win32":
    pytest.skip("Windows has no such locks: the lease alone tells", allow_module_level=True)

HOLDER = """
import os, signal, sys
from pathlib import Path
from flowgraph.stores.locks import FileLocks
locks = FileLocks(Path(sys.argv[1]))
print(locks.hold(), flush=True)
for line in sys.stdin:
    if line.strip() == "fork":
        if not os.fork():
            print(os.getpid(), flush=True)
            signal.pause()
"""


class Holder(Process):
    """Another process that holds a worker's lock."""

    def __init__(self, database: Path) -> None:
        super().__init__(HOLDER, str(database))
        self.lock = self.read()

    def fork(self) -> int:
        return int(self.tell("fork"))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "flows.db"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = open_store(url)
    store.open()
    yield store
    store.close()


def worker(lock: str, host: str | None = None) -> WorkerRow:
    return WorkerRow(1, host or this_host(), 1, lock, LEASE)


def lock_files(database: Path) -> set[str]:
    return {file.name for file in database.parent.glob("*.lock")}


def test_a_lock_is_held_while_its_process_lives(database: Path) -> None:
    with Holder(database) as holder:
        assert FileLocks(database).is_held(holder.lock) is True


def test_a_lock_ends_with_a_killed_process(database: Path) -> None:
    with Holder(database) as holder:
        holder.kill()
        assert FileLocks(database).is_held(holder.lock) is False


def test_a_forked_child_does_not_keep_the_lock_alive(database: Path) -> None:
    with Holder(database) as holder:
        child = holder.fork()
        try:
            holder.kill()
            os.kill(child, 0)
            assert FileLocks(database).is_held(holder.lock) is False
        finally:
            os.kill(child, 9)


def test_a_forked_child_does_not_end_the_lock_either(database: Path) -> None:
    with Holder(database) as holder:
        child = holder.fork()
        os.kill(child, 9)
        assert FileLocks(database).is_held(holder.lock) is True


def test_ones_own_lock_is_seen_as_held(database: Path) -> None:
    locks = FileLocks(database)
    name = locks.hold()
    assert (locks.is_held(name), FileLocks(database).is_held(name)) == (True, True)
    locks.remove_mine()
    assert FileLocks(database).is_held(name) is False


def test_looking_does_not_end_or_hold_a_lock(database: Path) -> None:
    with Holder(database) as holder:
        one, two = FileLocks(database), FileLocks(database)
        assert [one.is_held(holder.lock), two.is_held(holder.lock), one.is_held(holder.lock)] == [True] * 3
        holder.kill()
        assert [one.is_held(holder.lock), two.is_held(holder.lock)] == [False] * 2


def test_two_locks_of_one_process_are_two(database: Path) -> None:
    locks = FileLocks(database)
    first, second = locks.hold(), locks.hold()
    locks.remove(first)
    assert (locks.is_held(first), locks.is_held(second)) == (False, True)
    locks.remove_mine()


def test_a_missing_lock_file_means_that_nobody_holds_it(database: Path) -> None:
    assert FileLocks(database).is_held("flows.db-worker-0.lock") is False


def test_a_lock_that_cannot_be_looked_at_cannot_be_told(database: Path) -> None:
    (database.parent / "flows.db-worker-1.lock").symlink_to("flows.db-worker-1.lock")
    assert FileLocks(database).is_held("flows.db-worker-1.lock") is None


def test_a_lock_file_lies_beside_the_database(database: Path) -> None:
    locks = FileLocks(database)
    name = locks.hold()
    assert lock_files(database) == {name}
    assert name.startswith("flows.db-worker-")
    locks.remove_mine()
    assert lock_files(database) == set()


def test_taking_a_lock_sweeps_the_files_of_the_dead(database: Path) -> None:
    with Holder(database) as dead, Holder(database) as alive:
        dead.kill()
        locks = FileLocks(database)
        mine = locks.hold()
        assert lock_files(database) == {alive.lock, mine}
        another = FileLocks(database).hold()
        assert lock_files(database) == {alive.lock, mine, another}


def test_the_lock_of_another_database_is_left_alone(database: Path) -> None:
    other = database.with_name("other[1].db")
    with Holder(other) as dead:
        dead.kill()
        FileLocks(database).hold()
        assert dead.lock in lock_files(database)
        FileLocks(other).hold()
        assert dead.lock not in lock_files(database)


def test_removing_does_not_touch_a_living_workers_file(database: Path) -> None:
    with Holder(database) as holder:
        FileLocks(database).remove(holder.lock)
        assert (lock_files(database), FileLocks(database).is_held(holder.lock)) == ({holder.lock}, True)


def test_a_lock_name_cannot_lead_out_of_the_folder(database: Path) -> None:
    victim = database.parent.parent / "victim.lock"
    victim.touch()
    FileLocks(database).remove(f"../{victim.name}")
    assert victim.exists()


def test_a_lock_descriptor_is_not_inherited(database: Path) -> None:
    from flowgraph.stores.locks import _held

    locks = FileLocks(database)
    name = locks.hold()
    assert os.get_inheritable(_held[database.parent / name]) is False
    locks.remove_mine()


def test_another_host_or_another_boot_cannot_be_told(store: Store) -> None:
    host, lock = store.hold_lock()
    assert host == this_host()
    assert store.is_held(worker(lock)) is True
    assert store.is_held(worker(lock, "elsewhere/boot")) is None
    assert store.is_held(worker(lock, host.partition("/")[0] + "/other-boot")) is None


def test_a_worker_without_a_lock_cannot_be_told(store: Store) -> None:
    assert store.is_held(worker("")) is None


def test_recovering_a_dead_worker_removes_its_lock_file(store: Store, database: Path) -> None:
    with Holder(database) as holder:
        [no] = store.apply([Enlist(this_host(), 1, holder.lock, LEASE, NOW)], synced=False)
        holder.kill()
        assert lock_files(database) == {holder.lock}
        store.apply([Recover(no, 50, LATER)], synced=False)
        assert lock_files(database) == set()


def test_a_worker_that_leaves_lets_go_of_its_lock(store: Store, database: Path) -> None:
    host, lock = store.hold_lock()
    [no] = store.apply([Enlist(host, 1, lock, LEASE, NOW)], synced=False)
    store.apply([Recover(no, 50, LATER, leave=True)], synced=False)
    assert (lock_files(database), store.is_held(worker(lock))) == (set(), False)


def test_the_lock_of_a_living_worker_survives_its_recovery(store: Store, database: Path) -> None:
    with Holder(database) as holder:
        [no] = store.apply([Enlist(this_host(), 1, holder.lock, LEASE, NOW)], synced=False)
        store.apply([Recover(no, 50, LATER)], synced=False)
        assert lock_files(database) == {holder.lock}


def test_closing_a_store_lets_go_of_its_locks(url: str, database: Path) -> None:
    store = open_store(url)
    store.open()
    store.hold_lock()
    store.close()
    assert lock_files(database) == set()


def test_a_lock_in_memory_lasts_as_long_as_its_store() -> None:
    store, other = open_store("sqlite://"), open_store("sqlite://")
    store.open()
    other.open()
    host, lock = store.hold_lock()
    assert (store.is_held(worker(lock, host)), other.is_held(worker(lock, host))) == (True, False)
    store.close()
    assert store.is_held(worker(lock, host)) is False
    other.close()
