"""Cancels keep to the documented limits, and take hardly longer than those alone would make them."""

from __future__ import annotations

import pytest

from policykit import traits
from policykit.exchanges.base import Call
from policykit.exchanges.cancelling.canceller import canceller
from policykit.exchanges.cancelling.pace import Pace, allowed_ms, whole_allowance
from policykit.redact import Secret
from policykit.sim import SimClock, SimServer
from policykit.traits.base import CancelRate, Exchange, RateWindow

FACTS = Exchange(
    id="x",
    products={},
    rate_windows=(RateWindow("requests", 100, 1_000, "rolling", "ip", source="a test"),),
    cancel_rates=(
        CancelRate(("POST /cancel",), 5, 1_000, source="a test"),
        CancelRate(("POST /batch",), 20, 2_000, "orders", "symbol", source="a test"),
        CancelRate(("POST /cancel",), 2, 1_000, kind="contract", source="a test"),
    ),
)


def _call(name: str) -> Call:
    return Call("refused", name)


def test_each_limit_is_kept_and_each_symbols_apart() -> None:
    """A sixth cancel waits for the first to be a second old; batches count their orders, each symbol by itself."""
    clock = SimClock()
    pace = Pace(FACTS, clock, whole_allowance(FACTS, clock))
    pace.upcoming("BTC/USDT", 1)
    assert [pace.spend(_call("POST /cancel")) for _ in range(5)] == [0] * 5
    assert pace.spend(_call("POST /cancel")) == 1_000
    for symbol, wait in (("BTC/USDT", 0), ("BTC/USDT", 2_000), ("ETH/USDT", 0)):
        pace.upcoming(symbol, 15)
        assert pace.spend(_call("POST /batch")) == wait, symbol
    pace.upcoming("BTC/USDT:USDT", 1)
    assert pace.spend(_call("POST /other")) == 0  # a call without a limit of its own
    clock.sleep(1)
    assert [pace.spend(_call("POST /cancel")) > 0 for _ in range(3)] == [False, False, True]


def test_what_is_refused_by_one_limit_is_counted_in_none() -> None:
    """A call that has to wait for one limit uses nothing of the others."""
    clock = SimClock()
    pace = Pace(FACTS, clock, whole_allowance(FACTS, clock))
    pace.upcoming("BTC/USDT:USDT", 1)
    assert [pace.spend(_call("POST /cancel")) > 0 for _ in range(9)] == [False, False, *[True] * 7]
    pace.upcoming("BTC/USDT", 1)
    assert [pace.spend(_call("POST /cancel")) > 0 for _ in range(4)] == [False, False, False, True]
    assert [name for name, _, _ in pace.sent] == ["POST /cancel"] * 5


def test_the_least_time_is_reckoned_from_the_limits() -> None:
    """Count n whole windows for what is over in n of them; the slowest limit decides."""
    assert allowed_ms(FACTS, ()) == 0
    assert allowed_ms(FACTS, [("POST /cancel", "A/B", 1)] * 5) == 0
    assert allowed_ms(FACTS, [("POST /cancel", "A/B", 1)] * 6) == 1_000
    assert allowed_ms(FACTS, [("POST /batch", "A/B", 20)] * 3) == 4_000
    assert allowed_ms(FACTS, [("POST /batch", f"{name}/B", 20) for name in "ACD"]) == 0
    assert allowed_ms(FACTS, [("GET /list", "", 1)] * 250) == 2_000


@pytest.mark.parametrize("exchange", ["binance", "bitget", "bybit", "deribit", "gate", "kraken", "kucoin", "okx"])
@pytest.mark.parametrize("everything", [True, False])
def test_a_hundred_orders_take_hardly_longer_than_the_limits_allow(exchange: str, everything: bool) -> None:
    """The clock stands still but for waits of ours: what passes on it is at most 1.5 times the least, and 0.5 s.

    And no more calls are made than the work needs: so many batches, or one for all of a symbol.
    """
    with SimServer(clock=SimClock(), dialect=exchange, balances={"USDT": 10_000_000}) as sim:
        for number in range(50):
            sim.order("BTC/USDT", "buy", "0.001", 20_000 + number)
            sim.order("ETH/USDT", "buy", "0.01", 1_000 + number)
        secrets = {name: Secret(value) for name, value in sim.main_key.credentials().items()}
        products = None if exchange == "deribit" else {"spot"}  # one list: its cancel of all takes all
        with canceller(exchange, secrets, endpoint=sim.url, clock=sim.clock, products=products) as one:
            started = sim.clock.monotonic_ms()
            counts = one.clear(None if everything else lambda order: order.symbol == "none")
            took = sim.clock.monotonic_ms() - started
            assert counts["spot.order"].flat
            assert counts["spot.order"].cancelled == 100
            assert took <= 1.5 * one.least_ms + 500, (took, one.least_ms)
            cancels = [name for name, _, orders in one._pace.sent if "ancel" in name or name.startswith("DELETE")]
            one_by_one = not everything and exchange in ("binance", "deribit", "kucoin")  # they have no batch
            assert len(cancels) <= (100 if one_by_one else 12)
        assert sim.truth.throttled == 0


def test_every_documented_rate_has_a_source() -> None:
    """A limit without a page is a guess."""
    rates = [rate for name in traits.known() if (facts := traits.load(name)) for rate in facts.cancel_rates]
    assert len(rates) >= 15
    assert all(rate.source and rate.limit > 0 and rate.per_ms > 0 for rate in rates)
