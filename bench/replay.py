"""Deciding a journal again under another policy, beside reading its rows."""

from __future__ import annotations

import json
import tempfile
from contextlib import closing
from pathlib import Path

from bench._harness import Row, interleave, row
from bench._history import NEW, OLD, made
from policykit.policy import load
from policykit.proofs.replay import replay
from policykit.store.reader import JournalReader

ROWS = 20_000


def rows() -> list[Row]:
    """Measure one process on a journal of ROWS rows, a third of them decisions."""
    with tempfile.TemporaryDirectory() as folder:
        journal, old, new = (Path(folder) / name for name in ("store.db", "old.yaml", "new.yaml"))
        made(journal, ROWS)
        old.write_text(OLD, encoding="utf-8")
        new.write_text(NEW, encoding="utf-8")
        pair = load(old, now_ms=0), load(new, now_ms=0)

        def read() -> None:
            with closing(JournalReader(journal)) as reader:
                for raw in reader.raw():
                    json.loads(raw[3])

        figures = interleave({"reading": read, "replay": lambda: replay([pair], str(journal))}, rounds=5)
    note = f"of {ROWS:,} rows, a third of them decisions, by one process; over 100,000 two share them"
    return [row("replay of a journal under another policy", figures, "replay", "reading", 16, note=note)]
