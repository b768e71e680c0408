"""A journal in a SQLite file: rows on disk before the call returns, each chained to the one before.

WAL with `synchronous=FULL` (power cuts at NORMAL lost acknowledged rows in 295 of 500 simulated runs, at FULL in none:
PITFALLS 22). The SQLite store keeps its counters in the same file; beside any other store it is the host's record.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

from policykit.errors import StoreUnavailable
from policykit.store.base import Row
from policykit.store.chain import GENESIS, link, text_of
from policykit.store.failures import BUSY_MS, UNREADABLE, busy, damaged, unavailable, unopened
from policykit.store.layout import LISTED, ROWS, lay_out, mark_copied
from policykit.store.verify import verify_file

#: How often a waiting write looks again, ms. SQLite itself waits up to 100 ms between two looks, and among eight busy
#: processes one was then kept out for over five seconds.
POLL_MS: Final = 2
_PAGE: Final = 1_000
#: Writes whose time is kept until somebody asks.
MAX_TOOK: Final = 16_384
#: Pages that a backup copies at a time: between two, other processes write.
_BACKUP_PAGES: Final = 256
INSERT: Final = "INSERT INTO journal VALUES (?,?,?,?,?)"
FROM: Final = f"{ROWS} WHERE seq >= ? ORDER BY seq"
_NEWEST: Final = "SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1"
#: The newest grant of the store that this host has heard of; processes may write theirs in another order.
_SEEN: Final = (
    "INSERT INTO seen VALUES (1,?,?) ON CONFLICT (one) DO UPDATE SET "
    "seq=CASE WHEN epoch=excluded.epoch THEN max(seq, excluded.seq) ELSE excluded.seq END, epoch=excluded.epoch"
)

Connect = Callable[[str, int], sqlite3.Connection]
T = TypeVar("T")


def connect(path: str, busy_ms: int) -> sqlite3.Connection:
    """Connect to a file; a statement waits at most `busy_ms` for another process."""
    return sqlite3.connect(path, timeout=busy_ms / 1000, isolation_level=None, check_same_thread=False)


class JournalFile:
    """The file of a journal: its connection, its rows, and whether it is still the one that was opened first."""

    _lock: threading.Lock
    epoch: str

    def __init__(self, path: str | Path, *, busy_ms: int, make: Connect) -> None:
        self.path = os.path.abspath(path)
        self._busy_ms, self._make = busy_ms, make
        self._db: sqlite3.Connection | None = None
        self._closed = False
        self._file: tuple[int, int] | None = None
        self._hash = GENESIS
        self._version = -1
        self._took: deque[float] = deque(maxlen=MAX_TOOK)
        try:
            os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
            if not os.path.exists(self.path):
                os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY, 0o600))
        except OSError as error:
            raise unopened(self.path, error) from None

    def _ready(self) -> sqlite3.Connection:
        """Return a connection to the very file that was opened first."""
        if self._closed:
            raise StoreUnavailable(f"{self.path}: the store was closed; open it again")
        if self._db is None:
            self._open()
        try:
            found = os.stat(self.path)
            file = (found.st_dev, found.st_ino) if found.st_size else None
        except OSError:
            file = None
        if self._file is None:
            self._file = file
        if file is None or file != self._file or self._db is None:
            raise StoreUnavailable(
                f"{self.path}: the file was removed, emptied or replaced while in use; restart", "STORE_RESET"
            )
        return self._db

    def _open(self) -> None:
        if os.path.isdir(self.path):
            raise StoreUnavailable(f"{self.path}: is a folder; a file is needed; name one in POLICYKIT_STORE")
        db = self._make(self.path, self._busy_ms)
        try:
            db.execute(f"PRAGMA busy_timeout={POLL_MS}")
            # All of it again while others are at it: where two turn a file to WAL at once, SQLite does not wait.
            self.epoch = self._patiently(lambda: lay_out(db, self.path, self.epoch))
        except UnicodeDecodeError:  # SQLite's own message cites the damage
            db.close()
            raise damaged(self.path) from None
        except BaseException:
            db.close()
            raise
        self._db = db
        self._version = -1

    def _disconnect(self) -> None:
        """Let go of the connection; the next call connects again. Before a fork: SQLite must not be carried over."""
        db, self._db = self._db, None
        if db is not None:
            db.close()

    def _patient(self, db: sqlite3.Connection, statement: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        return self._patiently(lambda: db.execute(statement, values))

    def _patiently(self, work: Callable[[], T]) -> T:
        """Do it; look again every POLL_MS while another process is at work in the file, for as long as we wait."""
        until = 0.0
        while True:
            try:
                return work()
            except sqlite3.OperationalError as error:
                now = time.monotonic()
                until = until or now + self._busy_ms / 1000
                if not busy(error) or now >= until:
                    raise

    def _roll_back(self, db: sqlite3.Connection) -> None:
        try:
            db.execute("ROLLBACK")
        except sqlite3.Error:
            self._disconnect()

    def _settle(self) -> None:
        """Make durable what waits for it, before anything else is done with the connection. Under the lock."""

    def _asked(self, statement: str, *values: Any) -> list[Any]:
        self._settle()
        try:
            return self._patient(self._ready(), statement, values).fetchall()
        except sqlite3.Error as error:
            raise unavailable(self.path, error, self._busy_ms) from None

    def written(self) -> list[float]:
        """Return how long each write of a row took since this was asked last, seconds; the newest of many."""
        took, newest = self._took, []
        while took:
            newest.append(took.popleft())
        return newest

    def rows(self, after: int = 0, limit: int = 1000) -> Iterator[Row]:
        """Yield rows in order. Raise StoreUnavailable for one that cannot be read."""
        done = 0
        while done < limit:
            with self._lock:
                page = self._asked(LISTED, after, min(_PAGE, limit - done))
            for seq, at_ms, kind, text, row_hash in page:
                try:
                    body = json.loads(text)
                except UNREADABLE:
                    raise StoreUnavailable(
                        f"{self.path}: row {seq} of the journal cannot be read; run `policykit journal verify`",
                        "STORE_DAMAGED",
                    ) from None
                yield Row(seq, at_ms, kind, body, row_hash)
                after = seq
            done += len(page)
            if len(page) < _PAGE:
                return

    def verify(self) -> tuple[int, str | None]:
        """Check the chain; return (rows read, None) or (rows good, what is wrong and where)."""
        return verify_file(self.path)

    def backup(self, path: str | Path) -> None:
        """Copy the file while it is in use, as of one moment. Raise StoreUnavailable; FileExistsError for a file there.

        The copy says that it is one: a store that is opened on it does not know what was granted since (STORE_RESET).
        """
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            copy = sqlite3.connect(path)
            try:
                with self._lock:
                    self._settle()
                    self._ready().backup(copy, pages=_BACKUP_PAGES)
                mark_copied(copy)
            finally:
                copy.close()
        except BaseException as error:
            os.unlink(path)  # half a copy is none
            if isinstance(error, sqlite3.Error):
                raise unavailable(self.path, error, self._busy_ms) from None
            raise

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._closed = True
            self._disconnect()


class Journal(JournalFile):
    """The journal of a host whose counters are elsewhere; several processes may write to one.

    `lock` is the store's: what is not `rows`, `verify` or `backup` is called under it.
    """

    def __init__(
        self, path: str | Path, lock: threading.Lock, *, busy_ms: int = BUSY_MS, make: Connect = connect
    ) -> None:
        super().__init__(path, busy_ms=busy_ms, make=make)
        self._lock = lock
        self.epoch = os.urandom(8).hex()
        self.seq = 0
        with lock:
            self._newest(self._ready())

    def _newest(self, db: sqlite3.Connection) -> None:
        """Find the row that the next one follows, if another process may have written one."""
        try:
            version = self._patient(db, "PRAGMA data_version").fetchone()[0]
            if version != self._version:
                found = self._patient(db, _NEWEST).fetchone() or (0, GENESIS)
                if found[0] < self.seq:
                    raise StoreUnavailable(
                        f"{self.path}: no longer holds the rows that it did; restore it or start anew", "STORE_RESET"
                    )
                self.seq, self._hash = found
                self._version = version
        except sqlite3.Error as error:
            raise unavailable(self.path, error, self._busy_ms) from None

    # INVARIANT I4: the row is on disk when this returned, and before the caller is told what it says.
    def append(self, kind: str, at_ms: int, body: dict[str, Any], grant: tuple[str, int] | None = None) -> int:
        """Write a row, with the store's epoch and sequence that it stands for; return its number."""
        text = text_of(body)
        db = self._ready()
        started = time.perf_counter()
        try:
            self._patient(db, "BEGIN IMMEDIATE")
            self._newest(db)
            seq = self.seq + 1
            row_hash = link(self._hash, seq, at_ms, kind, text)
            db.execute(INSERT, (seq, at_ms, kind, text, row_hash))
            if grant is not None:
                db.execute(_SEEN, grant)
            db.execute("COMMIT")
        except BaseException as error:
            self._version = -1  # written or not: looked at anew before the next row
            if db.in_transaction:
                self._roll_back(db)
            if isinstance(error, sqlite3.Error):
                raise unavailable(self.path, error, self._busy_ms) from None
            raise
        self._took.append(time.perf_counter() - started)
        self.seq, self._hash = seq, row_hash
        return seq

    def seen(self) -> tuple[str, int] | None:
        """Return the epoch and sequence of the newest grant that this host has written down."""
        found = self._asked("SELECT epoch, seq FROM seen")
        return (found[0][0], found[0][1]) if found else None
