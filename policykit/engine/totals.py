"""What positions add up to. Each counts at its worst: with every order that is out on that side, times its unit."""

from __future__ import annotations

from typing import NamedTuple

from policykit.engine.money import exposure_up


class Total(NamedTuple):
    """Exposure steps: of all positions at their worst, of long ones, of short ones (both signed: a hedge is less).

    `positions` is how many are worth anything at their worst.
    """

    gross: int = 0
    long: int = 0
    short: int = 0
    positions: int = 0


def total_of(buy: int, sell: int, unit: int) -> Total:
    """Return what one position counts, of the worst case on each side (counter steps) and its unit (1e-12 steps).

    INVARIANT I8: each is rounded up, and a side counts all orders out on it. Without a unit it counts nothing: the
    checks ask for one before they let an order on.
    """
    if not unit:
        return Total()
    long, short = _steps(buy, unit), _steps(sell, unit)
    gross = max(long, short)
    return Total(gross, long, short, int(gross > 0))


def _steps(quantity: int, unit: int) -> int:
    """Return exposure steps, rounded up; of what makes a total smaller one step less, since `unit` is rounded up."""
    return exposure_up(quantity, unit) + (quantity < 0)
