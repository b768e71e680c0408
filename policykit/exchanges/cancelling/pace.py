"""How fast cancels may go: the exchange's documented limits, kept and reckoned with.

`Pace` keeps a canceller inside them; `allowed_ms` says how long the same work takes at the least by those limits alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from policykit.clock import Clock
from policykit.exchanges.base import Call, Failure
from policykit.exchanges.budget import UNKNOWN_WINDOW, Budget, Spending, Spends, Stop, Tally
from policykit.exchanges.calls import listed
from policykit.traits.base import CancelRate, Exchange, cost

#: The longest word of an exchange to wait that is waited for in an emergency, ms; a ban ends it all the same.
MAX_PAUSE_MS: Final = 120_000


def whole_allowance(facts: Exchange, clock: Clock) -> Spending:
    """Return all of what an exchange publishes to spend: an emergency keeps nothing back."""
    windows = facts.rate_windows or (UNKNOWN_WINDOW,)
    budgets = [Budget(w.limit, w.per_ms, clock, w.name, w.window) for w in windows]
    return Spending(facts, clock, budgets, Stop(clock, most_ms=MAX_PAUSE_MS), Tally())


class Pace:
    """What a canceller's calls are counted in: what its reads are counted in, and the limits of cancels beside it."""

    def __init__(self, facts: Exchange, clock: Clock, beside: Spends) -> None:
        """Take the exchange's traits, and what counts its calls otherwise."""
        self._rates = facts.cancel_rates
        self._clock = clock
        self._beside = beside
        self._budgets: dict[tuple[int, str], Budget] = {}
        self._symbol, self._orders = "", 1
        self._facts = facts
        #: Every call that was let through: its name, the symbol and the number of orders that it was of.
        self.sent: list[tuple[str, str, int]] = []

    @property
    def least_ms(self) -> int:
        """How long the calls that were let through take at the least by the documented limits."""
        return allowed_ms(self._facts, self.sent)

    def upcoming(self, symbol: str, orders: int) -> None:
        """Say what the next call is of: the limits of some exchanges are a symbol's, or count orders."""
        self._symbol, self._orders = symbol, orders

    def spend(self, call: Call) -> int:
        """Spend in every limit or in none; see `Spends`."""
        taken: list[tuple[Budget, int]] = []
        wait = 0
        for index, rate in enumerate(self._rates):
            if wait or not _is_of(rate, call.name, self._symbol):
                continue
            budget, weight = self._budget(index, rate), self._orders if rate.counts == "orders" else 1
            wait = budget.wait_ms(weight)
            if not wait:
                taken.append((budget, weight))
        try:
            wait = wait or self._beside.spend(call)
        except BaseException:
            _give_back(taken)
            raise
        if wait:
            _give_back(taken)
        else:
            self.sent.append((call.name, self._symbol, self._orders))
        return wait

    def told(self, used: Mapping[str, int]) -> None:
        """Take in what headers say; see `Spends`."""
        self._beside.told(used)

    def failed(self, failure: Failure) -> None:
        """Take in a failure that the exchange answered: it may say how long to wait."""
        if isinstance(self._beside, Spending):
            self._beside.failed(failure)

    def _budget(self, index: int, rate: CancelRate) -> Budget:
        key = index, self._symbol if rate.each == "symbol" else ""
        if key not in self._budgets:
            self._budgets[key] = Budget(rate.limit, rate.per_ms, self._clock, "cancels", "rolling")
        return self._budgets[key]


def allowed_ms(facts: Exchange, calls: Iterable[tuple[str, str, int]]) -> int:
    """Return how long these calls take at the least by the documented limits alone, were each answered at once.

    A call is (`POST /path`, symbol, orders in it). A limit of 10 a second lets the first ten go at once, the eleventh
    after a second: what is over in n whole windows takes n of them.
    """
    used: dict[tuple[str, int, int], int] = {}
    for name, symbol, orders in calls:
        for index, rate in enumerate(facts.cancel_rates):
            if _is_of(rate, name, symbol):
                key = (f"{index}|{symbol if rate.each == 'symbol' else ''}", rate.limit, rate.per_ms)
                used[key] = used.get(key, 0) + (orders if rate.counts == "orders" else 1)
        for window in facts.rate_windows:
            weight = cost(facts, window.name, name)
            key = (window.name, window.limit, window.per_ms)
            used[key] = used.get(key, 0) + weight
    return max((max(0, amount - 1) // limit * per_ms for (_, limit, per_ms), amount in used.items()), default=0)


def _is_of(rate: CancelRate, name: str, symbol: str) -> bool:
    kind = "contract" if ":" in symbol else "spot"
    return rate.kind in ("", kind) and listed(name, frozenset(rate.calls))


def _give_back(taken: Iterable[tuple[Budget, int]]) -> None:
    for budget, weight in taken:
        budget.give_back(weight)
