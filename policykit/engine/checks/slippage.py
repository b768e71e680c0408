"""What an order at market would cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.lane import Lane
from policykit.engine.money import DOWN, ONE, UP, money
from policykit.engine.setup import Setup
from policykit.units import Percent, plain


class Slippage(Check):
    """Denies a market order that increases while the book stands further from the mark than `risk.max_slippage`.

    A buy meets the best ask, which may be at most mark x (1 + limit), a sell the best bid. No fresh bid and ask
    denies. An order that is triggered later meets another book, and is not judged here.
    """

    id = "risk.max_slippage"
    codes = ("RISK_SLIPPAGE", "PRICE_MISSING", "PRICE_STALE")
    rank = 77

    def __init__(self, setup: Setup, limit: Percent) -> None:
        super().__init__(setup)
        self.limit = limit

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        risk = setup.policy.risk
        limit = risk.max_slippage if risk is not None else None
        return cls(setup, limit) if limit is not None else None

    def reasons(self, case: Case) -> Iterator[Reason]:
        order = case.order
        now = case.places and case.at_market and order.stop_price is None and not order.trailing
        if not now or case.complaints or case.market is None:
            return
        mark, book = case.mark(order.symbol), case.quote(order.symbol)
        buys, fraction = order.side == "buy", self.limit.fraction
        price = book.ask if buys else book.bid
        edge = DOWN.multiply(mark, ONE + fraction) if buys else UP.multiply(mark, ONE - fraction)
        if not (price <= edge if buys else price >= edge):
            quote = case.market.quote
            yield self.reason(
                f"the best {'ask' if buys else 'bid'} {money(price, quote)} is {'over' if buys else 'under'} "
                f"{money(edge, quote)}, max_slippage {self.limit} from the mark; wait, or send a limit order",
                numbers=(plain(price), plain(edge), quote),
            )

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True  # mark, bid and ask are facts, and a lane holds one type
