"""Broken worlds: what a bot meets there, and what must hold whatever it meets."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import ccxt

from policykit.guard import Guard
from policykit.orders.intent import Intent
from tests.guard.bots import Bot
from tests.guard.contracts import SWAP
from tests.guard.contracts import policy as contract_policy
from tests.guard.test_bybit import BYBIT
from tests.guard.world import SYMBOL, World, policy_text

SIZE = 0.01
#: Where the answer is damaged: what is set up for it, and which requests it strikes.
PLACES = ("order", "lookup", "account", "market", "cancel")
EXCHANGES = ("binance", "binanceusdm", "bybit")


class Venue(NamedTuple):
    """What differs between the exchanges: how a world of it starts, and what is traded there."""

    symbol: str
    setup: dict[str, Any]
    config: dict[str, Any]


def venue(exchange: str) -> Venue:
    """Return what a test of an exchange needs: a caller is kept 1 s, and something is held that can be sold."""
    if exchange == "binanceusdm":
        text = contract_policy(exchange).replace("expires_after: 30s", "expires_after: 30s, wait: 1s")
        margin = {"USDT": 20_000}
        grants = {"read", "trade.derivatives"}
        return Venue(SWAP, {"text": text, "dialect": exchange, "margin": margin, "grants": grants}, {})
    text = BYBIT if exchange == "bybit" else policy_text()
    text = text.replace("expires_after: 30s", "expires_after: 30s, wait: 1s")
    config = {"options": {"fetchMarkets": {"types": ["spot"]}}} if exchange == "bybit" else {}
    balances = {"USDT": Decimal(90_000), "BTC": Decimal("0.02")}
    return Venue(SYMBOL, {"text": text, "dialect": exchange, "balances": balances}, config)


class Met(NamedTuple):
    """How a call ended: the answer, or the error."""

    answer: Any = None
    error: Exception | None = None


def meet(call: Callable[[], Any]) -> Met:
    """Call as a bot does, which catches ccxt's classes; anything else goes through and fails the test."""
    try:
        return Met(call())
    except ccxt.BaseError as error:
        return Met(error=error)


def buys(world: World) -> int:
    """Return how many buys the exchange accepted."""
    return sum(side == "buy" for side, _ in world.sent)


def decide_twice(world: World, client: Bot, guard: Guard, symbol: str) -> list[Met]:
    """Buy; where that raised decide again 5 s later, as a bot does (PITFALLS 13)."""
    met = [meet(lambda: client.create_order(symbol, "market", "buy", SIZE))]
    if met[0].error is not None:
        world.clock.advance(5)
        guard.maintain()
        met.append(meet(lambda: client.create_order(symbol, "market", "buy", SIZE)))
    return met


def heal(world: World, guard: Guard) -> None:
    """End all faults, and let maintenance do its rounds until every fence has passed."""
    world.sim.strike()
    for _ in range(4):
        world.clock.advance(61)
        guard.maintain()


def ours(guard: Guard) -> list[Intent]:
    """Return the intents of everything that was meant to be bought."""
    return [i for i in guard.store.intents(open_only=False) if i.order.side == "buy"]


def check_kept(world: World, guard: Guard) -> None:
    """Nothing is lost: what was executed is counted, and every open intent that nobody knows has a reason."""
    known = {intent.client_order_id: intent for intent in ours(guard)}
    for order in world.sim.truth.executed:
        if order.side == "buy":
            assert order.client_order_id in known, "an order that was executed is not in the journal"
            intent = known[order.client_order_id]
            counted = intent.open or intent.filled == order.quantity
            assert counted, f"an executed order is {intent.state} with {intent.filled} filled, {intent.error}"
    for intent in known.values():
        assert intent.state != "unknown" or intent.error, "unknown without a reason"
    assert guard.store.verify()[1] is None


def check_settled(world: World, guard: Guard) -> list[Intent]:
    """After healing: what was executed is settled with its quantity; return what is still unknown."""
    executed = {o.client_order_id: o.quantity for o in world.sim.truth.executed if o.side == "buy"}
    left = []
    for intent in ours(guard):
        if intent.client_order_id in executed:
            assert (intent.state, intent.filled) == ("settled", executed[intent.client_order_id]), intent.error
        elif intent.open:
            left.append(intent)
    return left
