"""Taking old rows out of a journal that is in use: into an archive, itself a journal, or for good.

The chain stays provable: the journal keeps number and hash of the last row that went, the state that the rows made, and
those of them that are still of use; a row of the journal says so, and names the archive. Up to one short transaction
nothing happened, and from it on everything did; the rows go after it, a few at a time, so bots wait for none of it.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

from policykit.errors import StoreUnavailable
from policykit.store.base import Claim
from policykit.store.chain import link, text_of
from policykit.store.checkpoint import FORM
from policykit.store.codec import claimed
from policykit.store.failures import UNREADABLE, damaged, unavailable
from policykit.store.journal import INSERT, Journal, connect
from policykit.store.layout import lay_out, mark_copied
from policykit.store.ledger import Ledger
from policykit.store.pruned import KEEP, Base, Raw, base_of, kept, told
from policykit.store.reader import JournalReader
from policykit.store.verify import verify_file

#: Rows that are deleted in one transaction: bots wait for none longer.
SWEEP: Final = 2_000
#: Rows that are carried on because they are the newest of their kind and subject; beyond it the oldest go.
MAX_CARRIED: Final = 10_000
#: How the pruning row is called.
KIND: Final = "prune"
#: Rows that come with every order or fact: none of them says anything that newer ones do not.
_FLOW: Final = frozenset(("decision", "outcome", "renew", "use", "lookup", "observe"))
_SUBJECT: Final = ("account", "scope", "name", "exchange", "host", "bot", "key")
_INSERT_CARRIED: Final = "INSERT INTO carried VALUES (?,?,?,?,?)"

Say = Callable[[int, int], None]


class Pruned(NamedTuple):
    """What was pruned: rows `first` to `last`, whose hash is `hash`; `archive` is None where they are gone."""

    first: int
    last: int
    hash: str
    archive: str | None


class Plan(NamedTuple):
    """What is to be kept of the rows up to `last`."""

    before: Base
    last: int
    hash: str
    state: dict[str, Any] | None
    carried: tuple[Raw, ...]


class Kept:
    """Choose the rows to carry on while they are read: of open orders, and the newest of each kind and subject."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self._newest: dict[tuple[str, ...], Raw] = {}
        self._orders: dict[str, list[Raw]] = {}

    def take(self, raw: Raw, body: dict[str, Any]) -> None:
        """Take a row in."""
        seq, _, kind, _, _ = raw
        intent = body.get("intent")
        if kind == "decision" and isinstance(intent, dict):
            self._orders[str(intent["id"])] = [raw]
        elif str(intent) in self._orders:
            self._orders[str(intent)].append(raw)
            if str(intent) not in self.ledger.open:
                del self._orders[str(intent)]
        elif kind not in _FLOW:
            # Of prunings all: they name the archives.
            key = (kind, *(str(body.get(name)) for name in _SUBJECT), str(seq) if kind == KIND else "")
            self._newest.pop(key, None)
            self._newest[key] = raw
            if len(self._newest) > MAX_CARRIED:
                del self._newest[next(iter(self._newest))]

    def rows(self) -> tuple[Raw, ...]:
        """Return what is to be carried on, in order."""
        orders = (rows for ident, rows in self._orders.items() if ident in self.ledger.open)
        return tuple(sorted({raw for rows in (self._newest.values(), *orders) for raw in rows}))


def plan(reader: JournalReader, last: int, *, counters: bool, archive: Callable[[Raw], object], say: Say) -> Plan:
    """Replay the rows up to `last` and give each to `archive`.

    `counters`: the state of the store is in the file. Raise StoreUnavailable for a journal that is damaged, or whose
    state as of its beginning this version cannot read.
    """
    base = reader.base()
    chosen = Kept()
    if base.row and counters:
        ledger = base.ledger(FORM)
        if ledger is None:
            raise StoreUnavailable(
                f"{reader.path}: the state as of row {base.seq} was kept by another version; "
                "reconcile, then `policykit resume --scope all`, then prune",
                "STORE_RESET",
            )
        chosen.ledger = ledger
    for row in reader.carried():
        chosen.take((row.seq, row.at_ms, row.kind, text_of(row.body), row.hash), row.body)
    row_hash = base.hash
    for raw in reader.raw(base.seq, last - base.seq):
        archive(raw)
        body = json.loads(raw[3])
        try:
            chosen.ledger.apply(raw[2], body, raw[1], raw[0])
        except UNREADABLE:  # of a host's journal that is normal: the row's intent is another host's
            if counters:
                raise damaged(reader.path) from None
        chosen.take(raw, body)
        row_hash = raw[4]
        say(raw[0], last)
    return Plan(base, last, row_hash, chosen.ledger.dump() if counters else None, chosen.rows())


def cut(reader: JournalReader, before_ms: int) -> int:
    """Return the last row before the first that is not older than a moment."""
    newest = reader.newest()
    found = reader.first_at(before_ms)
    return found - 1 if found is not None else newest.seq if newest is not None else 0


