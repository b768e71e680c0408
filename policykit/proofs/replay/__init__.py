"""Recorded decisions under new policies: `policykit diff OLD NEW --replay JOURNAL`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

from policykit.proofs.difference import Replayed
from policykit.proofs.replay import trades
from policykit.proofs.replay.halves import replayed_by_two
from policykit.proofs.replay.run import Pair, replayed
from policykit.store import open_journal
from policykit.store.reader import JournalReader, is_journal

__all__ = ["Pair", "replay", "replayed"]


def replay(
    pairs: Iterable[Pair],
    source: str,
    *,
    since_ms: int | None = None,
    until_ms: int | None = None,
    equity: str | None = None,
    told: Callable[[int, int], None] | None = None,
) -> Replayed:
    """Decide again what a journal (a file, or a store's URI) or an exchange's CSV of trades recorded.

    Raise ValueError for a source that cannot be read, StoreUnavailable for a journal that cannot.
    """
    chosen = tuple(pairs)
    if "://" in source or source == "memory:" or is_journal(source):
        if equity is not None:
            raise ValueError(f"--equity is for a CSV of trades; the journal {source} says it itself")
        with closing(JournalReader(source) if is_journal(source) else open_journal(source)) as reader:
            return replayed_by_two(reader, chosen, since_ms=since_ms, until_ms=until_ms, told=told)
    news = [new for _, new in chosen if new is not None and not new.profile]
    if len(news) != 1:
        raise ValueError(
            f"{source}: a CSV of trades is of one account, and {len(news)} policies are compared; name one"
        )
    past = trades.past(Path(source), news[0], equity)
    return replayed(past, chosen, since_ms=since_ms, until_ms=until_ms, told=told)
