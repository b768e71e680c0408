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
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from policykit.engine.facts import Facts
from policykit.errors import StoreUnavailable
from policykit.orders.intent import Intent
from policykit.store import forks
from policykit.store.backed import Body, LedgerStore
from policykit.store.base import GUARD_SILENT_MS, Claim, GuardInfo
from policykit.store.chain import link, text_of
from policykit.store.checkpoint import FORM, saved, sealed, written
from policykit.store.durability import ephemeral
from policykit.store.failures import BUSY_MS, UNREADABLE, damaged, unavailable
from policykit.store.groups import MAX_ROWS, Group
from policykit.store.journal import FROM, INSERT, Connect, JournalFile, connect
from policykit.store.layout import copied
from policykit.store.ledger import Ledger
from policykit.store.pruned import CARRIED, KEEP, base_of, in_force, kept, told
from policykit.store.verify import verify_file

__all__ = ["BUSY_MS", "SqliteStore", "connect", "verify_file"]

#: Rows replayed at opening before a fresh checkpoint is worth its write.
CHECKPOINT_ROWS: Final = 1_000
#: Rows after which whoever writes the next keeps a checkpoint, ms of work: opening never replays more.
CHECKPOINT_EVERY: Final = 20_000
_RESUMED: Final = (
    "SELECT body FROM journal WHERE seq > ?1 AND kind = 'resume' "
    "UNION ALL SELECT body FROM carried WHERE seq > ?1 AND kind = 'resume'"
)


