"""How a guard decides: assess, reserve, record; and what it writes of an order that was admitted."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final

from policykit.clock import Clock
from policykit.decision import Assessment, Decision, Hold, Reason
from policykit.engine import Engine, denial_message, explain_failed
from policykit.engine.case import READS
from policykit.engine.facts import Contract, Facts, TradingState
from policykit.errors import Denied, StoreUnavailable
from policykit.exchanges.adapter import TradingAdapter
from policykit.exchanges.base import OrderState, Steps
from policykit.guard import fallback, masking, refusals
from policykit.guard.admission import DRIVING, Admitted
from policykit.guard.amends import search, swapped
from policykit.guard.dead_man import UNARMED, DeadMan
from policykit.guard.given import known_beside
from policykit.guard.paper import Paper
from policykit.guard.pricing import UNPRICED, Wanted
from policykit.guard.refusals import PLACED
from policykit.guard.settings import Mode
from policykit.guard.shadow import Shadow, met
from policykit.guard.triggers import Triggers
from policykit.order import CANCELS, Order
from policykit.orders.cancels import Doubt, doubted, meant
from policykit.orders.ids import new_id
from policykit.orders.intent import Intent, Outcome, advance
from policykit.orders.life import Proof, after_lookup
from policykit.policy import EffectivePolicy
from policykit.store import SEND_WITHIN_MS, Observation, Store
from policykit.telemetry import Scope, Telemetry
from policykit.traits.base import Exchange, Family, product_of

#: Denials of orders that may hold anything: a number that is none, a secret.
MASKED: Final = frozenset(("ORDER_INVALID", "SECRET_IN_ORDER"))
#: The trading state that a breached limit asks for.
_ON_BREACH: Final[dict[str, TradingState]] = {"reduce_only": "REDUCING", "cancel_open": "HALTED", "halt": "HALTED"}


class Deciding(ABC):
    """The part of a guard that decides and records; `core.Guard` is the rest of it."""

    policy: EffectivePolicy
    store: Store
    clock: Clock
    mode: Mode
    bot: str
    host: str
    account: str
    traits: Exchange
    adapter: TradingAdapter
    engine: Engine
    paper: Paper | None
    telemetry: Telemetry
    scope: Scope
    key: str
    #: The policy has other keys: each decision says which is this guard's.
    several_keys: bool
    validity_ms: int
    wanted: Wanted
    clock_bound_ms: int
    dead_man: DeadMan
    triggers: Triggers
    #: It halted something since maintenance did its last round: what is open is cancelled at once.
    urgent: bool = False
    #: A candidate that judges every order too, and acts on nothing; it does from the row on that names it.
    shadow: Shadow | None = None
    #: The journal row in which its policy came into force, and the candidate that it names: of one decision, both.
    judging: tuple[int | None, Shadow | None] = (None, None)

    def now(self) -> int:
        """Return UTC ms by the guard's clock."""
        return self.clock.now_ms()

    @abstractmethod
    def facts(self, symbol: str = "") -> Facts:
        """Return what is known now; a store that cannot be read is a fact too."""

    def check(self, order: Order) -> Decision:
        """Return the decision for an order without holding, recording or sending anything."""
        now = self.now()
        facts = self.facts(order.symbol)
        engine = self.engine
        return self._decision(new_id(), order, engine.assess(facts, order, now), facts, now, engine)

    # INVARIANT I12: whatever cannot be evaluated, read or written ends in a denial with a code; only what can merely
    # reduce passes without a store.
    def decide(
        self, order: Order, *, gated: bool = True, replaces: str | None = None, amends: Intent | None = None
    ) -> Admitted:
        """Decide and reserve; return the permit to send, or raise Denied. One call, one decision, one row, one span.

        `gated`: a gate stands before the send, so the permit ends after SEND_WITHIN_MS. `replaces` names the absent
        intent that this one is sent in place of; `amends` is that of the order which an amend changes. In shadow mode
        nothing is denied, only recorded as if.
        """
        started = self.clock.monotonic_ms()
        now = self.now()
        decision_id = new_id()
        times = 0
        warned: tuple[Reason, ...] = ()
        while True:
            facts = self.facts(order.symbol)
            judging = self.judging
            engine = self.engine  # a reload may put another in its place: one decision is one policy's
            assessment = engine.assess(facts, order, now)
            attempts: tuple[Intent, ...] = ()
            if warned or replaces is not None:
                attempts = tuple(self._attempts(replaces))
                assessment = refusals.sent_again(assessment, attempts, now + self.clock_bound_ms)
                assessment = refusals.lifted(assessment, warned)
            decision = self._decision(decision_id, order, assessment, facts, now, engine)
            self._beside(decision, facts, assessment, judging, replaces, attempts, amends)
            unfit = refusals.unfit(order, assessment, self.adapter, amends)
            if unfit:
                return self._refuse_anyhow(decision, unfit, started, gated)
            if decision.outcome == "deny":
                self.trip(assessment.reasons, decision.id)
                return self._refuse(decision, assessment.reasons, started, gated)
            holds = assessment.holds if amends is None else self._amending(assessment.holds, order, amends)
            intent = self._intent(decision, holds, gated, replaces, amends)
            try:
                grant = self.store.reserve(decision, intent, holds, facts.generation, now)
            except StoreUnavailable as error:
                return self._without_store(decision, intent, error, started)
            if grant.granted:
                decision.seq = grant.seq
                return self._admit(decision, intent, holds, started, facts.generation)
            if grant.duplicate is not None:
                return self._refuse_anyhow(decision, refusals.reused(order, grant.duplicate), started, gated)
            times += 1
            # A cancel or an exit that did not fit meets newer facts again; an increase that did not fit is denied.
            last = times > (refusals.ASSESS_EXIT_AGAIN if assessment.reduces else refusals.ASSESS_AGAIN)
            if not grant.stale and (last or not assessment.reduces):
                reasons = explain_failed(
                    engine, order, assessment.holds, grant.used, grant.failed, facts=facts, now_ms=now
                )
                told = {reason.check for reason in warned}
                if all(reason.on_breach == "warn" and reason.check not in told for reason in reasons):
                    warned += reasons  # each of them once: every turn lifts another limit
                    continue
                self.trip(reasons, decision.id)
                met(decision, assessment.holds, grant.used)
                return self._refuse(decision, reasons, started, gated)
            if last and order.action in CANCELS:
                return self._uncounted(decision, started)
            if last:
                return self._refuse_anyhow(decision, refusals.moving(times), started, gated)

    def _beside(
        self,
        decision: Decision,
        facts: Facts,
        active: Assessment,
        judging: tuple[int | None, Shadow | None],
        replaces: str | None,
        attempts: tuple[Intent, ...],
        amends: Intent | None,
    ) -> None:
        """Say in which row its policy came into force, and have the candidate that the row names judge it too."""
        decision.in_force, shadow = judging
        if replaces is not None:
            decision.extra["replaces"] = replaces
        if shadow is not None:
            meant = partial(self._meant, decision, attempts, amends)
            decision.candidate = shadow.beside(decision, facts, active, meant)

    def _meant(
        self, decision: Decision, attempts: tuple[Intent, ...], amends: Intent | None, said: Assessment
    ) -> Assessment:
        """Make of a candidate's assessment what was made of the active one."""
        said = refusals.sent_again(said, attempts, decision.at_ms + self.clock_bound_ms)
        return said if amends is None else said._replace(holds=self._amending(said.holds, decision.order, amends))

    def _amending(self, holds: tuple[Hold, ...], order: Order, target: Intent) -> tuple[Hold, ...]:
        return swapped(holds, order, target) if self.adapter.amending(order) == "replaces" else holds

    def _attempts(self, latest: str | None) -> Iterator[Intent]:
        """Yield the attempts of one wish that were proved absent, latest first; none where they cannot be read."""
        with suppress(StoreUnavailable):
            while latest is not None and (attempt := self.store.intent(latest)) is not None:
                yield attempt
                latest = attempt.replaces

    def refuse(self, order: Order, reason: Reason) -> Denied:
        """Record a denial that no check made (a raw call at the gate, say) and return the error to raise."""
        order, reason = masking.masked(order), masking.told(reason)
        facts, now = self.facts(order.symbol), self.now()
        decision = self._decision(new_id(), order, Assessment((reason,), (), False), facts, now, self.engine)
        return self._deny(decision, (reason,), self.clock.monotonic_ms())

    def _admit(
        self, decision: Decision, intent: Intent | None, holds: tuple[Hold, ...], started: float, generation: int
    ) -> Admitted:
        if intent is not None:
            DRIVING.add(intent.id)
        self._tell(decision, started, intent)
        gated = intent is None or intent.permit_until_ms is not None
        return Admitted(decision, intent, started + SEND_WITHIN_MS if gated else None, generation, holds=holds)

    def _refuse_anyhow(self, decision: Decision, reasons: tuple[Reason, ...], started: float, gated: bool) -> Admitted:
        """Refuse what no policy lets through: a candidate has nothing to say to it."""
        decision.candidate = None
        return self._refuse(decision, reasons, started, gated)

    def _refuse(self, decision: Decision, reasons: tuple[Reason, ...], started: float, gated: bool) -> Admitted:
        if self.mode == "shadow":
            return self._let_through(decision, reasons, started, gated)
        raise self._deny(decision, reasons, started)

    def _deny(self, decision: Decision, reasons: tuple[Reason, ...], started: float) -> Denied:
        reasons = self._denied(decision, reasons)
        if any(reason.code in UNPRICED for reason in reasons):
            self.wanted.add(self.policy, decision.order.symbol)
        if any(reason.code == UNARMED for reason in reasons):
            self.dead_man.wants(decision.order.symbol)
        self._write(decision)
        self._tell(decision, started, None)
        return Denied(decision, denial_message(decision, self.policy.file))

    def _denied(self, decision: Decision, reasons: tuple[Reason, ...]) -> tuple[Reason, ...]:
        if decision.action not in PLACED or any(reason.code in MASKED for reason in reasons):
            decision.order, reasons = masking.masked(decision.order), tuple(map(masking.told, reasons))
        decision.outcome, decision.reasons = "deny", reasons
        return reasons

    def _write(self, decision: Decision) -> None:
        try:
            decision.seq = self.store.record(decision, decision.at_ms)
        except StoreUnavailable:
            fallback.write(self.policy.name, self.store.epoch, decision)

    def _let_through(self, decision: Decision, reasons: tuple[Reason, ...], started: float, gated: bool) -> Admitted:
        """Record what would be denied, and send it all the same: it holds nothing, and what becomes of it is kept."""
        reasons = self._denied(decision, reasons)
        # Of an order whose numbers are none nothing can be counted, of one that holds a secret nothing be kept.
        intent = None if reasons[0].code in MASKED else self._intent(decision, (), gated, None)
        generation = self.facts(decision.order.symbol).generation
        try:
            if intent is not None:
                grant = self.store.reserve(decision, intent, (), generation, decision.at_ms)
                decision.seq = grant.seq if grant.granted else None
        except StoreUnavailable:
            pass
        if decision.seq is None:
            intent = None
            self._write(decision)
        return self._admit(decision, intent, (), started, generation)

    def _uncounted(self, decision: Decision, started: float) -> Admitted:
        """Let a cancel pass that met a newer trading state every time; only the budgets do not count it."""
        self._write(decision)
        return self._admit(decision, None, (), started, 0)

    def _without_store(
        self, decision: Decision, intent: Intent | None, error: StoreUnavailable, started: float
    ) -> Admitted:
        if not (decision.reduces or decision.action in CANCELS or decision.action in READS):
            return self._refuse_anyhow(decision, refusals.without_store(error), started, True)
        fallback.write(self.policy.name, self.store.epoch, decision, intent)
        self._tell(decision, started, intent)
        return Admitted(decision, intent, started + SEND_WITHIN_MS, 0, unrecorded=True)

    def _tell(self, decision: Decision, started: float, intent: Intent | None) -> None:
        duration_ns = int((self.clock.monotonic_ms() - started) * 1_000_000)
        self.telemetry.record(decision, self.scope, duration_ns=duration_ns, intent=intent)

    def trip(self, reasons: tuple[Reason, ...], decision_id: str | None) -> None:
        """Set the trading state that a breached limit asks for; a loss trip latches (DESIGN 6).

        `cancel_open` halts, as `halt` does: a halt is what cancels this account's entries, in the next round of
        maintenance.
        """
        for reason in reasons:
            state: TradingState | None = _ON_BREACH.get(reason.on_breach)
            if state is None or self.mode == "shadow":
                continue
            self.halt_once(f"account:{self.account}", state, reason.check, reason.message, decision_id=decision_id)

    def halt_once(self, scope: str, state: TradingState, by: str, why: str, *, decision_id: str | None = None) -> None:
        """Set the trading state of a scope, unless it is as strict already, and not for a drill, which ends.

        A store that is down denies anyway, and what breached says so again once it is there.
        """
        if not any(h.scope == scope and h.state in (state, "HALTED") and not h.drill for h in self.facts().halts):
            with suppress(StoreUnavailable):
                self.halt(scope, state, by, why, decision_id=decision_id)

    def halt(self, scope: str, state: TradingState, by: str, why: str, *, decision_id: str | None = None) -> None:
        """Set the trading state of a scope; it latches until `policykit resume`.

        `decision_id` is the denial that made it necessary: what it denies later links to that one's span. Raise
        StoreUnavailable: then nothing is halted, and increases are denied only until the store is there again.
        """
        self.store.halt(scope, state, by, why, self.now(), decision_id=decision_id)
        self.urgent = True
        self.telemetry.kill_switch(scope, state, by, why, decision_id=decision_id)

    def banned(self, until_ms: int) -> None:
        """Remember that the exchange takes nothing from this address before a moment (429, 418).

        An address is no account: the ban is written for every account of the exchange that a guard of this store
        trades, which is the safe side where they have several addresses.
        """
        try:
            accounts = {guard.account for guard in self.store.guards()} | {self.account}
            for account in sorted(accounts):
                if account.startswith(f"{self.traits.id}/"):
                    self.store.ban(account, "ip", until_ms, self.now())
        except StoreUnavailable:
            return

    def _decision(
        self, decision_id: str, order: Order, a: Assessment, facts: Facts, now: int, engine: Engine
    ) -> Decision:
        equity, effective = facts.equity, engine.effective
        beside: dict[str, Any] = {"key": self.key} if self.several_keys else {}
        if not facts.recovered or facts.store_problem is not None or facts.streams:
            beside["facts"] = known_beside(facts)
        if order.action not in PLACED:
            order = masking.masked(order)
        return Decision(  # by position, which is the quickest; `test_a_decision_says_what_made_it` holds the order
            decision_id,
            "deny" if a.reasons else "allow",
            self.mode,
            order.action,
            order,
            effective.name,
            effective.version,
            self.bot,
            now,
            a.reasons,
            a.warnings,
            a.reduces,
            a.notional,
            None,
            None if equity is None else (now - equity.as_of_ms) / 1000,
            len(engine.checks),
            self.telemetry.caller(),
            facts.seq,
            self.judging[0],
            beside,
        )

    def _intent(
        self,
        decision: Decision,
        holds: tuple[Hold, ...],
        gated: bool,
        replaces: str | None,
        amends: Intent | None = None,
    ) -> Intent | None:
        order, now = decision.order, decision.at_ms
        if order.action != "order.create" and amends is None:
            return None
        in_place = amends is not None and self.adapter.amending(order) == "in_place"
        family = self.adapter.family(order)
        ids = self.family(order.symbol, family).client_order_id
        return Intent(
            decision.id,
            self.account,
            order,
            order.client_order_id or (decision.id if ids is None else ids.encode(decision.id)),
            family,
            holds,
            decision.reduces,
            self.bot,
            self.host,
            os.getpid(),
            now,
            now + SEND_WITHIN_MS if gated else None,
            self.validity_ms if gated else None,
            changed_ms=now,
            replaces=replaces,
            amends=amends.id if amends is not None and in_place else None,
        )

    def family(self, symbol: str, name: str = "order") -> Family:
        """Return the traits of an order family; of a product that is not traded nothing is known: it has no fence."""
        product = self.traits.products.get(product_of(symbol))
        return refusals.NO_FAMILY if product is None else product.families.get(name, refusals.NO_FAMILY)

    # ---- what became of an order

    def renew(self, admitted: Admitted) -> bool:
        """Extend a permit that ran out on its way to the gate; False when the order may not be sent any more.

        The holds stay. An entry is judged again, since the facts that admitted it grew older on the way; where the
        trading state moved, an exit too: it passes a halt.
        """
        intent = admitted.intent
        if intent is None:
            admitted.deadline_ms = None
            return True
        started = self.clock.monotonic_ms()
        try:
            facts = self.facts(intent.order.symbol)
            moved = facts.generation != admitted.generation
            judged = moved or not intent.reduces
            if judged and self.engine.assess(facts, intent.order, self.now()).reasons:
                return False
            admitted.generation = facts.generation
            if not self.store.renew(intent.id, facts.generation, self.validity_ms, self.now()):
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
        until_ms = self.now() + SEND_WITHIN_MS
        admitted.intent = replace(intent, permit_until_ms=until_ms, validity_ms=self.validity_ms)
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
        if started_ms is not None:
            outcome.took_ms = round(self.clock.monotonic_ms() - started_ms, 3)
        admitted.intent = self.conclude(intent, outcome, recorded=not admitted.unrecorded)
        if outcome.took_ms is not None:
            self.telemetry.sent(admitted.intent, self.scope, duration_ns=round(outcome.took_ms * 1_000_000))

    def conclude(self, intent: Intent, outcome: Outcome, *, recorded: bool = True) -> Intent:
        """Write an outcome to the store, or to the fallback file where that cannot be; return the intent after it."""
        if recorded:
            try:
                after = self.store.outcome(intent.id, outcome)
                self.triggers.count(intent, after)
                return after
            except (StoreUnavailable, KeyError):
                pass
        fallback.write_outcome(self.policy.name, self.store.epoch, intent.id, outcome)
        return advance(intent, outcome)

    def saw(self, state: OrderState, *, late: bool = False) -> None:
        """Take in what the exchange says of one order, if it is one of ours. Raise StoreUnavailable.

        `late`: it may be older than an amend that was answered since, so only what fills and ends counts of it.
        """
        for intent in self.store.intents(self.account):
            if intent.client_order_id == state.client_order_id:
                outcome = after_lookup(intent, self.now(), state, Proof(None))
                if outcome is not None:
                    if late:
                        outcome = replace(outcome, quantity=None, price=None)
                    if outcome.state == "found":  # told, not looked up: it is as good as its acknowledgement
                        outcome = replace(outcome, state="acknowledged")
                    self.store.outcome(intent.id, outcome)

    def cancelled(self, order: Order, request: str, doubt: Doubt) -> None:
        """Remember which orders a cancel was for that no answer ended, so that the next round looks them up."""
        with suppress(StoreUnavailable):  # then the list of open orders tells, once it is believed
            for intent in meant(self.store.intents(self.account), order.action, order.symbol, request):
                self.store.outcome(intent.id, doubted(intent, doubt, self.now()))

    def look_up(self, intent: Intent, *, thorough: bool = True) -> Steps[OrderState | None]:
        """Return the look-up to make for an order: cheap, or in every place, fills since its decision included."""
        return search(self, intent, thorough=thorough)

    def configured(self, order: Order) -> None:
        """Take in a setting that the exchange has confirmed, so that the next order is judged by it."""
        now, asked = self.now(), Contract(order.leverage, order.margin_mode, as_of_ms=self.now())
        known = self.facts(order.symbol).contracts.get(order.symbol, asked)
        said = {name: value for name, value in asked._asdict().items() if value is not None and name != "as_of_ms"}
        contracts = {order.symbol: known._replace(**said)} if said else {}
        seen = Observation(now, now, contracts=contracts, position_mode=order.position_mode)
        with suppress(StoreUnavailable):  # the next round of maintenance reads it
            self.store.observe(self.account, seen, now)

    def looked(self, intent: Intent, *, asked: bool, fence: int | None) -> None:
        """Write down that a look-up proved nothing, and when one will, for `policykit journal show`."""
        with suppress(StoreUnavailable):
            self.store.event("lookup", {"intent": intent.id, "asked": asked, "fence_ms": fence}, self.now())
