"""The age of facts."""

from __future__ import annotations

from collections.abc import Iterator

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.lane import Lane
from policykit.engine.money import seconds


class FactsAge(Check):
    """Denies increases when equity or positions were never observed, or are older than `account.max_age` (10 s).

    Stale is unknown, not zero. A fact dated further ahead than the clock bound is as good as stale.
    """

    id = "account.max_age"
    codes = ("FACTS_STALE", "FACTS_MISSING")
    rank = 45

    def reasons(self, case: Case) -> Iterator[Reason]:
        equity = case.facts.equity
        for name, as_of_ms in (
            ("equity", equity.as_of_ms if equity is not None else None),
            ("positions", case.facts.positions_as_of_ms),
        ):
            if as_of_ms is None:
                yield self.reason(f"{name} never observed", "FACTS_MISSING")
            elif not case.fresh(as_of_ms, case.setup.max_age_ms):
                age, bound = case.age_ms(as_of_ms), case.setup.max_age_ms
                what = (
                    f"{seconds(age)} old, over max_age {seconds(bound)}"
                    if age >= 0
                    else f"{seconds(-age)} ahead of the clock"
                )
                yield self.reason(f"{name} {what}", numbers=(str(age), str(bound), "ms"))

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True
