"""The same entry over and over."""

from __future__ import annotations

from policykit.engine.case import Case
from policykit.engine.counting import Counting
from policykit.engine.use import RoomOf


class RepeatedExecution(Counting):
    """Denies an entry when `risk.repeated_execution` entries of its symbol and side were admitted in the window (G34).

    A strategy that repeats itself is stopped until the window has passed; where a person is to resume it (RTS 6,
    article 15), `risk.on_breach` says `reduce_only` or `halt`. What can only reduce is no entry.
    """

    id = "risk.repeated_execution"
    codes = ("RATE_REPEATED",)
    rank = 99
    room = RoomOf("rate", "symbol")

    def counter(self, case: Case) -> str | None:
        order = case.order
        return f"entries|{order.symbol}|{order.side}" if case.creates and not case.reduces else None

    def what(self, case: Case) -> str:
        return f"entries of {case.order.symbol} {case.order.side}"
