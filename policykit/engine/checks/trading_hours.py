"""When may be traded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple, Self

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.lane import Lane
from policykit.engine.setup import Setup

DAY_MS: Final = 86_400_000
MINUTE_MS: Final = 60_000
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: 1 January 1970 was a Thursday.
_FIRST: Final = 3


class Hours(NamedTuple):
    """Some days of the week, and from when to when (ms of the day, UTC; the end is not in it)."""

    days: frozenset[int]
    start_ms: int
    end_ms: int


class TradingHoursCheck(Check):
    """Denies increases outside `risk.trading_hours` (UTC); exits pass at any time.

    The last minute named is not in it: `08:00-20:00` ends at 20:00. Hours that end before they start are never.
    """

    id = "risk.trading_hours"
    codes = ("RISK_TRADING_HOURS",)
    rank = 57

    def __init__(self, setup: Setup, said: tuple[str, ...]) -> None:
        super().__init__(setup)
        self.said = said
        self.hours = tuple(_read(text) for text in said)

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        risk = setup.policy.risk
        said = risk.trading_hours if risk is not None else None
        return cls(setup, said) if said is not None else None

    def reasons(self, case: Case) -> Iterator[Reason]:
        day, at_ms = divmod(case.now_ms, DAY_MS)
        weekday = (day + _FIRST) % 7
        inside = [h.end_ms for h in self.hours if weekday in h.days and h.start_ms <= at_ms < h.end_ms]
        if inside:
            case.until_ms = min(case.until_ms, day * DAY_MS + max(inside))
            return
        now = f"{_DAYS[weekday]} {at_ms // 3_600_000:02}:{at_ms // MINUTE_MS % 60:02} UTC"
        listed = ", ".join(self.said)
        yield self.reason(f"it is {now}, outside trading_hours ({listed})", numbers=(now, listed, "time"))

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True  # the case ends with the hours


def _read(text: str) -> Hours:
    """Read `mon-fri 08:00-20:00 UTC`, as the language's pattern lets it through."""
    days, hours, _ = text.split(" ")
    start, end = (int(t[:2]) * 3_600_000 + int(t[3:]) * MINUTE_MS for t in hours.split("-"))
    if days == "daily":
        return Hours(frozenset(range(7)), start, end)
    first, _, last = days.partition("-")
    one, other = _DAYS.index(first), _DAYS.index(last or first)
    return Hours(frozenset((one + n) % 7 for n in range((other - one) % 7 + 1)), start, end)
