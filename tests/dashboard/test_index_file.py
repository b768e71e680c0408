"""The file of an index where the disk, another process or a defect is in the way."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from policykit.dashboard import file
from policykit.dashboard.file import IndexFile
from policykit.dashboard.index import Health, Index
from policykit.errors import StoreUnavailable
from policykit.store.reader import JournalReader
from tests.dashboard.made import DECISIONS

NOW = "the index cannot be used now"
DELETE = "it can be deleted, the journal has it all"


def put(name: str, value: Any) -> Callable[[sqlite3.Connection], None]:
    """Return what writes one word into an index."""

    def work(db: sqlite3.Connection) -> None:
        db.execute("INSERT OR REPLACE INTO meta VALUES (?,?)", (name, value))

    return work


def get(name: str) -> Callable[[sqlite3.Connection], Any]:
    """Return what reads it."""
    return lambda db: db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()


def test_a_change_is_whole_or_nothing(tmp_path: Path) -> None:
    """What fails half way leaves nothing behind, and the file goes on."""
    made = IndexFile(tmp_path / "index.db")

    def half(db: sqlite3.Connection) -> None:
        put("a", 1)(db)
        raise KeyError("a defect")

    with pytest.raises(KeyError):
        made.change(half)
    assert made.ask(get("a")) is None
    made.change(put("a", 2))
    assert made.ask(get("a")) == (2,)


def test_a_file_that_another_writes_to_for_too_long_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question waits a bounded time; reading goes on meanwhile, and nothing is thrown away."""
    monkeypatch.setattr(file, "BUSY_MS", 1)
    made = IndexFile(tmp_path / "index.db")
    made.change(put("a", 1))
    with closing(sqlite3.connect(tmp_path / "index.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable) as refused:
            made.change(put("a", 2))
        assert str(refused.value) == (f"{tmp_path}/index.db: {NOW}; another process has held it for too long; {DELETE}")
        assert made.ask(get("a")) == (1,)
        other.execute("ROLLBACK")
    made.change(put("a", 3))
    assert (made.ask(get("a")), made.thrown_away) == ((3,), 0)


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    """What was taken in stays, and can be read."""
    made = IndexFile(tmp_path / "index.db")
    made.change(put("a", 1))
    made.ask(lambda db: db.execute("PRAGMA max_page_count = 1"))
    with pytest.raises(StoreUnavailable) as refused:
        made.change(put("b", "x" * 1_000_000))
    assert str(refused.value) == f"{tmp_path}/index.db: {NOW}; its disk is full; {DELETE}"
    assert made.ask(get("a")) == (1,)


def test_what_is_damaged_twice_is_said(tmp_path: Path) -> None:
    """Thrown away once a question: a defect that damages each new file makes no endless loop."""
    made = IndexFile(tmp_path / "index.db")
    with pytest.raises(StoreUnavailable) as refused:
        made.ask(lambda db: db.execute("SELECT * FROM a_table_that_never_was"))
    assert str(refused.value) == f"{tmp_path}/index.db: {NOW}; {DELETE}"
    assert made.thrown_away == 1


def test_a_file_that_cannot_be_written_is_left_for_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is counted is kept in memory, and why is told."""
    connect = file._connect
    monkeypatch.setattr(file, "_connect", lambda place: _read_only(connect, place))
    made = IndexFile(tmp_path / "index.db")
    made.change(put("a", 1))
    assert (made.in_memory, made.ask(get("a"))) == ("cannot be written", (1,))
    (tmp_path / "folder.db").mkdir()
    made = IndexFile(tmp_path / "folder.db")
    made.change(put("a", 1))
    assert (made.in_memory, made.ask(get("a"))) == ("Is a directory", (1,))


def _read_only(connect: Callable[[str], sqlite3.Connection], place: str) -> sqlite3.Connection:
    db = connect(place)
    if place != ":memory:":
        db.execute("PRAGMA query_only = ON")
    return db


def test_without_a_lock_file_there_is_nobody_to_share_with(tmp_path: Path) -> None:
    """An index in memory takes rows in all the same."""
    (tmp_path / "file").write_text("in the way")
    with IndexFile(tmp_path / "file" / "index.db").only_writer() as mine:
        assert mine


def test_where_no_file_can_be_kept_it_is_in_memory(journal: Path, tmp_path: Path) -> None:
    """A service without a home directory still answers, and says so."""
    (tmp_path / "file").write_text("in the way")
    index = Index(JournalReader(journal), tmp_path / "file" / "sub" / "index.db")
    while index.advance():
        pass
    assert sum(t.decisions for t in index.totals()) == DECISIONS
    assert index.health() == Health(None, 0, (), 0, None, "Not a directory")


def test_its_file_is_the_users_own(journal: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is made in the cache directory, for nobody else to read; two names of one journal share it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    link = tmp_path / "link.db"
    link.symlink_to(journal)
    for path in (journal, link):
        Index(JournalReader(path)).advance()
    (made,) = (tmp_path / "cache" / "policykit").glob("index-*.db")
    assert made.stat().st_mode & 0o777 == 0o600
    assert made.parent.stat().st_mode & 0o777 == 0o700
