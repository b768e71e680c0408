"""What was deposited and withdrawn: read when it is due, in the frame of the running day.

Where a week's loss or a peak is kept, the first round of a day also reads what was transferred between the day that the
store knows and this one; without it no day begins, and increases are denied.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from policykit.engine.money import DOWN
from policykit.exchanges.base import run
from policykit.guard.given import DAY_MS, day_start_ms

if TYPE_CHECKING:
    from policykit.guard.core import Guard

#: Deposits and withdrawals are read this often, ms: they are dear and seldom.
EVERY_MS: Final = 60_000
#: A share of equity by which it moves between two rounds only when something was deposited, withdrawn or traded.
JUMP: Final = Decimal("0.001")
#: The first transfers of a day have none before them to be compared with: one that is no older than this when equity
#: was asked for, ms, may be in it or not.
FRESH_MS: Final = 3_000
#: The longest span that is asked for at once, ms; Binance's lists take 90 days (wallet, deposit history, read 2026-11).
PIECE_MS: Final = 30 * DAY_MS


class _Read(NamedTuple):
    """The transfers of a day as last read, and the equity of that round."""

    at_ms: int
    since_ms: int
    total: Decimal
    equity: Decimal


class Told(NamedTuple):
    """Net transfers of the running day, and those carried over into it; None: not read, or not asked for.

    `moved`: they changed between two reads. Which of them equity holds is not known then, and a wrong guess is a false
    trip or false head-room: equity of this round is unknown, and the next round reads both anew.
    """

    moved: bool = False
    total: Decimal | None = None
    carried: Decimal | None = None


class Transfers:
    """The transfers of one guard's account."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self._last: _Read | None = None

    def told(self, client: Any, marks: Mapping[str, Decimal], equity: Decimal, at_ms: int) -> Told:
        """Return the transfers that go with an equity that was asked for at a moment.

        They are read when they are due, and whenever equity moved by more than prices mostly do.
        """
        since = day_start_ms(self.guard.policy, at_ms)
        if not since:
            return Told()
        last = self._last if self._last is not None and self._last.since_ms == since else None
        total = last.total if last is not None else Decimal(0)
        if last is None or abs(equity - last.equity) > last.equity * JUMP or at_ms - last.at_ms > EVERY_MS:
            total = self._sum(client, marks, since, None)
            self._last = _Read(at_ms, since, total, equity)
            if (
                total != last.total
                if last is not None
                else self._sum(client, marks, max(since, at_ms - FRESH_MS), None)
            ):
                return Told(moved=True)
        return Told(False, total, self._carried(client, marks, since))

    def _carried(self, client: Any, marks: Mapping[str, Decimal], day_ms: int) -> Decimal | None:
        """Return what was transferred from the day that the store knows up to this one, where anything asks for it."""
        facts = self.guard.facts()
        base = facts.day_base
        if base is None or base.as_of_ms >= day_ms or facts.week_transfers is None:
            return None
        total, start = Decimal(0), base.as_of_ms
        while start < day_ms:
            end = min(start + PIECE_MS, day_ms)
            total = DOWN.add(total, self._sum(client, marks, start, end))
            start = end
        return total

    def _sum(self, client: Any, marks: Mapping[str, Decimal], since_ms: int, until_ms: int | None) -> Decimal:
        guard = self.guard
        asked = guard.adapter.net_transfers(since_ms, dict(marks), guard.policy.model.account.currency, until_ms)
        return run(guard.adapter, client, asked, guard.clock)
