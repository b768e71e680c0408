"""Leverage."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Self

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.contracts import contract, is_contract, known
from policykit.engine.lane import Lane
from policykit.engine.setup import Setup
from policykit.units import plain


class Leverage(Check):
    """Denies increases in contracts whose leverage at the exchange is over `risk.max_leverage`, or not known (G01).

    Neither may an order, or a call that configures the account, ask for more; less may always be asked for. Spot that
    cannot borrow has none, and passes; a spot order that may borrow must say its leverage.
    """

    id = "risk.max_leverage"
    codes = ("RISK_LEVERAGE", "FACTS_MISSING", "FACTS_STALE")
    rank = 78

    def __init__(self, setup: Setup, limit: Decimal) -> None:
        super().__init__(setup)
        self.limit = limit

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        risk = setup.policy.risk
        limit = risk.max_leverage if risk is not None else None
        return cls(setup, limit) if limit is not None else None

    def reasons(self, case: Case) -> Iterator[Reason]:
        symbol, asked = case.order.symbol, case.order.leverage
        if asked is not None:
            if case.action == "account.configure" or (case.places and not case.complaints):
                yield from self._over(asked, f"the leverage asked for {symbol}")
        elif case.places and not case.complaints and not is_contract(case) and not case.long_only:
            yield self.reason(
                f"{symbol} may borrow, and its leverage is not observed; say it with the order, or trade where spot "
                "cannot borrow"
            )
        if is_contract(case):
            yield from self._over(known(case, contract(case).leverage, "leverage"), f"the leverage of {symbol}")

    def _over(self, leverage: Decimal, what: str) -> Iterator[Reason]:
        if not 0 < leverage <= self.limit:
            numbers = (plain(leverage), plain(self.limit), "times")
            yield self.reason(f"{what} is {numbers[0]}, max_leverage is {numbers[1]}", numbers=numbers)

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True  # lanes hold markets that cannot borrow only
