"""A store that is copied while it is in use, and a copy that takes the place of its original."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from pathlib import Path

import pytest

from policykit.store.sqlite import SqliteStore, verify_file
from tests.store.harm import DAMAGED, DISK, IO, Failing, broken, by_hand, filled, refusal
from tests.store.made import ACCOUNT, NOW, dump, hold_sum, reserve


def reset(path: Path, row: int) -> tuple[str, str]:
    """Return what a store on a backup says."""
    what = f"{path}: is a backup as of row {row}, and knows of nothing later"
    return "STORE_RESET", f"{what}; reconcile, then `policykit resume --scope all`"


def test_a_backup_is_of_one_moment_while_others_write(tmp_path: Path) -> None:
    """Grants go on in another connection during the copy; what it holds is whole, and is what once was."""
    path, copy = tmp_path / "store.db", tmp_path / "copy.db"
    store, other = filled(path, 30), SqliteStore(path)
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            assert reserve(other, hold_sum(1, 10**6))[1].granted

    thread = threading.Thread(target=write)
    thread.start()
    store.backup(copy)
    done.set()
    thread.join()
    rows, problem = verify_file(str(copy))
    assert problem is None
    assert 30 <= rows <= dump(store)["seq"]
    assert os.stat(copy).st_mode & 0o777 == 0o600
    assert dump(SqliteStore(copy))["sums"] == {f"{ACCOUNT}|open_orders": rows}


def test_a_backup_never_overwrites(tmp_path: Path) -> None:
    """A file that is there stays as it is."""
    store = filled(tmp_path / "store.db")
    (tmp_path / "copy.db").write_text("mine")
    with pytest.raises(FileExistsError):
        store.backup(tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "mine"


def test_a_restored_backup_waits_for_a_person(tmp_path: Path) -> None:
    """Its counters are of an earlier day: every process denies increases until all are re-armed by name, for good."""
    path, copy = tmp_path / "store.db", tmp_path / "copy.db"
    store = filled(path, 5)
    store.backup(copy)
    assert store.facts(ACCOUNT, "bot").store_problem is None
    reserve(store, hold_sum(1, 9))
    store.close()
    for name in ("store.db-wal", "store.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    shutil.copy(copy, path)
    first, second = SqliteStore(path), SqliteStore(path)
    for one in (first, second, SqliteStore(path)):
        assert one.facts(ACCOUNT, "bot").store_problem == reset(path, 5)
    assert first.resume("bot:x", "desk-head", "not this one", NOW) == 0
    assert second.facts(ACCOUNT, "bot").store_problem == reset(path, 5)
    assert first.resume("all", "desk-head", "reconciled", NOW) == 1
    for one in (first, second, SqliteStore(path)):
        assert one.facts(ACCOUNT, "bot").store_problem is None
    assert first.resume("all", "desk-head", "again", NOW) == 0


def test_a_halt_of_a_restored_backup_is_lifted_with_it(tmp_path: Path) -> None:
    """One re-arm of all lifts both, and counts both."""
    store = filled(tmp_path / "store.db", 2)
    store.halt("all", "HALTED", "desk-head", "a drill", NOW)
    store.backup(tmp_path / "copy.db")
    restored = SqliteStore(tmp_path / "copy.db")
    assert restored.resume("all", "desk-head", "reconciled", NOW) == 2


def test_a_backup_of_an_empty_store_is_one(tmp_path: Path) -> None:
    """Nothing was granted yet, and it says so all the same."""
    SqliteStore(tmp_path / "store.db").backup(tmp_path / "copy.db")
    assert SqliteStore(tmp_path / "copy.db").facts(ACCOUNT, "bot").store_problem == reset(tmp_path / "copy.db", 0)


def test_a_mark_that_cannot_be_read_is_damage(tmp_path: Path) -> None:
    """Nothing is taken for an original that may be a copy."""
    path = tmp_path / "copy.db"
    filled(tmp_path / "store.db").backup(path)
    by_hand(path, "UPDATE meta SET value='?' WHERE name='copied'")
    assert refusal(lambda: SqliteStore(path)) == ("STORE_DAMAGED", f"{path}: {DAMAGED}")


def test_half_a_backup_is_none(tmp_path: Path) -> None:
    """What cannot be copied to the end is taken away again, and a failure of SQLite's is said in our words."""

    class Breaking(Failing):
        fault: BaseException = broken(IO)

        def backup(self, copy: sqlite3.Connection, pages: int) -> None:
            copy.execute("CREATE TABLE half (a)")
            raise self.fault

    path, copy = tmp_path / "store.db", tmp_path / "copy.db"
    store = SqliteStore(path, make=Breaking)  # type: ignore[arg-type]
    assert refusal(lambda: store.backup(copy)) == ("STORE_DOWN", f"{path}: {DISK}")
    assert not copy.exists()
    Breaking.fault = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        store.backup(copy)
    assert not copy.exists()
