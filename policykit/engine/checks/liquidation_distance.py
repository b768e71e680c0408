"""How near a liquidation is."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_FLOOR
from typing import Self

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check, Unknown
from policykit.engine.contracts import SHOWN, contract, is_contract, known
from policykit.engine.lane import Lane
from policykit.engine.money import DOWN, ZERO
from policykit.engine.setup import Setup
from policykit.units import Percent, plain


class LiquidationDistance(Check):
    """Denies adding to a position in contracts whose liquidation price is nearer than the limit (G01).

    `risk.min_liquidation_distance`: the distance between mark and liquidation price as a share of the mark. A position
    that is flat has none; one whose liquidation price was not observed denies, and 0 says that it cannot be liquidated.
    """

    id = "risk.min_liquidation_distance"
    codes = ("RISK_LIQUIDATION", "FACTS_MISSING", "FACTS_STALE", "PRICE_MISSING", "PRICE_STALE")
    rank = 73

    def __init__(self, setup: Setup, limit: Percent) -> None:
        super().__init__(setup)
        self.limit = limit

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        risk = setup.policy.risk
        limit = risk.min_liquidation_distance if risk is not None else None
        return cls(setup, limit) if limit is not None else None

    def reasons(self, case: Case) -> Iterator[Reason]:
        if not is_contract(case):
            return
        position, symbol = case.position, case.order.symbol
        if position is None:
            raise Unknown("FACTS_STALE", f"the position in {symbol} is not known")
        if position.low == position.high == 0:
            return
        at = known(case, contract(case).liquidation_price, "liquidation price")
        if not at:
            return
        mark = case.mark(symbol)
        if self.setup.policy.account.position_mode == "hedge":
            away = DOWN.subtract(mark, at).copy_abs()  # the nearer price of both legs, whichever it is of
        else:
            # A position that may be long or short, as far as is known, has the worse of both, which is below 0.
            long, short = DOWN.subtract(mark, at), DOWN.subtract(at, mark)
            away = min([long] * (position.high > 0) + [short] * (position.low < 0))
        distance = DOWN.divide(away, mark)
        if not distance >= self.limit.fraction:
            percent = Percent(max(ZERO, distance).quantize(SHOWN, ROUND_FLOOR))
            yield self.reason(
                f"the liquidation price of {symbol} is {percent} from the mark, "
                f"min_liquidation_distance is {self.limit}",
                numbers=(plain(distance * 100), plain(self.limit.fraction * 100), "%"),
            )

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True  # lanes hold no contracts
