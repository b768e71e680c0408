"""The clock."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Self

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check, Unknown
from policykit.engine.lane import Lane
from policykit.engine.setup import Setup
from policykit.engine.use import RoomOf, Use


class ClockSkew(Check):
    """Denies increases while the clock is further from the exchange's than `clock.max_skew`, or was never compared.

    Windows, ages and the fence all lean on the clock.
    """

    id = "clock.max_skew"
    codes = ("CLOCK_SKEW",)
    rank = 40
    room = RoomOf("clock")

    def __init__(self, setup: Setup, bound_ms: int) -> None:
        super().__init__(setup)
        self.bound_ms = bound_ms

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        return cls(setup, setup.skew_ms) if setup.skew_ms is not None else None

    # INVARIANT I11: beyond the bound no clock talks anybody over a limit.
    def uses(self, case: Case) -> Iterator[Use]:
        bound, skew = self.bound_ms, case.facts.skew_ms
        if skew is None:
            raise Unknown("CLOCK_SKEW", "the clock was never compared with the exchange's")
        yield Use(Decimal(abs(skew)), Decimal(bound), "ms", not abs(skew) <= bound)

    def reasons(self, case: Case) -> Iterator[Reason]:
        bound, skew = self.bound_ms, case.facts.skew_ms
        if skew is None:
            yield self.reason("the clock was never compared with the exchange's")
            return
        for use in self.uses(case):
            if use.reached:
                text = f"the clock is {use.used} ms {'ahead' if skew > 0 else 'behind'}, over max_skew {bound} ms"
                yield self.reason(text, numbers=use.numbers)

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True
