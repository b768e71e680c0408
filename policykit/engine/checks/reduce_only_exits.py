"""Exits that the exchange itself keeps from turning."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.facts import Position
from policykit.engine.lane import Lane
from policykit.engine.setup import Setup


class ReduceOnlyExits(Check):
    """Denies an order in contracts that trades against the position without `reduceOnly` or `closePosition`.

    Set by `risk.reduce_only_exits`: an exit without the flag can turn the position round when another one filled
    first. It is the one limit that stops what can only reduce, too: the same order with the flag passes. In hedge mode
    an order of the leg it closes needs no flag. An unknown position denies by the age of facts.
    """

    id = "risk.reduce_only_exits"
    codes = ("RISK_REDUCE_ONLY",)
    rank = 62
    stops_reductions = True

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        risk = setup.policy.risk
        return cls(setup) if risk is not None and risk.reduce_only_exits else None

    def reasons(self, case: Case) -> Iterator[Reason]:
        if not case.places or case.forbidden or case.market is None or case.market.settle is None:
            return
        order = case.order
        held = case.facts.positions.get(case.position_key, Position())
        if held.high > 0 if order.side == "sell" else held.low < 0:
            yield self.reason(
                f"{order.side} {order.symbol} is against the position and does not say reduceOnly; "
                "reduce_only_exits asks for it: set reduceOnly, or closePosition"
            )

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True  # lanes hold spot markets only
