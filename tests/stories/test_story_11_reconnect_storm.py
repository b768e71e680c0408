"""Story 11: connections break, and a bot that connects anew at once makes thousands of them, and is banned for it.

Connections that open and break at once are what ccxt's own back-off does not know: to it each dial was a success.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import ccxt
import pytest
import websockets

from policykit import Denied
from policykit.guard import Guard
from tests.guard.world import SYMBOL, World, policy_text

PLAN = "  reconnect: {wait_initial: 1s, factor: 2, wait_max: 60s, jitter: full, max_per: {limit: 50, per: 5m}}\n"
POLICY = policy_text().replace("retry:\n", f"retry:\n{PLAN}")
#: Each connection breaks in place of its first message.
BREAKS = {"at": "stream", "do": "cut", "ratio": 1.0}
BOOK = "btcusdt@bookTicker"
MINUTES_MS = 600_000

Tick = Callable[[], Awaitable[Any]]


async def loop(tick: Tick, over: Callable[[], bool]) -> None:
    """Do what bots do: watch, and after an error watch again."""
    while not over():
        try:
            await tick()
        except (ccxt.NetworkError, OSError, websockets.WebSocketException):
            continue


def listening(world: World) -> Tick:
    """Return what hears one price by plain `websockets`, without policykit."""

    async def tick() -> Any:
        async with websockets.connect(f"{world.sim.ws_url}/@/stream.binance.com/ws/{BOOK}") as socket:
            return await socket.recv()

    return tick


def banned(world: World) -> bool:
    """Tell whether the exchange has banned the address."""
    return any(status == 418 for _, _, status in world.sim.truth.connects)


def storm(world: World) -> bool:
    """Tell whether there were more connects than the exchange takes."""
    return len(world.sim.truth.connects) > 300


def test_bare_a_storm_ends_in_a_ban_and_nobody_can_leave(start: Callable[..., World]) -> None:
    """Control: hundreds of connects at once, 429s that the loop takes for errors like others, a 418; no exit passes."""
    world = start(BREAKS)
    asyncio.run(loop(listening(world), lambda: banned(world)))
    assert world.sim.truth.most_connects(300) > 300
    with pytest.raises(ccxt.DDoSProtection):
        world.sim.client().create_order(SYMBOL, "market", "sell", 0.01)


def test_bare_ccxt_pro_dials_as_often_as_it_is_asked(start: Callable[..., World]) -> None:
    """Control: to the library a dial that was taken is a success, so the loop is as quick as the wire."""
    world = start(BREAKS)

    async def bot() -> None:
        client = world.sim.client(pro=True)
        try:
            await loop(lambda: client.watch_bids_asks([SYMBOL]), lambda: storm(world))
        finally:
            await client.close()

    asyncio.run(bot())
    assert world.sim.truth.most_connects(300) > 300


def test_with_policykit_ccxt_pro_backs_off(start: Callable[..., World]) -> None:
    """The same loop on a protected client: ten minutes of broken connections are a few dozen dials, and no ban."""
    world = start(BREAKS, text=POLICY)
    end = world.clock.now_ms() + MINUTES_MS

    async def bot() -> None:
        client = world.guard().protect(world.sim.client(pro=True))
        try:
            await loop(lambda: client.watch_bids_asks([SYMBOL]), lambda: world.clock.now_ms() >= end or storm(world))
        finally:
            await client.close()

    asyncio.run(bot())
    calm(world)


def test_with_policykit_streams_of_two_processes_share_the_window(start: Callable[..., World]) -> None:
    """Two guards with `guard.stream` on the same store: together they stay under the cap of one address."""
    world = start(BREAKS, text=POLICY.replace("limit: 50", "limit: 20"))
    end = world.clock.now_ms() + MINUTES_MS

    async def bot(guard: Guard) -> None:
        async with guard.stream("book", lambda: websockets.connect(f"{world.sim.ws_url}/@/{HOST}/ws/{BOOK}")) as stream:
            async for _ in stream:
                raise AssertionError("every connection breaks before its first message")

    async def main() -> None:
        bots = [asyncio.create_task(bot(world.guard())) for _ in range(2)]
        while world.clock.now_ms() < end and not storm(world):  # noqa: ASYNC110 - it is the clock of the simulation that is waited for
            await asyncio.sleep(0)
        for one in bots:
            one.cancel()
        await asyncio.gather(*bots, return_exceptions=True)

    asyncio.run(main())
    calm(world)
    decided = [row for row in world.guard(ready=False).store.rows(0, 100_000) if row.kind == "decision"]
    allowed = [row.at_ms for row in decided if row.body["decision"]["outcome"] == "allow"]
    assert max(sum(start <= at < start + 300_000 for at in allowed) for start in allowed) <= 20


HOST = "stream.binance.com"


def calm(world: World) -> None:
    """Assert that the exchange saw no storm, and takes an exit."""
    assert len(world.sim.truth.connects) > 5
    assert world.sim.truth.most_connects(300) <= 60
    assert {status for _, _, status in world.sim.truth.connects} == {101}
    assert world.protected().create_order(SYMBOL, "market", "buy", 0.001)["status"] == "closed"


def test_the_first_order_after_a_break_waits_for_what_was_missed(start: Callable[..., World]) -> None:
    """Down or not made up for: entries are denied, the exit passes; after one round the legitimate entry passes."""
    world = start(text=POLICY)
    guard = world.guard()
    client = world.protected(guard)

    async def bot() -> None:
        url = f"{world.sim.ws_url}/@/{HOST}/ws/{BOOK}"
        async with guard.stream("book", lambda: websockets.connect(url), quiet=True) as book:
            await anext(book)
            world.clock.advance(0.001)
            guard.maintain()
            assert client.create_order(SYMBOL, "market", "buy", 0.01)["status"] == "closed"
            world.sim.streams.drop()
            await anext(book)
            with pytest.raises(Denied, match=r"stream book came back after .* and the account was not read since"):
                client.create_order(SYMBOL, "market", "buy", 0.01)
            assert client.create_order(SYMBOL, "market", "sell", 0.005)["status"] == "closed"
            world.clock.advance(0.001)
            guard.maintain()
            assert client.create_order(SYMBOL, "market", "buy", 0.005)["status"] == "closed"

    asyncio.run(bot())
    assert [side for side, _ in world.sent] == ["buy", "sell", "buy"]
