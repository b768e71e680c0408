"""The day's loss."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final, Self

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check, Unknown
from policykit.engine.lane import Lane
from policykit.engine.money import DOWN, UP, money
from policykit.engine.setup import Setup
from policykit.model.loss_limits import DailyLoss as DailyLossPolicy
from policykit.units import Amount, Bound, plain

DAY_MS: Final = 86_400_000


class DailyLoss(Check):
    """Denies increases once the day's loss has reached `risk.daily_loss.limit` (G36).

    Loss = equity at the day's start + net transfers since - equity, so fees, funding and what is not realised count,
    and deposits do not. Trips at >= the limit; what follows is `on_breach`, and a trip latches in the store. A day
    without a base denies until one is taken.
    """

    id = "risk.daily_loss"
    codes = ("DAILY_LOSS", "DAY_BASE_MISSING", "FACTS_MISSING")
    rank = 110

    def __init__(self, setup: Setup, policy: DailyLossPolicy) -> None:
        super().__init__(setup)
        self.policy = policy

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        risk = setup.policy.risk
        policy = risk.daily_loss if risk is not None else None
        return cls(setup, policy) if policy is not None else None

    def loss(self, case: Case) -> tuple[Decimal, Decimal]:
        """Return the day's loss and base, in the account's currency. Raise Unknown while either is not known."""
        base, transfers = case.facts.day_base, case.facts.net_transfers
        equity = case.equity
        if base is None or not base.as_of_ms - case.setup.ahead_ms <= case.now_ms < base.as_of_ms + DAY_MS:
            raise Unknown("DAY_BASE_MISSING", "equity at the start of this day was not observed")
        case.until_ms = min(case.until_ms, base.as_of_ms + DAY_MS)
        if transfers is None:
            raise Unknown("FACTS_MISSING", "transfers since the start of this day were not observed")
        loss = UP.subtract(UP.add(base.value, transfers.value), equity.value)
        if not loss.is_finite():
            raise Unknown("FACTS_MISSING", "the day's base or its transfers are no numbers")
        return loss, base.value

    def reasons(self, case: Case) -> Iterator[Reason]:
        loss, base = self.loss(case)
        currency = case.setup.currency
        for bound in self.policy.limit:
            limit, how = self._limit(case, bound, base)
            if not loss < limit:
                yield self.reason(
                    f"the day's loss {money(loss, currency)} has reached daily_loss {money(limit, currency)}{how}",
                    numbers=(plain(loss), plain(limit), currency),
                    on_breach=self.policy.on_breach,
                )

    def _limit(self, case: Case, bound: Bound, base: Decimal) -> tuple[Decimal, str]:
        currency = case.setup.currency
        if isinstance(bound, Amount):
            rate = case.rate(bound.currency, currency, up=False)
            return DOWN.multiply(bound.value, rate), "" if bound.currency == currency else f" ({bound})"
        return DOWN.multiply(bound.fraction, base), f" ({bound} {money(base, currency)} at the day's start)"

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True  # equity and base are facts, and a lane is for one set of facts
