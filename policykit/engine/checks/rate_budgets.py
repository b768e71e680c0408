"""The exchange's allowances."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Self

from policykit.decision import Hold, Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.lane import Lane
from policykit.engine.setup import Setup
from policykit.engine.use import RoomOf
from policykit.model.rate import RateBudget
from policykit.traits.base import cost
from policykit.units import MAX_COUNTER


class Budget(NamedTuple):
    """One budget, its counter, and how much of it entries and exits may use."""

    name: str
    policy: RateBudget
    counter: str
    for_entries: int
    for_exits: int
    fixed: bool


class RateBudgets(Check):
    """Denies what a rate budget has no room for: entries and reads keep off the exits' reserve, exits off the rest.

    Entries and reads may use `use_at_most` less `keep_for_exits` of the limit, exits all of `use_at_most`; cancels
    count and always pass. An address budget is one for every bot behind the egress, whatever its account.
    """

    id = "rate_budgets"
    codes = ("RATE_BUDGET",)
    rank = 100
    room = RoomOf("budget", "budget")
    stops_reductions = True
    stops_reads = True
    counts_cancels = True

    def __init__(self, setup: Setup, budgets: tuple[Budget, ...]) -> None:
        super().__init__(setup)
        self.budgets = budgets

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        budgets = setup.policy.rate_budgets
        if not budgets:
            return None
        return cls(setup, tuple(_budget(setup, name, budget) for name, budget in sorted(budgets.items())))

    def holds(self, case: Case) -> Iterator[Hold]:
        for budget in self.budgets:
            amount = self._cost(case, budget)
            if amount:
                limit = budget.for_exits if case.reduces else budget.for_entries
                yield self._hold(budget, amount, MAX_COUNTER if case.cancels else limit)

    def claims(self, case: Case) -> Iterator[Hold]:
        return (self._hold(budget, 1, budget.for_entries) for budget in self.budgets)

    def _hold(self, budget: Budget, amount: int, limit: int) -> Hold:
        return Hold(budget.counter, amount, limit, "window", self.id, budget.policy.per.ms, budget.fixed)

    def _cost(self, case: Case, budget: Budget) -> int:
        """Return what the action costs; of a read the order's `type` is the call: `GET /api/v3/account`."""
        order = case.order
        call = order.type or "" if case.reads else ""
        product = self.setup.product(order.symbol or "")
        if product is not None and not call:
            call = product.calls.get(case.action, "")
        listed = (budget.policy.costs or {}).get(call)
        if listed is not None:
            return listed
        if self.setup.traits is not None and call:
            plain, everything, _ = call.partition(" all")
            return cost(self.setup.traits, budget.name, plain, everything.strip())
        return 1 if budget.policy.shared_by == "ip" or case.places else 0

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True

    def explain(self, case: Case, hold: Hold, used: int) -> Reason:
        budget = next(b for b in self.budgets if b.counter == hold.counter)
        reserve = budget.for_exits - budget.for_entries
        kept = "" if case.reduces or not reserve else f" ({reserve} more are kept for exits)"
        counted = f"{used} of {hold.limit} used in {budget.policy.per}{kept}"
        return Reason(
            self.codes[0],
            f"rate_budgets.{budget.name}",
            f"rate budget {budget.name}: {counted}; this needs {hold.amount}",
            str(used + hold.amount),
            str(hold.limit),
            "weight" if budget.policy.shared_by == "ip" else "calls",
            self.setup.place(f"rate_budgets.{budget.name}"),
        )


def _budget(setup: Setup, name: str, policy: RateBudget) -> Budget:
    where = f"{setup.policy.exchange}@{setup.egress}" if policy.shared_by == "ip" else setup.account
    if policy.shared_by == "key" and setup.key is not None:
        where = f"{setup.account}/{setup.key}"
    counter = f"{where}|{name}|{policy.per.ms}|{policy.window}"
    return Budget(name, policy, counter, policy.for_entries, policy.for_exits, policy.window == "fixed")
