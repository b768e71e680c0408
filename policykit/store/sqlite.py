"""The default store: one SQLite file for all bots of a host. The journal is the state; a checkpoint saves replaying.

WAL with `synchronous=FULL`: a row is on disk before the call returns (power cuts at NORMAL lost acknowledged rows in
295 of 500 simulated runs, at FULL in none: PITFALLS 22). A write takes the file's write lock first and replays what
other processes wrote, so a decision is always made on the newest state.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from policykit.errors import StoreUnavailable
from policykit.store.backed import Body, LedgerStore
from policykit.store.base import GuardInfo, Row
from policykit.store.chain import GENESIS, link, text_of
from policykit.store.durability import ephemeral
from policykit.store.ledger import Ledger

#: The layout of the file; a newer one is refused, an older one is migrated when there is one.
SCHEMA: Final = 1
#: How long a write waits for another process's, ms.
BUSY_MS: Final = 5_000
#: Rows replayed at opening before a fresh checkpoint is worth its write.
CHECKPOINT_ROWS: Final = 1_000
_PAGE: Final = 1_000

_LAYOUT: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS journal (
    seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL, hash TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS checkpoint (
    one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, state TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS guards (bot TEXT, host TEXT, pid INTEGER, info TEXT NOT NULL, PRIMARY KEY (bot, host, pid));
CREATE TABLE IF NOT EXISTS leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL, until_ms INTEGER NOT NULL);
"""
_INSERT: Final = "INSERT INTO journal VALUES (?,?,?,?,?)"


