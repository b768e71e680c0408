"""The express lane: what is known in advance of every order of one symbol, side and type under the same facts.

A lane only ever allows. It is made from an order that the checks allowed, each check then narrows it until every order
inside would pass that check as well, and an order that is not clearly inside takes the long way. So the lane says
nothing that the checks would not say; tests hold the two equal.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from policykit.decision import Hold
from policykit.engine.money import HIGHEST, ONE
from policykit.units import MAX_COUNTER

if TYPE_CHECKING:
    from policykit.engine.case import Case
    from policykit.order import Order

INFINITE: Final = Decimal("Infinity")
#: All that an order can say beside symbol, side, type, action, quantity and price: two words, and what no lane allows.
_said = attrgetter(
    *("time_in_force", "self_trade_prevention"),
    *("stop_price", "quote_quantity", "stop_loss_price", "take_profit_price", "leverage"),
    *("position_side", "margin_mode", "position_mode", "amends", "reduce_only", "close_position", "trailing"),
)
_NO_MORE: Final = (*[None] * 9, False, False, False)


class Lane:
    """Bounds inside which an order passes, and the holds it needs. `since_ms <= now < until_ms`."""

    __slots__ = (
        "check",
        "highest",
        "holds",
        "limit",
        "limit_above",
        "limit_price",
        "lowest",
        "max_amount",
        "max_notional",
        "position",
        "price",
        "rate",
        "reduces",
        "said",
        "sell",
        "since_ms",
        "until_ms",
    )

    def __init__(self, case: Case, holds: tuple[Hold, ...]) -> None:
        first = holds[0]
        self.since_ms = case.now_ms
        self.until_ms = case.until_ms
        self.reduces = case.reduces
        self.sell = case.order.side == "sell"
        self.said = _said(case.order)
        #: The price a market order is counted at; None: orders in this lane have a price of their own.
        self.price = case.price if case.order.price is None else None
        market = case.market
        assert market is not None
        rate = ONE if market.quote == case.setup.currency else case.rate(market.quote, case.setup.currency, up=True)
        #: What one unit of quote is worth in the account's currency; None: it is that currency.
        self.rate = None if rate is ONE else rate
        self.max_notional = INFINITE
        #: The largest quantity, in counter steps.
        self.max_amount = MAX_COUNTER
        self.lowest = Decimal(0)
        self.highest = HIGHEST
        self.position = first.counter
        self.check = first.check
        self.limit = first.limit
        #: Orders priced over this have a tighter position limit: `limit_above` of the price.
        self.limit_price = INFINITE
        self.limit_above: Callable[[Decimal], int] | None = None
        self.holds = holds[1:]

    def cap(self, notional: Decimal) -> None:
        """Let only orders of at most this notional (quote currency) in."""
        self.max_notional = min(self.max_notional, notional)

    def plain(self, order: Order) -> bool:
        """Tell whether an order says what the lane's first one says, and nothing that lanes do not speak of."""
        return _said(order) == self.said

    @staticmethod
    def fits(case: Case, holds: tuple[Hold, ...]) -> bool:
        """Tell whether lanes know how to speak of such an order at all."""
        order = case.order
        plain = order.stop_price is None and order.quote_quantity is None and case.problem is None
        plain = plain and _said(order)[2:] == _NO_MORE
        priced = order.price is None or order.type != "market"
        # A sell that increases is worth the mark even where its price is lower: no lane values it.
        kept = case.creates and case.long_only and (case.reduces or order.side == "buy")
        return kept and plain and priced and bool(holds) and holds[0].kind == "position"
