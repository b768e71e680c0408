"""What all positions together are worth: totals that move with each position, never summed anew.

A position counts at its worst: |position| with every order that is out on that side, times what one unit is worth. An
account's positions count into the account, into their base asset, and into each group that the account is in.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from policykit.engine.money import exposure_up
from policykit.store.positions import PositionState


class Total(NamedTuple):
    """Exposure steps: of all positions at their worst, of long ones, of short ones (both signed: a hedge is less).

    `positions` is how many are worth anything at their worst.
    """

    gross: int = 0
    long: int = 0
    short: int = 0
    positions: int = 0


def worth(position: PositionState) -> Total:
    """Return what one position counts. INVARIANT I8: each is rounded up, and a side counts all orders out on it.

    Without a unit it counts nothing here: the check asks for a price before it asks for a hold.
    """
    unit = position.unit
    if not unit:
        return Total()
    long, short = _steps(position.use(True), unit), _steps(position.use(False), unit)
    gross = max(long, short, 0)
    return Total(gross, long, short, int(gross > 0))


def _steps(quantity: int, unit: int) -> int:
    """Return exposure steps, rounded up; of what makes a total smaller one step less, since `unit` is rounded up."""
    return exposure_up(quantity, unit) + (quantity < 0)


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
    return (account, f"{account}|asset|{key.partition('/')[0]}", *groups)
