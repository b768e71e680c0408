"""The largest single order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from policykit.decision import Reason
from policykit.engine.bounds import limits
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.lane import Lane
from policykit.engine.money import money
from policykit.engine.setup import Setup
from policykit.units import Bound, plain


class OrderNotional(Check):
    """Denies an increase whose notional is over `risk.max_order_notional` (G33).

    Every bound of the cap applies; shares are of the newest equity. Notional and bounds are compared exactly.
    """

    id = "risk.max_order_notional"
    codes = ("RISK_ORDER_NOTIONAL",)
    rank = 70

    def __init__(self, setup: Setup, bounds: tuple[Bound, ...]) -> None:
        super().__init__(setup)
        self.bounds = bounds

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        risk = setup.policy.risk
        bounds = risk.max_order_notional if risk is not None else None
        return cls(setup, bounds) if bounds is not None else None

    # INVARIANT I8: deny unless notional <= every bound.
    def reasons(self, case: Case) -> Iterator[Reason]:
        if case.notional is None or case.market is None:
            return
        quote, at_market = case.market.quote, ""
        if case.at_market and case.order.side == "buy":
            at_market = f" (at market, counted {plain(self.setup.slippage * 100)}% over the mark)"
        for limit in limits(case, self.bounds, quote):
            if not case.notional <= limit.value:
                yield self.reason(
                    f"order notional {money(case.notional, quote)}{at_market} is over max_order_notional "
                    f"{money(limit.value, quote)}{limit.how}",
                    numbers=(plain(case.notional), plain(limit.value), quote),
                )

    def narrow(self, case: Case, lane: Lane) -> bool:
        assert case.market is not None
        if not case.reduces:
            lane.cap(limits(case, self.bounds, case.market.quote)[0].value)
        return True
