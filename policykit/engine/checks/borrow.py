"""What is borrowed."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final, Self

from policykit.decision import Hold, Reason
from policykit.engine.bounds import limits
from policykit.engine.case import Case
from policykit.engine.check import Check, Unknown
from policykit.engine.contracts import fresh_fact
from policykit.engine.lane import Lane
from policykit.engine.money import DOWN, HIGHEST, UP, exposure_down, exposure_up, money, unit_steps
from policykit.engine.setup import Setup
from policykit.engine.use import RoomOf
from policykit.units import EXPOSURE_SCALE, MAX_COUNTER, SCALE, Bound, plain

#: A fact may miss what was borrowed so long before it was asked for, ms; with the age of the fact, a loan counts on its
#: own until the newest fact must hold it.
LAG_MS: Final = 10_000


class Borrow(Check):
    """Denies a loan after which more than `risk.max_borrow` would be borrowed, and orders that may borrow (G01).

    `margin.borrow` is held against what is borrowed and what was asked for since that was read. Where auto-borrow is
    not known to be off, an order that increases may borrow without a word; under this cap it is denied. Paying back
    always passes.
    """

    id = "risk.max_borrow"
    codes = (
        "RISK_BORROW",
        "ORDER_INVALID",
        "FACTS_MISSING",
        "FACTS_STALE",
        "PRICE_MISSING",
        "PRICE_STALE",
        "NUMBER_RANGE",
    )
    rank = 66
    room = RoomOf("loan")

    def __init__(self, setup: Setup, bounds: tuple[Bound, ...]) -> None:
        super().__init__(setup)
        self.bounds = bounds

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        risk = setup.policy.risk
        bounds = risk.max_borrow if risk is not None else None
        return cls(setup, bounds) if bounds is not None else None

    def reasons(self, case: Case) -> Iterator[Reason]:
        if case.action == "margin.borrow" and _amount(case) is None:
            yield self.reason("the amount to borrow is not a number over 0", "ORDER_INVALID")
        spot = case.market is not None and case.market.settle is None
        if case.places and not case.complaints and spot and not case.long_only:
            yield self.reason(
                f"{case.order.symbol} may borrow by itself, which max_borrow cannot hold; trade where auto-borrow is "
                "known to be off, or take the limit out"
            )

    # INVARIANT I8: the fact and the window overlap, so no loan is in neither.
    def holds(self, case: Case) -> Iterator[Hold]:
        amount = _amount(case) if case.action == "margin.borrow" else None
        if amount is None:
            return
        currency = self.setup.currency
        worth = UP.multiply(amount, case.rate(case.order.symbol, currency, up=True))
        owed = fresh_fact(case, case.facts.borrowed, "what is borrowed")
        left = exposure_down(DOWN.subtract(limits(case, self.bounds, currency)[0].value, owed))
        steps = exposure_up(SCALE, unit_steps(worth))
        if steps > MAX_COUNTER:
            raise Unknown("NUMBER_RANGE", "the loan's worth is beyond what counters hold exactly")
        counter, span_ms = f"{self.setup.account}|borrowed", self.setup.max_age_ms + LAG_MS
        yield Hold(counter, steps, min(MAX_COUNTER, max(0, left)), "window", self.id, span_ms)

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True  # lanes hold spot that cannot borrow

    def explain(self, case: Case, hold: Hold, used: int) -> Reason:
        more, left = Decimal(used + hold.amount) / EXPOSURE_SCALE, Decimal(hold.limit) / EXPOSURE_SCALE
        return self.reason(
            f"{money(more, self.setup.currency)} more would be borrowed, max_borrow leaves {money(left)}",
            numbers=(plain(more), plain(left), self.setup.currency),
        )


def _amount(case: Case) -> Decimal | None:
    quantity = case.order.quantity
    fits = isinstance(quantity, Decimal) and quantity.is_finite() and 0 < quantity <= HIGHEST
    return quantity if fits else None