class SqliteStore(LedgerStore):
    """A store in a file. Raise StoreUnavailable for whatever keeps it from being read, written or trusted."""

    backend = "sqlite"

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self.path = os.path.abspath(path)
        self._hash = GENESIS
        self._version = -1
        self._pid = os.getpid()
        self.problem = ephemeral(self.path)
        try:
            os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
            if not os.path.exists(self.path):
                os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY, 0o600))
            self._open()
        except OSError as error:
            raise StoreUnavailable(
                f"{self.path}: cannot be opened ({error.strerror}); name another POLICYKIT_STORE"
            ) from None
        except sqlite3.Error as error:
            raise self._unavailable(error) from None

    def _open(self) -> None:
        connection = sqlite3.connect(self.path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
        self._db = connection
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA:
            raise StoreUnavailable(
                f"{self.path}: written by a newer policykit (layout {version}, this reads {SCHEMA}); upgrade policykit",
                "STORE_VERSION",
            )
        connection.execute("PRAGMA journal_mode=WAL")
        # INVARIANT I3: a row is synced before the call that wrote it returns, and only then may an order be sent.
        connection.execute("PRAGMA synchronous=FULL")
        if version < SCHEMA:
            connection.executescript(f"BEGIN IMMEDIATE;{_LAYOUT}PRAGMA user_version={SCHEMA};COMMIT;")
        connection.execute("INSERT OR IGNORE INTO meta VALUES ('epoch', ?)", (self.epoch,))
        self.epoch = connection.execute("SELECT value FROM meta WHERE name='epoch'").fetchone()[0]
        self._inode = os.stat(self.path).st_ino
        self._replay_all()

    def _replay_all(self) -> None:
        state = self._db.execute("SELECT seq, state FROM checkpoint").fetchone()
        self._ledger = Ledger() if state is None else Ledger.load(json.loads(state[1]))
        row = self._db.execute("SELECT hash FROM journal WHERE seq=?", (self._ledger.seq,)).fetchone()
        self._hash = GENESIS if row is None else row[0]
        start = self._ledger.seq
        self._version = -1
        self._catch_up()
        if self._ledger.seq - start >= CHECKPOINT_ROWS:
            self._save_checkpoint()

    def _catch_up(self) -> None:
        version = self._db.execute("PRAGMA data_version").fetchone()[0]
        if version == self._version:
            return
        ledger = self._ledger
        newest = self._db.execute("SELECT max(seq) FROM journal").fetchone()[0] or 0
        if newest < ledger.seq:
            raise StoreUnavailable(
                f"{self.path}: holds fewer rows than it did; restore it or start anew", "STORE_RESET"
            )
        for seq, at_ms, kind, text, row_hash in self._db.execute(
            "SELECT seq, at_ms, kind, body, hash FROM journal WHERE seq > ? ORDER BY seq", (ledger.seq,)
        ):
            try:
                ledger.apply(kind, json.loads(text), at_ms)
            except (ValueError, KeyError, TypeError, AttributeError):
                raise StoreUnavailable(
                    f"{self.path}: row {seq} of the journal cannot be read; run `policykit journal verify`",
                    "STORE_DAMAGED",
                ) from None
            ledger.seq, self._hash = seq, row_hash
        self._version = version

    # ---- the steps of LedgerStore

    def _begin(self) -> Ledger:
        try:
            self._same_file()
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._catch_up()
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise self._unavailable(error) from None
        return self._ledger

    def _current(self) -> Ledger:
        try:
            self._same_file()
            self._catch_up()
        except sqlite3.Error as error:
            raise self._unavailable(error) from None
        return self._ledger

    def _write(self, kind: str, at_ms: int, body: Body, *args: Any) -> int:
        seq = self._ledger.seq + 1
        try:
            text = text_of(body(*args))
            row_hash = link(self._hash, seq, at_ms, kind, text)
            self._db.execute(_INSERT, (seq, at_ms, kind, text, row_hash))
            self._db.execute("COMMIT")
        except BaseException as error:
            self._abandon()
            if isinstance(error, sqlite3.Error):
                raise self._unavailable(error) from None
            raise
        self._ledger.seq, self._hash = seq, row_hash
        return seq

    def _abandon(self) -> None:
        """End the step without a row. After a failed commit nobody knows what the file holds: read it anew."""
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        except sqlite3.Error:
            pass
        self._version = -1

    def _same_file(self) -> None:
        if os.getpid() != self._pid:
            self._pid = os.getpid()
            self._open()
        try:
            inode = os.stat(self.path).st_ino
        except OSError:
            inode = 0
        if inode != self._inode:
            raise StoreUnavailable(
                f"{self.path}: the file was removed or replaced while in use; restart", "STORE_RESET"
            )

    def _unavailable(self, error: sqlite3.Error) -> StoreUnavailable:
        text = str(error)
        if "locked" in text or "busy" in text:
            why, code = f"another process has held it for over {BUSY_MS // 1000} s; end that process", "STORE_LOCKED"
        elif "full" in text:
            why, code = "the disk is full; make room", "STORE_FULL"
        elif "malformed" in text or "not a database" in text or "corrupt" in text:
            why, code = "the file is damaged; keep a copy, then run `policykit journal verify`", "STORE_DAMAGED"
        elif "readonly" in text:
            why, code = "it cannot be written; check owner and mode of the file and its folder", "STORE_READ_ONLY"
        else:
            why, code = f"SQLite says: {text}", "STORE_DOWN"
        return StoreUnavailable(f"{self.path}: {why}", code)

    # ---- what is not journaled

    def beat(self, guard: GuardInfo) -> None:
        self._side(
            "INSERT OR REPLACE INTO guards VALUES (?,?,?,?)", guard.bot, guard.host, guard.pid, json.dumps(guard)
        )

    def guards(self) -> list[GuardInfo]:
        return [GuardInfo(*json.loads(row[0])) for row in self._side("SELECT info FROM guards ORDER BY bot, host, pid")]

    def lease(self, name: str, holder: str, ttl_ms: int, now_ms: int) -> bool:
        taken = self._side(
            "INSERT INTO leases VALUES (?1,?2,?3) ON CONFLICT (name) DO UPDATE SET holder=?2, until_ms=?3 "
            "WHERE holder=?2 OR until_ms<=?4 RETURNING holder",
            name,
            holder,
            now_ms + ttl_ms,
            now_ms,
        )
        return bool(taken)

    def _side(self, statement: str, *values: Any) -> list[Any]:
        with self._lock:
            try:
                self._same_file()
                return self._db.execute(statement, values).fetchall()
            except sqlite3.Error as error:
                raise self._unavailable(error) from None

    # ---- reading back

    def rows(self, after: int = 0, limit: int = 1000) -> Iterator[Row]:
        done = 0
        while done < limit:
            page = self._side(
                "SELECT * FROM journal WHERE seq > ? ORDER BY seq LIMIT ?", after, min(_PAGE, limit - done)
            )
            for seq, at_ms, kind, text, row_hash in page:
                yield Row(seq, at_ms, kind, json.loads(text), row_hash)
                after = seq
            done += len(page)
            if len(page) < _PAGE:
                return

    def verify(self) -> tuple[int, str | None]:
        return verify_file(self.path)

    def checkpoint(self) -> None:
        with self._lock:
            self._begin()
            self._save_checkpoint()
            self._db.execute("COMMIT")

    def _save_checkpoint(self) -> None:
        state = json.dumps(self._ledger.dump(), separators=(",", ":"))
        self._db.execute("INSERT OR REPLACE INTO checkpoint VALUES (1, ?, ?)", (self._ledger.seq, state))

    def close(self) -> None:
        with self._lock:
            self._db.close()


def verify_file(path: str) -> tuple[int, str | None]:
    """Check a journal's chain without opening it as a store; return (good rows, None or what is wrong and where)."""
    before, good = GENESIS, 0
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=BUSY_MS / 1000)
        with connection:
            for seq, at_ms, kind, text, row_hash in connection.execute("SELECT * FROM journal ORDER BY seq"):
                if seq != good + 1:
                    return good, f"row {good + 1} is missing: the next is {seq}"
                if link(before, seq, at_ms, kind, text) != row_hash:
                    return good, f"row {seq} does not carry the hash of its content and the row before: it was changed"
                before, good = row_hash, seq
    except sqlite3.Error as error:
        return good, f"the file cannot be read on after row {good}: {error}"
    return good, None
