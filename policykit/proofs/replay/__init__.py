"""Recorded decisions under new policies: `policykit diff OLD NEW --replay JOURNAL`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

from policykit.exchanges.trade_csv import read
from policykit.policy import EffectivePolicy
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
    policy: str | None = None,
    told: Callable[[int, int], None] | None = None,
) -> Replayed:
    """Decide again what a journal (a file, or a store's URI) or an exchange's CSV of trades recorded.

    `policy` names the one whose trades a CSV has. Raise ValueError for a source that cannot be read,
    StoreUnavailable for a journal that cannot.
    """
    chosen = tuple(pairs)
    if "://" in source or source == "memory:" or is_journal(source):
        for option, said in (("--equity", equity), ("--policy", policy)):
            if said is not None:
                raise ValueError(f"{option} is for a CSV of trades; the journal {source} says it itself")
        with closing(JournalReader(source) if is_journal(source) else open_journal(source)) as reader:
            return replayed_by_two(reader, chosen, since_ms=since_ms, until_ms=until_ms, told=told)
    file = Path(source)
    pair, new = _traded(file, chosen, policy)
    return replayed(trades.past(file, new, equity), (pair,), since_ms=since_ms, until_ms=until_ms, told=told)


def _traded(file: Path, pairs: Iterable[Pair], policy: str | None) -> tuple[Pair, EffectivePolicy]:
    """Return the pair under which the trades of a CSV were made: the only one, or the one that is named."""
    found = [((old, new), new) for old, new in pairs if new is not None and not new.profile]
    named = [one for one in found if policy in (None, one[1].name)]
    if len(named) == 1:
        return named[0]
    read(file)  # a file that is no CSV is what is wrong first
    names = ", ".join(sorted(new.name for _, new in found)) or "none"
    if policy is not None:
        many = "no policy" if not named else f"{len(named)} policies"
        raise ValueError(f"--policy {policy}: {many} of that name among those compared; one of {names} is needed")
    raise ValueError(
        f"{file}: a CSV of trades is of one policy, and {len(found)} are compared ({names}); "
        "say which with --policy NAME"
    )
