"""Whether a journal is what was written: every row there, none changed, and what is kept beside them what they make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from policykit.errors import StoreUnavailable
from policykit.store.checkpoint import Recount
from policykit.store.reader import JournalDamaged, JournalReader

#: Rows after which it is said how far the reading is.
_SAY: Final = 100_000

Say = Callable[[int], None]


def verify_file(path: str, say: Say = lambda row: None) -> tuple[int, str | None]:
    """Check a journal without opening it as a store; return (good rows, None or what is wrong and where).

    The rows are counted anew on the way, in the memory of the state: one that was forged beside them is found by
    nothing else. That takes four fifths of the time. `say` is told now and then which row is read.
    """
    good = 0
    try:
        reader = JournalReader(path)
        try:
            recount = Recount(reader)
            for raw in reader.raw():
                good = raw[0]
                recount.take(raw)
                if good % _SAY == 0:
                    say(good)
            return good, reader.flaw(good) or recount.flaw()
        finally:
            reader.close()
    except JournalDamaged as error:
        return error.good, error.why
    except StoreUnavailable as error:
        return good, str(error).removeprefix(f"{path}: ")
