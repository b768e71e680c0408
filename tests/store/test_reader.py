"""A journal as a file: read without a store, up to a damage, while others write."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from policykit.errors import StoreUnavailable
from policykit.store import open_journal
from policykit.store.reader import JournalDamaged, JournalReader
from policykit.store.sqlite import SqliteStore
from policykit.store.verify import verify_file
from tests.store.harm import by_hand, filled, long, refusal, written
from tests.store.made import NOW

PAGE = 4_096
TODO = (
    "keep a copy of the file; restore a backup of it or start on a new store, then run `policykit reconcile` "
    "(`policykit journal verify` says more)"
)


def told(reader: JournalReader, after: int = 0) -> tuple[list[int], str]:
    """Return the rows that can be read, and what is said behind them."""
    read, rows = [], reader.rows(after, 10_000)
    while True:
        try:
            read.append(next(rows).seq)
        except StopIteration:
            return read, ""
        except JournalDamaged as damage:
            where = read[-1] if read else after
            whole = damage.good == where and str(damage) == f"{reader.path}: {damage.why}; {TODO}"
            return read, damage.why if whole else f"{where}: {damage}"


def test_rows_are_read_while_a_store_writes(tmp_path: Path) -> None:
    """Number, first and newest row are those of the store; `changed` tells of every write of another."""
    store = filled(tmp_path / "store.db", 3)
    reader = JournalReader(tmp_path / "store.db")
    assert (reader.epoch, reader.first()) == (store.epoch, 1)
    assert list(reader.rows()) == list(store.rows())
    assert list(reader.rows(1, 1)) == [reader.row(2)]
    assert (reader.newest(), reader.row(9)) == (list(store.rows())[2], None)
    assert [reader.changed(), reader.changed()] == [True, False]
    store.event("note", {"by": "ops-7"}, NOW)
    assert [reader.changed(), reader.changed()] == [True, False]
    assert [(row.seq, row.kind) for row in reader.naming("ops-7")] == [(4, "note")]
    assert list(reader.rows(4)) == list(reader.rows(99)) == list(reader.rows(0, 0)) == []
    reader.close()
    store.close()


def test_more_rows_than_a_page(tmp_path: Path) -> None:
    """Pages join: each begins at the row that the one before ended with."""
    path = tmp_path / "store.db"
    long(path, 1_005)
    reader = JournalReader(path)
    assert [row.seq for row in reader.rows(0, 1_004)] == list(range(1, 1_005))
    assert told(reader, 2) == (list(range(3, 1_006)), "")


def test_whose_counters_it_has_is_told(tmp_path: Path) -> None:
    """A host on a server's store has seen that server's rows; a file of before that was noted is its own."""
    path = tmp_path / "store.db"
    filled(path, 1).close()
    assert not JournalReader(path).elsewhere()
    by_hand(path, "INSERT INTO seen VALUES (1, 'e', 7)")
    assert JournalReader(path).elsewhere()
    by_hand(path, "DROP TABLE seen")
    assert not JournalReader(path).elsewhere()


def test_an_end_that_cannot_be_looked_at_is_not_called_cut(tmp_path: Path) -> None:
    """What is wrong with the file is said where its rows are read."""
    path = tmp_path / "store.db"
    filled(path, 1).close()
    assert JournalReader(path).cut() is None
    by_hand(path, "DROP TABLE checkpoint")
    assert JournalReader(path).cut() is None


def test_an_empty_journal_has_no_rows(tmp_path: Path) -> None:
    """Of a store that nobody used yet."""
    SqliteStore(tmp_path / "new.db").close()
    reader = JournalReader(tmp_path / "new.db")
    assert (reader.first(), reader.newest(), list(reader.rows())) == (0, None, [])


@pytest.mark.parametrize(
    ("statement", "good", "why"),
    [
        ("UPDATE journal SET body='{}' WHERE seq=5", 4, "row 5 does not carry the hash"),
        ("DELETE FROM journal WHERE seq=5", 4, "row 5 is missing: the next is 6"),
        ("UPDATE journal SET body=CAST(x'7bff' AS TEXT) WHERE seq=5", 4, "the file cannot be read on after row 4"),
        ("DELETE FROM journal WHERE seq=1", 0, "row 1 is missing: the next is 2"),
    ],
)
def test_what_is_before_a_damage_is_read_and_the_damage_said(
    tmp_path: Path, statement: str, good: int, why: str
) -> None:
    """A row that was changed, taken out or made unreadable; behind it one can read on."""
    path = tmp_path / "store.db"
    filled(path).close()
    by_hand(path, statement)
    reader = JournalReader(path)
    read, said = told(reader)
    assert (read, said[: len(why)]) == (list(range(1, good + 1)), why)
    assert told(reader, 6) == ([7, 8, 9, 10], "")
    assert getattr(reader.newest(), "seq", 0) == 10


def test_a_row_to_read_on_from_must_be_there(tmp_path: Path) -> None:
    """After a row that is missing nothing can be held against the chain."""
    path = tmp_path / "store.db"
    filled(path).close()
    by_hand(path, "DELETE FROM journal WHERE seq=5")
    with pytest.raises(JournalDamaged, match="row 5 is missing: the next is 6"):
        list(JournalReader(path).rows(5))


def test_a_row_whose_data_is_none_is_said(tmp_path: Path) -> None:
    """Its hash holds, but it is no JSON: `row`, `rows`, `naming` say so, and `newest` is the one before."""
    path = tmp_path / "store.db"
    filled(path, 3).close()
    written(path, "event", '{"intent": "X7')
    reader = JournalReader(path)
    why = "the file cannot be read on after row 3: the data of the next is not JSON"
    assert told(reader) == ([1, 2, 3], why)
    for call in (lambda: reader.row(4), lambda: list(reader.rows(3))):
        assert refusal(call)[1] == f"{path}: {why}; {TODO}"
    assert refusal(lambda: list(reader.naming("X7")))[1].startswith(f"{path}: the file cannot be read on after row 0")
    assert getattr(reader.newest(), "seq", 0) == 3


def test_a_file_that_was_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    """Wherever it ends there are the rows of the pages that are left, in order, and the damage is said."""
    path = tmp_path / "store.db"
    filled(path, 200).close()
    whole = path.read_bytes()
    lengths = []
    for pages in range(1, len(whole) // PAGE):
        path.write_bytes(whole[: pages * PAGE + 100])
        try:
            read, why = told(JournalReader(path))
        except StoreUnavailable as error:
            read, why = [], str(error)
        assert why
        assert read == list(range(1, len(read) + 1))
        lengths.append(len(read))
    assert max(lengths) > 100
    assert lengths == sorted(lengths)


def test_a_page_that_was_torn_ends_what_is_read(tmp_path: Path) -> None:
    """Zeros in the place of one page: rows before it are read, and the newest is the last of them or a true one."""
    path = tmp_path / "store.db"
    filled(path, 200).close()
    whole = path.read_bytes()
    ends = set()
    for page in range(1, len(whole) // PAGE):
        path.write_bytes(whole[: page * PAGE] + bytes(PAGE) + whole[(page + 1) * PAGE :])
        reader = JournalReader(path)
        read, why = told(reader)
        assert read == list(range(1, len(read) + 1))
        assert why or len(read) == 200
        assert getattr(reader.newest(), "seq", 0) in (len(read), 200)
        ends.add(len(read))
    assert len(ends) > 5


@pytest.mark.parametrize(
    ("statements", "what"),
    [
        (("CREATE TABLE trades (id INTEGER)",), "is the database of another program"),
        (("PRAGMA user_version=9", "CREATE TABLE meta (a)", "CREATE TABLE journal (a)"), "written by a newer"),
    ],
)
def test_another_programs_file_and_a_newer_one_are_said(tmp_path: Path, statements: tuple[str, ...], what: str) -> None:
    """Nothing of them is read."""
    path = tmp_path / "other.db"
    by_hand(path, *statements)
    code, text = refusal(lambda: JournalReader(path))
    assert (code, text.startswith(f"{path}: {what}")) == ("STORE_VERSION", True)


def test_what_is_no_file_of_a_journal_is_said(tmp_path: Path) -> None:
    """A folder, nothing, an empty file, something else."""
    hint = "set POLICYKIT_STORE or --store to the one that bots use"
    assert refusal(lambda: JournalReader(tmp_path))[1] == f"{tmp_path}: is a folder; {hint}"
    path = tmp_path / "x.db"
    assert refusal(lambda: JournalReader(path))[1] == f"{path}: there is no journal; {hint}"
    path.write_bytes(b"")
    assert refusal(lambda: JournalReader(path))[1] == f"{path}: is empty; no store ever wrote to it"
    path.write_bytes(b"this is no database" * 300)
    reader = JournalReader(path)
    assert (reader.epoch, reader.first(), reader.newest(), reader.changed()) == ("", 0, None, True)
    assert told(reader) == ([], "the file cannot be read on after row 0: file is not a database")


def test_a_file_that_says_wrong_things_of_itself_is_still_read(tmp_path: Path) -> None:
    """Without its epoch no store opens it; its rows are read, and that it is damaged is said behind them."""
    path = tmp_path / "store.db"
    filled(path, 3).close()
    by_hand(path, "DELETE FROM meta WHERE name='layout'", "PRAGMA user_version=0", "DELETE FROM meta")
    reader = JournalReader(path)
    why = "the file is damaged after row 3: what it says of itself is not what a store wrote"
    assert (reader.epoch, told(reader)) == ("", ([1, 2, 3], why))


def test_a_file_that_was_replaced_is_another(tmp_path: Path) -> None:
    """A reader that follows does not mix two journals, and sees that something happened."""
    path = tmp_path / "store.db"
    filled(path, 3).close()
    reader = JournalReader(path)
    assert reader.changed()
    filled(tmp_path / "new.db", 5).close()
    os.replace(tmp_path / "new.db", path)
    assert reader.changed()
    assert refusal(lambda: list(reader.rows())) == (
        "STORE_RESET",
        f"{path}: the file was removed or replaced while in use; restart",
    )
    path.unlink()
    assert refusal(lambda: list(reader.naming("x")))[0] == "STORE_RESET"


def test_a_store_of_every_kind_has_its_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """sqlite: its file; a server's: this host's; memory: none, and what is not known is not shown."""
    path = tmp_path / "store.db"
    filled(path, 2).close()
    assert open_journal(f"sqlite:///{path}").path == str(path)
    monkeypatch.setenv("POLICYKIT_STORE", "valkey://:pass-word@127.0.0.1:1/0")
    monkeypatch.setenv("POLICYKIT_JOURNAL", str(path))
    assert open_journal().path == str(path)
    said = "memory: has no journal that another process could read; name a store that has a file"
    assert refusal(lambda: open_journal("memory:")) == ("STORE_DOWN", said)
    assert refusal(lambda: open_journal("ftp://x:pass-word@y"))[0] == "STORE_URI"


def test_a_disk_that_cannot_be_written_is_read(tmp_path: Path) -> None:
    """Where SQLite can make no file of locks the journal is read as one that nobody changes."""
    path = tmp_path / ("x" * 252)  # where a name with "-shm" is too long, as where the disk is read-only
    filled(tmp_path / "store.db", 3).close()
    (tmp_path / "store.db").rename(path)
    assert told(JournalReader(path)) == ([1, 2, 3], "")


def test_a_file_that_another_keeps_is_locked_and_not_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no damage is not called one."""
    path = tmp_path / "store.db"
    filled(path, 3).close()
    by_hand(path, "PRAGMA journal_mode=DELETE")
    monkeypatch.setattr("policykit.store.reader.BUSY_MS", 1)
    reader = JournalReader(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert refusal(lambda: list(reader.rows()))[0] == refusal(lambda: JournalReader(path))[0] == "STORE_LOCKED"
    other.close()
    assert told(reader) == ([1, 2, 3], "")


def test_a_file_of_an_earlier_layout_is_read_as_it_is(tmp_path: Path) -> None:
    """It has no place for what was pruned; reading adds none."""
    path = tmp_path / "store.db"
    filled(path, 3).close()
    by_hand(path, "DROP TABLE base", "DROP TABLE carried", "UPDATE meta SET value='3' WHERE name='layout'")
    reader = JournalReader(path)
    assert (told(reader), reader.first(), len(list(reader.naming("BTC")))) == (([1, 2, 3], ""), 1, 3)
    reader.close()
    SqliteStore(path).close()
    assert told(JournalReader(path)) == ([1, 2, 3], "")


def test_a_row_that_was_changed_is_not_found_as_if_it_were_the_record(tmp_path: Path) -> None:
    """Those before it are."""
    path = tmp_path / "store.db"
    filled(path, 5).close()
    by_hand(path, "UPDATE journal SET at_ms=1 WHERE seq=3")
    found = JournalReader(path).naming("BTC/USDT")
    assert [next(found).seq, next(found).seq] == [1, 2]
    assert "row 3 does not carry the hash" in refusal(lambda: next(found))[1]


def test_what_is_wrong_beside_the_rows_is_said_by_verify(tmp_path: Path) -> None:
    """A table that is gone; a file that is none of ours; none at all."""
    path = tmp_path / "store.db"
    filled(path, 3).close()
    by_hand(path, "DROP TABLE checkpoint")
    assert verify_file(str(path)) == (3, "the file cannot be read on after row 3: no such table: checkpoint")
    assert (
        verify_file(str(tmp_path / "x"))[1]
        == "there is no journal; set POLICYKIT_STORE or --store to the one that bots use"
    )


def test_many_rows_that_hold_a_text(tmp_path: Path) -> None:
    """They are found a page at a time, and quotes in what is looked for mean nothing."""
    path = tmp_path / "store.db"
    long(path, 1_001)
    reader = JournalReader(path)
    assert [row.seq for row in reader.naming('"decision"')] == []
    assert [row.seq for row in reader.naming("BTC/USDT")] == list(range(1, 1_002))
