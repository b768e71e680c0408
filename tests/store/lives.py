"""Policies that go through their stages, as rows of a real store."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from policykit.decision import Decision, Reason
from policykit.order import Order
from policykit.orders.ids import new_id
from policykit.orders.intent import Outcome
from policykit.policy import EffectivePolicy, load_text
from policykit.store import Store
from tests.store.made import NOW, wanted

DAY: Final = 86_400_000
TEXT: Final = """policykit: 1
name: mm
exchange: binance
environment: {environment}
account: {{name: main, currency: USDT}}
keys:
  trader: {{purpose: execution, scopes: [read, trade.spot]}}
stage: {{current: {stage}}}
"""


def policy_at(stage: str, environment: str = "live") -> EffectivePolicy:
    """Return the policy `mm` at a stage."""
    return load_text(TEXT.format(stage=stage, environment=environment))


def begin(store: Store, policy: EffectivePolicy, at_ms: int, **more: Any) -> None:
    """Put a policy in force, as a guard does."""
    stage = policy.model.stage
    said = {"name": policy.name, "version": policy.version, "stage": stage.current if stage else "full-live"}
    store.announce(policy.account_key, "USDT", {**said, "mode": "enforce", **more}, at_ms)


def changed(order: Order, **changes: Any) -> Order:
    """Return another order."""
    other = copy(order)
    for name, value in changes.items():
        setattr(other, name, value)
    return other


def ordered(store: Store, policy: EffectivePolicy, at_ms: int, *outcomes: Outcome, **changes: Any) -> str:
    """Send an order, and say what became of it; return its id."""
    decision, intent = wanted(now=at_ms)
    if changes:
        intent = replace(intent, order=changed(intent.order, **changes))
        decision = replace(decision, order=intent.order, action=intent.order.action)
    decision = replace(decision, policy_name=policy.name, policy_version=policy.version)
    store.reserve(decision, intent, (), store.facts(policy.account_key, "bot").generation, at_ms)
    for outcome in outcomes:
        store.outcome(intent.id, outcome)
    return intent.id


def denied(
    store: Store, policy: EffectivePolicy, at_ms: int, check: str = "risk.max_order_notional", **changes: Any
) -> int:
    """Deny an order; return the number of its row."""
    order = Order("BTC/USDT", "buy", "limit", Decimal(1), Decimal(60_000))
    order = changed(order, action=changes.pop("action", order.action))
    reasons = (Reason("RISK_ORDER_NOTIONAL", check, "too much"),)
    decision = Decision(
        new_id(), "deny", "enforce", order.action, order, policy.name, policy.version, "bot", at_ms, reasons
    )
    return store.record(replace(decision, **changes), at_ms)


def outcome(state: Any, at_ms: int = NOW, filled: str | None = None, **more: Any) -> Outcome:
    """Return an outcome."""
    return Outcome(state, at_ms, filled=None if filled is None else Decimal(filled), **more)
