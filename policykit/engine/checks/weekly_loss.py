"""The week's loss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check, Unknown
from policykit.engine.lane import Lane
from policykit.engine.losses import WEEK_MS, day_base, day_transfers, held, lost, running
from policykit.engine.money import UP, money
from policykit.engine.setup import Setup
from policykit.engine.use import RoomOf, Use
from policykit.model.loss_limits import WeeklyLoss as WeeklyLossPolicy


class WeeklyLoss(Check):
    """Denies increases once the week's loss has reached `risk.weekly_loss.limit` (G36).

    Loss = equity at the week's start + net transfers since - equity, as for a day. The transfers of the days before the
    running one are kept in the store; a week of which they were not all read denies.
    """

    id = "risk.weekly_loss"
    codes = ("WEEKLY_LOSS", "WEEK_BASE_MISSING", "DAY_BASE_MISSING", "FACTS_MISSING")
    rank = 111
    room = RoomOf("loss")

    def __init__(self, setup: Setup, policy: WeeklyLossPolicy) -> None:
        super().__init__(setup)
        self.policy = policy

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        risk = setup.policy.risk
        policy = risk.weekly_loss if risk is not None else None
        return cls(setup, policy) if policy is not None else None

    def uses(self, case: Case) -> Iterator[Use]:
        base = running(case, case.facts.week_base, WEEK_MS, "WEEK_BASE_MISSING", "week").value
        day_base(case)  # else the newest transfers are of another day
        before = case.facts.week_transfers
        if before is None:
            raise Unknown("FACTS_MISSING", "transfers of this week's earlier days were not observed")
        loss = lost(base, UP.add(before, day_transfers(case)), case.equity.value)
        return held(case, loss, self.policy.limit, base, "at the week's start")

    def reasons(self, case: Case) -> Iterator[Reason]:
        for use in self.uses(case):
            if use.reached:
                yield self.reason(
                    f"the week's loss {money(use.used, use.unit)} has reached weekly_loss "
                    f"{money(use.limit, use.unit)}{use.how}",
                    numbers=use.numbers,
                    on_breach=self.policy.on_breach,
                )

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True  # facts, and a lane is for one set of facts
