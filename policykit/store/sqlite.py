"""The default store: one SQLite file for all bots of a host. The journal is the state; a checkpoint saves replaying.

WAL with `synchronous=FULL`: a row is on disk before the call returns (power cuts at NORMAL lost acknowledged rows in
295 of 500 simulated runs, at FULL in none: PITFALLS 22). A write takes the file's write lock first and replays what
other processes wrote, so a decision is always made on the newest state.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from policykit.errors import StoreUnavailable
from policykit.orders.intent import Intent
from policykit.store import forks
from policykit.store.backed import Body, LedgerStore
from policykit.store.base import GUARD_SILENT_MS, GuardInfo, Row
from policykit.store.chain import GENESIS, link, text_of
from policykit.store.durability import ephemeral
from policykit.store.failures import busy, unavailable, unopened
from policykit.store.layout import lay_out
from policykit.store.ledger import Ledger
from policykit.store.verify import verify_file

__all__ = ["BUSY_MS", "SqliteStore", "connect", "verify_file"]

#: How long a write waits for another process's, ms.
BUSY_MS: Final = 5_000
#: How often a waiting write looks again, ms. SQLite itself waits up to 100 ms between two looks, and among eight busy
#: processes one was then kept out for over five seconds.
POLL_MS: Final = 2
#: Rows replayed at opening before a fresh checkpoint is worth its write.
CHECKPOINT_ROWS: Final = 1_000
#: Rows after which whoever writes the next keeps a checkpoint, ms of work: opening never replays more.
CHECKPOINT_EVERY: Final = 20_000
_PAGE: Final = 1_000
_INSERT: Final = "INSERT INTO journal VALUES (?,?,?,?,?)"
_FROM: Final = "SELECT seq, at_ms, kind, body, hash FROM journal WHERE seq >= ? ORDER BY seq"
#: What reading a row of another version, or a damaged checkpoint, can raise.
_UNREADABLE: Final = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)

Connect = Callable[[str, int], sqlite3.Connection]


def connect(path: str, busy_ms: int) -> sqlite3.Connection:
    """Connect to a file; a statement waits at most `busy_ms` for another process."""
    return sqlite3.connect(path, timeout=busy_ms / 1000, isolation_level=None, check_same_thread=False)


class SqliteStore(LedgerStore):
    """A store in a file. Raise StoreUnavailable for whatever keeps it from being read, written or trusted.

    `make` connects to the file (tests connect through disks that fail). Thread-safe; goes on in a forked child.
    """

    backend = "sqlite"

    def __init__(self, path: str | Path, *, busy_ms: int = BUSY_MS, make: Connect = connect) -> None:
        super().__init__()
        self.path = os.path.abspath(path)
        self.problem = ephemeral(os.path.realpath(self.path))
        self._busy_ms, self._make = busy_ms, make
        self._db: sqlite3.Connection | None = None
        self._closed = False
        self._file: tuple[int, int] | None = None
        self._hash = GENESIS
        self._version = -1
        #: False: ledger and file may disagree; it is read anew before it is used again.
        self._trusted = False
        #: A commit was begun in this step and did not report a failure.
        self._wrote = False
        self._checkpointed = 0
        try:
            os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
            if not os.path.exists(self.path):
                os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY, 0o600))
        except OSError as error:
            raise unopened(self.path, error) from None
        with self._lock:
            self._current()
            if self._ledger.seq - self._checkpointed >= CHECKPOINT_ROWS:
                self._checkpoint_now()
        forks.watch(self)

    # ---- the file

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
            self.epoch = lay_out(db, self.path, self.epoch)
            db.execute(f"PRAGMA busy_timeout={POLL_MS}")
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

    def _replay_all(self, db: sqlite3.Connection) -> None:
        self._ledger, self._hash = Ledger(), GENESIS
        saved = db.execute("SELECT c.seq, c.state, c.hash, j.hash FROM checkpoint c JOIN journal j USING (seq)")
        for seq, state, state_hash, row_hash in saved:
            try:
                if link(row_hash, seq, 0, "checkpoint", state) == state_hash:
                    self._ledger, self._hash = Ledger.load(json.loads(state)), row_hash
            except _UNREADABLE:
                pass  # of another version: the journal has it all
        self._checkpointed = self._ledger.seq
        self._version = -1
        self._catch_up(db)
        self._trusted = True

    def _catch_up(self, db: sqlite3.Connection) -> None:
        version = self._patient(db, "PRAGMA data_version").fetchone()[0]
        if version == self._version:
            return
        ledger = self._ledger
        rows = db.execute(_FROM, (ledger.seq,))
        if ledger.seq:
            newest = rows.fetchone()
            if newest is None or newest[4] != self._hash:
                raise StoreUnavailable(
                    f"{self.path}: no longer holds the rows that it did; restore it or start anew", "STORE_RESET"
                )
        for seq, at_ms, kind, text, row_hash in rows:
            try:
                if seq != ledger.seq + 1 or link(self._hash, seq, at_ms, kind, text) != row_hash:
                    raise ValueError
                ledger.apply(kind, json.loads(text), at_ms)
            except _UNREADABLE:
                self._trusted = False
                raise StoreUnavailable(
                    f"{self.path}: row {ledger.seq + 1} of the journal is missing or was changed; "
                    "keep a copy, then run `policykit journal verify`",
                    "STORE_DAMAGED",
                ) from None
            ledger.seq, self._hash = seq, row_hash
        self._version = version

    def _patient(self, db: sqlite3.Connection, statement: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        """Execute a statement; look again every POLL_MS while another process is at work, for as long as we wait."""
        until = 0.0
        while True:
            try:
                return db.execute(statement, values)
            except sqlite3.OperationalError as error:
                now = time.monotonic()
                until = until or now + self._busy_ms / 1000
                if not busy(error) or now >= until:
                    raise

    # ---- the steps of LedgerStore

    def _begin(self) -> Ledger:
        try:
            db = self._ready()
            self._wrote = False
            try:
                self._patient(db, "BEGIN IMMEDIATE")
                self._read(db)
            except BaseException:
                if db.in_transaction:
                    self._roll_back(db)
                raise
        except sqlite3.Error as error:
            raise unavailable(self.path, error, self._busy_ms) from None
        return self._ledger

    def _current(self) -> Ledger:
        try:
            self._read(self._ready())
        except sqlite3.Error as error:
            raise unavailable(self.path, error, self._busy_ms) from None
        return self._ledger

    def _read(self, db: sqlite3.Connection) -> None:
        if self._trusted:
            self._catch_up(db)
        else:
            self._replay_all(db)

    def _write(self, kind: str, at_ms: int, body: Body, *args: Any) -> int:
        seq = self._ledger.seq + 1
        text = text_of(body(*args))
        row_hash = link(self._hash, seq, at_ms, kind, text)
        db = self._db
        assert db is not None
        try:
            db.execute(_INSERT, (seq, at_ms, kind, text, row_hash))
            self._wrote = True
            # INVARIANT I4: nothing is acknowledged, and no counter moves, before this returned.
            db.execute("COMMIT")
        except sqlite3.Error as error:
            self._wrote = False  # or it was, and then it is read back: the ledger has not moved
            raise unavailable(self.path, error, self._busy_ms) from None
        self._ledger.seq, self._hash = seq, row_hash
        return seq

    def _end(self, *, failed: bool) -> None:
        if failed:
            self._version = -1
            self._trusted = self._trusted and not self._wrote
        db = self._db
        if db is not None and db.in_transaction:
            self._roll_back(db)
        elif self._ledger.seq - self._checkpointed >= CHECKPOINT_EVERY and not failed:
            self._checkpoint_now()

    def _roll_back(self, db: sqlite3.Connection) -> None:
        try:
            db.execute("ROLLBACK")
        except sqlite3.Error:
            self._disconnect()

    def _taken(self, intent: Intent) -> str | None:
        found = self._asked(
            "SELECT intent FROM own_ids WHERE account=? AND client_order_id=?", intent.account, intent.client_order_id
        )
        return found[0][0] if found else None

    def _take(self, intent: Intent) -> None:
        self._asked("INSERT INTO own_ids VALUES (?,?,?)", intent.account, intent.client_order_id, intent.id)

    def _asked(self, statement: str, *values: Any) -> list[Any]:
        try:
            return self._patient(self._ready(), statement, values).fetchall()
        except sqlite3.Error as error:
            raise unavailable(self.path, error, self._busy_ms) from None

    # ---- what is not journaled

    def beat(self, guard: GuardInfo) -> None:
        with self._lock:
            self._asked(
                "INSERT OR REPLACE INTO guards VALUES (?,?,?,?,?,?)",
                guard.bot,
                guard.host,
                guard.pid,
                guard.account,  # one bot name may stand for several accounts of one process
                guard.beat_ms,
                json.dumps(guard),
            )
            self._asked("DELETE FROM guards WHERE beat_ms < ?", guard.beat_ms - GUARD_SILENT_MS)

    def guards(self) -> list[GuardInfo]:
        with self._lock:
            found = self._asked("SELECT info FROM guards ORDER BY bot, host, pid, account")
        return [GuardInfo(*json.loads(row[0])) for row in found]

    def lease(self, name: str, holder: str, ttl_ms: int, now_ms: int) -> bool:
        with self._lock:
            taken = self._asked(
                "INSERT INTO leases VALUES (?1,?2,?3) ON CONFLICT (name) DO UPDATE SET holder=?2, until_ms=?3 "
                "WHERE holder=?2 OR until_ms<=?4 RETURNING holder",
                name,
                holder,
                now_ms + ttl_ms,
                now_ms,
            )
        return bool(taken)

    # ---- reading back

    def rows(self, after: int = 0, limit: int = 1000) -> Iterator[Row]:
        done = 0
        while done < limit:
            with self._lock:
                page = self._asked(_FROM + " LIMIT ?", after + 1, min(_PAGE, limit - done))
            for seq, at_ms, kind, text, row_hash in page:
                try:
                    body = json.loads(text)
                except _UNREADABLE:
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
        return verify_file(self.path)

    # ---- checkpoints

    def checkpoint(self) -> None:
        with self._step as ledger:
            self._keep(ledger)

    def _checkpoint_now(self) -> None:
        """Keep a checkpoint if nobody has, and if it can be done: a file that cannot be written can still be read."""
        try:
            saved = self._asked("SELECT max(seq) FROM checkpoint")[0][0] or 0
            if self._ledger.seq - saved < CHECKPOINT_ROWS:
                self._checkpointed = saved
            else:
                self._keep(self._begin())
        except StoreUnavailable:
            self._checkpointed = self._ledger.seq  # the next try is due when as many rows have come again
            if self._db is not None and self._db.in_transaction:
                self._roll_back(self._db)

    def _keep(self, ledger: Ledger) -> None:
        state = json.dumps(ledger.dump(), separators=(",", ":"))
        state_hash = link(self._hash, ledger.seq, 0, "checkpoint", state)
        self._asked("INSERT OR REPLACE INTO checkpoint VALUES (1, ?, ?, ?)", ledger.seq, state, state_hash)
        self._asked("COMMIT")
        self._checkpointed = ledger.seq

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._disconnect()
