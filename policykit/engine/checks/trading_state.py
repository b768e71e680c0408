"""Halts."""

from __future__ import annotations

from collections.abc import Iterator

from policykit.clock import iso
from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.lane import Lane


class TradingStateCheck(Check):
    """Denies increases while trading is REDUCING or HALTED, and reductions too while it is frozen.

    Orders that can only reduce pass in REDUCING and in HALTED: a halt that blocks exits is a fault. Only
    `kill --freeze`, for a suspected compromise, blocks them, and says so. Cancels always pass.
    """

    id = "trading.state"
    codes = ("TRADING_HALTED", "TRADING_REDUCING", "TRADING_FROZEN")
    rank = 20
    stops_reductions = True

    # INVARIANT I15: every halt that binds this bot denies what could increase; a freeze denies reductions as well.
    def reasons(self, case: Case) -> Iterator[Reason]:
        for halt in case.facts.halts:
            said = f"by {halt.by} at {iso(halt.at_ms)} for {halt.scope}: {halt.why}"
            if halt.freeze:
                yield self.reason(f"trading is frozen {said}; reductions are blocked too", "TRADING_FROZEN")
            elif not case.reduces and halt.state == "HALTED":
                yield self.reason(f"trading is halted {said}")
            elif not case.reduces and halt.state == "REDUCING":
                yield self.reason(f"trading is reducing {said}", "TRADING_REDUCING")

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True  # halts are facts, and a lane is for one set of facts
