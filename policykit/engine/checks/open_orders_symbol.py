"""Orders that are out in one symbol."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from policykit.decision import Hold, Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.lane import Lane
from policykit.engine.setup import Setup
from policykit.engine.use import RoomOf
from policykit.units import MAX_COUNTER


class OpenOrdersOfSymbol(Check):
    """Denies an increase when `risk.max_open_orders_per_symbol` orders are out in its symbol, unknown ones included.

    Reductions count and are not stopped.
    """

    id = "risk.max_open_orders_per_symbol"
    codes = ("RISK_OPEN_ORDERS",)
    rank = 91
    room = RoomOf("orders", "symbol")

    def __init__(self, setup: Setup, limit: int) -> None:
        super().__init__(setup)
        self.limit = limit

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        risk = setup.policy.risk
        limit = risk.max_open_orders_per_symbol if risk is not None else None
        return cls(setup, limit) if limit is not None else None

    def holds(self, case: Case) -> Iterator[Hold]:
        if case.creates:
            counter = f"{self.setup.account}|open_orders|{case.order.symbol}"
            yield Hold(counter, 1, MAX_COUNTER if case.reduces else self.limit, "sum", self.id)

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True  # a lane holds one symbol

    def explain(self, case: Case, hold: Hold, used: int) -> Reason:
        return self.reason(
            f"{used} orders in {case.order.symbol} are open, max_open_orders_per_symbol is {hold.limit}",
            numbers=(str(used + 1), str(hold.limit), "orders"),
        )
