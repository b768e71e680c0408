"""The private stream by stock ccxt.pro on the simulated exchange: fills count at once, however often they are told."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from policykit.guard import Guard
from policykit.guard.private import SILENCE_MS, sighting
from policykit.guard.streams import LIST_EVERY_MS
from tests.guard.contracts import SWAP, contracts, policy
from tests.guard.test_streams import MOST_TURNS, codes, reconnecting, round_of, until
from tests.guard.world import SYMBOL, World

Bot = Callable[[Any, Guard], Any]


async def live(world: World, guard: Guard, bot: Bot) -> None:
    """Run a bot beside its private stream, once that is up; the test moves time, not those who wait."""
    client = world.sim.client(pro=True)
    try:
        with world.clock.background():
            async with guard.private_stream(client):
                await asyncio.to_thread(world.sim.streams.wait, to="user")
                await until(lambda: not guard.streams.needed["orders"].stale(world.clock.monotonic_ms()))
                await asyncio.create_task(bot(client, guard))
    finally:
        await client.close()


async def passes(world: World, guard: Guard, seconds: float) -> None:
    """Let time pass, as long as pings take: their pongs come over a real wire."""
    world.clock.advance(seconds)
    lines = guard.streams.needed.values()
    await until(lambda: all(world.clock.monotonic_ms() - line.heard_at < 9_900 for line in lines))


async def moving(world: World, condition: Callable[[], bool]) -> None:
    """Let time pass in small steps until something holds."""
    for _ in range(MOST_TURNS):
        if condition():
            return
        world.clock.advance(0.002)
        await asyncio.sleep(0)
    raise AssertionError("it never came")


def intents(guard: Guard) -> list[tuple[str, Decimal, bool]]:
    """Return state, filled quantity and whether it is over, of every order."""
    return [(i.state, i.filled, i.closed) for i in guard.store.intents(guard.account, open_only=False)]


@pytest.fixture
def world(start: Callable[..., World]) -> World:
    """Give an exchange on which nothing goes wrong by itself."""
    return start(text=reconnecting())


def test_a_fill_counts_when_it_is_told(world: World) -> None:
    """Between two polls: what fills is taken off the open order at once, and the position has it."""
    guard = world.guard()

    async def bot(client: Any, guard: Guard) -> None:
        round_of(guard)
        assert codes(guard) == []
        order = await client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000)
        assert order["status"] == "open"
        assert intents(guard) == [("acknowledged", 0, False)]
        world.sim.pin(SYMBOL, 58_000)
        world.clock.advance(0.6)
        await until(lambda: intents(guard)[0][0] == "settled")
        assert intents(guard) == [("settled", Decimal("0.01"), True)]
        assert guard.facts().positions["BTC"].high == Decimal("0.01")

    asyncio.run(live(world, guard, bot))
    assert guard.streams.needed == {}


def test_a_fill_that_is_told_before_its_answer_is_one_fill(world: World) -> None:
    """The stream has it, then the REST answer has it again: the bot gets its order, and it counts once."""
    guard = world.guard()

    async def bot(client: Any, guard: Guard) -> None:
        round_of(guard)
        order = await client.create_order(SYMBOL, "market", "buy", 0.01)
        assert (order["status"], order["filled"]) == ("closed", 0.01)
        for _ in range(200):
            await asyncio.sleep(0)
        assert intents(guard) == [("settled", Decimal("0.01"), True)]
        assert guard.facts().positions["BTC"].high == Decimal("0.01")

    asyncio.run(live(world, guard, bot))


MESSAGES = [
    {"at": "user", "do": "twice", "ratio": 1.0},
    {"at": "user", "do": "swap", "when": [2]},
    {"at": "user", "do": "hold", "seconds": 2, "ratio": 1.0},
]


@pytest.mark.parametrize("fault", MESSAGES, ids=lambda fault: fault["do"])
def test_what_is_told_twice_late_or_out_of_order_counts_once(
    start: Callable[..., World], fault: dict[str, Any]
) -> None:
    """Cumulative quantities: nothing is added up, and nothing that is over comes back (PITFALLS 6)."""
    world = start(fault, text=reconnecting())
    guard = world.guard()

    async def bot(client: Any, guard: Guard) -> None:
        round_of(guard)
        await client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000)
        world.sim.pin(SYMBOL, 58_000)
        world.clock.advance(0.6)
        world.clock.advance(2.5)
        await until(lambda: intents(guard)[0][0] == "settled")
        for _ in range(200):
            await asyncio.sleep(0)
        assert intents(guard) == [("settled", Decimal("0.01"), True)]
        assert guard.facts().positions["BTC"].high == Decimal("0.01")

    asyncio.run(live(world, guard, bot))


def test_what_is_told_before_the_answer_is_no_unknown_outcome(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An order that the stream shows partly filled before its own answer is read: the bot gets its order."""
    guard = world.guard()
    replied = "policykit.guard.gate.Gate.replied"
    real = __import__("policykit.guard.gate", fromlist=["Gate"]).Gate.replied

    def told_first(self: Any, ticket: Any, reply: Any) -> None:
        if ticket.call.name == "POST /api/v3/order":
            seen = {"id": str(reply["orderId"]), "clientOrderId": reply["clientOrderId"], "symbol": SYMBOL}
            state = sighting({**seen, "side": "buy", "amount": 0.01, "filled": 0.004, "status": "open"})
            assert state is not None
            self.guard.saw(state)
            assert intents(guard) == [("acknowledged", Decimal("0.004"), False)]
        real(self, ticket, reply)

    monkeypatch.setattr(replied, told_first)
    order = world.protected(guard).create_order(SYMBOL, "limit", "buy", 0.01, 59_000)
    assert order["status"] == "open"
    assert intents(guard) == [("acknowledged", Decimal("0.004"), False)]


