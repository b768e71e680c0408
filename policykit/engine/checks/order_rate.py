"""Orders in a span of time."""

from __future__ import annotations

from policykit.engine.case import Case
from policykit.engine.counting import Counting


class OrderRate(Counting):
    """Denies an increase when `risk.max_orders` were admitted in the rolling window (G34).

    Reductions count and are not stopped.
    """

    id = "risk.max_orders"
    codes = ("RATE_ORDERS",)
    rank = 95

    def counter(self, case: Case) -> str | None:
        return "orders" if case.creates else None

    def what(self, case: Case) -> str:
        return "orders"
