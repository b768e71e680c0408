"""Bybit's websockets: topics in the documented form, auth, and stock ccxt.pro on them."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from policykit.testing import Sim, SimClock
from tests.sim.stream_examples import form
from tests.sim.wire_streams import heard

HOST, PAIR = "/@/stream.bybit.com", "BTC/USDT"
#: bybit-exchange/docs docs/v5/websocket: public/ticker.mdx@07fc9ef7, orderbook.mdx@081a67d6, trade.mdx@081a67d6 ("L"
#: left out: of contracts), private/execution.mdx@04df70b7. A ticker's values are all text.
_SPOT = "symbol lastPrice highPrice24h lowPrice24h prevPrice24h volume24h turnover24h price24hPcnt"
_LINEAR = (
    f"{_SPOT} tickDirection prevPrice1h markPrice indexPrice openInterest openInterestValue nextFundingTime "
    "fundingRate bid1Price bid1Size ask1Price ask1Size"
)
_TICKER = {"topic": "tickers.BTCUSDT", "ts": 1672305380595, "type": "snapshot", "cs": 496622841}
SPOT_TICKER = {**_TICKER, "data": dict.fromkeys(_SPOT.split(), "")}
LINEAR_TICKER = {**_TICKER, "data": dict.fromkeys(_LINEAR.split(), "")}
BOOK = {
    "topic": "orderbook.50.BTCUSDT",
    "type": "snapshot",
    "ts": 1672304484978,
    "data": {
        "s": "BTCUSDT",
        "b": [["16493.50", "0.006"]],
        "a": [["16611.00", "0.029"]],
        "u": 18521288,
        "seq": 7961638724,
    },
}
TRADE = {
    "topic": "publicTrade.BTCUSDT",
    "type": "snapshot",
    "ts": 1672304486868,
    "data": [{"T": 1672304486865, "s": "BTCUSDT", "S": "Buy", "v": "0.001", "p": "16578.50", "i": "20f4", "BT": False}],
}
#: What a fill tells in the example, without what is of options and of marks.
_EXECUTION = (
    "category symbol execFee execId execPrice execQty execType execValue isMaker feeRate leavesQty orderId orderLinkId "
    "orderPrice orderQty orderType stopOrderType side execTime isLeverage"
)
EXECUTION = set(_EXECUTION.split())


@pytest.fixture
def sim() -> Iterator[Sim]:
    """Give a flat market at 60,000 with money for contracts."""
    grants = {"read", "trade.spot", "trade.derivatives"}
    with Sim(clock=SimClock(), dialect="bybit", amplitude=0, margin={"USDT": 10_000}, grants=grants) as started:
        yield started


def _ask(ws: ClientConnection, op: str, *args: str) -> Any:
    ws.send(json.dumps({"op": op, "req_id": "9", "args": list(args)}))
    return heard(ws)


@contextmanager
def _public(sim: Sim, part: str, *topics: str) -> Iterator[ClientConnection]:
    with connect(f"{sim.ws_url}{HOST}/v5/public/{part}", max_queue=None) as ws:
        assert _ask(ws, "subscribe", *topics)["success"] is True
        yield ws


def _auth(sim: Sim, **changed: str) -> dict[str, Any]:
    ends = changed.get("ends", str(sim.clock.now_ms() + 10_000))
    mac = hmac.new(sim.secret.encode(), f"GET/realtime{ends}".encode(), hashlib.sha256).hexdigest()
    return {"op": "auth", "args": [changed.get("key", sim.key), ends, changed.get("mac", mac)]}


@pytest.mark.parametrize(
    ("part", "example"), [("spot", SPOT_TICKER), ("linear", LINEAR_TICKER), ("spot", BOOK), ("spot", TRADE)]
)
def test_a_public_topic_has_the_documented_form(sim: Sim, part: str, example: dict[str, Any]) -> None:
    """Names and types as printed, at once and at each step of the exchange's clock."""
    with _public(sim, part, example["topic"]) as ws:
        assert form(heard(ws)) == form(example)
        sim.clock.advance(0.5)
        assert heard(ws)["ts"] == sim.clock.now_ms()


