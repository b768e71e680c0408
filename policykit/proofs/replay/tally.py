"""What one set of policies would have counted of what was recorded, beside the ledger that the rows themselves make.

The counter of a window holds its span and its alignment in its name, and a sum is kept only where a policy asks: so a
recorded ledger has the counters of the policies that were in force, and no others. Positions, fills, facts, halts and
unknown orders are the same whoever judges; they are read from the recorded ledger.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

from policykit.decision import Hold
from policykit.engine.facts import Facts
from policykit.orders.intent import Intent
from policykit.store import Grant
from policykit.store.ledger import CLOSED_INTENTS, Ledger

#: The kinds of holds that a policy's own counters are of.
OWN = frozenset(("window", "sum"))


class Tally(Ledger):
    """The windows and sums of one set of policies, over a recorded ledger that has all the rest."""

    def __init__(self, recorded: Ledger) -> None:
        super().__init__()
        self.recorded = recorded
        self.client_ids = recorded.client_ids
        #: What open orders claim by these policies, and what those claimed that are over, as long as they are known.
        self.claimed: dict[str, tuple[Hold, ...]] = {}
        self._over: OrderedDict[str, tuple[Hold, ...]] = OrderedDict()

    @classmethod
    def forked(cls, recorded: Ledger) -> Tally:
        """Return a tally that goes on from what was counted so far: that of the policies that were in force."""
        kept = {name: value for name, value in recorded.dump().items() if name in ("sums", "windows")}
        tally, copy = cls(recorded), Ledger.load({**Ledger().dump(), **kept})
        tally.sums, tally.windows = copy.sums, copy.windows
        tally.claimed = {intent.id: intent.holds for intent in recorded.open.values()}
        return tally

    # ---- answers

    def facts(self, account: str, bot: str, symbol: str) -> Facts:
        return self.recorded.facts(account, bot, symbol)

    def intent(self, intent_id: str) -> Intent | None:
        """Return a recorded intent with what it claims by these policies."""
        found = self.recorded.intent(intent_id)
        holds = self.claimed.get(intent_id) or self._over.get(intent_id)
        return found if found is None or holds is None else replace(found, holds=holds)

    def use(self, hold: Hold, now_ms: int) -> int:
        return super().use(hold, now_ms) if hold.kind in OWN else self.recorded.use(hold, now_ms)

    def fits(self, account: str, intent: Intent | None, holds: tuple[Hold, ...], generation: int, now_ms: int) -> Grant:
        self.generation, self.seq = self.recorded.generation, self.recorded.seq
        return super().fits(account, intent, holds, generation, now_ms)

    # ---- changes

    def count(self, intent_id: str | None, holds: tuple[Hold, ...], at_ms: int) -> None:
        """Count what was admitted; of an order until `ended` says that it is over."""
        self.granted(None, holds, at_ms)
        if intent_id is not None:
            self.claimed[intent_id] = holds

    def ended(self, intent_id: str) -> None:
        """Give back what an order held, if it is over."""
        if intent_id in self.recorded.open:
            return
        holds = self.claimed.pop(intent_id, None)
        for hold in holds or ():
            if hold.kind == "sum":
                self.sums[hold.counter] -= hold.amount
        if holds is not None:
            self._over[intent_id] = holds
            while len(self._over) > CLOSED_INTENTS:
                self._over.popitem(last=False)
