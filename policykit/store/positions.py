"""One position as the store counts it: the newest fact, the fills it may not hold yet, the orders that are out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from policykit.engine.facts import Position
from policykit.units import SCALE

#: A fact may miss a fill this much older than its request, ms: the exchange's visibility lag plus the clock bound.
DOUBT_MS = 3_000


class PositionState:
    """Scaled integers (1e-8 base units). `fills` are [signed quantity, earliest ms, latest ms it can have happened]."""

    __slots__ = ("as_of_ms", "base", "fills", "open_buys", "open_sells", "until_ms")

    def __init__(self) -> None:
        self.base = 0
        self.as_of_ms = 0
        self.until_ms = 0
        self.fills: list[list[int]] = []
        self.open_buys = 0
        self.open_sells = 0

    def observe(self, quantity: int, as_of_ms: int, until_ms: int) -> None:
        """Take a fact read between its sending and its answer; drop the fills that it must hold."""
        if as_of_ms < self.as_of_ms:
            return
        self.base, self.as_of_ms, self.until_ms = quantity, as_of_ms, until_ms
        self.fills = [fill for fill in self.fills if fill[2] >= as_of_ms - DOUBT_MS]

    # INVARIANT I9: a fill that the fact may or may not hold counts on both sides, so low <= true position <= high.
    def bounds(self) -> tuple[int, int]:
        """Return the lowest and the highest the position can be now."""
        low = high = self.base
        for quantity, earliest, _ in self.fills:
            certain = earliest > self.until_ms + DOUBT_MS
            if quantity > 0 or certain:
                high += quantity
            if quantity < 0 or certain:
                low += quantity
        return low, high

    def claim(self, amount: int, *, buy: bool) -> None:
        """Add a signed amount to what is out on one side; the opposite sign gives back."""
        if buy:
            self.open_buys += amount
        else:
            self.open_sells -= amount

    def use(self, buy: bool) -> int:
        """Return the worst case on one side: what `position` holds add to."""
        low, high = self.bounds()
        return high + self.open_buys if buy else self.open_sells - low

    def view(self) -> Position:
        """Return the position as the engine reads it."""
        low, high = self.bounds()
        return Position(
            Decimal(low) / SCALE,
            Decimal(high) / SCALE,
            Decimal(self.open_buys) / SCALE,
            Decimal(self.open_sells) / SCALE,
        )

    def dump(self) -> list[Any]:
        return [self.base, self.as_of_ms, self.until_ms, self.fills, self.open_buys, self.open_sells]

    def load(self, state: list[Any]) -> None:
        self.base, self.as_of_ms, self.until_ms, fills, self.open_buys, self.open_sells = state
        self.fills = [list(fill) for fill in fills]
