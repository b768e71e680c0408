"""How the day's loss came about, from the equity that the journal's `observe` rows hold, and where its pace leads."""

from __future__ import annotations

from collections import deque
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple

from policykit.dashboard.words import number
from policykit.engine.burn import SPAN_MS, burn
from policykit.store.base import Row

#: Points kept of an account, the newest; accounts kept.
MAX_POINTS: Final = 5_000
MAX_ACCOUNTS: Final = 100
#: Points drawn at most.
DRAWN: Final = 240
#: The pace is that of the last hour (engine/burn.py), and is told from so much of it on, ms.
LEAST_MS: Final = 60_000
#: A day further off than this is not told, hours.
FAR_H: Final = 24

Points = list[tuple[int, Decimal]]


class Seen(NamedTuple):
    """Equity less what was transferred in, and when it was read."""

    at_ms: int
    own: Decimal


class Equity:
    """The equity of each account over time; rows are taken in once, in order."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[Seen]] = {}
        self._transfers: dict[str, Decimal] = {}

    def take(self, row: Row) -> None:
        """Take in what a row tells of an account's equity, if it does."""
        body = row.body
        account = body.get("account")
        if row.kind != "observe" or not isinstance(account, str):
            return
        transfers, equity = _decimal(body.get("net_transfers")), _decimal(body.get("equity"))
        if transfers is not None:
            self._transfers[account] = transfers
        at_ms = body.get("as_of_ms")
        if equity is None or not isinstance(at_ms, int) or (account not in self._seen and self._full()):
            return
        kept = self._seen.setdefault(account, deque(maxlen=MAX_POINTS))
        kept.append(Seen(at_ms, equity - self._transfers.get(account, Decimal(0))))

    def _full(self) -> bool:
        return len(self._seen) >= MAX_ACCOUNTS

    def losses(self, account: str, base: Decimal, since_ms: int) -> Points:
        """Return the loss against the day's base over time, at most DRAWN points; a profit is below zero."""
        found = [(seen.at_ms, base - seen.own) for seen in self._seen.get(account, ()) if seen.at_ms >= since_ms]
        step = -(-len(found) // DRAWN) or 1
        return found[::-1][::step][::-1]  # the newest is always among them


def outlook(points: Points, used: Decimal, limit: Decimal, unit: str) -> str:
    """Say where the day stands and when its limit is reached at the pace of the last hour."""
    if used >= limit:
        return "The limit is reached: what could increase exposure is refused."
    if not points:
        return "No equity was read today."
    now_ms, now = points[-1]
    stands = f"Up {number(-now)} {unit} today." if now < 0 else f"{number(limit - now)} {unit} to the limit."
    past_ms = next((at_ms for at_ms, _ in points if at_ms > now_ms - SPAN_MS), now_ms)
    found = burn(points, limit, now_ms, now_ms + FAR_H * SPAN_MS)
    if now_ms - past_ms < LEAST_MS or found is None or found.met_ms is None:
        return stands
    hours = (found.met_ms - now_ms) / SPAN_MS
    length = f"{hours * 60:.0f} minutes" if hours < 2 else f"{hours:.1f} hours"
    return f"{stands} At the pace of the last hour it is reached in {length}."


def _decimal(value: Any) -> Decimal | None:
    try:
        found = None if value is None else Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found is not None and found.is_finite() else None
