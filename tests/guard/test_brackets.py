"""Exits that leave with an entry, and exits that follow the price, over real HTTP with stock ccxt."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from policykit import Denied
from tests.guard.test_bybit import BYBIT, SPOT
from tests.guard.world import SYMBOL, World

Start = Callable[..., World]
#: 600 USDT at the mark; 10% of an equity of 10,000 USDT is the cap of a position.
ENTRY = (SYMBOL, "limit", "buy", 0.01, 59_000)
LEGS = {"stopLoss": {"triggerPrice": 57_000}, "takeProfit": {"triggerPrice": 61_000}}


def bybit(start: Start, *faults: dict[str, Any]) -> tuple[World, Any]:
    """Give stock ccxt's bybit behind a guard that knows its facts."""
    world = start(*faults, text=BYBIT, dialect="bybit", balances={"USDT": 10_000})
    return world, world.protected(**SPOT)


def open_sales(world: World) -> list[tuple[str, Decimal, Decimal | None]]:
    """Return type, quantity and stop price of the sales that are really open."""
    orders = world.sim.venue.orders.values()
    return [(o.new.type, o.quantity, o.new.stop_price) for o in orders if o.is_open and o.new.side == "SELL"]


def filled(world: World, price: int) -> None:
    """Let the price go somewhere and come back."""
    world.sim.pin(SYMBOL, price)
    world.clock.advance(1)
    world.sim.venue.settle(world.clock.now_ms())
    world.sim.pin(SYMBOL, 60_000)


@pytest.mark.parametrize(("price", "left"), [(56_900, "stop"), (61_100, "target")])
def test_bybit_places_both_exits_when_the_entry_filled(start: Start, price: int, left: str) -> None:
    """Stop and target stand beside each other and lock what they would sell once; one that triggers ends the other."""
    world, client = bybit(start)
    guard = client.policykit_gate.guard
    client.create_order(*ENTRY, LEGS)
    assert open_sales(world) == []
    filled(world, 58_900)
    size = Decimal("0.00999")  # the fee is taken in what was bought
    assert open_sales(world) == [("STOP_LOSS", size, Decimal(57_000)), ("TAKE_PROFIT", size, Decimal(61_000))]
    guard.maintain(world.sim.client(**SPOT))
    with pytest.raises(Denied):  # the position counts, whatever leaves it later
        client.create_order(*ENTRY)
    filled(world, price)
    assert open_sales(world) == []
    assert world.sim.position("BTC") == Decimal("0.01") - Decimal("0.00001") - size
    for _ in range(3):  # the fill is in the wallet by now, whatever look-ups lag
        world.clock.advance(61)
        guard.maintain(world.sim.client(**SPOT))
    assert client.create_order(*ENTRY)["id"]


def test_an_entry_is_judged_with_its_exits(start: Start) -> None:
    """Over the cap, and in a halt, it is denied with them; nothing of it is sent."""
    world, client = bybit(start)
    with pytest.raises(Denied) as denied:
        client.create_order(SYMBOL, "limit", "buy", 0.02, 59_000, LEGS)
    assert denied.value.decision.reasons[0].code == "RISK_POSITION"
    assert denied.value.decision.order.to_dict()["stop_loss_price"] == "57000"
    client.policykit_gate.guard.halt("all", "HALTED", "desk", "a drill")
    with pytest.raises(Denied):
        client.create_order(*ENTRY, LEGS)
    assert world.sent == []


def test_other_exits_than_were_decided_on_do_not_leave(start: Start) -> None:
    """A leg in the raw params, one with a price of its own, and one that was not asked for."""
    world, client = bybit(start)
    for legs in (
        {**LEGS, "slLimitPrice": "50000"},
        {"stopLoss": {"triggerPrice": 57_000, "price": 56_000}},
        {"tpLimitPrice": "61000", "takeProfit": {"triggerPrice": 61_000}},
    ):
        with pytest.raises(Denied) as denied:
            client.create_order(*ENTRY, legs)
        assert denied.value.decision.reasons[0].code == "ORDER_DIFFERS"
    assert world.sent == []


