"""What every back-end does with its ledger: decide under a lock, write the row, apply it."""

from __future__ import annotations

import secrets
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from policykit.decision import Decision, Hold
from policykit.engine.facts import Facts, Halt, TradingState
from policykit.orders.intent import Intent, Outcome
from policykit.store.base import Grant, Observation
from policykit.store.codec import decision_body, observation_to_dict, outcome_to_dict
from policykit.store.ledger import Ledger

Body = Callable[..., dict[str, Any]]


class LedgerStore(ABC):
    """A store over a ledger. A back-end gives `_begin`, `_write` and `_abandon`; all are called under the lock."""

    backend: str
    problem: tuple[str, str] | None = None

    def __init__(self) -> None:
        self.epoch = secrets.token_hex(8)
        self._lock = threading.Lock()
        self._ledger = Ledger()

    @abstractmethod
    def _begin(self) -> Ledger:
        """Start an atomic step and return the ledger as of now."""

    @abstractmethod
    def _write(self, kind: str, at_ms: int, body: Body, *args: Any) -> int:
        """Make a row durable, end the step and return the row's number; `body(*args)` gives the row's data."""

    @abstractmethod
    def _abandon(self) -> None:
        """End a step that writes nothing."""

    @abstractmethod
    def _current(self) -> Ledger:
        """Return the ledger as of now, for reading."""

    def facts(self, account: str, bot: str, symbol: str = "") -> Facts:
        with self._lock:
            return self._current().facts(account, bot, symbol)

    def reserve(
        self, decision: Decision, intent: Intent | None, holds: tuple[Hold, ...], generation: int, now_ms: int
    ) -> Grant:
        with self._lock:
            ledger = self._begin()
            account = intent.account if intent is not None else ""
            grant = ledger.fits(account, intent, holds, generation, now_ms)
            if not grant.granted:
                self._abandon()
                return grant
            seq = self._write("decision", now_ms, decision_body, decision, intent, holds)
            ledger.granted(intent, holds, now_ms)
            return grant._replace(seq=seq)

    def record(self, decision: Decision, now_ms: int) -> int:
        return self._row("decision", now_ms, decision_body, decision, None, ())

    def use(self, holds: tuple[Hold, ...], now_ms: int) -> Grant:
        with self._lock:
            ledger = self._begin()
            grant = ledger.fits("", None, holds, ledger.generation, now_ms)
            if not grant.granted:
                self._abandon()
                return grant
            seq = self._change("use", {"holds": [list(hold) for hold in holds]}, now_ms)
            return grant._replace(seq=seq)

    def renew(self, intent_id: str, generation: int, validity_ms: int, now_ms: int) -> bool:
        with self._lock:
            ledger = self._begin()
            if not ledger.renewable(intent_id, generation):
                self._abandon()
                return False
            self._change("renew", {"intent": intent_id, "validity_ms": validity_ms}, now_ms)
            return True

    def outcome(self, intent_id: str, outcome: Outcome) -> Intent:
        with self._lock:
            ledger = self._begin()
            if ledger.intent(intent_id) is None:
                self._abandon()
                raise KeyError(intent_id)
            self._write("outcome", outcome.at_ms, outcome_to_dict, intent_id, outcome)
            return ledger.settle(intent_id, outcome)

    def intent(self, intent_id: str) -> Intent | None:
        with self._lock:
            return self._current().intent(intent_id)

    def intents(self, account: str | None = None, *, open_only: bool = True) -> list[Intent]:
        with self._lock:
            return self._current().intents(account, open_only=open_only)

    def observe(self, account: str, seen: Observation, now_ms: int) -> None:
        self._step("observe", observation_to_dict(account, seen), now_ms)

    # INVARIANT I15: the generation moves in the same atomic step, so a permit asked for later is refused as stale.
    def halt(
        self,
        scope: str,
        state: TradingState,
        by: str,
        why: str,
        now_ms: int,
        *,
        freeze: bool = False,
        latched: bool = True,
    ) -> tuple[int, list[Intent]]:
        body = {"scope": scope, "state": state, "by": by, "why": why, "freeze": freeze, "latched": latched}
        with self._lock:
            ledger = self._begin()
            self._change("halt", body, now_ms)
            return ledger.generation, ledger.unsent(now_ms)

    def resume(self, scope: str, by: str, why: str, now_ms: int) -> int:
        with self._lock:
            ledger = self._begin()
            before = len(ledger.halts)
            self._change("resume", {"scope": scope, "by": by, "why": why}, now_ms)
            return before - len(ledger.halts)

    def halts(self) -> list[Halt]:
        with self._lock:
            return list(self._current().halts.values())

    def ban(self, account: str, scope: str, until_ms: int, now_ms: int) -> None:
        self._step("ban", {"account": account, "scope": scope, "until_ms": until_ms}, now_ms)

    def event(self, kind: str, body: Mapping[str, Any], now_ms: int) -> int:
        return self._step(kind, dict(body), now_ms)

    def _step(self, kind: str, body: dict[str, Any], now_ms: int) -> int:
        with self._lock:
            self._begin()
            return self._change(kind, body, now_ms)

    def _row(self, kind: str, at_ms: int, body: Body, *args: Any) -> int:
        with self._lock:
            self._begin()
            return self._write(kind, at_ms, body, *args)

    def _change(self, kind: str, body: dict[str, Any], now_ms: int) -> int:
        seq = self._write(kind, now_ms, dict, body)
        self._ledger.apply(kind, body, now_ms)
        return seq
