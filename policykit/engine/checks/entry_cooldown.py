"""Time between two entries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from policykit.decision import Hold, Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.lane import Lane
from policykit.engine.setup import Setup
from policykit.units import Duration


class EntryCooldown(Check):
    """Denies an entry sooner than `risk.entry_cooldown` after the last one admitted in its symbol, on either side.

    What can only reduce neither waits nor counts.
    """

    id = "risk.entry_cooldown"
    codes = ("RATE_COOLDOWN",)
    rank = 93

    def __init__(self, setup: Setup, least: Duration) -> None:
        super().__init__(setup)
        self.least = least

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        risk = setup.policy.risk
        least = risk.entry_cooldown if risk is not None else None
        return cls(setup, least) if least is not None and least.ms else None

    def holds(self, case: Case) -> Iterator[Hold]:
        if case.creates and not case.reduces:
            counter = f"{self.setup.account}|cooldown|{case.order.symbol}|{self.least.ms}"
            yield Hold(counter, 1, 1, "window", self.id, self.least.ms)

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True  # a lane holds one symbol and side

    def explain(self, case: Case, hold: Hold, used: int) -> Reason:
        return self.reason(
            f"an entry in {case.order.symbol} was admitted in the last {self.least}, "
            f"entry_cooldown is {self.least}; wait",
            numbers=(str(used + 1), "1", "entries"),
        )
