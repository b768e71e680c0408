"""The same order twice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from decimal import Decimal
from typing import Self

from policykit.decision import Hold, Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.setup import Setup
from policykit.order import Order
from policykit.units import Duration, plain


class DuplicateWindow(Check):
    """Denies an entry like one admitted less than `risk.duplicate_window` ago (G34; RTS 6, article 15).

    Alike: symbol, side, type, quantity and all prices, as numbers (`0.010` is `0.01`). What can only reduce neither
    counts nor is stopped.
    """

    id = "risk.duplicate_window"
    codes = ("ORDER_DUPLICATE",)
    rank = 92

    def __init__(self, setup: Setup, span: Duration) -> None:
        super().__init__(setup)
        self.span = span

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        risk = setup.policy.risk
        span = risk.duplicate_window if risk is not None else None
        return cls(setup, span) if span is not None and span.ms else None

    def holds(self, case: Case) -> Iterator[Hold]:
        if case.creates and not case.reduces and not case.complaints:
            counter = f"{self.setup.account}|like|{_digest(case.order)}|{self.span.ms}"
            yield Hold(counter, 1, 1, "window", self.id, self.span.ms)

    def explain(self, case: Case, hold: Hold, used: int) -> Reason:
        order = case.order
        return self.reason(
            f"an order like this one ({order.symbol} {order.side} {order.type}) was admitted in the last {self.span}, "
            f"duplicate_window is {self.span}; if it is meant twice, wait",
            numbers=(str(used + 1), "1", "orders"),
        )


def _digest(order: Order) -> str:
    numbers = (order.quantity, order.price, order.stop_price, order.quote_quantity)
    said = [order.symbol, order.side, order.type, order.position_side, *map(_number, numbers)]
    return hashlib.sha256(repr(said).encode()).hexdigest()[:16]


def _number(number: Decimal | None) -> str | None:
    return None if number is None else plain(number)
