"""A bot of a test: it decides as a guard does, and the exchange does with its orders what the test says."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, Final, cast

from policykit.decision import Decision
from policykit.engine import compile_policy
from policykit.engine.facts import Facts, TradingState
from policykit.errors import Denied, PolicykitError
from policykit.exchanges import load_trading
from policykit.guard.deciding import Deciding
from policykit.guard.refusals import NO_FAMILY
from policykit.guard.settings import choose_key, clock_bound_ms, request_validity_ms, trading
from policykit.order import Order
from policykit.orders.intent import Intent, Outcome
from policykit.policy import PAPER, EffectivePolicy
from policykit.proofs.suite.form import Event, Step
from policykit.proofs.suite.world import Account
from policykit.telemetry import Telemetry
from policykit.traits import load
from policykit.traits.base import Exchange, Family, product_of

#: The host that a test's orders are sent from.
HOST: Final = "host"
_ZERO: Final = Decimal(0)
#: What an order can have become, by its state.
_CAN: Final = {
    "filled": ("acknowledged", "unknown", "found"),
    "cancelled": ("acknowledged", "unknown", "found"),
    "lost": ("acknowledged",),
    "rejected": ("unknown",),
    "found": ("unknown",),
    "absent": ("unknown",),
}


class Impossible(Exception):
    """What a test says of an order cannot come of it, by what came of it before."""


class _Anywhere:
    """What deciding asks of an adapter, of an exchange that no guard of this version trades on."""

    id = ""
    trades: frozenset[str] = frozenset()

    def takes(self, symbol: str) -> bool:
        return True

    def family(self, order: Order) -> str:
        return "order"

    def amending(self, order: Order) -> str:
        return "in_place"


class Trader(Deciding):
    """One policy compiled, for any number of tests: `begin` starts each on an account of its own."""

    def __init__(self, policy: EffectivePolicy, key: str, bot: str) -> None:
        self.policy, self.bot, self.host = policy, bot, HOST
        self.key = key_of(policy, key)
        served = trading(policy, self.key) if self.key and _traded(policy) else None
        traits = load(policy.model.exchange)
        self._known = traits is not None
        traits, adapter = served or (traits, cast("Any", _Anywhere()))
        self.traits, self.adapter = cast("Exchange", traits), adapter
        self.account = policy.account_key
        paper = self.account.endswith(PAPER)
        self.engine = compile_policy(policy, traits, self.key or None, HOST, paper=paper)
        self.mode, self.several_keys = "enforce", False
        self.validity_ms, self.clock_bound_ms = request_validity_ms(policy), clock_bound_ms(policy)
        nothing = SimpleNamespace(add=_nothing, wants=_nothing, record=_nothing, caller=_nothing, sent=_nothing)
        self.telemetry = cast("Telemetry", nothing)
        self.wanted = self.dead_man = self.scope = cast("Any", nothing)
        self.clock = cast("Any", self)
        self.begin()

    def begin(self) -> None:
        """Start on a new account, where nothing happened yet."""
        self.world = Account(self.engine.setup, self.policy, self.key, HOST)
        self.store = self.world.store
        self._at_ms = 0
        self._over: dict[str, Any] = {}
        self._facts: tuple[Facts | None, Facts] = (None, Facts())
        self._named: dict[str, Intent] = {}

    # ---- time and facts

    def now_ms(self) -> int:
        return self._at_ms

    def monotonic_ms(self) -> float:
        return 0.0

    def at(self, step: Step, given: Any) -> None:
        """Come to a step: its time, and what is known then."""
        self._at_ms = step.at_ms
        self._over = self.world.at(step, given, step.said)
        self._facts = (None, Facts())

    def facts(self, symbol: str = "") -> Facts:
        base = self.store.facts(self.account, self.bot, symbol)
        if self._facts[0] is not base:
            self._facts = (base, replace(base, **self._over))
        return self._facts[1]

    def family(self, symbol: str, name: str = "order") -> Family:
        return super().family(symbol, name) if self._known else NO_FAMILY

    def halt(self, scope: str, state: TradingState, by: str, why: str, *, decision_id: str | None = None) -> None:
        self.store.halt(scope, state, by, why, self._at_ms, decision_id=decision_id)

    # ---- orders

    def ask(self, step: Step) -> Decision:
        """Decide on the order of a step; one that passes is at the exchange afterwards, or what the test says."""
        assert step.order is not None
        order, target = step.order, None
        if step.of:
            target = self.sent(step.of)
            if order.action == "order.amend":
                order = _amended(order, target)
        try:
            amends = target if order.action == "order.amend" else None
            admitted = self.decide(order, amends=amends)
        except Denied as denied:
            return denied.decision
        self.release(admitted)
        if admitted.intent is not None:
            self._placed(admitted.intent, step, amends)
        elif order.action in ("order.cancel", "orders.cancel_all"):
            self._cancels(order, target)
        return admitted.decision

    def _placed(self, intent: Intent, step: Step, target: Intent | None) -> None:
        then = step.then
        if target is not None and intent.amends is not None:  # the order stays, and is another one now
            new = Outcome("acknowledged", self._at_ms, quantity=intent.order.quantity, price=intent.order.price)
            self.store.outcome(target.id, new)
            self.store.outcome(intent.id, Outcome("settled", self._at_ms, closed=True))
            return
        if target is not None:
            self.store.outcome(target.id, Outcome("acknowledged", self._at_ms, closed=True))
        self._named[step.name] = self._named[""] = intent
        if then is not None and then.what in ("rejected", "lost"):
            self.store.outcome(intent.id, Outcome("rejected" if then.what == "rejected" else "unknown", self._at_ms))
            return
        self.store.outcome(intent.id, Outcome("acknowledged", self._at_ms))
        if then is not None:
            self.becomes(then)

    def _cancels(self, order: Order, target: Intent | None) -> None:
        for intent in self.store.intents(self.account):
            meant = intent.id == target.id if target is not None else order.action == "orders.cancel_all"
            if meant and order.symbol in ("", intent.order.symbol) and intent.state != "unknown":
                self.store.outcome(intent.id, Outcome("acknowledged", self._at_ms, closed=True))

    def sent(self, name: str) -> Intent:
        """Return the order of a step, as it is now; without a name the last one that passed. Raise Impossible."""
        known = self._named.get(name)
        if known is None:
            raise Impossible(f"{name} was not sent" if name else "no order was sent yet")
        return self.store.intent(known.id) or known

    def becomes(self, event: Event) -> None:
        """Let an order become what a test says. Raise Impossible."""
        intent = self.sent(event.of)
        if intent.state not in _CAN[event.what]:
            raise Impossible(f"{event.of or 'the last order'} is {intent.state}, so it cannot be {event.what}")
        state: Any = "found" if intent.state == "unknown" else "acknowledged"
        if event.what == "filled":
            outcome = self._fill(intent, event, state)
        elif event.what == "cancelled":
            outcome = Outcome(state, self._at_ms, closed=True)
        else:
            words: dict[str, Any] = {"lost": "unknown", "rejected": "rejected", "found": "found", "absent": "absent"}
            outcome = Outcome(words[event.what], self._at_ms)
        self.store.outcome(intent.id, outcome)
        self.world.store.settle(self.account)

    def _fill(self, intent: Intent, event: Event, state: Any) -> Outcome:
        order, mark = intent.order, self._over["marks"].get(intent.order.symbol)
        quantity = intent.remaining if event.quantity is None else event.quantity
        if order.quantity is not None and not 0 < quantity <= intent.remaining:
            raise Impossible(f"{intent.remaining} of the order can fill, and the test fills {quantity}")
        if not quantity > 0:
            raise Impossible("how much of the order filled is not said; `filled: {quantity: ...}` says it")
        price = event.price or (order.price if order.type != "market" else None) or (mark.value if mark else None)
        filled = intent.filled + quantity
        cost = None if price is None else (intent.cost or _ZERO) + quantity * price
        return Outcome(state, self._at_ms, filled=filled, closed=filled == order.quantity, cost=cost)


def key_of(policy: EffectivePolicy, key: str) -> str:
    """Return the key that orders are signed with: the one named, or the only one that may trade; empty: none."""
    try:
        return choose_key(policy, key or None)
    except PolicykitError:
        if key or len(policy.model.keys or ()) > 1:
            raise
        return ""


def _traded(policy: EffectivePolicy) -> bool:
    """Tell whether a guard of this version trades any product that the policy names; else only its text is tried."""
    adapter = load_trading(policy.model.exchange)
    symbols = (policy.model.risk.symbols if policy.model.risk is not None else None) or ()
    named = {product_of(symbol) for symbol in symbols if not symbol.startswith("!") and symbol.strip("*")}
    return adapter is not None and (not named or bool(named & adapter.trades))


def _amended(order: Order, target: Intent) -> Order:
    """Return the amend of an order: what it does not say stays; `amends` is what can still fill of the old one."""
    new, old = copy(target.order), copy(target.order)
    old.quantity, old.client_order_id = target.remaining, target.client_order_id
    new.action, new.amends, new.client_order_id = "order.amend", old, None
    for name in ("quantity", "price", "stop_price"):
        said = getattr(order, name)
        if said is not None:
            setattr(new, name, said)
    return new


def _nothing(*_: object, **__: object) -> None:
    """Do nothing."""
