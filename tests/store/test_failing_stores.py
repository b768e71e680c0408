"""Stores that cannot be written, or only half of a step: ledger and file agree, and nothing is granted beside."""

from __future__ import annotations

import os
import resource
import sqlite3
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from policykit.errors import StoreUnavailable
from policykit.store.sqlite import SqliteStore
from tests.store.harm import (
    DAMAGED,
    DISK,
    IO,
    READ_ONLY,
    Failing,
    Limited,
    broken,
    filled,
    in_child,
    refusal,
)
from tests.store.made import ACCOUNT, NOW, dump, hold_sum, replayed, reserve


def test_a_full_disk_is_refused_and_forgotten_once_there_is_room(tmp_path: Path) -> None:
    """What does not fit is not granted and not counted; with room again the store goes on as it was."""
    path, disk = tmp_path / "store.db", Limited()
    store = SqliteStore(path, make=disk)
    granted = 0
    with pytest.raises(StoreUnavailable) as caught:
        while granted < 1_000:
            assert reserve(store, hold_sum(1, 10**6))[1].granted
            granted += 1
    assert (caught.value.code, str(caught.value)) == (
        "STORE_FULL",
        f"{path}: the disk is full, or a quota is; make room",
    )
    for _ in range(3):
        assert refusal(lambda: reserve(store, hold_sum(1, 10**6), own="x" * 9_000))[0] == "STORE_FULL"
    assert refusal(lambda: store.halt("all", "HALTED", "desk", "x" * 9_000, NOW))[0] == "STORE_FULL"
    assert store.halts() == []
    assert dump(store)["sums"][f"{ACCOUNT}|open_orders"] == granted
    assert dump(store) == replayed(store.rows(limit=10**4)).dump() == dump(SqliteStore(path))
    disk.limit(10**6)
    assert reserve(store, hold_sum(1, 10**6))[1].used == (granted,)


def test_a_spent_quota_is_refused(tmp_path: Path) -> None:
    """A file that may not grow (the system's limit on file size) is an error of the disk, and nothing is granted."""
    path = tmp_path / "store.db"

    def fill() -> None:
        store = filled(path)
        resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, 120_000))
        with pytest.raises(StoreUnavailable) as caught:
            for _ in range(1_000):
                reserve(store, hold_sum(1, 10**6))
        assert caught.value.code in ("STORE_DOWN", "STORE_FULL")
        assert str(caught.value).startswith(f"{path}: the disk ")
        assert dump(store) == replayed(store.rows(limit=10**4)).dump()

    assert in_child(fill) == 0
    assert dump(SqliteStore(path))["seq"] > 10


def test_a_store_that_another_process_holds_is_refused(tmp_path: Path) -> None:
    """After the time that a write waits; what is known can still be read; when it is let go, all goes on."""
    path = tmp_path / "store.db"
    store = filled(path, busy_ms=0)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    message = f"{path}: another process has held it for over 0 s; end that process, or wait for it"
    assert refusal(lambda: reserve(store)) == ("STORE_LOCKED", message)
    assert refusal(store.checkpoint) == ("STORE_LOCKED", message)
    assert len(store.intents()) == 10
    again = SqliteStore(path, busy_ms=0)
    assert len(again.intents()) == 10
    other.execute("COMMIT")
    assert reserve(store)[1].seq == 11


def test_a_write_waits_for_another_process(tmp_path: Path) -> None:
    """It looks again every few milliseconds, and goes on as soon as the other is done."""
    store = filled(tmp_path / "store.db")
    assert (store._busy_ms, store._ready().execute("PRAGMA busy_timeout").fetchone()) == (5_000, (2,))
    other = sqlite3.connect(store.path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.05, other.execute, ("COMMIT",))
    timer.start()
    assert reserve(store)[1].granted
    timer.join()


@pytest.mark.parametrize("what", ["file", "folder", "new"])
def test_a_read_only_file_or_folder_is_refused(what: str) -> None:
    """Whoever may only read is told so, and gets nothing granted."""
    with TemporaryDirectory() as name:
        folder = Path(name) / "f"
        folder.mkdir()
        path = folder / "store.db"
        store = filled(path, 0 if what == "new" else 5)
        if what == "new":
            store.close()
            path.unlink()
        os.chmod(name, 0o755)
        for entry in folder.iterdir():
            entry.chmod(0o444)
        folder.chmod(0o555)
        if what == "file":
            folder.chmod(0o777)

        def read_only() -> None:
            if os.getuid() == 0:  # a superuser may write everywhere
                os.setgid(65534)
                os.setuid(65534)

            def use() -> None:
                reserve(SqliteStore(path, busy_ms=0))

            assert refusal(use) == ("STORE_READ_ONLY", f"{path}: {READ_ONLY}")

        assert in_child(read_only) == 0
        folder.chmod(0o755)


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    """Neither a folder at the path nor a file where a folder must be."""
    message = f"{tmp_path}: is a folder; a file is needed; name one in POLICYKIT_STORE"
    assert refusal(lambda: SqliteStore(tmp_path)) == ("STORE_DOWN", message)
    (tmp_path / "file").write_text("")
    inside = tmp_path / "file" / "store.db"
    message = f"{inside}: cannot be opened; a file that can be written may be; name one in POLICYKIT_STORE"
    assert refusal(lambda: SqliteStore(inside)) == ("STORE_DOWN", message)


