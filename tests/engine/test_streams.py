"""The checks of streams: connects are counted and nothing else is, and a stream that is gone stops increases only."""

from __future__ import annotations

from typing import Any

import pytest

from policykit.decision import Hold
from policykit.engine import explain_failed
from policykit.order import Order
from policykit.traits import load
from policykit.traits.base import Exchange
from tests.engine.worlds import FACTS, NOW, TRAITS, codes, engine, facts, order

CONNECT = Order("", action="stream.connect")
FIFTY = {"retry.reconnect.max_per": {"limit": 50, "per": "5m"}}
WHERE: list[tuple[Exchange | None, str]] = [
    (TRAITS, "binance@fra-1"),  # its documents count by address
    (load("kraken"), "binance/main"),  # not known
    (None, "binance/main"),
]


@pytest.mark.parametrize(("traits", "where"), WHERE, ids=["by-address", "not-known", "no-traits"])
def test_a_connect_counts_where_the_exchange_counts_it(traits: Exchange | None, where: str) -> None:
    """By address where the exchange says so, else by account; the store says no, word for word."""
    made = engine(FIFTY, traits)
    asked = made.assess(FACTS, CONNECT, NOW)
    assert asked.reasons == ()
    hold = Hold(f"{where}|connects|300000", 1, 50, "window", "retry.reconnect.max_per", 300_000)
    assert [one for one in asked.holds if one.check == "retry.reconnect.max_per"] == [hold]
    (reason,) = explain_failed(made, CONNECT, (hold,), (50,), (0,), facts=FACTS, now_ms=NOW)
    assert (reason.code, reason.check, reason.message) == (
        "RATE_CONNECTS",
        "retry.reconnect.max_per",
        "50 connects in the last 5m, max_per is 50",
    )
    assert (reason.observed, reason.limit, reason.unit) == ("51", "50", "connects")


@pytest.mark.parametrize(
    "asked", [order(), order(side="sell"), Order("", action="data.read"), Order("BTC/USDT", action="order.cancel")]
)
def test_nothing_else_counts_as_a_connect(asked: Order) -> None:
    """Orders, reads and cancels take nothing from the connects."""
    assert not [one for one in engine(FIFTY).assess(FACTS, asked, NOW).holds if "connects" in one.counter]


def test_a_ban_stops_connects() -> None:
    """What an exchange said about an address holds for its streams as well."""
    known = facts(banned_until_ms={"ip": NOW + 1})
    assert codes(engine(FIFTY).assess(known, CONNECT, NOW)) == ["RATE_BANNED"]


DOWN: dict[str, Any] = {
    "streams": (("STREAM_STALE", "stream trades is down for 12 s"), ("STREAM_GAP", "stream user came back"))
}


def test_a_stream_that_is_gone_denies_increases_and_nothing_else() -> None:
    """Each stream with its own code and words; exits, cancels and the connects that mend it pass."""
    made, known = engine(), facts(**DOWN)
    denied = made.assess(known, order(), NOW)
    assert [(r.code, r.check, r.message) for r in denied.reasons] == [
        ("STREAM_STALE", "trading.streams", "stream trades is down for 12 s"),
        ("STREAM_GAP", "trading.streams", "stream user came back"),
    ]
    for passes in (order(side="sell"), Order("BTC/USDT", action="order.cancel"), CONNECT):
        assert made.assess(known, passes, NOW).reasons == ()
    assert made.assess(FACTS, order(), NOW).reasons == ()
