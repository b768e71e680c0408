"""What a person reads of an order."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from policykit.order import Order
from policykit.orders.words import WHY, meant, proof, why
from policykit.traits.binance import ORDER as FAMILY
from tests.orders.test_life import INTENT

QUANTITY, PRICE = Decimal("0.0200"), Decimal(50_000)


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (Order("BTC/USDT", "buy", "limit", QUANTITY, PRICE), "BTC/USDT buy 0.02 @ 50000"),
        (Order("BTC/USDT", "sell", "market", QUANTITY), "BTC/USDT sell 0.02 at the market"),
        (Order("BTC/USDT", "buy", "market", quote_quantity=PRICE), "BTC/USDT buy for 50000 at the market"),
        (
            Order("BTC/USDT:USDT", "sell", "stop_market", stop_price=PRICE, close_position=True),
            "BTC/USDT:USDT sell all at the market, stop 50000",
        ),
    ],
)
def test_what_was_meant(order: Order, words: str) -> None:
    """As one says it."""
    assert meant(order) == words


def test_why_nobody_knows() -> None:
    """A reason in words while the outcome is open; after it, and where nobody foresaw it, as it was told."""
    assert why(replace(INTENT, state="acknowledged", error=None)) == ""
    assert why(replace(INTENT, state="unknown", error="NETWORK")) == WHY["NETWORK"]
    assert why(replace(INTENT, state="unknown", error="TimeoutError")) == "TimeoutError"
    assert why(replace(INTENT, state="rejected", error="NO_BALANCE")) == "NO_BALANCE"


def test_when_a_look_up_proves_something() -> None:
    """At the earliest (signing + 5 s + 10 s + 2 s), where anything ever does; not of an order that was seen."""
    unknown = replace(INTENT, state="unknown", error="NETWORK", signed_ms=1_000, validity_ms=5_000)
    assert proof(unknown, FAMILY) == "a look-up after 00:00:18 UTC can prove it absent"
    assert proof(unknown, replace(FAMILY, processing_ms=None)) == "no look-up can prove it absent"
    assert proof(unknown, None) == "no look-up can prove it absent"
    assert proof(replace(unknown, error="ORDER_VANISHED"), FAMILY) == ""
    assert proof(INTENT, FAMILY) == ""
