"""Amends in a span of time."""

from __future__ import annotations

from policykit.engine.case import Case
from policykit.engine.counting import Counting


class AmendRate(Counting):
    """Denies an amend that can increase when `risk.max_amends` were admitted in the rolling window (G34).

    Amends that can only reduce count and are not stopped.
    """

    id = "risk.max_amends"
    codes = ("RATE_AMENDS",)
    rank = 97

    def counter(self, case: Case) -> str | None:
        return "amends" if case.places and not case.creates else None

    def what(self, case: Case) -> str:
        return "amends"
