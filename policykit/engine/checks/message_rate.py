"""Messages in a span of time."""

from __future__ import annotations

from policykit.engine.case import Case
from policykit.engine.counting import Counting


class MessageRate(Counting):
    """Denies an increase when `risk.max_messages` (orders, amends, cancels) were sent in the rolling window (G34).

    Cancels and reductions count and always pass.
    """

    id = "risk.max_messages"
    codes = ("RATE_MESSAGES",)
    rank = 98
    counts_cancels = True

    def counter(self, case: Case) -> str | None:
        return "messages" if case.places or case.cancels else None

    def what(self, case: Case) -> str:
        return "messages (orders, amends, cancels)"
