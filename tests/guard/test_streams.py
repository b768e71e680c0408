"""`guard.stream` against a real websocket server: back without a storm, and increases wait for what it missed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import websockets
import websockets.sync.client

from policykit import Denied, enforce
from policykit.errors import StoreUnavailable
from policykit.guard import Guard
from policykit.guard.streams import MAX_LINES, place_of
from policykit.order import Order
from policykit.telemetry import names
from tests.guard.feed import Feed, feed, most_in_a_window
from tests.guard.world import SYMBOL, World, policy_text

BUY = Order(SYMBOL, "buy", "limit", Decimal("0.01"), Decimal(60_000))
SELL = Order(SYMBOL, "sell", "limit", Decimal("0.01"), Decimal(60_000))
#: Turns of the loop for which anything is waited for.
MOST_TURNS = 300_000
PLAN = "  reconnect: {wait_initial: 1s, factor: 2, wait_max: 60s, jitter: %s, max_per: {limit: %d, per: 5m}}\n"


def reconnecting(jitter: str = "none", limit: int = 50) -> str:
    """Return the usual policy with `retry.reconnect`."""
    return policy_text().replace("retry:\n", "retry:\n" + PLAN % (jitter, limit))


@pytest.fixture
def world(start: Callable[..., World]) -> World:
    """Give an exchange, and a policy that counts connects."""
    return start(text=reconnecting())


@pytest.fixture
def server(world: World) -> Iterator[Feed]:
    """Give a server of streams."""
    with feed(world.clock.now_ms) as made:
        yield made


def codes(guard: Guard, order: Order = BUY) -> list[str]:
    """Return why an order would be denied now."""
    return [reason.code for reason in guard.check(order).reasons]


def round_of(guard: Guard) -> None:
    """Do a round of maintenance a moment later."""
    guard.clock.advance(0.001)  # type: ignore[attr-defined]
    guard.maintain()


def connects(guard: Guard) -> list[str]:
    """Return outcome and first reason of every decision on a connect."""
    told = []
    for row in guard.store.rows(0, 100_000):
        if row.kind == "decision" and row.body["decision"]["action"] == "stream.connect":
            decision = row.body["decision"]
            told.append(" ".join([decision["outcome"], *(r["code"] for r in decision.get("reasons", ()))]))
    return told


def sync(server: Feed) -> Callable[[], Any]:
    """Return what makes a sync connection."""
    return lambda: websockets.sync.client.connect(server.url)


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until something holds."""
    for _ in range(MOST_TURNS):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came")


def test_an_async_stream_lives_through_its_connections(world: World, server: Feed) -> None:
    """Down: STREAM_STALE; back: STREAM_GAP until the account was read; exits pass; journal and gauge tell the gap."""
    guard = world.guard()
    while_down: list[list[str]] = []

    async def connect() -> Any:
        while_down.append(codes(guard) + codes(guard, SELL))
        return await websockets.connect(server.url)

    async def bot() -> None:
        assert codes(guard) == []
        async with guard.stream("trades", connect, quiet=True) as stream:
            assert await anext(stream) == "hello 1"
            assert codes(guard) == ["STREAM_GAP"]
            round_of(guard)
            assert codes(guard) == []
            world.clock.advance(7)
            server.drop()
            async for message in stream:
                assert message == "hello 2"
                break
            assert (codes(guard), codes(guard, SELL)) == (["STREAM_GAP"], [])
            denied = guard.check(BUY).reasons[0]
            assert denied.message == "stream trades came back after 1.0 s, and the account was not read since"
            round_of(guard)
            assert codes(guard) == []
        await until(lambda: server.open == 0)
        assert codes(guard) == []

    asyncio.run(bot())
    assert while_down == [["STREAM_STALE"], ["STREAM_STALE"]]
    assert server.tried[1] - server.tried[0] == 8_001
    assert connects(guard) == ["allow", "allow"]
    told = [row.body for row in guard.store.rows(0, 100_000) if row.kind == "stream"]
    assert [(row["stream"], row["account"], row["gap_ms"]) for row in told] == [
        ("trades", "binance/main", 0),
        ("trades", "binance/main", 1_000),
    ]
    labels = {names.EXCHANGE: "binance", names.ACCOUNT: "main", names.BOT: guard.bot, names.STREAM: "trades"}
    assert guard.telemetry.counters.gauges[names.M_STREAM_GAP][tuple(sorted(labels.items()))] == 0


