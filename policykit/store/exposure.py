"""What all positions together are worth: totals that move with each position, never summed anew.

An account's positions count (`engine/totals.py`) into the account, into their base asset, and into each group that the
account is in.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from policykit.decision import asset_owner
from policykit.engine.totals import Total, total_of
from policykit.store.positions import PositionState


def worth(position: PositionState) -> Total:
    """Return what one position counts."""
    return total_of(position.use(True), position.use(False), position.unit)


_NOTHING: Final = Total()


class Exposure:
    """The totals of one store, by owner: an account, one asset of it, a group."""

    def __init__(self) -> None:
        self.totals: dict[str, Total] = {}

    def use(self, counter: str, *, net: bool, buy: bool) -> int:
        """Return what is used of a `gross` or `net` counter."""
        total = self.total(counter.rpartition("|")[0])
        return (total.long if buy else total.short) if net else total.gross

    def total(self, owner: str) -> Total:
        """Return the totals of an owner."""
        return self.totals.get(owner, _NOTHING)

    def count(self, position: PositionState, owners: Iterable[str]) -> None:
        """Count what a position became."""
        before, after = position.counted, worth(position)
        if after == before:
            return
        for owner in owners:
            moved = zip(self.total(owner), after, before, strict=True)
            self.totals[owner] = Total(*(total + new - old for total, new, old in moved))
        position.counted = after


def owners(account: str, key: str, groups: Iterable[str]) -> tuple[str, ...]:
    """Return whom a position counts for: `key` is the base asset on spot, the symbol on derivatives."""
    return (account, asset_owner(account, key), *groups)
