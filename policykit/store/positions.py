"""One position as the store counts it: the newest fact, the fills it may not hold yet, the orders that are out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from policykit.engine.facts import Position
from policykit.units import scale_down, scale_up, unscale

#: A fact may miss a fill this much older than its request, ms: the exchange's visibility lag plus the clock bound.
DOUBT_MS: Final = 3_000
#: Fills kept apart since the newest fact; beyond, the two oldest of one side become one, dated as widely as both.
FILLS: Final = 1_000


class PositionState:
    """Scaled integers (1e-8 base units), `low` and `high` rounded away from each other.

    `fills` are [signed quantity rounded down, the same rounded up, earliest ms, latest ms it can have happened].
    """

    __slots__ = ("as_of_ms", "base_high", "base_low", "counted", "fills", "open_buys", "open_sells", "unit", "until_ms")

    def __init__(self) -> None:
        self.base_low = 0
        self.base_high = 0
        self.as_of_ms = 0
        self.until_ms = 0
        self.fills: list[list[int]] = []
        self.open_buys = 0
        self.open_sells = 0
        #: What one unit is worth (exposure.py), 0 while no price was seen; and what the totals count of it now.
        self.unit = 0
        self.counted = (0, 0, 0, 0)

    def observe(self, quantity: Decimal, as_of_ms: int, until_ms: int) -> None:
        """Take a fact read between its sending and its answer; drop the fills that it must hold."""
        if as_of_ms < self.as_of_ms:
            return
        self.base_low, self.base_high = scale_down(quantity), scale_up(quantity)
        self.as_of_ms, self.until_ms = as_of_ms, until_ms
        self.fills = [fill for fill in self.fills if fill[3] >= as_of_ms - DOUBT_MS]

    def fill(self, down: int, up: int, earliest_ms: int, latest_ms: int) -> None:
        """Take a fill (signed, rounded both ways) that happened at some time between two moments."""
        self.fills = [*self.fills, [down, up, earliest_ms, latest_ms]]
        if len(self.fills) > FILLS:
            self._coalesce()

    def _coalesce(self) -> None:
        """Make one of the two oldest fills of one side: it is in doubt wherever one of them is."""
        a, b, c = self.fills[:3]  # of three, two are on one side
        if (a[0] < 0) != (b[0] < 0):
            a, b, c = (a, c, b) if (a[0] < 0) == (c[0] < 0) else (b, c, a)
        self.fills = [[a[0] + b[0], a[1] + b[1], min(a[2], b[2]), max(a[3], b[3])], c, *self.fills[3:]]

    # INVARIANT I9: a fill that the fact may or may not hold counts on both sides, so low <= true position <= high.
    def bounds(self) -> tuple[int, int]:
        """Return the lowest and the highest the position can be now."""
        low, high = self.base_low, self.base_high
        for down, up, earliest, _ in self.fills:
            certain = earliest > self.until_ms + DOUBT_MS
            if up > 0 or certain:
                high += up
            if down < 0 or certain:
                low += down
        return low, high

    def claim(self, amount: int, *, buy: bool) -> None:
        """Add a signed amount to what is out on one side; the opposite sign gives back."""
        if buy:
            self.open_buys += amount
        else:
            self.open_sells -= amount

    def use(self, buy: bool) -> int:
        """Return the worst case on one side: what `position` holds add to."""
        low, high = self.bounds() if self.fills else (self.base_low, self.base_high)
        return high + self.open_buys if buy else self.open_sells - low

    def view(self) -> Position:
        """Return the position as the engine reads it."""
        low, high = self.bounds()
        return Position(unscale(low), unscale(high), unscale(self.open_buys), unscale(self.open_sells), self.unit)

    def dump(self) -> list[Any]:
        fills = [list(fill) for fill in self.fills]
        facts = [self.base_low, self.base_high, self.as_of_ms, self.until_ms]
        return [*facts, fills, self.open_buys, self.open_sells, self.unit]

    def load(self, state: list[Any]) -> None:
        self.base_low, self.base_high, self.as_of_ms, self.until_ms, fills, self.open_buys, self.open_sells = state[:7]
        self.unit = state[7] if len(state) > 7 else 0  # a checkpoint of an earlier version has none
        self.fills = [list(fill) for fill in fills]
