"""What an order loses if its stop is reached."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Self

from policykit.decision import Reason
from policykit.engine.bounds import limits
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.money import DOWN, ONE, UP, ZERO, money
from policykit.engine.setup import Setup
from policykit.units import Bound, plain


class RiskAtStop(Check):
    """Denies an entry that can lose more than `risk.risk_at_stop` when its attached stop is reached (G33).

    Loss = |worst entry price - stop_loss_price| x quantity x contract size, in the account's currency; fees are left
    out. An entry at market counts its slippage. An entry without an attached stop, or with one on the wrong side of its
    price, has no such loss and is denied. ccxt attaches none on Binance, so a protected client sends no entry there
    under this limit; `@enforce(order=...)` names the stop that the bot's own function places.
    """

    id = "risk.risk_at_stop"
    codes = ("RISK_AT_STOP", "RISK_STOP_MISSING")
    rank = 72

    def __init__(self, setup: Setup, bounds: tuple[Bound, ...]) -> None:
        super().__init__(setup)
        self.bounds = bounds

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        risk = setup.policy.risk
        bounds = risk.risk_at_stop if risk is not None else None
        return cls(setup, bounds) if bounds is not None else None

    def reasons(self, case: Case) -> Iterator[Reason]:
        if case.quantity is None or case.market is None:
            return
        stop, buys = case.order.stop_loss_price, case.order.side == "buy"
        if stop is None:
            text = "the entry has no attached stop, and risk_at_stop caps its loss there; attach one (stopLoss)"
            yield self.reason(text, "RISK_STOP_MISSING")
            return
        near, worst = self._entry(case)
        if not (stop < near if buys else stop > near):
            side, quote = "below" if buys else "above", case.market.quote
            text = f"stop_loss_price {money(stop, quote)} is not {side} the entry's {money(near, quote)}"
            yield self.reason(text, "RISK_STOP_MISSING")
            return
        loss, currency = self._loss(case, worst, stop), case.setup.currency
        for limit in limits(case, self.bounds, currency):
            if not loss <= limit.value:
                yield self.reason(
                    f"loss at the stop {money(loss, currency)} is over risk_at_stop "
                    f"{money(limit.value, currency)}{limit.how}",
                    numbers=(plain(loss), plain(limit.value), currency),
                )

    def _entry(self, case: Case) -> tuple[Decimal, Decimal]:
        """Return the entry's price nearest to its stop, and the furthest. Raise Unknown for want of a price."""
        order, buys = case.order, case.order.side == "buy"
        prices = [p for p in (None if case.at_market else order.price, order.stop_price) if p is not None]
        if case.at_market or order.trailing:
            prices.append(case.mark(order.symbol))
        if buys:
            worst = UP.multiply(max(prices), ONE + case.setup.slippage) if case.at_market else max(prices)
            return min(prices), worst
        worst = DOWN.multiply(min(prices), max(ZERO, ONE - case.setup.slippage)) if case.at_market else min(prices)
        return max(prices), worst

    def _loss(self, case: Case, entry: Decimal, stop: Decimal) -> Decimal:
        """Return the loss in the account's currency, rounded up. An inverse contract loses its base asset."""
        assert case.quantity is not None
        assert case.market is not None
        units = UP.multiply(case.quantity, case.contract_size())
        low, high = sorted((entry, stop))
        if case.inverse:
            lost = UP.multiply(units, UP.subtract(UP.divide(ONE, low), DOWN.divide(ONE, high)))
            return UP.multiply(lost, case.rate(case.market.base, case.setup.currency, up=True))
        lost = UP.multiply(units, UP.subtract(high, low))
        return UP.multiply(lost, case.rate(case.market.quote, case.setup.currency, up=True))
