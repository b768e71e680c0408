"""Leverage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.lane import Lane
from policykit.engine.setup import Setup


class Leverage(Check):
    """Denies increases in contracts while `risk.max_leverage` is set: this version does not observe leverage.

    Spot markets without automatic borrowing have none, and pass.
    """

    id = "risk.max_leverage"
    codes = ("RISK_LEVERAGE",)
    rank = 78

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        risk = setup.policy.risk
        return cls(setup) if risk is not None and risk.max_leverage is not None else None

    def reasons(self, case: Case) -> Iterator[Reason]:
        if case.creates and not case.complaints and not case.long_only:
            yield self.reason(f"the leverage of {case.order.symbol} is not observed by this version")

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True  # lanes hold markets that cannot borrow only
