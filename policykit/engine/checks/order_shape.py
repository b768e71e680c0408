"""The shape of an order."""

from __future__ import annotations

from collections.abc import Iterator

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.lane import Lane
from policykit.order import ACTIONS


class OrderShape(Check):
    """Denies an order that cannot be understood: an unknown action, side, market, or a number that is none.

    NaN, infinity, zero, negative numbers and bool are no numbers. Nothing here depends on the policy, and nothing that
    is not understood can be known to reduce.
    """

    id = "order.shape"
    codes = ("ORDER_INVALID",)
    rank = 10
    stops_reductions = True

    def reasons(self, case: Case) -> Iterator[Reason]:
        if case.action not in ACTIONS:
            yield self.reason("the action is not one of policykit's")
        for complaint in case.complaints:
            yield self.reason(f"malformed order: {complaint}")

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True  # a lane holds one action, symbol, side and type, and tests its numbers itself
