"""One set of policies at moments that are over: its judges, and what it would have counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from policykit.decision import Hold
from policykit.engine.checks.rate_budgets import Budget, RateBudgets
from policykit.errors import PolicykitError
from policykit.guard.judge import Judge, Said
from policykit.guard.settings import choose_key
from policykit.order import Order
from policykit.policy import EffectivePolicy
from policykit.proofs.replay.tally import Tally
from policykit.store import Row
from policykit.store.ledger import Ledger


class Who(NamedTuple):
    """Who decided, as the row says in which the policy came into force; what it does not say is empty."""

    name: str
    account: str
    key: str = ""
    host: str = ""


class World:
    """The policies of one side of a difference, by account and the name that decisions were recorded under."""

    def __init__(self, policies: Mapping[tuple[str, str], EffectivePolicy], tally: Tally) -> None:
        self.policies = policies
        self.tally = tally
        self._judges: dict[Who, Judge | str] = {}
        #: Budgets by whose they are and their name: a window of another span is another counter of the same requests.
        self._budgets: defaultdict[str, dict[str, Budget]] = defaultdict(dict)
        for name, account in self.policies:
            self.judge(Who(name, account))

    def judge(self, who: Who) -> Judge | str:
        """Return who decides by the policy of that name, with the key that was used; else why nobody can."""
        judge = self._judges.get(who)
        if judge is None:
            judge = self._judges[who] = _judge(self.policies[who.name, who.account], who)
            for budget in budgets(judge):
                self._budgets[_family(budget.counter)][budget.counter] = budget
        return judge

    def decide(self, judge: Judge, row: Row, order: Order, *, reused: bool) -> Said:
        """Decide on a recorded order as these policies would have, had they counted all that was admitted."""
        return judge.decided(row, order, self.tally, self.tally, reused_of(judge, row) if reused else {})

    def count(self, row: Row, judge: Judge | None, order: Order, said: Said | None) -> None:
        """Count what was admitted in a row; `said` is what these policies said to it. Without a judge: as recorded."""
        intent = row.body.get("intent")
        if judge is None:
            holds = recorded_holds(row.body)
        elif said is not None and (said.holds or said.decision.outcome == "allow"):
            holds = said.holds
        else:
            holds = judge.claims(row, order, self.tally)
        self.tally.count(None if intent is None else intent["id"], holds, row.at_ms)

    def used(self, row: Row) -> None:
        """Count what reads took of budgets: into each window that these policies keep of the same requests."""
        self.tally.granted(None, tuple(self._translated(recorded_holds(row.body))), row.at_ms)

    def _translated(self, holds: Iterable[Hold]) -> Iterator[Hold]:
        for hold in holds:
            own = self._budgets.get(_family(hold.counter), {}) if hold.check == RateBudgets.id else {}
            for budget in own.values():
                yield hold._replace(counter=budget.counter, span_ms=budget.policy.per.ms, fixed=budget.fixed)
            if hold.counter not in own:
                yield hold


def budgets(judge: Judge | str) -> tuple[Budget, ...]:
    """Return the rate budgets that a judge keeps."""
    checks = () if isinstance(judge, str) else judge.engine.checks
    return next((check.budgets for check in checks if isinstance(check, RateBudgets)), ())


def unread(old: Judge | str | None, new: Judge) -> frozenset[str]:
    """Return the counters of budgets that only the new policy has and that reads spend, too: nobody counted those."""
    known = set() if old is None else {_family(budget.counter) for budget in budgets(old)}
    return frozenset(b.counter for b in budgets(new) if _family(b.counter) not in known and _of_reads(new, b))


def recorded_holds(body: Mapping[str, Any]) -> tuple[Hold, ...]:
    """Return the holds of a row."""
    intent = body.get("intent")
    return tuple(Hold(*hold) for hold in (body.get("holds", ()) if intent is None else intent["holds"]))


def reused_of(judge: Judge, row: Row) -> Mapping[tuple[str, str], str]:
    """Return that the client order id of a row belongs to another order, as the row says."""
    own = row.body["decision"]["order"].get("client_order_id")
    return {(judge.account, own): "an earlier one"} if own else {}


def _family(counter: str) -> str:
    """Name what a budget's counter counts, whatever its window is."""
    return counter.rsplit("|", 2)[0]


def _of_reads(judge: Judge, budget: Budget) -> bool:
    """Tell whether calls that are no orders spend of a budget."""
    acts = {call for product in judge.traits.products.values() for call in product.calls.values()}
    costs = {**judge.traits.costs.get(budget.name, {}), **(budget.policy.costs or {})}
    return budget.policy.shared_by == "ip" or any(n and call.split(" all")[0] not in acts for call, n in costs.items())


def _judge(policy: EffectivePolicy, who: Who) -> Judge | str:
    key = who.key if who.key in (policy.model.keys or {}) else None
    try:
        return Judge(policy, choose_key(policy, key), who.host, who.account)
    except LookupError:
        return f"no guard of this version trades on {policy.model.exchange}"
    except PolicykitError as error:
        return str(error)


def adopt(world: World, recorded: Ledger, at_ms: int) -> None:
    """Count the orders that were open before the first row in sums that only these policies keep."""
    for judge in (world.judge(Who(*key)) for key in world.policies):
        for intent in recorded.open.values():
            if isinstance(judge, str) or intent.account != judge.account:
                continue
            facts = recorded.facts(intent.account, intent.bot, intent.order.symbol)
            asked = judge.engine.assess(facts, intent.order, at_ms).holds
            new = tuple(hold for hold in asked if hold.kind == "sum" and hold.counter not in recorded.sums)
            world.tally.granted(None, new, at_ms)
            world.tally.claimed[intent.id] = (*intent.holds, *new)
