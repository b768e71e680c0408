"""Stores that went away or hold what nobody wrote: refused in our words, and nothing is granted."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from policykit.store.sqlite import SqliteStore, verify_file
from tests.store.harm import (
    DAMAGED,
    RESTART,
    by_hand,
    every_call,
    filled,
    refusal,
)
from tests.store.made import ACCOUNT, NOW, dump, reserve

# ---- the file goes away


def removed(path: Path) -> None:
    """Take the file away."""
    path.unlink()


def replaced(path: Path) -> None:
    """Put a copy in its place."""
    shutil.copy(path, path.with_suffix(".copy"))
    os.replace(path.with_suffix(".copy"), path)


def emptied(path: Path) -> None:
    """Leave nothing in it."""
    os.truncate(path, 0)


@pytest.mark.parametrize("harm", [removed, replaced, emptied])
def test_a_file_that_goes_away_is_refused_by_every_call(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    """Removed, replaced by a copy or emptied while in use: every call says so, and a restart is a person's decision."""
    path = tmp_path / "store.db"
    store = filled(path)
    harm(path)
    for name, call in every_call(store).items():
        assert refusal(call) == ("STORE_RESET", f"{path}: {RESTART}"), name


def test_a_file_that_was_changed_under_a_fork_is_refused(tmp_path: Path) -> None:
    """Also by the connection that is made anew after a fork."""
    path = tmp_path / "store.db"
    store = filled(path)
    store._disconnect()
    replaced(path)
    assert refusal(store.halts) == ("STORE_RESET", f"{path}: {RESTART}")


def test_rows_that_were_taken_out_while_in_use_are_noticed(tmp_path: Path) -> None:
    """A journal that ends before what was seen, or goes on differently, is another one."""
    for number, statement in enumerate(
        ("DELETE FROM journal WHERE seq > 8", "UPDATE journal SET hash='0' WHERE seq=10", "DELETE FROM journal")
    ):
        path = tmp_path / f"{number}.db"
        store = filled(path)
        by_hand(path, statement)
        message = f"{path}: no longer holds the rows that it did; restore it or start anew"
        assert refusal(lambda: reserve(store)) == ("STORE_RESET", message)  # noqa: B023
        assert refusal(store.halts) == ("STORE_RESET", message)


# ---- the content is not what was written


def test_a_row_edited_by_hand_is_found(tmp_path: Path) -> None:
    """Verify names the row; a store that has to replay it refuses, in use as at opening."""
    path = tmp_path / "store.db"
    running = filled(path, 3)
    other = filled(path, 4)
    by_hand(path, "UPDATE journal SET body=replace(body, '60000', '50000') WHERE seq=5")
    assert verify_file(str(path)) == (
        4,
        "row 5 does not carry the hash of its content and the row before: it was changed",
    )
    damaged = (
        "STORE_DAMAGED",
        f"{path}: row 5 of the journal is missing or was changed; keep a copy, then run `policykit journal verify`",
    )
    assert refusal(lambda: SqliteStore(path)) == damaged
    for _ in range(2):
        assert refusal(lambda: reserve(running)) == damaged
        assert refusal(running.halts) == damaged
    other.close()


def test_a_row_taken_out_is_found(tmp_path: Path) -> None:
    """Verify names the first that is missing, also at the end as far as a checkpoint knows of it."""
    path = tmp_path / "store.db"
    filled(path).checkpoint()
    by_hand(path, "CREATE TABLE kept AS SELECT * FROM journal", "DELETE FROM journal WHERE seq=6")
    assert verify_file(str(path)) == (5, "row 6 is missing: the next is 7")
    by_hand(path, "UPDATE checkpoint SET hash=''")
    assert refusal(lambda: SqliteStore(path))[0] == "STORE_DAMAGED"
    by_hand(path, "DELETE FROM journal WHERE seq>5")
    assert verify_file(str(path)) == (5, "row 6 is missing, and all after it: there were at least 10")
    by_hand(path, "DELETE FROM journal", "INSERT INTO journal SELECT * FROM kept")
    assert verify_file(str(path)) == (10, None)
    assert dump(SqliteStore(path))["seq"] == 10


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE checkpoint SET state=replace(state, 'open_orders\":10', 'open_orders\":0')",
        "UPDATE checkpoint SET state='{'",
        "UPDATE checkpoint SET seq=9",
        "UPDATE checkpoint SET seq=99",
        "DELETE FROM checkpoint",
    ],
)
def test_a_checkpoint_that_is_not_what_was_saved_is_passed_over(tmp_path: Path, statement: str) -> None:
    """The journal is the state: a changed, broken or foreign checkpoint costs a replay and nothing else."""
    path = tmp_path / "store.db"
    store = filled(path)
    store.checkpoint()
    by_hand(path, statement)
    again = SqliteStore(path)
    assert dump(again) == dump(store)
    assert dump(again)["sums"] == {f"{ACCOUNT}|open_orders": 10}