def prune(
    path: str,
    before_ms: int,
    *,
    by: str,
    now_ms: int,
    claim: Claim | None = None,
    folder: Path | None,
    counters: bool = True,
    say: Say = lambda done, of: None,
) -> Pruned | None:
    """Prune the journal at `path`; None when no row is older. `folder` takes the archive; None: the rows are lost.

    Raise StoreUnavailable where the journal cannot be read or trusted, OSError where the archive cannot be written;
    nothing is pruned then.
    """
    with closing(JournalReader(path)) as reader:
        first, last = reader.base().seq + 1, cut(reader, before_ms)
        if last < first:
            return None
        if folder is None:
            made, archive = plan(reader, last, counters=counters, archive=_nowhere, say=say), None
        else:
            made, archive = archived(reader, last, folder, counters=counters, say=say)
    with closing(Cutter(path, threading.Lock())) as cutter:
        cutter.commit(made, now_ms=now_ms, by=by, archive=archive, **claimed(claim))
        began = time.monotonic()
        for _ in cutter.sweep():
            time.sleep(time.monotonic() - began)  # half of the time is the bots'
            began = time.monotonic()
    return Pruned(first, made.last, made.hash, archive)


def archived(reader: JournalReader, last: int, folder: Path, *, counters: bool, say: Say) -> tuple[Plan, str]:
    """Write the rows up to `last` to a new journal in a folder, proved before it gets its name."""
    base = reader.base()
    final = folder / f"{Path(reader.path).stem}-{reader.epoch}-{base.seq + 1}-{last}.db"
    part = final.with_name(f"{final.name}.{os.getpid()}.part")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with closing(connect(str(part), 0)) as db:
            lay_out(db, str(part), reader.epoch)
            db.execute("PRAGMA journal_mode=DELETE")  # one file, that can be carried away
            db.execute("BEGIN")
            if base.row:
                db.execute(KEEP, base._replace(row=0))
            made = plan(reader, last, counters=counters, archive=lambda raw: _into(db, raw), say=say)
            db.execute("COMMIT")
            mark_copied(db)
        rows, problem = verify_file(str(part))
        if problem is not None or rows != last:
            raise StoreUnavailable(f"{final}: the archive is not what was written ({problem}); nothing was pruned")
        part.replace(final)
        _sync(folder)
    finally:
        part.unlink(missing_ok=True)
    return made, str(final)


def _nowhere(raw: Raw) -> None:
    """Take a row that goes for good."""


def _into(db: sqlite3.Connection, raw: Raw) -> None:
    db.execute(INSERT, raw)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Cutter(Journal):
    """The journal at the moment when its old rows go; other processes write before and after, never between."""

    def commit(self, made: Plan, *, now_ms: int, **said: Any) -> int:
        """Keep what is to be kept, and say so in a row: from here on the journal begins behind the rows that went.

        `said` is who did it (`by`, `claim`) and the `archive`.
        """
        db = self._ready()
        try:
            self._patient(db, "BEGIN IMMEDIATE")
            self._newest(db)
            if base_of(db) != made.before or self._hash_at(db, made.last) != made.hash:
                raise StoreUnavailable(f"{self.path}: was pruned by another process meanwhile; look, and try again")
            seq = self.seq + 1
            base = kept(made.last, made.hash, seq, FORM, made.state)
            rows = made.last - made.before.seq
            body = told(base, made.carried, first=made.before.seq + 1, rows=rows, **said)
            text = text_of(body)
            row_hash = link(self._hash, seq, now_ms, KIND, text)
            db.execute("DELETE FROM carried")
            db.executemany(_INSERT_CARRIED, made.carried)
            db.execute(KEEP, base)
            db.execute(INSERT, (seq, now_ms, KIND, text, row_hash))
            # INVARIANT I4: all of it or nothing; before this the journal is as it was.
            db.execute("COMMIT")
        except BaseException as error:
            self._version = -1
            if db.in_transaction:
                self._roll_back(db)
            if isinstance(error, sqlite3.Error):
                raise unavailable(self.path, error, self._busy_ms) from None
            raise
        self.seq, self._hash = seq, row_hash
        return seq

    @staticmethod
    def _hash_at(db: sqlite3.Connection, seq: int) -> str:
        found = db.execute("SELECT hash FROM journal WHERE seq = ?", (seq,)).fetchone()
        return "" if found is None else str(found[0])

    def sweep(self) -> Iterator[int]:
        """Delete the rows that were pruned, also those that a process left which ended before; yield the last gone."""
        (first, base), *_ = self._asked("SELECT (SELECT min(seq) FROM journal), coalesce(max(seq), 0) FROM base")
        for last in range(first + SWEEP - 1, base + SWEEP, SWEEP) if first is not None and first <= base else ():
            self._asked("DELETE FROM journal WHERE seq <= ?", min(last, base))
            yield min(last, base)
