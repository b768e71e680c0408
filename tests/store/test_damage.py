"""What a failing disk, a half copy or a wrong file does to a SQLite store: refused in our words, or as it was."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from policykit.errors import StoreUnavailable
from policykit.store.layout import APPLICATION
from policykit.store.sqlite import SqliteStore, verify_file
from tests.store.harm import DAMAGED, by_hand, filled, refusal
from tests.store.made import ACCOUNT, dump, hold_sum, reserve

OTHERS = "is the database of another program; a new or empty file may be; name one in POLICYKIT_STORE"
#: A page of SQLite, in bytes: files are cut at pages and in the middle of them.
PAGE = 4_096


@pytest.fixture(params=["journal", "checkpoint"])
def whole(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[bytes, dict[str, Any]]:
    """Return the bytes of a closed store, and the state that it has; with all of it in a checkpoint, or none."""
    store = filled(tmp_path / "whole.db", 40)
    if request.param == "checkpoint":
        store.checkpoint()
        reserve(store, hold_sum(1, 10**6))
    state = dump(store)
    store.close()
    return (tmp_path / "whole.db").read_bytes(), state


def opened(path: Path, content: bytes) -> tuple[str, dict[str, Any] | None, str | None]:
    """Write a file and open it; return the refusal's code, or the state; and what `verify` says."""
    for old in path.parent.glob(f"{path.name}*"):
        old.unlink()
    path.write_bytes(content)
    try:
        store = SqliteStore(path)
        state = dump(store)
        store.close()
        return "", state, verify_file(str(path))[1]
    except StoreUnavailable as error:
        ours = str(error).startswith(f"{path}: ") and "SQLite says" not in str(error)
        return error.code if ours else str(error), None, verify_file(str(path))[1]


