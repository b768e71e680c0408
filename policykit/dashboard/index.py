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

    def carried(self) -> list[Row]:
        """Return the rows that pruning carried on; `rows` yields them first."""

    def row(self, seq: int) -> Row | None:
        """Return one row."""

    def rows(self, after: int = 0, limit: int = CHUNK) -> Iterator[Row]:
        """Yield rows in order; raise StoreUnavailable where they cannot be read on."""


class Pruned(NamedTuple):
    """What pruning left of a journal: its first row, and the rows before it that were carried on."""

    first: int
    carried: frozenset[int]

    def gone(self, after: int) -> int:
        """Return how many rows behind `after` are there no more."""
        return max(0, self.first - 1 - after - sum(seq > after for seq in self.carried))


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
        pruned = self._pruned()
        done, (after, missed) = 0, self._aligned(pruned)
        while done < limit:
            rows, problem = self._read(after, min(CHUNK, limit - done))
            if not self._file.change(partial(self._take, rows, after, pruned, missed if rows and not done else 0)):
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

    def _pruned(self) -> Pruned:
        with self._reading:
            first = self.reader.first()
            return Pruned(first, frozenset(row.seq for row in self.reader.carried()) if first > 1 else frozenset())

    def _take(self, rows: list[Row], after: int, pruned: Pruned, missed: int, db: sqlite3.Connection) -> bool:
        """Take rows in that follow `after`; False when that is not where the index is."""
        if _get(db, "seq", 0) != after:
            return False
        _clear(db, pruned)
        if missed:
            _put(db, "missed", _get(db, "missed", 0) + missed)
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

    def _aligned(self, pruned: Pruned) -> tuple[int, int]:
        """Return the row to go on after, and how many rows behind it are gone.

        Begin anew where the journal is not the one that was read so far.
        """
        epoch, after, row_hash = self._ask(lambda db: [_get(db, name, None) for name in ("epoch", "seq", "hash")])
        if epoch is None:
            return self._begin(pruned)
        now = self._asked(lambda: self.reader.epoch)
        if epoch != now and now:  # a damaged journal may not tell
            return self._begin(pruned, "another journal is where the one before was")
        if not after:
            return 0, pruned.gone(0)
        row = self._asked(lambda: self.reader.row(after))
        if row is None and pruned.first > after:
            return int(after), pruned.gone(after)  # what was counted stays counted, and the gap is said
        if row is None or row.hash != row_hash:
            why = f"row {after} is not the one that was read: the journal was restored or replaced"
            return self._begin(pruned, why)
        return int(after), 0

    def _begin(self, pruned: Pruned, why: str | None = None) -> tuple[int, int]:
        """Empty the index; return where it is then."""
        epoch = self._asked(lambda: self.reader.epoch)

        def emptied(db: sqlite3.Connection) -> None:
            for table in TABLES:
                db.execute(f"DELETE FROM {table}")  # noqa: S608 # nosec B608 - names of ours
            for name, value in (("epoch", epoch), ("seq", 0), ("hash", ""), ("cleared", pruned.first), ("anew", why)):
                _put(db, name, value)

        self._file.change(emptied)
        return 0, pruned.gone(0)

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


def _clear(db: sqlite3.Connection, pruned: Pruned) -> None:
    """Take out what finds rows that were pruned, a part at a time; what was counted stays."""
    cleared = _get(db, "cleared", 0)
    if cleared < pruned.first:
        below = min(pruned.first, cleared + CLEARED)
        kept = json.dumps(sorted(pruned.carried))
        for table, column in (("steps", "decision"), ("decided", "seq"), ("turns", "seq")):
            db.execute(
                f"DELETE FROM {table} WHERE {column} < ? AND {column} NOT IN (SELECT value FROM json_each(?))",  # noqa: S608 # nosec B608 - names of ours
                (below, kept),
            )
        _put(db, "cleared", below)
