"""Entries of one account that filled in part, by symbol: when one was last seen so, and by how much those out are."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Context, Decimal
from typing import Any, Final

from policykit.engine.facts import Partial
from policykit.orders.intent import Intent
from policykit.units import MAX_DIGITS, plain

#: From this part on an entry has filled wholly: less than one step of the market is no loop.
WHOLE: Final = Decimal("0.99")
#: So many symbols are remembered; beyond it the one that was seen longest ago is forgotten.
SYMBOLS: Final = 10_000
_FLOOR: Final = Context(prec=2 * MAX_DIGITS, rounding=ROUND_FLOOR)


class Entries:
    """What `risk.partial_fills` is held against. An entry that fills wholly ends what was counted in its symbol."""

    def __init__(self) -> None:
        #: Symbol -> when an entry there was last seen to have filled, or to have ended, in part (UTC ms).
        self.seen: dict[str, int] = {}
        #: Intent -> its symbol, and the part that filled, while it can fill on.
        self.out: dict[str, tuple[str, Decimal]] = {}

    def saw(self, entry: Intent, at_ms: int) -> bool:
        """Take in an entry that filled, or is over; True when that changes anything."""
        share, symbol = _share(entry), entry.order.symbol
        was = self.out.pop(entry.id, None)
        if not entry.filled:
            return False
        if share >= WHOLE:
            return self.seen.pop(symbol, None) is not None or was is not None
        if entry.open:
            self.out[entry.id] = (symbol, share)
        at_ms = max(at_ms, self.seen.pop(symbol, 0))
        self.seen[symbol] = at_ms
        if len(self.seen) > SYMBOLS:
            del self.seen[next(iter(self.seen))]
        return True

    def view(self) -> dict[str, Partial]:
        """Return what the engine reads, by symbol."""
        found = {symbol: Partial(at_ms) for symbol, at_ms in self.seen.items()}
        for symbol, share in self.out.values():
            known = found.get(symbol, Partial())
            found[symbol] = known._replace(least=share if known.least is None else min(share, known.least))
        return found

    def dump(self) -> list[Any]:
        return [dict(self.seen), {name: [symbol, plain(share)] for name, (symbol, share) in self.out.items()}]

    def load(self, state: list[Any]) -> None:
        seen, out = state
        self.seen = dict(seen)
        self.out = {name: (symbol, Decimal(share)) for name, (symbol, share) in out.items()}


def _share(entry: Intent) -> Decimal:
    """Return the part of an entry that filled, rounded down; of one in quote quantity by its cost, unknown: nothing."""
    order = entry.order
    done, asked = (entry.filled, order.quantity) if order.quantity is not None else (entry.cost, order.quote_quantity)
    return Decimal(0) if not done or not asked else _FLOOR.divide(done, asked)
