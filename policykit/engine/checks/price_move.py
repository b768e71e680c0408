"""How far the market itself moved."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final, Self

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check, Unknown
from policykit.engine.facts import Move
from policykit.engine.lane import Lane
from policykit.engine.money import DOWN, money
from policykit.engine.setup import Setup
from policykit.model.order_limits import PriceMove as MovePolicy
from policykit.units import plain

MINUTE_MS: Final = 60_000
#: The store keeps the marks of so long.
KEPT_MS: Final = 3_600_000


class PriceMove(Check):
    """Denies increases while the marks of the last `risk.max_price_move.per` are further apart than its limit.

    Counted by whole minutes, the one in which the window starts included. Marks that are not known for all of the
    window (a guard that just started, or a gap longer than a minute and the age that a mark may have) deny as well;
    marks are kept for an hour.
    """

    id = "risk.max_price_move"
    codes = ("RISK_PRICE_MOVE", "PRICE_MISSING", "PRICE_STALE", "FACTS_MISSING", "CHECK_MISSING")
    rank = 76

    def __init__(self, setup: Setup, policy: MovePolicy) -> None:
        super().__init__(setup)
        self.policy = policy

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        risk = setup.policy.risk
        policy = risk.max_price_move if risk is not None else None
        return cls(setup, policy) if policy is not None else None

    def reasons(self, case: Case) -> Iterator[Reason]:
        if not case.places or case.complaints or case.market is None:
            return
        case.mark(case.order.symbol)  # an old one says nothing of the last minute
        moves = self._moves(case)
        low, high = min(move.low for move in moves), max(move.high for move in moves)
        most = DOWN.multiply(low, self.policy.limit.fraction)
        if not high - low <= most:
            quote = case.market.quote
            yield self.reason(
                f"the mark of {case.order.symbol} moved between {money(low, quote)} and {money(high, quote)} in the "
                f"last {self.policy.per}, max_price_move is {self.policy.limit}; wait until the market is calm",
                numbers=(plain(high - low), plain(most), quote),
            )

    def _moves(self, case: Case) -> list[Move]:
        per, symbol, gap = self.policy.per, case.order.symbol, case.setup.mark_age_ms
        if per.ms > KEPT_MS:
            raise Unknown("CHECK_MISSING", f"max_price_move.per is {per}; marks are kept for 1h: use at most that")
        edge = case.now_ms - per.ms
        moves = [m for m in case.facts.moves.get(symbol, ()) if m.start_ms + MINUTE_MS + gap > edge]
        known = moves and moves[0].start_ms <= edge
        if not known or any(b.start_ms - a.start_ms > MINUTE_MS + gap for a, b in pairwise(moves)):
            text = f"the marks of {symbol} are not known for all of the last {per}; entries wait until they are"
            raise Unknown("FACTS_MISSING", text)
        return moves

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True  # marks are facts; time only takes old ones out of the window