def test_a_checkpoint_of_another_version_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is whole but says things that this version cannot read costs a replay too."""
    path = tmp_path / "store.db"
    with monkeypatch.context() as patch:
        patch.setattr("policykit.store.ledger.Ledger.dump", lambda self: {"seq": self.seq, "later": 1})
        filled(path).checkpoint()
    assert dump(SqliteStore(path))["sums"] == {f"{ACCOUNT}|open_orders": 10}


def test_a_row_that_this_version_cannot_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole row whose content means nothing to us stops the store instead of being skipped."""
    path = tmp_path / "store.db"
    store = filled(path, 2)
    monkeypatch.setattr("policykit.store.ledger.Ledger.apply", lambda *_: None)
    store._written("halt", {"later": 1}, NOW)
    monkeypatch.undo()
    assert refusal(lambda: SqliteStore(path))[1].startswith(f"{path}: row 3 of the journal is missing or was changed; ")


def test_a_row_that_is_no_json_is_refused_by_readers(tmp_path: Path) -> None:
    """Readers of the journal get the rows before it, then our error."""
    path = tmp_path / "store.db"
    store = filled(path, 3)
    by_hand(path, "UPDATE journal SET body='{' WHERE seq=2")
    rows = store.rows()
    assert next(rows).seq == 1
    message = f"{path}: row 2 of the journal cannot be read; run `policykit journal verify`"
    assert refusal(lambda: next(rows)) == ("STORE_DAMAGED", message)


def test_a_damaged_header_is_refused(tmp_path: Path) -> None:
    """A file whose first page is not SQLite's is no store; verify says that it read nothing."""
    path = tmp_path / "store.db"
    filled(path).close()
    with path.open("r+b") as file:
        file.write(b"no database at all" * 6)
    assert refusal(lambda: SqliteStore(path)) == ("STORE_DAMAGED", f"{path}: {DAMAGED}")
    assert verify_file(str(path)) == (0, "the file cannot be read on after row 0: file is not a database")


def test_a_damaged_page_in_the_middle_is_refused(tmp_path: Path) -> None:
    """What a failing disk does: verify says how far the journal is good, and a store that must read it refuses."""
    path = tmp_path / "store.db"
    filled(path, 60).close()
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 4096 // 2 * 4096)
        file.write(b"\xff" * 4096)
    good, problem = verify_file(str(path))
    assert 0 < good < 60
    assert problem == f"the file cannot be read on after row {good}: database disk image is malformed"
    assert refusal(lambda: SqliteStore(path)) == ("STORE_DAMAGED", f"{path}: {DAMAGED}")


def test_a_table_that_is_gone_is_damage(tmp_path: Path) -> None:
    """A file of our layout without a table of ours is not one that we left."""
    path = tmp_path / "store.db"
    store = filled(path)
    by_hand(path, "DROP TABLE leases")
    assert refusal(lambda: store.lease("a", "b", 1, NOW)) == ("STORE_DAMAGED", f"{path}: {DAMAGED}")


def test_a_newer_layout_is_refused(tmp_path: Path) -> None:
    """What a later version wrote is not guessed at."""
    path = tmp_path / "store.db"
    filled(path).close()
    by_hand(path, "PRAGMA user_version=2")
    assert refusal(lambda: SqliteStore(path)) == (
        "STORE_VERSION",
        f"{path}: written by a newer policykit (layout 2); layouts up to 1 can be read; upgrade policykit",
    )


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    """A file with tables that are not ours is refused and not changed."""
    path = tmp_path / "trades.sqlite"
    by_hand(path, "CREATE TABLE trades (id INTEGER)")
    before = path.read_bytes()
    assert refusal(lambda: SqliteStore(path)) == (
        "STORE_VERSION",
        f"{path}: is the database of another program; a new or empty file may be; name one in POLICYKIT_STORE",
    )
    assert path.read_bytes() == before
