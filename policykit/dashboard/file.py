"""The file of an index: made when it is first asked, thrown away when it is damaged, shared with other processes."""

from __future__ import annotations

import fcntl
import hashlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from policykit.dashboard.tables import FORM, LAY_OUT
from policykit.errors import StoreUnavailable

#: How long a question waits for another process's write, ms.
BUSY_MS: Final = 2_000
#: What of the index SQLite keeps in memory, KiB.
CACHE_KIB: Final = 16_384
#: Errors that say that the file is no index, or not a whole one (sqlite.org/rescode.html, read 2026-11). SQLITE_ERROR:
#: a table or column of ours is not there.
_DAMAGE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT)
_PLACE: Final = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM)
T = TypeVar("T")


def cache_file(journal: str) -> Path:
    """Return where the index of a journal is kept: in the user's cache directory, named by the journal's real path."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    name = hashlib.sha256(os.path.realpath(journal).encode("utf-8", "surrogateescape")).hexdigest()[:24]
    return Path(cache, "policykit", f"index-{name}.db")


class IndexFile:
    """One connection to the file of an index. Thread-safe.

    Where no file can be kept the index is in memory: `in_memory` says why.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.in_memory: str | None = None
        #: How often this process threw a damaged file away.
        self.thrown_away = 0
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None

    def ask(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do `work` on the connection; a damaged file is thrown away, and the work done on a new one.

        Raise StoreUnavailable where the file cannot be used now.
        """
        with self._lock:
            try:
                return work(self._ready())
            except sqlite3.Error as error:
                if not _says(error, _DAMAGE):
                    raise self._unavailable(error) from None
            try:
                self._throw_away()
                return work(self._ready())
            except sqlite3.Error as error:
                raise self._unavailable(error) from None

    def change(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do `work` in a transaction: all of it or nothing."""

        def whole(db: sqlite3.Connection) -> T:
            db.execute("BEGIN IMMEDIATE")
            try:
                done = work(db)
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
            return done

        return self.ask(whole)

    @contextmanager
    def only_writer(self) -> Iterator[bool]:
        """Be the one process that takes rows in; False while another is."""
        try:
            lock = os.open(f"{self.path}.lock", os.O_CREAT | os.O_RDWR, 0o600)
        except OSError:
            yield True  # then nobody shares it
            return
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield True
        except BlockingIOError:
            yield False
        finally:
            os.close(lock)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._disconnect()

    def _ready(self) -> sqlite3.Connection:
        """Return a connection to the file that is there now: another process may have thrown away the one we had."""
        if self._db is not None and self.in_memory is None and self._inode() != self._file:
            self._disconnect()
        if self._db is None:
            try:
                self._db = self._open()
            except (OSError, sqlite3.Error) as error:
                if isinstance(error, sqlite3.Error) and not _says(error, _PLACE):
                    raise
                self.in_memory = "cannot be written" if isinstance(error, sqlite3.Error) else str(error.strerror)
                self._db = _laid_out(_connect(":memory:"))
        return self._db

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        db = _connect(str(self.path))
        try:
            # Rows are read again from the journal after a power cut; a torn index would be worse than a short one.
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")
            _laid_out(db)
        except BaseException:
            db.close()
            raise
        self._file = self._inode()
        return db

    def _inode(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _throw_away(self) -> None:
        """Take the file away; processes that have it open see that it is gone."""
        self._disconnect()
        self.thrown_away += 1
        for end in ("", "-wal", "-shm"):
            Path(f"{self.path}{end}").unlink(missing_ok=True)

    def _disconnect(self) -> None:
        db, self._db, self.in_memory = self._db, None, None
        if db is not None:
            db.close()

    def _unavailable(self, error: sqlite3.Error) -> StoreUnavailable:
        full = "; its disk is full" if _says(error, (sqlite3.SQLITE_FULL,)) else ""
        busy = "; another process has held it for too long" if _says(error, (sqlite3.SQLITE_BUSY,)) else ""
        return StoreUnavailable(
            f"{self.path}: the index cannot be used now{full or busy}; it can be deleted, the journal has it all"
        )


def _connect(path: str) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
    db.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
    return db


def _laid_out(db: sqlite3.Connection) -> sqlite3.Connection:
    """Make the tables, unless they are there; an index of another form is emptied."""
    if _form(db) == FORM:
        return db
    db.execute("BEGIN IMMEDIATE")
    try:
        if _form(db) != FORM:  # another process may have been first
            for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type='table'").fetchall():
                db.execute(f'DROP TABLE "{name}"')
            for statement in LAY_OUT.split(";\n"):
                db.execute(statement)
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    return db


def _form(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _says(error: sqlite3.Error, codes: tuple[int, ...]) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in codes
