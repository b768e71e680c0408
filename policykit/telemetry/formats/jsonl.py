"""One JSON object a row, as it stands in the journal (schemas/journal.schema.json), secrets redacted."""

from __future__ import annotations

from policykit.clock import iso
from policykit.redact import scrub
from policykit.store.chain import text_of
from policykit.telemetry.formats import Entry


def line(entry: Entry) -> str:
    """Return the row with its number, time, kind, data and hash; the hash is over the data as it was written."""
    row = entry.row
    at = iso(row.at_ms)
    return scrub(text_of({"seq": row.seq, "at": at, "kind": row.kind, "body": row.body, "hash": row.hash}))
