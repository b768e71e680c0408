"""The gate of websockets: what ccxt's pro clients say on a stream, against a real websocket server on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import ccxt.pro
import pytest
from aiohttp import ClientSession, WSMsgType, web

from policykit import Denied
from policykit.guard.stream_gate import verbs
from tests.guard.world import SYMBOL, World, kinds

ORDER = {"id": "1", "method": "order.place", "params": {"symbol": "BTCUSDT", "side": "BUY", "quantity": "9"}}
REFUSED = r'"order\.place" over a websocket passes no check; use create_order'


@asynccontextmanager
async def streams() -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """Listen on loopback, keep every message, and answer each as done."""
    heard: list[dict[str, Any]] = []

    async def handle(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type == WSMsgType.TEXT:
                heard.append(json.loads(message.data))
                order = {"symbol": "BTCUSDT", "orderId": 1, "status": "CANCELED"}
                await socket.send_json({"id": heard[-1].get("id"), "status": 200, "result": order})
        return socket

    app = web.Application()
    app.router.add_get("/{tail:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        yield f"ws://127.0.0.1:{port}/ws", heard
    finally:
        await runner.cleanup()


async def talk(world: World, what: Callable[[Any, str, list[Any]], Any], guard: Any = None) -> Any:
    """Let a protected pro client talk to the server; return what `what` returns."""
    async with streams() as (url, heard), ClientSession() as session:
        client = ccxt.pro.binance({"apiKey": world.sim.key, "secret": world.sim.secret, "session": session})
        client.set_markets(world.sim.client().load_markets())
        for name in ("spot", "future"):
            client.urls["api"]["ws"]["ws-api"][name] = url
        (guard or world.guard()).protect(client)
        try:
            return await what(client, url, heard)
        finally:
            await client.close()


async def heard_of(heard: list[Any], method: str) -> dict[str, Any]:
    """Wait until the server heard a method; a test that never does is ended by its runner."""
    while True:
        for message in heard:
            if message.get("method") == method:
                return message
        await asyncio.sleep(0)


def test_an_order_over_a_stream_is_refused_however_it_is_sent(start: Callable[..., World]) -> None:
    """Neither the unified method, nor `watch`, nor a connection's own `send` takes an order past the policy."""
    world = start()
    guard = world.guard()

    async def what(client: Any, url: str, heard: list[Any]) -> None:
        with pytest.raises(Denied, match="an order over a websocket does not pass the gate; use create_order"):
            client.createOrderWs(SYMBOL, "limit", "buy", 0.01, 60_000)
        for say in (
            lambda: client.watch(url, "1", ORDER, "1"),
            lambda: client.watch(url, "1", json.dumps(ORDER), "1"),
            lambda: client.watch_multiple(url, ["1"], ORDER, ["1"]),
        ):
            with pytest.raises(Denied, match=REFUSED):
                await say()
        client.watch(url, "2", {"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 2}, "2")
        assert (await heard_of(heard, "SUBSCRIBE"))["params"] == ["btcusdt@trade"]
        client.watch_multiple(url, ["3"], {"method": "UNSUBSCRIBE", "params": ["btcusdt@trade"], "id": 3}, ["3"])
        await heard_of(heard, "UNSUBSCRIBE")
        with pytest.raises(Denied, match=REFUSED):
            await client.client(url).send(ORDER)
        assert [message["method"] for message in heard] == ["SUBSCRIBE", "UNSUBSCRIBE"]

    asyncio.run(talk(world, what, guard))
    assert kinds(guard) == ["decision deny"] * 5


def test_a_streamed_cancel_is_recorded_and_sent(start: Callable[..., World]) -> None:
    """A cancel over a websocket is no fetch: it is written down and passes, in ccxt's own words."""
    world = start()
    guard = world.guard()

    async def what(client: Any, url: str, heard: list[Any]) -> None:
        await client.cancel_order_ws("1", SYMBOL)
        await client.cancelOrderWs("2", SYMBOL)
        assert [(m["method"], m["params"]["orderId"]) for m in heard] == [("order.cancel", "1"), ("order.cancel", "2")]
        with pytest.raises(Denied, match=r'"order\.cancel" over a websocket passes no check'):
            client.watch(url, "3", {"method": "order.cancel", "id": "3"}, "3")

    asyncio.run(talk(world, what, guard))
    assert kinds(guard) == ["decision allow", "decision allow", "decision deny"]


def test_shadow_records_what_a_stream_would_be_refused(
    start: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In shadow mode the message arrives, and the record says that it would not have."""
    monkeypatch.setenv("POLICYKIT_MODE", "shadow")
    world = start()
    guard = world.guard()

    async def what(client: Any, url: str, heard: list[Any]) -> None:
        client.watch(url, "1", ORDER, "1")
        assert await heard_of(heard, "order.place") == ORDER

    asyncio.run(talk(world, what, guard))
    assert set(kinds(guard)) == {"decision deny"}


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("ping", ["ping"]),
        ('{"op":"order.create"}', ["order.create"]),
        ('{"op":', ["an unreadable message"]),
        ([0, "on", None, {"amount": "1"}], ["an unreadable message"]),
        ({"method": "private/subscribe"}, ["subscribe"]),
        ({"method": "private/buy"}, ["buy"]),
        ({"channel": "spot.order_place", "event": "api"}, ["api"]),
        ({"event": "subscribe", "op": "order"}, ["order", "subscribe"]),
        ({"type": "subscribe", "product_ids": []}, ["subscribe"]),
        ({"sub": "market.btcusdt.kline.1min"}, ["sub"]),
        ({"pong": 1_700_000_000_000}, ["pong"]),
        ({"amount": "1"}, ["an unreadable message"]),
    ],
)
def test_the_verbs_of_a_message(message: Any, said: list[str]) -> None:
    """Every verb that an exchange could read counts, wherever exchanges write it; the rest is unreadable."""
    assert verbs(message) == said
