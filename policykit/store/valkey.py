"""The store of many hosts: counters on a Valkey (or Redis) server, each host's journal on its own disk.

A grant is one round trip: the script (valkey.lua) checks and counts every hold and keeps the intent, all or nothing.
Any other change is read, applied to that part of a `Ledger`, and written if what it stands on is unchanged. The row is
in the host's journal before the caller is told, and the journal remembers the store's epoch and sequence: a server that
lost data, was set back or exchanged is STORE_RESET, until a person re-arms it by name.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from policykit.decision import Decision, Hold, Use
from policykit.engine.facts import Facts, Halt, TradingState
from policykit.errors import StoreUnavailable
from policykit.orders.intent import Intent, Outcome
from policykit.store import valkey_state as state
from policykit.store.backed import _finite as finite
from policykit.store.backed import finite_facts
from policykit.store.base import GUARD_SILENT_MS, Claim, Grant, GuardInfo, Observation, Row
from policykit.store.codec import claimed, decision_body, observation_to_dict, outcome_to_dict
from policykit.store.kept import Kept, known, place
from policykit.store.ledger import Ledger
from policykit.store.valkey_link import TRIES, Link
from policykit.store.valkey_server import Answer
from policykit.units import MAX_COUNTER

#: Grants whose answer was lost on the way and that are taken back as not sent once the server is there again.
_LOST: Final = 1_000
#: A hold that no store grants.
_NEVER: Final = Hold("", 1, -1, "sum", "")


class ValkeyStore(Link):
    """A store on a server. Raise StoreUnavailable for whatever keeps it from being read or written.

    `server_time`: windows, leases and silence go by the server's clock, the only one that all hosts share; a test that
    moves the time itself passes False. Thread-safe; goes on in a forked child.
    """

    backend = "valkey"

    # ---- facts

    def facts(self, account: str, bot: str, symbol: str = "") -> Facts:
        with self._lock:
            facts = self._view(account).facts(account, bot, symbol)
            return replace(facts, store_problem=self.reset) if self.reset else facts

    def _view(self, account: str) -> Ledger:
        """Return an account with the halts, read at most FACTS_MS ago."""
        view, now = self._views.get(account), time.monotonic()
        if view is not None and now - view[2] < self._facts_s:
            return view[0]
        if self._lost:
            self._take_back()
        # The generation is read first: with older facts than it stands for, a grant would find it moved.
        asked = ("HMGET", "meta", "epoch", "seq", "generation", "halts", f"v|{account}"), ("HGETALL", f"a:{account}")
        (epoch, seq, generation, halts, version), found = self._get(*asked)
        if epoch != self.epoch or int(seq or 0) < self._least:
            self._look()
            (epoch, seq, generation, halts, version), found = self._get(*asked)
        ledger = Ledger()
        ledger.generation, ledger.halts = int(generation or 0), state.halts_of(halts)
        if found:
            state.OneAccount(account, state.pairs(found), ledger)
        self._views[account] = (ledger, (ledger.generation, version or "0"), now)
        return ledger

    # ---- decisions

    # INVARIANT I8: the script reads what is used, judges and counts it, and nothing runs on the server beside it.
    def reserve(
        self, decision: Decision, intent: Intent | None, holds: tuple[Hold, ...], generation: int, now_ms: int
    ) -> Grant:
        if intent is not None and intent.holds is not holds:
            intent = replace(intent, holds=holds)
        account = "" if intent is None else intent.account
        body = decision_body(decision, intent, holds)
        record = "" if intent is None else state.new_record(body["intent"], state.claimed(holds))
        with self._lock:
            try:
                answer = self._step(now_ms, holds, generation=generation, account=account, intent=intent, record=record)
                if answer.status != "ok":
                    return self._refused(answer, holds, account)
                if decision.candidate is not None:
                    body |= decision.candidate(_told(holds, answer.used))
                # INVARIANT I3: the row is on this host's disk before the grant is returned.
                seq = self._write("decision", now_ms, body, answer)
            except StoreUnavailable:
                if intent is not None and len(self._lost) < _LOST:
                    self._lost.append(intent.id)  # it may stand there; nobody was told, so nobody sends it
                raise
            if intent is not None:
                self._keep(intent.id, record)
                self._claim_in_view(account, holds)
        return Grant(True, False, answer.used, (), seq)

    def _refused(self, answer: Answer, holds: tuple[Hold, ...], account: str) -> Grant:
        self._views.pop(account, None)
        seq = self._journal.seq
        if answer.status == "full":
            used = answer.used
            failed = tuple(i for i, h in enumerate(holds) if used[i] + abs(h.amount) > min(h.limit, MAX_COUNTER))
            return Grant(False, False, used, failed, seq)
        if answer.status == "taken":
            return Grant(False, False, (), (), seq, answer.rest[0])
        return Grant(False, True, (), (), seq)

    def _claim_in_view(self, account: str, holds: tuple[Hold, ...]) -> None:
        view = self._views.get(account)
        for hold in holds if view is not None else ():
            if hold.kind == "position":
                owner, _, key = hold.counter.split("|", 2)
                view[0].account(owner).position(key).claim(hold.amount, buy=hold.amount > 0)  # type: ignore[index]

    def record(self, decision: Decision, now_ms: int) -> int:
        with self._lock:
            if decision.candidate is not None:
                decision.extra |= decision.candidate(lambda holds: self._used(holds, now_ms))
            return self._journal.append("decision", now_ms, decision_body(decision, None, ()))

    def use(self, holds: tuple[Hold, ...], now_ms: int) -> Grant:
        with self._lock:
            return self._leases.use(self._count, holds, now_ms)

    def used_at(self, holds: tuple[Hold, ...], now_ms: int) -> tuple[Grant, int]:
        """Count a use on the server; return with it the moment that the windows counted it at."""
        with self._lock:
            return self._count(holds, now_ms)

    def _count(self, holds: tuple[Hold, ...], now_ms: int) -> tuple[Grant, int]:
        answer = self._sure(lambda: self._step(now_ms, holds))
        if answer.status == "full":
            return self._refused(answer, holds, ""), answer.now_ms
        seq = self._write("use", now_ms, {"holds": [list(hold) for hold in holds]}, answer)
        return Grant(True, False, answer.used, (), seq), answer.now_ms

    def used(self, holds: tuple[Hold, ...], now_ms: int) -> tuple[int, ...]:
        with self._lock:
            return self._used(holds, now_ms)

    def _used(self, holds: tuple[Hold, ...], now_ms: int) -> tuple[int, ...]:
        # One hold that never fits beside them: the script tells what is used, and changes nothing.
        return self._sure(lambda: self._step(now_ms, (_NEVER, *holds))).used[1:]

    def at_least(self, hold: Hold, now_ms: int) -> None:
        with self._lock:
            answer = self._sure(lambda: self._step(now_ms, ((*hold, True),)))
            missing = hold.amount - answer.used[0]
            if missing > 0:
                self._write("use", now_ms, {"holds": [list(hold._replace(amount=missing))]}, answer)

    def renew(self, intent_id: str, generation: int, validity_ms: int, now_ms: int) -> bool:
        with self._lock:
            for _ in range(TRIES):
                record = self._record(intent_id)
                one = None if record is None else state.OneIntent(record, {})
                if one is None or not one.before.open or one.before.state != "intended":
                    return False
                one.ledger.renewed(intent_id, validity_ms, now_ms)
                conditions, changes = one.changes()
                answer = self._step(now_ms, (), changes, conditions, generation=generation)
                if answer.status == "ok":
                    self._keep(intent_id, state.written(changes))
                    self._write("renew", now_ms, {"intent": intent_id, "validity_ms": validity_ms}, answer)
                    return True
                self._records.pop(intent_id, None)
                if answer.status != "changed":
                    return False
            raise self._busy()

    def outcome(self, intent_id: str, outcome: Outcome) -> Intent:
        finite(outcome.filled, outcome.cost, outcome.quantity, outcome.price)
        with self._lock:
            return self._outcome(intent_id, outcome)

    def _outcome(self, intent_id: str, outcome: Outcome) -> Intent:
        for _ in range(TRIES):
            record = self._record(intent_id)
            if record is None:
                raise KeyError(intent_id)
            intent = state.intent_of(record)
            one = state.OneIntent(record, self._position_of(intent, outcome))
            after = one.ledger.settle(intent_id, outcome)
            conditions, changes = one.changes()
            answer = self._step(outcome.at_ms, (), changes, conditions)
            if answer.status == "ok":
                self._records.pop(intent_id, None)
                if after.open:
                    self._keep(intent_id, state.written(changes))
                self._views.pop(intent.account, None)
                self._write("outcome", outcome.at_ms, outcome_to_dict(intent_id, outcome), answer)
                return after
            self._records.pop(intent_id, None)
        raise self._busy()

    def _position_of(self, intent: Intent, outcome: Outcome) -> dict[str, str]:
        """Read the position that an outcome moves, with its account's facts; nothing where it moves none."""
        counter = next((hold.counter for hold in intent.holds if hold.kind == "position"), None)
        idle = outcome.state in ("sent", "unknown", "acknowledged", "found") and not outcome.closed
        if counter is None or (idle and not outcome.filled and outcome.quantity is None):
            return {}
        account, _, key = counter.split("|", 2)
        fields = ["facts", *(f"{name}|{key}" for name in "bspu")]
        values = self._get(("HMGET", f"a:{account}", *fields))[0]
        return {field: value for field, value in zip(fields, values, strict=True) if value is not None}

    def _take_back(self) -> None:
        """Settle as not sent what was granted while the answer was lost: its caller was told that the store is down."""
        while self._lost:
            with suppress(KeyError):  # it never arrived
                self._outcome(self._lost[-1], Outcome("not_sent", int(time.time() * 1000), closed=True))
            self._lost.pop()

    # ---- reading intents

    def intent(self, intent_id: str) -> Intent | None:
        with self._lock:
            self._records.pop(intent_id, None)
            record = self._record(intent_id)
        return None if record is None else state.intent_of(record)

    def intents(self, account: str | None = None, *, open_only: bool = True) -> list[Intent]:
        keys = ("open",) if open_only else ("closed", "open")
        with self._lock:
            found = self._get(*(("HVALS", key) for key in keys))
        ledger = Ledger()
        ledger.open = {intent.id: intent for records in found for intent in map(state.intent_of, records)}
        return ledger.intents(account, open_only=True)

    # ---- changes of accounts and halts

    def observe(self, account: str, seen: Observation, now_ms: int) -> None:
        finite_facts(seen)
        self._change("observe", account, observation_to_dict(account, seen), now_ms)

    def ban(self, account: str, scope: str, until_ms: int, now_ms: int) -> None:
        self._change("ban", account, {"account": account, "scope": scope, "until_ms": until_ms}, now_ms)

    def reconcile(self, account: str, compared: Mapping[str, Any], now_ms: int) -> int:
        return self._change("reconcile", account, {**compared, "account": account}, now_ms)

    def reconciled(self, account: str) -> Mapping[str, Any]:
        with self._lock:
            return self._view(account).account(account).reconciled

    def announce(self, account: str, currency: str, loaded: Mapping[str, Any], now_ms: int) -> int:
        return self._change("policy", account, {"account": account, "currency": currency, **loaded}, now_ms)

    def prove(self, proof: Mapping[str, Any], now_ms: int) -> int:
        return self._change("address.proof", f"{proof['exchange']}/{proof['account']}", dict(proof), now_ms)

    def linted(self, account: str, found: Mapping[str, Any], now_ms: int) -> int:
        return self._change("lint", account, {**found, "account": account}, now_ms)

    def lints(self, account: str) -> Mapping[str, Mapping[str, Any]]:
        with self._lock:
            return dict(self._view(account).account(account).lints)

    def keep(self, account: str, kind: str, name: str, body: Mapping[str, Any], now_ms: int) -> int:
        row = {**body, "account": account, "name": name}
        at = f"k:{place(account, known(kind))}"
        with self._lock:
            before = state.kept_of(self._get(("HGETALL", at))[0])
            after = Kept({place(account, kind): before.copy()})
            after.keep(kind, {**row, "at_ms": now_ms})
            return self._write(kind, now_ms, row, self._step(now_ms, (), state.kept_changes(at, before, after)))

    def kept(self, account: str, kind: str) -> Mapping[str, Mapping[str, Any]]:
        with self._lock:
            return state.kept_of(self._get(("HGETALL", f"k:{place(account, kind)}"))[0])

    def _change(self, kind: str, account: str, body: dict[str, Any], now_ms: int) -> int:
        """Apply a row to an account, as long as others do not change the same of it meanwhile."""
        with self._lock:
            for _ in range(TRIES):
                fields = state.pairs(self._get(("HGETALL", f"a:{account}"))[0])
                ledger = Ledger()
                one = state.OneAccount(account, fields, ledger)
                ledger.apply(kind, body, now_ms)
                conditions, changes = one.changes()
                changes.append(("HINCRBY", "meta", f"v|{account}", 1))
                answer = self._step(now_ms, (), changes, conditions)
                if answer.status == "ok":
                    self._views.pop(account, None)
                    return self._write(kind, now_ms, body, answer)
            raise self._busy()

    # INVARIANT I15: the generation moves in the same step, so a permit asked for later is refused as stale.
    def halt(  # noqa: PLR0913  # a halt says as much as its row
        self,
        scope: str,
        state_: TradingState,
        by: str,
        why: str,
        now_ms: int,
        *,
        freeze: bool = False,
        latched: bool = True,
        decision_id: str | None = None,
        claim: Claim | None = None,
    ) -> tuple[int, list[Intent]]:
        body = {"scope": scope, "state": state_, "by": by, "why": why, "freeze": freeze, "latched": latched}
        body |= claimed(claim)
        if decision_id is not None:
            body["decision"] = decision_id
        with self._lock:
            ledger = self._halts("halt", body, now_ms)[1]
            records = self._get(("HVALS", "open"))[0]
        ledger.open = {intent.id: intent for intent in map(state.intent_of, records)}
        unsent = sorted(ledger.unsent(now_ms), key=lambda i: (i.decided_ms, i.id))
        return ledger.generation, unsent

    def resume(self, scope: str, by: str, why: str, now_ms: int, *, claim: Claim | None = None) -> int:
        body = {"scope": scope, "by": by, "why": why, **claimed(claim)}
        with self._lock:
            before, after = self._halts("resume", body, now_ms)
            lifted = before - len(after.halts)
            return lifted + (self._re_arm(by, why, now_ms) if scope == "all" else 0)

    def _halts(self, kind: str, body: dict[str, Any], now_ms: int) -> tuple[int, Ledger]:
        """Apply a row to the halts; return how many there were, and the ledger after it."""
        for _ in range(TRIES):
            generation, text = self._get(("HMGET", "meta", "generation", "halts"))[0]
            ledger = Ledger()
            ledger.generation, ledger.halts = int(generation or 0), state.halts_of(text)
            before = len(ledger.halts)
            accounts = self._tripped(ledger) if kind == "resume" else ()
            ledger.apply(kind, body, now_ms)
            halts = state.halts_text(ledger.halts.values())
            changes: list[state.Change] = [("HSET", "meta", "halts", halts, "generation", ledger.generation)]
            conditions: list[state.Condition] = []
            for one in accounts:
                asked, changed = one.changes()
                conditions, changes = [*conditions, *asked], [*changes, *changed]
            answer = self._step(now_ms, (), changes, conditions, generation=int(generation or 0))
            if answer.status == "ok":
                self._views.clear()
                self._write(kind, now_ms, body, answer)
                return before, ledger
        raise self._busy()

    def _re_arm(self, by: str, why: str, now_ms: int) -> int:
        """Take the store as it is for the one that hosts remember otherwise; return 1 if any did."""
        resets = state.pairs(self._get(("HGETALL", "resets"))[0])
        if not resets:
            return 0
        said = json.dumps({"by": by, "why": why, "at_ms": now_ms})
        succeeds = [word for old in (*resets, self.epoch) for word in (old, said)]
        new = ("HSET", "meta", "epoch", secrets.token_hex(8))
        self._sure(lambda: self._step(now_ms, (), [("HSET", "succeeds", *succeeds), new, ("DEL", "resets")]))
        self._look()
        return 1

    def _tripped(self, ledger: Ledger) -> list[state.OneAccount]:
        """Load the accounts that a limit of theirs halted: what it is held against starts anew when that is lifted."""
        scopes = [halt.scope for halt in ledger.halts.values() if halt.by.startswith(("risk.", "reconciliation."))]
        names = [scope.removeprefix("account:") for scope in scopes if scope.startswith("account:")]
        read = self._get(*(("HGETALL", f"a:{name}") for name in names)) if names else []
        return [state.OneAccount(name, state.pairs(fields), ledger) for name, fields in zip(names, read, strict=True)]

    def halts(self) -> list[Halt]:
        with self._lock:
            return list(state.halts_of(self._get(("HGET", "meta", "halts"))[0]).values())

    # ---- guards and leases: not journaled

    def beat(self, guard: GuardInfo) -> None:
        name = json.dumps([guard.bot, guard.host, guard.pid, guard.account])
        with self._lock:
            silent = self._get(
                ("HSET", "guards", name, json.dumps(guard)),
                ("ZADD", "beats", guard.beat_ms, name),
                ("ZRANGE", "beats", "-inf", f"({guard.beat_ms - GUARD_SILENT_MS}", "BYSCORE"),
            )[2]
            if silent:
                self._get(("HDEL", "guards", *silent), ("ZREM", "beats", *silent))

    def guards(self) -> list[GuardInfo]:
        with self._lock:
            found = self._get(("HVALS", "guards"))[0]
        return sorted(GuardInfo(*json.loads(text)[: len(GuardInfo._fields)]) for text in found)

    def lease(self, name: str, holder: str, ttl_ms: int, now_ms: int) -> bool:
        with self._lock:
            answer = self._sure(lambda: self._step(now_ms, ((name, ttl_ms, 0, "lease", holder),)))
        return bool(answer.status == "ok")

    # ---- the journal

    def event(self, kind: str, body: Mapping[str, Any], now_ms: int) -> int:
        if Ledger.changes(kind):
            raise ValueError(f'an event is of the kind "{kind}"; that is a change of state, which has its own method')
        with self._lock:
            return self._journal.append(kind, now_ms, dict(body))

    def rows(self, after: int = 0, limit: int = 1000) -> Iterator[Row]:
        return self._journal.rows(after, limit)

    def verify(self) -> tuple[int, str | None]:
        return self._journal.verify()

    def backup(self, path: str | Path) -> None:
        """Copy this host's journal while it is in use; of the counters the server keeps copies."""
        self._journal.backup(path)

    def written(self) -> list[float]:
        return self._journal.written()

    def waiting(self) -> int:
        return 0

    def checkpoint(self) -> None:
        """Do nothing: the counters are the state, and nothing is replayed."""


def _told(holds: tuple[Hold, ...], used: tuple[int, ...]) -> Use:
    """Return what tells what is used of the counters that the script was asked for, and of no other."""
    known = {(hold.counter, hold.kind): use for hold, use in zip(holds, used, strict=True)}
    return lambda asked: tuple(known.get((hold.counter, hold.kind)) for hold in asked)
