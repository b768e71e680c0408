"""The rows of a journal as a past: from its start, or from the state that pruning kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from policykit.errors import StoreUnavailable
from policykit.proofs.replay.past import Event, Past
from policykit.store.checkpoint import FORM
from policykit.store.failures import UNREADABLE
from policykit.store.ledger import Ledger
from policykit.store.pruned import in_force
from policykit.store.reader import JournalDamaged, JournalReader

#: Kinds of rows that a replay looks at, beside those that change the state.
_READ: Final = frozenset(("decision", "policy"))


def past(journal: JournalReader) -> Past:
    """Return what a journal recorded. Raise StoreUnavailable for one that does not hold what its decisions stood on."""
    if journal.elsewhere():
        raise StoreUnavailable(
            f"{journal.path}: is the journal of one host, whose counters and facts are on a server; what its decisions "
            "were made on is not in it; the journal of a sqlite store may be",
            "STORE_SHARE",
        )
    newest, base = journal.newest(), journal.base()
    ledger, begun_ms = Ledger(), None
    policies: tuple[Event, ...] = ()
    if base.row:
        carried = journal.carried()
        try:
            raws = ((row.seq, row.at_ms, row.kind, json.dumps(row.body), row.hash) for row in carried)
            ledger = base.ledger(FORM) or in_force(base, raws)
        except UNREADABLE:
            raise JournalDamaged(journal.path, base.seq, "what was kept of pruned rows cannot be read") from None
        policies = tuple((row.seq, row.at_ms, row.kind, row.body) for row in carried if row.kind == "policy")
        begun_ms = next((raw[1] for raw in journal.raw(base.seq, 1)), None)
    ledger.seq = base.seq
    of = 0 if newest is None else newest.seq - base.seq
    return Past(journal.path, lambda: _events(journal, base.seq), of, ledger, policies, begun_ms)


def _events(journal: JournalReader, after: int) -> Iterator[Event]:
    for seq, at_ms, kind, text, _ in journal.raw(after):
        if kind in _READ or Ledger.changes(kind):
            try:
                yield seq, at_ms, kind, json.loads(text)
            except UNREADABLE:
                raise JournalDamaged(journal.path, seq - 1, f"row {seq} cannot be read") from None
    if (cut := journal.cut()) is not None:
        raise cut
