"""The store's own health."""

from __future__ import annotations

from collections.abc import Iterator

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.lane import Lane


class StoreState(Check):
    """Denies increases while the store cannot be trusted, or while open orders of an earlier run are not settled.

    A store that was reset, is damaged, or would forget its halts is no ground to take more risk on.
    """

    id = "trading.store"
    codes = ("STORE_DOWN", "STORE_DAMAGED", "STORE_RESET", "STORE_EPHEMERAL", "RECOVERY_PENDING")
    rank = 25

    def reasons(self, case: Case) -> Iterator[Reason]:
        problem = case.facts.store_problem
        if problem is not None:
            yield self.reason(problem[1], problem[0])
        if not case.facts.recovered:
            waits = case.facts.waits or ("open orders of an earlier run are not settled, or positions not reconciled",)
            yield self.reason(f"increases wait: {'; '.join(waits)}", "RECOVERY_PENDING")

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True
