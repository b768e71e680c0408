"""A journal file for reading: nothing of it is changed, and what is damaged is read up to the damage, and said.

No store is opened, so nothing is replayed and no counter is trusted: a file that a store refuses can be read here.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from policykit.errors import StoreUnavailable
from policykit.store.base import Row
from policykit.store.chain import GENESIS, link
from policykit.store.checkpoint import Saved, saved
from policykit.store.failures import BUSY_MS, UNREADABLE, unavailable
from policykit.store.layout import ROWS, known
from policykit.store.pruned import WHOLE, Base, Raw, base_of, flaw

#: Rows read at a time: between two pages the file is free, so a slow reader keeps no writer's WAL from shrinking.
PAGE: Final = 1_000
_SQLITE: Final = b"SQLite format 3\x00"
_PAGE: Final = f"{ROWS} WHERE seq > ? ORDER BY seq LIMIT ?"
_NEWEST: Final = f"{ROWS} ORDER BY seq DESC LIMIT 1"
_FIRST_AT: Final = "SELECT seq FROM journal WHERE seq > ? AND at_ms >= ? ORDER BY seq LIMIT 1"
_SEEN: Final = "SELECT 1 FROM seen"
_CARRIED: Final = "SELECT seq, at_ms, kind, body, hash FROM carried WHERE seq > ? AND instr(body, ?) ORDER BY seq"
_NAMING: Final = (
    "SELECT j.seq, j.at_ms, j.kind, j.body, j.hash, before.hash FROM journal j "
    "LEFT JOIN journal before ON before.seq = j.seq - 1 WHERE j.seq > ? AND instr(j.body, ?) ORDER BY j.seq LIMIT ?"
)
#: In one statement, so both are of one moment: others write meanwhile.
_ENDS: Final = "SELECT coalesce((SELECT max(seq) FROM checkpoint), 0), coalesce((SELECT max(seq) FROM journal), 0)"
_CUT: Final = "row {} is missing, and all after it: there were at least {}"
_CHANGED: Final = "row {} does not carry the hash of its content and the row before: it was changed"
_TODO: Final = (
    "keep a copy of the file; restore a backup of it or start on a new store, then run `policykit reconcile` "
    "(`policykit journal verify` says more)"
)


def is_journal(file: str | Path) -> bool:
    """Tell whether a file is a database, as a journal is; one that cannot be read is none."""
    try:
        with open(file, "rb") as stream:
            return stream.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False


class JournalDamaged(StoreUnavailable):
    """A journal that is not what was written: `good` is the last row that can be read, `why` what follows it."""

    def __init__(self, path: str, good: int, why: str) -> None:
        self.good, self.why = good, why
        super().__init__(f"{path}: {why}; {_TODO}", "STORE_DAMAGED")


class JournalReader:
    """The rows of a journal file. Thread-safe; other processes may write meanwhile.

    Raise StoreUnavailable for a file that is not there, another program's, or a newer policykit's.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = os.path.abspath(path)
        self._lock = threading.Lock()
        self._version: int | None = None
        #: What is wrong with the file as a whole; its rows are read as far as they can be.
        self._problem: str | None = None
        #: The damage that reading met last, for whoever shows first what could be read.
        self.damage: JournalDamaged | None = None
        if not os.path.isfile(self.path):
            what = "is a folder" if os.path.isdir(self.path) else "there is no journal"
            raise StoreUnavailable(
                f"{self.path}: {what}; set POLICYKIT_STORE or --store to the one that bots use", "STORE_DOWN"
            )
        self._file = self._identity()
        self._db = self._connect()
        #: Of the store that the file is of; empty where a damaged file does not tell.
        self.epoch = self._said_epoch()

    # ---- the file

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _connect(self) -> sqlite3.Connection:
        """Connect read-only; to a damaged file as far as SQLite lets us."""
        place = Path(self.path).as_uri()
        db = _opened(f"{place}?mode=ro")
        try:
            self._look(db)
        except sqlite3.Error as error:
            if _primary(error) != sqlite3.SQLITE_CANTOPEN or os.path.exists(f"{self.path}-wal"):
                raise unavailable(self.path, error, BUSY_MS) from None
            db.close()
            # On a disk that cannot be written no file of locks can be made, and nobody changes what lies there.
            db = _opened(f"{place}?mode=ro&immutable=1")
            self._look(db)
        return db

    def _look(self, db: sqlite3.Connection) -> None:
        """Find out whose file it is, and whether it is whole enough to be asked."""
        try:
            if known(db, self.path) == 0:
                raise StoreUnavailable(f"{self.path}: is empty; no store ever wrote to it", "STORE_DOWN")
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            kind = _primary(error)
            if isinstance(error, sqlite3.OperationalError) and kind not in (sqlite3.SQLITE_ERROR, None):
                raise  # locked, cannot be opened, ...: nothing that is in the file
            self._problem = _told(error)
            # SQLite refuses a file that was cut off; so it reads what is left of it. The file is opened read-only.
            db.execute("PRAGMA writable_schema=ON")
        except StoreUnavailable as error:
            if error.code != "STORE_DAMAGED":
                raise
            self._problem = "what it says of itself is not what a store wrote"

    def _said_epoch(self) -> str:
        try:
            found = self._db.execute("SELECT value FROM meta WHERE name='epoch'").fetchone()
        except (sqlite3.Error, UnicodeDecodeError):
            return ""
        return "" if found is None else str(found[0])

    def changed(self) -> bool:
        """Tell whether another process wrote since this was last asked; True the first time. Costs microseconds."""
        with self._lock:
            try:
                version = int(self._db.execute("PRAGMA data_version").fetchone()[0])
            except sqlite3.Error:
                return True  # `rows` will say what it is
            before, self._version = self._version, version
        return version != before or self._identity() != self._file

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._db.close()

    # ---- rows

    def first(self) -> int:
        """Return the number of the first row: 1, or that behind what was pruned; 0 for a journal without one."""
        with self._lock:
            try:
                begins = (base_of(self._db).seq,)
                found = self._db.execute("SELECT min(seq) FROM journal WHERE seq > ?", begins).fetchone()[0]
            except (sqlite3.Error, UnicodeDecodeError):
                return 0
        return int(found or 0)

    def first_at(self, at_ms: int) -> int | None:
        """Return the number of the first row that is not older than a moment; None where all are."""
        with self._lock:
            try:
                found = self._db.execute(_FIRST_AT, (base_of(self._db).seq, at_ms)).fetchone()
            except (sqlite3.Error, UnicodeDecodeError) as error:
                raise self._broken(0, error) from None
        return None if found is None else int(found[0])

    def base(self) -> Base:
        """Return where the journal begins, and what was kept of what was pruned; if that is damaged `rows` says so."""
        with self._lock, suppress(sqlite3.Error, UnicodeDecodeError):
            return base_of(self._db)
        return WHOLE

    def saved(self) -> Saved | None:
        """Return the state that is kept beside the rows, if a store would use it; if it is damaged none would."""
        with self._lock, suppress(sqlite3.Error, UnicodeDecodeError):
            return saved(self._db)
        return None

    def carried(self, after: int = 0, text: str = "") -> list[Row]:
        """Return the rows, of those that were pruned, that are still of use: of open orders, halts, policies, ..."""
        with self._lock:
            try:
                if base_of(self._db).row == 0:
                    return []
                return [_row(raw) for raw in self._db.execute(_CARRIED, (after, text))]
            except (sqlite3.Error, UnicodeDecodeError, *UNREADABLE) as error:
                raise self._broken(after, error) from None

    def elsewhere(self) -> bool:
        """Tell whether the counters and facts that this journal's decisions were made on are a server's."""
        with self._lock, suppress(sqlite3.Error, UnicodeDecodeError):
            return self._db.execute(_SEEN).fetchone() is not None
        return False

    def newest(self) -> Row | None:
        """Return the newest row; of a damaged file the last before the damage, which takes reading it all."""
        with self._lock:
            try:
                raw = self._db.execute(_NEWEST).fetchone()
                return None if raw is None else _row(raw)
            except (sqlite3.Error, UnicodeDecodeError, *UNREADABLE):
                pass
        last, rows = None, self.rows(0, sys.maxsize)
        while True:
            try:
                last = next(rows)
            except (StopIteration, JournalDamaged):
                return last

    def row(self, seq: int) -> Row | None:
        """Return one row by its number; None where there is none. Raise StoreUnavailable for one that is damaged."""
        return next((row for row in self.rows(seq - 1, 1) if row.seq == seq), None)

    def rows(self, after: int = 0, limit: int = 1000) -> Iterator[Row]:
        """Yield rows in order, each held against the row before it; then raise StoreUnavailable where it is damaged.

        Those that pruning carried on come first. Behind a damage one can read on: `after` a row that is there, the next
        are held against that one.
        """
        for row in self.carried(after)[:limit]:
            yield row
            limit, after = limit - 1, row.seq
        for raw in self.raw(after, limit):
            try:
                yield _row(raw)
            except UNREADABLE as error:
                raise self._broken(raw[0] - 1, error) from None

    def naming(self, text: str) -> Iterator[Row]:
        """Yield the rows whose data holds a text, found by SQLite: no other row is parsed or held against the chain.

        Raise StoreUnavailable behind those that could be read of a damaged file.
        """
        written = json.dumps(text, ensure_ascii=False)[1:-1]
        yield from self.carried(0, written)
        good = 0
        while True:
            page: list[Row] = []
            error: StoreUnavailable | None = None
            with self._lock:
                self._same_file()
                try:
                    base = base_of(self._db)
                    good = max(good, base.seq)
                    for *raw, before in self._db.execute(_NAMING, (good, written, PAGE)):
                        before = base.hash if raw[0] == base.seq + 1 else before
                        if link(before or GENESIS, *raw[:4]) != raw[4]:
                            error = self._damaged(raw[0] - 1, _CHANGED.format(raw[0]))
                            break
                        page.append(_row(raw))
                except (sqlite3.Error, UnicodeDecodeError, *UNREADABLE) as found:
                    error = self._broken(page[-1].seq if page else good, found)
            yield from page
            if error is not None:
                raise error
            if len(page) < PAGE:
                return
            good = page[-1].seq

    def raw(self, after: int = 0, limit: int | None = None) -> Iterator[Raw]:
        """Yield rows behind what was pruned as they stand: number, time, kind, data as text, hash. Held like `rows`."""
        left = limit
        while left is None or left > 0:
            page, error = self._page(after, PAGE if left is None else min(PAGE, left))
            for raw in page:
                yield raw
                after = raw[0]
            if error is not None:
                raise error
            if not page:
                if self._problem is not None:
                    raise self._damaged(after, f"the file is damaged after row {after}: {self._problem}")
                return
            if left is not None:
                left -= len(page)

    def cut(self) -> JournalDamaged | None:
        """Tell of rows missing at the end: the state that is kept is of a later one; None: nothing shows it."""
        with self._lock:
            try:
                saved, last = self._db.execute(_ENDS).fetchone()
                last = max(last, base_of(self._db).seq)
            except (sqlite3.Error, UnicodeDecodeError):
                return None  # what a file does not tell; `rows` says where it is damaged
        return self._damaged(last, _CUT.format(last + 1, saved)) if saved > last else None

    def flaw(self, good: int) -> str | None:
        """Tell what is wrong with the file though its rows up to `good`, the last, hold; None: nothing."""
        with self._lock:
            try:
                saved = self._db.execute("SELECT max(seq) FROM checkpoint").fetchone()[0] or 0
                whole = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
                kept = flaw(self._db)
            except (sqlite3.Error, UnicodeDecodeError) as error:
                return f"the file cannot be read on after row {good}: {_told(error)}"
        if saved > good:
            return _CUT.format(good + 1, saved)
        return kept if whole == "ok" else f"the file is damaged after row {good}: {whole}"

    def _page(self, after: int, count: int) -> tuple[list[Raw], StoreUnavailable | None]:
        """Return rows that hold against the one before them, and what keeps the next from doing so."""
        page: list[Raw] = []
        good = after
        with self._lock:
            self._same_file()
            try:
                base = base_of(self._db)
                good = after = max(after, base.seq)
                before = base.hash if after == base.seq else self._hash_of(after)
                for raw in self._db.execute(_PAGE, (after, count)):
                    seq, at_ms, kind, text, row_hash = raw
                    if before is None:
                        return page, self._damaged(after - 1, f"row {after} is missing: the next is {seq}")
                    if seq != good + 1:
                        return page, self._damaged(good, f"row {good + 1} is missing: the next is {seq}")
                    if link(before, seq, at_ms, kind, text) != row_hash:
                        return page, self._damaged(good, _CHANGED.format(seq))
                    page.append(raw)
                    before, good = row_hash, seq
            except (sqlite3.Error, UnicodeDecodeError, *UNREADABLE) as error:
                return page, self._broken(good, error)
        return page, None

    def _hash_of(self, seq: int) -> str | None:
        """Return the hash of a row; None where it is not there."""
        found = self._db.execute("SELECT hash FROM journal WHERE seq = ?", (seq,)).fetchone()
        return None if found is None else str(found[0])

    def _same_file(self) -> None:
        if self._identity() != self._file:
            raise StoreUnavailable(
                f"{self.path}: the file was removed or replaced while in use; restart", "STORE_RESET"
            )

    def _damaged(self, good: int, why: str) -> JournalDamaged:
        self.damage = JournalDamaged(self.path, good, why)
        return self.damage

    def _broken(self, good: int, error: Exception) -> StoreUnavailable:
        """Say what an error means that came while reading on after a row."""
        if isinstance(error, sqlite3.Error):
            found = unavailable(self.path, error, BUSY_MS)
            if found.code not in ("STORE_DAMAGED", "STORE_DOWN"):
                return found
        return self._damaged(good, f"the file cannot be read on after row {good}: {_told(error)}")


def _opened(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(uri, uri=True, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False)


def _primary(error: Exception) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else int(code) & 0xFF


def _told(error: Exception) -> str:
    """Return what SQLite says, without the content of a row; of data that is none, that it is."""
    if isinstance(error, (sqlite3.Error, UnicodeDecodeError)):
        return str(error).partition(" with text ")[0]
    return "the data of the next is not JSON"


def _row(raw: Any) -> Row:
    seq, at_ms, kind, text, row_hash = raw
    return Row(seq, at_ms, kind, json.loads(text), row_hash)
