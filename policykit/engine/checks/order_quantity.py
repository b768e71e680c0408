"""The largest quantity of one order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Self

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.lane import Lane
from policykit.engine.money import counter_down, money
from policykit.engine.setup import Setup
from policykit.units import plain


class OrderQuantity(Check):
    """Denies an increase of more units than `risk.max_order_quantity` of its symbol, or of `default` (G33).

    Base units on spot, contracts elsewhere. An order in quote quantity counts what it buys at the lowest price.
    """

    id = "risk.max_order_quantity"
    codes = ("RISK_ORDER_QUANTITY",)
    rank = 68

    def __init__(self, setup: Setup, caps: Mapping[str, Decimal]) -> None:
        super().__init__(setup)
        self.caps = caps

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        risk = setup.policy.risk
        caps = risk.max_order_quantity if risk is not None else None
        return cls(setup, caps) if caps else None

    def _cap(self, case: Case) -> Decimal | None:
        return self.caps.get(case.order.symbol, self.caps.get("default"))

    # INVARIANT I8: deny unless quantity <= cap.
    def reasons(self, case: Case) -> Iterator[Reason]:
        quantity, cap = case.quantity, self._cap(case)
        if quantity is None or cap is None or case.market is None or quantity <= cap:
            return
        unit = case.market.base if case.market.settle is None else "contracts"
        yield self.reason(
            f"order quantity {money(quantity, unit)} is over max_order_quantity {money(cap, unit)}",
            numbers=(plain(quantity), plain(cap), unit),
        )

    def narrow(self, case: Case, lane: Lane) -> bool:
        cap = self._cap(case)
        if cap is not None and not case.reduces:
            lane.max_amount = min(lane.max_amount, counter_down(cap))
        return True
