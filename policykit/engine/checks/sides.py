"""On which side may be traded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.lane import Lane
from policykit.engine.setup import Setup


class Sides(Check):
    """Denies increases on sides that `risk.sides` does not name; what can only reduce passes on either."""

    id = "risk.sides"
    codes = ("RISK_SIDE",)
    rank = 56

    def __init__(self, setup: Setup, sides: tuple[str, ...]) -> None:
        super().__init__(setup)
        self.sides = sides

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        risk = setup.policy.risk
        sides = risk.sides if risk is not None else None
        return cls(setup, sides) if sides is not None else None

    def reasons(self, case: Case) -> Iterator[Reason]:
        side = case.order.side
        if case.places and not case.complaints and side not in self.sides:
            listed = ", ".join(self.sides) or "none"
            yield self.reason(f"side {side} is not in sides ({listed})", numbers=(str(side), listed, "side"))

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True  # a lane holds one side
