"""What all positions together are worth: totals that move with each position, never summed anew.

An account's positions count (`engine/totals.py`) into the account, into their base asset, and into each group that the
account is in. One that changed is counted when somebody asks for a total: without such a limit, nobody does.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import add
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
        self._totals: dict[str, Total] = {}
        #: Positions that changed since they were counted, and whom they count for.
        self._moved: dict[PositionState, tuple[str, ...]] = {}

    @property
    def totals(self) -> dict[str, Total]:
        """Return the totals by owner, as of now."""
        while self._moved:
            self._count(*self._moved.popitem())
        return self._totals

    def use(self, counter: str, *, net: bool, buy: bool) -> int:
        """Return what is used of a `gross` or `net` counter."""
        total = self.total(counter.rpartition("|")[0])
        return (total.long if buy else total.short) if net else total.gross

    def total(self, owner: str) -> Total:
        """Return the totals of an owner."""
        return self.totals.get(owner, _NOTHING)

    def count(self, position: PositionState, owners: tuple[str, ...]) -> None:
        """Count what a position became."""
        self._moved[position] = owners

    def join(self, position: PositionState, owners: tuple[str, ...]) -> None:
        """Count a position into more owners than those that it counts into already."""
        totals = self.totals
        for owner in owners:
            totals[owner] = Total(*map(add, totals.get(owner, _NOTHING), position.counted))

    def _count(self, position: PositionState, owners: tuple[str, ...]) -> None:
        before, after = position.counted, worth(position)
        if after == before:
            return
        for owner in owners:
            moved = zip(self._totals.get(owner, _NOTHING), after, before, strict=True)
            self._totals[owner] = Total(*(total + new - old for total, new, old in moved))
        position.counted = after


def owners(account: str, key: str, groups: Iterable[str]) -> tuple[str, ...]:
    """Return whom a position counts for: `key` is the base asset on spot, the symbol on derivatives."""
    return (account, asset_owner(account, key), *groups)
