"""The loop of partial fills and re-entries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Self

from policykit.decision import Hold, Reason
from policykit.engine.case import Case
from policykit.engine.check import Check, Unknown
from policykit.engine.facts import Partial
from policykit.engine.lane import Lane
from policykit.engine.money import seconds
from policykit.engine.setup import Setup
from policykit.model.loss_limits import PartialFills as PartialFillsPolicy
from policykit.units import plain

#: Entries are counted for so long after one that filled in part, ms: a fixed hour, so that no policy can shorten it.
WINDOW_MS: Final = 3_600_000


class PartialFills(Check):
    """Denies entries into a symbol where an entry filled in part, until it went on as `risk.partial_fills` says (G40).

    `cooldown`: entries wait so long after an entry filled, or ended, in part. `max_reentries`: within an hour of one,
    at most so many are admitted, until an entry there fills wholly. `min_fill_to_act`: entries wait while one that is
    still out has filled by less; one that has not filled at all is no reason to wait. Each counts on both sides of a
    symbol; what can only reduce neither waits nor counts.
    """

    id = "risk.partial_fills"
    codes = ("PARTIAL_FILL", "PARTIAL_COOLDOWN", "PARTIAL_REENTRIES", "FACTS_MISSING")
    rank = 94

    def __init__(self, setup: Setup, policy: PartialFillsPolicy) -> None:
        super().__init__(setup)
        self.policy = policy

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        policy = setup.policy.risk.partial_fills if setup.policy.risk is not None else None
        return None if policy is None or policy == PartialFillsPolicy() else cls(setup, policy)

    def _partial(self, case: Case) -> Partial | None:
        """Return what is known of an entry's symbol; None: no entry filled in part there. Raise Unknown."""
        if not case.creates or case.complaints or case.reduces:
            return None
        if case.facts.partials is None:
            raise Unknown("FACTS_MISSING", "entries that filled in part are not counted yet")
        return case.facts.partials.get(case.order.symbol)

    def reasons(self, case: Case) -> Iterator[Reason]:
        partial, least, cooldown = self._partial(case), self.policy.min_fill_to_act, self.policy.cooldown
        if partial is None:
            return
        symbol = case.order.symbol
        if least is not None and partial.least is not None and not partial.least >= least.fraction:
            yield self.reason(
                f"an entry into {symbol} that is still out has filled by less than min_fill_to_act {least}; "
                "let it fill, or cancel it",
                numbers=(plain(partial.least * 100), plain(least.fraction * 100), "%"),
            )
        if cooldown is not None and partial.at_ms is not None and case.now_ms < partial.at_ms + cooldown.ms:
            age, left = case.age_ms(partial.at_ms), partial.at_ms + cooldown.ms - case.now_ms
            yield self.reason(
                f"an entry into {symbol} filled in part {seconds(age)} ago, entries wait {seconds(left)} more",
                "PARTIAL_COOLDOWN",
                numbers=(str(age), str(cooldown.ms), "ms"),
            )

    # INVARIANT I8: two bots that enter at once claim one window.
    def holds(self, case: Case) -> Iterator[Hold]:
        partial, most = self._partial(case), self.policy.max_reentries
        if most is None or partial is None or partial.at_ms is None or case.now_ms >= partial.at_ms + WINDOW_MS:
            return
        counter = f"{self.setup.account}|reentries|{case.order.symbol}"
        yield Hold(counter, 1, most, "window", self.id, WINDOW_MS)

    def narrow(self, case: Case, lane: Lane) -> bool:
        return self._partial(case) is None

    def explain(self, case: Case, hold: Hold, used: int) -> Reason:
        return self.reason(
            f"{used} entries into {case.order.symbol} followed one that filled in part, none filled wholly, "
            f"max_reentries is {hold.limit} in an hour",
            "PARTIAL_REENTRIES",
            numbers=(str(used + 1), str(hold.limit), "entries"),
        )
