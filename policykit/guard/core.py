"""A guard: one policy in force for one account, deciding every order that passes it."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal, Self

from policykit import exchanges, secrets
from policykit import traits as traits_room
from policykit.clock import Clock, SystemClock
from policykit.decision import Assessment, Decision, Reason
from policykit.engine import Engine, compile_policy, denial_message, explain_failed
from policykit.engine.facts import Facts
from policykit.errors import Denied, PolicykitError, StoreUnavailable
from policykit.exchanges.base import OrderState
from policykit.exchanges.client import plain_client
from policykit.guard import fallback
from policykit.guard.admission import DRIVING, Admitted
from policykit.guard.given import observation
from policykit.guard.settings import choose_key, clock_bound_ms, request_validity_ms, retry_plan, store_problem
from policykit.order import CANCELS, Order
from policykit.orders.ids import new_id
from policykit.orders.intent import Intent, Outcome, advance
from policykit.orders.life import UNDECIDED, Proof, after_lookup
from policykit.orders.recovery import SILENT_MS, abandoned
from policykit.policy import EffectivePolicy, load
from policykit.store import SEND_WITHIN_MS, GuardInfo, Store, open_store
from policykit.telemetry import Scope, Telemetry, shared
from policykit.traits.base import Family, product_of

#: A decision is assessed again on newer facts at most this often.
ASSESS_AGAIN: Final = 2
Mode = Literal["enforce", "shadow"]


class Guard:
    """Decide, reserve, record: what `@enforce` and a protected client ask before anything is sent.

    Make one with `Guard.load`. `with guard:` (or `async with`) keeps its facts fresh (maintenance loop); without it
    facts must be given with `observe`, grow old, and increases are denied. Thread-safe.
    """

    def __init__(
        self,
        policy: EffectivePolicy,
        *,
        key: str,
        store: Store,
        clock: Clock,
        mode: Mode = "enforce",
        testing: bool = False,
    ) -> None:
        traits = traits_room.load(policy.model.exchange)
        adapter = exchanges.load(policy.model.exchange)
        if traits is None or adapter is None:
            raise PolicykitError(
                f'{policy.file}: exchange is "{policy.model.exchange}"; an exchange with an adapter is needed: '
                + ", ".join(exchanges.ADAPTERS)
            )
        self.policy = policy
        self.key = key
        self.store = store
        self.clock = clock
        self.mode: Mode = mode
        self.testing = testing
        self.bot = os.environ.get("POLICYKIT_BOT") or policy.name
        self.host = socket.gethostname()
        self.account = policy.account_key
        self.traits = traits
        self.adapter = adapter
        self.engine: Engine = compile_policy(policy, traits, key)
        self.telemetry: Telemetry = shared()
        stage = policy.model.stage.current if policy.model.stage else "full-live"
        self.scope = Scope(
            exchange=traits.id,
            account=policy.model.account.name,
            stage=stage,
            backend=store.backend,
            key=key,
            currency=policy.model.account.currency,
        )
        self.plan = retry_plan(policy)
        self.validity_ms = request_validity_ms(policy)
        self.clock_bound_ms = clock_bound_ms(policy)
        self.recovered = not self.abandoned()
        self._problem = None if testing else store_problem(policy, store)
        #: Where the guard's own client is sent instead of the exchange.
        self.endpoint: str | None = None
        self._maintenance: Any = None
        self._lock = threading.Lock()

    @classmethod
    def load(
        cls,
        path: str | Path | None = None,
        key: str | None = None,
        *,
        store: Store | str | None = None,
        clock: Clock | None = None,
        testing: bool = False,
        endpoint: str | None = None,
    ) -> Guard:
        """Load a policy (default POLICYKIT_POLICY) and open its store (default POLICYKIT_STORE).

        `key` may be left out if only one key has a trade scope. `testing=True` lets a live policy trade on a store
        that forgets; only for tests. `endpoint` sends the guard's own client to another origin (a gateway, the
        simulated exchange). Raise PolicyError, StoreUnavailable.
        """
        clock = clock or SystemClock()
        path = path or os.environ.get("POLICYKIT_POLICY")
        if path is None:
            raise PolicykitError("no policy is named; give Guard.load a path, or set POLICYKIT_POLICY")
        policy = load(path, now_ms=clock.now_ms())
        mode: Mode = "shadow" if os.environ.get("POLICYKIT_MODE") == "shadow" else "enforce"
        opened = open_store(store) if store is None or isinstance(store, str) else store
        guard = cls(policy, key=choose_key(policy, key), store=opened, clock=clock, mode=mode, testing=testing)
        guard.endpoint = endpoint
        guard.announce()
        return guard

    def announce(self) -> None:
        """Write down that this policy is in force in this process."""
        policy = self.policy
        loaded = {"name": policy.name, "version": policy.version, "file": policy.file, "bot": self.bot}
        self.store.event("policy", loaded, self.now())
        stage = self.scope.stage
        self.telemetry.policy_loaded(policy.name, policy.version, policy.file, stage=stage, mode=self.mode)
        self.beat()

    def now(self) -> int:
        """Return UTC ms by the guard's clock."""
        return self.clock.now_ms()

    # ---- facts

    def observe(
        self,
        *,
        equity: str | None = None,
        positions: Mapping[str, Any] | None = None,
        marks: Mapping[str, Any] | None = None,
        net_transfers: str | None = None,
        as_of: int | None = None,
        partial: bool = False,
        skew_ms: int | None = None,
    ) -> None:
        """Give facts: `equity="100000 USDT", positions={"BTC/USDT": "0.5"}, marks={"BTC/USDT": "60000"}`.

        Money is text with the account's currency; `positions` are complete for the account unless `partial`. `as_of` is
        when the request that read them was sent (UTC ms; default now); `skew_ms` is the local clock minus the
        exchange's, which `clock.max_skew` needs. Raise ValueError for what is not a number.
        """
        given = {
            "equity": equity,
            "net_transfers": net_transfers,
            "positions": positions,
            "marks": marks,
            "skew_ms": skew_ms,
        }
        self.store.observe(
            self.account, observation(self.policy, given, as_of, self.now(), partial=partial), self.now()
        )

    def facts(self, symbol: str = "") -> Facts:
        """Return what is known now; a store that cannot be read is a fact too."""
        try:
            facts = self.store.facts(self.account, self.bot, symbol)
        except StoreUnavailable as error:
            return Facts(store_problem=(error.code, str(error)), recovered=self.recovered)
        if self.recovered and self._problem is None:
            return facts
        return replace(
            facts, recovered=self.recovered, store_problem=(facts.store_problem and self._problem) or self._problem
        )

    # ---- decisions

    def check(self, order: Order) -> Decision:
        """Return the decision for an order without holding, recording or sending anything."""
        now = self.now()
        facts = self.facts(order.symbol)
        return self._decision(new_id(), order, self.engine.assess(facts, order, now), facts, now)

    # INVARIANT I12: whatever cannot be evaluated, read or written ends in a denial with a code; only what can merely
    # reduce passes without a store.
    def decide(self, order: Order, *, gated: bool = True, replaces: str | None = None) -> Admitted:
        """Decide and reserve; return the permit to send, or raise Denied. One call, one decision, one row, one span.

        `gated`: a gate stands before the send, so the permit ends after SEND_WITHIN_MS. `replaces` names the absent
        intent that this one is sent in place of.
        """
        started = self.clock.monotonic_ms()
        now = self.now()
        decision_id = new_id()
        for _ in range(1 + ASSESS_AGAIN):
            facts = self.facts(order.symbol)
            assessment = self.engine.assess(facts, order, now)
            decision = self._decision(decision_id, order, assessment, facts, now)
            if decision.outcome == "deny":
                return self._refuse(decision, assessment, started)
            intent = self._intent(decision, assessment, gated, replaces)
            try:
                grant = self.store.reserve(decision, intent, assessment.holds, facts.generation, now)
            except StoreUnavailable as error:
                return self._without_store(decision, intent, error, started)
            if grant.granted:
                decision.seq = grant.seq
                if intent is not None:
                    DRIVING.add(intent.id)
                self._tell(decision, started, intent)
                deadline = started + SEND_WITHIN_MS if gated else None
                return Admitted(decision, intent, deadline, facts.generation)
            if grant.duplicate is not None:
                return self._refuse_with(decision, _reused(order, grant.duplicate), started)
            if not grant.stale and not assessment.reduces:
                reasons = explain_failed(
                    self.engine, order, assessment.holds, grant.used, grant.failed, facts=facts, now_ms=now
                )
                return self._refuse_with(decision, reasons, started)
        return self._refuse_with(decision, _moving(), started)

    def refuse(self, order: Order, reason: Reason) -> Denied:
        """Record a denial that no check made (a raw call at the gate, say) and return the error to raise."""
        decision = self._decision(
            new_id(), order, Assessment((reason,), (), False), self.facts(order.symbol), self.now()
        )
        try:
            self._refuse_with(decision, (reason,), self.clock.monotonic_ms())
        except Denied as denied:
            return denied
        return Denied(decision, denial_message(decision, self.policy.file))

    def _refuse(self, decision: Decision, assessment: Assessment, started: float) -> Admitted:
        self._trip(assessment)
        return self._refuse_with(decision, assessment.reasons, started)

    def _refuse_with(self, decision: Decision, reasons: tuple[Reason, ...], started: float) -> Admitted:
        decision.outcome, decision.reasons = "deny", reasons
        try:
            decision.seq = self.store.record(decision, decision.at_ms)
        except StoreUnavailable:
            fallback.write(self.policy.name, decision)
        self._tell(decision, started, None)
        if self.mode == "shadow":
            return Admitted(decision, None, None, 0)
        raise Denied(decision, denial_message(decision, self.policy.file))

    def _without_store(
        self, decision: Decision, intent: Intent | None, error: StoreUnavailable, started: float
    ) -> Admitted:
        if not (decision.reduces or decision.action in CANCELS):
            reason = Reason(error.code, "store", f"{error}; orders that increase exposure wait for it", failure=True)
            return self._refuse_with(decision, (reason,), started)
        fallback.write(self.policy.name, decision)
        self._tell(decision, started, intent)
        return Admitted(decision, intent, started + SEND_WITHIN_MS, 0, unrecorded=True)

    def _tell(self, decision: Decision, started: float, intent: Intent | None) -> None:
        duration_ns = int((self.clock.monotonic_ms() - started) * 1_000_000)
        self.telemetry.record(decision, self.scope, duration_ns=duration_ns, intent=intent)

    def _trip(self, assessment: Assessment) -> None:
        """Set the trading state that a breached limit asks for; a loss trip latches (DESIGN 6)."""
        for reason in assessment.reasons:
            state = {"reduce_only": "REDUCING", "cancel_open": "HALTED", "halt": "HALTED"}.get(reason.on_breach)
            if state is None or reason.failure or self.mode == "shadow":
                continue
            scope = f"account:{self.account}"
            if not any(h.scope == scope and h.state in (state, "HALTED") for h in self.facts().halts):
                self.halt(scope, "REDUCING" if state == "REDUCING" else "HALTED", reason.check, reason.message)

    def halt(self, scope: str, state: Literal["REDUCING", "HALTED"], by: str, why: str) -> None:
        """Set the trading state of a scope; it latches until `policykit resume`. A store that is down denies anyway."""
        try:
            self.store.halt(scope, state, by, why, self.now())
        except StoreUnavailable:
            return
        self.telemetry.kill_switch(scope, state, by, why)

    def _decision(self, decision_id: str, order: Order, a: Assessment, facts: Facts, now: int) -> Decision:
        equity = facts.equity
        return Decision(
            id=decision_id,
            outcome="deny" if a.reasons else "allow",
            mode=self.mode,
            action=order.action,
            order=order,
            policy_name=self.policy.name,
            policy_version=self.policy.version,
            bot=self.bot,
            at_ms=now,
            reasons=a.reasons,
            warnings=a.warnings,
            reduces=a.reduces,
            notional=a.notional,
            facts_age_s=None if equity is None else (now - equity.as_of_ms) / 1000,
            checks=len(self.engine.checks),
        )

    def _intent(self, decision: Decision, a: Assessment, gated: bool, replaces: str | None) -> Intent | None:
        order = decision.order
        if order.action != "order.create":
            return None
        return Intent(
            id=decision.id,
            account=self.account,
            order=order,
            client_order_id=order.client_order_id or self.family(order.symbol).client_order_id.encode(decision.id),  # type: ignore[union-attr]
            family="order",
            holds=a.holds,
            reduces=a.reduces,
            bot=self.bot,
            host=self.host,
            pid=os.getpid(),
            decided_ms=decision.at_ms,
            permit_until_ms=decision.at_ms + SEND_WITHIN_MS if gated else None,
            validity_ms=self.validity_ms if gated else None,
            changed_ms=decision.at_ms,
            replaces=replaces,
        )

    def family(self, symbol: str) -> Family:
        """Return the traits of the order family that a symbol's plain orders belong to."""
        return self.traits.products[product_of(symbol)].families["order"]

    # ---- what became of an order

    def renew(self, admitted: Admitted) -> bool:
        """Extend a permit that ran out on its way to the gate; False when the state moved since it was granted."""
        if admitted.intent is None:
            admitted.deadline_ms = None
            return True
        started = self.clock.monotonic_ms()
        try:
            if not self.store.renew(admitted.intent.id, admitted.generation, self.validity_ms, self.now()):
                return False
        except StoreUnavailable:
            return False
        admitted.deadline_ms = started + SEND_WITHIN_MS
        return True

    def gated(self, admitted: Admitted) -> bool:
        """Bound a permit that had no gate, now that one stands before the send; False when the state moved."""
        intent = admitted.intent
        if intent is None or admitted.unrecorded or admitted.deadline_ms is not None:
            return True
        if not self.renew(admitted):
            return False
        admitted.intent = self.store.intent(intent.id) or intent
        return True

    def release(self, admitted: Admitted | None) -> None:
        """Say that no call waits for an order any more; what is still unknown is recovery's from here on."""
        if admitted is not None and admitted.intent is not None:
            DRIVING.discard(admitted.intent.id)

    def settle(self, admitted: Admitted, outcome: Outcome, started_ms: float | None = None) -> None:
        """Write what became of an admitted order; a store that is down keeps its reservation, which is the safe side.

        `started_ms` is when it was sent, on the monotonic clock: it makes the span of the send.
        """
        intent = admitted.intent
        if intent is None:
            return
        if admitted.unrecorded:
            fallback.write_outcome(self.policy.name, intent.id, outcome)
            admitted.intent = advance(intent, outcome)
        else:
            try:
                admitted.intent = self.store.outcome(intent.id, outcome)
            except StoreUnavailable:
                fallback.write_outcome(self.policy.name, intent.id, outcome)
                admitted.intent = advance(intent, outcome)
        if started_ms is not None:
            duration_ns = int((self.clock.monotonic_ms() - started_ms) * 1_000_000)
            self.telemetry.sent(admitted.intent, self.scope, duration_ns=duration_ns)

    def saw(self, state: OrderState) -> None:
        """Take in what the exchange says of one order, if it is one of ours."""
        for intent in self.store.intents(self.account):
            if intent.client_order_id == state.client_order_id:
                outcome = after_lookup(intent, self.now(), state, Proof(None))
                if outcome is not None:
                    self.store.outcome(intent.id, outcome)

    # ---- life

    def beat(self) -> None:
        """Tell the store that this guard lives."""
        info = GuardInfo(
            self.bot,
            self.host,
            os.getpid(),
            self.account,
            self.policy.name,
            self.policy.version,
            os.path.abspath(self.policy.file),
            self.mode,
            self.now(),
        )
        self.store.beat(info)

    def own_client(self) -> Any:
        """Return a client of the guard's own, made from the policy's secret reference, behind this guard.

        Raise SecretUnavailable, ExchangeUnavailable.
        """
        model = self.policy.model
        reference = (model.keys or {})[self.key].secret
        credentials = secrets.read(reference) if reference else {}
        sandbox = model.environment == "sandbox"
        return self.protect(plain_client(model.exchange, credentials, endpoint=self.endpoint, sandbox=sandbox))

    def protect(self, client: Any) -> Any:
        """Put a ccxt client (sync or async) behind this guard, in place, and return it."""
        from policykit.guard.protect import protect

        return protect(self, client)

    def maintain(self, client: Any = None) -> None:
        """Do one round of maintenance now: facts, open orders, recovery, heartbeat. `with guard:` repeats it."""
        from policykit.guard.maintenance import Maintenance

        with self._lock:
            if self._maintenance is None:
                self._maintenance = Maintenance(self, client)
        self._maintenance.round()

    def __enter__(self) -> Self:
        self.maintain()
        self._maintenance.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._maintenance.stop()
        self.store.checkpoint()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.__exit__)

    def abandoned(self) -> list[Intent]:
        """Return the intents of this account whose outcome nobody knows and that no living process waits for."""
        now = self.now()
        alive = [(g.host, g.pid) for g in self.store.guards() if _lives(g, self.host, now)]
        left = abandoned([i for i in self.store.intents(self.account) if i.state in UNDECIDED], now, alive)
        return [i for i in left if i.id not in DRIVING]


def _lives(guard: GuardInfo, host: str, now_ms: int) -> bool:
    """Tell whether another process with a guard lives: by its process id on this host, by its heartbeat elsewhere."""
    if guard.host != host:
        return now_ms - guard.beat_ms < SILENT_MS
    if guard.pid == os.getpid():
        return False  # this process knows its own by DRIVING; its id may be that of a life before
    try:
        os.kill(guard.pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _reused(order: Order, intent: str) -> tuple[Reason, ...]:
    message = f'client order id "{order.client_order_id}" belongs to intent {intent}; an id is for one order, for ever'
    return (Reason("CLIENT_ORDER_ID_REUSED", "order.client_order_id", message),)


def _moving() -> tuple[Reason, ...]:
    message = f"the trading state or the position changed under {1 + ASSESS_AGAIN} assessments in a row; decide again"
    return (Reason("STATE_MOVING", "trading_state", message, failure=True),)
