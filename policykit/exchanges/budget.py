"""What reads may spend: every window that a call counts in, the bots' own counts of them, and a stop by the exchange.

A `Budget` is one window, counted here. `Spending` is all of them that one key's calls count in; windows shared by an
address or an account are one object for every key that shares them. Where the policy's bots have a store, its counters
decide as well (`Shared`): a snapshot beside a running bot spends of the same allowance.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal, Protocol

from policykit.clock import Clock, iso
from policykit.errors import StoreUnavailable
from policykit.exchanges.base import Call, CallFailed, Failure
from policykit.traits.base import Exchange, RateWindow, cost

if TYPE_CHECKING:
    from policykit.decision import Hold
    from policykit.policy import EffectivePolicy
    from policykit.store import Store

#: The share of a published allowance that is used when the policy names no budget.
DEFAULT_SHARE: Final = Decimal("0.5")
#: What is kept to on an exchange of which no allowance is known: 60 requests a minute.
UNKNOWN_WINDOW: Final = RateWindow("requests", 120, 60_000, "fixed", "ip")
#: A rate limit that lasts no longer is waited for; a longer one, and every ban, ends the reading of its exchange, ms.
MAX_PAUSE_MS: Final = 10_000


class Spends(Protocol):
    """What a client asks before each request, and tells after it."""

    def spend(self, call: Call) -> int:
        """Spend and return 0, or return how long to wait, ms. Raise CallFailed for what may not be sent at all."""
        ...

    def told(self, used: Mapping[str, int]) -> None:
        """Take in what an answer's headers say was used: `request-weight|60000` -> 95."""
        ...


class Budget:
    """One allowance, counted in this process: fixed windows, or one that rolls. Shared by every client given it."""

    def __init__(
        self,
        limit: int,
        per_ms: int,
        clock: Clock,
        name: str = "request-weight",
        window: Literal["fixed", "rolling"] = "fixed",
    ) -> None:
        """Take the weight that may be used in one window, the window's span in ms, and the allowance's name."""
        self.name = name
        self.limit = limit
        self.per_ms = per_ms
        self._clock = clock
        self._rolling = window == "rolling"
        self._lock = threading.Lock()
        self._window = -1
        #: (when, weight) of what still counts.
        self._spent: deque[tuple[int, int]] = deque()
        #: Everything that was ever spent through this budget.
        self.calls = 0
        self.weight = 0

    def wait_ms(self, weight: int) -> int:
        """Spend and return 0, or return how long to wait, ms. Raise CallFailed for a call over the whole budget."""
        if weight > self.limit:
            words = f"a call of weight {weight} is over the policy's budget of {self.limit}; raise the budget's limit"
            raise CallFailed(Failure("no", "RATE_LIMIT", words))
        with self._lock:
            now = self._clock.now_ms()
            self._turn(now)
            if self._used() + weight > self.limit:
                return self._until_room(now, weight)
            self._spent.append((now, weight))
            self.calls += 1
            self.weight += weight
            return 0

    def spend(self, call: Call) -> int:
        """Spend what a call weighs; see `Spends`."""
        return self.wait_ms(call.weight)

    def give_back(self, weight: int) -> None:
        """Take back the last spending of this weight: another allowance had no room for the call."""
        with self._lock:
            row = next((row for row in reversed(self._spent) if row[1] == weight), None)
            if row is not None:
                self._spent.remove(row)
                self.calls -= 1
                self.weight -= weight

    def told(self, used: Mapping[str, int]) -> None:
        """Take in what headers say; see `Spends`."""
        said = used.get(f"{self.name}|{self.per_ms}")
        if said is not None:
            self.note(said)

    def note(self, used: int) -> None:
        """Take in what the exchange says was used in this window: others behind the same address spend too."""
        with self._lock:
            now = self._clock.now_ms()
            self._turn(now)
            more = used - self._used()
            if more > 0:
                self._spent.append((now, more))

    def _used(self) -> int:
        return sum(weight for _, weight in self._spent)

    def _turn(self, now_ms: int) -> None:
        """Forget what no longer counts."""
        if self._rolling:
            while self._spent and self._spent[0][0] <= now_ms - self.per_ms:
                self._spent.popleft()
            return
        window = now_ms // self.per_ms
        if window != self._window:
            self._window = window
            self._spent.clear()

    def _until_room(self, now_ms: int, weight: int) -> int:
        if not self._rolling:
            return self.per_ms - now_ms % self.per_ms
        used = self._used()
        for at_ms, spent in self._spent:
            used -= spent
            if used + weight <= self.limit:
                return max(1, at_ms + self.per_ms - now_ms)
        return self.per_ms


@dataclass(slots=True)
class Stop:
    """An exchange's word that nothing may be sent for a while: a rate limit, a ban. One for all clients of it."""

    clock: Clock
    until_ms: int = 0
    failure: Failure | None = None
    #: A rate limit that lasts no longer is waited for.
    most_ms: int = MAX_PAUSE_MS

    def set(self, failure: Failure) -> None:
        """Take in a failure of the exchange's that says how long to wait."""
        until = self.clock.now_ms() + (failure.retry_after_ms or 0)
        if until > self.until_ms:
            self.until_ms, self.failure = until, failure

    def wait_ms(self) -> int:
        """Return how long to wait, 0 for none. Raise the failure again, unsent, when that is too long, or a ban."""
        left = self.until_ms - self.clock.now_ms()
        if left <= 0 or self.failure is None:
            return 0
        if self.failure.code == "BANNED" or left > self.most_ms:
            words = f"{self.failure.message}; nothing may be sent before {iso(self.until_ms)}"
            raise CallFailed(self.failure._replace(message=words, retry_after_ms=None))
        return left


