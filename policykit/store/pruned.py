"""What a journal keeps of the rows that were pruned: where the chain goes on from, and the state that they made."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final, NamedTuple

from policykit.store.chain import GENESIS, link
from policykit.store.failures import UNREADABLE
from policykit.store.ledger import Ledger

Raw = tuple[int, int, str, str, str]


class Base(NamedTuple):
    """Where a journal begins: behind row `seq`, whose hash the next follows. `row` is the row that tells of it."""

    seq: int
    hash: str
    row: int
    form: str
    state: str
    state_hash: str

    def ledger(self, form: str) -> Ledger | None:
        """Return the state as of `seq`; None for one of another form. Raise one of UNREADABLE where it is damaged."""
        if self.state_hash != sealed(self.seq, self.hash, self.state):
            raise ValueError(self.seq)
        return Ledger.load(json.loads(self.state)) if self.form == form else None


KEEP: Final = "INSERT OR REPLACE INTO base VALUES (1,?,?,?,?,?,?)"
CARRIED: Final = "SELECT seq, at_ms, kind, body, hash FROM carried ORDER BY seq"

#: A journal of which nothing was pruned.
WHOLE: Final = Base(0, GENESIS, 0, "", "", "")


def base_of(db: sqlite3.Connection) -> Base:
    """Return where the journal begins. Of an earlier layout nothing was pruned."""
    try:
        found = db.execute("SELECT seq, hash, row, form, state, state_hash FROM base").fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        found = None
    return WHOLE if found is None else Base(*found)


def sealed(seq: int, row_hash: str, state: str) -> str:
    """Return the hash that a kept state carries."""
    return link(row_hash, seq, 0, "base", state)


def kept(seq: int, row_hash: str, row: int, form: str, state: dict[str, Any] | None) -> Base:
    """Return what is kept of the rows up to `seq`, as the row `row` will tell; no state: it is on a server."""
    text = json.dumps(state, separators=(",", ":"))
    return Base(seq, row_hash, row, form if state else "", text, sealed(seq, row_hash, text))


def told(base: Base, carried: Iterable[Raw], **said: Any) -> dict[str, Any]:
    """Return the data of the row that tells of a pruning."""
    return {"through": base.seq, "hash": base.hash, "state": base.state_hash, "carried": digest(carried), **said}


def in_force(base: Base, carried: Iterable[Raw]) -> Ledger:
    """Return what carried rows alone make, where the state is of another form: halts, bans, and orders that are open.

    It is less than was counted, so increases wait for a person; but a freeze goes on, and an unknown order stays known.
    """
    ledger = Ledger()
    for seq, at_ms, kind, text, _ in carried:
        with suppress(*UNREADABLE):  # in words of another version, too
            ledger.apply(kind, json.loads(text), at_ms, seq)
    ledger.seq = base.seq
    return ledger


def digest(rows: Iterable[Raw]) -> str:
    """Return one hash over rows that were carried on."""
    total = hashlib.sha256()
    for row in rows:
        total.update(f"{row[4]}\n{link('', *row[:4])}\n".encode())
    return total.hexdigest()


def flaw(db: sqlite3.Connection) -> str | None:
    """Tell whether what was kept is what the row of the pruning says; None: it is, or nothing was pruned."""
    base = base_of(db)
    if base.row == 0:
        return None
    found = db.execute("SELECT body FROM journal WHERE seq = ?", (base.row,)).fetchone()
    try:
        said: dict[str, Any] = json.loads(found[0]) if found is not None else {}
    except UNREADABLE:
        said = {}
    now = told(base, db.execute(CARRIED))
    if now == {name: said.get(name) for name in now} and base.state_hash == sealed(base.seq, base.hash, base.state):
        return None
    return f"what was kept of the rows up to {base.seq} is not what row {base.row} says: it was changed"
