"""Trades with oneself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.lane import Lane
from policykit.engine.setup import Setup


class SelfTradePrevention(Check):
    """Denies increases by orders that carry none of the modes of `risk.self_trade_prevention`."""

    id = "risk.self_trade_prevention"
    codes = ("RISK_SELF_TRADE",)
    rank = 63

    def __init__(self, setup: Setup, modes: tuple[str, ...]) -> None:
        super().__init__(setup)
        self.modes = modes

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        risk = setup.policy.risk
        modes = risk.self_trade_prevention if risk is not None else None
        return cls(setup, modes) if modes is not None else None

    def reasons(self, case: Case) -> Iterator[Reason]:
        mode = case.order.self_trade_prevention
        if case.places and not case.complaints and mode not in self.modes:
            listed = ", ".join(self.modes) or "none"
            has = f"self-trade prevention {mode}" if mode is not None else "no self-trade prevention"
            yield self.reason(
                f"the order has {has}; self_trade_prevention asks for one of ({listed})",
                numbers=(mode or "none", listed, "mode"),
            )

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True  # a lane holds one mode