def test_an_order_whose_answer_is_lost_is_known_by_the_stream(start: Callable[..., World]) -> None:
    """The venue executes and drops the reply: one fill, told by the stream, and the look-up finds the same."""
    world = start({"at": "order", "do": "lost_reply", "when": [1]}, text=reconnecting())
    guard = world.guard()

    async def bot(client: Any, guard: Guard) -> None:
        round_of(guard)
        asked = asyncio.ensure_future(client.create_order(SYMBOL, "market", "buy", 0.01))
        await until(lambda: bool(intents(guard)) and intents(guard)[0][0] == "settled")
        order = await asked
        assert (order["status"], order["filled"]) == ("closed", 0.01)
        assert intents(guard) == [("settled", Decimal("0.01"), True)]

    asyncio.run(live(world, guard, bot))
    assert [side for side, _ in world.sent] == ["buy"]


def test_polls_of_open_orders_slow_down_and_do_not_stop(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute of rounds: 3 lists instead of 12 while the stream is whole; after a gap the next round lists at once."""
    guard = world.guard()
    lists: list[int] = []
    listing = guard.adapter.open_orders

    def counted(symbols: tuple[str, ...] = ()) -> Any:
        lists.append(world.clock.now_ms())
        return listing(symbols)

    monkeypatch.setattr(type(guard.adapter), "open_orders", lambda _, symbols=(): counted(symbols))

    async def minute(guard: Guard) -> int:
        lists.clear()
        for _ in range(12):
            await passes(world, guard, 5)
            guard.maintain()
        return len(lists)

    async def bot(client: Any, guard: Guard) -> None:
        round_of(guard)
        await client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000)
        assert await minute(guard) == 60_000 // LIST_EVERY_MS
        world.sim.streams.drop()
        await until(lambda: "STREAM_STALE" in codes(guard))
        lists.clear()
        guard.maintain()
        assert len(lists) == 1
        await moving(world, lambda: "STREAM_GAP" in codes(guard))
        round_of(guard)
        assert (len(lists), codes(guard)) == (2, [])
        round_of(guard)
        assert len(lists) == 2

    asyncio.run(live(world, guard, bot))
    client = world.protected(guard)
    client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000)
    assert asyncio.run(minute(guard)) == 12


def test_a_silent_connection_is_ended_and_made_anew(world: World) -> None:
    """Not even pongs come: increases are denied after the bound, and the next connection is made by itself."""
    guard = world.guard()

    async def bot(client: Any, guard: Guard) -> None:
        round_of(guard)
        assert codes(guard) == []
        world.sim.streams.silence()
        world.clock.advance(SILENCE_MS / 1000 + 1)
        assert codes(guard)[0] == "STREAM_STALE"
        tried = len(world.sim.truth.connects)
        await until(lambda: guard.streams.needed["orders"].connected is None)
        await moving(world, lambda: len(world.sim.truth.connects) > tried)
        await moving(world, lambda: codes(guard)[0] == "STREAM_GAP")

    asyncio.run(live(world, guard, bot))


def test_pings_keep_a_quiet_connection_up(world: World) -> None:
    """Ten minutes without an order: whole all the time, by what the server answers to pings."""
    guard = world.guard()

    async def bot(client: Any, guard: Guard) -> None:
        line = guard.streams.needed["orders"]
        for _ in range(60):
            await passes(world, guard, 10)
            assert not line.stale(world.clock.monotonic_ms())
        assert len(world.sim.truth.connects) == 1

    asyncio.run(live(world, guard, bot))


def test_a_subscription_that_is_refused_is_no_stream(start: Callable[..., World]) -> None:
    """The connection opens and the exchange says no: increases stay denied, and tries slow down as of any stream."""
    world = start(text=reconnecting())
    guard = world.guard()

    tried = world.sim.truth.connects

    def third() -> bool:
        assert codes(guard)[0].startswith("STREAM_")
        return len(tried) == 3

    async def main() -> None:
        client = world.sim.client(pro=True, secret="wrong")
        client.set_markets(world.sim.client().load_markets())
        try:
            with world.clock.background():
                async with guard.private_stream(client):
                    await moving(world, third)
        finally:
            await client.close()

    asyncio.run(main())
    waits = [later[0] - earlier[0] for earlier, later in itertools.pairwise(tried)]
    assert [waits[n] >= wait for n, wait in enumerate((1_000, 2_000))] == [True] * 2


@pytest.mark.parametrize(("first", "then"), [(0.001, 0.016), (0.016, 0.001)])
def test_what_is_told_after_an_amend_and_is_older_takes_nothing_back(
    start: Callable[..., World], first: float, then: float
) -> None:
    """Else more would fit under the cap again, or an amend to more would pass a halt as a lesser one."""
    world = contracts(start, text=policy(position="1000 USDT"))
    guard = world.guard()
    client = guard.protect(world.sim.client())
    ident = client.create_order(SWAP, "limit", "buy", first, 59_000)["id"]
    client.edit_order(ident, SWAP, "limit", "buy", then, 58_000)
    known = guard.store.intents()
    said = {"id": ident, "clientOrderId": known[0].client_order_id, "symbol": SWAP, "side": "buy", "status": "open"}
    stream = guard.private_stream(world.sim.client(pro=True))
    stream._take({**said, "amount": first, "filled": 0, "price": 59_000})
    after = guard.store.intents()
    assert [intent.order for intent in after] == [intent.order for intent in known]
    assert guard.facts(SWAP).positions[SWAP].open_buys == after[0].order.quantity == Decimal(str(then))
    stream._take({**said, "amount": first, "filled": 0.0005, "price": 59_000})
    assert guard.store.intents()[0].filled == Decimal("0.0005")


@pytest.mark.parametrize(
    "order",
    [None, {}, {"id": "1", "clientOrderId": "a", "symbol": SYMBOL, "side": "buy", "amount": 1, "status": "open"}],
)
def test_an_order_that_does_not_say_enough_is_left_to_the_poll(order: Any) -> None:
    """No quantity, no id: nothing is taken from it."""
    assert sighting(order) is None


def test_the_cost_of_contracts_is_not_taken() -> None:
    """Ccxt writes it in other units than spot's."""
    said = {"id": 1, "clientOrderId": "a", "side": "sell", "amount": 2, "filled": 1, "status": "closed", "cost": 5.5}
    spot, swap = sighting({**said, "symbol": SYMBOL}), sighting({**said, "symbol": f"{SYMBOL}:USDT"})
    assert spot is not None
    assert swap is not None
    assert (spot.cost, swap.cost, spot.closed, spot.order_id) == (Decimal("5.5"), None, True, "1")
