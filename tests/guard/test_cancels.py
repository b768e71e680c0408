"""The three outcomes of a cancel over real HTTP: done, refused, unknown; what the exchange shows ends the order."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from policykit import Denied
from tests.guard.contracts import SWAP, contracts
from tests.guard.test_bybit import BYBIT, HELD, SPOT
from tests.guard.world import SYMBOL, World

#: 600 USDT at the mark: of an account of 10,000 USDT, with 10% of equity for a position, a second one does not fit.
BUY = (SYMBOL, "limit", "buy", 0.01, 59_000)
Start = Callable[..., World]


def binance(start: Start, *faults: dict[str, Any], **more: Any) -> tuple[World, Any]:
    """Give stock ccxt's binance behind a guard that knows its facts."""
    world = start(*faults, **more)
    return world, world.protected()


def left(world: World, guard: Any) -> list[tuple[str, str | None, Decimal]]:
    """Return state, error and filled quantity of every intent."""
    return [(i.state, i.error, i.filled) for i in guard.store.intents(open_only=False)]


def round_of(world: World, guard: Any) -> None:
    """One round of maintenance, at once: no list is believed yet of what was just acknowledged."""
    guard.maintain(world.sim.client())


@pytest.mark.parametrize(("do", "state"), [("lost_reply", "settled"), ("timeout", "settled"), ("drop", "acknowledged")])
def test_a_cancel_without_an_answer_is_looked_up_in_the_next_round(start: Start, do: str, state: str) -> None:
    """Executed or never arrived: the bot gets ccxt's error, the reservation stays until the exchange shows which."""
    world, client = binance(start, {"at": "cancel", "do": do, "when": [1]}, balances={"USDT": 10_000})
    guard = client.policykit_gate.guard
    made = client.create_order(*BUY)
    with pytest.raises(ccxt.NetworkError):
        client.cancel_order(made["id"], SYMBOL)
    assert left(world, guard) == [("acknowledged", "CANCEL_UNKNOWN", Decimal(0))]
    with pytest.raises(Denied) as denied:  # it may be open still
        client.create_order(*BUY)
    assert denied.value.decision.reasons[0].code == "RISK_POSITION"
    round_of(world, guard)
    assert left(world, guard) == [(state, "CANCEL_UNKNOWN", Decimal(0))]
    client.cancel_order(made["id"], SYMBOL) if state == "acknowledged" else None  # to cancel again does no harm
    assert left(world, guard)[0][0] == "settled"
    assert client.create_order(*BUY)["status"] == "open"


def test_a_cancel_that_was_lost_is_told_behind_its_fence(start: Start) -> None:
    """Until then it may still arrive, and the order is asked for in every round; then it is an open order again."""
    world, client = binance(start, {"at": "cancel", "do": "drop", "when": [1]})
    guard = client.policykit_gate.guard
    made = client.create_order(*BUY)
    with pytest.raises(ccxt.NetworkError):
        client.cancel_order(made["id"], SYMBOL)
    for _ in range(2):
        world.clock.advance(30)
        round_of(world, guard)
        assert left(world, guard) == [("acknowledged", "CANCEL_UNKNOWN", Decimal(0))]
    world.clock.advance(30)
    round_of(world, guard)
    assert left(world, guard) == [("acknowledged", "CANCEL_LOST", Decimal(0))]


def test_a_cancel_that_arrives_late_is_seen(start: Start) -> None:
    """It executes 8 s after its time-out, after a round that still saw the order open."""
    world, client = binance(start, {"at": "cancel", "do": "late", "when": [1], "processing": 8})
    guard = client.policykit_gate.guard
    made = client.create_order(*BUY)
    with pytest.raises(ccxt.NetworkError):
        client.cancel_order(made["id"], SYMBOL)
    round_of(world, guard)
    assert left(world, guard)[0][0] == "acknowledged"
    world.clock.advance(9)
    round_of(world, guard)
    assert left(world, guard)[0][0] == "settled"


