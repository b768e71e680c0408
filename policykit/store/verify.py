"""Whether a journal is what was written: every row there, none changed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from policykit.store.chain import GENESIS, link


def verify_file(path: str) -> tuple[int, str | None]:
    """Check a journal's chain without opening it as a store; return (good rows, None or what is wrong and where)."""
    before, good = GENESIS, 0
    try:
        with closing(sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True)) as db:
            for seq, at_ms, kind, text, row_hash in db.execute(
                "SELECT seq, at_ms, kind, body, hash FROM journal ORDER BY seq"
            ):
                if seq != good + 1:
                    return good, f"row {good + 1} is missing: the next is {seq}"
                if link(before, seq, at_ms, kind, text) != row_hash:
                    return good, f"row {seq} does not carry the hash of its content and the row before: it was changed"
                before, good = row_hash, seq
            saved = db.execute("SELECT max(seq) FROM checkpoint").fetchone()[0] or 0
            whole = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    except (sqlite3.Error, UnicodeDecodeError) as error:
        why = str(error).partition(" with text ")[0]  # no content of a row
        return good, f"the file cannot be read on after row {good}: {why}"
    if saved > good:
        return good, f"row {good + 1} is missing, and all after it: there were at least {saved}"
    if whole != "ok":
        return good, f"the file is damaged after row {good}: {whole}"
    return good, None
