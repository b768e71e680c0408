"""Stock ccxt.binance, sync and async, trades here with only its URLs changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import ccxt
import pytest

from policykit.testing import Sim, SimClock

PAIR = "BTC/USDT"


@pytest.fixture
def sim() -> Iterator[Sim]:
    """Give a flat market at 60,000."""
    with Sim(clock=SimClock(), amplitude=0) as started:
        yield started


def test_the_first_order_asks_what_ccxt_is_known_to_ask(sim: Sim) -> None:
    """PITFALLS 3: the first create_order reads coins, margin pairs, fapi and dapi exchangeInfo on its way."""
    order = sim.client().create_order(PAIR, "limit", "buy", 0.01, 50_000)
    assert (order["status"], order["amount"], order["price"]) == ("open", 0.01, 50_000)
    assert dict(sim.truth.by_route) == {
        "GET /sapi/v1/capital/config/getall": 1,
        "GET /sapi/v1/margin/allPairs": 2,
        "GET /sapi/v1/margin/isolated/allPairs": 1,
        "GET /api/v3/exchangeInfo": 1,
        "GET /fapi/v1/exchangeInfo": 1,
        "GET /dapi/v1/exchangeInfo": 1,
        "POST /api/v3/order": 1,
    }


def test_the_unified_methods_of_a_bot(sim: Sim) -> None:
    """Every read and write that a spot bot makes works through stock ccxt."""
    client = sim.client()
    assert sorted(client.load_markets()) == [
        "BTC/USD:BTC",
        "BTC/USDT",
        "BTC/USDT:USDT",
        "ETH/USD:ETH",
        "ETH/USDT",
        "ETH/USDT:USDT",
    ]
    assert client.fetch_time() == sim.clock.now_ms()
    assert client.fetch_ticker(PAIR)["last"] == 60_000
    assert sorted(client.fetch_tickers()) == ["BTC/USDT", "ETH/USDT"]
    assert client.fetch_order_book(PAIR, 5)["bids"][0] == [59_994.0, 1.5]
    assert [row[4] for row in client.fetch_ohlcv(PAIR, "1m", limit=3)] == [60_000] * 3
    assert client.fetch_trades(PAIR)[0]["price"] == 60_000
    bought = client.create_order(PAIR, "market", "buy", 0.5)
    assert (bought["status"], bought["average"], bought["fee"]["currency"]) == ("closed", 60_006, "BTC")
    spent = client.create_order(PAIR, "market", "buy", None, None, {"quoteOrderQty": 600})
    assert spent["filled"] == 0.00999
    resting = client.create_order(PAIR, "limit", "sell", 0.1, 70_000, {"clientOrderId": "mine"})
    assert client.fetch_order(None, PAIR, {"origClientOrderId": "mine"})["id"] == resting["id"]
    assert client.fetch_balance()["BTC"] == {"free": 0.40948001, "used": 0.1, "total": 0.50948001}
    assert [o["id"] for o in client.fetch_open_orders(PAIR)] == [resting["id"]]
    assert client.cancel_order(resting["id"], PAIR)["status"] == "canceled"
    client.create_order(PAIR, "limit", "buy", 0.01, 50_000)
    client.create_order(PAIR, "limit", "buy", 0.01, 50_000)
    assert len(client.cancel_all_orders(PAIR)) == 2
    assert [o["status"] for o in client.fetch_orders(PAIR)] == ["closed", "closed", "canceled", "canceled", "canceled"]
    assert [t["amount"] for t in client.fetch_my_trades(PAIR)] == [0.5, 0.00999]


def test_refusals_arrive_as_the_classes_bots_catch(sim: Sim) -> None:
    """The documented codes become ccxt's own classes, also away from Binance's own host names."""
    client = sim.client()
    cases: tuple[tuple[type[Exception], Callable[[], Any]], ...] = (
        (ccxt.InsufficientFunds, lambda: client.create_order(PAIR, "limit", "buy", 5, 50_000)),
        (ccxt.BadRequest, lambda: client.create_order(PAIR, "limit", "buy", 0.0001, 10)),
        (ccxt.OrderNotFound, lambda: client.fetch_order("99", PAIR)),
        (ccxt.OrderNotFound, lambda: client.cancel_order("99", PAIR)),
    )
    for raised, call in cases:
        with pytest.raises(ccxt.BaseError) as caught:
            call()
        assert type(caught.value) is raised, repr(caught.value)
    stranger = sim.client(secret="x" * 64)
    with pytest.raises(ccxt.AuthenticationError, match="-1022"):
        stranger.fetch_balance()


def test_deposits_and_withdrawals_are_history(sim: Sim) -> None:
    """What came in and went out by hand is listed with amount and time, and is in the balance."""
    client = sim.client()
    sim.deposit("USDT", 5_000)
    sim.clock.sleep(60)
    sim.withdraw("USDT", "1000")
    assert [(t["amount"], t["timestamp"]) for t in client.fetch_deposits()] == [(5_000, sim.clock.now_ms() - 60_000)]
    assert [(t["amount"], t["status"]) for t in client.fetch_withdrawals()] == [(1_000, "ok")]
    assert client.fetch_balance()["USDT"]["total"] == 104_000


def test_time_follows_the_simulated_clock_over_a_fence(sim: Sim) -> None:
    """Seventeen simulated seconds later the same client still signs valid requests; one that does not follow fails."""
    client = sim.client()
    client.load_markets()
    sim.clock.sleep(17)
    assert client.fetch_balance()["USDT"]["total"] == 100_000
    other: Any = ccxt.binance({"apiKey": sim.key, "secret": sim.secret})
    other.urls = client.urls
    with pytest.raises(ccxt.InvalidNonce):
        other.private_get_account()


async def test_async_ccxt_trades_too(sim: Sim) -> None:
    """The async client places, finds, cancels and reads its balance."""
    client = sim.client(async_=True)
    try:
        order = await client.create_order(PAIR, "limit", "buy", 0.01, 50_000)
        assert [o["id"] for o in await client.fetch_open_orders(PAIR)] == [order["id"]]
        assert (await client.cancel_order(order["id"], PAIR))["status"] == "canceled"
        assert (await client.fetch_balance())["USDT"]["used"] == 0
    finally:
        await client.close()
