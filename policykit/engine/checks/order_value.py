"""What cannot be valued."""

from __future__ import annotations

from collections.abc import Iterator

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.lane import Lane


class OrderValue(Check):
    """Denies increases whose worth is not known: no fresh price, no contract size, or numbers beyond the counters.

    A market order costs the mark and 5 % of slippage, a stop the worse of trigger and limit, an order in quote quantity
    that quantity; other currencies are converted over observed marks, stablecoins too.
    """

    id = "order.value"
    codes = ("PRICE_MISSING", "PRICE_STALE", "CONTRACT_SIZE_MISSING", "CONTRACT_QUANTO", "NUMBER_RANGE")
    rank = 65

    def reasons(self, case: Case) -> Iterator[Reason]:
        if case.problem is not None:
            raise case.problem
        return iter(())

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True  # a lane values by the same price and rate, while both are fresh
