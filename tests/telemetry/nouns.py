"""Decisions and intents that the tests of this folder speak of."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from policykit.decision import Decision, Reason
from policykit.order import Order
from policykit.orders.intent import Intent
from policykit.place import Place
from policykit.telemetry import Scope

AT_MS = 1_795_255_200_000
VERSION = "sha256:3f9a01c2d4e5"
NOTIONAL = Reason(
    code="RISK_ORDER_NOTIONAL",
    check="risk.max_order_notional",
    message="order notional 30000 USDT is over max_order_notional 1500 USDT",
    observed="30000",
    limit="1500",
    unit="USDT",
    place=Place("policies/mm.yaml", 31, 23),
)
POSITION = Reason("RISK_POSITION", "risk.max_position_notional", "position would be 34500 of 20000 USDT")
STORE_DOWN = Reason("STORE_DOWN", "store", "the store cannot be reached", failure=True)
HALTED = Reason("TRADING_HALTED", "trading_state", "trading is halted")


def scope() -> Scope:
    """Return what is the same for every decision of one guard."""
    return Scope(
        exchange="binance", account="main", key="mm-exec", stage="full-live", backend="sqlite", currency="USDT"
    )


def order(**changes: Any) -> Order:
    """Return a limit order with some fields changed."""
    given: dict[str, Any] = {"quantity": Decimal("0.010"), "price": Decimal("60000.0"), **changes}
    return Order("BTC/USDT", "buy", "limit", given.pop("quantity"), given.pop("price"), **given)


def decision(ident: str = "01JD3V7K2M0000000000000001", reasons: tuple[Reason, ...] = (), **changes: Any) -> Decision:
    """Return a decision: an allow, or a deny when there are reasons."""
    made = Decision(
        id=ident,
        outcome="deny" if reasons else "allow",
        mode="enforce",
        action="order.create",
        order=order(),
        policy_name="mm",
        policy_version=VERSION,
        bot="mm-1",
        at_ms=AT_MS,
        reasons=reasons,
        notional=Decimal("600.00"),
        seq=4211,
        facts_age_s=0.4,
        checks=14,
    )
    return replace(made, **changes)


def intent(ident: str = "01JD3V7K2M0000000000000001", **changes: Any) -> Intent:
    """Return an intent with some fields changed."""
    made = Intent(
        id=ident,
        account="binance/main",
        order=order(),
        client_order_id="pk" + ident,
        family="order",
        holds=(),
        reduces=False,
        bot="mm-1",
        host="fra-1",
        pid=7,
        decided_ms=AT_MS,
        permit_until_ms=AT_MS + 250,
        validity_ms=5000,
    )
    return replace(made, **changes)
