"""An anchor: the newest row of a journal, written down elsewhere, for the chain does not show that its end is missing.

A file of JSON, kept where whoever could change the journal cannot: another host, a disk that is written once, a mail.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from policykit.store.failures import UNREADABLE
from policykit.store.reader import JournalReader

VERSION: Final = 1


class Anchor(NamedTuple):
    """What is known of a journal elsewhere: its store's epoch, a row, its hash, when it was the newest."""

    epoch: str
    seq: int
    hash: str
    at: str
    #: What a timestamp authority signed of `message`: its address, and its answer in base64 (RFC 3161).
    timestamp: dict[str, str] | None = None

    def message(self) -> bytes:
        """Return what is signed."""
        return f"policykit journal {self.epoch} row {self.seq} hash {self.hash}".encode()


def read(path: Path) -> Anchor | None:
    """Read an anchor; None where there is no file. Raise ValueError for a file that is none."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["version"] != VERSION:
            raise ValueError
        stamp = data.get("timestamp")
        known = None if stamp is None else {"url": str(stamp["url"]), "response": str(stamp["response"])}
        return Anchor(str(data["epoch"]), int(data["seq"]), str(data["hash"]), str(data["at"]), known)
    except FileNotFoundError:
        return None
    except UNREADABLE:
        raise ValueError(f"{path}: is no anchor; one that `policykit journal verify --anchor` wrote may be") from None


def write(path: Path, anchor: Anchor) -> None:
    """Write an anchor, whole or not at all."""
    data: dict[str, Any] = {"version": VERSION, **anchor._asdict()}
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        beside.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def check(anchor: Anchor, journals: Sequence[JournalReader]) -> str | None:
    """Hold an anchor against journals that join, oldest first; return what is wrong, None: its row is there."""
    newest, live = journals[-1].newest(), journals[-1]
    if live.epoch != anchor.epoch:
        return f"the anchor is of another store (epoch {anchor.epoch}, here {live.epoch})"
    last = live.base().seq if newest is None else newest.seq
    if last < anchor.seq:
        return f"rows {last + 1} to {anchor.seq} are missing: row {anchor.seq} was the newest at {anchor.at}"
    found = next((row_hash for journal in journals for row_hash in _hash(journal, anchor.seq)), None)
    if found is None:
        return f"row {anchor.seq}, which the anchor knows, was pruned; name the archive that has it, too"
    return None if found == anchor.hash else f"row {anchor.seq} is not the one that the anchor knows: it was changed"


def joined(before: JournalReader, journal: JournalReader) -> str | None:
    """Tell what keeps a journal from being what follows another; None: it begins where that ends."""
    newest, base = before.newest(), journal.base()
    end = (before.base().seq, before.base().hash) if newest is None else (newest.seq, newest.hash)
    if (base.seq, base.hash) == end:
        return None
    return f"begins behind row {base.seq}, hash {base.hash}; {before.path} ends with row {end[0]}, hash {end[1]}"


def _hash(journal: JournalReader, seq: int) -> list[str]:
    """Return the hash of a row that is in this journal, or is the last before it."""
    base = journal.base()
    if seq <= base.seq:
        return [base.hash] if seq == base.seq else []
    row = journal.row(seq)
    return [] if row is None else [row.hash]
