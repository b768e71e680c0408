"""A decision read back from its row is the decision that was written."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from policykit.decision import Decision, Reason
from policykit.order import Order
from policykit.place import Place
from policykit.store.codec import decision_body, decision_from_body

BUY = Order("BTC/USDT", "buy", "limit", Decimal("0.5"), Decimal(60_000), client_order_id="mine", reduce_only=True)
BARE = Decision("01J", "allow", "enforce", "order.create", BUY, "mm", "sha256:1", "bot", 1_000)
CAP = Reason("RISK", "risk.cap", "is over", "30000", "1500", "USDT", Place("C:/p.yaml", 31, 23))
PLAIN = Reason("STORE_DOWN", "store", "the store cannot be reached")


@pytest.mark.parametrize(
    "decision",
    [
        BARE,
        replace(BARE, outcome="deny", reasons=(CAP, PLAIN), notional=Decimal("30000.5"), facts_age_s=0.5, checks=18),
        replace(BARE, warnings=(CAP,), reduces=True, mode="shadow"),
        replace(BARE, trace=(0xABC << 100, 5), extra={"shadow": {"outcome": "deny"}, "without_store": True}),
        replace(BARE, action="orders.cancel_all", order=Order("", action="orders.cancel_all")),
    ],
)
def test_a_decision_comes_back_as_it_was_written(decision: Decision) -> None:
    """Order, reasons with their places, warnings, and what it was made on."""
    body = decision_body(decision, None, ())
    again = decision_from_body(body, 1_000)
    assert decision_body(again, None, ()) == body
    assert (again.at_ms, again.order, again.notional) == (1_000, decision.order, decision.notional)
    assert (again.trace, again.extra) == (decision.trace, decision.extra)
    for told, meant in zip(again.reasons, decision.reasons, strict=True):
        assert str(told.place) == str(meant.place)
