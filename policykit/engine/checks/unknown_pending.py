"""Orders without a known outcome."""

from __future__ import annotations

from collections.abc import Iterator

from policykit.decision import Hold, Reason, unknown_counter
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.lane import Lane


class UnknownPending(Check):
    """Denies increases on a symbol and side where an earlier order has no known outcome yet.

    A bot decides again; its new order would be the duplicate. Holds in every policy and cannot be taken out. Cancels
    and reductions pass.
    """

    id = "order.outcome_pending"
    codes = ("ORDER_OUTCOME_PENDING",)
    rank = 85

    # INVARIANT I1: no second order opens while the first is unknown.
    def holds(self, case: Case) -> Iterator[Hold]:
        if case.places and not case.complaints and not case.reduces:
            counter = unknown_counter(self.setup.account, case.order.symbol, case.order.side)
            yield Hold(counter, 0, 0, "clear", self.id)

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True

    def explain(self, case: Case, hold: Hold, used: int) -> Reason:
        orders = "an earlier order" if used == 1 else f"{used} earlier orders"
        return self.reason(
            f"the outcome of {orders} ({case.order.symbol} {case.order.side}) is not known yet; "
            "wait until it is settled, see: policykit orders --unknown",
            numbers=(str(used), "0", "orders"),
        )
