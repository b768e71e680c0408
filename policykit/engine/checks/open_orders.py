"""Orders that are out."""

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


class OpenOrders(Check):
    """Denies an increase when `risk.max_open_orders` orders are out already, unknown ones and those of others included.

    Reductions count and are not stopped.
    """

    id = "risk.max_open_orders"
    codes = ("RISK_OPEN_ORDERS",)
    rank = 90
    room = RoomOf("orders")

    def __init__(self, setup: Setup, limit: int) -> None:
        super().__init__(setup)
        self.limit = limit
        self.counter = f"{setup.account}|open_orders"

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        risk = setup.policy.risk
        limit = risk.max_open_orders if risk is not None else None
        return cls(setup, limit) if limit is not None else None

    def holds(self, case: Case) -> Iterator[Hold]:
        if case.creates:
            limit = MAX_COUNTER if case.reduces else max(0, self.limit - case.facts.foreign_orders)
            yield Hold(self.counter, 1, limit, "sum", self.id)

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True

    def explain(self, case: Case, hold: Hold, used: int) -> Reason:
        foreign = case.facts.foreign_orders
        others = f", {foreign} of them of nobody here" if foreign else ""
        return self.reason(
            f"{used + foreign} orders are open{others}, max_open_orders is {self.limit}",
            numbers=(str(used + foreign + 1), str(self.limit), "orders"),
        )
