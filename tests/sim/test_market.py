"""The seeded price path."""

from __future__ import annotations

from decimal import Decimal

from policykit.sim.clock import START_MS
from policykit.sim.market import DEFAULT_SYMBOLS, PricePath

BTC, ETH = DEFAULT_SYMBOLS


def test_a_seed_gives_the_same_path_whatever_is_asked_when() -> None:
    """Prices are a pure function of seed, symbol and time."""
    times = [START_MS + n * 700 for n in range(200)]
    forward = [PricePath(7).mid(BTC, t) for t in times]
    path = PricePath(7)
    backward = [path.mid(BTC, t) for t in reversed(times)][::-1]
    assert forward == backward
    assert forward != [PricePath(8).mid(BTC, t) for t in times]


def test_prices_stay_on_the_tick_and_within_the_amplitude() -> None:
    """Every mid is a multiple of the tick, within 1 % of the start, and it does move."""
    prices = {PricePath(3, 0.01).mid(ETH, START_MS + n * 10_000) for n in range(500)}
    assert all(p % ETH.tick == 0 and abs(p - 3000) <= 30 for p in prices)
    assert max(prices) - min(prices) > 10


def test_a_pinned_or_flat_market_has_an_exact_touch() -> None:
    """A pinned price gives bid and ask at half a spread of one part in ten thousand around it."""
    path = PricePath(1, 0)
    assert path.touch(BTC, START_MS) == (Decimal("59994.00"), Decimal("60006.00"))
    path.pin(BTC, Decimal(50_000))
    assert path.touch(BTC, START_MS) == (Decimal("49995.00"), Decimal("50005.00"))
    path.pin(BTC, None)
    assert path.mid(BTC, START_MS) == 60_000
