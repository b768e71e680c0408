"""How long orders may rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.lane import Lane
from policykit.engine.setup import Setup


class TimeInForce(Check):
    """Denies increases by orders whose time in force `risk.time_in_force` does not name, in ccxt's words.

    An order that says none is GTC, at market IOC.
    """

    id = "risk.time_in_force"
    codes = ("RISK_TIME_IN_FORCE",)
    rank = 61

    def __init__(self, setup: Setup, allowed: tuple[str, ...]) -> None:
        super().__init__(setup)
        self.allowed = allowed

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        risk = setup.policy.risk
        allowed = risk.time_in_force if risk is not None else None
        return cls(setup, allowed) if allowed is not None else None

    def reasons(self, case: Case) -> Iterator[Reason]:
        if not case.places or case.complaints:
            return
        said = case.order.time_in_force or ("IOC" if case.at_market else "GTC")
        if said not in self.allowed:
            listed = ", ".join(self.allowed) or "none"
            yield self.reason(
                f"time in force {said} is not in time_in_force ({listed})", numbers=(said, listed, "word")
            )

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True  # a lane holds one type and one time in force