def test_an_account_is_compared_anew_after_a_gap(start: Callable[..., World]) -> None:
    """Where the policy reconciles: not at the first connect, of which nothing was missed, but after each gap."""
    world = start(text=reconnecting() + "reconciliation: {on_start: required, tolerance: 5 USDT}\n")
    with feed(world.clock.now_ms) as server:
        guard = world.guard()
        with guard.stream("trades", sync(server), quiet=True) as stream:
            assert next(stream) == "hello 1"
            assert codes(guard) == ["STREAM_GAP"]
            round_of(guard)
            assert codes(guard) == []
            server.drop()
            assert next(iter(stream)) == "hello 2"
            assert codes(guard) == ["RECOVERY_PENDING", "STREAM_GAP"]
            assert codes(guard, SELL) == []
            round_of(guard)
            assert codes(guard) == []


def test_a_sync_stream_lives_through_its_connections(world: World, server: Feed) -> None:
    """The same steps by the sync driver."""
    guard = world.guard()
    with guard.stream("trades", sync(server), quiet=True) as stream:
        assert codes(guard) == ["STREAM_STALE"]
        assert next(stream) == "hello 1"
        round_of(guard)
        assert codes(guard) == []
        server.drop()
        assert next(iter(stream)) == "hello 2"
        assert codes(guard) == ["STREAM_GAP"]
        round_of(guard)
        server.say("three")
        assert next(stream) == "three"
        assert codes(guard) == []
    assert (codes(guard), connects(guard)) == ([], ["allow", "allow"])


def test_a_silent_async_stream_is_stale_and_made_anew(world: World, server: Feed) -> None:
    """Beyond its bound increases are denied and the connection is closed; a slow bot alone closes nothing."""
    guard = world.guard()

    async def bot() -> None:
        stream = guard.stream("trades", lambda: websockets.connect(server.url), silence_s=4)
        async with stream:
            assert await anext(stream) == "hello 1"
            round_of(guard)
            assert codes(guard) == []
            world.clock.advance(3.999)
            assert codes(guard) == []
            world.clock.advance(1)  # nobody waits for a message: it is the bot that is slow
            assert codes(guard) == ["STREAM_STALE"]
            assert guard.check(BUY).reasons[0].message == (
                "stream trades said nothing for 5.0 s, over its bound of 4 s"
            )
            for _ in range(50):
                await asyncio.sleep(0)
            assert (server.open, len(server.tried)) == (1, 1)
            server.say("late")
            assert await anext(stream) == "late"
            assert codes(guard) == []
            waiting = asyncio.ensure_future(anext(stream))
            await until(lambda: stream._waits)
            world.clock.advance(8)
            await until(lambda: server.open == 0)
            await until(lambda: world.clock._futures != [])
            world.clock.advance(1)
            assert await waiting == "hello 2"
            assert codes(guard)[0] == "STREAM_GAP"

    async def main() -> None:
        with world.clock.background():  # the test moves time, not those who wait
            await asyncio.create_task(bot())

    asyncio.run(main())


