"""Bans and Retry-After."""

from __future__ import annotations

from collections.abc import Iterator

from policykit.clock import iso
from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.lane import Lane


class RateBan(Check):
    """Denies everything but cancels before the moment that the exchange named (429 with Retry-After, 418).

    Sending on makes a ban longer, for every bot behind the address.
    """

    id = "rate.ban"
    codes = ("RATE_BANNED",)
    rank = 30
    stops_reductions = True
    stops_reads = True

    # INVARIANT I7: nothing is sent before the stated time.
    def reasons(self, case: Case) -> Iterator[Reason]:
        for scope, until_ms in sorted(case.facts.banned_until_ms.items()):
            if case.now_ms < until_ms:
                yield self.reason(f"the exchange takes nothing from this {scope} before {iso(until_ms)}")

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True  # a ban that is over stays over: a lane is never used before it was made
