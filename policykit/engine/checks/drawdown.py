"""How far equity fell from its highest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check, Unknown
from policykit.engine.lane import Lane
from policykit.engine.losses import day_base, day_transfers, held, lost
from policykit.engine.money import money
from policykit.engine.setup import Setup
from policykit.engine.use import RoomOf, Use
from policykit.model.loss_limits import Drawdown as DrawdownPolicy


class Drawdown(Check):
    """Denies increases once equity is `risk.max_drawdown.limit` below its highest, transfers taken out (G36).

    The highest is kept in the store from the first round under such a policy on, over restarts. When a person lifts the
    halt that this limit set (`policykit resume`), the highest starts anew at what equity is then.
    """

    id = "risk.max_drawdown"
    codes = ("DRAWDOWN", "PEAK_MISSING", "DAY_BASE_MISSING", "FACTS_MISSING")
    rank = 112
    room = RoomOf("loss")

    def __init__(self, setup: Setup, policy: DrawdownPolicy) -> None:
        super().__init__(setup)
        self.policy = policy

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        risk = setup.policy.risk
        policy = risk.max_drawdown if risk is not None else None
        return cls(setup, policy) if policy is not None else None

    def uses(self, case: Case) -> Iterator[Use]:
        peak = case.facts.peak
        if peak is None:
            raise Unknown("PEAK_MISSING", "the highest equity was not observed")
        day_base(case)  # the highest is kept in the running day's frame
        fall = lost(peak.value, day_transfers(case), case.equity.value)
        return held(case, fall, self.policy.limit, peak.value, "at its highest")

    def reasons(self, case: Case) -> Iterator[Reason]:
        for use in self.uses(case):
            if use.reached:
                yield self.reason(
                    f"equity is {money(use.used, use.unit)} below its highest, max_drawdown is "
                    f"{money(use.limit, use.unit)}{use.how}",
                    numbers=use.numbers,
                    on_breach=self.policy.on_breach,
                )

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True  # facts, and a lane is for one set of facts