class Shared:
    """A policy's budgets as its running bots count them, in their store."""

    def __init__(self, effective: EffectivePolicy, facts: Exchange, key: str | None, store: Store) -> None:
        """Take the policy, the exchange's traits, the key that signs (None: no key), and a store that is there."""
        from policykit.engine import compile_policy

        self._engine = compile_policy(effective, facts, key)
        self._account = effective.account_key
        self._first = facts.rate_windows[0].name if facts.rate_windows else ""
        self._store = store
        #: Why the store is not asked any more.
        self.problem = ""

    def wait_ms(self, call: Call, now_ms: int) -> int:
        """Count a read where bots count theirs; return how long to wait when it has no room, ms."""
        from policykit.engine.facts import Facts
        from policykit.order import Order

        if self.problem:
            return 0
        asked = Order("", type=call.name, action="data.read")
        holds = tuple(self._weighed(hold, call) for hold in self._engine.assess(Facts(), asked, now_ms).holds)
        try:
            until = max(self._store.facts(self._account, "").banned_until_ms.values(), default=0)
            if until > now_ms:
                words = f"bots of this store were told to send nothing before {iso(until)}; wait"
                raise CallFailed(Failure("no", "RATE_LIMIT", words))
            grant = self._store.use(holds, now_ms) if holds else None
        except StoreUnavailable as error:
            self.problem = str(error)
            return 0
        if grant is None or grant.granted:
            return 0
        hold = holds[grant.failed[0]]
        return hold.span_ms - now_ms % hold.span_ms if hold.fixed else max(1, hold.span_ms // 10)

    def told(self, used: Mapping[str, int], now_ms: int) -> None:
        """Raise what is counted to what the exchange says was used."""
        from policykit.engine.facts import Facts
        from policykit.order import Order

        asked = Order("", type="", action="data.read")
        with suppress(StoreUnavailable):
            for hold in () if self.problem else self._engine.assess(Facts(), asked, now_ms).holds:
                _, name, span = hold.counter.split("|")[:3]
                said = used.get(f"{name}|{span}")
                if said is not None and hold.fixed:
                    self._store.at_least(hold._replace(amount=said), now_ms)

    def banned(self, until_ms: int, now_ms: int) -> None:
        """Tell the bots that nothing may be sent before a moment."""
        with suppress(StoreUnavailable):
            self._store.ban(self._account, "ip", until_ms, now_ms)

    def _weighed(self, hold: Hold, call: Call) -> Hold:
        """Return a hold of the allowance of reads with what this very call weighs."""
        mine = hold.counter.split("|")[1] == self._first
        return hold._replace(amount=max(hold.amount, call.weight)) if mine else hold


@dataclass(slots=True)
class Tally:
    """What one snapshot has sent."""

    calls: int = 0
    weight: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(slots=True)
class Spending:
    """Everything that one key's calls are counted in."""

    facts: Exchange
    clock: Clock
    #: The first one is what `Call.weight` is of.
    windows: Sequence[Budget]
    stop: Stop
    tally: Tally
    shared: Shared | None = None

    def spend(self, call: Call) -> int:
        """Spend in every window and in the bots' store, or in none; see `Spends`."""
        wait = self.stop.wait_ms()
        taken: list[tuple[Budget, int]] = []
        try:
            for index, window in enumerate(self.windows):
                weight = call.weight if index == 0 else cost(self.facts, window.name, call.name)
                if not wait and weight:
                    wait = window.wait_ms(weight)
                    if not wait:
                        taken.append((window, weight))
            if not wait and self.shared is not None:
                wait = self.shared.wait_ms(call, self.clock.now_ms())
        except CallFailed:
            _give_back(taken)
            raise
        if wait:
            _give_back(taken)
            return wait
        with self.tally.lock:
            self.tally.calls += 1
            self.tally.weight += call.weight
        return 0

    def told(self, used: Mapping[str, int]) -> None:
        """Take in what headers say, here and for the bots; see `Spends`."""
        for window in self.windows:
            window.told(used)
        if self.shared is not None and used:
            self.shared.told(used, self.clock.now_ms())

    def failed(self, failure: Failure) -> None:
        """Take in a failure that the exchange answered: a limit or a ban stops every client of it, bots included."""
        if failure.code not in ("RATE_LIMIT", "BANNED") or not failure.retry_after_ms:
            return
        self.stop.set(failure)
        if self.shared is not None:
            now = self.clock.now_ms()
            self.shared.banned(now + failure.retry_after_ms, now)


def _give_back(taken: Sequence[tuple[Budget, int]]) -> None:
    for window, weight in taken:
        window.give_back(weight)


def budget_of(effective: EffectivePolicy, window: RateWindow, clock: Clock) -> Budget:
    """Return what a policy leaves to reads of one published window: what entries may use, or half of what is public."""
    own = (effective.model.rate_budgets or {}).get(window.name)
    if own is None:
        limit = max(1, int(window.limit * DEFAULT_SHARE))
        return Budget(limit, window.per_ms, clock, window.name, window.window)
    return Budget(own.for_entries, own.per.ms, clock, window.name, own.window)


def running_store() -> tuple[Store | None, str]:
    """Return the store of this host's bots when there is one, and why it cannot be used; none is ever made."""
    from policykit.store import default_uri, open_store

    uri = default_uri()
    if uri == "memory:" or (uri.startswith("sqlite:///") and not _is_there("/" + uri[len("sqlite:///") :].lstrip("/"))):
        return None, ""
    try:
        return open_store(uri), ""
    except StoreUnavailable as error:
        return None, f"the bots' store cannot be used, so only this command's own calls are counted: {error}"


def _is_there(path: str) -> bool:
    try:
        return os.stat(path).st_size > 0
    except OSError:
        return False
