"""What an account has that nothing explains."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final, NamedTuple, Self

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.facts import Drift, Facts
from policykit.engine.lane import Lane
from policykit.engine.money import DOWN, ZERO, money, seconds
from policykit.engine.setup import Setup
from policykit.model import Reconciliation as Policy
from policykit.model.operation import COMPARED_EVERY
from policykit.units import Amount, plain

#: A comparison that is so many times late is none any more; and what it may take beyond that, ms.
LATE: Final = 3
SLOW_MS: Final = 60_000
#: What follows at once, by a halt that a person lifts; the other words only deny, as long as the difference stands.
_HALTS: Final = ("cancel_open", "halt")


class Breach(NamedTuple):
    """A difference that is larger than the policy lets it be."""

    drift: Drift
    limit: Decimal
    text: str


def breaches(setup: Setup, policy: Policy, facts: Facts) -> Iterator[Breach]:
    """Yield the differences that nothing explains and whose worth is over the tolerance, or is not known."""
    for bound in policy.tolerance or ():
        if isinstance(bound, Amount):
            limit = DOWN.multiply(bound.value, _rate(facts, bound.currency, setup.currency))
        else:
            limit = ZERO if facts.equity is None else DOWN.multiply(bound.fraction, facts.equity.value)
        for drift in facts.drift:
            if drift.worth is None or not drift.worth <= limit:
                worth = "of unknown worth" if drift.worth is None else f"worth {money(drift.worth, setup.currency)}"
                note = f" ({drift.note})" if drift.note else ""
                yield Breach(
                    drift,
                    limit,
                    f"{drift.kind} {drift.key}: {plain(drift.quantity)} is explained by nothing, {worth}; tolerance is "
                    f"{bound}{note}; see policykit reconcile",
                )


def _rate(facts: Facts, currency: str, into: str) -> Decimal:
    """Return what one unit is worth by the newest mark; 0, so that nothing is tolerated, where there is none."""
    mark = facts.marks.get(f"{currency}/{into}")
    return Decimal(1) if currency == into else ZERO if mark is None else mark.value


class Reconciliation(Check):
    """Denies increases while the account differs from what it should have by more than `reconciliation.tolerance`.

    Only what nothing explains counts (G30): no fee, funding, liquidation, transfer, dust, and nothing of a sibling bot
    or one that `others` names. It ends with its cause: once it is explained, gone, or accepted by name
    (`policykit reconcile --accept`). `on_breach: cancel_open` and `halt` halt the account as well, and latch.
    Once comparisons were made, none for a long time denies too: what was not compared is no agreement.
    """

    id = "reconciliation.tolerance"
    codes = ("RECONCILE_DRIFT", "RECONCILE_STALE")
    rank = 27

    def __init__(self, setup: Setup, policy: Policy) -> None:
        super().__init__(setup)
        self.policy = policy

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        policy = setup.policy.reconciliation
        if policy is None or not (policy.tolerance or policy.orders_every or policy.positions_every):
            return None
        return cls(setup, policy)

    def reasons(self, case: Case) -> Iterator[Reason]:
        done_ms = case.facts.reconciled_ms
        if done_ms is not None:
            said = (self.policy.orders_every, self.policy.positions_every)
            # INVARIANT I16: what is not said is what the guard does, so that saying it lets nothing more through.
            stale_ms = done_ms + LATE * max((every or COMPARED_EVERY).ms for every in said) + SLOW_MS
            if case.now_ms > stale_ms:
                age = seconds(case.now_ms - done_ms)
                yield self.reason(
                    f"the account was last compared {age} ago; see policykit reconcile", "RECONCILE_STALE"
                )
            case.until_ms = min(case.until_ms, stale_ms)
        yield from self.found(case.facts)

    def found(self, facts: Facts) -> Iterator[Reason]:
        """Yield a reason for each difference over the tolerance; what follows it halts, warns or denies."""
        word = self.policy.on_breach
        for breach in breaches(self.setup, self.policy, facts):
            worth = breach.drift.worth
            yield self.reason(
                breach.text,
                numbers=("unknown" if worth is None else plain(worth), plain(breach.limit), self.setup.currency),
                on_breach=word if word in ("warn", *_HALTS) else "deny",
            )

    def narrow(self, case: Case, lane: Lane) -> bool:
        return not any(True for _ in breaches(self.setup, self.policy, case.facts))
