"""An index of one journal: what page and exporter ask of a journal of any length, answered in milliseconds.

A small SQLite file in the user's cache directory, derived from the journal and never the other way: it can be deleted
at any time, and nothing is decided on it. It finds and counts rows; what a row says is read from the journal itself.
Several processes share one: the one that holds the lock takes rows in, all read.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from policykit.dashboard.file import IndexFile, cache_file
from policykit.dashboard.intake import Intake
from policykit.dashboard.queries import Queries
from policykit.dashboard.tables import TABLES
from policykit.errors import StoreUnavailable
from policykit.store.base import Row

#: Rows taken in at a time: so long a question waits at most.
CHUNK: Final = 1_000
#: Rows that one call of `advance` takes in, unless it is told otherwise.
ADVANCE: Final = 20_000
#: Rows that were not understood and are named.
MAX_STRANGE: Final = 10
#: Numbers of rows that are cleared away at a time after a journal was pruned.
CLEARED: Final = 5_000
T = TypeVar("T")


class Journal(Protocol):
    """What is read of a journal (`policykit.store.reader.JournalReader`)."""

    @property
    def epoch(self) -> str:
        """Return what tells this journal from every other."""

    @property
    def path(self) -> str:
        """Return its file."""

    def first(self) -> int:
        """Return the number of the oldest row that is still there, 0 for none."""

    def newest(self) -> Row | None:
        """Return the newest row."""

    def row(self, seq: int) -> Row | None:
        """Return one row."""

    def rows(self, after: int = 0, limit: int = CHUNK) -> Iterator[Row]:
        """Yield rows in order; raise StoreUnavailable where they cannot be read on."""


class Health(NamedTuple):
    """What an index cannot tell, and why."""

    #: Why it reads no further; None: it can.
    problem: str | None
    #: Rows that it did not understand, and the first of them.
    strange: int
    strange_rows: tuple[int, ...]
    #: Rows that were pruned before they were taken in.
    missed: int
    #: Why it was last begun anew; None: never.
    anew: str | None
    #: Why it is kept in memory only; None: it is in its file.
    in_memory: str | None


class Index(Queries):
    """The index of one journal. Thread-safe; `reader` is used by one thread at a time, so give it one of its own.

    Whatever it raises is StoreUnavailable: the journal or the index cannot be read now.
    """

    def __init__(self, reader: Journal, path: str | Path | None = None) -> None:
        self.reader = reader
        self._file = IndexFile(Path(path) if path is not None else cache_file(reader.path))
        self._reading, self._advancing = threading.Lock(), threading.Lock()
        self._problem: str | None = None
        self._intake: Intake | None = None

    def _ask(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return self._file.ask(work)

    def _look_up(self, seqs: Iterable[int]) -> Iterator[Row]:
        """Yield the rows that the journal still has, and can read."""
        for seq in seqs:
            with self._reading:
                try:
                    row = self.reader.row(seq)
                except StoreUnavailable:
                    continue
            if row is not None:
                yield row

    # ---- taking rows in

    def advance(self, limit: int = ADVANCE) -> int:
        """Take in at most `limit` new rows; return how many. 0 too while another process or thread is at it."""
        if not self._advancing.acquire(blocking=False):
            return 0
        try:
            with self._file.only_writer() as mine:
                return self._advance(limit) if mine else 0
        except StoreUnavailable as error:
            self._problem = str(error)
            return 0
        finally:
            self._advancing.release()

    def _advance(self, limit: int) -> int:
        self._intake = None  # another process may have taken rows in meanwhile
        done, after, first = 0, self._aligned(), self._asked(self.reader.first)
        while done < limit:
            rows, problem = self._read(after, min(CHUNK, limit - done))
            if not self._file.change(partial(self._take, rows, after, first)):
                break  # the index was thrown away: the next call begins anew
            after = rows[-1].seq if rows else after
            done += len(rows)
            self._problem = problem
            if problem is not None or len(rows) < CHUNK:
                break
        if self._ask(lambda db: _get(db, "problem", None)) != self._problem:
            self._file.change(lambda db: _put(db, "problem", self._problem))  # who only reads it is told
        return done

    def _asked(self, read: Callable[[], T]) -> T:
        with self._reading:
            return read()

    def _read(self, after: int, limit: int) -> tuple[list[Row], str | None]:
        """Return the rows that can be read, and why no more can."""
        rows: list[Row] = []
        with self._reading:
            try:
                for row in self.reader.rows(after, limit):
                    rows.append(row)  # noqa: PERF402 - those before the damage are kept
            except StoreUnavailable as error:
                return rows, str(error)
        return rows, None

    def _take(self, rows: list[Row], after: int, first: int, db: sqlite3.Connection) -> bool:
        """Take rows in that follow `after`; False when that is not where the index is."""
        if _get(db, "seq", 0) != after:
            return False
        _clear(db, first)
        if rows:
            if self._intake is None or self._intake.db is not db:
                self._intake = Intake(db)
            try:
                strange = self._intake.take(rows)
            except BaseException:
                self._intake = None  # it knows of what is rolled back
                raise
            if strange:
                _put(db, "strange", _get(db, "strange", 0) + len(strange))
                named = (json.loads(_get(db, "strange_rows", "[]")) + strange)[:MAX_STRANGE]
                _put(db, "strange_rows", json.dumps(named))
            _put(db, "seq", rows[-1].seq)
            _put(db, "hash", rows[-1].hash)
        return True

    def _aligned(self) -> int:
        """Return the row to go on after; begin anew where the journal is not the one that was read so far."""
        epoch, after, row_hash = self._ask(
            lambda db: (_get(db, "epoch", None), _get(db, "seq", 0), _get(db, "hash", ""))
        )
        first = self._asked(self.reader.first)
        if epoch is None:
            return self._begin(first)
        now = self._asked(lambda: self.reader.epoch)
        if epoch != now and now:  # a damaged journal may not tell
            return self._begin(first, "another journal is where the one before was")
        if not after:
            return 0
        row = self._asked(lambda: self.reader.row(after))
        if row is None and first > after:
            # Pruned beyond what was taken in: what was counted stays counted, and the gap is said.
            self._file.change(lambda db: _put(db, "missed", _get(db, "missed", 0) + first - 1 - after))
            self._file.change(lambda db: _put(db, "seq", first - 1))
            return first - 1
        if row is None or row.hash != row_hash:
            return self._begin(first, f"row {after} is not the one that was read: the journal was restored or replaced")
        return int(after)

    def _begin(self, first: int, why: str | None = None) -> int:
        """Empty the index; return the row before the first that there is."""
        epoch, start = self._asked(lambda: self.reader.epoch), max(0, first - 1)

        def emptied(db: sqlite3.Connection) -> None:
            for table in TABLES:
                db.execute(f"DELETE FROM {table}")  # noqa: S608 # nosec B608 - names of ours
            for name, value in (("epoch", epoch), ("seq", start), ("hash", ""), ("missed", start), ("anew", why)):
                _put(db, name, value)

        self._file.change(emptied)
        return start

    # ---- how far it is

    def progress(self) -> tuple[int, int]:
        """Return the number of the newest row that was taken in, and of the newest that there is."""
        newest = self._asked(self.reader.newest)
        return self._ask(lambda db: int(_get(db, "seq", 0))), 0 if newest is None else newest.seq

    def health(self) -> Health:
        """Return what the index cannot tell, and why."""
        names = ("strange", "strange_rows", "missed", "anew", "problem")
        strange, rows, missed, anew, problem = self._ask(lambda db: [_get(db, name, None) for name in names])
        named = tuple(json.loads(rows or "[]"))
        return Health(self._problem or problem, strange or 0, named, missed or 0, anew, self._file.in_memory)

    def close(self) -> None:
        """Let go of the index; the reader is whose it was."""
        self._file.close()


def _get(db: sqlite3.Connection, name: str, otherwise: Any) -> Any:
    found = db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return otherwise if found is None else found[0]


def _put(db: sqlite3.Connection, name: str, value: Any) -> None:
    db.execute("INSERT OR REPLACE INTO meta VALUES (?,?)", (name, value))


def _clear(db: sqlite3.Connection, first: int) -> None:
    """Take out what finds rows that were pruned, a part at a time; what was counted stays."""
    lowest = db.execute("SELECT min(seq) FROM decided").fetchone()[0]
    if lowest is not None and lowest < first:
        below = min(first, lowest + CLEARED)
        db.execute("DELETE FROM steps WHERE decision < ?", (below,))
        db.execute("DELETE FROM decided WHERE seq < ?", (below,))
        db.execute("DELETE FROM turns WHERE seq < ?", (below,))
