"""Whether a journal is what was written: every row there, none changed."""

from __future__ import annotations

from policykit.errors import StoreUnavailable
from policykit.store.reader import JournalDamaged, JournalReader


def verify_file(path: str) -> tuple[int, str | None]:
    """Check a journal's chain without opening it as a store; return (good rows, None or what is wrong and where)."""
    good = 0
    try:
        reader = JournalReader(path)
        try:
            for raw in reader.raw():
                good = raw[0]
            return good, reader.flaw(good)
        finally:
            reader.close()
    except JournalDamaged as error:
        return error.good, error.why
    except StoreUnavailable as error:
        return good, str(error).removeprefix(f"{path}: ")