def test_what_is_no_topic_is_refused_and_a_topic_can_be_left(sim: Sim) -> None:
    """An unknown symbol, kind or depth, an account's topic; after unsubscribe nothing comes; ping, pong."""
    with _public(sim, "spot", "tickers.BTCUSDT") as ws:
        heard(ws)
        for topic in ("tickers.NOPE", "nonsense.BTCUSDT", "orderbook.x.BTCUSDT", "tickers.1.BTCUSDT", "order"):
            assert _ask(ws, "subscribe", topic)["success"] is False, topic
        assert _ask(ws, "unsubscribe", "tickers.BTCUSDT") == {
            "req_id": "9",
            "success": True,
            "ret_msg": "",
            "conn_id": "sim",
            "op": "unsubscribe",
        }
        sim.clock.advance(1)
        assert _ask(ws, "ping")["ret_msg"] == "pong"
        assert _ask(ws, "jump")["success"] is False
    with pytest.raises(InvalidStatus), connect(f"{sim.ws_url}{HOST}/v5/nowhere"):
        pass


def test_the_account_needs_auth(sim: Sim) -> None:
    """A wrong key, signature or end is refused, and nothing of the account told; a right one is, until revoked."""
    with connect(f"{sim.ws_url}{HOST}/v5/private", max_queue=None) as ws:
        for wrong in ({"key": "x"}, {"mac": "0"}, {"ends": str(sim.clock.now_ms())}, {"ends": "soon"}):
            ws.send(json.dumps(_auth(sim, **wrong)))
            assert heard(ws)["success"] is False, wrong
        assert _ask(ws, "subscribe", "wallet")["success"] is False
        ws.send(json.dumps(_auth(sim)))
        assert heard(ws) == {"success": True, "ret_msg": "", "conn_id": "sim", "op": "auth"}
        assert _ask(ws, "subscribe", "wallet")["success"] is True
        sim.deposit("BTC", 1)
        told = heard(ws)
        assert (told["topic"], told["data"][0]["accountType"]) == ("wallet", "UNIFIED")
        assert [row["walletBalance"] for row in told["data"][0]["coin"] if row["coin"] == "BTC"] == ["1"]
        assert _ask(ws, "ping") == {"req_id": "9", "op": "pong", "args": [str(sim.clock.now_ms())]}
        sim.main_key.revoked = True
        sim.clock.advance(0.5)
        sim.deposit("BTC", 1)
        assert _ask(ws, "ping")["op"] == "pong"


async def test_stock_ccxt_pro_watches_both_sides(sim: Sim) -> None:
    """Prices, and the orders, fills and money of a spot order and of a contract's."""
    client = sim.client(pro=True)
    try:
        async with asyncio.timeout(20):
            await client.load_markets()
            assert (await client.watch_ticker(PAIR))["last"] == 60_000
            assert (await client.watch_order_book(PAIR))["bids"][0] == [59_994, 1.5]
            assert (await client.watch_trades(f"{PAIR}:USDT"))[0]["price"] == 60_000
            orders = asyncio.ensure_future(client.watch_orders())
            await asyncio.to_thread(sim.streams.wait, to="order")
            trades = asyncio.ensure_future(client.watch_my_trades())
            await asyncio.to_thread(sim.streams.wait, to="execution")
            money = asyncio.ensure_future(client.watch_balance())
            await asyncio.to_thread(sim.streams.wait, to="wallet")
            placed = await client.create_order(PAIR, "limit", "buy", 0.5, 61_000, {"clientOrderId": "mine"})
            assert (await orders)[-1]["clientOrderId"] == "mine"
            fill = (await trades)[-1]
            assert (fill["order"], fill["amount"], set(fill["info"]) >= EXECUTION) == (placed["id"], 0.5, True)
            assert (await money)["USDT"]["total"] is not None
            await client.create_order(f"{PAIR}:USDT", "market", "sell", 0.1)
            while not [t for t in client.myTrades if t["symbol"] == f"{PAIR}:USDT"]:
                await client.watch_my_trades()
            while not [o for o in client.orders if o["symbol"] == f"{PAIR}:USDT" and o["status"] == "closed"]:
                await client.watch_orders()
    finally:
        await client.close()
