"""How many positions there are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from policykit.decision import Hold, Reason, positions_counter
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.exposing import opens, raised
from policykit.engine.lane import Lane
from policykit.engine.setup import Setup
from policykit.engine.use import RoomOf
from policykit.units import MAX_COUNTER


class OpenPositions(Check):
    """Denies an increase after which more than `risk.max_open_positions` positions could be open (G35).

    The store counts, in one step with the reservation: every position of the account that is worth anything at its
    worst, with every order that is out, so two bots cannot open two at once. What is left over on spot (dust) counts.
    """

    id = "risk.max_open_positions"
    codes = ("RISK_OPEN_POSITIONS", "RISK_QUOTE_ASSET", "PRICE_MISSING")
    rank = 87
    room = RoomOf("exposure")

    def __init__(self, setup: Setup, limit: int) -> None:
        super().__init__(setup)
        self.limit = limit

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        risk = setup.policy.risk
        limit = risk.max_open_positions if risk is not None else None
        return cls(setup, limit) if limit is not None else None

    def reasons(self, case: Case) -> Iterator[Reason]:
        quote = raised(case)
        if quote is not None:
            yield self.reason(
                f"selling {case.order.symbol} may open a position in {quote}, which is counted only once "
                "it is observed; buy it in a market of its own",
                "RISK_QUOTE_ASSET",
            )

    def holds(self, case: Case) -> Iterator[Hold]:
        if opens(case):
            counter = positions_counter(self.setup.account, case.position_key)
            yield Hold(counter, 1, min(self.limit, MAX_COUNTER), "positions", self.id)

    def claims(self, case: Case) -> Iterator[Hold]:
        return (hold._replace(counter=positions_counter(self.setup.account, "")) for hold in self.holds(case))

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True  # a lane holds one position

    def explain(self, case: Case, hold: Hold, used: int) -> Reason:
        return self.reason(
            f"{used} other positions are open (with orders that are out, and dust), max_open_positions is {hold.limit}",
            numbers=(str(used + 1), str(hold.limit), "positions"),
        )
