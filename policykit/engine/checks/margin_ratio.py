"""How much of the margin is needed."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_CEILING
from typing import Self

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.contracts import SHOWN, fresh_fact
from policykit.engine.lane import Lane
from policykit.engine.setup import Setup
from policykit.engine.use import RoomOf, Use
from policykit.units import Percent


class MarginRatio(Check):
    """Denies increases while maintenance margin takes more of the margin balance than `risk.max_margin_ratio` (G01).

    At 100 % the exchange liquidates. Holds contracts, and spot that may borrow: in a unified account both share a
    margin. Spot that cannot borrow has none, and passes.
    """

    id = "risk.max_margin_ratio"
    codes = ("RISK_MARGIN_RATIO", "FACTS_MISSING", "FACTS_STALE")
    rank = 74
    room = RoomOf("margin")

    def __init__(self, setup: Setup, limit: Percent) -> None:
        super().__init__(setup)
        self.limit = limit

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        risk = setup.policy.risk
        limit = risk.max_margin_ratio if risk is not None else None
        return cls(setup, limit) if limit is not None else None

    def uses(self, case: Case) -> Iterator[Use]:
        ratio = fresh_fact(case, case.facts.margin_ratio, "the margin ratio")
        yield Use(ratio * 100, self.limit.fraction * 100, "%", not ratio <= self.limit.fraction)

    def reasons(self, case: Case) -> Iterator[Reason]:
        if case.places and not case.complaints and not case.long_only:
            for use in self.uses(case):
                if use.reached:
                    ratio = Percent((use.used / 100).quantize(SHOWN, ROUND_CEILING))
                    yield self.reason(
                        f"maintenance margin takes {ratio} of the margin balance, max_margin_ratio is {self.limit}",
                        numbers=use.numbers,
                    )

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True  # lanes hold spot that cannot borrow
