"""Dials of stock ccxt.pro behind a guard, against the simulated exchange's websockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import ccxt
import pytest

from policykit.guard import Guard
from policykit.guard.wire import without_address
from tests.guard.contracts import contracts
from tests.guard.test_private import live, moving
from tests.guard.test_streams import codes, connects, reconnecting, round_of, until
from tests.guard.world import SYMBOL, World


@pytest.fixture
def world(start: Callable[..., World]) -> World:
    """Give an exchange, and a policy that counts connects."""
    return start(text=reconnecting())


def trade(world: World, what: Callable[[Any, Guard], Any]) -> Guard:
    """Let a protected ccxt.pro client do something; the test moves time, not those who wait."""
    guard = world.guard()

    async def main() -> None:
        client = guard.protect(world.sim.client(pro=True))
        try:
            with world.clock.background():
                await asyncio.create_task(what(client, guard))
        finally:
            await client.close()

    asyncio.run(main())
    return guard


def test_a_dial_is_a_decision_and_needs_no_stream_of_its_own(world: World) -> None:
    """What a bot watches is counted; what it does not name denies it nothing when it breaks."""

    async def what(client: Any, guard: Guard) -> None:
        assert SYMBOL in await client.watch_bids_asks([SYMBOL])
        world.sim.streams.drop()
        await until(lambda: not client.clients)
        assert codes(guard) == []

    guard = trade(world, what)
    assert connects(guard) == ["allow"]
    (decision,) = [
        row.body["decision"]
        for row in guard.store.rows(0, 10_000)
        if row.kind == "decision" and row.body["decision"]["action"] == "stream.connect"
    ]
    assert "stream.binance.com" in decision["order"]["type"]


def test_a_refused_dial_is_an_error_and_the_next_one_waits(world: World) -> None:
    """The bot gets ccxt's error; its next watch waits a second and connects."""

    async def what(client: Any, _: Guard) -> None:
        world.sim.streams.refuse(503)
        with pytest.raises(ccxt.NetworkError):
            await client.watch_bids_asks([SYMBOL])
        world.sim.streams.refuse(None)
        again = asyncio.ensure_future(client.watch_bids_asks([SYMBOL]))
        await moving(world, again.done)
        assert SYMBOL in again.result()

    trade(world, what)
    first, second = world.sim.truth.connects
    assert (first[2], second[2]) == (503, 101)
    assert second[0] - first[0] >= 1_000


def test_a_listen_key_is_in_no_error(start: Callable[..., World]) -> None:
    """The handshake is refused: aiohttp writes the whole address into its error, and ccxt hands that to who watches."""
    world = contracts(start)

    async def what(client: Any, _: Guard) -> None:
        world.sim.streams.refuse(503)
        with pytest.raises(ccxt.NetworkError) as raised:
            await client.watch_orders()
        kept = [client.options[name].get("listenKey") for name in ("future", "linear") if name in client.options]
        (key,) = filter(None, kept)
        error: BaseException | None = raised.value
        while error is not None:
            assert key not in f"{error} {error!r} {error.args}"
            error = error.__cause__ or error.__context__
        assert "503" in str(raised.value)

    trade(world, what)


def test_of_an_address_nothing_secret_is_told() -> None:
    """In the path, in the query, before the host; an error that is not ccxt's is ours, and stays."""
    key = "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1"
    for url in (f"wss://f.test/ws/{key}", f"wss://f.test/private/ws?listenKey={key}&x=1", f"wss://a:{key}@f.test/ws"):
        for text in (f"Connection to {url} timed out", f"503, url='{url}'"):
            clean = without_address(url, ccxt.RequestTimeout(text))
            assert isinstance(clean, ccxt.RequestTimeout)
            assert key not in repr(clean)
    ours = TimeoutError(key)
    assert without_address(f"wss://f.test/ws/{key}", ours) is ours


def test_a_client_that_is_closed_while_it_waits_does_not_dial(world: World) -> None:
    """The turn comes when nobody is there any more."""

    async def what(client: Any, _: Guard) -> None:
        world.sim.streams.refuse(503)
        with pytest.raises(ccxt.NetworkError):
            await client.watch_bids_asks([SYMBOL])
        waiting = asyncio.ensure_future(client.watch_bids_asks([SYMBOL]))
        await until(lambda: bool(world.clock._futures))
        await client.close()
        world.clock.advance(5)
        with pytest.raises(asyncio.CancelledError):
            await waiting
        for _ in range(50):
            await asyncio.sleep(0)

    trade(world, what)
    assert len(world.sim.truth.connects) == 1


def test_what_fails_before_a_dial_reaches_who_watches(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect of ours is an error for the bot, and no wait without end."""

    async def what(client: Any, guard: Guard) -> None:
        monkeypatch.setattr(guard, "decide", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await client.watch_bids_asks([SYMBOL])

    trade(world, what)
    assert world.sim.truth.connects == []


def test_a_connection_that_a_bot_made_becomes_the_private_stream_s(world: World) -> None:
    """The bot watches its orders already: its connection is taken over, and is up with the first word."""

    async def what(client: Any, guard: Guard) -> None:
        own = asyncio.ensure_future(client.watch_orders())
        await asyncio.to_thread(world.sim.streams.wait, to="user")
        async with guard.private_stream(client) as private:
            private._take({})  # what says nothing is left to the poll
            await moving(world, lambda: not private.line.stale(world.clock.monotonic_ms()))
            round_of(guard)
            await client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000)
            assert [order["status"] for order in await own] == ["open"]

    guard = trade(world, what)
    assert len(world.sim.truth.connects) == 1
    assert [intent.state for intent in guard.store.intents(guard.account)] == ["acknowledged"]


def test_the_private_stream_of_contracts_is_followed(start: Callable[..., World]) -> None:
    """Binance USD-M by `type="future"`: its listen key is made through the gate, and is in no name."""
    world = start(text=reconnecting())
    guard = world.guard()
    assert guard.private_stream(world.sim.client(pro=True), type="future").name == "orders future"
    asyncio.run(live(world, guard, nothing))


async def nothing(_client: Any, guard: Guard) -> None:
    """Do nothing beside the stream."""
    assert list(guard.streams.needed) == ["orders"]
