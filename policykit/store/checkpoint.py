"""The state that a SQLite store keeps beside its journal so that opening it replays little, and the proof of it.

Its seal is a hash without a secret: it shows damage, and not who wrote it. What it says is proved by counting the rows
up to it anew.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from policykit.store.chain import link
from policykit.store.failures import UNREADABLE
from policykit.store.ledger import Ledger
from policykit.store.pruned import Raw, in_force

if TYPE_CHECKING:
    from policykit.store.reader import JournalReader

_SAVED: Final = "SELECT c.seq, CAST(c.state AS BLOB), c.hash, j.hash FROM checkpoint c JOIN journal j USING (seq)"
#: Differences that are told; of more, how many there are.
_TOLD: Final = 3
#: Characters that are told of a value.
_LONG: Final = 80


def form() -> str:
    """Return what a checkpoint of this version tells, by name: one of another version may have counted less."""
    ledger = Ledger()
    position = ledger.account("").position("").dump()
    state = ledger.dump()
    return " ".join((*sorted(state), *sorted(state["accounts"][""]), str(len(position))))


FORM: Final = form()


class Saved(NamedTuple):
    """A checkpoint: the state as of row `seq`, whose hash is `row_hash`."""

    seq: int
    row_hash: str
    state: dict[str, Any]


def saved(db: sqlite3.Connection) -> Saved | None:
    """Return the checkpoint that a store of this version would take; None: the journal has it all."""
    for seq, raw, state_hash, row_hash in db.execute(_SAVED):
        try:
            text = raw.decode()
            state = json.loads(text)
            if sealed(row_hash, seq, text) == state_hash and state.pop("form") == FORM:
                return Saved(seq, row_hash, state)
        except UNREADABLE:
            pass  # of another version, or damaged
    return None


def written(ledger: Ledger) -> str:
    """Return a state as it is kept."""
    return json.dumps({"form": FORM, **ledger.dump()}, separators=(",", ":"))


def sealed(row_hash: str, seq: int, text: str) -> str:
    """Return the hash that a checkpoint carries."""
    return link(row_hash, seq, 0, "checkpoint", text)


class Recount:
    """Counts rows anew while they are read, up to the checkpoint that was there at first, and holds it against them.

    Its memory is that of the state, however many rows there are. Without a checkpoint it does nothing.
    """

    def __init__(self, journal: JournalReader) -> None:
        self._journal = journal
        self._saved = journal.saved()
        self._ledger: Ledger | None = None
        self._flaw: str | None = None

    def take(self, raw: Raw) -> None:
        """Take the next row in."""
        seq, at_ms, kind, text, _ = raw
        if self._saved is None or seq > self._saved.seq:
            return
        try:
            if self._ledger is None or seq != self._ledger.seq + 1:  # the first, or others were pruned meanwhile
                self._ledger = self._begun()
            self._ledger.apply(kind, json.loads(text), at_ms, seq)
        except UNREADABLE:
            self._flaw = f"row {seq} cannot be counted, so what is kept as of row {self._saved.seq} is not proved"
            self._saved = None
            return
        if seq == self._saved.seq:
            found = tuple(_differences("", self._saved.state, json.loads(json.dumps(self._ledger.dump()))))
            self._flaw = _words(seq, found) if found else None
            self._saved = self._ledger = None

    def flaw(self) -> str | None:
        """Tell where the checkpoint is not what the rows make; None: it is, or there is none that a store would use."""
        return self._flaw

    def _begun(self) -> Ledger:
        base = self._journal.base()
        ledger = Ledger()
        if base.row:
            carried = self._journal.carried()
            raws = ((row.seq, row.at_ms, row.kind, json.dumps(row.body), row.hash) for row in carried)
            ledger = base.ledger(FORM) or in_force(base, raws)
        ledger.seq = base.seq
        return ledger


def _differences(where: str, kept: Any, made: Any) -> Iterator[str]:
    """Yield where two states differ, down to what is no table."""
    if kept == made:
        return
    if isinstance(kept, dict) and isinstance(made, dict):
        for name in sorted(kept.keys() | made.keys()):
            yield from _differences(f"{where}.{name}" if where else name, kept.get(name), made.get(name))
        return
    yield f"{where} is kept as {_short(kept)}, the rows make {_short(made)}"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= _LONG else f"{text[:_LONG]}..."


def _words(seq: int, found: tuple[str, ...]) -> str:
    more = f"; and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
    return (
        f"the state that is kept as of row {seq} is not what the rows up to it make: {'; '.join(found[:_TOLD])}{more}"
    )
