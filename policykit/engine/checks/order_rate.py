"""Orders in a span of time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from policykit.decision import Hold, Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.lane import Lane
from policykit.engine.setup import Setup
from policykit.model.rate import CountWindow
from policykit.units import MAX_COUNTER


class OrderRate(Check):
    """Denies an increase when `risk.max_orders` were admitted in the rolling window (G34).

    Reductions count and are not stopped.
    """

    id = "risk.max_orders"
    codes = ("RATE_ORDERS",)
    rank = 95

    def __init__(self, setup: Setup, window: CountWindow) -> None:
        super().__init__(setup)
        self.window = window
        self.counter = f"{setup.account}|orders|{window.per.ms}"

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        risk = setup.policy.risk
        window = risk.max_orders if risk is not None else None
        return cls(setup, window) if window is not None else None

    def holds(self, case: Case) -> Iterator[Hold]:
        if case.creates:
            limit = MAX_COUNTER if case.reduces else self.window.limit
            yield Hold(self.counter, 1, limit, "window", self.id, self.window.per.ms)

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True

    def explain(self, case: Case, hold: Hold, used: int) -> Reason:
        return self.reason(
            f"{used} orders in the last {self.window.per}, max_orders is {hold.limit}",
            numbers=(str(used + 1), str(hold.limit), "orders"),
        )
