"""The part of a guard that decides, at a moment that is over: on a ledger as it was then, by the clock of a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

from policykit.decision import Decision, Hold, Reason
from policykit.engine import compile_policy, explain_failed
from policykit.engine.facts import Facts
from policykit.errors import Denied, PolicykitError
from policykit.guard.deciding import Deciding
from policykit.guard.settings import Mode, clock_bound_ms, read_back, request_validity_ms, trading
from policykit.guard.shadow import Shadow
from policykit.guard.steps import number
from policykit.order import NUMBERS, Order
from policykit.orders.intent import Intent
from policykit.policy import PAPER, EffectivePolicy
from policykit.store import Grant, Row, Store
from policykit.store.ledger import Ledger
from policykit.telemetry import Telemetry

#: Client order ids that callers chose themselves, and the intents that they belong to, by account.
OwnIds = Mapping[tuple[str, str], str]


class Said(NamedTuple):
    """What a judge said: the decision, its intent where it was granted, and what it claimed if it came to that."""

    decision: Decision
    intent: Intent | None
    holds: tuple[Hold, ...]


class Judge(Deciding):
    """Decides by one policy as a guard would have, with the clock, the store and the facts of a moment that is over.

    Raise LookupError where no guard of this version trades the exchange, PolicykitError for a key that it cannot use.
    """

    def __init__(self, policy: EffectivePolicy, key: str, host: str, account: str) -> None:
        self.policy, self.key, self.host, self.account = policy, key, host, account
        served = trading(policy, key)
        if served is None:
            raise LookupError(policy.model.exchange)
        self.traits, self.adapter = served
        self.engine = compile_policy(policy, self.traits, key, host, paper=account.endswith(PAPER))
        self.several_keys = False
        self.validity_ms = request_validity_ms(policy)
        self.clock_bound_ms = clock_bound_ms(policy)
        nothing = SimpleNamespace(add=_nothing, wants=_nothing, record=_nothing, caller=_nothing, sent=_nothing)
        self.telemetry = cast("Telemetry", nothing)
        self.wanted = self.dead_man = self.scope = cast("Any", nothing)
        self.clock = cast("Any", self)
        self._at_ms = 0
        self._given: Mapping[str, Any] = {}
        self._ledger = Ledger()

    @classmethod
    def of_row(cls, row: Row) -> Judge | None:
        """Return the judge of a policy as its row says it came into force; None where that cannot be read here."""
        said = row.body
        try:
            policy = read_back(said["policy"], said["name"], said["file"])
            judge = cls(policy, said["key"], said["host"], said["account"])
            if "candidate" in said:
                candidate = read_back(said["candidate"]["policy"], said["candidate"]["name"], said["file"])
                candidate.__dict__["version"] = said["candidate"]["version"]  # where its secrets live is part of it
                paper = judge.account.endswith(PAPER)
                judge.judging = (None, Shadow.of(candidate, judge.key, judge.host, paper=paper))
        except (LookupError, ValueError, TypeError, PolicykitError):
            return None  # of a library that did not write it, or of another one whose words this one does not have
        return judge

    # ---- the clock of a moment that is over

    def now_ms(self) -> int:
        return self._at_ms

    def monotonic_ms(self) -> float:
        return 0.0

    # ---- its facts

    def facts(self, symbol: str = "") -> Facts:
        given = self._given
        facts = Facts() if "none" in given else self._ledger.facts(self.account, self.bot, symbol)
        if not given:
            return facts
        problem, streams = given.get("store_problem"), given.get("streams", ())
        return replace(
            facts,
            recovered=given.get("recovered", True),
            store_problem=None if problem is None else tuple(problem),
            streams=tuple(tuple(each) for each in streams),
        )

    def halt(self, *_: object, **__: object) -> None:
        """Nothing: what a breach set is a row of its own."""

    # ---- one decision

    def decided(
        self, row: Row, order: Order, facts: Ledger, ledger: Ledger, own_ids: OwnIds, mode: Mode = "enforce"
    ) -> Said:
        """Decide on the order of a row, on the facts of one ledger and the holds of another."""
        body = row.body
        self.mode, self.bot = mode, body["decision"]["bot"]
        self._at_ms, self._given, self._ledger = row.at_ms, body.get("facts", {}), facts
        self.store = cast("Store", store := _Store(ledger, own_ids))
        try:
            admitted = self.decide(order, replaces=body.get("replaces"), amends=self._target(order, ledger))
        except Denied as denied:
            return Said(denied.decision, None, store.holds)
        self.release(admitted)
        return Said(admitted.decision, admitted.intent, store.holds)

    def claims(self, row: Row, order: Order, ledger: Ledger) -> tuple[Hold, ...]:
        """Return what an order claims by this policy, whether it would be denied or not."""
        body = row.body
        self.bot = body["decision"]["bot"]
        self._at_ms, self._given, self._ledger = row.at_ms, body.get("facts", {}), ledger
        holds = self.engine.assess(self.facts(order.symbol), order, row.at_ms).holds
        target = self._target(order, ledger)
        return holds if target is None else self._amending(holds, order, target)

    def refused(self, row: Row, order: Order, ledger: Ledger) -> tuple[Reason, ...]:
        """Return what counters have against an order, also of one that a check denies before they are asked."""
        holds = self.claims(row, order, ledger)
        facts = self.facts(order.symbol)
        grant = ledger.fits(self.account, None, holds, facts.generation, row.at_ms)
        found = explain_failed(self.engine, order, holds, grant.used, grant.failed, facts=facts, now_ms=row.at_ms)
        return tuple(reason for reason in found if reason.on_breach != "warn")

    def _target(self, order: Order, ledger: Ledger) -> Intent | None:
        """Return the intent of the order that an amend changes."""
        if order.amends is None:
            return None
        return ledger.intent(ledger.client_ids.get((self.account, str(order.amends.client_order_id)), ""))


class _Store:
    """As much of a store as deciding takes: it grants what fits, and keeps nothing."""

    epoch = ""

    def __init__(self, ledger: Ledger, own_ids: OwnIds) -> None:
        self._ledger, self._own_ids = ledger, own_ids
        self.holds: tuple[Hold, ...] = ()

    def reserve(
        self, decision: Decision, intent: Intent | None, holds: tuple[Hold, ...], generation: int, now_ms: int
    ) -> Grant:
        grant = self._ledger.fits("" if intent is None else intent.account, intent, holds, generation, now_ms)
        if grant.granted and intent is not None and intent.order.client_order_id is not None:
            taken = self._own_ids.get((intent.account, intent.client_order_id))
            if taken is not None:
                return Grant(False, False, (), (), grant.seq, taken)
        self.holds = holds
        if grant.granted and decision.candidate is not None:
            decision.extra |= decision.candidate(self._ledger.using(now_ms))
        return grant

    def record(self, decision: Decision, now_ms: int) -> int:
        if decision.candidate is not None:
            decision.extra |= decision.candidate(self._ledger.using(now_ms))
        return 0

    def intent(self, intent_id: str) -> Intent | None:
        return self._ledger.intent(intent_id)


def _nothing(*_: object, **__: object) -> None:
    """Do nothing."""


def order_of(said: Mapping[str, Any], action: str) -> Order:
    """Read an order as the bot gave it: what is no number stays as it is."""
    order = Order.from_dict({name: value for name, value in said.items() if name not in NUMBERS}, action)
    for name in NUMBERS:
        setattr(order, name, number(said.get(name)))
    return order


def not_of_checks(body: Mapping[str, Any]) -> str | None:
    """Return why no check on the store's facts made a decision; None: they did."""
    if body.get("without_store"):
        return "store"
    first = next(iter(body["decision"]["reasons"]), None)
    if first is None:
        return None
    return {"gate": "gate", "store": "store"}.get(first["check"], "moving" if first["code"] == "STATE_MOVING" else None)