class SqliteStore(JournalFile, LedgerStore):
    """A store in a file. Raise StoreUnavailable for whatever keeps it from being read, written or trusted.

    `make` connects to the file (tests connect through disks that fail). Thread-safe; goes on in a forked child.
    """

    backend = "sqlite"

    def __init__(self, path: str | Path, *, busy_ms: int = BUSY_MS, make: Connect = connect) -> None:
        LedgerStore.__init__(self)
        JournalFile.__init__(self, path, busy_ms=busy_ms, make=make)
        self.problem = ephemeral(os.path.realpath(self.path))
        #: False: ledger and file may disagree; it is read anew before it is used again.
        self._trusted = False
        #: This step has written a row, and no failure of it was reported.
        self._wrote = False
        #: A step is under way.
        self._stepping = False
        #: Rows of earlier steps that wait in the open transaction to be synced.
        self._group: Group | None = None
        self._checkpointed = 0
        self._reset: tuple[str, str] | None = None
        with self._lock:
            self._current()
            if self._ledger.seq - self._checkpointed >= CHECKPOINT_ROWS:
                self._checkpoint_now()
        forks.watch(self)

    # ---- the ledger

    def _replay_all(self, db: sqlite3.Connection) -> None:
        if db.in_transaction:
            self._replay(db)
            return
        db.execute("BEGIN")  # base, checkpoint and rows as of one moment: another process may be pruning
        try:
            self._replay(db)
        finally:
            self._roll_back(db)

    def _replay(self, db: sqlite3.Connection) -> None:
        base = base_of(db)
        self._ledger, self._hash = Ledger(), base.hash
        if base.row:
            try:
                self._ledger = base.ledger(FORM) or in_force(base, db.execute(CARRIED))
            except UNREADABLE:
                raise damaged(self.path) from None
            self._ledger.seq = base.seq
        held = saved(db)
        if held is not None and held.state["seq"] >= base.seq:
            with suppress(*UNREADABLE):  # of another version: the journal has it all
                self._ledger, self._hash = Ledger.load(held.state), held.row_hash
        self._checkpointed = self._ledger.seq
        self._version = -1
        self._reset = self._why_reset(db)
        self._catch_up(db)
        self._trusted = True

    def _why_reset(self, db: sqlite3.Connection) -> tuple[str, str] | None:
        """Say why increases wait for a person: what was counted before the first row is not known here."""
        base = base_of(db)
        if base.row and base.form != FORM:
            what = f"{self.path}: what was counted up to row {base.seq}, where it was pruned, another version wrote"
            return "STORE_RESET", f"{what}; reconcile, then `policykit resume --scope all`"
        return self._copied(db)

    def _copied(self, db: sqlite3.Connection) -> tuple[str, str] | None:
        """Say why increases wait for a person if the file is a backup that took its original's place."""
        seq = copied(db, self.path)
        if seq is None or any(json.loads(body).get("scope") == "all" for (body,) in db.execute(_RESUMED, (seq,))):
            return None
        what = f"{self.path}: is a backup as of row {seq}, and knows of nothing later"
        return "STORE_RESET", f"{what}; reconcile, then `policykit resume --scope all`"

    def _catch_up(self, db: sqlite3.Connection) -> None:
        version = self._patient(db, "PRAGMA data_version").fetchone()[0]
        if version == self._version:
            return
        ledger = self._ledger
        rows = db.execute(FROM, (ledger.seq,))
        if ledger.seq:
            newest = rows.fetchone()
            if newest is None or newest[4] != self._hash:
                base = base_of(db)
                if base.seq > ledger.seq:  # what is known here was pruned meanwhile: the state as of then was kept
                    self._replay_all(db)
                    return
                if (base.seq, base.hash) != (ledger.seq, self._hash):
                    raise StoreUnavailable(
                        f"{self.path}: no longer holds the rows that it did; restore it or start anew", "STORE_RESET"
                    )
                rows = db.execute(FROM, (ledger.seq + 1,))
        for seq, at_ms, kind, text, row_hash in rows:
            due = ledger.seq + 1
            try:
                if seq != due or link(self._hash, seq, at_ms, kind, text) != row_hash:
                    raise ValueError
                ledger.apply(kind, json.loads(text), at_ms, seq)
            except UNREADABLE:
                self._trusted = False
                raise StoreUnavailable(
                    f"{self.path}: row {due} of the journal is missing or was changed; "
                    "keep a copy, then run `policykit journal verify`",
                    "STORE_DAMAGED",
                ) from None
            self._hash = row_hash
        if self._reset is not None:
            self._reset = self._why_reset(db)
        self._version = version

    # ---- the steps of LedgerStore

    def _begin(self) -> Ledger:
        try:
            db = self._ready()
            self._wrote, self._stepping = False, True
            try:
                if not db.in_transaction:  # nor is there one where SQLite ended that of a group by itself
                    self._lost()
                    self._patient(db, "BEGIN IMMEDIATE")
                self._read(db)
            except BaseException:
                self._stepping = False
                self._lost()
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
            db.execute(INSERT, (seq, at_ms, kind, text, row_hash))
            self._wrote = True
            if not self._joined():
                self._commit(db)
        except sqlite3.Error as error:
            self._wrote = False  # or it was, and then it is read back: the ledger has not moved
            raise unavailable(self.path, error, self._busy_ms) from None
        self._ledger.seq, self._hash = seq, row_hash
        return seq

    def _joined(self) -> bool:
        """Leave the row that was written to the next who waits, if one does, to be synced with his."""
        if not self._waiters:
            return False
        self._group = self._group or Group(self._sync)
        self._group.rows += 1
        return self._group.rows < MAX_ROWS

    # INVARIANT I4: nothing is acknowledged before this returned: neither this step's row nor those that waited for it.
    def _commit(self, db: sqlite3.Connection) -> None:
        started = time.perf_counter()
        db.execute("COMMIT")
        self._took.append(time.perf_counter() - started)
        if self._group is not None:
            self._group.end()
            self._group = None

    def _roll_back(self, db: sqlite3.Connection) -> None:
        self._lost()
        super()._roll_back(db)

    def _lost(self) -> None:
        """Say to all whose rows waited that none was written; the ledger, which had moved, is read anew."""
        if self._group is not None:
            self._group.end(StoreUnavailable(f"{self.path}: a row could not be written, nor those that waited for it"))
            self._group, self._trusted, self._version = None, False, -1

    def _settle(self) -> None:
        db = self._db
        if self._group is None or self._stepping or db is None:
            return
        try:
            self._commit(db)
        except sqlite3.Error:
            self._roll_back(db)

    def _sync(self) -> None:
        with self._lock:
            self._settle()

    def _disconnect(self) -> None:
        self._settle()
        super()._disconnect()
        self._lost()

    def _forked(self) -> None:
        self._waiters.clear()

    def _end(self, *, failed: bool) -> Group | None:
        self._stepping = False
        if failed:
            self._version = -1
            self._trusted = self._trusted and not self._wrote
            self._lost()
        db, group = self._db, self._group
        if group is not None:
            if not self._waiters:
                self._settle()
            return group if self._wrote else None
        if db is not None and db.in_transaction:
            self._roll_back(db)
        elif self._ledger.seq - self._checkpointed >= CHECKPOINT_EVERY and not failed:
            self._checkpoint_now()
        return None

    def _taken(self, intent: Intent) -> str | None:
        found = self._asked(
            "SELECT intent FROM own_ids WHERE account=? AND client_order_id=?", intent.account, intent.client_order_id
        )
        return found[0][0] if found else None

    def _take(self, intent: Intent) -> None:
        self._asked("INSERT INTO own_ids VALUES (?,?,?)", intent.account, intent.client_order_id, intent.id)

    def facts(self, account: str, bot: str, symbol: str = "") -> Facts:
        facts = super().facts(account, bot, symbol)
        return facts if self._reset is None else replace(facts, store_problem=self._reset)

    def resume(self, scope: str, by: str, why: str, now_ms: int, *, claim: Claim | None = None) -> int:
        lifted, before = super().resume(scope, by, why, now_ms, claim=claim), self._reset
        if before is None:
            return lifted
        if scope == "all":
            self._keep_base(by, why, now_ms)
        with self._lock:
            self._reset = self._why_reset(self._ready())
        return lifted + (self._reset is None)

    def _keep_base(self, by: str, why: str, now_ms: int) -> None:
        """Take what is known here for the state as of where the journal was pruned, on the word of a person."""
        with self._step as now:
            base = base_of(self._ready())
            if base.row and base.form != FORM:
                ledger = in_force(base, self._asked(CARRIED))
                new = kept(base.seq, base.hash, now.seq + 1, FORM, ledger.dump())
                self._asked(KEEP, *new)
                body = told(new, self._asked(CARRIED), by=by, why=why, archive=None, rows=0)
                self._write("prune", now_ms, dict, body)

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
        return [GuardInfo(*json.loads(row[0])[: len(GuardInfo._fields)]) for row in found]  # a later version says more

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
        finally:
            self._stepping = False

    def _keep(self, ledger: Ledger) -> None:
        state = written(ledger)
        state_hash = sealed(self._hash, ledger.seq, state)
        self._asked("INSERT OR REPLACE INTO checkpoint VALUES (1, ?, ?, ?)", ledger.seq, state, state_hash)
        try:
            self._commit(self._ready())
        except sqlite3.Error as error:
            raise unavailable(self.path, error, self._busy_ms) from None
        self._checkpointed = ledger.seq