def test_a_file_that_was_cut_off_is_found(whole: tuple[bytes, dict[str, Any]], tmp_path: Path) -> None:
    """Wherever it ends: refused; or its checkpoint still tells the state, and `verify` says that rows are missing."""
    content, state = whole
    # SQLite takes a file of one byte for an empty one.
    cuts = [*range(2, len(content), PAGE // 3), *range(PAGE, len(content), PAGE)]
    for cut in cuts:
        code, found, problem = opened(tmp_path / "cut.db", content[:cut])
        assert problem is not None, cut
        assert code == "STORE_DAMAGED" if found is None else found == state, cut


def flips(content: bytes, cases: int) -> Iterator[tuple[int, bytes]]:
    """Yield copies with one bit changed, and where."""
    chosen = random.Random(7)
    for _ in range(cases):
        at = chosen.randrange(len(content))
        changed = bytearray(content)
        changed[at] ^= 1 << chosen.randrange(8)
        yield at, bytes(changed)


def test_I8_no_bit_changes_what_is_counted(
    whole: tuple[bytes, dict[str, Any]], tmp_path: Path, tier: Callable[[int, int], int]
) -> None:
    """One flipped bit anywhere in the file: refused with our code and words, or the state is what it was."""
    content, state = whole
    refused = found_later = 0
    for at, changed in flips(content, tier(150, 5_000)):
        code, found, problem = opened(tmp_path / "flip.db", changed)
        assert code in ("", "STORE_DAMAGED", "STORE_VERSION"), (at, code)
        if found is None:
            refused += 1
        else:
            assert found == state, at
            found_later += problem is not None
    assert refused + found_later > 30


def test_a_schema_whose_text_is_none_is_damage(tmp_path: Path) -> None:
    """SQLite cites the damage in its own message, which is then no text either."""
    path = tmp_path / "store.db"
    filled(path).close()
    content = path.read_bytes()
    code, _, problem = opened(path, content.replace(b"PRIMARY KEY", b"PRIMARY \xcbEY"))
    assert (code, str(problem)[:40]) == ("STORE_DAMAGED", "the file cannot be read on after row 0: ")


def test_a_journal_that_points_elsewhere_is_damage(tmp_path: Path) -> None:
    """One bit of the schema makes an empty table of another the journal: all that was granted would be forgotten."""
    path = tmp_path / "store.db"
    filled(path).close()
    by_hand(
        path,
        "PRAGMA writable_schema=ON",
        "UPDATE sqlite_master SET rootpage=(SELECT rootpage FROM sqlite_master WHERE name='seen') WHERE name='journal'",
    )
    good, problem = verify_file(str(path))
    what = "what it says of itself is not what a store wrote"
    assert (good, problem) == (0, f"the file is damaged after row 0: {what}")
    assert refusal(lambda: SqliteStore(path)) == ("STORE_DAMAGED", f"{path}: {DAMAGED}")


def test_a_schema_that_says_something_else_is_damage(tmp_path: Path) -> None:
    """One letter of a type, and the rows' numbers read as nothing; a column behind ours is a later version's."""
    path = tmp_path / "store.db"
    filled(path, 3).close()
    by_hand(path, "ALTER TABLE journal ADD COLUMN later TEXT")
    assert dump(SqliteStore(path))["seq"] == 3
    content = path.read_bytes()
    code, _, problem = opened(path, content.replace(b"seq INTEGER PRIMARY KEY", b"seq INTEGEZ PRIMARY KEY"))
    assert (code, problem is None) == ("STORE_DAMAGED", False)


def test_a_row_that_is_no_text_is_damage(tmp_path: Path) -> None:
    """Its content is not cited; a checkpoint that is no text is passed over."""
    path = tmp_path / "store.db"
    store = filled(path)
    store.checkpoint()
    by_hand(path, "UPDATE checkpoint SET state=CAST(x'ff' AS TEXT)")
    assert dump(SqliteStore(path)) == dump(store)
    by_hand(path, "UPDATE journal SET body=CAST(x'7bff' AS TEXT) WHERE seq=3")
    assert refusal(lambda: SqliteStore(path)) == ("STORE_DAMAGED", f"{path}: {DAMAGED}")
    why = "the file cannot be read on after row 2: Could not decode to UTF-8 column 'body'"
    assert verify_file(str(path)) == (2, why)


# ---- whose file it is


@pytest.mark.parametrize(
    "statements",
    [
        ("CREATE TABLE trades (id INTEGER)", "PRAGMA user_version=1"),
        ("CREATE TABLE meta (id INTEGER)", "PRAGMA user_version=1"),
        ("CREATE TABLE trades (id INTEGER)", "PRAGMA application_id=1"),
        ("PRAGMA application_id=1",),
        ("PRAGMA user_version=7",),
    ],
)
def test_another_programs_file_is_not_touched(tmp_path: Path, statements: tuple[str, ...]) -> None:
    """Whatever version or id it has: refused, and not a byte of it is changed."""
    path = tmp_path / "trades.sqlite"
    by_hand(path, *statements)
    before = path.read_bytes()
    assert refusal(lambda: SqliteStore(path)) == ("STORE_VERSION", f"{path}: {OTHERS}")
    assert path.read_bytes() == before
    assert not path.with_name("trades.sqlite-wal").exists()


def test_a_store_says_whose_it_is(tmp_path: Path) -> None:
    """The application id is in the header; a store with another one is not ours, one that lost it is damaged."""
    path = tmp_path / "store.db"
    filled(path).close()
    assert path.read_bytes()[68:72] == b"pkit" == APPLICATION.to_bytes(4, "big")
    by_hand(path, "PRAGMA application_id=99")
    assert refusal(lambda: SqliteStore(path)) == ("STORE_VERSION", f"{path}: {OTHERS}")
    by_hand(path, "PRAGMA application_id=0")
    assert refusal(lambda: SqliteStore(path)) == ("STORE_DAMAGED", f"{path}: {DAMAGED}")


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM meta WHERE name='epoch'",
        "UPDATE meta SET value='three' WHERE name='layout'",
        "PRAGMA user_version=0",
    ],
)
def test_a_store_that_lost_what_it_says_of_itself_is_damaged(tmp_path: Path, statement: str) -> None:
    """Without epoch, layout or version it is not one that we left."""
    path = tmp_path / "store.db"
    filled(path).close()
    by_hand(path, statement)
    assert refusal(lambda: SqliteStore(path)) == ("STORE_DAMAGED", f"{path}: {DAMAGED}")


def test_a_file_that_is_empty_is_a_new_store(tmp_path: Path) -> None:
    """Nothing tells a file that somebody emptied from one that was just made: docs/stores.md says what then holds."""
    path = tmp_path / "store.db"
    filled(path, 3).close()
    path.write_bytes(b"")
    store = SqliteStore(path)
    assert (store.verify(), store.facts(ACCOUNT, "bot").store_problem) == ((0, None), None)
    assert sqlite3.connect(path).execute("PRAGMA user_version").fetchone() == (1,)
