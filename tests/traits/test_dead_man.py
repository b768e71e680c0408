"""The number that arms an exchange's own timer, and where no timer can be kept armed."""

from __future__ import annotations

import pytest

from policykit import traits
from policykit.traits.base import DeadManSwitch, countdown, unarmable

#: 2026-11-21T10:00:00Z.
NOW = 1_795_255_200_000


def _switch(exchange_id: str, product: str) -> DeadManSwitch:
    exchange = traits.load(exchange_id)
    assert exchange is not None
    switch = exchange.products[product].dead_man_switch
    assert switch is not None
    return switch


@pytest.mark.parametrize(
    ("exchange_id", "product", "timeout_ms", "number"),
    [
        ("binanceusdm", "swap", 60_000, 60_000),
        ("binanceusdm", "swap", 1, 1),
        ("binanceusdm", "swap", 0, None),
        ("kraken", "spot", 60_000, 60),
        ("kraken", "spot", 1_999, 1),  # never longer than the policy's silence
        ("kraken", "spot", 999, None),  # a 0 would take it off
        ("kraken", "spot", 86_400_001, None),
        ("okx", "spot", 999, None),  # what ccxt sends as 0
        ("okx", "spot", 9_999, None),
        ("okx", "spot", 10_000, 10),
        ("okx", "spot", 120_001, None),
        ("hyperliquid", "swap", 60_000, NOW + 60_000),
        ("hyperliquid", "swap", 4_999, None),
    ],
)
def test_the_number_on_the_wire(exchange_id: str, product: str, timeout_ms: int, number: int | None) -> None:
    """In each exchange's unit and bounds; None where it cannot be armed for that time."""
    assert countdown(_switch(exchange_id, product), timeout_ms, NOW) == number


@pytest.mark.parametrize(
    ("exchange_id", "products", "why"),
    [
        ("binanceusdm", ["swap"], None),
        ("binance", ["spot"], "binance has none for spot, as far as is known"),
        ("binance", ["swap", "spot"], "binance has none for spot, as far as is known"),
        ("binance", ["nothing"], "binance has none for nothing, as far as is known"),
        ("bybit", ["swap"], "that of bybit for swap is no countdown that can be taken off again"),
        ("hyperliquid", ["swap"], "that of hyperliquid for swap is no countdown that can be taken off again"),
        ("okx", ["spot"], "that of okx for spot takes no time-out of 5000 ms"),
        ("kraken", [], None),
    ],
)
def test_where_none_can_be_kept_armed(exchange_id: str, products: list[str], why: str | None) -> None:
    """Said in words that a person can act on: there is none, it hangs on a connection, the time is out of bounds."""
    exchange = traits.load(exchange_id)
    assert exchange is not None
    assert unarmable(exchange, products, 5_000) == why
