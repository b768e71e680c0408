"""What a bot may ask for at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.lane import Lane

#: No policy allows these: a bot's key has no such permission (G04, G05).
REFUSED: Final = frozenset(("transfer", "withdraw", "key.admin"))
#: These need a check of their own, which this version does not have.
UNCHECKED: Final = frozenset(("convert",))


class OrderAction(Check):
    """Denies withdrawals, transfers and key administration always, and actions that no check of this version judges.

    An amend is judged as the order that it makes, and as an increase of what it adds.
    """

    id = "order.action"
    codes = ("ACTION_REFUSED", "CHECK_MISSING")
    rank = 15

    def reasons(self, case: Case) -> Iterator[Reason]:
        action, risk = case.action, self.setup.policy.risk
        if action in REFUSED:
            yield self.reason(f"{action} is not for bots; no policy allows it")
        elif action in UNCHECKED:
            yield self.reason(f"{action} has no check in this version; place an order instead", "CHECK_MISSING")
        elif action == "margin.borrow" and (risk is None or risk.max_borrow is None):
            yield self.reason("margin.borrow: the policy sets no max_borrow, so nothing may be borrowed")
        elif action == "position.close" and case.market is not None and case.crosses:
            symbol, quote = case.order.symbol, case.market.quote
            text = f"closing a position in {symbol} raises {quote}, and has no check in this version"
            yield self.reason(text, "CHECK_MISSING")

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True  # a lane holds one action