def test_a_fill_that_won_the_race_counts(start: Start) -> None:
    """The exchange knows no such open order: what filled is asked for, and is held."""
    world, client = binance(start)
    guard = client.policykit_gate.guard
    made = client.create_order(*BUY)
    world.sim.pin(SYMBOL, 58_000)
    world.clock.advance(1)  # it fills
    with pytest.raises(ccxt.OrderNotFound):
        client.cancel_order(made["id"], SYMBOL)
    assert left(world, guard) == [("acknowledged", "CANCEL_REFUSED", Decimal(0))]
    round_of(world, guard)
    assert left(world, guard) == [("settled", "CANCEL_REFUSED", Decimal("0.01"))]
    assert guard.facts().positions["BTC"].high >= Decimal("0.01")


def test_a_cancel_of_everything_without_an_answer_leaves_all_in_doubt(start: Start) -> None:
    """Of the symbol that it was for; the next round settles each."""
    world, client = binance(start, {"at": "cancel", "do": "lost_reply", "when": [1]}, balances={"USDT": 100_000})
    guard = client.policykit_gate.guard
    world.sim.pin("ETH/USDT", Decimal(3_000))
    round_of(world, guard)
    for order in (BUY, BUY, ("ETH/USDT", "limit", "buy", 0.1, 2_900)):
        client.create_order(*order)
    with pytest.raises(ccxt.NetworkError):
        client.cancel_all_orders(SYMBOL)
    doubt = [(i.order.symbol, i.error) for i in guard.store.intents()]
    assert doubt == [(SYMBOL, "CANCEL_UNKNOWN")] * 2 + [("ETH/USDT", None)]
    round_of(world, guard)
    assert [i.order.symbol for i in guard.store.intents()] == ["ETH/USDT"]


def test_an_answer_that_names_no_order_leaves_it_to_be_looked_up(start: Start) -> None:
    """Binance answers a cancel of all contracts, and of an algo order, with a code; Bybit any cancel with an id."""
    world = contracts(start)
    guard = world.guard()
    client = guard.protect(world.sim.client())
    client.create_order(SWAP, "limit", "buy", 0.1, 59_000)
    stop = client.create_order(SWAP, "market", "sell", 0.1, None, {"stopPrice": 55_000, "reduceOnly": True})
    client.cancel_order(stop["id"], SWAP, {"trigger": True})
    client.cancel_all_orders(SWAP)
    assert sorted(i.error or "" for i in guard.store.intents()) == ["CANCEL_SENT", "CANCEL_SENT"]
    round_of(world, guard)
    assert guard.store.intents() == []


def test_bybit_takes_a_cancel_and_tells_later_what_filled(start: Start) -> None:
    """Its answer is an acknowledgement: the order is over when the exchange shows that."""
    world = start(text=BYBIT, dialect="bybit", balances=HELD)
    guard = world.guard()
    client = guard.protect(world.sim.client(**SPOT))
    made = client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000)
    client.cancel_order(made["id"], SYMBOL)
    assert left(world, guard) == [("acknowledged", "CANCEL_SENT", Decimal(0))]
    guard.maintain(world.sim.client(**SPOT))
    assert left(world, guard) == [("settled", "CANCEL_SENT", Decimal(0))]


async def test_the_async_client_does_the_same(start: Start) -> None:
    """Executed, and answered with a time-out of the exchange's own."""
    world = start({"at": "cancel", "do": "timeout", "when": [1]})
    guard = world.guard()
    async with world.sim.client(async_=True) as bare:
        client = guard.protect(bare)
        made = await client.create_order(*BUY)
        with pytest.raises(ccxt.NetworkError):
            await client.cancel_order(made["id"], SYMBOL)
        assert left(world, guard) == [("acknowledged", "CANCEL_UNKNOWN", Decimal(0))]
    round_of(world, guard)
    assert left(world, guard) == [("settled", "CANCEL_UNKNOWN", Decimal(0))]