def test_a_closed_store_is_refused(tmp_path: Path) -> None:
    """Closing twice is closing once; using it afterwards is told."""
    store = filled(tmp_path / "store.db")
    store.close()
    store.close()
    assert refusal(store.halts) == ("STORE_DOWN", f"{store.path}: the store was closed; open it again")


# ---- a step that fails in the middle


@pytest.mark.parametrize("when", ["instead", "after"])
@pytest.mark.parametrize("statement", ["BEGIN", "INSERT", "COMMIT"])
def test_a_step_that_fails_grants_nothing_that_is_not_on_disk(tmp_path: Path, statement: str, when: str) -> None:
    """Whether the failed statement was done or not, ledger and file agree, and the next order is judged on both."""
    store = filled(tmp_path / "store.db", make=Failing)  # type: ignore[arg-type]
    store._ready().plan[statement] = (when, broken(IO))  # type: ignore[attr-defined]
    assert refusal(lambda: reserve(store, hold_sum(1, 10**6))) == ("STORE_DOWN", f"{store.path}: {DISK}")
    landed = statement == "COMMIT" and when == "after"
    _, grant = reserve(store, hold_sum(1, 10**6))
    assert (grant.granted, grant.used) == (True, (10 + landed,))
    assert dump(store) == replayed(store.rows()).dump() == dump(SqliteStore(store.path))


@pytest.mark.parametrize("statement", ["COMMIT", "INSERT", "BEGIN", "PRAGMA"])
def test_an_interrupt_in_the_middle_leaves_the_store_usable(tmp_path: Path, statement: str) -> None:
    """Ctrl-C at the worst moment: the lock is free, no transaction is left, ledger and file agree."""
    store = filled(tmp_path / "store.db", make=Failing)  # type: ignore[arg-type]
    for when in ("instead", "after"):
        store._ready().plan[statement] = (when, KeyboardInterrupt())  # type: ignore[attr-defined]
        with pytest.raises(KeyboardInterrupt):
            reserve(store, hold_sum(1, 10**6))
        assert not store._ready().in_transaction
        assert reserve(store, hold_sum(1, 10**6))[1].granted
        assert dump(store) == replayed(store.rows()).dump() == dump(SqliteStore(store.path))


def test_a_rollback_that_fails_lets_go_of_the_connection(tmp_path: Path) -> None:
    """What cannot even be undone is closed, and the next call starts afresh."""
    store = filled(tmp_path / "store.db", make=Failing)  # type: ignore[arg-type]
    plan = store._ready().plan  # type: ignore[attr-defined]
    plan.update(INSERT=("instead", broken(IO)), ROLLBACK=("instead", broken(IO)))
    assert refusal(lambda: reserve(store))[0] == "STORE_DOWN"
    assert reserve(store, hold_sum(1, 10**6))[1].used == (10,)


def test_a_step_whose_reading_fails_is_undone(tmp_path: Path) -> None:
    """The lock on the file is let go when what others wrote cannot be read."""
    store = filled(tmp_path / "store.db", make=Failing)  # type: ignore[arg-type]
    filled(tmp_path / "store.db", 1)
    store._ready().plan["SELECT"] = ("instead", broken(IO))  # type: ignore[attr-defined]
    assert refusal(lambda: reserve(store)) == ("STORE_DOWN", f"{store.path}: {DISK}")
    assert not store._ready().in_transaction
    assert reserve(store, hold_sum(1, 10**6))[1].used == (11,)


@pytest.mark.parametrize(
    ("error", "code", "why"),
    [
        (broken(sqlite3.SQLITE_READONLY_DBMOVED), "STORE_READ_ONLY", READ_ONLY),
        (broken(sqlite3.SQLITE_CORRUPT_INDEX), "STORE_DAMAGED", DAMAGED),
        (broken(sqlite3.SQLITE_BUSY_SNAPSHOT), "STORE_LOCKED", "another process has held it for over 0 s; end that "),
        (broken(sqlite3.SQLITE_CANTOPEN), "STORE_DOWN", "cannot be opened; a file that can be written may be; name "),
        (broken(sqlite3.SQLITE_INTERNAL, "odd"), "STORE_DOWN", "SQLite says: odd"),
        (sqlite3.ProgrammingError("odd"), "STORE_DOWN", "SQLite says: odd"),
    ],
)
def test_each_error_has_its_reason_code(tmp_path: Path, error: sqlite3.Error, code: str, why: str) -> None:
    """Extended codes count as what they extend; what nobody foresaw is told in SQLite's words."""
    store = filled(tmp_path / "store.db", 1, busy_ms=0, make=Failing)  # type: ignore[arg-type]
    store._ready().plan["BEGIN"] = ("instead", error)  # type: ignore[attr-defined]
    found = refusal(lambda: reserve(store))
    assert found[0] == code
    assert found[1].startswith(f"{store.path}: {why}")