def test_a_silent_sync_stream_is_stale_and_made_anew(
    world: World, server: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sync driver looks at the clock while it waits, and makes another connection."""
    guard = world.guard()
    with guard.stream("trades", sync(server)) as stream:  # account.max_age, 10 s
        assert next(stream) == "hello 1"
        monkeypatch.setattr("policykit.guard.stream.TICK_S", 0.01)
        threading.Timer(0.1, world.clock.advance, (10,)).start()
        assert next(stream) == "hello 2"
        assert len(server.tried) == 2


def test_I7_a_server_that_drops_everybody_sees_no_storm(start: Callable[..., World]) -> None:
    """Two guards of one store, full jitter: half an hour of drops is at most 10 connects in any 5 minutes, of both."""
    world = start(text=reconnecting("full", 10))
    guards = [world.guard(), world.guard()]
    with feed(world.clock.now_ms) as server:
        server.drops = True

        async def bot(guard: Guard, name: str) -> None:
            async with guard.stream(name, lambda: websockets.connect(server.url), quiet=True) as stream:
                async for _ in stream:
                    pass

        async def main() -> None:
            tasks = [asyncio.ensure_future(bot(guard, str(n))) for n, guard in enumerate(guards)]
            end = world.clock.now_ms() + 1_800_000
            await until(lambda: world.clock.now_ms() >= end)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run(main())
        # By when they were decided: a server's thread reads the clock when it has already moved on.
        asked = [row for row in guards[0].store.rows(0, 100_000) if row.kind == "decision"]
        times = [row.at_ms for row in asked if row.body["decision"]["outcome"] == "allow"]
        assert 20 < len(times) <= 70
        assert most_in_a_window(times, 300_000) == 10
    assert len(times) - 2 <= len(server.tried) <= len(times)  # the last ones may have been stopped on their way
    assert "deny RATE_CONNECTS" in connects(guards[0])


def test_I7_a_refused_handshake_bans_the_address_for_every_process(start: Callable[..., World]) -> None:
    """429 with Retry-After: no other process connects before; without the header the exchange's own time is taken."""
    world = start(text=reconnecting())
    first, second = world.guard(), world.guard()
    with feed(world.clock.now_ms) as server:
        server.refuses = (429, {"Retry-After": "90"})

        def connect() -> Any:
            try:
                return sync(server)()
            finally:
                server.refuses = None

        begun = world.clock.now_ms()
        with first.stream("trades", connect, quiet=True) as stream:
            assert next(stream) == "hello 2"
        assert server.tried[1] - begun >= 90_000
        denied = [reason for reason in connects(second) if reason.startswith("deny")]
        assert set(denied) == {"deny RATE_BANNED"}
        server.refuses = (418, {"Retry-After": "soon"})
        with second.stream("trades", connect, quiet=True) as stream:
            assert next(stream) == "hello 4"
        assert server.tried[3] - server.tried[2] >= 60_000


def test_other_refusals_of_a_handshake_are_no_ban(world: World, server: Feed) -> None:
    """A 503 is a connect that failed: it waits for its own back-off."""
    guard, begun = world.guard(), world.clock.now_ms()
    server.refuses = (503, {})

    def connect() -> Any:
        if len(server.tried) == 2:
            server.refuses = None
        return sync(server)()

    with guard.stream("trades", connect, quiet=True) as stream:
        assert next(stream) == "hello 3"
    assert [at - begun for at in server.tried] == [0, 1_000, 3_000]


def test_a_bug_in_the_bot_is_not_tried_again(world: World) -> None:
    """What no connect can mend is raised, once."""

    def broken() -> Any:
        raise AttributeError("no such thing")

    guard = world.guard()
    with guard.stream("trades", broken) as stream, pytest.raises(AttributeError, match="no such thing"):
        next(stream)
    assert connects(guard) == ["allow"]


def test_a_name_is_one_stream_at_a_time_and_keeps_its_waits(world: World, server: Feed) -> None:
    """Leaving and entering again is no way around the back-off; two under one name would hide each other."""
    guard = world.guard()
    with guard.stream("trades", sync(server), quiet=True) as stream:
        next(stream)
        with pytest.raises(ValueError, match="stream trades is open already in this guard"):
            guard.stream("trades", sync(server)).__enter__()
        server.drop()
        next(stream)
        server.drop()
        next(stream)
    begun = world.clock.now_ms()
    server.drops = True
    with guard.stream("trades", sync(server), quiet=True) as stream:
        next(stream)
        next(stream)
    assert world.clock.now_ms() - begun == 4_000


def test_I12_without_a_store_streams_connect_uncounted_and_increases_are_denied(
    world: World, server: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bot that must leave is not blinded: the connect passes by its own back-off, and is in the fallback file."""
    guard = world.guard()

    def down(*_: object, **__: object) -> Any:
        raise StoreUnavailable("the store is down")

    for name in ("reserve", "record", "facts", "event", "ban"):
        monkeypatch.setattr(guard.store, name, down)
    with guard.stream("trades", sync(server), quiet=True) as stream:
        assert next(stream) == "hello 1"
        assert codes(guard)[0] == "STORE_DOWN"
        server.refuses = (429, {})
        server.drop()

        def later() -> None:
            server.refuses = None

        world.clock.after(3, later)
        assert next(stream) == f"hello {len(server.tried)}"


def test_in_shadow_nothing_waits_for_the_policy(start: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    """A connect beyond the cap is recorded as denied and made all the same; back-off is no decision and stays."""
    monkeypatch.setenv("POLICYKIT_MODE", "shadow")
    world = start(text=reconnecting(limit=1))
    guard = world.guard()
    with feed(world.clock.now_ms) as server, guard.stream("trades", sync(server), quiet=True) as stream:
        assert next(stream) == "hello 1"
        server.drop()
        assert next(stream) == "hello 2"
    assert connects(guard) == ["allow", "deny RATE_CONNECTS"]


def test_enforce_counts_connects_of_a_bot_that_makes_its_own(start: Callable[..., World]) -> None:
    """`@enforce("stream.connect")` around what connects: sync and async share the window, and the next is denied."""
    world = start(text=reconnecting(limit=2))
    guard = world.guard()
    made: list[str] = []

    @enforce("stream.connect", guard=guard)
    def connect(url: str) -> str:
        made.append(url)
        return url

    @enforce("stream.connect", guard=guard)
    async def aconnect(url: str) -> str:
        made.append(url)
        return url

    assert (connect("ws://a"), asyncio.run(aconnect("ws://b"))) == ("ws://a", "ws://b")
    for call in (lambda: connect("ws://c"), lambda: asyncio.run(aconnect("ws://d"))):
        with pytest.raises(Denied, match="2 connects in the last 5m, max_per is 2"):
            call()
    assert made == ["ws://a", "ws://b"]
    world.clock.advance(301)
    assert connect("ws://e") == "ws://e"


def test_a_sibling_with_a_stream_of_its_own_is_not_blocked(world: World, server: Feed) -> None:
    """What one bot does not hear is no matter of the other's, on the same account and store."""
    first, second = world.guard(), world.guard()
    with first.stream("trades", sync(server)):
        assert (codes(first), codes(second)) == (["STREAM_STALE"], [])


def test_streams_that_a_guard_remembers_are_bounded(world: World) -> None:
    """The oldest makes room."""
    guard = world.guard()
    first = guard.streams.line("0")
    assert guard.streams.line("0") is first
    for n in range(1, MAX_LINES + 1):
        guard.streams.line(str(n))
    assert guard.streams.line("0") is not first
    assert len(guard.streams._lines) == MAX_LINES


def test_place_of_a_connection_has_no_listen_key() -> None:
    """Host and path, without the parts that could be secret."""
    assert place_of("wss://fstream.binance.com/ws/pqia91ma19a5s61cv6a81va65sdf19v8") == "fstream.binance.com/ws/*"
    assert place_of("wss://stream.binance.com:9443/ws/0?token=secret") == "stream.binance.com:9443/ws/0"
    assert place_of("wss://user:pass@host") == "host"


def test_a_policy_without_a_plan_backs_off_all_the_same(start: Callable[..., World], tmp_path: Path) -> None:
    """1 s, doubling, up to a minute, all of it random: nothing to write in a policy for that."""
    guard = start().guard()
    guard.streams.chance = lambda: 0.5
    line = guard.streams.line("trades")
    waits = []
    for _ in range(8):
        guard.streams.lost("trades", line, OSError())
        waits.append(line.wait_ms(guard.clock.monotonic_ms()))
    assert waits == [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]
