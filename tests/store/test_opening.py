"""How a store is opened: by name, by the first of many, and without replaying more than it must."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from policykit.store import open_store
from policykit.store.sqlite import SqliteStore
from tests.store.harm import (
    DISK,
    IO,
    Failing,
    broken,
    filled,
    refusal,
)
from tests.store.made import dump, reserve

# ---- checkpoints


def test_opening_replays_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who writes many rows leaves a checkpoint on the way, and who opened after many leaves one too."""
    monkeypatch.setattr("policykit.store.sqlite.CHECKPOINT_EVERY", 20)
    monkeypatch.setattr("policykit.store.sqlite.CHECKPOINT_ROWS", 10)
    path = tmp_path / "store.db"

    def saved() -> int:
        db = sqlite3.connect(path)
        found = db.execute("SELECT max(seq) FROM checkpoint").fetchone()[0] or 0
        db.close()
        return int(found)

    store = filled(path, 9)
    assert SqliteStore(path)._checkpointed == saved() == 0
    filled(path, 1)
    assert SqliteStore(path)._checkpointed == saved() == 10
    other = filled(path, 9)
    assert saved() == 10
    assert reserve(store)[1].seq == 20
    assert (saved(), store._checkpointed, other._checkpointed) == (20, 20, 10)
    while saved() == 20:
        reserve(other)
    assert (saved(), other._checkpointed) == (30, 30)
    for _ in range(8):
        reserve(store)
    assert reserve(other)[1].seq == 39
    store._checkpointed = 0
    assert reserve(store)[1].seq == 40
    assert (saved(), store._checkpointed) == (40, 40)
    other._checkpointed = 0
    assert reserve(other)[1].seq == 41
    assert (saved(), other._checkpointed) == (40, 40)
    assert dump(SqliteStore(path)) == dump(store)


def test_a_checkpoint_that_cannot_be_kept_is_tried_again_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It only saves time: neither opening nor an order fails for it."""
    path = tmp_path / "store.db"
    filled(path, 12)
    monkeypatch.setattr("policykit.store.sqlite.CHECKPOINT_ROWS", 10)
    monkeypatch.setattr("policykit.store.sqlite.CHECKPOINT_EVERY", 5)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store = SqliteStore(path, busy_ms=0, make=Failing)  # type: ignore[arg-type]
    assert len(store.intents()) == 12
    other.execute("ROLLBACK")
    store._ready().plan["INSERT OR REPLACE"] = ("instead", broken(IO))  # type: ignore[attr-defined]
    for _ in range(20):
        assert reserve(store)[1].granted
    assert store._ready().plan == {}  # type: ignore[attr-defined]
    assert (dump(store)["seq"], store._checkpointed) == (32, 32)
    assert dump(SqliteStore(path)) == dump(store)


def test_whoever_lays_the_file_out_second_finds_it_done(tmp_path: Path) -> None:
    """Two processes open a new file: the second sees it empty, waits, and finds the tables of the first."""
    path, first = tmp_path / "store.db", []

    class Second(Failing):
        def execute(self, statement: str, values: tuple[Any, ...] = ()) -> Any:
            if statement == "BEGIN IMMEDIATE" and not first:
                first.append(SqliteStore(path))
            return super().execute(statement, values)

    store = SqliteStore(path, make=Second)  # type: ignore[arg-type]
    assert store.epoch == first[0].epoch
    assert reserve(store)[1].seq == reserve(first[0])[1].seq - 1 == 1


def test_a_layout_that_fails_is_undone(tmp_path: Path) -> None:
    """Half a layout is none: the next to open the file makes all of it."""
    path = tmp_path / "store.db"

    class Breaking(Failing):
        def __init__(self, path: str, busy_ms: int) -> None:
            super().__init__(path, busy_ms)
            self.plan["CREATE TABLE leases"] = ("instead", broken(IO))

    assert refusal(lambda: SqliteStore(path, make=Breaking)) == ("STORE_DOWN", f"{path}: {DISK}")  # type: ignore[arg-type]
    assert reserve(SqliteStore(path))[1].seq == 1


# ---- opening by name


@pytest.mark.parametrize(
    "uri", ["mysql://user:hunter2@box.example:6379/0", "etcd://:hunter2@box.example", "hunter2", "sqlite:x"]
)
def test_a_uri_that_is_no_store_is_named_without_its_password(uri: str) -> None:
    """Only the kind is in the error."""
    code, message = refusal(lambda: open_store(uri))
    assert code == "STORE_URI"
    assert message.startswith("POLICYKIT_STORE: ")
    assert '"sqlite:///path", "valkey://host:port/db" or "memory:" may be' in message
    assert "hunter2" not in message
    assert "box.example" not in message


def test_stores_are_opened_by_uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """memory:, sqlite:///path, the environment, else the user's state folder; each file is its owner's alone."""
    assert open_store("memory:").backend == "memory"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_STATE_HOME")
    default = open_store()
    assert default.path == str(tmp_path / ".local/state/policykit/store.db")  # type: ignore[attr-defined]
    assert os.stat(default.path).st_mode & 0o777 == 0o600  # type: ignore[attr-defined]
    assert os.stat(tmp_path / ".local/state/policykit").st_mode & 0o777 == 0o700
    monkeypatch.setenv("POLICYKIT_STORE", f"sqlite://{tmp_path}/other.db")
    assert open_store().path == str(tmp_path / "other.db")  # type: ignore[attr-defined]
