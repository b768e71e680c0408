"""Orders of one symbol in a span of time."""

from __future__ import annotations

from policykit.engine.case import Case
from policykit.engine.counting import Counting
from policykit.engine.use import RoomOf


class OrderRateOfSymbol(Counting):
    """Denies an increase when `risk.max_orders_per_symbol` were admitted in its symbol in the rolling window (G34).

    Reductions count and are not stopped.
    """

    id = "risk.max_orders_per_symbol"
    codes = ("RATE_ORDERS",)
    rank = 96
    room = RoomOf("rate", "symbol")

    def counter(self, case: Case) -> str | None:
        return f"orders|{case.order.symbol}" if case.creates else None

    def what(self, case: Case) -> str:
        return f"orders in {case.order.symbol}"
