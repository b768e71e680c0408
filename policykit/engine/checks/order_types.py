"""How orders may be placed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.lane import Lane
from policykit.engine.setup import Setup


class OrderTypes(Check):
    """Denies increases by order types that `risk.order_types` does not name, in ccxt's words.

    An order with a stop price is no plain limit or market order: its type must be named as such (`stop_loss_limit`).
    """

    id = "risk.order_types"
    codes = ("RISK_ORDER_TYPE",)
    rank = 60

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        risk = setup.policy.risk
        return cls(setup) if risk is not None and risk.order_types is not None else None

    def reasons(self, case: Case) -> Iterator[Reason]:
        risk = self.setup.policy.risk
        assert risk is not None
        assert risk.order_types is not None
        order = case.order
        if not case.places or not isinstance(order.type, str):
            return
        listed = ", ".join(risk.order_types)
        if order.type not in risk.order_types:
            yield self.reason(
                f"type {order.type} is not in order_types ({listed})", numbers=(order.type, listed, "type")
            )
        elif order.stop_price is not None and order.type in ("limit", "market", "limit_maker"):
            yield self.reason(
                f"a {order.type} order with a stop price is no {order.type} order; "
                f"order_types ({listed}) does not name it",
                numbers=(f"stop {order.type}", listed, "type"),
            )

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True  # a lane holds one type, and no stops
