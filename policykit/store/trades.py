"""Trades of one account as our own fills make them: from flat to flat, won or lost.

What is lost is told by what the fills cost, without fees: a trade that ends even has lost those, and counts as lost, as
does one whose cost no answer told, since nothing proves otherwise. What others trade, and a liquidation, is no fill of
ours: a position that is flat at the exchange, while no order of ours is out, ends its trade without a verdict.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, Final, NamedTuple

from policykit.engine.facts import NO_STREAK, Streak
from policykit.units import MAX_DIGITS, plain

#: A trade is over when at most this part of the most it held is left: fees taken in coin, and less than one step.
LEFT: Final = Decimal("0.01")
#: Trades that run at a time are remembered up to so many; beyond it the oldest is forgotten.
RUNNING: Final = 10_000
_EXACT: Final = Context(prec=2 * MAX_DIGITS, rounding=ROUND_HALF_EVEN)
_ZERO: Final = Decimal(0)


class Trade(NamedTuple):
    """What a running trade holds (a short below zero), the most it held, and what came in for it; None: not known."""

    held: Decimal
    most: Decimal
    gain: Decimal | None


class Trades:
    """The trades that run, by position key, and the losses in a row."""

    def __init__(self) -> None:
        self.running: dict[str, Trade] = {}
        self.streak: Streak = NO_STREAK

    def fill(self, key: str, quantity: Decimal, cost: Decimal | None, at_ms: int) -> bool:
        """Take a fill in (a sale below zero) and what it cost; True when a trade ended by it."""
        trade = self.running.pop(key, None) or Trade(_ZERO, _ZERO, _ZERO)
        if not trade.held or (trade.held < 0) == (quantity < 0) or abs(quantity) <= abs(trade.held):
            return self._hold(key, _grown(trade, quantity, cost), at_ms)
        # It closes one trade and opens the next: what it cost is shared out by quantity.
        closing = -trade.held
        share = None if cost is None else _EXACT.divide(_EXACT.multiply(cost, closing), quantity)
        ended = self._hold(key, _grown(trade, closing, share), at_ms)
        rest = None if cost is None or share is None else _EXACT.subtract(cost, share)
        self.running[key] = _grown(Trade(_ZERO, _ZERO, _ZERO), _EXACT.subtract(quantity, closing), rest)
        return ended

    def _hold(self, key: str, trade: Trade, at_ms: int) -> bool:
        if abs(trade.held) > trade.most * LEFT:
            self.running[key] = trade
            if len(self.running) > RUNNING:
                del self.running[next(iter(self.running))]
            return False
        won = trade.gain is not None and trade.gain > 0
        self.streak = NO_STREAK if won else Streak(self.streak.losses + 1, at_ms)
        return True

    def flat(self, key: str) -> None:
        """End a trade whose position the exchange says is flat: others closed it."""
        self.running.pop(key, None)

    def dump(self) -> list[Any]:
        running = {
            key: [plain(t.held), plain(t.most), None if t.gain is None else plain(t.gain)]
            for key, t in self.running.items()
        }
        return [list(self.streak), running]

    def load(self, state: list[Any]) -> None:
        streak, running = state
        self.streak = Streak(*streak)
        self.running = {key: _read(trade) for key, trade in running.items()}


def _grown(trade: Trade, quantity: Decimal, cost: Decimal | None) -> Trade:
    held = _EXACT.add(trade.held, quantity)
    gain = None
    if trade.gain is not None and cost is not None:
        gain = _EXACT.add(trade.gain, -cost if quantity > 0 else cost)
    return Trade(held, max(trade.most, abs(held)), gain)


def _read(trade: list[Any]) -> Trade:
    held, most, gain = trade
    return Trade(Decimal(held), Decimal(most), None if gain is None else Decimal(gain))
