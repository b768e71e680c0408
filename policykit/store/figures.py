"""What losses of an account are counted from: equity, what was transferred, and where day, week and peak began.

All transfers are kept in the frame of the running day: `net_transfers` since its start. When a day begins, what was
transferred between the two starts (`Observation.carried_transfers`) goes over into the week's sum and the peak. Where a
week or a peak is kept, no day begins before that was read: a missing day base denies, a wrong frame would be head-room.
"""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Any, Final

from policykit.engine.facts import Fact
from policykit.store.base import Observation
from policykit.store.codec import fact_from_list, fact_to_list
from policykit.units import MAX_DIGITS, plain

#: Never the bot's own decimal context.
_EXACT: Final = Context(prec=2 * MAX_DIGITS)


class Figures:
    """The newest equity and transfers, and what they are held against. None: not known."""

    def __init__(self) -> None:
        self.equity: Fact | None = None
        self.day_base: Fact | None = None
        self.net_transfers: Fact | None = None
        self.week_base: Fact | None = None
        self.week_transfers: Decimal | None = None
        self.peak: Fact | None = None

    def observe(self, seen: Observation) -> None:
        """Take facts in; an older `as_of_ms` never replaces a newer one."""
        if seen.equity is not None and _newer(seen, self.equity):
            self.equity = Fact(seen.equity, seen.as_of_ms)
            self._start_day(seen, seen.equity)
            self._start_week(seen, seen.equity)
        if seen.net_transfers is not None and _newer(seen, self.net_transfers):
            self.net_transfers = Fact(seen.net_transfers, seen.as_of_ms)
            self._raise_peak(seen)

    def _start_day(self, seen: Observation, equity: Decimal) -> None:
        day = seen.day_start_ms
        if not day or seen.as_of_ms < day or (self.day_base is not None and self.day_base.as_of_ms >= day):
            return
        if self.day_base is not None and self.week_transfers is not None:  # no peak is kept without a week
            carried = seen.carried_transfers
            if carried is None:
                return
            self.week_transfers = _EXACT.add(self.week_transfers, carried)
            if self.peak is not None:
                self.peak = self.peak._replace(value=_EXACT.add(self.peak.value, carried))
        # Taken late in the day, the base is without what was deposited since its start: that is no profit lost.
        self.day_base = Fact(_EXACT.subtract(equity, seen.net_transfers or Decimal(0)), day)
        self.net_transfers = None

    def _start_week(self, seen: Observation, equity: Decimal) -> None:
        week = seen.week_start_ms
        new = seen.as_of_ms >= week > (0 if self.week_base is None else self.week_base.as_of_ms)
        if new and self._framed(seen):
            # As it was at the running day's start, so that all transfers of the day count from here on.
            self.week_base = Fact(_EXACT.subtract(equity, seen.net_transfers or Decimal(0)), week)
            self.week_transfers = Decimal(0)

    def _framed(self, seen: Observation) -> bool:
        """Tell whether the day that is kept is the one that transfers were read for."""
        return self.day_base is not None and self.day_base.as_of_ms == seen.day_start_ms

    def _raise_peak(self, seen: Observation) -> None:
        """Keep the highest of equity and transfers that were read together; kept for ever once it is asked for."""
        if seen.equity is None or seen.net_transfers is None or not self._framed(seen):
            return
        if seen.week_start_ms or self.peak is not None:
            own = _EXACT.subtract(seen.equity, seen.net_transfers)
            if self.peak is None or own > self.peak.value:
                self.peak = Fact(own, seen.as_of_ms)

    def dump(self) -> dict[str, Any]:
        facts = ("equity", "day_base", "net_transfers", "week_base", "peak")
        transfers = None if self.week_transfers is None else plain(self.week_transfers)
        return {name: fact_to_list(getattr(self, name)) for name in facts} | {"week_transfers": transfers}

    def load(self, data: dict[str, Any]) -> None:
        """Read what `dump` wrote; a checkpoint of an earlier version has neither week nor peak."""
        self.equity = fact_from_list(data["equity"])
        self.day_base = fact_from_list(data["day_base"])
        self.net_transfers = fact_from_list(data["net_transfers"])
        self.week_base = fact_from_list(data.get("week_base"))
        self.peak = fact_from_list(data.get("peak"))
        transfers = data.get("week_transfers")
        self.week_transfers = None if transfers is None else Decimal(transfers)


def _newer(seen: Observation, fact: Fact | None) -> bool:
    return fact is None or seen.as_of_ms >= fact.as_of_ms
