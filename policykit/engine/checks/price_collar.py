"""How far a price may be from the market."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final, Self

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check, Unknown
from policykit.engine.lane import Lane
from policykit.engine.money import DOWN, ONE, UP, money
from policykit.engine.setup import Setup
from policykit.model.order_limits import PriceCollar as CollarPolicy
from policykit.units import plain

TWO: Final = Decimal(2)


class PriceCollar(Check):
    """Denies an increase priced further from its reference than `risk.price_collar`, on the side that costs money.

    The reference is the mark, or the middle of the best bid and ask. A buy may not be priced over it x (1 + deviation),
    a sell not under it x (1 - deviation); an order without a price of its own has none to judge, and is valued with its
    slippage. No reference, or one older than `max_age`, denies.
    """

    id = "risk.price_collar"
    codes = ("RISK_PRICE_COLLAR", "PRICE_MISSING", "PRICE_STALE", "CHECK_MISSING")
    rank = 75

    def __init__(self, setup: Setup, collar: CollarPolicy) -> None:
        super().__init__(setup)
        self.collar = collar

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        risk = setup.policy.risk
        collar = risk.price_collar if risk is not None else None
        return cls(setup, collar) if collar is not None else None

    def _edge(self, case: Case) -> Decimal:
        reference, deviation = self._reference(case), self.collar.max_deviation.fraction
        buys = case.order.side == "buy"
        return DOWN.multiply(reference, ONE + deviation) if buys else UP.multiply(reference, ONE - deviation)

    def _reference(self, case: Case) -> Decimal:
        symbol, reference = case.order.symbol, self.collar.reference
        if reference == "mark":
            return case.mark(symbol)
        if reference == "mid":
            book = case.quote(symbol)
            towards = DOWN if case.order.side == "buy" else UP
            return towards.divide(towards.add(book.bid, book.ask), TWO)
        raise Unknown("CHECK_MISSING", f"reference {reference} is not observed by this version; use mark or mid")

    def reasons(self, case: Case) -> Iterator[Reason]:
        if not case.places or case.complaints or case.market is None:
            return
        price, edge = case.order.price, self._edge(case)
        if price is None or case.at_market:
            return
        buys = case.order.side == "buy"
        if not (price <= edge if buys else price >= edge):
            quote = case.market.quote
            yield self.reason(
                f"price {money(price, quote)} is {'over' if buys else 'under'} {money(edge, quote)}, "
                f"{self.collar.max_deviation} from the {self.collar.reference}",
                numbers=(plain(price), plain(edge), quote),
            )

    def narrow(self, case: Case, lane: Lane) -> bool:
        if not case.reduces:
            lane.highest = min(lane.highest, self._edge(case))
        return True  # lanes that increase hold buys only
