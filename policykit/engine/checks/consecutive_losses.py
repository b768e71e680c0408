"""Losing trades in a row."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Self

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check, Unknown
from policykit.engine.facts import Streak
from policykit.engine.lane import Lane
from policykit.engine.money import seconds
from policykit.engine.setup import Setup
from policykit.engine.use import RoomOf, Use
from policykit.model.loss_limits import ConsecutiveLosses as ConsecutiveLossesPolicy


class ConsecutiveLosses(Check):
    """Denies increases after `risk.consecutive_losses.limit` losing trades in a row, and for its cooldown after each.

    A trade is a position from flat to flat by our own fills (G36); one whose cost the exchange did not tell counts as
    lost. A trade that is won ends the row, and so does the person who lifts the halt that this limit set.
    """

    id = "risk.consecutive_losses"
    codes = ("LOSS_STREAK", "LOSS_COOLDOWN", "FACTS_MISSING")
    rank = 113
    room = RoomOf("loss")

    def __init__(self, setup: Setup, policy: ConsecutiveLossesPolicy) -> None:
        super().__init__(setup)
        self.policy = policy

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        risk = setup.policy.risk
        policy = risk.consecutive_losses if risk is not None else None
        return cls(setup, policy) if policy is not None else None

    @staticmethod
    def _streak(case: Case) -> Streak:
        if case.facts.streak is None:
            raise Unknown("FACTS_MISSING", "losing trades are not counted yet")
        return case.facts.streak

    def uses(self, case: Case) -> Iterator[Use]:
        losses, limit = self._streak(case).losses, self.policy.limit
        yield Use(Decimal(losses), Decimal(limit), "trades", not losses < limit)

    def reasons(self, case: Case) -> Iterator[Reason]:
        streak, cooldown, (use,) = self._streak(case), self.policy.cooldown, self.uses(case)
        if use.reached:
            yield self.reason(
                f"{streak.losses} trades in a row were lost, consecutive_losses is {self.policy.limit}",
                numbers=use.numbers,
                on_breach=self.policy.on_breach,
            )
        elif cooldown is not None and streak.losses and case.now_ms < streak.at_ms + cooldown.ms:
            left = streak.at_ms + cooldown.ms - case.now_ms
            yield self.reason(
                f"a trade was lost {seconds(case.age_ms(streak.at_ms))} ago, entries wait {seconds(left)} more",
                "LOSS_COOLDOWN",
                numbers=(str(case.age_ms(streak.at_ms)), str(cooldown.ms), "ms"),
            )

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True  # facts, and a lane starts at a moment when no cooldown runs any more
