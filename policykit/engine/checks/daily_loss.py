"""The day's loss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.lane import Lane
from policykit.engine.losses import day_base, day_transfers, held, lost
from policykit.engine.money import money
from policykit.engine.setup import Setup
from policykit.engine.use import RoomOf, Use
from policykit.model.loss_limits import DailyLoss as DailyLossPolicy


class DailyLoss(Check):
    """Denies increases once the day's loss has reached `risk.daily_loss.limit` (G36).

    Loss = equity at the day's start + net transfers since - equity, so fees, funding and what is not realised count,
    and deposits do not. Trips at >= the limit; what follows is `on_breach`, and a trip latches in the store. A day
    without a base denies until one is taken.
    """

    id = "risk.daily_loss"
    codes = ("DAILY_LOSS", "DAY_BASE_MISSING", "FACTS_MISSING")
    rank = 110
    room = RoomOf("loss")

    def __init__(self, setup: Setup, policy: DailyLossPolicy) -> None:
        super().__init__(setup)
        self.policy = policy

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        risk = setup.policy.risk
        policy = risk.daily_loss if risk is not None else None
        return cls(setup, policy) if policy is not None else None

    def uses(self, case: Case) -> Iterator[Use]:
        equity, base = case.equity.value, day_base(case).value
        loss = lost(base, day_transfers(case), equity)
        return held(case, loss, self.policy.limit, base, "at the day's start")

    def reasons(self, case: Case) -> Iterator[Reason]:
        for use in self.uses(case):
            if use.reached:
                yield self.reason(
                    f"the day's loss {money(use.used, use.unit)} has reached daily_loss "
                    f"{money(use.limit, use.unit)}{use.how}",
                    numbers=use.numbers,
                    on_breach=self.policy.on_breach,
                )

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True  # equity and base are facts, and a lane is for one set of facts
