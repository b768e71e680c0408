"""What every back-end does with its ledger: decide under a lock, write the row, apply it."""

from __future__ import annotations

import secrets
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from policykit.decision import Decision, Hold
from policykit.engine.facts import Facts, Halt, TradingState
from policykit.orders.intent import Intent, Outcome
from policykit.store.base import Claim, Grant, Observation
from policykit.store.codec import claimed, decision_body, observation_to_dict, outcome_to_dict
from policykit.store.groups import Group
from policykit.store.kept import known, place
from policykit.store.ledger import Ledger

Body = Callable[..., dict[str, Any]]
_tuple = tuple.__new__


class _Step:
    """One atomic step of a store: `with store._step as ledger`. Whatever leaves it, the store can go on."""

    __slots__ = ("_store",)

    def __init__(self, store: LedgerStore) -> None:
        self._store = store

    def __enter__(self) -> Ledger:
        store = self._store
        store._waiters.append(None)
        try:
            store._lock.acquire()
        finally:
            store._waiters.pop()
        try:
            return store._begin()
        except BaseException:
            store._lock.release()
            raise

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        store = self._store
        try:
            group = store._end(failed=error is not None)
        finally:
            store._lock.release()
        if group is not None:
            group.wait()


class LedgerStore(ABC):
    """A store over a ledger. A back-end gives `_begin`, `_write`, `_end`; all are called under the lock."""

    backend: str
    problem: tuple[str, str] | None = None
    warnings: tuple[tuple[str, str], ...] = ()

    def __init__(self) -> None:
        self.epoch = secrets.token_hex(8)
        self._lock = threading.Lock()
        #: One for each thread that waits for the lock to write: to append and to pop are atomic, `+= 1` is not.
        self._waiters: deque[None] = deque()
        self._ledger = Ledger()
        self._step = _Step(self)

    @abstractmethod
    def _begin(self) -> Ledger:
        """Start an atomic step and return the ledger as of now."""

    @abstractmethod
    def _write(self, kind: str, at_ms: int, body: Body, *args: Any) -> int:
        """Write a row and return its number; `body(*args)` gives its data. At most once a step.

        It is durable then, or the step is in a group and ends when it is.
        """

    @abstractmethod
    def _end(self, *, failed: bool) -> Group | None:
        """End a step, written or not; return the group that its row waits in to be synced.

        After a failure nobody knows how far ledger and row agree.
        """

    @abstractmethod
    def _current(self) -> Ledger:
        """Return the ledger as of now, for reading."""

    @abstractmethod
    def _taken(self, intent: Intent) -> str | None:
        """Return the intent that has a caller's own client order id, however long ago. Inside a step."""

    @abstractmethod
    def _take(self, intent: Intent) -> None:
        """Keep a caller's own client order id for ever, as part of the step's row."""

    def written(self) -> list[float]:
        return []

    def waiting(self) -> int:
        return len(self._waiters)

    def facts(self, account: str, bot: str, symbol: str = "") -> Facts:
        with self._lock:
            return self._current().facts(account, bot, symbol)

    # INVARIANT I8: what is used is read, judged and raised in one step, which no other thread or process can enter.
    def reserve(
        self, decision: Decision, intent: Intent | None, holds: tuple[Hold, ...], generation: int, now_ms: int
    ) -> Grant:
        if intent is not None and intent.holds is not holds:
            intent = replace(intent, holds=holds)
        with self._step as ledger:
            grant = ledger.fits(intent.account if intent is not None else "", intent, holds, generation, now_ms)
            if not grant[0]:
                return grant
            # INVARIANT I6: an id of the caller's own is for one order, for ever; ours are new by the way they are made.
            if intent is not None and intent.order.client_order_id is not None:
                taken = self._taken(intent)
                if taken is not None:
                    return Grant(False, False, (), (), ledger.seq, taken)
                self._take(intent)
            # INVARIANT I3: the intent is durable before the grant is returned, and only a grant lets an order be sent.
            if 0 <= decision.facts_seq < ledger.moved_seq:
                decision.extra["facts_seq"] = decision.facts_seq
            if decision.candidate is not None:
                decision.extra |= decision.candidate(ledger.using(now_ms))
            seq = self._write("decision", now_ms, decision_body, decision, intent, holds)
            ledger.granted(intent, holds, now_ms)
        return _tuple(Grant, (True, False, grant[2], (), seq, None))

    def record(self, decision: Decision, now_ms: int) -> int:
        with self._step as ledger:
            if 0 <= decision.facts_seq < ledger.moved_seq:
                decision.extra["facts_seq"] = decision.facts_seq
            if decision.candidate is not None:
                decision.extra |= decision.candidate(ledger.using(now_ms))
            return self._write("decision", now_ms, decision_body, decision, None, ())

    def use(self, holds: tuple[Hold, ...], now_ms: int) -> Grant:
        with self._step as ledger:
            grant = ledger.fits("", None, holds, ledger.generation, now_ms)
            if not grant.granted:
                return grant
            seq = self._change("use", {"holds": [list(hold) for hold in holds]}, now_ms)
        return grant._replace(seq=seq)

    def used(self, holds: tuple[Hold, ...], now_ms: int) -> tuple[int, ...]:
        with self._lock:
            ledger = self._current()
            return tuple(ledger.use(hold, now_ms) for hold in holds)

    def at_least(self, hold: Hold, now_ms: int) -> None:
        with self._lock:
            known = self._current().use(hold, now_ms) >= hold.amount
        if known:
            return
        with self._step as ledger:
            missing = hold.amount - ledger.use(hold, now_ms)
            if missing > 0:
                self._change("use", {"holds": [list(hold._replace(amount=missing))]}, now_ms)

    def renew(self, intent_id: str, generation: int, validity_ms: int, now_ms: int) -> bool:
        with self._step as ledger:
            if not ledger.renewable(intent_id, generation):
                return False
            self._change("renew", {"intent": intent_id, "validity_ms": validity_ms}, now_ms)
        return True

    def outcome(self, intent_id: str, outcome: Outcome) -> Intent:
        _finite(outcome.filled, outcome.cost, outcome.quantity, outcome.price)
        with self._step as ledger:
            if intent_id in ledger.open or intent_id in ledger.closed:
                self._write("outcome", outcome.at_ms, outcome_to_dict, intent_id, outcome)
                return ledger.settle(intent_id, outcome)
        raise KeyError(intent_id)

    def intent(self, intent_id: str) -> Intent | None:
        with self._lock:
            return self._current().intent(intent_id)

    def intents(self, account: str | None = None, *, open_only: bool = True) -> list[Intent]:
        with self._lock:
            return self._current().intents(account, open_only=open_only)

    def observe(self, account: str, seen: Observation, now_ms: int) -> None:
        finite_facts(seen)
        self._written("observe", observation_to_dict(account, seen), now_ms)

    # INVARIANT I15: the generation moves in the same atomic step, so a permit asked for later is refused as stale.
    def halt(  # noqa: PLR0913  # a halt says as much as its row
        self,
        scope: str,
        state: TradingState,
        by: str,
        why: str,
        now_ms: int,
        *,
        freeze: bool = False,
        latched: bool = True,
        decision_id: str | None = None,
        claim: Claim | None = None,
    ) -> tuple[int, list[Intent]]:
        body = {"scope": scope, "state": state, "by": by, "why": why, "freeze": freeze, "latched": latched}
        body |= claimed(claim)
        if decision_id is not None:
            body["decision"] = decision_id
        with self._step as ledger:
            self._change("halt", body, now_ms)
            return ledger.generation, ledger.unsent(now_ms)

    def resume(self, scope: str, by: str, why: str, now_ms: int, *, claim: Claim | None = None) -> int:
        with self._step as ledger:
            before = len(ledger.halts)
            self._change("resume", {"scope": scope, "by": by, "why": why, **claimed(claim)}, now_ms)
            return before - len(ledger.halts)

    def halts(self) -> list[Halt]:
        with self._lock:
            return list(self._current().halts.values())

    def ban(self, account: str, scope: str, until_ms: int, now_ms: int) -> None:
        self._written("ban", {"account": account, "scope": scope, "until_ms": until_ms}, now_ms)

    def reconcile(self, account: str, compared: Mapping[str, Any], now_ms: int) -> int:
        return self._written("reconcile", {**compared, "account": account}, now_ms)

    def reconciled(self, account: str) -> Mapping[str, Any]:
        with self._lock:
            state = self._current().accounts.get(account)
            return {} if state is None else state.reconciled

    def announce(self, account: str, currency: str, loaded: Mapping[str, Any], now_ms: int) -> int:
        return self._written("policy", {"account": account, "currency": currency, **loaded}, now_ms)

    def prove(self, proof: Mapping[str, Any], now_ms: int) -> int:
        return self._written("address.proof", dict(proof), now_ms)

    def linted(self, account: str, found: Mapping[str, Any], now_ms: int) -> int:
        return self._written("lint", {**found, "account": account}, now_ms)

    def lints(self, account: str) -> Mapping[str, Mapping[str, Any]]:
        with self._lock:
            state = self._current().accounts.get(account)
            return {} if state is None else dict(state.lints)

    def keep(self, account: str, kind: str, name: str, body: Mapping[str, Any], now_ms: int) -> int:
        return self._written(known(kind), {**body, "account": account, "name": name}, now_ms)

    def kept(self, account: str, kind: str) -> Mapping[str, Mapping[str, Any]]:
        with self._lock:
            return dict(self._current().kept.get(place(account, kind), {}))

    def event(self, kind: str, body: Mapping[str, Any], now_ms: int) -> int:
        if Ledger.changes(kind):
            raise ValueError(f'an event is of the kind "{kind}"; that is a change of state, which has its own method')
        return self._written(kind, dict(body), now_ms)

    def _written(self, kind: str, body: dict[str, Any], now_ms: int) -> int:
        with self._step:
            return self._change(kind, body, now_ms)

    def _change(self, kind: str, body: dict[str, Any], now_ms: int) -> int:
        seq = self._write(kind, now_ms, dict, body)
        self._ledger.apply(kind, body, now_ms)
        return seq


def finite_facts(seen: Observation) -> None:
    """Raise ValueError for a fact that is no number."""
    for numbers in (seen.positions or {}, seen.marks, seen.contract_sizes, seen.units):
        _finite(*numbers.values())
    for facts in (*seen.quotes.values(), *seen.contracts.values()):
        _finite(*(value for value in facts if isinstance(value, Decimal)))
    _finite(seen.equity, seen.net_transfers, seen.carried_transfers, seen.margin_ratio, seen.borrowed)


def _finite(*numbers: Decimal | None) -> None:
    """Refuse what could be written but never be read back into a counter."""
    for number in numbers:
        if number is not None and not number.is_finite():
            raise ValueError(f"{number} is not a number; a finite one is needed")
