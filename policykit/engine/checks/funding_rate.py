"""What holding a position costs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.contracts import contract, is_contract, known
from policykit.engine.lane import Lane
from policykit.engine.setup import Setup
from policykit.units import Percent, plain


class FundingRate(Check):
    """Denies adding to the side that pays funding while the rate is over `risk.max_funding_rate`.

    Longs pay a rate over 0, shorts one below. Contracts that end on a day have no funding, and pass.
    """

    id = "risk.max_funding_rate"
    codes = ("RISK_FUNDING", "FACTS_MISSING", "FACTS_STALE")
    rank = 79

    def __init__(self, setup: Setup, limit: Percent) -> None:
        super().__init__(setup)
        self.limit = limit

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        risk = setup.policy.risk
        limit = risk.max_funding_rate if risk is not None else None
        return cls(setup, limit) if limit is not None else None

    def reasons(self, case: Case) -> Iterator[Reason]:
        symbol = case.order.symbol
        if not is_contract(case) or "-" in symbol.partition(":")[2]:
            return
        rate = known(case, contract(case).funding_rate, "funding rate")
        pays = rate if case.order.side == "buy" else rate.copy_negate()
        if not pays <= self.limit.fraction:
            side = "long" if case.order.side == "buy" else "short"
            yield self.reason(
                f"a {side} position in {symbol} pays {Percent(pays)} of funding, max_funding_rate is {self.limit}",
                numbers=(plain(pays * 100), plain(self.limit.fraction * 100), "%"),
            )

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True  # lanes hold no contracts
