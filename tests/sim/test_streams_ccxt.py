"""Stock ccxt.pro watches here with only its URLs changed: prices, orders, fills, balances, positions, breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator
from typing import Any

import ccxt
import pytest

from policykit.testing import Sim, SimClock, point

PAIR, CONTRACT = "BTC/USDT", "BTC/USDT:USDT"
#: Only a failing test waits for so long, wall seconds.
SOON_S = 10.0


async def soon(watched: Awaitable[Any]) -> Any:
    """Return what is watched, or fail."""
    async with asyncio.timeout(SOON_S):  # in this task: nothing comes between a look and the watch that follows it
        return await watched


@pytest.fixture
def sim() -> Iterator[Sim]:
    """Give a flat market at 60,000 with money for contracts."""
    grants = {"read", "trade.spot", "trade.derivatives"}
    with Sim(clock=SimClock(), amplitude=0, margin={"USDT": 10_000}, grants=grants) as started:
        yield started


@pytest.fixture
async def client(sim: Sim) -> AsyncIterator[Any]:
    """Give a stock ccxt.pro client of it, its markets loaded."""
    made = sim.client(pro=True, options={"watchPositions": {"fetchPositionsSnapshot": False}})
    try:
        await made.load_markets()
        yield made
    finally:
        await made.close()


async def test_prices_are_watched(sim: Sim, client: Any) -> None:
    """Ticker, best prices, trades, book and candles of spot; trades, book and mark price of a contract."""
    assert (await soon(client.watch_ticker(PAIR)))["last"] == 60_000
    assert (await soon(client.watch_bids_asks([PAIR])))[PAIR]["bid"] == 59_994
    assert (await soon(client.watch_trades(PAIR)))[0]["price"] == 60_000
    assert (await soon(client.watch_order_book(PAIR)))["bids"][0] == [59_994, 1.5]
    assert (await soon(client.watch_ohlcv(PAIR, "1m")))[0][4] == 60_000
    assert (await soon(client.watch_trades(CONTRACT)))[0]["symbol"] == CONTRACT
    assert (await soon(client.watch_order_book(CONTRACT)))["asks"][0] == [60_006, 1.5]
    assert (await soon(client.watch_mark_price(CONTRACT)))["markPrice"] == 60_000
    assert (await soon(client.watch_tickers([PAIR, "ETH/USDT"])))[PAIR]["last"] == 60_000


async def test_a_watched_book_follows_the_price(sim: Sim, client: Any) -> None:
    """Steps of simulated time move the book; ccxt's own check of the ids finds no gap."""
    for symbol in (PAIR, CONTRACT):
        await soon(client.watch_order_book(symbol))
    for price in (60_003, 59_400):
        sim.pin(PAIR, price)
        watched = [asyncio.ensure_future(client.watch_order_book(symbol)) for symbol in (PAIR, CONTRACT)]
        await asyncio.to_thread(sim.clock.advance, 0.5)
        books = await soon(asyncio.gather(*watched))
        assert [round(sum(book[side][0][0] for side in ("bids", "asks")) / 2, 1) for book in books] == [price] * 2


async def test_a_spot_order_is_watched_from_start_to_end(sim: Sim, client: Any) -> None:
    """One connection tells orders, fills and balances as ccxt reads them."""
    await client.authenticate({"type": "spot"})
    orders, trades, money = (
        asyncio.ensure_future(watched)
        for watched in (client.watch_orders(PAIR), client.watch_my_trades(PAIR), client.watch_balance())
    )
    placed = await client.create_order(PAIR, "market", "buy", 0.5)
    told, fills, _ = await soon(asyncio.gather(orders, trades, money))
    assert [(t["order"], t["amount"], t["fee"]["currency"]) for t in fills] == [(placed["id"], 0.5, "BTC")]
    assert ([o["id"] for o in told], sim.streams.open) == ([placed["id"]], 1)
    while client.balance["spot"]["BTC"]["free"] != 0.4995:  # told twice: locked first, then bought
        await soon(client.watch_balance())
    resting = await client.create_order(PAIR, "limit", "buy", 0.01, 50_000, {"clientOrderId": "mine"})
    await client.cancel_order(resting["id"], PAIR)
    while (client.orders[-1]["clientOrderId"], client.orders[-1]["status"]) != ("mine", "canceled"):
        await soon(client.watch_orders(PAIR))


async def test_a_contracts_order_position_and_stop_are_watched(sim: Sim, client: Any) -> None:
    """USD-M by its listen key: the order, the position it makes, the money, and a stop of the algo service."""
    orders = asyncio.ensure_future(client.watch_orders(CONTRACT))
    await asyncio.to_thread(sim.streams.wait, to="user")
    positions = asyncio.ensure_future(client.watch_positions([CONTRACT]))
    money = asyncio.ensure_future(client.watch_balance({"type": "swap"}))
    placed = await client.create_order(CONTRACT, "market", "buy", 0.1)
    assert (await soon(orders))[-1]["id"] == placed["id"]
    assert [(p["contracts"], p["side"], p["entryPrice"]) for p in await soon(positions)] == [(0.1, "long", 60_006)]
    assert (await soon(money))["USDT"]["total"] == 9_996.9997
    stops = asyncio.ensure_future(client.watch_orders(CONTRACT))
    stop = await client.create_order(
        CONTRACT, "market", "sell", 0.1, None, {"triggerPrice": 59_000, "reduceOnly": True}
    )
    told = (await soon(stops))[-1]
    assert (told["id"], told["triggerPrice"], told["status"]) == (stop["id"], 59_000, "open")
    sim.pin(PAIR, 58_000)
    filled = asyncio.ensure_future(client.watch_my_trades(CONTRACT))
    await asyncio.to_thread(sim.clock.advance, 0.5)
    assert (await soon(filled))[-1]["side"] == "sell"
    assert sim.held(CONTRACT) == 0


@pytest.mark.parametrize("code", [None, 1001])
async def test_a_break_reaches_who_watches_and_the_next_watch_connects_again(
    sim: Sim, client: Any, code: int | None
) -> None:
    """A dropped or closed line is ccxt's NetworkError; watching again opens a second connection by itself."""
    await soon(client.watch_ticker(PAIR))
    watched = asyncio.ensure_future(client.watch_ticker(PAIR))
    await asyncio.to_thread(sim.streams.drop, code)
    with pytest.raises(ccxt.NetworkError):
        await soon(watched)
    assert (await soon(client.watch_ticker(PAIR)))["last"] == 60_000
    assert [status for _, _, status in sim.truth.connects] == [101, 101]


async def test_a_refused_connect_is_a_network_error(sim: Sim, client: Any) -> None:
    """An exchange that refuses the opening handshake is not heard of in any other way."""
    sim.streams.refuse(429)
    with pytest.raises(ccxt.NetworkError):
        await soon(client.watch_ticker(PAIR))
    assert [status for _, _, status in sim.truth.connects] == [429]


async def test_a_users_own_client_is_pointed_with_its_websockets(sim: Sim) -> None:
    """`point` rewrites every websocket of a client, sandbox or not, and leaves none on an exchange's host."""
    import ccxt.pro

    for name in ("binance", "bybit", "okx", "kraken"):
        own = point(getattr(ccxt.pro, name)(), sim.url)
        assert _outside(own.urls["api"], sim.url) == [], name
        await own.close()


def _outside(urls: Any, origin: str) -> list[str]:
    if isinstance(urls, dict):
        return [one for inner in urls.values() for one in _outside(inner, origin)]
    return [] if str(urls).startswith((origin, origin.replace("http", "ws", 1))) else [str(urls)]
