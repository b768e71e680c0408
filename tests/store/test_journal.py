"""The journal of a host whose counters are elsewhere: what goes wrong as it is written is said, and leaves no row."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from policykit.store.journal import Journal
from tests.store.harm import DISK, IO, Failing, broken, by_hand, refusal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Return a journal with one row, on a connection that fails when it is told to."""
    opened = Journal(tmp_path / "journal.db", threading.Lock(), make=Failing)  # type: ignore[arg-type]
    assert opened.append("first", 1, {}) == 1
    yield opened
    opened.close()


def plan(journal: Journal, **failures: tuple[str, BaseException]) -> None:
    """Let the next statement that starts so go wrong."""
    assert isinstance(journal._db, Failing)
    journal._db.plan = {start.replace("_", " "): failure for start, failure in failures.items()}


@pytest.mark.parametrize(
    ("statement", "when"),
    [(s, w) for s in ("PRAGMA_data", "INSERT", "COMMIT") for w in ("instead", "after")][:-1],
)
def test_a_disk_that_fails_is_said_and_the_journal_goes_on(journal: Journal, statement: str, when: str) -> None:
    """At each statement, done or not: the caller is told, the chain holds, and the next row follows what is there."""
    plan(journal, **{statement: (when, broken(IO))})
    assert refusal(lambda: journal.append("second", 2, {})) == ("STORE_DOWN", f"{journal.path}: {DISK}")
    assert journal.append("third", 3, {}) == 2
    assert [row.kind for row in journal.rows()] == ["first", "third"]
    assert journal.verify() == (2, None)


def test_a_row_whose_commit_failed_after_it_was_done_is_followed(journal: Journal) -> None:
    """Nobody was told of it; the next row covers it in the chain."""
    plan(journal, COMMIT=("after", broken(IO)))
    assert refusal(lambda: journal.append("second", 2, {}))[0] == "STORE_DOWN"
    assert journal.append("third", 3, {}) == 3
    assert journal.verify() == (3, None)


def test_an_interrupt_leaves_no_half_row(journal: Journal) -> None:
    """Ctrl-C in the middle is passed on, and what was begun is rolled back."""
    plan(journal, INSERT=("after", KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        journal.append("second", 2, {})
    assert journal.append("third", 3, {}) == 2
    assert journal.verify() == (2, None)


def test_rows_that_somebody_took_away_are_missed(journal: Journal) -> None:
    """The file holds fewer rows than this process has written: it is not the journal any more."""
    by_hand(Path(journal.path), "DELETE FROM journal")
    text = f"{journal.path}: no longer holds the rows that it did; restore it or start anew"
    assert refusal(lambda: journal.append("second", 2, {})) == ("STORE_RESET", text)


def test_the_newest_grant_is_remembered(journal: Journal) -> None:
    """Of one epoch the highest sequence; of another epoch what it says."""
    assert journal.seen() is None
    for grant in (("a", 5), ("a", 3), ("b", 2)):
        journal.append("decision", 1, {}, grant)
    assert journal.seen() == ("b", 2)
    journal.append("decision", 1, {}, ("b", 1))
    assert journal.seen() == ("b", 2)
    with sqlite3.connect(journal.path) as db:
        assert db.execute("SELECT count(*) FROM seen").fetchone() == (1,)
    db.close()
