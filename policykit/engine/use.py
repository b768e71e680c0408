"""How much of a limit is used: what a check says of it before anything is denied."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, NamedTuple

from policykit.units import plain

#: What a limit is of: the exchange's allowances, calls in a span of time, orders that are out, one position, all of
#: them together, what was lost, the margin, loans, the clock.
Kind = Literal["budget", "rate", "orders", "position", "exposure", "loss", "margin", "loan", "clock"]
#: What a limit is kept for: the account, or each symbol, base asset, group, or budget of it.
By = Literal["account", "symbol", "asset", "group", "budget"]


class RoomOf(NamedTuple):
    """What sort of room a check's limit leaves."""

    kind: Kind
    by: By = "account"


class Use(NamedTuple):
    """What is used of a limit that is held against facts; `how` the limit came about, for messages.

    `reached`: it denies, now. The check's denial says these numbers.
    """

    used: Decimal
    limit: Decimal
    unit: str
    reached: bool
    how: str = ""

    @property
    def numbers(self) -> tuple[str, str, str]:
        """Return them as a reason shows them."""
        return plain(self.used), plain(self.limit), self.unit