@pytest.mark.parametrize("do", ["lost_reply", "drop"])
def test_an_entry_with_exits_whose_answer_was_lost(start: Start, do: str) -> None:
    """Executed: found, its exits with it. Lost: never sent again, and no exit without its entry."""
    world, client = bybit(start, {"at": "order", "do": do, "when": [1]})
    if do == "lost_reply":
        assert client.create_order(*ENTRY, LEGS)["status"] == "open"
    else:
        with pytest.raises(ccxt.BaseError):
            client.create_order(*ENTRY, LEGS)
    assert len(world.sent) == (do == "lost_reply")
    filled(world, 58_900)
    assert len(open_sales(world)) == (2 if do == "lost_reply" else 0)


async def test_the_async_client_sends_exits_too(start: Start) -> None:
    """By ccxt's own name for it."""
    world = start(text=BYBIT, dialect="bybit", balances={"USDT": 10_000})
    guard = world.guard(ready=False)
    guard.maintain(world.sim.client(**SPOT))
    async with world.sim.client(async_=True, **SPOT) as bare:
        client = guard.protect(bare)
        await client.create_order_with_take_profit_and_stop_loss(*ENTRY, 61_000, 57_000)
    filled(world, 58_900)
    assert len(open_sales(world)) == 2


@pytest.mark.parametrize("at_once", [True, False])
def test_a_trailing_exit_on_binance_spot_follows_the_price(start: Start, at_once: bool) -> None:
    """It sells 1 % below the best price since it was placed, or since its activation; in a halt it leaves too."""
    world = start(balances={"USDT": 10_000, "BTC": "0.01"})
    guard = world.guard()
    client = guard.protect(world.sim.client())
    guard.halt("all", "HALTED", "desk", "a drill")
    follow = {"trailingPercent": 1, "stopLossOrTakeProfit": "stopLoss"}
    client.create_order(SYMBOL, "market", "sell", 0.01, None, follow | ({} if at_once else {"activationPrice": 59_500}))
    for price in (60_000, 63_000, 62_400):
        filled(world, price)
        assert world.sim.position("BTC") == Decimal("0.01")
    filled(world, 62_300 if at_once else 59_500)
    if not at_once:  # it begins to follow only there
        assert world.sim.position("BTC") == Decimal("0.01")
        filled(world, 58_900)
    assert world.sim.position("BTC") == 0


def test_a_trailing_entry_is_judged_at_the_mark(start: Start) -> None:
    """Its trigger may be anywhere: the cap of a position is asked for as for an order at the market."""
    world = start(balances={"USDT": 10_000})
    client = world.protected()
    follow = {"trailingPercent": 1, "stopLossOrTakeProfit": "stopLoss"}
    with pytest.raises(Denied) as denied:
        client.create_order(SYMBOL, "market", "buy", 0.02, None, follow)
    assert "RISK_POSITION" in [reason.code for reason in denied.value.decision.reasons]
    client.create_order(SYMBOL, "market", "buy", 0.01, None, follow)
    assert [o.new.trailing_delta for o in world.sim.venue.orders.values()] == [100]


def test_a_delta_that_was_not_decided_on_does_not_leave(start: Start) -> None:
    """An order that does not trail has no delta on the wire."""
    world = start(balances={"USDT": 10_000, "BTC": "0.01"})
    client = world.protected()
    with pytest.raises(Denied):
        client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000, {"icebergQty": "0.001"})
    wide = {"trailingPercent": 30, "stopLossOrTakeProfit": "stopLoss"}
    with pytest.raises(ccxt.BadRequest):  # the exchange's own filter
        client.create_order(SYMBOL, "market", "sell", 0.01, None, wide)
    assert world.sent == []
